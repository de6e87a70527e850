//! Time in which nothing of a job starts: windows, and snooze.
//!
//! Whether a due instant is held is a pure function of the instant and of what was in force at it: so it is the same whenever
//! planning gets to it. A window holds due instants from its beginning until just before its end, and only those that came
//! after it was made and not after it was ended. Due instants that are held become a lapse with a reason, never a run.
//!
//! Windows may overlap; a job's own snooze comes first where both hold. Not here: runs that are planned already when a window
//! is made ([`crate::plan`] only decides what is not decided).

use std::time::Duration;

use jiff::Timestamp;

use crate::catch_up::last_until;
use crate::job::SpecError;
use crate::plan::{earlier, later};
use crate::run::Reason;
use crate::schedule::{Kind, Schedule};

/// Shortest and longest time that a window which comes again and again may last.
pub const LASTS_MIN: Duration = Duration::from_secs(60);
/// See [`LASTS_MIN`].
pub const LASTS_MAX: Duration = Duration::from_secs(31 * 86_400);
/// Longest time that a window which comes once, or a snooze, may last.
pub const ONCE_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Longest text that says what a window is for, in characters.
pub const REASON_LEN_MAX: usize = 200;

/// The smallest step between two instants.
const STEP: Duration = Duration::from_micros(1);
/// Beginnings of windows that one answer follows: what is held for longer is told in several answers.
const CHAIN_MAX: usize = 1_000;

/// When a window holds due instants.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowTime {
    /// Once.
    Once {
        /// From this instant on.
        from: Timestamp,
        /// Until just before this one, which is later.
        until: Timestamp,
    },
    /// Again and again.
    Recurring {
        /// When it begins.
        begins: Box<Schedule>,
        /// How long it lasts each time, [`LASTS_MIN`] to [`LASTS_MAX`].
        lasts: Duration,
    },
}

/// A window, and the time in which it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// When it holds due instants.
    pub time: WindowTime,
    /// When it was made: it holds only due instants after this.
    pub since: Timestamp,
    /// When it was ended or changed, if it was: it holds none after this.
    pub ended: Option<Timestamp>,
}

/// A job's own rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snooze {
    /// When somebody asked for it: it holds only due instants after this.
    pub since: Timestamp,
    /// Until just before this.
    pub until: Timestamp,
}

/// Everything that may hold due instants of one job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hold<'a> {
    /// Its snooze.
    pub snooze: Option<Snooze>,
    /// Windows of the job, of its group, and of the whole fleet.
    pub windows: &'a [&'a Window],
}

/// A stretch of time in which the same holds for every due instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its last instant.
    pub until: Timestamp,
    /// Why due instants are held; `None` if they are not.
    pub reason: Option<Reason>,
}

impl WindowTime {
    /// Checks the bounds. `now` is when the window is made or changed.
    ///
    /// # Errors
    /// [`SpecError`] with the field: a time is out of range, over already, or begins with the start of hosts.
    pub fn check(&self, now: Timestamp) -> Result<(), SpecError> {
        match self {
            Self::Once { from, until } => check_once(*from, *until, now),
            Self::Recurring { begins, lasts } => {
                if begins.kind() == Kind::Reboot {
                    return Err(SpecError {
                        field: "begins".to_owned(),
                        code: "window.reboot",
                        message: "a window cannot begin with the start of a host".to_owned(),
                        hint: "use a cron expression, such as 0 22 * * 5".to_owned(),
                    });
                }
                if (LASTS_MIN..=LASTS_MAX).contains(lasts) {
                    return Ok(());
                }
                Err(SpecError {
                    field: "lasts_ms".to_owned(),
                    code: "window.lasts",
                    message: format!("the window lasts {} ms", lasts.as_millis()),
                    hint: format!(
                        "use {} (1 minute) to {} (31 days)",
                        LASTS_MIN.as_millis(),
                        LASTS_MAX.as_millis()
                    ),
                })
            }
        }
    }

    /// The end of the time around `at` in which it holds due instants; `None` if it does not hold one there.
    fn holds_until(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, until } => (*from <= at && at < *until).then_some(*until),
            Self::Recurring { begins, lasts } => last_until(begins, at)
                .map(|begin| later(begin, *lasts))
                .filter(|end| at < *end),
        }
    }

    /// The first beginning after `at`.
    fn next_begin(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, .. } => (*from > at).then_some(*from),
            Self::Recurring { begins, .. } => begins.next_after(at),
        }
    }
}

fn check_once(from: Timestamp, until: Timestamp, now: Timestamp) -> Result<(), SpecError> {
    let wrong = |message: String, hint: String| {
        Err(SpecError {
            field: "until".to_owned(),
            code: "window.span",
            message,
            hint,
        })
    };
    if until <= from {
        return wrong(
            format!("the window ends at {until}, which is not after {from}, when it begins"),
            "choose a later one".to_owned(),
        );
    }
    if until <= now {
        return wrong(
            format!("the window is over already: it ends at {until}"),
            format!("choose one after {now}"),
        );
    }
    if until > later(from, ONCE_MAX) {
        return wrong(
            format!("the window lasts from {from} until {until}"),
            "let it last at most 366 days".to_owned(),
        );
    }
    Ok(())
}

impl Snooze {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`SpecError`]: the end is not after `since`, or more than [`ONCE_MAX`] later.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.since < self.until && self.until <= later(self.since, ONCE_MAX) {
            return Ok(());
        }
        Err(SpecError {
            field: "until".to_owned(),
            code: "job.snooze_until",
            message: format!("the job cannot be snoozed until {}", self.until),
            hint: format!(
                "choose an instant after {}, at most 366 days later",
                self.since
            ),
        })
    }
}

impl Window {
    /// The end of the time around `at` in which it holds due instants and is in force; `None` if it does not hold one there.
    pub fn holds_until(&self, at: Timestamp) -> Option<Timestamp> {
        let ended = self.ended.unwrap_or(Timestamp::MAX);
        let end = self.time.holds_until(at)?;
        (self.since < at && at <= ended).then(|| end.min(later(ended, STEP)))
    }

    /// The first instant after `at`, at which it does not hold due instants, from which on it does.
    pub fn next_begin(&self, at: Timestamp) -> Option<Timestamp> {
        let first = later(at.max(self.since), STEP);
        let begin = if self.time.holds_until(first).is_some() {
            first
        } else {
            self.time.next_begin(first)?
        };
        self.ended
            .is_none_or(|ended| begin <= ended)
            .then_some(begin)
    }

    /// From when on it holds nothing any more; `None` if it may come again for ever.
    pub fn over_at(&self) -> Option<Timestamp> {
        let over = match &self.time {
            WindowTime::Once { until, .. } => Some(*until),
            WindowTime::Recurring { .. } => None,
        };
        match (over, self.ended.map(|ended| later(ended, STEP))) {
            (Some(over), Some(ended)) => Some(over.min(ended)),
            (over, ended) => over.or(ended),
        }
    }

    /// Whether it holds anything in (`after`, `until`].
    pub fn touches(&self, after: Timestamp, until: Timestamp) -> bool {
        self.holds_until(later(after, STEP)).is_some()
            || self.next_begin(after).is_some_and(|begin| begin <= until)
    }
}

impl Hold<'_> {
    /// Why a due instant is held; `None` if it is not.
    pub fn reason_at(&self, due: Timestamp) -> Option<Reason> {
        if self.snooze_end(due).is_some() {
            Some(Reason::Snoozed)
        } else {
            self.window_end(due).map(|_| Reason::Frozen)
        }
    }

    /// Until when due instants around `at` are held, whatever for; `None` if one at `at` is not.
    pub fn until(&self, at: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        for _ in 0..CHAIN_MAX {
            let here = end.unwrap_or(at);
            match self.snooze_end(here).max(self.window_end(here)) {
                Some(next) => end = Some(next),
                None => break,
            }
        }
        end
    }

    /// The stretch that begins after `after`, as far as `limit`, which is later. The next one may have the same answer.
    pub fn stretch(&self, after: Timestamp, limit: Timestamp) -> Stretch {
        let first = later(after, STEP);
        let (reason, end) = if let Some(end) = self.snooze_end(first) {
            (Some(Reason::Snoozed), Some(end))
        } else if let Some(end) = self.window_chain(first, limit) {
            let snoozed = self.snooze_begin(after);
            (Some(Reason::Frozen), Some(end.min(snoozed.unwrap_or(end))))
        } else {
            let begins = self.windows.iter().map(|window| window.next_begin(after));
            let begins = begins.chain([self.snooze_begin(after)]).flatten();
            (None, begins.min())
        };
        Stretch {
            until: end.map_or(limit, |end| earlier(end, STEP).min(limit)),
            reason,
        }
    }

    /// The first due instant after `after` that is not held; `None` if there is none, or none in sight.
    pub fn next_free(&self, schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..CHAIN_MAX {
            let due = schedule.next_after(after)?;
            match self.until(due) {
                None => return Some(due),
                Some(end) => after = earlier(end, STEP),
            }
        }
        None
    }

    fn snooze_end(&self, at: Timestamp) -> Option<Timestamp> {
        let snooze = self.snooze?;
        (snooze.since < at && at < snooze.until).then_some(snooze.until)
    }

    fn snooze_begin(&self, after: Timestamp) -> Option<Timestamp> {
        let snooze = self.snooze?;
        let begin = later(snooze.since, STEP);
        (begin > after && begin < snooze.until).then_some(begin)
    }

    /// The latest end of the windows that hold `at`.
    fn window_end(&self, at: Timestamp) -> Option<Timestamp> {
        let ends = self.windows.iter().map(|window| window.holds_until(at));
        ends.flatten().max()
    }

    /// The end of the windows that hold `at`, and of those that take over from them, as far as `limit`.
    fn window_chain(&self, at: Timestamp, limit: Timestamp) -> Option<Timestamp> {
        let mut end = self.window_end(at)?;
        for _ in 0..CHAIN_MAX {
            match self.window_end(end).filter(|_| end <= limit) {
                Some(next) => end = next,
                None => break,
            }
        }
        Some(end)
    }
}
