//! When jobs are due: cron expressions, intervals, one-off instants.
//!
//! A [`Schedule`] is made once from text and then answers questions about instants. It is a pure value: it reads no
//! clock, draws no random number and opens no file. Everything it says follows from the text, the zone, the job's id
//! (for `H`) and the bundled time zone database. `docs/schedules.md` is the rule text for users.
//!
//! What holds for every schedule:
//! - [`Schedule::next_after`] strictly increases and never leaves out or repeats an instant of [`Schedule::matches`];
//! - every answer takes a bounded number of steps, whatever the text and the zone
//!   ([`Schedule::next_after_counted`] says how many);
//! - instants lie between the local years 1970 and 2199.
//!
//! How it works: `parse` turns text into bit masks (`pattern`, `days`), `pattern` searches local times, `walk` maps
//! them to instants over the constant-offset segments of a `zone`. Not here: what to do with late, missed or
//! overlapping runs, calendars of holidays, and jitter.

mod at;
mod calendar;
mod canonical;
mod cron;
mod days;
mod describe;
mod dst;
mod error;
mod every;
mod field;
mod field_spec;
mod parse;
mod pattern;
mod piece;
mod refusal;
mod spread;
mod walk;
mod warning;
mod zone;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::describe::Language;
pub use self::dst::{DstChange, DstEffect, DstNote, DstPolicy, GapPolicy, OverlapPolicy};
pub use self::error::{ErrorCode, Field, ScheduleError};
pub use self::parse::TEXT_LEN_MAX;
pub use self::warning::Warning;
pub use self::zone::{time_zone_database_version, time_zone_names};

use self::cron::Cron;
use self::every::Every;
use self::pattern::Steps;
use self::zone::Zone;

/// The due instants of a job, as a pure function of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    plan: Plan,
    zone: Arc<Zone>,
}

#[derive(Clone, Debug, PartialEq)]
enum Plan {
    Cron(Cron),
    Every(Every),
    At(Timestamp),
    Reboot,
}

/// What a schedule text is read with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// IANA name of the time zone, unless the text has a `CRON_TZ=` prefix.
    pub zone: &'a str,
    /// The job's id, which decides what `H` means.
    pub spread: u128,
}

/// The kinds of schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A cron expression or a macro that stands for one.
    Cron,
    /// `@every`: a fixed interval.
    Every,
    /// `@at`: a single instant.
    At,
    /// `@reboot`: once per boot of the agent's host; has no instants of its own.
    Reboot,
}

impl Schedule {
    /// Reads the text of a schedule.
    ///
    /// An `@at` in the past, or a cron expression whose years have passed, is accepted: there is no clock here. Ask
    /// [`Schedule::next_after`] before saving a job.
    ///
    /// # Errors
    /// [`ScheduleError`] with code, field, column and hint for every text that is not exactly one schedule, for a
    /// zone that does not exist, and for a pattern that never runs before the year 2200.
    pub fn parse(text: &str, context: &Context<'_>) -> Result<Schedule, ScheduleError> {
        parse::parse(text, context)
    }

    /// The same schedule with another behaviour on days on which clocks change. Only cron expressions have any.
    #[must_use]
    pub fn with_dst_policy(mut self, policy: DstPolicy) -> Schedule {
        if let Plan::Cron(cron) = &mut self.plan {
            *cron = cron.with_rule(policy.rule(&cron.pattern), &self.zone);
        }
        self
    }

    /// What kind of schedule this is.
    pub fn kind(&self) -> Kind {
        match self.plan {
            Plan::Cron(_) => Kind::Cron,
            Plan::Every(_) => Kind::Every,
            Plan::At(_) => Kind::At,
            Plan::Reboot => Kind::Reboot,
        }
    }

    /// The first due instant strictly after `t`. `None`: never again, or [`Kind::Reboot`].
    pub fn next_after(&self, t: Timestamp) -> Option<Timestamp> {
        self.next_after_counted(t).0
    }

    /// [`Schedule::next_after`] and the number of segments and months it looked at, which bounds its time.
    pub fn next_after_counted(&self, t: Timestamp) -> (Option<Timestamp>, u32) {
        let mut steps: Steps = 0;
        let next = match &self.plan {
            Plan::Cron(cron) => cron.next_after(&self.zone, t, &mut steps),
            Plan::Every(every) => every.next_after(t),
            Plan::At(at) => Some(*at).filter(|at| *at > t),
            Plan::Reboot => None,
        };
        (next, steps)
    }

    /// The last due instant strictly before `t`. `None`: there is none, or [`Kind::Reboot`].
    pub fn prev_before(&self, t: Timestamp) -> Option<Timestamp> {
        match &self.plan {
            Plan::Cron(cron) => cron.prev_before(&self.zone, t),
            Plan::Every(every) => every.prev_before(t),
            Plan::At(at) => Some(*at).filter(|at| *at < t),
            Plan::Reboot => None,
        }
    }

    /// The due instants in `(after, until_inclusive]`, oldest first, at most `max` of them.
    pub fn between(
        &self,
        after: Timestamp,
        until_inclusive: Timestamp,
        max: usize,
    ) -> Vec<Timestamp> {
        let next = |from: Timestamp| {
            self.next_after(from)
                .filter(|next| *next <= until_inclusive)
        };
        std::iter::successors(next(after), |last| next(*last))
            .take(max)
            .collect()
    }

    /// How many due instants there are in `(after, until_inclusive]`; `max` if there are that many or more.
    ///
    /// Counts by arithmetic, not one by one: a year of a per-second schedule costs no more than a month of a daily one.
    pub fn count_between(&self, after: Timestamp, until_inclusive: Timestamp, max: u64) -> u64 {
        if until_inclusive <= after {
            return 0;
        }
        match &self.plan {
            Plan::Cron(cron) => cron.count(&self.zone, after, until_inclusive, max),
            Plan::Every(every) => every.count(after, until_inclusive).min(max),
            Plan::At(at) => u64::from(after < *at && *at <= until_inclusive).min(max),
            Plan::Reboot => 0,
        }
    }

    /// Whether `t` is a due instant.
    pub fn matches(&self, t: Timestamp) -> bool {
        match &self.plan {
            Plan::Cron(cron) => cron.matches(&self.zone, t),
            Plan::Every(every) => every.matches(t),
            Plan::At(at) => *at == t,
            Plan::Reboot => false,
        }
    }

    /// The normalised text, with `H` resolved and without the zone. Two schedules with the same canonical text and
    /// the same zone are equal, and it parses to the same schedule.
    pub fn canonical(&self) -> String {
        canonical::canonical(self)
    }

    /// One exact sentence for people, such as `Every day at 02:30 (Asia/Shanghai)`.
    pub fn describe(&self, language: Language) -> String {
        describe::describe(self, language)
    }

    /// What somebody who wrote this schedule may not have meant. All of it is allowed.
    pub fn warnings(&self) -> Vec<Warning> {
        warning::warnings(self)
    }

    /// The IANA name of the zone in which the schedule is read.
    pub fn zone_name(&self) -> &str {
        self.zone.name()
    }

    /// Whether the due instant `t` falls on a local day on which clocks change, and what that does to it.
    /// Always `None` for [`Kind::Every`], which no zone touches.
    pub fn dst_notes(&self, t: Timestamp) -> Option<DstNote> {
        dst::note(self, t)
    }
}
