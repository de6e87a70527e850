//! Examining a machine: whether an agent can do all of its work there.
//!
//! Every check looks and changes nothing, and says what to do where something is amiss. It works with and without a running
//! agent; with one it asks the agent itself.

mod agent;
mod machine;

use std::path::PathBuf;

use crate::policy::PolicySource;
use crate::status::Status;

/// What to examine.
#[derive(Debug, Clone)]
pub struct Checkup {
    /// The agent's data directory.
    pub data_dir: PathBuf,
    /// Its runtime directory.
    pub runtime_dir: PathBuf,
    /// A policy to examine; when absent the one that the running agent works by, or else the usual one.
    pub policy: Option<PolicySource>,
    /// Path of the shim, if it was found.
    pub shim: Option<PathBuf>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// Something will not work.
    Fail,
}

impl Verdict {
    /// The word for people and programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a stable word.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do, unless all is well.
    pub advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    fn warn(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(check, detail)
        }
    }

    fn fail(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(check, detail, advice)
        }
    }
}

/// Examines the machine. Blocking, for as long as directory services and the agent take to answer.
#[must_use]
pub fn examine(checkup: &Checkup) -> Vec<Finding> {
    let status = Status::ask(&checkup.runtime_dir);
    let running = status.as_ref().ok();
    let mut findings = vec![agent::running(&status), agent::identity(checkup)];
    findings.extend(running.into_iter().flat_map(agent::from_status));
    findings.extend(agent::policy(checkup, running));
    findings.push(agent::shim(checkup));
    findings.push(machine::rights());
    findings.extend(machine::cgroups(running, &checkup.runtime_dir));
    findings.push(machine::open_files(running));
    findings.extend(machine::space(&checkup.data_dir));
    findings.push(machine::memory_folder(&checkup.runtime_dir));
    findings
}
