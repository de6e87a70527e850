//! Runs: their key, their states, and the one function that moves them.
//!
//! ```text
//!             | Dispatch   | claim Accepted | Refused          | Running | Ended   | Lost | Expire(reason)  | Withdraw(reason)
//! planned     | dispatched | stale          | stale            | stale   | stale   | stale| missed          | skipped
//! offered     | stale      | offered        | missed / skipped | running | outcome | missed | missed        | skipped
//! dispatched  | stale      | accepted       | missed / skipped | running | outcome | lost | stale           | stale
//! accepted    | stale      | stale          | missed / skipped | running | outcome | lost | stale           | stale
//! running     | stale      | stale          | stale            | stale   | outcome | lost | stale           | stale
//! lost (once) | stale      | stale          | missed / skipped | stale   | outcome | stale| stale           | stale
//! other ended | stale      | stale          | stale            | stale   | stale   | stale| stale           | stale
//! ```
//! Claims are cumulative, so a claim may jump ahead (a run dispatched whose end arrives first); it never goes back. Once a run
//! is dispatched the center alone never says `missed`: only the agent's evidence does. `lost` is refined at most once.
//!
//! A run of which one agent among several is to be found is offered instead: planned becomes offered (`Offer`), and offered becomes
//! accepted when the center commits that this agent may start it (`Go`). Before that no agent starts it, whatever it has in its
//! ledger, so the center alone may take it back.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::id::{AgentId, JobId, RunId};
use crate::order::{Claim, End, ExitStatus, StopCause};

/// What makes a run that run. Two runs with one key are one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunKey {
    /// Job.
    pub job: JobId,
    /// Version of the job that asked for it.
    pub job_version: u32,
    /// Due instant.
    pub due: Timestamp,
    /// Agent.
    pub agent: AgentId,
    /// Copy index, from 0.
    pub copy: u32,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Empty for the schedule; for other causes the caller's idempotency key.
    pub trigger: String,
}

impl RunKey {
    /// The run's id: a UUID (version 8) whose first 48 bits are the due instant in milliseconds, so that ids sort by due
    /// instant, and whose rest is a hash of the whole key.
    pub fn id(&self) -> RunId {
        let mut hash = Sha256::new();
        hash.update(self.job.as_uuid().as_bytes());
        hash.update(self.job_version.to_be_bytes());
        hash.update(self.due.as_microsecond().to_be_bytes());
        hash.update(self.agent.as_uuid().as_bytes());
        hash.update(self.copy.to_be_bytes());
        hash.update(self.attempt.to_be_bytes());
        hash.update(self.trigger.as_bytes());
        let digest = hash.finalize();
        let mut bytes = [0_u8; 16];
        bytes.copy_from_slice(&digest[..16]);
        let millis = self.due.as_millisecond().max(0).to_be_bytes();
        bytes[..6].copy_from_slice(&millis[2..]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        RunId::from_uuid(Uuid::from_bytes(bytes))
    }
}

/// What asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The schedule.
    Schedule,
    /// A person or a program.
    Manual,
    /// A failed attempt before it.
    Retry,
    /// The start of the agent's host.
    Reboot,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 4] = [Self::Schedule, Self::Manual, Self::Retry, Self::Reboot];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Retry => "retry",
            Self::Reboot => "reboot",
        }
    }

    /// Reads [`Cause::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

/// Where a run is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunState {
    /// Decided and recorded; never sent.
    Planned,
    /// Sent to an agent that may not start it yet: it may be offered to another one instead.
    Offered,
    /// Committed to be sent; the agent may have it.
    Dispatched,
    /// In the agent's ledger.
    Accepted,
    /// The process lives.
    Running,
    /// Over.
    Ended(Outcome),
}

impl RunState {
    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Offered => "offered",
            Self::Dispatched => "dispatched",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Ended(_) => "ended",
        }
    }

    /// Whether nothing more is expected (a `lost` run may still be refined).
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Exit status 0, reaped from that very process.
    Succeeded,
    /// Another exit status, a signal nobody here sent, or it could not be started.
    Failed,
    /// Somebody asked for its end.
    Killed,
    /// It exceeded its time limit and was stopped.
    TimedOut,
    /// We decided not to run it.
    Skipped,
    /// It should have run and provably did not start.
    Missed,
    /// Whether it started or how it ended is unknown.
    Lost,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Failed,
        Self::Killed,
        Self::TimedOut,
        Self::Skipped,
        Self::Missed,
        Self::Lost,
    ];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Lost => "lost",
        }
    }

    /// Reads [`Outcome::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// Whether the outcome must carry a reason.
    pub const fn needs_reason(self) -> bool {
        matches!(self, Self::Skipped | Self::Missed | Self::Lost)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal => $outcome:ident,)+) => {
        /// Why a run was skipped, missed, lost, could not be started, or ended in a way that its exit status does not tell. Each belongs to one outcome.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable word in SQL, JSON and the console.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// The outcome it explains.
            pub const fn outcome(self) -> Outcome {
                match self {
                    $(Self::$name => Outcome::$outcome,)+
                }
            }

            /// Reads [`Reason::word`].
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// The previous run of the same target was alive.
    Overlap = "overlap" => Skipped,
    /// A run of the same target that was due after it took its place before it had started.
    Overtaken = "overtaken" => Skipped,
    /// The previous run of the same target was alive, and as many others as may wait did so already.
    QueueFull = "queue_full" => Skipped,
    /// The job was paused before it was due.
    Paused = "paused" => Skipped,
    /// The job was snoozed when it was due.
    Snoozed = "snoozed" => Skipped,
    /// It was due in a window in which nothing starts.
    Frozen = "frozen" => Skipped,
    /// A newer version of the job took its place before it was due.
    Superseded = "superseded" => Skipped,
    /// The job was deleted before it was due.
    Deleted = "deleted" => Skipped,
    /// The agent was revoked or left the group before it was due.
    AgentRemoved = "agent_removed" => Skipped,
    /// The agent's own policy, which the center cannot change, forbids it.
    PolicyDenied = "policy_denied" => Skipped,
    /// It was offered to this agent, and another one got it.
    OfferedElsewhere = "offered_elsewhere" => Skipped,
    /// An earlier run may be alive on an agent out of reach, and nobody has released it.
    Blocked = "blocked" => Skipped,
    /// Killed before it was started.
    KilledBeforeStart = "killed_before_start" => Skipped,
    /// No center planned it in time, and a later due instant of the job ran in its place.
    Coalesced = "coalesced" => Skipped,
    /// The agent was out of reach until the start deadline.
    AgentOffline = "agent_offline" => Missed,
    /// No center planned it in time.
    CenterDown = "center_down" => Missed,
    /// No center planned it in time, and it lies beyond what the job's catch-up allows.
    CatchUpExceeded = "catch_up_exceeded" => Missed,
    /// The agent had it but could not start it before the start deadline.
    StartDeadlineExceeded = "start_deadline_exceeded" => Missed,
    /// No active agent of the group matched the target.
    NoTarget = "no_target" => Missed,
    /// The order never reached the agent's ledger.
    NeverReceived = "never_received" => Missed,
    /// The agent could not write its ledger.
    LedgerUnwritable = "ledger_unwritable" => Missed,
    /// The agent was restarted before the start, and meanwhile its start deadline passed or a later run took its turn.
    AgentRestarted = "agent_restarted" => Missed,
    /// The agent's limits on its runs left no room for it before its start deadline.
    AgentLimit = "agent_limit" => Missed,
    /// The agent holds as many orders, or runs as many processes, as it may.
    AgentFull = "agent_full" => Missed,
    /// The agent died around the start and left no proof either way.
    AgentCrashed = "agent_crashed" => Lost,
    /// The agent's host was restarted.
    HostRebooted = "host_rebooted" => Lost,
    /// The agent's ledger no longer knows it.
    LedgerMissing = "ledger_missing" => Lost,
    /// It ran, but its exit status was not recorded.
    ExitUnknown = "exit_unknown" => Lost,
    /// The agent's version does not know what the job needs.
    AgentTooOld = "agent_too_old" => Missed,
    /// The agent was away for too long, or was revoked.
    AgentGone = "agent_gone" => Lost,
    /// The user to run as does not exist on the agent.
    UserUnknown = "user_unknown" => Failed,
    /// A secret that the process needs does not exist, or no center could be asked for it in time.
    SecretUnavailable = "secret_unavailable" => Failed,
    /// The working directory does not exist.
    DirectoryMissing = "directory_missing" => Failed,
    /// The user may not enter the working directory, or it is none.
    DirectoryDenied = "directory_denied" => Failed,
    /// The command does not exist.
    CommandMissing = "command_missing" => Failed,
    /// The user may not execute the command.
    CommandDenied = "command_denied" => Failed,
    /// The command is neither a program nor a script with a first line that names its interpreter.
    CommandFormat = "command_format" => Failed,
    /// The process could not take on the user's identity.
    IdentityFailed = "identity_failed" => Failed,
    /// The process could not be created.
    SpawnFailed = "spawn_failed" => Failed,
    /// The agent's machine cannot enforce a limit that the job sets.
    LimitUnsupported = "limit_unsupported" => Failed,
    /// A later run of the same target took its place.
    Replaced = "replaced" => Killed,
    /// The kernel killed it, or a process that it had started, because memory ran out.
    OomKilled = "oom_killed" => Failed,
}

/// Something that may move a run.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent<'a> {
    /// The center is about to send the order.
    Dispatch,
    /// The center is about to send the order, and has not decided yet that this agent shall start it.
    Offer,
    /// The center has decided that the agent to which it is offered shall start it.
    Go,
    /// The agent says what became of it.
    Claim(&'a Claim),
    /// Its time is over and it was never sent.
    Expire(Reason),
    /// The center decided not to run it, and it was never sent.
    Withdraw(Reason),
}

/// What an event does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The run is now here, with this reason.
    Moved {
        /// Next state.
        next: RunState,
        /// Reason, where there is one.
        reason: Option<Reason>,
    },
    /// Nothing changes: a duplicate, or a message that was overtaken.
    Stale,
}

/// Decides what one event does to a run. Total: every pair has an answer (table in the module's documentation).
///
/// `is_refined` tells whether a lost run was refined before (it is refined at most once).
pub fn step(state: RunState, is_refined: bool, event: &RunEvent<'_>) -> Step {
    use RunState::{Accepted, Dispatched, Ended, Offered, Planned, Running};
    match (state, event) {
        (Planned, RunEvent::Dispatch) => moved(Dispatched, None),
        (Planned, RunEvent::Offer) => moved(Offered, None),
        (Offered, RunEvent::Go) => moved(Accepted, None),
        (Planned | Offered, RunEvent::Expire(reason) | RunEvent::Withdraw(reason)) => {
            moved(Ended(reason.outcome()), Some(*reason))
        }
        (Planned, RunEvent::Claim(_) | RunEvent::Go)
        | (Offered, RunEvent::Dispatch | RunEvent::Offer) => Step::Stale,
        (Offered, RunEvent::Claim(claim)) => claim_of_offer(claim),
        (
            Dispatched | Accepted | Running | Ended(_),
            RunEvent::Dispatch
            | RunEvent::Offer
            | RunEvent::Go
            | RunEvent::Expire(_)
            | RunEvent::Withdraw(_),
        ) => Step::Stale,
        (Dispatched, RunEvent::Claim(Claim::Accepted)) => moved(Accepted, None),
        (Accepted | Running | Ended(_), RunEvent::Claim(Claim::Accepted)) => Step::Stale,
        (Dispatched | Accepted, RunEvent::Claim(Claim::Running(_))) => moved(Running, None),
        (Running | Ended(_), RunEvent::Claim(Claim::Running(_))) => Step::Stale,
        (Dispatched | Accepted, RunEvent::Claim(Claim::Refused { reason, .. })) => {
            moved(Ended(reason.outcome()), Some(*reason))
        }
        (Running, RunEvent::Claim(Claim::Refused { .. })) => Step::Stale,
        (Dispatched | Accepted | Running, RunEvent::Claim(Claim::Ended { end, .. })) => {
            let (outcome, reason) = outcome_of(end);
            moved(Ended(outcome), reason)
        }
        (Dispatched | Accepted | Running, RunEvent::Claim(Claim::Lost { reason, .. })) => {
            moved(Ended(Outcome::Lost), Some(*reason))
        }
        (Ended(Outcome::Lost), RunEvent::Claim(claim)) if !is_refined => refine(claim),
        (Ended(_), RunEvent::Claim(_)) => Step::Stale,
    }
}

/// What an agent makes of an offer. It cannot have started what it had no word for: what it cannot account for has not started.
fn claim_of_offer(claim: &Claim) -> Step {
    match claim {
        Claim::Accepted => moved(RunState::Offered, None),
        Claim::Lost { reason, .. } => {
            let reason = match reason {
                Reason::AgentGone => Reason::AgentOffline,
                Reason::LedgerMissing => Reason::NeverReceived,
                _ => Reason::AgentRestarted,
            };
            moved(RunState::Ended(reason.outcome()), Some(reason))
        }
        Claim::Refused { reason, .. } => moved(RunState::Ended(reason.outcome()), Some(*reason)),
        Claim::Running(_) => moved(RunState::Running, None),
        Claim::Ended { end, .. } => {
            let (outcome, reason) = outcome_of(end);
            moved(RunState::Ended(outcome), reason)
        }
    }
}

fn moved(next: RunState, reason: Option<Reason>) -> Step {
    Step::Moved { next, reason }
}

/// What late evidence makes of a lost run.
fn refine(claim: &Claim) -> Step {
    match claim {
        Claim::Refused { reason, .. } => moved(RunState::Ended(reason.outcome()), Some(*reason)),
        Claim::Ended { end, .. } => {
            let (outcome, reason) = outcome_of(end);
            moved(RunState::Ended(outcome), reason)
        }
        Claim::Accepted | Claim::Running(_) | Claim::Lost { .. } => Step::Stale,
    }
}

/// The outcome of a process's end: a time limit or a kill that was acted upon comes before the exit status.
pub fn outcome_of(end: &End) -> (Outcome, Option<Reason>) {
    let failed_for = (end.usage.oom_kills > 0).then_some(Reason::OomKilled);
    match (&end.status, end.stopped_for) {
        (ExitStatus::NotStarted { reason, .. }, _) => (reason.outcome(), Some(*reason)),
        (_, Some(StopCause::Timeout)) => (Outcome::TimedOut, None),
        (_, Some(StopCause::Replaced)) => (Outcome::Killed, Some(Reason::Replaced)),
        (
            _,
            Some(
                StopCause::Kill
                | StopCause::Shutdown
                | StopCause::ScaledDown
                | StopCause::Unhealthy
                | StopCause::NotReady
                | StopCause::Recycled,
            ),
        ) => (Outcome::Killed, None),
        (ExitStatus::Exited(0), None) => (Outcome::Succeeded, None),
        (ExitStatus::Exited(_) | ExitStatus::Signalled { .. }, None) => {
            (Outcome::Failed, failed_for)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::order::{Cleanup, OutputTotals, Start, Usage};

    fn key() -> RunKey {
        RunKey {
            job: JobId::from_u128(1),
            job_version: 1,
            due: Timestamp::from_microsecond(1_800_000_000_250_000).unwrap(),
            agent: AgentId::from_u128(2),
            copy: 0,
            attempt: 1,
            trigger: String::new(),
        }
    }

    fn end(status: ExitStatus, stopped_for: Option<StopCause>) -> End {
        End {
            at: Timestamp::UNIX_EPOCH,
            status,
            stopped_for,
            duration: Duration::ZERO,
            usage: Usage::default(),
            output: OutputTotals::default(),
            cleanup: Cleanup::default(),
        }
    }

    #[test]
    fn every_part_of_the_key_makes_another_run() {
        let base = key();
        let others = [
            RunKey {
                job: JobId::from_u128(9),
                ..base.clone()
            },
            RunKey {
                job_version: 2,
                ..base.clone()
            },
            RunKey {
                due: base.due + Duration::from_micros(1),
                ..base.clone()
            },
            RunKey {
                agent: AgentId::from_u128(9),
                ..base.clone()
            },
            RunKey {
                copy: 1,
                ..base.clone()
            },
            RunKey {
                attempt: 2,
                ..base.clone()
            },
            RunKey {
                trigger: "x".into(),
                ..base.clone()
            },
        ];
        for other in others {
            assert_ne!(other.id(), base.id(), "{other:?}");
        }
        assert_eq!(base.clone().id(), base.id());
    }

    #[test]
    fn ids_sort_by_due_instant_and_stay_as_they_are_for_ever() {
        let base = key();
        let later = RunKey {
            due: base.due + Duration::from_millis(1),
            ..base.clone()
        };
        assert!(later.id() > base.id());
        assert_eq!(
            base.id().to_string(),
            "01a3185c-50fa-856e-bd76-bb4fa2e9a65c"
        );
    }

    #[test]
    fn every_reason_reads_back_and_explains_the_right_kind_of_outcome() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_word(reason.word()), Some(*reason));
            assert!(
                reason.outcome().needs_reason()
                    || matches!(reason.outcome(), Outcome::Failed | Outcome::Killed),
                "{reason:?}"
            );
        }
    }

    #[test]
    fn the_whole_table() {
        use Outcome::{Failed, Killed, Lost, Missed, Skipped, Succeeded, TimedOut};
        use RunState::{Accepted, Dispatched, Ended, Planned, Running};
        let start = Start {
            at: Timestamp::UNIX_EPOCH,
            pid: 7,
        };
        let success = Claim::Ended {
            start: None,
            end: end(ExitStatus::Exited(0), None),
        };
        let refused = Claim::Refused {
            reason: Reason::StartDeadlineExceeded,
            detail: None,
        };
        let overlap = Claim::Refused {
            reason: Reason::Overlap,
            detail: None,
        };
        let lost = Claim::Lost {
            reason: Reason::HostRebooted,
            start: None,
        };
        let running = Claim::Running(start);
        let events = [
            RunEvent::Dispatch,
            RunEvent::Claim(&Claim::Accepted),
            RunEvent::Claim(&refused),
            RunEvent::Claim(&overlap),
            RunEvent::Claim(&running),
            RunEvent::Claim(&success),
            RunEvent::Claim(&lost),
            RunEvent::Expire(Reason::AgentOffline),
            RunEvent::Withdraw(Reason::Paused),
        ];
        // One row per state, one column per event above; None is stale.
        let table: [(RunState, [Option<RunState>; 9]); 6] = [
            (
                Planned,
                [
                    Some(Dispatched),
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(Ended(Missed)),
                    Some(Ended(Skipped)),
                ],
            ),
            (
                Dispatched,
                [
                    None,
                    Some(Accepted),
                    Some(Ended(Missed)),
                    Some(Ended(Skipped)),
                    Some(Running),
                    Some(Ended(Succeeded)),
                    Some(Ended(Lost)),
                    None,
                    None,
                ],
            ),
            (
                Accepted,
                [
                    None,
                    None,
                    Some(Ended(Missed)),
                    Some(Ended(Skipped)),
                    Some(Running),
                    Some(Ended(Succeeded)),
                    Some(Ended(Lost)),
                    None,
                    None,
                ],
            ),
            (
                Running,
                [
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(Ended(Succeeded)),
                    Some(Ended(Lost)),
                    None,
                    None,
                ],
            ),
            (
                Ended(Lost),
                [
                    None,
                    None,
                    Some(Ended(Missed)),
                    Some(Ended(Skipped)),
                    None,
                    Some(Ended(Succeeded)),
                    None,
                    None,
                    None,
                ],
            ),
            (Ended(Succeeded), [None; 9]),
        ];
        for (state, row) in table {
            for (event, expected) in events.iter().zip(row) {
                let found = match step(state, false, event) {
                    Step::Moved { next, reason } => {
                        if let Ended(outcome) = next {
                            assert_eq!(
                                outcome.needs_reason(),
                                reason.is_some(),
                                "{state:?} {event:?}"
                            );
                        }
                        Some(next)
                    }
                    Step::Stale => None,
                };
                assert_eq!(found, expected, "{state:?} {event:?}");
            }
        }
        for event in &events {
            assert_eq!(
                step(Ended(Lost), true, event),
                Step::Stale,
                "refined once already: {event:?}"
            );
            for outcome in [Succeeded, Failed, Killed, TimedOut, Skipped, Missed] {
                assert_eq!(
                    step(Ended(outcome), false, event),
                    Step::Stale,
                    "{outcome:?} {event:?}"
                );
            }
        }
    }

    #[test]
    fn outcomes_tell_the_truth_about_the_end() {
        let signalled = ExitStatus::Signalled {
            signal: 9,
            has_core: false,
        };
        let missing = ExitStatus::NotStarted {
            reason: Reason::CommandMissing,
            detail: "/nope".into(),
        };
        let cases = [
            (ExitStatus::Exited(0), None, Outcome::Succeeded),
            (ExitStatus::Exited(1), None, Outcome::Failed),
            (signalled.clone(), None, Outcome::Failed),
            (
                signalled.clone(),
                Some(StopCause::Timeout),
                Outcome::TimedOut,
            ),
            (signalled, Some(StopCause::Kill), Outcome::Killed),
            (
                ExitStatus::Exited(0),
                Some(StopCause::Kill),
                Outcome::Killed,
            ),
            (missing, Some(StopCause::Kill), Outcome::Failed),
        ];
        for (status, stopped_for, outcome) in cases {
            let end = end(status, stopped_for);
            assert_eq!(outcome_of(&end).0, outcome, "{end:?}");
        }
    }

    #[test]
    fn memory_that_ran_out_explains_a_failure_and_nothing_else() {
        let signalled = ExitStatus::Signalled {
            signal: 9,
            has_core: false,
        };
        let cases = [
            (
                signalled.clone(),
                None,
                (Outcome::Failed, Some(Reason::OomKilled)),
            ),
            // A shell that tells how its child ended.
            (
                ExitStatus::Exited(137),
                None,
                (Outcome::Failed, Some(Reason::OomKilled)),
            ),
            // It coped.
            (ExitStatus::Exited(0), None, (Outcome::Succeeded, None)),
            (signalled, Some(StopCause::Kill), (Outcome::Killed, None)),
        ];
        for (status, stopped_for, expected) in cases {
            let mut end = end(status, stopped_for);
            end.usage.oom_kills = 1;
            assert_eq!(outcome_of(&end), expected, "{end:?}");
        }
    }
}
