//! When and how a scheduled job runs, and the rules for saying so.

use std::time::Duration;

use super::{SpecError, check, range, range_ms};
use crate::calendar::CalendarChoice;
use crate::catch_up::CatchUp;
use crate::id::JobId;
use crate::retry::RetryPolicy;
use crate::schedule::{ActiveSpan, Context, DstPolicy, Schedule, ScheduleError};
use crate::spread::Spread;

/// How late a run may start unless the job says otherwise.
pub const START_DEADLINE_DEFAULT: Duration = Duration::from_secs(60);

/// The same where runs wait for each other.
const QUEUE_START_DEADLINE_DEFAULT: Duration = Duration::from_secs(3_600);

/// When and how to run a scheduled job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledSpec {
    /// Schedule expression as typed; see [`crate::schedule`].
    pub expression: String,
    /// IANA time zone name.
    pub time_zone: String,
    /// What becomes of times that clocks skip or show twice.
    pub dst: DstPolicy,
    /// Nothing is due outside of this time.
    pub active: ActiveSpan,
    /// Which days count.
    pub calendar: Option<CalendarChoice>,
    /// On which of the agents that its target selects.
    pub spread: Spread,
    /// What to do when the previous run of the same target is still alive.
    pub overlap: Overlap,
    /// The longest time that a target waits after a due instant, up to an hour; see [`crate::jitter`].
    pub jitter: Duration,
    /// How late after that a run may start, 1 s to 7 days.
    pub start_deadline: Duration,
    /// What becomes of due instants whose start deadline passed while no center planned.
    pub catch_up: CatchUp,
    /// A run alive longer is stopped and ends `timed_out`; 100 ms to 30 days.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: RetryPolicy,
}

/// What to do when the previous run of the same (job, agent, copy) is still alive at a due instant; where runs are offered to several
/// agents, of the same (job, copy) on any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// Skip the new run, on record.
    #[default]
    Forbid,
    /// Start it all the same.
    Allow,
    /// Let the new run wait for its turn, as long as its start deadline lasts.
    Queue {
        /// Runs that may wait, 1 to 100; one more is skipped.
        max: u32,
    },
    /// Stop the previous run, and start the new one when it is over.
    Replace,
}

impl Overlap {
    /// How late a run may start unless the job says otherwise: a run that is to wait for others gets more time.
    pub const fn start_deadline_default(self) -> Duration {
        match self {
            Self::Queue { .. } => QUEUE_START_DEADLINE_DEFAULT,
            Self::Forbid | Self::Allow | Self::Replace => START_DEADLINE_DEFAULT,
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// The queue is too short or too long, or it cannot go together with what is caught up.
    fn check(self, catch_up: CatchUp) -> Result<(), SpecError> {
        if let Self::Queue { max } = self {
            range("scheduled.queue_max", u64::from(max), 1, 100)?;
        }
        let is_pointless = self == Self::Replace && matches!(catch_up, CatchUp::All { .. });
        check(
            !is_pointless,
            "scheduled.catch_up.policy",
            "job.catch_up_replace",
            || {
                (
                    "with overlap replace each run that is caught up would stop the one before it"
                        .into(),
                    "use latest or none, or another overlap".into(),
                )
            },
        )
    }
}

impl ScheduledSpec {
    /// When the job is due.
    ///
    /// # Errors
    /// [`ScheduleError`] for an expression or a time zone that cannot be read, and for a calendar whose days nobody has looked up.
    pub fn schedule(&self, job: JobId) -> Result<Schedule, ScheduleError> {
        let context = Context {
            zone: &self.time_zone,
            spread: job.as_uuid().as_u128(),
        };
        let schedule = Schedule::parse(&self.expression, &context)?;
        let rule = match &self.calendar {
            None => None,
            Some(choice) => {
                let unknown = || ScheduleError::unknown_calendar(&choice.name);
                Some(choice.rule().ok_or_else(unknown)?)
            }
        };
        Ok(schedule
            .with_dst_policy(self.dst)
            .within(self.active)
            .with_calendar(rule))
    }

    /// Whether two definitions are due at the same instants for the same reasons.
    pub fn is_due_like(&self, other: &Self) -> bool {
        self.expression == other.expression
            && self.time_zone == other.time_zone
            && self.dst == other.dst
            && self.active == other.active
            && self.calendar == other.calendar
    }
}

/// A schedule that is due so often that what falls on a day that does not count cannot be shifted to another.
pub fn too_dense_to_shift(field: &str) -> SpecError {
    SpecError {
        field: field.to_owned(),
        code: "job.calendar_shift",
        message: "what is due more than 24 times a day cannot be shifted to another day".to_owned(),
        hint: "leave such days out with include, or choose fewer times a day".to_owned(),
    }
}

/// Refuses a time that ends before it begins. `field` is the path of its end.
///
/// # Errors
/// It is empty.
pub fn check_active(field: &str, active: ActiveSpan) -> Result<(), SpecError> {
    check(!active.is_empty(), field, "job.active_span", || {
        (
            "the job would end before it begins".into(),
            "choose a later end, or leave the end or the beginning out".into(),
        )
    })
}

pub(super) fn check_scheduled(spec: &ScheduledSpec) -> Result<(), SpecError> {
    range_ms("scheduled.jitter_ms", spec.jitter, 0, 3_600_000)?;
    range_ms(
        "scheduled.start_deadline_ms",
        spec.start_deadline,
        1_000,
        604_800_000,
    )?;
    check_active("scheduled.active_until", spec.active)?;
    spec.catch_up.check()?;
    spec.spread.check()?;
    spec.overlap.check(spec.catch_up)?;
    if let Some(timeout) = spec.timeout {
        range_ms("scheduled.timeout_ms", timeout, 100, 2_592_000_000)?;
    }
    spec.retry.check()
}
