//! A schedule that follows a calendar: what is due on which days.
//!
//! A day is what clocks of the zone show, except that it never comes back: times that clocks show again belong to the day that
//! has begun. So days are stretches of time one after the other, and each due instant belongs to one.
//!
//! With [`CalendarMode::ShiftNext`] a day that is in has, beside its own due instants, those of the days before it that are
//! not, at the same times of day; with [`CalendarMode::ShiftPrevious`] those of the days after it. Several that come to the same
//! instant are one. Times that clocks skip on a day that lends them are lent as they were asked for, not as they were moved.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::Plan;
use super::calendar::{DAY_SECONDS, date_of, day_number};
use super::cron::{at_second, floor_second};
use super::pattern::Steps;
use super::zone::{Zone, horizon};
use crate::calendar::{CalendarMode, CalendarRule};

/// Days looked at for one that is in. A calendar without any for longer has only those that it names.
const DAYS_WITHOUT_MAX: i64 = 1_100;

/// Stretches looked at for one due instant: more than there are days until 2199.
const STRETCHES_MAX: u32 = 90_000;

/// Most due instants of one day that can be shifted to another.
pub(super) const SHIFTED_PER_DAY_MAX: u64 = 24;

/// What is not due because of a calendar, on days one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The first instant.
    pub first: Timestamp,
    /// The last instant.
    pub last: Timestamp,
    /// How many there are.
    pub count: u64,
}

/// A plan, a zone and a calendar.
#[derive(Clone, Copy)]
pub(super) struct OnDays<'a> {
    pub(super) plan: &'a Plan,
    pub(super) zone: &'a Zone,
    pub(super) rule: &'a CalendarRule,
}

impl OnDays<'_> {
    /// The first due instant strictly after `t`.
    pub(super) fn next_after(&self, t: Timestamp, steps: &mut Steps) -> Option<Timestamp> {
        let mut day = self.first_in_from(self.day_at(t))?;
        for _ in 0..STRETCHES_MAX {
            *steps += 1;
            let first = self.before_day(self.block(day).0);
            let from = if self.rule.is_shifting() {
                first
            } else {
                first.max(t)
            };
            let due = self.plan.next_after(self.zone, from, steps)?;
            let home = self.home_from(self.day_at(due))?;
            if home > day {
                day = home;
                continue;
            }
            if let Some(due) = self.first_on(day, t) {
                return Some(due);
            }
            day = self.first_in_from(day + 1)?;
        }
        None
    }

    /// The last due instant strictly before `t`.
    pub(super) fn prev_before(&self, t: Timestamp) -> Option<Timestamp> {
        let mut day = self.last_in_until(self.day_at(t))?;
        for _ in 0..STRETCHES_MAX {
            let (_, last) = self.block(day);
            let end = self.day_start(last + 1)?;
            let due = self.plan.prev_before(self.zone, end)?;
            let home = self.home_until(self.day_at(due))?;
            if home < day {
                day = home;
                continue;
            }
            if let Some(due) = self.last_on(day, t) {
                return Some(due);
            }
            day = self.last_in_until(day - 1)?;
        }
        None
    }

    /// How many due instants there are in (`after`, `until`], or `max` if that is less.
    pub(super) fn count(&self, after: Timestamp, until: Timestamp, max: u64) -> u64 {
        if self.rule.is_shifting() {
            let next = |t| self.next_after(t, &mut 0).filter(|due| *due <= until);
            return std::iter::successors(next(after), |due| next(*due))
                .take(usize::try_from(max).unwrap_or(usize::MAX))
                .count() as u64;
        }
        let mut count = 0;
        let (begin, end) = horizon();
        let mut day = self.day_at(after).max(begin.div_euclid(DAY_SECONDS));
        let last = self.day_at(until).min(end.div_euclid(DAY_SECONDS));
        while day <= last && count < max {
            let Some(first) = self.first_in_from(day).filter(|first| *first <= last) else {
                break;
            };
            day = self.first_out_after(first, last);
            let from = self.before_day(first).max(after);
            let to = self.before_day(day).min(until);
            if from < to {
                count += self.plan.count(self.zone, from, to, max - count);
            }
        }
        count
    }

    /// Whether `t` is a due instant.
    pub(super) fn matches(&self, t: Timestamp) -> bool {
        if self.rule.is_shifting() {
            self.all_on(self.day_at(t)).contains(&t) && self.contains(self.day_at(t))
        } else {
            self.plan.matches(self.zone, t) && self.contains(self.day_at(t))
        }
    }

    /// Whether the day of an instant, in seconds, is in.
    pub(super) fn is_in_at(&self, second: i64) -> bool {
        self.contains(self.zone.shown(second).div_euclid(DAY_SECONDS))
    }

    /// What the plan asks for in (`after`, `until`] on days that are not in.
    pub(super) fn left_out(&self, after: Timestamp, until: Timestamp) -> Vec<LeftOut> {
        let mut found = Vec::new();
        let mut t = after;
        while let Some(first) = self.plan.next_after(self.zone, t, &mut 0)
            && first <= until
        {
            let day = self.day_at(first);
            if self.contains(day) {
                let out = (day + 1..day + DAYS_WITHOUT_MAX).find(|day| !self.contains(*day));
                let Some(out) = out else { break };
                t = self.before_day(out);
                continue;
            }
            let last_day = self
                .first_in_from(day)
                .map_or(day + DAYS_WITHOUT_MAX, |day| day - 1);
            let end = self.before_day(last_day + 1).min(until);
            found.push(LeftOut {
                first,
                last: self
                    .plan
                    .prev_before(self.zone, just_after(end))
                    .unwrap_or(first),
                count: self.plan.count(self.zone, t, end, u64::MAX),
            });
            t = end;
        }
        found
    }

    /// What is due on a day that is in, after `t`.
    fn first_on(&self, day: i64, t: Timestamp) -> Option<Timestamp> {
        if self.rule.is_shifting() {
            return self.all_on(day).into_iter().find(|due| *due > t);
        }
        let due = self
            .plan
            .next_after(self.zone, t.max(self.before_day(day)), &mut 0)?;
        (self.day_at(due) == day).then_some(due)
    }

    /// What is due on a day that is in, before `t`.
    fn last_on(&self, day: i64, t: Timestamp) -> Option<Timestamp> {
        if self.rule.is_shifting() {
            return self.all_on(day).into_iter().rfind(|due| *due < t);
        }
        let due = self
            .plan
            .prev_before(self.zone, t.min(self.day_start(day + 1)?))?;
        (self.day_at(due) == day).then_some(due)
    }

    /// All that is due on a day, with what is shifted to it, in order.
    fn all_on(&self, day: i64) -> Vec<Timestamp> {
        let (first, last) = self.block(day);
        let mut all = Vec::new();
        for lender in first..=last {
            let end = self.before_day(lender + 1);
            let mut t = self.before_day(lender);
            // A day on which clocks go back may have more of them than others.
            for _ in 0..2 * SHIFTED_PER_DAY_MAX {
                let Some(due) = self
                    .plan
                    .next_after(self.zone, t, &mut 0)
                    .filter(|due| *due <= end)
                else {
                    break;
                };
                if lender == day {
                    all.push(due);
                } else {
                    let times = self.times_of(due).into_iter();
                    all.extend(
                        times.filter_map(|local| {
                            self.at_day(due, local - lender * DAY_SECONDS, day)
                        }),
                    );
                }
                t = due;
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The local times that a due instant stands for: several if clocks skipped them.
    fn times_of(&self, due: Timestamp) -> Vec<i64> {
        let second = floor_second(due);
        let shown = second + self.zone.offset_at(second);
        match self.plan {
            Plan::Cron(cron) => cron.walk(self.zone).times_of_gap_before(second),
            Plan::Every(_) | Plan::At(_) | Plan::Reboot => None,
        }
        .unwrap_or_else(|| vec![shown])
    }

    /// The instant of a day at a time of day, in seconds, with the fraction of another instant.
    fn at_day(&self, due: Timestamp, time: i64, day: i64) -> Option<Timestamp> {
        let fraction = due.duration_since(at_second(floor_second(due))?);
        let time = time.clamp(0, DAY_SECONDS - 1);
        at_second(self.zone.at_local(day * DAY_SECONDS + time))?
            .checked_add(fraction)
            .ok()
    }

    /// The days whose due instants come to this one, which is in.
    fn block(&self, day: i64) -> (i64, i64) {
        match self.rule.mode {
            CalendarMode::Include | CalendarMode::Exclude => (day, day),
            CalendarMode::ShiftNext => {
                let most = day - DAYS_WITHOUT_MAX;
                let before = self.last_in_until(day - 1).unwrap_or(most).max(most);
                (before + 1, day)
            }
            CalendarMode::ShiftPrevious => {
                let most = day + DAYS_WITHOUT_MAX;
                let after = self.first_in_from(day + 1).unwrap_or(most).min(most);
                (day, after - 1)
            }
        }
    }

    /// The day that is in on which a day's due instants come, or the first one after it.
    fn home_from(&self, day: i64) -> Option<i64> {
        match self.rule.mode {
            CalendarMode::ShiftPrevious => self.last_in_until(day),
            CalendarMode::Include | CalendarMode::Exclude | CalendarMode::ShiftNext => {
                self.first_in_from(day)
            }
        }
    }

    /// The day that is in on which a day's due instants come, or the last one before it.
    fn home_until(&self, day: i64) -> Option<i64> {
        match self.rule.mode {
            CalendarMode::ShiftNext => self.first_in_from(day),
            CalendarMode::Include | CalendarMode::Exclude | CalendarMode::ShiftPrevious => {
                self.last_in_until(day)
            }
        }
    }

    fn first_in_from(&self, day: i64) -> Option<i64> {
        (day..day + DAYS_WITHOUT_MAX)
            .find(|day| self.contains(*day))
            .or_else(|| self.first_named_from(day + DAYS_WITHOUT_MAX))
    }

    fn last_in_until(&self, day: i64) -> Option<i64> {
        (day - DAYS_WITHOUT_MAX..=day)
            .rev()
            .find(|day| self.contains(*day))
            .or_else(|| self.last_named_until(day - DAYS_WITHOUT_MAX))
    }

    /// The first day that is in from a day on before which none is for years: days of the week bring none, so it is one that is
    /// named.
    fn first_named_from(&self, day: i64) -> Option<i64> {
        let named = self.rule.calendar.named_after(civil(day - 1)?);
        named
            .filter(|date| self.rule.is_in(*date))
            .min()
            .map(number)
    }

    /// The last day that is in up to a day after which none is for years.
    fn last_named_until(&self, day: i64) -> Option<i64> {
        let named = self.rule.calendar.named_before(civil(day + 1)?);
        named
            .filter(|date| self.rule.is_in(*date))
            .max()
            .map(number)
    }

    /// The first day after `day` that is not in, or the one after `last`.
    fn first_out_after(&self, day: i64, last: i64) -> i64 {
        (day + 1..=last)
            .find(|day| !self.contains(*day))
            .unwrap_or(last + 1)
    }

    fn contains(&self, day: i64) -> bool {
        civil(day).is_some_and(|date| self.rule.is_in(date))
    }

    fn day_at(&self, t: Timestamp) -> i64 {
        self.zone.shown(floor_second(t)).div_euclid(DAY_SECONDS)
    }

    fn day_start(&self, day: i64) -> Option<Timestamp> {
        at_second(self.zone.at_local(day * DAY_SECONDS))
    }

    /// The last instant before a day.
    fn before_day(&self, day: i64) -> Timestamp {
        self.day_start(day)
            .and_then(|start| start.checked_sub(SignedDuration::from_nanos(1)).ok())
            .unwrap_or(Timestamp::MIN)
    }
}

fn just_after(t: Timestamp) -> Timestamp {
    t.checked_add(SignedDuration::from_nanos(1)).unwrap_or(t)
}

fn number(date: Date) -> i64 {
    day_number(
        date.year().into(),
        date.month().unsigned_abs().into(),
        date.day().unsigned_abs().into(),
    )
}

fn civil(day: i64) -> Option<Date> {
    let date = date_of(day);
    Date::new(date.year as i16, date.month as i8, date.day as i8).ok()
}
