//! Listening for people: plain or with TLS, with time limits, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::clock;
use crate::config::{Config, TlsFiles};

/// Time a client has to send the head of a request, and for a TLS handshake.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Connections at one time; more wait.
const CONNECTIONS_MAX: usize = 4_096;
/// Requests at one time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;
/// Time for requests under way when the center stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait after the operating system could not give a connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Listening is not possible.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is not on loopback, and neither TLS nor insecure HTTP was asked for.
    #[error(
        "refusing to send passwords in the clear: {address} is not a loopback address; give a TLS certificate, or allow plain HTTP"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The listener does not tell its address.
    #[error("cannot use the listener")]
    Listener(#[source] io::Error),
    /// Certificate or key cannot be read.
    #[error("cannot read a certificate or key from {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not fit together, or are of no use.
    #[error("cannot use the TLS certificate and key")]
    Tls(#[source] rustls::Error),
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServeError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| ServeError::Pem { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(pem(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServeError::Tls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop` is cancelled, then lets requests under way end for a few seconds. With TLS if `config` names a
/// certificate.
///
/// # Errors
/// [`ServeError`]; among others [`ServeError::Insecure`] for plain HTTP beyond loopback unless `config` allows it.
pub async fn serve(
    tcp: TcpListener,
    config: &Config,
    router: Router,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = tcp.local_addr().map_err(ServeError::Listener)?;
    let is_loopback = address.ip().to_canonical().is_loopback();
    if config.tls.is_none() && !is_loopback && !config.allow_insecure {
        return Err(ServeError::Insecure { address });
    }
    let tls = config.tls.as_ref().map(acceptor).transpose()?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&tcp, &places) => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let Some((place, stream, peer)) = accepted else {
            clock::sleep(ACCEPT_BACKOFF).await;
            continue;
        };
        let connection = Connection {
            router: router.clone(),
            peer,
            watcher: graceful.watcher(),
        };
        let tls = tls.clone();
        connections.spawn(async move {
            let _place = place;
            match tls {
                None => connection.serve(stream).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) =
                        tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await
                    {
                        connection.serve(stream).await;
                    }
                }
            }
        });
    }
    drop(tcp);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::info!("requests under way were cut off");
    }
    connections.shutdown().await;
    Ok(())
}

/// The next connection and its place; `None` if the operating system could not give one.
async fn accept(
    tcp: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match tcp.accept().await {
        Ok((stream, peer)) => {
            // Small answers at once; a socket that cannot be told so works all the same.
            let _ = stream.set_nodelay(true);
            Some((place, stream, peer))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}

/// One connection.
struct Connection {
    router: Router,
    peer: SocketAddr,
    watcher: Watcher,
}

impl Connection {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let peer = self.peer;
        let service = self
            .router
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ConnectInfo(peer));
                request.map(Body::new)
            });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_MAX)
            .keep_alive_interval(Some(Duration::from_secs(20)));
        let connection = builder
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        // How a connection ends is the client's affair.
        let _ = self.watcher.watch(connection).await;
    }
}
