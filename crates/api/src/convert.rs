//! Definitions of jobs between the shapes of the REST interface and those of the domain, and the words that both share.

mod daemon;

use std::time::Duration;

use cronfleet_core::access;
use cronfleet_core::backoff::Backoff;
use cronfleet_core::job as domain;
use cronfleet_core::job::SpecError;
use cronfleet_core::retry::{self as domain_retry, Failure};
use cronfleet_core::run as domain_run;
use cronfleet_core::schedule::ActiveSpan;
use cronfleet_core::secret as domain_secret;
use cronfleet_core::spread::Spread;

use crate::calendar::{CalendarRule, calendar_choice};
use crate::group::Role;
use crate::job::{
    Command, JobKind, JobSpec, OutputMode, OutputPolicy, RetryPolicy, ScheduledSpec, Script,
    StopPolicy, WhenFull,
};
use crate::overlap::{self, overlap};
use crate::run::{Cause, Outcome, RunState};
use crate::secret::{SecretAs, SecretUse};
use crate::target::{check_daemon_target, shown_target, spread, target};

/// File mode mask of a job that names none.
const UMASK_DEFAULT: u32 = 0o022;

/// The definition that a request asks for, with defaults filled in and every rule of [`domain::validate`] checked.
///
/// # Errors
/// The first rule that is broken; its field is a path inside the definition, such as `scheduled.timeout_ms`.
pub fn job_spec(spec: JobSpec, default_time_zone: &str) -> Result<domain::JobSpec, SpecError> {
    let kind = match (spec.scheduled, spec.daemon) {
        (Some(scheduled), None) => {
            let spread = spread(&spec.target)?;
            let scheduled = scheduled_spec(scheduled, spread, default_time_zone)?;
            domain::JobKind::Scheduled(Box::new(scheduled))
        }
        (None, Some(daemon)) => {
            check_daemon_target(&spec.target)?;
            domain::JobKind::Daemon(Box::new(daemon::daemon_spec(daemon)?))
        }
        (Some(_), Some(_)) => {
            return Err(refused(
                "daemon",
                "job.two_kinds",
                "both scheduled and daemon are given",
                "give exactly one",
            ));
        }
        (None, None) => {
            return Err(refused(
                "scheduled",
                "job.no_kind",
                "neither scheduled nor daemon is given",
                "give exactly one",
            ));
        }
    };
    let spec = domain::JobSpec {
        name: spec.name,
        description: spec.description,
        kind,
        launch: domain::Launch {
            command: command(spec.command)?,
            run_as: spec.run_as,
            directory: spec.directory,
            environment: spec.environment,
            umask: umask(spec.umask.as_deref())?,
            secrets: spec.secrets.into_iter().map(secret_use).collect(),
            output: domain::OutputPolicy {
                is_stored: spec.output.mode == OutputMode::Store,
                cap_bytes: spec.output.cap_bytes,
                when_full: match spec.output.when_full {
                    WhenFull::Drop => domain::WhenFull::Drop,
                    WhenFull::Block => domain::WhenFull::Block {
                        wait_max: Duration::from_millis(spec.output.block_max_ms),
                    },
                },
            },
            stop: domain::StopPolicy {
                signal: signal(&spec.stop.signal)?,
                grace: Duration::from_millis(spec.stop.grace_ms),
            },
            stragglers: spec.stragglers.into(),
            limits: spec.limits.into(),
        },
        target: target(&spec.target)?,
        processes: spec.processes,
    };
    domain::validate(&spec)?;
    Ok(spec)
}

fn scheduled_spec(
    spec: ScheduledSpec,
    spread: Spread,
    default_time_zone: &str,
) -> Result<domain::ScheduledSpec, SpecError> {
    let overlap = overlap(spec.overlap, spec.queue_max)?;
    Ok(domain::ScheduledSpec {
        expression: spec.expression,
        time_zone: spec
            .time_zone
            .unwrap_or_else(|| default_time_zone.to_owned()),
        dst: spec.dst.into(),
        active: ActiveSpan {
            from: spec.active_from,
            until: spec.active_until,
        },
        calendar: spec.calendar.map(calendar_choice).transpose()?,
        spread,
        overlap,
        jitter: Duration::from_millis(spec.jitter_ms),
        start_deadline: spec
            .start_deadline_ms
            .map_or(overlap.start_deadline_default(), Duration::from_millis),
        catch_up: spec.catch_up.into(),
        timeout: spec.timeout_ms.map(Duration::from_millis),
        retry: retry(&spec.retry)?,
    })
}

fn retry(policy: &RetryPolicy) -> Result<domain_retry::RetryPolicy, SpecError> {
    let failure = |(place, word): (usize, &String)| {
        word.parse::<Failure>().map_err(|error| SpecError {
            field: format!("scheduled.retry.failures[{place}]"),
            code: "job.retry_failure",
            message: error.to_string(),
            hint: "name exit statuses such as 75 or 64-78, signal, timeout or not_started"
                .to_owned(),
        })
    };
    Ok(domain_retry::RetryPolicy {
        attempts_max: policy.attempts_max,
        backoff: backoff(policy.backoff_initial_ms, policy.backoff_max_ms),
        failures: policy
            .failures
            .iter()
            .enumerate()
            .map(failure)
            .collect::<Result<_, _>>()?,
    })
}

fn backoff(initial_ms: u64, max_ms: u64) -> Backoff {
    Backoff {
        initial: Duration::from_millis(initial_ms),
        max: Duration::from_millis(max_ms),
    }
}

fn command(command: Command) -> Result<domain::Command, SpecError> {
    match (command.argv, command.script) {
        (Some(argv), None) => Ok(domain::Command::Argv(argv)),
        (None, Some(script)) => Ok(domain::Command::Script {
            interpreter: script
                .interpreter
                .unwrap_or_else(|| vec!["/bin/sh".to_owned()]),
            text: script.text,
        }),
        (Some(_), Some(_)) => Err(refused(
            "command",
            "job.two_commands",
            "both argv and script are given",
            "give exactly one",
        )),
        (None, None) => Err(refused(
            "command",
            "job.command_empty",
            "neither argv nor script is given",
            "give exactly one",
        )),
    }
}

/// Reads a mask in octal digits.
fn umask(text: Option<&str>) -> Result<u32, SpecError> {
    let Some(text) = text else {
        return Ok(UMASK_DEFAULT);
    };
    let is_octal =
        (1..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    match u32::from_str_radix(text, 8) {
        Ok(mask) if is_octal => Ok(mask),
        Ok(_) | Err(_) => Err(refused(
            "umask",
            "job.umask",
            &format!("umask {:?} is not an octal number", cut(text)),
            "use three octal digits such as 027",
        )),
    }
}

fn signal(word: &str) -> Result<domain::StopSignal, SpecError> {
    domain::StopSignal::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = domain::StopSignal::ALL
            .into_iter()
            .map(domain::StopSignal::word)
            .collect();
        refused(
            "stop.signal",
            "job.stop_signal",
            &format!("{:?} is not a signal that can stop a process", cut(word)),
            &format!("use one of {}", words.join(", ")),
        )
    })
}

pub(crate) fn refused(field: &str, code: &'static str, message: &str, hint: &str) -> SpecError {
    SpecError {
        field: field.to_owned(),
        code,
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

/// At most 64 characters of a text, for messages.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

impl From<&domain::JobSpec> for JobSpec {
    fn from(spec: &domain::JobSpec) -> Self {
        let (scheduled, daemon) = match &spec.kind {
            domain::JobKind::Scheduled(scheduled) => (Some(scheduled.as_ref().into()), None),
            domain::JobKind::Daemon(daemon) => (None, Some((&**daemon).into())),
        };
        let launch = &spec.launch;
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            scheduled,
            daemon,
            command: (&launch.command).into(),
            run_as: launch.run_as.clone(),
            directory: launch.directory.clone(),
            environment: launch.environment.clone(),
            umask: Some(format!("{:03o}", launch.umask)),
            secrets: launch.secrets.iter().map(SecretUse::from).collect(),
            target: shown_target(&spec.target, &spec.kind),
            processes: spec.processes,
            output: OutputPolicy {
                mode: if launch.output.is_stored {
                    OutputMode::Store
                } else {
                    OutputMode::Discard
                },
                cap_bytes: launch.output.cap_bytes,
                ..when_full(launch.output.when_full)
            },
            stop: StopPolicy {
                signal: launch.stop.signal.word().to_owned(),
                grace_ms: millis(launch.stop.grace),
            },
            stragglers: launch.stragglers.into(),
            limits: launch.limits.into(),
        }
    }
}

fn secret_use(secret: SecretUse) -> domain_secret::SecretUse {
    domain_secret::SecretUse {
        name: secret.name,
        given: match secret.given {
            SecretAs::Env(name) => domain_secret::Given::Environment(name),
            SecretAs::File(name) => domain_secret::Given::File(name),
        },
    }
}

impl From<&domain_secret::SecretUse> for SecretUse {
    fn from(secret: &domain_secret::SecretUse) -> Self {
        Self {
            name: secret.name.clone(),
            given: match &secret.given {
                domain_secret::Given::Environment(name) => SecretAs::Env(name.clone()),
                domain_secret::Given::File(name) => SecretAs::File(name.clone()),
            },
        }
    }
}

fn when_full(when_full: domain::WhenFull) -> OutputPolicy {
    let policy = OutputPolicy::default();
    match when_full {
        domain::WhenFull::Drop => policy,
        domain::WhenFull::Block { wait_max } => OutputPolicy {
            when_full: WhenFull::Block,
            block_max_ms: millis(wait_max),
            ..policy
        },
    }
}

impl From<&domain::ScheduledSpec> for ScheduledSpec {
    fn from(spec: &domain::ScheduledSpec) -> Self {
        let (overlap, queue_max) = overlap::shown(spec.overlap);
        Self {
            expression: spec.expression.clone(),
            time_zone: Some(spec.time_zone.clone()),
            dst: spec.dst.into(),
            active_from: spec.active.from,
            active_until: spec.active.until,
            calendar: spec.calendar.as_ref().map(CalendarRule::from),
            overlap,
            queue_max,
            jitter_ms: millis(spec.jitter),
            start_deadline_ms: Some(millis(spec.start_deadline)),
            catch_up: spec.catch_up.into(),
            timeout_ms: spec.timeout.map(millis),
            retry: RetryPolicy {
                attempts_max: spec.retry.attempts_max,
                backoff_initial_ms: millis(spec.retry.backoff.initial),
                backoff_max_ms: millis(spec.retry.backoff.max),
                failures: spec.retry.failures.iter().map(Failure::to_string).collect(),
            },
        }
    }
}

impl From<&domain::Command> for Command {
    fn from(command: &domain::Command) -> Self {
        match command {
            domain::Command::Argv(argv) => Self {
                argv: Some(argv.clone()),
                script: None,
            },
            domain::Command::Script { interpreter, text } => Self {
                argv: None,
                script: Some(Script {
                    interpreter: Some(interpreter.clone()),
                    text: text.clone(),
                }),
            },
        }
    }
}

impl From<&domain::JobKind> for JobKind {
    fn from(kind: &domain::JobKind) -> Self {
        match kind {
            domain::JobKind::Scheduled(_) => Self::Scheduled,
            domain::JobKind::Daemon(_) => Self::Daemon,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<access::Role> for Role {
    fn from(role: access::Role) -> Self {
        match role {
            access::Role::Viewer => Self::Viewer,
            access::Role::Operator => Self::Operator,
            access::Role::Editor => Self::Editor,
            access::Role::Owner => Self::Owner,
        }
    }
}

impl From<Role> for access::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Editor => Self::Editor,
            Role::Owner => Self::Owner,
        }
    }
}

impl From<domain_run::Outcome> for Outcome {
    fn from(outcome: domain_run::Outcome) -> Self {
        match outcome {
            domain_run::Outcome::Succeeded => Self::Succeeded,
            domain_run::Outcome::Failed => Self::Failed,
            domain_run::Outcome::Killed => Self::Killed,
            domain_run::Outcome::TimedOut => Self::TimedOut,
            domain_run::Outcome::Skipped => Self::Skipped,
            domain_run::Outcome::Missed => Self::Missed,
            domain_run::Outcome::Lost => Self::Lost,
        }
    }
}

impl From<domain_run::RunState> for RunState {
    fn from(state: domain_run::RunState) -> Self {
        match state {
            domain_run::RunState::Planned => Self::Planned,
            domain_run::RunState::Offered => Self::Offered,
            domain_run::RunState::Dispatched => Self::Dispatched,
            domain_run::RunState::Accepted => Self::Accepted,
            domain_run::RunState::Running => Self::Running,
            domain_run::RunState::Ended(_) => Self::Ended,
        }
    }
}

impl From<domain_run::Cause> for Cause {
    fn from(cause: domain_run::Cause) -> Self {
        match cause {
            domain_run::Cause::Schedule => Self::Schedule,
            domain_run::Cause::Manual => Self::Manual,
            domain_run::Cause::Retry => Self::Retry,
            domain_run::Cause::Reboot => Self::Reboot,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn minimal() -> Value {
        json!({
            "name": "backup",
            "scheduled": { "expression": "@daily" },
            "command": { "argv": ["/bin/true"] },
            "run_as": "app",
            "target": { "all": true },
        })
    }

    fn read(value: Value) -> Result<domain::JobSpec, SpecError> {
        job_spec(serde_json::from_value(value).unwrap(), "Asia/Shanghai")
    }

    #[test]
    fn defaults_are_filled_in_and_shown() {
        let spec = read(minimal()).unwrap();
        let shown = JobSpec::from(&spec);
        assert_eq!(shown.umask.as_deref(), Some("022"));
        let scheduled = shown.scheduled.clone().unwrap();
        assert_eq!(scheduled.time_zone.as_deref(), Some("Asia/Shanghai"));
        assert_eq!(scheduled.start_deadline_ms, Some(60_000));
        assert_eq!(
            job_spec(shown, "UTC").unwrap(),
            spec,
            "what is shown means the same when saved again"
        );
    }

    #[test]
    fn a_daemon_with_a_script_reads_back() {
        let mut value = minimal();
        value["scheduled"].take();
        value["daemon"] =
            json!({ "restart": "on_failure", "backoff_initial_ms": 5, "max_unavailable": 2 });
        value["command"] = json!({ "script": { "text": "echo hi" } });
        value["target"] = json!({ "agent_ids": ["00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000001"] });
        let spec = read(value).unwrap();
        let domain::Target::Agents(agents) = &spec.target else {
            panic!("{:?}", spec.target)
        };
        assert_eq!(
            agents,
            &[
                cronfleet_core::id::AgentId::from_u128(1),
                cronfleet_core::id::AgentId::from_u128(2)
            ]
        );
        assert_eq!(job_spec(JobSpec::from(&spec), "UTC").unwrap(), spec);
    }

    #[test]
    fn what_is_neither_or_both_or_unknown_names_its_field() {
        let cases: [(&str, Value, &str, &str); 13] = [
            ("daemon", json!({}), "daemon", "job.two_kinds"),
            ("scheduled", Value::Null, "scheduled", "job.no_kind"),
            ("command", json!({}), "command", "job.command_empty"),
            (
                "command",
                json!({ "argv": ["a"], "script": { "text": "" } }),
                "command",
                "job.two_commands",
            ),
            ("umask", json!("9"), "umask", "job.umask"),
            ("umask", json!("+22"), "umask", "job.umask"),
            ("umask", json!("7777"), "umask", "job.out_of_range"),
            (
                "stop",
                json!({ "signal": "SIGTERM" }),
                "stop.signal",
                "job.stop_signal",
            ),
            (
                "target",
                json!({ "all": true, "agent_ids": ["00000000-0000-0000-0000-000000000001"] }),
                "target.agent_ids",
                "job.target_both",
            ),
            ("target", json!({}), "target.agent_ids", "job.no_agent"),
            ("processes", json!(0), "processes", "job.out_of_range"),
            (
                "scheduled",
                json!({ "expression": "@daily", "retry": { "failures": ["75", "often"] } }),
                "scheduled.retry.failures[1]",
                "job.retry_failure",
            ),
            (
                "scheduled",
                json!({ "expression": "@daily", "retry": { "failures": vec!["1"; 33] } }),
                "scheduled.retry.failures",
                "job.retry_failure_count",
            ),
        ];
        for (key, value, field, code) in cases {
            let mut broken = minimal();
            broken[key] = value;
            let error = read(broken).expect_err(code);
            assert_eq!((error.field.as_str(), error.code), (field, code));
        }
    }
}
