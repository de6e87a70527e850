//! Sealing secrets: XChaCha20-Poly1305 with a master key that is in a file of its own, never in the database.
//!
//! A sealed value is 24 bytes of nonce and the ciphertext with its tag. The place of a value (table, row, field) is sealed in with
//! it, so a value that was moved to another row does not open.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use cronfleet_core::id::GroupId;
use cronfleet_store::{Sealed, SharedFact, Store, StoreError};
use cronfleet_wire::identity::hex;
use cronfleet_wire::secret::Secret;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::mint::Mint;

/// File of the master key in the data directory.
const KEY_FILE: &str = "master.key";
/// Name of the systemd credential that holds the key, if the service was given one.
const CREDENTIAL: &str = "cronfleet-master-key";
/// Bytes of a key.
const KEY_LEN: usize = 32;
/// Bytes of a nonce.
const NONCE_LEN: usize = 24;
/// Sealed with each key at its first use.
const CHECK_TEXT: &[u8] = b"cronfleet: this key opens what it sealed";
const CHECK_PLACE: &str = "key_checks|sealed";

/// Secrets cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key's file cannot be read or made.
    #[error("cannot read or make the master key {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key's file is open to others.
    #[error("the master key {path} is readable by others (mode {mode:o}); make it 0400")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file's content is no key.
    #[error("{path} holds no master key: 64 hexadecimal digits")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// There are secrets that this key did not seal.
    #[error(
        "the database has secrets that the master key {path} did not seal; restore the right key"
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// The deployment has a key, but this center does not.
    #[error(
        "there is no master key {path}, but this deployment has one: copy it from another center, or from its backup"
    )]
    Missing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The other centers have another key.
    #[error("the master key {path} is not the one of this deployment: copy that of another center")]
    NotShared {
        /// The file.
        path: PathBuf,
    },
    /// The self-test at the start failed: what was stored is not sealed, or does not open.
    #[error("the self-test of sealed secrets failed: {why}")]
    SelfTest {
        /// How.
        why: &'static str,
    },
    /// A stored value does not open: it was changed, moved, or sealed with another key.
    #[error("a sealed value does not open")]
    Broken,
    /// The database cannot be used.
    #[error("cannot use the database")]
    Store(#[from] StoreError),
}

/// The master key, ready to seal and to open.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: String,
    mint: Mint,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", self.key_id)
    }
}

/// Where a secret's value stands.
pub(crate) fn place(group: GroupId, name: &str) -> String {
    format!("secrets|{group}/{name}|sealed")
}

impl Sealer {
    /// Loads the master key and tests it against the database: what a key seals must not be readable in the raw row, and must
    /// open again. The key is in `key_file` if that is given, else in the systemd credential `cronfleet-master-key` if the
    /// service has one, else in `master.key` in the data directory, where it is made at the first start.
    ///
    /// # Errors
    /// [`SealError`]. A key that does not fit the database is never replaced.
    pub async fn open(
        data_dir: &Path,
        key_file: Option<&Path>,
        store: &Store,
        mint: &Mint,
        now: Timestamp,
    ) -> Result<Self, SealError> {
        let path = match (key_file, credential()) {
            (Some(path), _) => path.to_owned(),
            (None, Some(path)) => path,
            (None, None) => {
                let path = data_dir.join(KEY_FILE);
                if !path.exists() {
                    let is_elsewhere = store.shared_fact(SharedFact::MasterKey).await?.is_some()
                        && (store.engine().is_shared()
                            || store.has_secrets_of_other_keys("").await?);
                    if is_elsewhere {
                        return Err(SealError::Missing { path });
                    }
                    make(&path, mint)?;
                }
                path
            }
        };
        let sealer = Self::new(&*read(&path)?, mint.clone());
        if store.has_secrets_of_other_keys(&sealer.key_id).await? {
            return Err(SealError::OtherKey { path });
        }
        let recorded = store
            .settle_shared_fact(SharedFact::MasterKey, &sealer.key_id)
            .await?;
        if recorded != sealer.key_id {
            if store.engine().is_shared() {
                return Err(SealError::NotShared { path });
            }
            store
                .replace_shared_fact(SharedFact::MasterKey, &sealer.key_id)
                .await?;
        }
        sealer.test(store, now).await?;
        Ok(sealer)
    }

    /// A sealer with this key.
    pub fn new(key: &[u8; KEY_LEN], mint: Mint) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"cronfleet master key id");
        hash.update(key);
        Self {
            cipher: XChaCha20Poly1305::new(&Key::from(*key)),
            key_id: hex(&hash.finalize()[..8]),
            mint,
        }
    }

    async fn test(&self, store: &Store, now: Timestamp) -> Result<(), SealError> {
        if store.key_check(&self.key_id).await?.is_none() {
            let sealed = self.seal(CHECK_PLACE, CHECK_TEXT)?;
            store.put_key_check(&sealed, now).await?;
        }
        let failed = |why| SealError::SelfTest { why };
        let raw = store.key_check(&self.key_id).await?;
        let raw = raw.ok_or(failed("what was stored is not there"))?;
        if raw
            .windows(8)
            .any(|part| CHECK_TEXT.windows(8).any(|text| text == part))
        {
            return Err(failed("the database holds the text itself"));
        }
        let sealed = Sealed {
            key_id: self.key_id.clone(),
            bytes: raw,
        };
        match self.open_sealed(CHECK_PLACE, &sealed) {
            Ok(text) if text.expose() == CHECK_TEXT => Ok(()),
            Ok(_) | Err(_) => Err(failed("what was sealed does not open")),
        }
    }

    /// Seals a value for a place.
    ///
    /// # Errors
    /// [`SealError::Broken`] if it is longer than the cipher can take, hundreds of gigabytes.
    pub(crate) fn seal(&self, place: &str, value: &[u8]) -> Result<Sealed, SealError> {
        let mut bytes = self.mint.secret()[..NONCE_LEN].to_vec();
        let payload = Payload {
            msg: value,
            aad: place.as_bytes(),
        };
        let nonce = nonce(&bytes).ok_or(SealError::Broken)?;
        let sealed = self.cipher.encrypt(&nonce, payload);
        bytes.extend(sealed.map_err(|_| SealError::Broken)?);
        Ok(Sealed {
            key_id: self.key_id.clone(),
            bytes,
        })
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`SealError::Broken`].
    pub(crate) fn open_sealed(&self, place: &str, sealed: &Sealed) -> Result<Secret, SealError> {
        if sealed.key_id != self.key_id {
            return Err(SealError::Broken);
        }
        let nonce = nonce(&sealed.bytes).ok_or(SealError::Broken)?;
        let payload = Payload {
            msg: &sealed.bytes[NONCE_LEN..],
            aad: place.as_bytes(),
        };
        let value = self.cipher.decrypt(&nonce, payload);
        value.map(Secret::new).map_err(|_| SealError::Broken)
    }
}

fn nonce(sealed: &[u8]) -> Option<XNonce> {
    sealed
        .first_chunk::<NONCE_LEN>()
        .map(|nonce| XNonce::from(*nonce))
}

/// The key's file that systemd gave the service, if it did.
fn credential() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.exists().then_some(path)
}

fn make(path: &Path, mint: &Mint) -> Result<(), SealError> {
    let fail = |source| SealError::File {
        path: path.to_owned(),
        source,
    };
    let key = Zeroizing::new(mint.secret());
    let text = Zeroizing::new(format!("{}\n", hex(&*key)));
    // Complete or not there: a key that is cut short would look like a wrong one.
    let unfinished = path.with_extension("key.new");
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o400)
        .open(&unfinished)
        .map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    fs::rename(&unfinished, path).map_err(fail)
}

fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_LEN]>, SealError> {
    let fail = |source| SealError::File {
        path: path.to_owned(),
        source,
    };
    let mode = fs::metadata(path).map_err(fail)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SealError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = Zeroizing::new(fs::read(path).map_err(fail)?);
    key_of(&text).ok_or_else(|| SealError::Damaged {
        path: path.to_owned(),
    })
}

/// Reads 64 hexadecimal digits.
fn key_of(text: &[u8]) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let digits = text.trim_ascii();
    if digits.len() != 2 * KEY_LEN {
        return None;
    }
    let mut key = Zeroizing::new([0; KEY_LEN]);
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(seed: u64) -> Sealer {
        let mint = Mint::from_seed(seed);
        Sealer::new(&mint.secret(), mint)
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place_and_with_its_key() {
        let (ours, other) = (sealer(1), sealer(2));
        let group = GroupId::from_u128(1);
        let here = place(group, "db");
        let sealed = ours.seal(&here, b"correct horse").unwrap();
        assert!(!sealed.bytes.windows(7).any(|part| part == b"correct"));
        assert_eq!(
            ours.open_sealed(&here, &sealed).unwrap().expose(),
            b"correct horse"
        );
        assert!(ours.open_sealed(&place(group, "other"), &sealed).is_err());
        let elsewhere = place(GroupId::from_u128(2), "db");
        assert!(ours.open_sealed(&elsewhere, &sealed).is_err());
        assert!(other.open_sealed(&here, &sealed).is_err());
        for index in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[index] ^= 1;
            assert!(ours.open_sealed(&here, &changed).is_err(), "byte {index}");
        }
        assert_ne!(
            ours.seal(&here, b"x").unwrap(),
            ours.seal(&here, b"x").unwrap()
        );
    }

    #[test]
    fn keys_are_made_once_and_must_be_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        make(&path, &Mint::from_seed(1)).unwrap();
        let mode = fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o400);
        let key = read(&path).unwrap();
        assert_eq!(*key, *read(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            read(&path),
            Err(SealError::Exposed { mode: 0o640, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(read(&path), Err(SealError::Damaged { .. })));
    }
}
