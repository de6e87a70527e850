//! Catch-up: what becomes of due instants whose start deadline passed while no center planned.

use std::time::Duration;

use jiff::Timestamp;

use crate::job::{SpecError, range, range_ms};
use crate::plan::earlier;
use crate::run::Reason;
use crate::schedule::Schedule;
use crate::window::Hold;

/// What becomes of due instants whose start deadline passed while no center planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// None of them runs.
    #[default]
    None,
    /// The latest runs, unless one after it is still within its start deadline: then that one stands for all of them.
    Latest,
    /// Each of them runs, as far as these bounds allow; of too many the latest.
    All {
        /// Most due instants that run after one outage, 1 to 100.
        max: u32,
        /// How far back, 1 minute to 366 days.
        window: Duration,
    },
}

/// Most due instants that run after one outage unless the job says otherwise, and the most that it may say.
pub const CATCH_UP_MAX: u32 = 100;

/// How far back unless the job says otherwise.
pub const CATCH_UP_WINDOW_DEFAULT: Duration = Duration::from_secs(86_400);

impl CatchUp {
    /// Checks the bounds.
    ///
    /// # Errors
    /// A bound is out of its range.
    pub(crate) fn check(self) -> Result<(), SpecError> {
        let Self::All { max, window } = self else {
            return Ok(());
        };
        range(
            "scheduled.catch_up.max",
            u64::from(max),
            1,
            u64::from(CATCH_UP_MAX),
        )?;
        range_ms(
            "scheduled.catch_up.window_ms",
            window,
            60_000,
            366 * 86_400_000,
        )
    }

    /// Among the due instants in (`watermark`, `last_overdue`] that are too late to start and not held, the first one to catch
    /// up: all after it are caught up, too, and all before it lapse for the reason.
    pub(crate) fn first(
        self,
        schedule: &Schedule,
        hold: &Hold<'_>,
        watermark: Timestamp,
        last_overdue: Timestamp,
        now: Timestamp,
    ) -> (Option<Timestamp>, Reason) {
        match self {
            Self::None => (None, Reason::CenterDown),
            Self::Latest => {
                let is_made_up_for = hold
                    .next_free(schedule, last_overdue)
                    .is_some_and(|due| due <= now);
                let latest = (!is_made_up_for)
                    .then(|| nth_last_free(schedule, hold, watermark, last_overdue, 1))
                    .flatten();
                (latest, Reason::Coalesced)
            }
            Self::All { max, window } => {
                let after = watermark.max(earlier(now, window));
                (
                    nth_last_free(schedule, hold, after, last_overdue, max),
                    Reason::CatchUpExceeded,
                )
            }
        }
    }
}

/// Of the due instants in (`after`, `until`] that are not held the `count`-th from the end, or the first if there are fewer.
fn nth_last_free(
    schedule: &Schedule,
    hold: &Hold<'_>,
    after: Timestamp,
    until: Timestamp,
    count: u32,
) -> Option<Timestamp> {
    let mut free = Vec::new();
    let mut done = after;
    while done < until {
        let stretch = hold.stretch(done, until);
        if stretch.reason.is_none() {
            free.push((done, stretch.until));
        }
        done = stretch.until;
    }
    let (mut found, mut left) = (None, count);
    for (after, until) in free.into_iter().rev() {
        let first = nth_last(schedule, after, until, left);
        let Some(first) = first else {
            continue;
        };
        found = Some(first);
        let here = schedule.count_between(after, until, u64::from(left));
        left = left.saturating_sub(u32::try_from(here).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
    }
    found
}

/// Of the due instants in (`after`, `until`] the `count`-th from the end, or the first if there are fewer; `None` if there is none.
fn nth_last(
    schedule: &Schedule,
    after: Timestamp,
    until: Timestamp,
    count: u32,
) -> Option<Timestamp> {
    let mut found = last_until(schedule, until).filter(|due| *due > after)?;
    for _ in 1..count {
        match schedule.prev_before(found).filter(|due| *due > after) {
            Some(due) => found = due,
            None => break,
        }
    }
    Some(found)
}

/// The last due instant up to and including `until`.
pub(crate) fn last_until(schedule: &Schedule, until: Timestamp) -> Option<Timestamp> {
    if schedule.matches(until) {
        Some(until)
    } else {
        schedule.prev_before(until)
    }
}
