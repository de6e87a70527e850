//! What somebody who wrote a schedule may not have meant.

use jiff::civil::Date;

use super::Language;
use super::calendar::{DAY_SECONDS, YEAR_MAX, bits, day_number, low_bits, month_len};
use super::cron::Cron;
use super::dst::{ClockChangeEffect, change_effect};
use super::error::Field;
use super::pattern::Pattern;
use super::{Plan, Schedule};

/// Something allowed that is easy to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// Day-of-month and day-of-week are both restricted; a day that satisfies either of them runs.
    EitherDayField,
    /// Day-of-month and day-of-week are both restricted; only a day that satisfies both of them runs.
    BothDayFields,
    /// Some of the months do not have some of the days.
    DayMissingInSomeMonths {
        /// The highest day asked for, 29-31.
        day: u8,
    },
    /// The only date is 29 February.
    LeapYearsOnly,
    /// A fifth weekday exists in some months only.
    FifthWeekday,
    /// `*/n` with an n that does not divide the hour, minute, day or month: the last step is shorter.
    UnevenStep {
        /// The field with the step.
        field: Field,
        /// The n of `*/n`.
        step: u8,
    },
    /// Every minute of one hour, or every second of one minute: often a 0 was meant.
    EveryUnitOfOne {
        /// The field that is `*`: minute or second.
        field: Field,
    },
    /// Clocks of the zone skip a time of the schedule on some days; it runs right after the gap.
    GapMoves,
    /// Clocks of the zone skip a time of the schedule on some days; it does not run then.
    GapSkips,
    /// Clocks of the zone show a time of the schedule twice on some days; it runs in the first pass.
    OverlapRunsOnce,
    /// Clocks of the zone show a time of the schedule twice on some days; it runs in both passes.
    OverlapRunsTwice,
    /// Holidays and make-up days of the calendar are known for less than a year to come.
    CalendarEnds {
        /// The last date that is known.
        until: Date,
    },
}

impl Warning {
    /// The stable text form of the warning's kind, in `snake_case`.
    pub fn code(self) -> &'static str {
        match self {
            Warning::EitherDayField => "either_day_field",
            Warning::BothDayFields => "both_day_fields",
            Warning::DayMissingInSomeMonths { .. } => "day_missing_in_some_months",
            Warning::LeapYearsOnly => "leap_years_only",
            Warning::FifthWeekday => "fifth_weekday",
            Warning::UnevenStep { .. } => "uneven_step",
            Warning::EveryUnitOfOne { .. } => "every_unit_of_one",
            Warning::GapMoves => "gap_moves",
            Warning::GapSkips => "gap_skips",
            Warning::OverlapRunsOnce => "overlap_runs_once",
            Warning::OverlapRunsTwice => "overlap_runs_twice",
            Warning::CalendarEnds { .. } => "calendar_ends",
        }
    }

    /// The warning in words.
    pub fn text(self, language: Language) -> String {
        match language {
            Language::En => self.english(),
            Language::ZhHans => self.chinese(),
        }
    }

    fn english(self) -> String {
        match self {
            Warning::EitherDayField => "Day of month and day of week are both set: it runs on days that satisfy either of them. \
                Put + before the day of week to require both."
                .to_owned(),
            Warning::BothDayFields => "Day of month and day of week are both set: it runs only on days that satisfy both.".to_owned(),
            Warning::DayMissingInSomeMonths { day } => {
                format!("Some of these months have no day {day}: nothing runs for it there. L is the last day of every month.")
            }
            Warning::LeapYearsOnly => "29 February comes in leap years only.".to_owned(),
            Warning::FifthWeekday => "Only some months have a fifth such weekday. Use L for the last one of every month.".to_owned(),
            Warning::UnevenStep { field, step } => {
                format!("The {} step of {step} starts anew each time, so the last interval is shorter than the others.", field.words())
            }
            Warning::EveryUnitOfOne { field } => {
                format!("It runs every {0} of that time, 60 times. Write 0 in the {0} field to run once.", field.words())
            }
            Warning::GapMoves => "On days when clocks go forward over one of these times, it runs right after the change.".to_owned(),
            Warning::GapSkips => "On days when clocks go forward over one of these times, that time is left out.".to_owned(),
            Warning::OverlapRunsOnce => "On days when clocks go back over one of these times, it runs the first time only.".to_owned(),
            Warning::OverlapRunsTwice => "On days when clocks go back over one of these times, it runs both times.".to_owned(),
            Warning::CalendarEnds { until } => {
                format!("The calendar is known until {until}. After that only its days of the week count.")
            }
        }
    }

    fn chinese(self) -> String {
        match self {
            Warning::EitherDayField => "“日”和“星期”都有限定：满足其中任意一个的日期都会运行。如需同时满足，请在星期字段前加 +。".to_owned(),
            Warning::BothDayFields => "“日”和“星期”都有限定：只有同时满足两者的日期才会运行。".to_owned(),
            Warning::DayMissingInSomeMonths { day } => format!("部分月份没有 {day} 日，当月不会因该日运行。L 表示每月最后一天。"),
            Warning::LeapYearsOnly => "2 月 29 日只在闰年出现。".to_owned(),
            Warning::FifthWeekday => "只有部分月份有第 5 个这样的星期几。如需每月最后一个，请使用 L。".to_owned(),
            Warning::UnevenStep { field, step } => {
                let name = match field {
                    Field::Second => "秒",
                    Field::Minute => "分钟",
                    Field::Hour => "小时",
                    _ => "日",
                };
                format!("{name}字段的步长 {step} 每轮都从头开始，因此最后一个间隔比其他间隔短。")
            }
            Warning::EveryUnitOfOne { field: Field::Second } => "在该时刻的每一秒都会运行，共 60 次。如只需一次，请在秒字段写 0。".to_owned(),
            Warning::EveryUnitOfOne { .. } => "在该时刻的每一分钟都会运行，共 60 次。如只需一次，请在分钟字段写 0。".to_owned(),
            Warning::GapMoves => "时钟拨快而跳过其中某个时刻的日子，会在拨快后立即运行。".to_owned(),
            Warning::GapSkips => "时钟拨快而跳过其中某个时刻的日子，该时刻不运行。".to_owned(),
            Warning::OverlapRunsOnce => "时钟拨慢而使其中某个时刻出现两次的日子，只在第一次运行。".to_owned(),
            Warning::OverlapRunsTwice => "时钟拨慢而使其中某个时刻出现两次的日子，两次都运行。".to_owned(),
            Warning::CalendarEnds { until } => format!("日历数据截至 {until}，此后仅按星期几判断。"),
        }
    }
}

pub(super) fn warnings(schedule: &Schedule) -> Vec<Warning> {
    let Plan::Cron(cron) = &schedule.plan else {
        return Vec::new();
    };
    let mut warnings = day_warnings(&cron.pattern);
    warnings.extend(uneven_steps(&cron.pattern));
    warnings.extend(every_unit_of_one(&cron.pattern));
    warnings.extend(clock_changes(schedule, cron));
    warnings
}

fn day_warnings(pattern: &Pattern) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let rule = &pattern.days;
    if !rule.is_any_day() && !rule.is_any_weekday() {
        warnings.push(if rule.needs_both() {
            Warning::BothDayFields
        } else {
            Warning::EitherDayField
        });
    }
    warnings.extend(missing_day(pattern));
    if rule.nth >> 28 & 0x7f != 0 {
        warnings.push(Warning::FifthWeekday);
    }
    warnings
}

fn missing_day(pattern: &Pattern) -> Option<Warning> {
    let rule = &pattern.days;
    let asked = rule.days & (low_bits(32) as u32 & !1) | rule.nearest;
    let highest = asked.checked_ilog2()?;
    let is_only = asked.count_ones() == 1 && !rule.last && !rule.last_weekday;
    if is_only
        && highest == 29
        && pattern.months == 1 << 2
        && (rule.is_any_weekday() || rule.needs_both())
    {
        return Some(Warning::LeapYearsOnly);
    }
    let shortest = bits(u64::from(pattern.months))
        .map(|month| month_len(2001, month))
        .min()?;
    // A range that starts before the end of the shortest month is meant to end with every month.
    let covers_month_end = (shortest..=highest).all(|day| asked >> day & 1 == 1) && !rule.days_star;
    (highest > shortest && !covers_month_end && !rule.days_star)
        .then_some(Warning::DayMissingInSomeMonths { day: highest as u8 })
}

fn uneven_steps(pattern: &Pattern) -> impl Iterator<Item = Warning> {
    let fields = [
        (Field::Second, pattern.seconds_star, pattern.seconds, 0, 60),
        (Field::Minute, pattern.minutes_star, pattern.minutes, 0, 60),
        (
            Field::Hour,
            pattern.hours_star,
            u64::from(pattern.hours),
            0,
            24,
        ),
        (
            Field::DayOfMonth,
            pattern.days.days_star,
            u64::from(pattern.days.days),
            1,
            31,
        ),
    ];
    fields
        .into_iter()
        .filter_map(|(field, star, mask, first, count)| {
            let mut values = bits(mask);
            let step = values
                .next()
                .zip(values.next())
                .map(|(first, second)| second - first)?;
            let is_star_step = mask
                == (first..first + count)
                    .step_by(step as usize)
                    .fold(0, |mask, value| mask | 1 << value);
            let is_uneven = field == Field::DayOfMonth || count % step != 0;
            (star && is_star_step && step > 1 && is_uneven).then_some(Warning::UnevenStep {
                field,
                step: step as u8,
            })
        })
}

fn every_unit_of_one(pattern: &Pattern) -> Option<Warning> {
    let one_hour = pattern.hours.is_power_of_two();
    if pattern.seconds == low_bits(60) && pattern.minutes.is_power_of_two() && one_hour {
        Some(Warning::EveryUnitOfOne {
            field: Field::Second,
        })
    } else if pattern.minutes == low_bits(60) && pattern.seconds.is_power_of_two() && one_hour {
        Some(Warning::EveryUnitOfOne {
            field: Field::Minute,
        })
    } else {
        None
    }
}

/// Warns of times that the zone's standing rules skip or repeat.
///
/// Looks at one 28-year cycle of weekdays and leap years after 2037, where time zone data ends its list of past and
/// announced changes and goes on by rule; or at the pattern's own years.
fn clock_changes(schedule: &Schedule, cron: &Cron) -> Vec<Warning> {
    let (year_first, year_last) = match &cron.pattern.years {
        Some(years) => (
            years.iter().next().unwrap_or(2037),
            years.iter().next_back().unwrap_or(YEAR_MAX),
        ),
        None => (2037, 2065),
    };
    let from = day_number(year_first, 1, 1) * DAY_SECONDS;
    let until = day_number(year_last + 1, 1, 1) * DAY_SECONDS;
    let (mut gap, mut overlap) = (None, None);
    let segments = schedule.zone.segments().iter();
    for segment in segments.filter(|segment| (from..until).contains(&segment.start)) {
        let effect = change_effect(&cron.pattern, cron.dst, segment);
        match effect.filter(|_| schedule.is_on_day_of(segment.start)) {
            Some(ClockChangeEffect::RunsAfterGap) => gap = Some(Warning::GapMoves),
            Some(ClockChangeEffect::LeftOut) => gap = Some(Warning::GapSkips),
            Some(ClockChangeEffect::FirstPassOnly) => overlap = Some(Warning::OverlapRunsOnce),
            Some(ClockChangeEffect::BothPasses) => overlap = Some(Warning::OverlapRunsTwice),
            None => {}
        }
    }
    gap.into_iter().chain(overlap).collect()
}
