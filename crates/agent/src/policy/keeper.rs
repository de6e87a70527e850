//! The policy in force, and what it has refused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cronfleet_wire::v1;
use jiff::Timestamp;
use tokio::sync::watch;

use super::source::{InForce, PolicyError, PolicySource};
use crate::error::chain;
use crate::status::PolicyStatus;

/// Holds the policy of an agent. Shared by everything in it that has to do with policy.
#[derive(Debug)]
pub(crate) struct PolicyKeeper {
    source: PolicySource,
    state: Mutex<State>,
    /// Counts the policies that were in force.
    versions: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    in_force: Arc<InForce>,
    read_at: Timestamp,
    /// Why the last attempt to read it again failed.
    reload_error: Option<String>,
    refusals: Refusals,
}

/// What the policy has refused since the agent started.
#[derive(Debug, Default)]
struct Refusals {
    /// How many starts.
    count: u64,
    /// When it refused one last.
    last_at: Option<Timestamp>,
    /// Why.
    last_detail: Option<String>,
}

impl PolicyKeeper {
    /// Reads the policy for the first time.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub(crate) fn open(source: PolicySource) -> Result<Self, PolicyError> {
        let in_force = source.read()?;
        match &in_force.file {
            Some(file) => {
                tracing::info!(policy.file = %file.display(), policy.digest = in_force.digest, "policy read")
            }
            None => tracing::info!(
                policy.missing_file = %source.path().display(),
                "there is no policy file: the built-in policy holds, which denies root"
            ),
        }
        Ok(Self {
            source,
            state: Mutex::new(State {
                in_force: Arc::new(in_force),
                read_at: Timestamp::now(),
                reload_error: None,
                refusals: Refusals::default(),
            }),
            versions: watch::channel(0).0,
        })
    }

    /// The policy that holds now.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.state().in_force)
    }

    /// Follows changes: the value grows with every policy that comes into force.
    pub(crate) fn versions(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// Reads the policy again. One that cannot be used changes nothing, and that it could not is kept for everybody to see. A
    /// file that has disappeared counts as such: a policy does not go away by accident. Blocking.
    pub(crate) fn reload(&self) {
        let had_file = self.in_force().file.is_some();
        let source = match &self.source {
            PolicySource::IfPresent(path) if had_file => PolicySource::Required(path.clone()),
            source => source.clone(),
        };
        let read = source.read();
        let mut state = self.state();
        match read {
            Ok(in_force) => {
                tracing::info!(policy.digest = in_force.digest, "policy read again");
                state.in_force = Arc::new(in_force);
                state.read_at = Timestamp::now();
                state.reload_error = None;
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(
                    error,
                    "THE NEW POLICY IS REFUSED; the old one stays in force"
                );
                state.reload_error = Some(error);
            }
        }
        drop(state);
        self.versions.send_modify(|version| *version += 1);
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, detail: &str) {
        let mut state = self.state();
        state.refusals.count += 1;
        state.refusals.last_at = Some(Timestamp::now());
        state.refusals.last_detail = Some(detail.to_owned());
    }

    /// What is shown on this machine.
    pub(crate) fn status(&self) -> PolicyStatus {
        let state = self.state();
        PolicyStatus {
            file: state.in_force.file.clone(),
            digest: state.in_force.digest.clone(),
            read_at: state.read_at,
            reload_error: state.reload_error.clone(),
            refused_count: state.refusals.count,
            last_refused_at: state.refusals.last_at,
            last_refusal: state.refusals.last_detail.clone(),
        }
    }

    /// What the center is told.
    pub(crate) fn report(&self) -> v1::PolicyReport {
        let state = self.state();
        let InForce {
            policy,
            file,
            digest,
            ..
        } = state.in_force.as_ref();
        v1::PolicyReport {
            file: file.as_ref().map(|file| file.display().to_string()),
            digest: digest.clone(),
            read_at_us: state.read_at.as_microsecond(),
            reload_error: state.reload_error.clone(),
            is_root_denied: policy.run_as.is_root_denied,
            min_uid: policy.run_as.min_uid,
            run_as_allow: policy
                .run_as
                .allow
                .iter()
                .map(ToString::to_string)
                .collect(),
            exec_mode: policy.exec.mode.word().to_owned(),
            are_shells_allowed: policy.exec.are_shells_allowed,
            are_scripts_allowed: policy.exec.are_scripts_allowed,
            refused_count: state.refusals.count,
            last_refused_at_us: state.refusals.last_at.map(Timestamp::as_microsecond),
            last_refusal: state.refusals.last_detail.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
