//! `cronfleet agent policy`: what the policy of this machine says. Asks nobody: neither the agent nor the center.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cronfleet_agent::policy::{Asked, InForce, PolicyError, PolicySource, Question, gather};
use cronfleet_core::policy::{Decision, Finding, decide, judge};
use serde_json::json;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// What the policy of this machine says.
#[derive(Subcommand)]
pub(crate) enum Policy {
    /// Show the policy in force, defaults included, as a policy file
    Show(Which),
    /// Say whether a start would be allowed, rule by rule; exit status 3 if it would not
    Check(Box<Check>),
}

/// Which policy.
#[derive(Args)]
pub(crate) struct Which {
    /// Policy file [default: /etc/cronfleet/agent-policy.toml; built-in rules that deny root without it]
    #[arg(long, env = "CRONFLEET_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// A start.
#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    which: Which,
    /// User that it would run as
    #[arg(long, short, value_name = "NAME")]
    user: String,
    /// Working directory [default: the home of the user]
    #[arg(long, short, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Name of a variable that the job sets, or NAME=VALUE; can be repeated
    #[arg(long, short, value_name = "NAME")]
    env: Vec<String>,
    /// The words are the interpreter of a script text that the center sends
    #[arg(long)]
    script: bool,
    /// The job asks to gain privileges by programs such as sudo
    #[arg(long)]
    privileges: bool,
    /// Program and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Policy {
    /// Does it.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        match self {
            Self::Show(which) => show(&which, screen),
            Self::Check(check) => check.run(screen),
        }
    }
}

impl Which {
    fn read(&self) -> Result<InForce, Failure> {
        let source = match &self.policy {
            Some(path) => PolicySource::Required(std::path::absolute(path).map_err(|source| {
                Failure::File {
                    doing: "find",
                    path: path.clone(),
                    source,
                }
            })?),
            None => PolicySource::default(),
        };
        source.read().map_err(refused)
    }
}

fn refused(error: PolicyError) -> Failure {
    Failure::Agent(Box::new(error.into()))
}

fn show(which: &Which, screen: &mut Screen) -> Result<(), Failure> {
    let in_force = which.read()?;
    if screen.is_json() {
        return screen.json(&json!({
            "file": in_force.file,
            "digest": in_force.digest,
            "policy": in_force.render(),
        }));
    }
    screen.line(format_args!("# {}", origin(&in_force)))?;
    screen.line(format_args!("# sha256 {}", in_force.digest))?;
    screen.line(in_force.render().trim_end())
}

fn origin(in_force: &InForce) -> String {
    match &in_force.file {
        Some(file) => file.display().to_string(),
        None => "the built-in policy: there is no policy file".to_owned(),
    }
}

impl Check {
    fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let in_force = self.which.read()?;
        let names = self
            .env
            .iter()
            .map(|word| word.split('=').next().unwrap_or_default());
        let question = Question {
            user: &self.user,
            words: &self.command,
            is_script: self.script,
            directory: self.directory.as_deref(),
            environment: names.map(str::to_owned).collect(),
            gains_privileges: self.privileges,
        };
        let asked = Asked::of(&question).map_err(|error| Failure::Input {
            field: "--user".to_owned(),
            message: error.to_string(),
            hint: "name a user of this machine".to_owned(),
        })?;
        let (request, _) = gather(&in_force, asked);
        let findings = judge(&in_force.policy, &request);
        let decision = decide(&in_force.policy, &request);
        if screen.is_json() {
            screen.json(&json!({
                "file": in_force.file,
                "digest": in_force.digest,
                "is_allowed": decision == Decision::Allowed,
                "rules": findings.iter().map(finding_json).collect::<Vec<_>>(),
            }))?;
        } else {
            let rows = findings.iter().map(row).collect();
            screen.line(format_args!("# {}", origin(&in_force)))?;
            screen.table(&["RULE", "SAYS", "WHY"], rows, "no rules")?;
        }
        match decision {
            Decision::Allowed => {
                screen.note("allowed");
                Ok(())
            }
            Decision::Denied(denial) => {
                screen.flush()?;
                screen.note(format_args!("denied by {}", denial.detail));
                Err(Failure::PolicyDenied {
                    detail: denial.detail,
                })
            }
        }
    }
}

fn finding_json(finding: &Finding) -> serde_json::Value {
    json!({
        "rule": finding.rule.key(),
        "is_denied": finding.is_denied,
        "detail": finding.detail,
    })
}

fn row(finding: &Finding) -> Vec<String> {
    let says = if finding.is_denied { "DENY" } else { "ok" };
    vec![
        finding.rule.key().to_owned(),
        says.to_owned(),
        shown::plain(&finding.detail),
    ]
}
