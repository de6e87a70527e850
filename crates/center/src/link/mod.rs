//! The agents' side of a center: joining, renewing, and one session per agent.
//!
//! Identity comes from the client certificate alone. A session's work is split in two so that a slow database never delays a
//! heartbeat: the reader ([`session`]) answers heartbeats and passes everything else on; the desk ([`desk`]) hands out and
//! takes in. What desks commit in great number goes through one clerk ([`clerk`]).

pub(crate) mod clerk;
pub(crate) mod desk;
mod join;
mod outbox;
mod output;
mod peer;
mod policy;
mod reboot;
mod secrets;
mod session;
mod withheld;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_store::Store;
use cronfleet_wire::{MESSAGE_MAX_BYTES, v1};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use self::clerk::Clerk;
use crate::bus::EventBus;
use crate::fleet_clock::FleetClock;
use crate::heartbeats::Heartbeats;
use crate::mint::Mint;
use crate::nudge::Nudges;
use crate::peers::AgentAddresses;
use crate::pki::Pki;
use crate::seal::Sealer;
use crate::windows::Windows;

/// What every session works with.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) clerk: Clerk,
    pub(crate) nudges: Nudges,
    pub(crate) bus: EventBus,
    pub(crate) mint: Mint,
    pub(crate) pki: Pki,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) clock: FleetClock,
    pub(crate) windows: Windows,
    /// Where agents find the centers.
    pub(crate) addresses: AgentAddresses,
    /// Name of this center in the store.
    pub(crate) center: String,
}

/// The service behind the agents' listener.
pub(crate) struct Link {
    parts: Arc<Parts>,
    joins: join::JoinLimit,
    sessions: TaskTracker,
    stop: CancellationToken,
}

/// The agents' listener could not serve.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve agents on {address}")]
pub struct LinkError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: tonic::transport::Error,
}

/// Serves agents until `stop`; returns when every session is over.
pub(crate) async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    parts: Arc<Parts>,
    stop: CancellationToken,
) -> Result<(), LinkError> {
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(
            parts.pki.center_chain_pem(),
            parts.pki.center_key_pem(),
        ))
        .client_ca_root(Certificate::from_pem(parts.pki.ca_pem()))
        .client_auth_optional(true);
    let sessions = TaskTracker::new();
    let link = Link {
        parts,
        joins: join::JoinLimit::default(),
        sessions: sessions.clone(),
        stop: stop.clone(),
    };
    let service = v1::link_server::LinkServer::new(link)
        .max_decoding_message_size(MESSAGE_MAX_BYTES)
        .max_encoding_message_size(MESSAGE_MAX_BYTES);
    let fail = |source| LinkError { address, source };
    Server::builder()
        .tls_config(tls)
        .map_err(fail)?
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(15)))
        .add_service(service)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.cancelled_owned(),
        )
        .await
        .map_err(fail)?;
    sessions.close();
    sessions.wait().await;
    Ok(())
}
