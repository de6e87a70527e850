//! Schedules in English.

use super::dates::{DatePhrase, DaysPhrase, LAST, MonthDays, WeekDays};
use super::times::{TimePhrase, Unit, whole_cycle};
use super::{clock, runs};
use crate::schedule::canonical::Progression;

const MONTHS: [&str; 13] = [
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 8] = [
    "",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const NTH: [&str; 7] = ["", "first", "second", "third", "fourth", "fifth", "last"];
const UNIT_NAMES: [&str; 5] = ["day", "hour", "minute", "second", "millisecond"];

pub(super) fn cron(date: &DatePhrase, time: &TimePhrase, zone: &str) -> String {
    let mut sentence = match time {
        TimePhrase::Clock(times) => {
            let comma = if matches!(date.days, DaysPhrase::Both(..)) {
                ","
            } else {
                ""
            };
            format!("{}{comma} {}", dates(date), at_clock(times))
        }
        _ if date.days == DaysPhrase::Every && date.months.is_empty() => times(time),
        _ => format!("{}, {}", times(time), dates(date)),
    };
    if !date.years.is_empty() {
        sentence.push_str(&format!(
            ", in {}",
            join(
                runs(&date.years)
                    .iter()
                    .map(|run| range(run, u32::to_string))
            )
        ));
    }
    format!("{} ({zone})", capitalised(&sentence))
}

pub(super) fn every(parts: &[(u64, usize)]) -> String {
    if let [(1, unit)] = parts {
        return format!("Every {}", UNIT_NAMES[*unit]);
    }
    let words = parts.iter().map(|&(count, unit)| {
        format!(
            "{count} {}{}",
            UNIT_NAMES[unit],
            if count == 1 { "" } else { "s" }
        )
    });
    format!("Every {}", words.collect::<Vec<_>>().join(" "))
}

fn times(time: &TimePhrase) -> String {
    match time {
        TimePhrase::Clock(times) => at_clock(times),
        TimePhrase::Periodic { every, unit, phase } => {
            format!("{}{}", period(*every, *unit), start(*every, *unit, *phase))
        }
        TimePhrase::Window {
            every,
            unit,
            first,
            last,
        } => {
            let with_seconds = *unit == Unit::Second;
            format!(
                "{} from {} through {}",
                period(*every, *unit),
                clock(*first, with_seconds),
                clock(*last, with_seconds)
            )
        }
        TimePhrase::MinutesOfHour { minutes, second } => match runs(minutes).as_slice() {
            [run] if run.first < run.last => format!(
                "{} from {} through {} of every hour",
                period(run.step, Unit::Minute),
                past_hour(run.first, *second),
                past_hour(run.last, *second)
            ),
            _ => format!(
                "every hour at {}",
                join(minutes.iter().map(|minute| past_hour(*minute, *second)))
            ),
        },
        TimePhrase::Fields {
            seconds,
            minutes,
            hours,
        } => fields(seconds.as_deref(), minutes.as_deref(), hours.as_deref()),
    }
}

fn at_clock(times: &[u32]) -> String {
    format!("at {}", join(times.iter().map(|time| clock(*time, false))))
}

fn period(every: u32, unit: Unit) -> String {
    let name = unit_name(unit);
    if every == 1 {
        format!("every {name}")
    } else {
        format!("every {every} {name}s")
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Second => "second",
        Unit::Minute => "minute",
        Unit::Hour => "hour",
    }
}

/// Where a period starts, unless it starts with the hour, minute or day.
fn start(every: u32, unit: Unit, phase: u32) -> String {
    match (unit, every, phase) {
        (Unit::Hour, 1, 0) => ", on the hour".to_owned(),
        (_, _, 0) => String::new(),
        (Unit::Second, ..) => format!(", starting at second {phase}"),
        (Unit::Minute, 1, _) => format!(" at second {phase}"),
        (Unit::Minute, ..) => format!(", starting at {}", past_hour(phase / 60, phase % 60)),
        (Unit::Hour, 1, _) => format!(" at {}", past_hour(phase / 60, phase % 60)),
        (Unit::Hour, ..) => format!(", starting at {}", clock(phase, false)),
    }
}

/// `:05`, or `:05:30` with seconds.
fn past_hour(minute: u32, second: u32) -> String {
    if second == 0 {
        format!(":{minute:02}")
    } else {
        format!(":{minute:02}:{second:02}")
    }
}

fn fields(seconds: Option<&[u32]>, minutes: Option<&[u32]>, hours: Option<&[u32]>) -> String {
    let every = |distance: u32, name: &str| format!("every {distance} {name}s");
    let hour = values("hour", hours);
    let phrase = if seconds == Some(&[0]) {
        let distance = minutes.and_then(whole_cycle);
        let minute = distance.map_or_else(
            || values("minute", minutes),
            |distance| every(distance, "minute"),
        );
        format!("{minute} of {hour}")
    } else {
        let distance = seconds.and_then(whole_cycle);
        let second = distance.map_or_else(
            || values("second", seconds),
            |distance| every(distance, "second"),
        );
        format!("{second} of {} of {hour}", values("minute", minutes))
    };
    if phrase.starts_with("every") {
        phrase
    } else {
        format!("at {phrase}")
    }
}

fn values(name: &str, values: Option<&[u32]>) -> String {
    match values {
        None => format!("every {name}"),
        Some([value]) => format!("{name} {value}"),
        Some(values) => {
            format!(
                "{name}s {}",
                join(runs(values).iter().map(|run| range(run, u32::to_string)))
            )
        }
    }
}

fn dates(date: &DatePhrase) -> String {
    match &date.days {
        DaysPhrase::Every => format!("every day{}", in_months(&date.months)),
        DaysPhrase::OfMonth(days) => format!("on {} of {}", month_days(days), months(&date.months)),
        DaysPhrase::OfWeek(days) => week_days(days, &date.months),
        DaysPhrase::Either(month, week) => {
            format!(
                "on {} of {} and also {}",
                month_days(month),
                months(&date.months),
                week_days(week, &date.months)
            )
        }
        DaysPhrase::Both(month, week) => {
            format!(
                "on {} of {}, only if it is {}",
                month_days(month),
                months(&date.months),
                one_week_day(week)
            )
        }
    }
}

/// `the 1st and 15th`, `every 2nd day from the 1st to the 31st`, `the last day`.
fn month_days(days: &MonthDays) -> String {
    let mut items = Vec::new();
    let mut article = "the ";
    for run in runs(&days.numbers) {
        if run.step > 1 {
            let (first, last) = (ordinal(&run.first), ordinal(&run.last));
            items.push(format!(
                "every {} day from the {first} to the {last}",
                ordinal(&run.step)
            ));
        } else {
            items.push(format!("{article}{}", range(&run, ordinal)));
            article = "";
        }
    }
    items.extend(days.nearest.iter().map(|day| {
        format!(
            "the weekday (Monday to Friday) nearest to the {}",
            ordinal(day)
        )
    }));
    if days.last {
        items.push("the last day".to_owned());
    }
    if days.last_weekday {
        items.push("the last weekday (Monday to Friday)".to_owned());
    }
    join(items)
}

/// `every Monday in June`, `Monday to Friday`, `on the last Friday of every month`.
fn week_days(days: &WeekDays, in_these: &[u32]) -> String {
    let mut items = Vec::new();
    if !days.weekdays.is_empty() {
        let runs = week_runs(&days.weekdays);
        let every = if runs.iter().all(|run| run.first == run.last) {
            "every "
        } else {
            ""
        };
        items.push(format!(
            "{every}{}{}",
            weekday_names(&runs),
            in_months(in_these)
        ));
    }
    if !days.nth.is_empty() {
        let nth = join(
            days.nth
                .iter()
                .map(|(n, day)| format!("the {} {}", NTH[*n as usize], WEEKDAYS[*day as usize])),
        );
        items.push(format!("on {nth} of {}", months(in_these)));
    }
    items.join(" and ")
}

/// `a Monday or Friday`, `the last Friday of the month`.
fn one_week_day(days: &WeekDays) -> String {
    let mut items: Vec<String> = days
        .weekdays
        .iter()
        .map(|day| format!("a {}", WEEKDAYS[*day as usize]))
        .collect();
    items.extend(days.nth.iter().map(|(n, day)| {
        format!(
            "the {} {} of the month",
            NTH[(*n).min(LAST) as usize],
            WEEKDAYS[*day as usize]
        )
    }));
    join_with(items, "or")
}

fn week_runs(weekdays: &[u32]) -> Vec<Progression> {
    runs(weekdays)
        .into_iter()
        .flat_map(|run| {
            if run.step == 1 {
                vec![run]
            } else {
                singles(run)
            }
        })
        .collect()
}

fn singles(run: Progression) -> Vec<Progression> {
    (run.first..=run.last)
        .step_by(run.step as usize)
        .map(|value| Progression {
            first: value,
            last: value,
            step: 1,
        })
        .collect()
}

fn weekday_names(runs: &[Progression]) -> String {
    join(
        runs.iter()
            .map(|run| range(run, |day| WEEKDAYS[*day as usize].to_owned())),
    )
}

fn in_months(in_these: &[u32]) -> String {
    if in_these.is_empty() {
        String::new()
    } else {
        format!(" in {}", months(in_these))
    }
}

fn months(these: &[u32]) -> String {
    if these.is_empty() {
        return "every month".to_owned();
    }
    join(
        week_runs(these)
            .iter()
            .map(|run| range(run, |month| MONTHS[*month as usize].to_owned())),
    )
}

fn ordinal(number: &u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn range(run: &Progression, name: impl Fn(&u32) -> String) -> String {
    match run {
        Progression { first, last, .. } if first == last => name(first),
        Progression {
            first,
            last,
            step: 1,
        } => format!("{} to {}", name(first), name(last)),
        Progression { first, last, step } => {
            format!("{} to {} in steps of {step}", name(first), name(last))
        }
    }
}

fn join(items: impl IntoIterator<Item = String>) -> String {
    join_with(items, "and")
}

fn join_with(items: impl IntoIterator<Item = String>, word: &str) -> String {
    let items: Vec<String> = items.into_iter().collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {word} {last}", most.join(", ")),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect()
}
