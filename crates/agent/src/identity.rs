//! Who the agent is: its key, its certificate and the center's CA, in one file that is replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cronfleet_core::id::AgentId;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

const FILE: &str = "identity.json";
const VERSION: u32 = 1;

/// An agent's identity.
#[derive(Clone)]
pub struct Identity {
    /// The agent.
    pub agent: AgentId,
    /// Addresses of the centers it joined, as `host:port`.
    pub centers: Vec<String>,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key, PKCS #8 DER.
    pub key: Vec<u8>,
    /// The CA that signed it and every center's certificate, DER.
    pub ca: Vec<u8>,
    /// When the certificate was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("agent", &self.agent)
            .field("centers", &self.centers)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Why an identity cannot be read, written or made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is none: the agent has not joined a center.
    #[error("there is no identity in {}: the agent has not joined a center", data_dir.display())]
    Missing {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The file cannot be worked with.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not an identity, or one of another version.
    #[error("{} is not an identity of version {VERSION}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// A key or a request for a certificate could not be made.
    #[error("cannot make a key or a certificate request")]
    Key {
        /// What is wrong.
        #[source]
        source: rcgen::Error,
    },
}

/// The file. Bytes are base64.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    agent_id: String,
    centers: Vec<String>,
    certificate: String,
    key: String,
    ca: String,
    issued: Timestamp,
    not_after: Timestamp,
}

impl Identity {
    /// Reads the identity in a data directory.
    ///
    /// # Errors
    /// [`IdentityError::Missing`], [`IdentityError::File`] or [`IdentityError::Format`].
    pub fn load(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = data_dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(IdentityError::Missing {
                    data_dir: data_dir.to_owned(),
                });
            }
            Err(source) => return Err(IdentityError::File { path, source }),
        };
        parse(&bytes).ok_or(IdentityError::Format { path })
    }

    /// Whether a data directory has an identity.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// Writes the identity, readable by nobody else, replacing an older one as a whole. It is on the disk afterwards.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn store(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = data_dir.join(FILE);
        let in_file = |source| IdentityError::File {
            path: path.clone(),
            source,
        };
        let stored = Stored {
            version: VERSION,
            agent_id: self.agent.to_string(),
            centers: self.centers.clone(),
            certificate: base64(&self.certificate),
            key: base64(&self.key),
            ca: base64(&self.ca),
            issued: self.issued,
            not_after: self.not_after,
        };
        let bytes = serde_json::to_vec_pretty(&stored).map_err(|e| in_file(e.into()))?;
        create_data_dir(data_dir)?;
        replace(&path, &bytes).map_err(in_file)
    }

    /// When to ask for the next certificate: after two thirds of this one's life.
    #[must_use]
    pub fn renew_at(&self) -> Timestamp {
        let life =
            Duration::try_from(self.not_after.duration_since(self.issued)).unwrap_or_default();
        self.issued
            .checked_add(life * 2 / 3)
            .unwrap_or(self.not_after)
    }

    /// The chain to present.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from(self.certificate.clone())]
    }

    /// The key to sign with.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// A key and a request for its certificate.
pub(crate) struct KeyRequest {
    /// PKCS #8 DER.
    pub(crate) key: Vec<u8>,
    /// PKCS #10 DER.
    pub(crate) request: Vec<u8>,
}

impl KeyRequest {
    /// Makes a P-256 key.
    ///
    /// # Errors
    /// [`IdentityError::Key`].
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .and_then(|key| Self::of(&key))
            .map_err(|source| IdentityError::Key { source })
    }

    /// Asks for another certificate for the key of an identity: the key is what a center knows an agent by.
    ///
    /// # Errors
    /// [`IdentityError::Key`].
    pub(crate) fn renewal(identity: &Identity) -> Result<Self, IdentityError> {
        let key = PrivatePkcs8KeyDer::from(identity.key.as_slice());
        KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .and_then(|key| Self::of(&key))
            .map_err(|source| IdentityError::Key { source })
    }

    fn of(key: &KeyPair) -> Result<Self, rcgen::Error> {
        let request = CertificateParams::default().serialize_request(key)?;
        Ok(Self {
            key: key.serialize_der(),
            request: request.der().to_vec(),
        })
    }
}

/// Creates a data directory that only its owner can enter; an existing one is left as it is.
pub(crate) fn create_data_dir(data_dir: &Path) -> Result<(), IdentityError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|source| IdentityError::File {
            path: data_dir.to_owned(),
            source,
        })
}

fn parse(bytes: &[u8]) -> Option<Identity> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    if stored.version != VERSION {
        return None;
    }
    Some(Identity {
        agent: stored.agent_id.parse().ok()?,
        centers: stored.centers,
        certificate: unbase64(&stored.certificate)?,
        key: unbase64(&stored.key)?,
        ca: unbase64(&stored.ca)?,
        issued: stored.issued,
        not_after: stored.not_after,
    })
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Puts new content in place of a file: either the old or the new content is there, whatever happens.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_identity_reads_back_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("agent");
        assert!(matches!(
            Identity::load(&data_dir),
            Err(IdentityError::Missing { .. })
        ));
        let issued = Timestamp::from_second(1_800_000_000).unwrap();
        let identity = Identity {
            agent: AgentId::from_u128(7),
            centers: vec!["center:8781".to_owned()],
            certificate: vec![1, 2],
            key: KeyRequest::generate().unwrap().key,
            ca: vec![3],
            issued,
            not_after: issued + Duration::from_secs(90),
        };
        identity.store(&data_dir).unwrap();
        identity.store(&data_dir).unwrap();
        let read = Identity::load(&data_dir).unwrap();
        assert_eq!(
            (read.agent, &read.key, &read.ca),
            (identity.agent, &identity.key, &identity.ca)
        );
        assert_eq!(read.renew_at(), issued + Duration::from_secs(60));
        let mode = fs::metadata(data_dir.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(
            !format!("{read:?}").contains("key"),
            "keys stay out of logs"
        );
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", "{}", "{\"version\": 2}"] {
            fs::write(dir.path().join(FILE), bad).unwrap();
            assert!(
                matches!(
                    Identity::load(dir.path()),
                    Err(IdentityError::Format { .. })
                ),
                "{bad}"
            );
        }
    }
}
