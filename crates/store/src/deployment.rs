//! What all centers of a deployment have in common, recorded by the first of them: a center with another certificate authority
//! or another master key would break what the others have made.

use crate::again::transaction;
use crate::error::StoreError;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// A fact that all centers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedFact {
    /// SHA-256 of the certificate authority's certificate, hex.
    CertificateAuthority,
    /// Id of the master key that seals secrets.
    MasterKey,
}

impl SharedFact {
    const fn word(self) -> &'static str {
        match self {
            Self::CertificateAuthority => "ca_sha256",
            Self::MasterKey => "master_key_id",
        }
    }
}

impl Store {
    /// A shared fact; `None` before the first center has recorded it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn shared_fact(&self, fact: SharedFact) -> Result<Option<String>, StoreError> {
        Sql::new("SELECT fact FROM deployment WHERE name = ?")
            .bind(fact.word())
            .one(self.reader(), Row::next)
            .await
    }

    /// Records a shared fact unless there is one; answers the one in force.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settle_shared_fact(
        &self,
        fact: SharedFact,
        ours: &str,
    ) -> Result<String, StoreError> {
        transaction!({
            if let Some(recorded) = self.shared_fact(fact).await? {
                return Ok(recorded);
            }
            let tx = self.begin().await?;
            Sql::new("INSERT INTO deployment (name, fact) VALUES (?, ?)")
                .bind(fact.word())
                .bind(ours)
                .text(&tx.engine.or_ignore("name"))
                .execute(&*tx)
                .await?;
            tx.commit().await?;
            Ok(self
                .shared_fact(fact)
                .await?
                .unwrap_or_else(|| ours.to_owned()))
        })
    }

    /// Puts another value in place of a shared fact.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn replace_shared_fact(
        &self,
        fact: SharedFact,
        ours: &str,
    ) -> Result<(), StoreError> {
        transaction!({
            let tx = self.begin().await?;
            Sql::new("UPDATE deployment SET fact = ? WHERE name = ?")
                .bind(ours)
                .bind(fact.word())
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }
}
