//! Joining a fleet with a token, and renewing the certificate later.

use std::path::Path;
use std::sync::Arc;

use cronfleet_core::id::AgentId;
use cronfleet_wire::identity::JoinToken;
use cronfleet_wire::v1::link_client::LinkClient;
use cronfleet_wire::{convert, v1};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;

use crate::dial::{DialError, dial};
use crate::facts::facts;
use crate::identity::{Identity, IdentityError, KeyRequest};
use crate::tls;

/// Why an agent could not join, or get its next certificate.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The agent has an identity already.
    #[error("this agent has joined already, as {agent}")]
    Joined {
        /// As whom.
        agent: AgentId,
    },
    /// No center address was given.
    #[error("no center address is given")]
    NoCenter,
    /// The center cannot be reached, or is not the one that the token names. The token was not sent.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// TLS cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The center refuses, most likely because the token was used, is too old, or was never made.
    #[error("the center refuses: {}", status.message())]
    Refused {
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// Too many have tried from this address within the last minute.
    #[error("the center refuses: {}", status.message())]
    TooMany {
        /// Its answer.
        status: Box<tonic::Status>,
    },
    /// The center's answer makes no sense.
    #[error("the center's answer has no usable {field}")]
    Answer {
        /// What is wrong.
        field: &'static str,
    },
    /// The identity cannot be made or stored.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Joins the fleet of the center that made `token`, and stores the identity in `data_dir`.
///
/// The key is made here and never leaves. The token is sent only after the center has proven to hold a certificate of the CA
/// that the token names. `centers` are tried in turn, as `host:port`; all of them are remembered.
///
/// # Errors
/// [`JoinError`]; nothing is stored then.
pub async fn join(
    centers: &[String],
    token: &JoinToken,
    data_dir: &Path,
) -> Result<Identity, JoinError> {
    if let Ok(identity) = Identity::load(data_dir) {
        return Err(JoinError::Joined {
            agent: identity.agent,
        });
    }
    let new = KeyRequest::generate()?;
    let config = Arc::new(tls::pinned_config(token.ca_sha256).map_err(JoinError::Tls)?);
    let mut client = dial_any(centers, &config).await?;
    let request = v1::JoinRequest {
        token_id: token.id.clone(),
        token_secret: token.secret.to_vec().into(),
        certificate_request: new.request.clone().into(),
        facts: Some(facts(None)),
    };
    let answer = client.join(request).await.map_err(refused)?.into_inner();
    if Sha256::digest(&answer.ca_certificate)[..] != token.ca_sha256 {
        return Err(JoinError::Answer {
            field: "CA certificate",
        });
    }
    let identity = identity_of(answer, new, centers.to_vec(), None)?;
    identity.store(data_dir)?;
    Ok(identity)
}

/// Gets the next certificate for the key of `identity` over a session's channel. Stores nothing.
///
/// # Errors
/// [`JoinError`].
pub(crate) async fn renew(
    client: &mut LinkClient<Channel>,
    identity: &Identity,
) -> Result<Identity, JoinError> {
    let new = KeyRequest::renewal(identity)?;
    let request = v1::RenewRequest {
        certificate_request: new.request.clone().into(),
    };
    let answer = client.renew(request).await.map_err(refused)?.into_inner();
    identity_of(answer, new, identity.centers.clone(), Some(identity))
}

async fn dial_any(
    centers: &[String],
    config: &Arc<rustls::ClientConfig>,
) -> Result<LinkClient<Channel>, JoinError> {
    let mut failed = JoinError::NoCenter;
    for center in centers {
        match dial(center, Arc::clone(config)).await {
            Ok(client) => return Ok(client),
            Err(error) => failed = error.into(),
        }
    }
    Err(failed)
}

fn refused(status: tonic::Status) -> JoinError {
    let status = Box::new(status);
    match status.code() {
        tonic::Code::ResourceExhausted => JoinError::TooMany { status },
        _ => JoinError::Refused { status },
    }
}

/// Makes an identity of the center's answer, after making sure that it can be used.
fn identity_of(
    answer: v1::JoinResponse,
    new: KeyRequest,
    centers: Vec<String>,
    former: Option<&Identity>,
) -> Result<Identity, JoinError> {
    let wrong = |field| JoinError::Answer { field };
    let identity = Identity {
        agent: convert::agent_id(&answer.agent_id).map_err(|_| wrong("agent id"))?,
        centers,
        certificate: answer.certificate.to_vec(),
        key: new.key,
        ca: answer.ca_certificate.to_vec(),
        issued: Timestamp::now(),
        not_after: convert::time("not_after_us", answer.not_after_us).map_err(|_| wrong("end"))?,
    };
    if former.is_some_and(|former| former.agent != identity.agent) {
        return Err(wrong("agent id"));
    }
    // Refuses a certificate that does not belong to the key.
    tls::session_config(&identity).map_err(|_| wrong("certificate"))?;
    Ok(identity)
}
