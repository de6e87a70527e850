//! Listening: with TLS, and never in the clear beyond loopback unless asked to.

use std::fs;

use cronfleet_center::Config;
use cronfleet_center::config::TlsFiles;
use cronfleet_center::http::{ServeError, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::world::PATIENCE;

fn router() -> axum::Router {
    axum::Router::new().route("/", axum::routing::get(|| async { "secret" }))
}

#[tokio::test]
async fn passwords_are_not_taken_in_the_clear_beyond_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::local(dir.path().to_owned());
    let tcp = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve(tcp, &config, router(), CancellationToken::new()).await;
    assert!(
        matches!(refused, Err(ServeError::Insecure { .. })),
        "{refused:?}"
    );
    config.allow_insecure = true;
    let tcp = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    serve(tcp, &config, router(), stop).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_makes_it_https_and_http2() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let files = TlsFiles {
        certificate: dir.path().join("tls.crt"),
        key: dir.path().join("tls.key"),
    };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    let mut config = Config::local(dir.path().to_owned());
    config.tls = Some(files.clone());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let server = tokio::spawn({
        let (config, stop) = (config.clone(), stop.clone());
        async move { serve(tcp, &config, router(), stop).await }
    });
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .tls_certs_only([reqwest::Certificate::from_pem(certificate.pem().as_bytes()).unwrap()])
        .build()
        .unwrap();
    let response = client
        .get(format!("https://localhost:{port}/"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "secret");
    assert!(
        client
            .get(format!("http://localhost:{port}/"))
            .send()
            .await
            .is_err(),
        "no plain HTTP there"
    );
    stop.cancel();
    tokio::time::timeout(PATIENCE, server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();

    fs::write(&files.key, "no key").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = serve(tcp, &config, router(), CancellationToken::new()).await;
    assert!(
        matches!(refused, Err(ServeError::Pem { .. })),
        "{refused:?}"
    );
}
