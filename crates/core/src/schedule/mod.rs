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
//! overlapping runs, and jitter.
//! `on_days` then follows a calendar, and `active` bounds the whole.

mod active;
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
mod on_days;
mod parse;
mod pattern;
mod piece;
mod refusal;
mod spread;
mod spreading;
mod walk;
mod warning;
mod zone;

use std::sync::Arc;

use jiff::{Span, Timestamp};

pub use self::active::ActiveSpan;
pub use self::describe::Language;
pub use self::dst::{
    ClockChange, ClockChangeEffect, DstChange, DstEffect, DstNote, DstPolicy, GapPolicy,
    OverlapPolicy,
};
pub use self::error::{ErrorCode, Field, ScheduleError};
pub use self::on_days::LeftOut;
pub use self::parse::TEXT_LEN_MAX;
pub use self::spreading::{Spreading, spreading};
pub use self::warning::Warning;
pub use self::zone::{bundled_zone, time_zone_database_version, time_zone_names};

use self::cron::Cron;
use self::every::Every;
use self::on_days::OnDays;
use self::pattern::Steps;
use self::zone::Zone;
use crate::calendar::CalendarRule;

/// The due instants of a job, as a pure function of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    plan: Plan,
    zone: Arc<Zone>,
    active: ActiveSpan,
    calendar: Option<CalendarRule>,
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

    /// The same schedule, due only within a span of time.
    #[must_use]
    pub fn within(self, active: ActiveSpan) -> Schedule {
        Schedule { active, ..self }
    }

    /// The same schedule, due only as a calendar has it.
    #[must_use]
    pub fn with_calendar(self, calendar: Option<CalendarRule>) -> Schedule {
        Schedule { calendar, ..self }
    }

    /// Whether it is due so often that what falls on a day that does not count cannot be shifted to another.
    pub fn is_too_dense_to_shift(&self) -> bool {
        let per_day = match &self.plan {
            Plan::Cron(cron) => cron.pattern.times_per_day(),
            Plan::Every(every) => every.times_per_day(),
            Plan::At(_) | Plan::Reboot => 1,
        };
        per_day > on_days::SHIFTED_PER_DAY_MAX
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
        let (t, last) = self.active.clip(t, Timestamp::MAX);
        let next = match self.on_days() {
            Some(on_days) => on_days.next_after(t, &mut steps),
            None => self.plan.next_after(&self.zone, t, &mut steps),
        };
        (next.filter(|next| *next <= last), steps)
    }

    /// The last due instant strictly before `t`. `None`: there is none, or [`Kind::Reboot`].
    pub fn prev_before(&self, t: Timestamp) -> Option<Timestamp> {
        let t = self.active.until.map_or(t, |until| until.min(t));
        let previous = match self.on_days() {
            Some(on_days) => on_days.prev_before(t),
            None => self.plan.prev_before(&self.zone, t),
        };
        previous.filter(|previous| self.active.contains(*previous))
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
        let (after, until_inclusive) = self.active.clip(after, until_inclusive);
        if until_inclusive <= after {
            return 0;
        }
        match self.on_days() {
            Some(on_days) => on_days.count(after, until_inclusive, max),
            None => self.plan.count(&self.zone, after, until_inclusive, max),
        }
    }

    /// Whether `t` is a due instant.
    pub fn matches(&self, t: Timestamp) -> bool {
        if !self.active.contains(t) {
            return false;
        }
        match self.on_days() {
            Some(on_days) => on_days.matches(t),
            None => self.plan.matches(&self.zone, t),
        }
    }

    /// The normalised text, with `H` resolved and without the zone. Two schedules with the same canonical text, zone,
    /// behaviour when clocks change and span are equal, and it parses to the same schedule.
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

    /// The changes of clocks in (`after`, `until_inclusive`] that make a difference to a cron expression, oldest first.
    pub fn clock_changes(&self, after: Timestamp, until_inclusive: Timestamp) -> Vec<ClockChange> {
        let (after, until_inclusive) = self.active.clip(after, until_inclusive);
        dst::clock_changes(self, after, until_inclusive)
    }

    /// What would be due in (`after`, `until_inclusive`] and is not, because it falls on days on which the calendar leaves it out
    /// or from which it is shifted; one entry for such days one after the other, oldest first.
    pub fn left_out(&self, after: Timestamp, until_inclusive: Timestamp) -> Vec<LeftOut> {
        let (after, until_inclusive) = self.active.clip(after, until_inclusive);
        self.on_days()
            .map(|on_days| on_days.left_out(after, until_inclusive))
            .unwrap_or_default()
    }

    /// Warns if the dates of the calendar are not known for a whole year from `from` on.
    pub fn calendar_ends(&self, from: Timestamp) -> Option<Warning> {
        let rule = self.calendar.as_ref()?;
        let until = rule.calendar.known_until?;
        let year_later = self
            .zone
            .tz()
            .to_datetime(from)
            .date()
            .checked_add(Span::new().years(1))
            .ok()?;
        (until < year_later).then_some(Warning::CalendarEnds { until })
    }

    /// Whether the calendar lets anything be due on the day of an instant, in seconds.
    fn is_on_day_of(&self, second: i64) -> bool {
        self.on_days()
            .is_none_or(|on_days| on_days.is_in_at(second))
    }

    fn on_days(&self) -> Option<OnDays<'_>> {
        self.calendar.as_ref().map(|rule| OnDays {
            plan: &self.plan,
            zone: &self.zone,
            rule,
        })
    }
}

impl Plan {
    fn next_after(&self, zone: &Zone, t: Timestamp, steps: &mut Steps) -> Option<Timestamp> {
        match self {
            Plan::Cron(cron) => cron.next_after(zone, t, steps),
            Plan::Every(every) => every.next_after(t),
            Plan::At(at) => Some(*at).filter(|at| *at > t),
            Plan::Reboot => None,
        }
    }

    fn prev_before(&self, zone: &Zone, t: Timestamp) -> Option<Timestamp> {
        match self {
            Plan::Cron(cron) => cron.prev_before(zone, t),
            Plan::Every(every) => every.prev_before(t),
            Plan::At(at) => Some(*at).filter(|at| *at < t),
            Plan::Reboot => None,
        }
    }

    fn count(&self, zone: &Zone, after: Timestamp, until_inclusive: Timestamp, max: u64) -> u64 {
        match self {
            Plan::Cron(cron) => cron.count(zone, after, until_inclusive, max),
            Plan::Every(every) => every.count(after, until_inclusive).min(max),
            Plan::At(at) => u64::from(after < *at && *at <= until_inclusive).min(max),
            Plan::Reboot => 0,
        }
    }

    fn matches(&self, zone: &Zone, t: Timestamp) -> bool {
        match self {
            Plan::Cron(cron) => cron.matches(zone, t),
            Plan::Every(every) => every.matches(t),
            Plan::At(at) => *at == t,
            Plan::Reboot => false,
        }
    }
}
