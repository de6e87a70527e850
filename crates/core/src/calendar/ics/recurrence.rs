//! RRULE: the days of an event that comes again.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::lines::Line;
use super::value::{self, Moment};
use super::{DATES, DAYS_MAX, IcsError, IcsMistake};
use crate::schedule::bundled_zone;

/// Most days that are looked at for one file.
pub(super) const STEPS_MAX: u32 = 3_000_000;

/// How often something comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    frequency: Frequency,
    interval: i32,
    count: Option<u32>,
    until: Option<Moment>,
    /// Days of the week, with their number in the month or year; 0: each of them.
    by_day: Vec<(i32, Weekday)>,
    by_month_day: Vec<i32>,
    by_month: Vec<i8>,
    by_set_pos: Vec<i32>,
    week_start: Weekday,
}

impl Rule {
    /// Reads the rule of an event that begins at `first`, as line `start` says.
    pub(super) fn read(
        line: &Line,
        start: &Line,
        first: Moment,
        zone: Option<&TimeZone>,
    ) -> Result<Self, IcsError> {
        let mut rule = Self {
            frequency: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
        };
        let mut seen: Vec<String> = Vec::new();
        for part in line.value.trim().trim_end_matches(';').split(';') {
            let (name, text) = part
                .split_once('=')
                .ok_or_else(|| line.wrong(part, "a part such as FREQ=YEARLY"))?;
            let name = name.trim().to_ascii_uppercase();
            if seen.contains(&name) {
                return Err(line.fail(IcsMistake::Twice));
            }
            let text = text.trim().to_ascii_uppercase();
            rule.take(line, &name, &text)?;
            if name == "UNTIL" {
                rule.until = Some(until(line, &text, start, first, zone)?);
            }
            seen.push(name);
        }
        if !seen.iter().any(|name| name == "FREQ") {
            return Err(line.value_error("a rule with FREQ"));
        }
        if rule.count.is_some() && rule.until.is_some() {
            return Err(line.value_error("a rule with either COUNT or UNTIL"));
        }
        rule.check(line)?;
        Ok(rule)
    }

    fn take(&mut self, line: &Line, name: &str, text: &str) -> Result<(), IcsError> {
        let numbers = |least: i32, most: i32, expected| {
            let read = |text: &str| {
                let number = text.parse::<i32>().ok();
                let is_good = |number: &i32| (least..=most).contains(number) && *number != 0;
                number
                    .filter(is_good)
                    .ok_or_else(|| line.wrong(text, expected))
            };
            text.split(',').map(read).collect::<Result<Vec<i32>, _>>()
        };
        let number = |most: i32, expected| {
            let number = text.parse::<i32>().ok();
            let is_good = |number: &i32| (1..=most).contains(number);
            number
                .filter(is_good)
                .ok_or_else(|| line.wrong(text, expected))
        };
        match name {
            "FREQ" => {
                self.frequency = match text {
                    "DAILY" => Frequency::Daily,
                    "WEEKLY" => Frequency::Weekly,
                    "MONTHLY" => Frequency::Monthly,
                    "YEARLY" => Frequency::Yearly,
                    _ => return Err(unsupported(line, format!("FREQ={text}"))),
                };
            }
            "INTERVAL" => self.interval = number(10_000, "a number from 1 to 10000")?,
            "COUNT" => {
                let count = number(1_000_000, "a number from 1 to 1000000")?;
                self.count = Some(count.unsigned_abs());
            }
            "UNTIL" => {}
            "BYMONTH" => {
                let months = numbers(1, 12, "a month from 1 to 12")?;
                self.by_month = months.into_iter().map(|month| month as i8).collect();
            }
            "BYMONTHDAY" => {
                self.by_month_day = numbers(-31, 31, "a day from 1 to 31 or -31 to -1")?;
            }
            "BYSETPOS" => {
                self.by_set_pos = numbers(-366, 366, "a number from 1 to 366 or -366 to -1")?;
            }
            "BYDAY" => {
                let days = text.split(',').map(|text| day(line, text));
                self.by_day = days.collect::<Result<_, _>>()?;
            }
            "WKST" => self.week_start = weekday(text).ok_or_else(|| line.wrong(text, DAY))?,
            _ => return Err(unsupported(line, format!("{name}={text}"))),
        }
        Ok(())
    }

    /// Refuses what other programs read in different ways, or not at all.
    fn check(&self, line: &Line) -> Result<(), IcsError> {
        let has_numbers = self.by_day.iter().any(|(number, _)| *number != 0);
        let is_short = matches!(self.frequency, Frequency::Daily | Frequency::Weekly);
        let refused = [
            (
                is_short && has_numbers,
                "BYDAY with a number and FREQ=DAILY or WEEKLY",
            ),
            (
                self.frequency == Frequency::Weekly && !self.by_month_day.is_empty(),
                "BYMONTHDAY with FREQ=WEEKLY",
            ),
            (
                has_numbers && !self.by_month_day.is_empty(),
                "BYDAY with a number and BYMONTHDAY",
            ),
            (
                is_short && !self.by_set_pos.is_empty(),
                "BYSETPOS with FREQ=DAILY or WEEKLY",
            ),
        ];
        match refused.iter().find(|(is_refused, _)| *is_refused) {
            Some((_, what)) => Err(unsupported(line, (*what).to_owned())),
            None => Ok(()),
        }
    }

    /// Adds the first day of each occurrence until the end of the last year that a calendar has.
    pub(super) fn expand(
        &self,
        line: &Line,
        first: Moment,
        steps: &mut u32,
        into: &mut BTreeSet<Date>,
    ) -> Result<(), IcsError> {
        let begin = first.date();
        let mut count = 0;
        for period in 0.. {
            let Some(start) = self.period(begin, period) else {
                return Ok(());
            };
            if start > DATES.1 {
                return Ok(());
            }
            for date in self.days(begin, start, steps) {
                if date < begin {
                    continue;
                }
                if count == 0 && date != begin {
                    return Err(line.fail(IcsMistake::NotInStep { first: begin }));
                }
                if self.is_over(date, first, count) || date > DATES.1 {
                    return Ok(());
                }
                count += 1;
                into.insert(date);
            }
            *steps += 1;
            if *steps > STEPS_MAX {
                return Err(line.fail(IcsMistake::TooLaborious));
            }
            if into.len() > DAYS_MAX * 10 {
                return Err(line.fail(IcsMistake::TooMany));
            }
        }
        Ok(())
    }

    fn is_over(&self, date: Date, first: Moment, count: u32) -> bool {
        let is_after = |until: Moment| match (until, first) {
            (Moment::Day(until), _) => date > until,
            (Moment::Time(until), Moment::Time(first)) => {
                DateTime::from_parts(date, first.time()) > until
            }
            (Moment::Time(until), Moment::Day(_)) => date > until.date(),
        };
        self.count.is_some_and(|most| count >= most) || self.until.is_some_and(is_after)
    }

    /// The first day of the period with this number.
    fn period(&self, begin: Date, number: i32) -> Option<Date> {
        let by = number.checked_mul(self.interval)?;
        let (from, span) = match self.frequency {
            Frequency::Daily => (begin, Span::new().try_days(by)),
            Frequency::Weekly => {
                let into_week = begin.weekday().since(self.week_start);
                let week = begin.checked_sub(i32::from(into_week).days()).ok()?;
                (week, Span::new().try_weeks(by))
            }
            Frequency::Monthly => (begin.first_of_month(), Span::new().try_months(by)),
            Frequency::Yearly => (begin.first_of_year(), Span::new().try_years(by)),
        };
        from.checked_add(span.ok()?).ok()
    }

    /// The days of a period, in order.
    fn days(&self, begin: Date, start: Date, steps: &mut u32) -> Vec<Date> {
        let end = match self.frequency {
            Frequency::Daily => start,
            Frequency::Weekly => start.saturating_add(6.days()),
            Frequency::Monthly => start.last_of_month(),
            Frequency::Yearly => start.last_of_year(),
        };
        let mut days: Vec<Date> = start
            .series(1.day())
            .take_while(|date| *date <= end)
            .inspect(|_| *steps += 1)
            .filter(|date| self.asks_for(begin, *date))
            .collect();
        if !self.by_set_pos.is_empty() {
            let len = days.len() as i32;
            let is_chosen = |place: i32| {
                let chosen = &self.by_set_pos;
                chosen.contains(&(place + 1)) || chosen.contains(&(place - len))
            };
            let mut place = -1;
            days.retain(|_| {
                place += 1;
                is_chosen(place)
            });
        }
        days
    }

    /// Whether a day of a period is one that the rule asks for.
    fn asks_for(&self, begin: Date, date: Date) -> bool {
        let is_month = self.by_month.is_empty() || self.by_month.contains(&date.month());
        let of_month = |day: &i32| {
            let from_end = i32::from(date.day()) - i32::from(date.days_in_month()) - 1;
            *day == i32::from(date.day()) || *day == from_end
        };
        let is_month_day = self.by_month_day.is_empty() || self.by_month_day.iter().any(of_month);
        let is_day = self.by_day.is_empty()
            || self.by_day.iter().any(|(number, weekday)| {
                date.weekday() == *weekday && (*number == 0 || self.is_nth(date, *number))
            });
        is_month && is_month_day && is_day && self.is_like_first(begin, date)
    }

    /// What the rule leaves open is as on the first day.
    fn is_like_first(&self, begin: Date, date: Date) -> bool {
        let has_days = !self.by_day.is_empty() || !self.by_month_day.is_empty();
        match self.frequency {
            Frequency::Daily => true,
            Frequency::Weekly => has_days || date.weekday() == begin.weekday(),
            Frequency::Monthly => has_days || date.day() == begin.day(),
            Frequency::Yearly => {
                let has_months = !self.by_month.is_empty();
                has_days
                    || date.day() == begin.day() && (has_months || date.month() == begin.month())
            }
        }
    }

    /// Whether a day is the n-th of its weekday, counted from the end if n is negative.
    fn is_nth(&self, date: Date, number: i32) -> bool {
        let is_of_year = self.frequency == Frequency::Yearly && self.by_month.is_empty();
        let (day, len) = if is_of_year {
            (date.day_of_year(), date.days_in_year())
        } else {
            (i16::from(date.day()), i16::from(date.days_in_month()))
        };
        let from_begin = i32::from((day - 1) / 7 + 1);
        let from_end = -i32::from((len - day) / 7 + 1);
        number == from_begin || number == from_end
    }
}

const DAY: &str = "a day of the week such as MO";

fn unsupported(line: &Line, what: String) -> IcsError {
    let what = what.chars().take(64).collect();
    line.fail(IcsMistake::Unsupported { what })
}

/// Reads `MO`, `1MO`, `-1MO`.
fn day(line: &Line, text: &str) -> Result<(i32, Weekday), IcsError> {
    let text = text.trim();
    let wrong = || line.wrong(text, "a day of the week such as MO, 1MO or -1MO");
    let at = text.len().checked_sub(2).ok_or_else(wrong)?;
    let (number, name) = text.split_at_checked(at).ok_or_else(wrong)?;
    let number = if number.is_empty() {
        0
    } else {
        let read = number.parse::<i32>().ok();
        let is_good = |number: &i32| (-53..=53).contains(number) && *number != 0;
        read.filter(is_good).ok_or_else(wrong)?
    };
    Ok((number, weekday(name).ok_or_else(wrong)?))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "SU" => Weekday::Sunday,
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        _ => return None,
    })
}

/// Reads UNTIL, as clocks of the event's zone show it.
fn until(
    line: &Line,
    text: &str,
    start: &Line,
    first: Moment,
    zone: Option<&TimeZone>,
) -> Result<Moment, IcsError> {
    if !text.contains('T') {
        let date = value::date(text);
        return date
            .map(Moment::Day)
            .ok_or_else(|| line.wrong(text, "a date such as 20261231"));
    }
    let own = match (first, start.parameter("TZID")) {
        (Moment::Time(_), Some(name)) if text.ends_with('Z') => {
            let found = bundled_zone(name).ok_or_else(|| {
                let zone = name.chars().take(64).collect();
                line.fail(IcsMistake::Zone { zone })
            });
            Some(found?)
        }
        _ => None,
    };
    value::time(line, text, own.as_ref().or(zone)).map(Moment::Time)
}
