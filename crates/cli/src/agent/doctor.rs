//! `cronfleet agent doctor`: whether an agent can do all of its work on this machine, and what to do where it cannot.

use std::path::PathBuf;

use clap::Args;
use cronfleet_agent::doctor::{Checkup, Finding, Verdict, examine};
use cronfleet_agent::policy::PolicySource;
use serde_json::json;

use super::status;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::server::{absolute, find_shim};
use crate::shown;

/// What to examine.
#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    which: status::Which,
    /// Policy file to examine [default: the one that the running agent works by, else /etc/cronfleet/agent-policy.toml]
    #[arg(long, env = "CRONFLEET_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The program cronfleet-shim [default: beside cronfleet, or in ../lib/cronfleet]
    #[arg(long, env = "CRONFLEET_SHIM", value_name = "FILE")]
    shim: Option<PathBuf>,
}

impl Doctor {
    /// Examines and shows; fails if something does.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let (data_dir, runtime_dir) = self.which.places()?;
        let policy = match &self.policy {
            Some(path) => Some(PolicySource::Required(absolute(path)?)),
            None => None,
        };
        let findings = examine(&Checkup {
            data_dir,
            runtime_dir,
            policy,
            shim: find_shim(self.shim).ok(),
        });
        if screen.is_json() {
            screen.json(&findings.iter().map(to_json).collect::<Vec<_>>())?;
        } else {
            for finding in &findings {
                show(finding, screen)?;
            }
        }
        let count = findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Fail)
            .count();
        if count == 0 {
            return Ok(());
        }
        screen.flush()?;
        screen.note(format_args!("{count} checks failed"));
        Err(Failure::Unhealthy { count })
    }
}

fn show(finding: &Finding, screen: &mut Screen) -> Result<(), Failure> {
    let (verdict, check) = (finding.verdict.word(), finding.check);
    screen.line(format_args!(
        "{verdict:<5} {check:<9} {}",
        shown::plain(&finding.detail)
    ))?;
    match &finding.advice {
        Some(advice) => screen.line(format_args!("{:16}{}", "", shown::plain(advice))),
        None => Ok(()),
    }
}

fn to_json(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.check,
        "verdict": finding.verdict.word(),
        "detail": finding.detail,
        "advice": finding.advice,
    })
}
