//! Files that all centers of a deployment share: the certificate authority and the master key. They are compared with what the
//! first center has recorded in the database and never sent from center to center.

use std::path::{Path, PathBuf};

use cronfleet_store::{SharedFact, Store, StoreError};
use cronfleet_wire::identity::hex;
use jiff::Timestamp;

use crate::pki::{Pki, PkiError};

/// The certificate authority is not the deployment's.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// This center has none, but the deployment has.
    #[error(
        "{} has no certificate authority, but this deployment has one that its agents trust: copy ca.key and ca.crt \
         from the pki directory of another center, or from the backup", dir.display()
    )]
    Missing {
        /// Where it belongs.
        dir: PathBuf,
    },
    /// This center has another one.
    #[error(
        "the certificate authority in {} is not the one of this deployment (its fingerprint is {ours}, recorded is \
         {recorded}): agents would not trust it; copy ca.key and ca.crt from the pki directory of another center", dir.display()
    )]
    Other {
        /// Where it is.
        dir: PathBuf,
        /// Its fingerprint, SHA-256 in hex.
        ours: String,
        /// The deployment's.
        recorded: String,
    },
    /// It cannot be used.
    #[error("cannot use the certificate authority")]
    Pki(#[from] PkiError),
    /// The database cannot be asked.
    #[error("cannot compare the certificate authority with the database")]
    Store(#[from] StoreError),
}

/// Opens the certificate authority below `dir`; the first center of a deployment makes it.
///
/// # Errors
/// [`AuthorityError`]. Nothing is made where there should have been something.
pub(crate) async fn open_authority(
    store: &Store,
    dir: &Path,
    now: Timestamp,
) -> Result<Pki, AuthorityError> {
    let recorded = store.shared_fact(SharedFact::CertificateAuthority).await?;
    let is_here = dir.join("ca.key").exists() && dir.join("ca.crt").exists();
    if recorded.is_some() && !is_here {
        return Err(AuthorityError::Missing {
            dir: dir.to_owned(),
        });
    }
    let pki = Pki::open(dir, now)?;
    let ours = hex(&pki.ca_sha256());
    let recorded = store
        .settle_shared_fact(SharedFact::CertificateAuthority, &ours)
        .await?;
    if recorded == ours {
        Ok(pki)
    } else {
        Err(AuthorityError::Other {
            dir: dir.to_owned(),
            ours,
            recorded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::Mint;
    use crate::seal::{SealError, Sealer};

    #[tokio::test]
    async fn a_center_without_the_deployments_files_or_with_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&dir.path().join("center.db"))
            .await
            .unwrap();
        let (first, second) = (dir.path().join("first"), dir.path().join("second"));
        let now = Timestamp::now();
        let pki = open_authority(&store, &first, now).await.unwrap();
        let again = open_authority(&store, &first, now).await.unwrap();
        assert_eq!(pki.ca_sha256(), again.ca_sha256());

        let missing = open_authority(&store, &second, now).await.map(drop);
        assert!(
            matches!(missing, Err(AuthorityError::Missing { .. })),
            "{missing:?}"
        );
        assert!(!second.join("ca.key").exists(), "none was made");
        Pki::open(&second, now).unwrap();
        let other = open_authority(&store, &second, now).await.map(drop);
        assert!(
            matches!(other, Err(AuthorityError::Other { .. })),
            "{other:?}"
        );
        for file in ["ca.key", "ca.crt"] {
            std::fs::copy(first.join(file), second.join(file)).unwrap();
        }
        open_authority(&store, &second, now).await.unwrap();
    }

    #[tokio::test]
    async fn a_master_key_is_recorded_and_no_new_one_is_made_beside_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&dir.path().join("center.db"))
            .await
            .unwrap();
        let mint = Mint::from_seed(1);
        let now = Timestamp::now();
        Sealer::open(dir.path(), None, &store, &mint, now)
            .await
            .unwrap();
        let recorded = store.shared_fact(SharedFact::MasterKey).await.unwrap();
        std::fs::remove_file(dir.path().join("master.key")).unwrap();
        // Nothing was sealed with it, and no other center can have it.
        Sealer::open(dir.path(), None, &store, &mint, now)
            .await
            .unwrap();
        let anew = store.shared_fact(SharedFact::MasterKey).await.unwrap();
        assert_ne!(recorded, anew);

        let group = cronfleet_store::NewGroup {
            id: cronfleet_core::id::GroupId::from_u128(1),
            name: "g".to_owned(),
            description: String::new(),
            run_as: vec![],
            agents: vec![],
        };
        store.create_group(&group, now).await.unwrap();
        let user = cronfleet_core::id::UserId::from_u128(1);
        let sealed = cronfleet_store::Sealed {
            key_id: anew.unwrap(),
            bytes: vec![1],
        };
        store
            .put_secret(group.id, "s", &sealed, user, now)
            .await
            .unwrap();
        std::fs::remove_file(dir.path().join("master.key")).unwrap();
        let refused = Sealer::open(dir.path(), None, &store, &mint, now).await;
        assert!(
            matches!(refused, Err(SealError::Missing { .. })),
            "{refused:?}"
        );
        assert!(!dir.path().join("master.key").exists());
    }
}
