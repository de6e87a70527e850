//! Retries: which runs that did not succeed are tried again, and when.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::backoff::Backoff;
use crate::job::{SpecError, check, range, range_ms};
use crate::order::{End, ExitStatus};
use crate::plan::{PlannedRun, later};
use crate::run::{Cause, Outcome, RunKey};

/// When a failed or timed-out run is tried again. A `lost` run never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to 20; 1 means no retry.
    pub attempts_max: u32,
    /// Wait before the next attempt, 100 ms to 1 day.
    pub backoff: Backoff,
    /// Failures after which it is tried again, at most 32; empty: after every one.
    pub failures: Vec<Failure>,
}

/// A way not to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// An exit status from the first to the last of these, both 1 to 255.
    Exited {
        /// Least.
        first: u8,
        /// Greatest, not less than the first.
        last: u8,
    },
    /// A signal that nobody here sent, also when memory ran out.
    Signalled,
    /// Its time limit.
    TimedOut,
    /// The command could not be started.
    NotStarted,
}

/// A text that names no [`Failure`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither an exit status from 1 to 255, a range of them, timeout, signal nor not_started"
)]
pub struct FailureError(pub String);

/// A run that is over, as its retry needs to know it.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Its key.
    pub key: &'a RunKey,
    /// Copies per agent and due instant.
    pub copies: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// How its process ended, if that is known.
    pub end: Option<&'a End>,
}

impl RetryPolicy {
    /// No retry, and the waits of who asks for one and says nothing else.
    pub const NONE: Self = Self {
        attempts_max: 1,
        backoff: Backoff {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(300),
        },
        failures: Vec::new(),
    };

    /// The next attempt of a run that has just ended, if there is one. It may start from a wait after the end, but not before
    /// `now`, until `start_deadline` later.
    ///
    /// `draw` is a uniform number in `[0, 1)` that the caller took for jitter. Whether somebody asked for the run's end, whether
    /// it was lost before, and whether the job still runs there, is for the caller to know.
    pub fn next_attempt(
        &self,
        ended: &Attempt<'_>,
        start_deadline: Duration,
        now: Timestamp,
        draw: f64,
    ) -> Option<PlannedRun> {
        let is_wanted = ended.key.attempt < self.attempts_max && self.covers(ended);
        is_wanted.then(|| {
            let key = RunKey {
                attempt: ended.key.attempt + 1,
                ..ended.key.clone()
            };
            let ended_at = ended.end.map_or(now, |end| end.at);
            let wait = self.backoff.wait(ended.key.attempt, draw);
            let not_before = later(ended_at, wait).max(now);
            PlannedRun::new(key, ended.copies, Cause::Retry, not_before, start_deadline)
        })
    }

    /// Whether it is tried again after such an end.
    fn covers(&self, ended: &Attempt<'_>) -> bool {
        let status = match ended.outcome {
            Outcome::Failed => ended.end.map(|end| &end.status),
            Outcome::TimedOut => None,
            Outcome::Succeeded
            | Outcome::Killed
            | Outcome::Skipped
            | Outcome::Missed
            | Outcome::Lost => return false,
        };
        self.failures.is_empty()
            || self.failures.iter().any(|failure| match (failure, status) {
                (Failure::TimedOut, _) => ended.outcome == Outcome::TimedOut,
                (Failure::Exited { first, last }, Some(ExitStatus::Exited(status))) => {
                    (i32::from(*first)..=i32::from(*last)).contains(status)
                }
                (Failure::Signalled, Some(ExitStatus::Signalled { .. }))
                | (Failure::NotStarted, Some(ExitStatus::NotStarted { .. })) => true,
                (Failure::Exited { .. } | Failure::Signalled | Failure::NotStarted, _) => false,
            })
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// A bound is out of its range, or failures are named for a job that is not tried again.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        range(
            "scheduled.retry.attempts_max",
            u64::from(self.attempts_max),
            1,
            20,
        )?;
        let initial = self.backoff.initial.as_millis() as u64;
        range(
            "scheduled.retry.backoff_initial_ms",
            initial,
            100,
            86_400_000,
        )?;
        range_ms(
            "scheduled.retry.backoff_max_ms",
            self.backoff.max,
            initial,
            86_400_000,
        )?;
        check(
            self.failures.len() <= 32,
            "scheduled.retry.failures",
            "job.retry_failure_count",
            || {
                (
                    format!("{} kinds of failure are named", self.failures.len()),
                    "name at most 32; a range such as 64-78 counts once".into(),
                )
            },
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { first, last } if first == last => write!(f, "{first}"),
            Self::Exited { first, last } => write!(f, "{first}-{last}"),
            Self::Signalled => f.write_str("signal"),
            Self::TimedOut => f.write_str("timeout"),
            Self::NotStarted => f.write_str("not_started"),
        }
    }
}

impl FromStr for Failure {
    type Err = FailureError;

    fn from_str(text: &str) -> Result<Self, FailureError> {
        match text {
            "signal" => return Ok(Self::Signalled),
            "timeout" => return Ok(Self::TimedOut),
            "not_started" => return Ok(Self::NotStarted),
            _ => {}
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (exit_status(first), exit_status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self::Exited { first, last }),
            _ => Err(FailureError(text.to_owned())),
        }
    }
}

/// Reads an exit status of a failure.
fn exit_status(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{AgentId, JobId};
    use crate::order::{Cleanup, OutputTotals, Usage};
    use crate::run::Reason;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn policy(on: &[&str]) -> RetryPolicy {
        RetryPolicy {
            attempts_max: 3,
            failures: on.iter().map(|word| word.parse().unwrap()).collect(),
            ..RetryPolicy::NONE
        }
    }

    fn not_started() -> ExitStatus {
        ExitStatus::NotStarted {
            reason: Reason::CommandMissing,
            detail: "/bin/none".to_owned(),
        }
    }

    fn killed_by(signal: i32) -> ExitStatus {
        ExitStatus::Signalled {
            signal,
            has_core: false,
        }
    }

    /// The next attempt of a first one that ended like this at 100 s, as it is known at 101 s.
    fn next(policy: &RetryPolicy, outcome: Outcome, status: ExitStatus) -> Option<PlannedRun> {
        let key = RunKey {
            job: JobId::from_u128(1),
            job_version: 1,
            due: at(90),
            agent: AgentId::from_u128(2),
            copy: 1,
            attempt: 1,
            trigger: String::new(),
        };
        let end = End {
            at: at(100),
            status,
            stopped_for: None,
            duration: Duration::from_secs(1),
            usage: Usage::default(),
            output: OutputTotals::default(),
            cleanup: Cleanup::default(),
        };
        let ended = Attempt {
            key: &key,
            copies: 2,
            outcome,
            end: Some(&end),
        };
        policy.next_attempt(&ended, Duration::from_secs(60), at(101), 0.5)
    }

    #[test]
    fn what_is_named_is_tried_again_and_nothing_else() {
        use ExitStatus::Exited;
        use Outcome::{Failed, Killed, Lost, Missed, Skipped, Succeeded, TimedOut};
        let every: &[&str] = &[];
        for (on, outcome, status, is_retried) in [
            (every, Failed, Exited(1), true),
            (every, Failed, killed_by(11), true),
            (every, Failed, not_started(), true),
            (every, TimedOut, killed_by(15), true),
            (every, TimedOut, Exited(0), true),
            (every, Succeeded, Exited(0), false),
            (every, Killed, killed_by(15), false),
            (every, Lost, Exited(1), false),
            (every, Missed, Exited(1), false),
            (every, Skipped, Exited(1), false),
            (&["75"], Failed, Exited(75), true),
            (&["75"], Failed, Exited(74), false),
            (&["75"], Failed, killed_by(75), false),
            (&["75"], TimedOut, Exited(75), false),
            (&["64-78", "1"], Failed, Exited(64), true),
            (&["64-78", "1"], Failed, Exited(78), true),
            (&["64-78", "1"], Failed, Exited(1), true),
            (&["64-78", "1"], Failed, Exited(79), false),
            (&["timeout"], TimedOut, killed_by(15), true),
            (&["timeout"], Failed, killed_by(15), false),
            (&["signal"], Failed, killed_by(15), true),
            (&["signal"], TimedOut, killed_by(15), false),
            (&["not_started"], Failed, not_started(), true),
            (&["not_started"], Failed, Exited(127), false),
        ] {
            let next = next(&policy(on), outcome, status.clone());
            assert_eq!(next.is_some(), is_retried, "{on:?} {outcome:?} {status:?}");
        }
    }

    #[test]
    fn the_next_attempt_waits_from_the_end_and_not_into_the_past() {
        let mut policy = policy(&[]);
        policy.backoff.initial = Duration::from_secs(10);
        let run = next(&policy, Outcome::Failed, ExitStatus::Exited(1)).unwrap();
        assert_eq!(
            (run.key.attempt, run.cause, run.copies),
            (2, Cause::Retry, 2)
        );
        assert_eq!((run.not_before, run.not_after), (at(110), at(170)));
        assert_eq!(run.id, run.key.id());

        policy.backoff.initial = Duration::from_millis(100);
        let run = next(&policy, Outcome::Failed, ExitStatus::Exited(1)).unwrap();
        assert_eq!(run.not_before, at(101), "known only then");

        policy.attempts_max = 1;
        assert_eq!(next(&policy, Outcome::Failed, ExitStatus::Exited(1)), None);
    }

    #[test]
    fn failures_read_back_as_they_are_written() {
        for text in ["1", "255", "64-78", "signal", "timeout", "not_started"] {
            let failure: Failure = text.parse().unwrap();
            assert_eq!(failure.to_string(), text);
        }
        assert_eq!("7-7".parse::<Failure>().unwrap().to_string(), "7");
        for text in [
            "", "0", "256", "-1", "5-", "9-3", "1-2-3", "+1", "01", "Timeout", "1, 2",
        ] {
            assert_eq!(text.parse::<Failure>(), Err(FailureError(text.to_owned())));
        }
    }
}
