//! Who is on the other end of a connection.

use cronfleet_core::id::AgentId;
use tonic::{Request, Status};

use crate::pki;

/// The agent that the client certificate names, and the fingerprint of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// Agent.
    pub(super) agent: AgentId,
    /// SHA-256 of its public key, hex.
    pub(super) key_fingerprint: String,
}

/// Reads the peer of a request.
///
/// # Errors
/// `Unauthenticated` without a client certificate; `PermissionDenied` if it is not an agent's.
pub(super) fn peer<T>(request: &Request<T>) -> Result<Peer, Status> {
    let certificates = request
        .peer_certs()
        .ok_or_else(|| Status::unauthenticated("a client certificate is needed: join first"))?;
    let certificate = certificates
        .first()
        .ok_or_else(|| Status::unauthenticated("a client certificate is needed: join first"))?;
    pki::agent_of_certificate(certificate)
        .map(|(agent, key_fingerprint)| Peer {
            agent,
            key_fingerprint,
        })
        .ok_or_else(|| Status::permission_denied("the client certificate is not an agent's"))
}
