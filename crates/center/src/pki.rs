//! The center's own certificate authority: it names every agent and every center, and nobody else can.
//!
//! Files below `<data>/pki`, all 0600: the CA's key and certificate, and the key and certificate that this center shows to
//! agents. They are made at the first start. An agent's certificate carries its id as a URI ([`identity::agent_uri`]), issued
//! here whatever the request asked for; a center's carries [`identity::CENTER_NAME`] and may only serve.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cronfleet_core::id::AgentId;
use cronfleet_wire::identity;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long an agent's certificate is good for. Agents renew after two thirds.
pub const AGENT_CERTIFICATE_DAYS: i64 = 90;
/// How long the CA's and the center's own certificates are good for.
const CA_CERTIFICATE_DAYS: i64 = 3_650;

/// The authority could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file's content is no key or certificate.
    #[error("{path} is damaged; restore it from a backup, agents trust no other")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Issue(#[from] rcgen::Error),
    /// A request to sign is not acceptable.
    #[error("the certificate request is refused: {why}")]
    Request {
        /// Why.
        why: &'static str,
    },
}

/// The authority, loaded.
pub struct Pki {
    issuer: Issuer<'static, KeyPair>,
    ca_der: CertificateDer<'static>,
    ca_pem: String,
    center_chain_pem: String,
    center_key_pem: String,
}

/// A certificate for an agent.
#[derive(Debug, Clone)]
pub struct Issued {
    /// DER.
    pub certificate: Vec<u8>,
    /// When it stops being good.
    pub not_after: Timestamp,
    /// SHA-256 of the agent's public key (the subject public key info, DER), hex.
    pub key_fingerprint: String,
    /// Serial number, hex.
    pub serial: String,
}

impl Pki {
    /// Loads the authority below `dir`, making it at the first start.
    ///
    /// # Errors
    /// Files that cannot be read, written or understood. A damaged authority is never replaced by a new one.
    pub fn open(dir: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let (key_path, cert_path) = (dir.join("ca.key"), dir.join("ca.crt"));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| file_error(dir, source))?;
        if !key_path.exists() && !cert_path.exists() {
            make_authority(&key_path, &cert_path, now)?;
        }
        let key = KeyPair::from_pem(&read(&key_path)?)
            .map_err(|_| PkiError::Damaged { path: key_path })?;
        let ca_pem = read(&cert_path)?;
        let damaged = |path: &Path| PkiError::Damaged {
            path: path.to_owned(),
        };
        let ca_der =
            CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_| damaged(&cert_path))?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, key).map_err(|_| damaged(&cert_path))?;
        let (center_key_pem, center_cert_pem) = make_center(&issuer, now)?;
        Ok(Self {
            issuer,
            ca_der,
            center_chain_pem: format!("{center_cert_pem}{ca_pem}"),
            ca_pem,
            center_key_pem,
        })
    }

    /// The CA's certificate, DER.
    pub fn ca_der(&self) -> &[u8] {
        &self.ca_der
    }

    /// The CA's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// SHA-256 of the CA's certificate (DER): what joining agents pin.
    pub fn ca_sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.ca_der).into()
    }

    /// The chain that this center shows to agents (its certificate, then the CA's), PEM.
    pub fn center_chain_pem(&self) -> &str {
        &self.center_chain_pem
    }

    /// The key to [`Pki::center_chain_pem`], PEM.
    pub fn center_key_pem(&self) -> &str {
        &self.center_key_pem
    }

    /// Issues an agent's certificate for the public key of a request. Names and extensions in the request are ignored.
    ///
    /// # Errors
    /// [`PkiError::Request`] if the request is malformed, its signature is wrong, or its key is not on P-256.
    pub fn issue(
        &self,
        agent: AgentId,
        request: &[u8],
        now: Timestamp,
    ) -> Result<Issued, PkiError> {
        let request = CertificateSigningRequestDer::from(request.to_vec());
        let request =
            CertificateSigningRequestParams::from_der(&request).map_err(|_| PkiError::Request {
                why: "it is malformed or not signed by its own key",
            })?;
        if *rcgen::PublicKeyData::algorithm(&request.public_key) != PKCS_ECDSA_P256_SHA256 {
            return Err(PkiError::Request {
                why: "its key is not an ECDSA key on P-256",
            });
        }
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, agent.to_string());
        let uri = identity::agent_uri(agent)
            .try_into()
            .map_err(PkiError::Issue)?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let not_after = validity(&mut params, now, AGENT_CERTIFICATE_DAYS);
        let spki = rcgen::PublicKeyData::subject_public_key_info(&request.public_key);
        let key_fingerprint = identity::hex(&Sha256::digest(&spki));
        let serial = serial(&[
            agent.as_uuid().as_bytes(),
            &spki,
            &now.as_microsecond().to_be_bytes(),
        ]);
        let serial_hex = identity::hex(serial.as_ref());
        params.serial_number = Some(serial);
        let certificate = params.signed_by(&request.public_key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.der().to_vec(),
            not_after,
            key_fingerprint,
            serial: serial_hex,
        })
    }
}

/// The agent and the key fingerprint that a verified client certificate names.
pub fn agent_of_certificate(certificate: &[u8]) -> Option<(AgentId, String)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let agent = names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(uri) => identity::agent_of_uri(uri),
            _ => None,
        })?;
    let usage = certificate.extended_key_usage().ok()??;
    let fingerprint = identity::hex(&Sha256::digest(certificate.public_key().raw));
    (usage.value.client_auth && !usage.value.server_auth).then_some((agent, fingerprint))
}

fn make_authority(key_path: &Path, cert_path: &Path, now: Timestamp) -> Result<(), PkiError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Cronfleet CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, now, CA_CERTIFICATE_DAYS);
    let certificate = params.self_signed(&key)?;
    write_new(cert_path, certificate.pem().as_bytes())?;
    write_new(key_path, key.serialize_pem().as_bytes())
}

/// A fresh key and certificate for this start of the center; agents trust the CA, not this key.
fn make_center(issuer: &Issuer<'_, KeyPair>, now: Timestamp) -> Result<(String, String), PkiError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec![identity::CENTER_NAME.to_owned()])?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Cronfleet center");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial(&[
        &rcgen::PublicKeyData::subject_public_key_info(&key),
        &now.as_microsecond().to_be_bytes(),
    ]));
    validity(&mut params, now, CA_CERTIFICATE_DAYS);
    let certificate = params.signed_by(&key, issuer)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

fn serial(parts: &[&[u8]]) -> SerialNumber {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut bytes = hash.finalize()[..16].to_vec();
    bytes[0] &= 0x7f; // positive, as RFC 5280 section 4.1.2.2 asks
    SerialNumber::from(bytes)
}

/// Sets a validity from yesterday (clocks differ) to `days` from now, in whole days; answers its end.
fn validity(params: &mut CertificateParams, now: Timestamp, days: i64) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).date();
    let date = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(
            i32::from(date.year()),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    let end = today.saturating_add(days.days());
    params.not_before = date(today.saturating_sub(1.day()));
    params.not_after = date(end);
    end.to_zoned(TimeZone::UTC)
        .map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

fn read(path: &Path) -> Result<String, PkiError> {
    fs::read_to_string(path).map_err(|source| file_error(path, source))
}

/// Writes a file that must not exist yet, durably.
fn write_new(path: &Path, content: &[u8]) -> Result<(), PkiError> {
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: io::Error) -> PkiError {
    PkiError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn request(key: &KeyPair, name: &str) -> Vec<u8> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn an_agents_certificate_names_the_agent_and_nothing_it_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open(dir.path(), now()).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let agent = AgentId::from_u128(5);
        let issued = pki
            .issue(agent, &request(&key, identity::CENTER_NAME), now())
            .unwrap();
        let (named, fingerprint) = agent_of_certificate(&issued.certificate).unwrap();
        assert_eq!(
            (named, fingerprint),
            (agent, issued.key_fingerprint.clone())
        );
        let (_, parsed) = X509Certificate::from_der(&issued.certificate).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert_eq!(
            names.value.general_names.len(),
            1,
            "the center's name must not get in"
        );
        let days = (issued.not_after.as_second() - now().as_second()) / 86_400;
        assert!((AGENT_CERTIFICATE_DAYS - 1..=AGENT_CERTIFICATE_DAYS).contains(&days));
    }

    #[test]
    fn the_authority_stays_the_same_over_restarts_and_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let first = Pki::open(dir.path(), now()).unwrap().ca_sha256();
        assert_eq!(Pki::open(dir.path(), now()).unwrap().ca_sha256(), first);
        fs::write(dir.path().join("ca.key"), "no key").unwrap();
        assert!(matches!(
            Pki::open(dir.path(), now()),
            Err(PkiError::Damaged { .. })
        ));
    }

    #[test]
    fn malformed_requests_and_weak_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open(dir.path(), now()).unwrap();
        let agent = AgentId::from_u128(5);
        assert!(matches!(
            pki.issue(agent, b"junk", now()),
            Err(PkiError::Request { .. })
        ));
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert!(matches!(
            pki.issue(agent, &request(&other, "x"), now()),
            Err(PkiError::Request { .. })
        ));
    }

    #[test]
    fn a_centers_certificate_is_no_agents() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open(dir.path(), now()).unwrap();
        let chain = CertificateDer::from_pem_slice(pki.center_chain_pem().as_bytes()).unwrap();
        assert_eq!(agent_of_certificate(&chain), None);
    }
}
