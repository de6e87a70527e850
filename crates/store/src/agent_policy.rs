//! What agents tell about the policies of their machines. The center only keeps it for people to see: it cannot change any.

use cronfleet_core::policy::ExecMode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::again::transaction;
use crate::agent_session::Session;
use crate::error::{Conflict, StoreError};
use crate::sql::Sql;
use crate::store::Store;

/// Most characters of one text, and most names of a list, that are kept.
const TEXT_MAX: usize = 500;
const NAMES_MAX: usize = 100;

/// The policy of a machine and what it has refused, as its agent told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPolicy {
    /// The file it comes from; absent for the built-in policy.
    pub file: Option<String>,
    /// SHA-256 of the file in hex.
    pub digest: String,
    /// When the agent read it.
    pub read_at: Timestamp,
    /// Why a newer file was refused.
    pub reload_error: Option<String>,
    /// Whether root is out of the question.
    pub is_root_denied: bool,
    /// Smallest uid.
    pub min_uid: u32,
    /// Users that may be used; `*` stands for any text.
    pub run_as_allow: Vec<String>,
    /// How programs are bounded.
    pub exec_mode: ExecMode,
    /// Whether shells may run.
    pub are_shells_allowed: bool,
    /// Whether script texts may run.
    pub are_scripts_allowed: bool,
    /// Starts refused since the agent started.
    pub refused_count: u64,
    /// When it refused one last.
    pub last_refused_at: Option<Timestamp>,
    /// Why.
    pub last_refusal: Option<String>,
}

/// The same as JSON; a row of a later version may say more.
#[derive(Serialize, Deserialize)]
struct Stored {
    file: Option<String>,
    digest: String,
    read_at: Timestamp,
    reload_error: Option<String>,
    is_root_denied: bool,
    min_uid: u32,
    run_as_allow: Vec<String>,
    exec_mode: String,
    are_shells_allowed: bool,
    are_scripts_allowed: bool,
    refused_count: u64,
    last_refused_at: Option<Timestamp>,
    last_refusal: Option<String>,
}

impl Store {
    /// Keeps what an agent says about its policy, in place of what it said before.
    ///
    /// # Errors
    /// [`Conflict::StaleSession`] if the agent has a newer session.
    pub async fn put_policy(
        &self,
        session: &Session,
        policy: &AgentPolicy,
    ) -> Result<(), StoreError> {
        transaction!({
            let report = policy.to_json()?;
            let tx = self.begin().await?;
            let is_newest = Sql::new("SELECT 1 FROM agents WHERE id = ? AND session_epoch = ?")
                .bind(session.agent)
                .bind(session.epoch)
                .text(tx.engine.for_update())
                .exists(&*tx)
                .await?;
            if !is_newest {
                return Err(Conflict::StaleSession.into());
            }
            Sql::new("INSERT INTO agent_policies (agent_id, report) VALUES (?, ?)")
                .bind(session.agent)
                .bind(report.as_str())
                .text(&tx.engine.or_update("agent_id", &["report"]))
                .execute(&*tx)
                .await?;
            tx.commit().await
        })
    }
}

impl AgentPolicy {
    fn to_json(&self) -> Result<String, StoreError> {
        let stored = Stored {
            file: self.file.as_deref().map(cut),
            digest: cut(&self.digest),
            read_at: self.read_at,
            reload_error: self.reload_error.as_deref().map(cut),
            is_root_denied: self.is_root_denied,
            min_uid: self.min_uid,
            run_as_allow: self
                .run_as_allow
                .iter()
                .take(NAMES_MAX)
                .map(|name| cut(name))
                .collect(),
            exec_mode: self.exec_mode.word().to_owned(),
            are_shells_allowed: self.are_shells_allowed,
            are_scripts_allowed: self.are_scripts_allowed,
            refused_count: self.refused_count,
            last_refused_at: self.last_refused_at,
            last_refusal: self.last_refusal.as_deref().map(cut),
        };
        serde_json::to_string(&stored).map_err(|error| StoreError::corrupt("policy", error))
    }

    /// Reads what [`Store::put_policy`] wrote.
    pub(crate) fn from_json(text: &str) -> Result<Self, StoreError> {
        let stored: Stored =
            serde_json::from_str(text).map_err(|error| StoreError::corrupt("policy", error))?;
        let exec_mode = ExecMode::from_word(&stored.exec_mode)
            .ok_or_else(|| StoreError::corrupt("policy", stored.exec_mode.clone()))?;
        Ok(Self {
            file: stored.file,
            digest: stored.digest,
            read_at: stored.read_at,
            reload_error: stored.reload_error,
            is_root_denied: stored.is_root_denied,
            min_uid: stored.min_uid,
            run_as_allow: stored.run_as_allow,
            exec_mode,
            are_shells_allowed: stored.are_shells_allowed,
            are_scripts_allowed: stored.are_scripts_allowed,
            refused_count: stored.refused_count,
            last_refused_at: stored.last_refused_at,
            last_refusal: stored.last_refusal,
        })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}
