//! TLS towards a center: with the agent's certificate, or, before there is one, with a pinned CA.

use std::sync::{Arc, Once};

use cronfleet_wire::identity::CENTER_NAME;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};

use crate::identity::Identity;

const ALPN: &[u8] = b"h2";

/// What the pinned verifier answers when the center is not the one that the token was made by.
pub(crate) const WRONG_CENTER: CertificateError = CertificateError::ApplicationVerificationFailure;

/// The process's one provider of cryptography.
fn provider() -> Arc<CryptoProvider> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // Somebody else in this process may have been first; then theirs is in force.
        let _ = aws_lc_rs::default_provider().install_default();
    });
    CryptoProvider::get_default()
        .map_or_else(|| Arc::new(aws_lc_rs::default_provider()), Arc::clone)
}

/// The name in every center's certificate.
pub(crate) fn center_name() -> ServerName<'static> {
    const NAME: &str = CENTER_NAME;
    ServerName::try_from(NAME).expect("the name is a constant and a valid DNS name")
}

/// TLS of a session: the center's certificate comes from the CA of the identity, ours is the identity's.
///
/// # Errors
/// A certificate or key of the identity cannot be used.
pub(crate) fn session_config(identity: &Identity) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(identity.ca.clone()))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(identity.chain(), identity.private_key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// TLS for joining: the center must prove to be certified by a CA with this SHA-256.
///
/// # Errors
/// The provider lacks TLS 1.3.
pub(crate) fn pinned_config(ca_sha256: [u8; 32]) -> Result<ClientConfig, Error> {
    let provider = provider();
    let verifier = PinnedCa {
        ca_sha256,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// Accepts a server whose chain holds the pinned CA and verifies against it.
#[derive(Debug)]
struct PinnedCa {
    ca_sha256: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ca = intermediates
            .iter()
            .find(|certificate| Sha256::digest(certificate.as_ref())[..] == self.ca_sha256)
            .ok_or(Error::InvalidCertificate(WRONG_CENTER))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| Error::InvalidCertificate(WRONG_CENTER))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
