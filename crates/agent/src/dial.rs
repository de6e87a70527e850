//! From an address to an encrypted channel.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cronfleet_wire::MESSAGE_MAX_BYTES;
use cronfleet_wire::identity::CENTER_NAME;
use cronfleet_wire::v1::link_client::LinkClient;
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::ClientConfig;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::identity::Identity;
use crate::tls::{WRONG_CENTER, center_name, session_config};

/// Longest wait for one address to answer.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest wait for the handshakes of TLS and HTTP/2.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// Sent bytes unacknowledged for so long end the connection.
const UNACKNOWLEDGED_TIME_MAX: Duration = Duration::from_secs(15);

/// Silence after which the kernel begins to probe the other side.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Why a center cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address has no meaning.
    #[error("cannot resolve {address}")]
    Resolve {
        /// As `host:port`.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody answers.
    #[error("cannot connect to {address}")]
    Connect {
        /// As `host:port`.
        address: String,
        /// What the system said of the last address tried.
        #[source]
        source: io::Error,
    },
    /// Somebody answers who is not the center that the token was made by.
    #[error("the center at {address} does not have the certificate authority that the token names")]
    WrongCenter {
        /// As `host:port`.
        address: String,
    },
    /// No encrypted connection comes about.
    #[error("no secure connection with {address}")]
    Handshake {
        /// As `host:port`.
        address: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The identity cannot be used.
    #[error("the identity cannot be used for TLS")]
    Tls(#[from] rustls::Error),
    /// It does not speak HTTP/2.
    #[error("no channel with {address}")]
    Channel {
        /// As `host:port`.
        address: String,
        /// What went wrong.
        #[source]
        source: tonic::transport::Error,
    },
}

/// Connects to a center for a session, as the agent of an identity.
///
/// # Errors
/// [`DialError`].
pub async fn dial_as(identity: &Identity, address: &str) -> Result<LinkClient<Channel>, DialError> {
    dial(address, Arc::new(session_config(identity)?)).await
}

/// Connects to a center. The channel ends with its connection and never dials by itself.
///
/// # Errors
/// [`DialError`].
pub(crate) async fn dial(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<LinkClient<Channel>, DialError> {
    let stream = connect(address).await?;
    let stream = handshake(address, stream, config).await?;
    // The connector gives its one connection away once; a second request for one means that the first is dead.
    let only = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = tower::service_fn(move |_| {
        let only = Arc::clone(&only);
        async move {
            only.lock()
                .await
                .take()
                .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{CENTER_NAME}")).map_err(|source| {
        DialError::Channel {
            address: address.to_owned(),
            source,
        }
    })?;
    let channel = timeout(
        HANDSHAKE_TIME_MAX,
        endpoint.connect_with_connector(connector),
    )
    .await
    .map_err(|_| slow_handshake(address))?
    .map_err(|source| DialError::Channel {
        address: address.to_owned(),
        source,
    })?;
    Ok(LinkClient::new(channel)
        .max_decoding_message_size(MESSAGE_MAX_BYTES)
        .max_encoding_message_size(MESSAGE_MAX_BYTES))
}

async fn connect(address: &str) -> Result<TcpStream, DialError> {
    let addresses = lookup_host(address)
        .await
        .map_err(|source| DialError::Resolve {
            address: address.to_owned(),
            source,
        })?;
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for one in addresses {
        match timeout(CONNECT_TIME_MAX, TcpStream::connect(one)).await {
            Ok(Ok(stream)) => match prepare(&stream) {
                Ok(()) => return Ok(stream),
                Err(error) => failed = error,
            },
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(DialError::Connect {
        address: address.to_owned(),
        source: failed,
    })
}

/// Makes sure that a connection nobody answers on is noticed.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &(KEEPALIVE.as_secs() as u32))?;
    setsockopt(stream, sockopt::TcpKeepInterval, &5)?;
    setsockopt(stream, sockopt::TcpKeepCount, &3)?;
    setsockopt(
        stream,
        sockopt::TcpUserTimeout,
        &(UNACKNOWLEDGED_TIME_MAX.as_millis() as u32),
    )?;
    Ok(())
}

async fn handshake(
    address: &str,
    stream: TcpStream,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let connecting = TlsConnector::from(config).connect(center_name(), stream);
    match timeout(HANDSHAKE_TIME_MAX, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) if is_wrong_center(&source) => Err(DialError::WrongCenter {
            address: address.to_owned(),
        }),
        Ok(Err(source)) => Err(DialError::Handshake {
            address: address.to_owned(),
            source,
        }),
        Err(_) => Err(slow_handshake(address)),
    }
}

fn slow_handshake(address: &str) -> DialError {
    DialError::Handshake {
        address: address.to_owned(),
        source: io::ErrorKind::TimedOut.into(),
    }
}

fn is_wrong_center(error: &io::Error) -> bool {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(why)) if *why == WRONG_CENTER)
}
