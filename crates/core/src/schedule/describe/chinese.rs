//! Schedules in Simplified Chinese.

use super::dates::{DatePhrase, DaysPhrase, LAST, MonthDays, WeekDays};
use super::times::{TimePhrase, Unit, whole_cycle};
use super::{clock, runs};
use crate::schedule::canonical::Progression;

const WEEKDAYS: [&str; 8] = ["", "周一", "周二", "周三", "周四", "周五", "周六", "周日"];
const UNIT_NAMES: [&str; 5] = ["天", "小时", "分钟", "秒", "毫秒"];

pub(super) fn cron(date: &DatePhrase, time: &TimePhrase, zone: &str) -> String {
    let has_date = date.days != DaysPhrase::Every || !date.months.is_empty();
    let mut sentence = match time {
        TimePhrase::Clock(times) => joined(&[&dates(date), &clock_list(times)]),
        _ if has_date => format!("{}，{}", dates(date), times(time)),
        _ => times(time),
    };
    if !date.years.is_empty() {
        sentence = format!("{}，{sentence}", joined(&[&list(&date.years), "年"]));
    }
    format!("{sentence}（{zone}）")
}

pub(super) fn every(parts: &[(u64, usize)]) -> String {
    if let [(1, unit)] = parts {
        return format!("每{}", UNIT_NAMES[*unit]);
    }
    let words: Vec<String> = parts
        .iter()
        .map(|&(count, unit)| format!("{count} {}", UNIT_NAMES[unit]))
        .collect();
    format!("每 {}", words.join(" "))
}

fn times(time: &TimePhrase) -> String {
    match time {
        TimePhrase::Clock(times) => clock_list(times),
        TimePhrase::Periodic { every, unit, phase } => periodic(*every, *unit, *phase),
        TimePhrase::Window {
            every,
            unit,
            first,
            last,
        } => {
            let with_seconds = *unit == Unit::Second;
            let (first, last) = (clock(*first, with_seconds), clock(*last, with_seconds));
            joined(&[&first, "至", &last, &period(*every, *unit)])
        }
        TimePhrase::MinutesOfHour { minutes, second } => match runs(minutes).as_slice() {
            [run] if run.first < run.last => {
                let (first, last) = (run.first, run.last);
                let at_second = if *second == 0 {
                    String::new()
                } else {
                    format!("第 {second} 秒")
                };
                format!(
                    "每小时第 {first} 至 {last} 分，{}{at_second}",
                    period(run.step, Unit::Minute)
                )
            }
            _ => joined(&["每小时第", &list(minutes), "分", &seconds_past(*second)]),
        },
        TimePhrase::Fields {
            seconds,
            minutes,
            hours,
        } => fields(seconds.as_deref(), minutes.as_deref(), hours.as_deref()),
    }
}

fn clock_list(times: &[u32]) -> String {
    times
        .iter()
        .map(|time| clock(*time, false))
        .collect::<Vec<_>>()
        .join("、")
}

fn period(every: u32, unit: Unit) -> String {
    let name = match unit {
        Unit::Second => "秒",
        Unit::Minute => "分钟",
        Unit::Hour => "小时",
    };
    if every == 1 {
        format!("每{name}")
    } else {
        format!("每 {every} {name}")
    }
}

/// A period over the whole day, and where it starts unless that is with the hour, minute or day.
fn periodic(every: u32, unit: Unit, phase: u32) -> String {
    let period = period(every, unit);
    let (minute, seconds) = (phase / 60, seconds_past(phase % 60));
    match (unit, every, phase) {
        (Unit::Hour, 1, 0) => "每小时整点".to_owned(),
        (_, _, 0) => period,
        (Unit::Second, ..) => format!("{period}（从第 {phase} 秒起）"),
        (Unit::Minute, 1, _) => format!("{period}第 {phase} 秒"),
        (Unit::Minute, ..) => format!("{period}（从第 {minute} 分{seconds}起）"),
        (Unit::Hour, 1, _) => format!("{period}第 {minute} 分{seconds}"),
        (Unit::Hour, ..) => format!("{period}（从 {} 起）", clock(phase, false)),
    }
}

/// ` 30 秒`, or nothing for 0.
fn seconds_past(second: u32) -> String {
    if second == 0 {
        String::new()
    } else {
        format!(" {second} 秒")
    }
}

fn fields(seconds: Option<&[u32]>, minutes: Option<&[u32]>, hours: Option<&[u32]>) -> String {
    let listed = |values: Option<&[u32]>, unit: &str, every: &str| match values {
        Some(values) => joined(&["第", &list(values), unit]),
        None => format!("每{every}"),
    };
    let periodic = |values: Option<&[u32]>, unit: &str, every: &str| {
        let distance = values.and_then(whole_cycle);
        distance.map_or_else(
            || listed(values, unit, every),
            |distance| format!("每 {distance} {every}"),
        )
    };
    let hour = hours.map_or_else(
        || "每小时".to_owned(),
        |hours| joined(&[&list(hours), "时"]),
    );
    if seconds == Some(&[0]) {
        format!("{hour}{}", periodic(minutes, "分", "分钟"))
    } else {
        format!(
            "{hour}{}{}",
            listed(minutes, "分", "分钟"),
            periodic(seconds, "秒", "秒")
        )
    }
}

fn dates(date: &DatePhrase) -> String {
    let months = months(&date.months);
    match &date.days {
        DaysPhrase::Every if date.months.is_empty() => "每天".to_owned(),
        DaysPhrase::Every => format!("{months}的每天"),
        DaysPhrase::OfMonth(days) => month_days(days, &date.months),
        DaysPhrase::OfWeek(days) => week_days(days, &date.months),
        DaysPhrase::Either(month, week) => {
            format!(
                "{}，以及{}",
                month_days(month, &date.months),
                week_days(week, &date.months)
            )
        }
        DaysPhrase::Both(month, week) => {
            format!(
                "{}且为{}",
                month_days(month, &date.months),
                one_week_day(week)
            )
        }
    }
}

/// `每月 1 日、15 日`, `每年 1 月 1 日`, `每月最后一天`.
fn month_days(days: &MonthDays, in_these: &[u32]) -> String {
    let mut items: Vec<String> = runs(&days.numbers)
        .iter()
        .map(|run| range(run, |day| format!("{day} 日")))
        .collect();
    items.extend(
        days.nearest
            .iter()
            .map(|day| format!("最接近 {day} 日的工作日（周一至周五）")),
    );
    if days.last {
        items.push("最后一天".to_owned());
    }
    if days.last_weekday {
        items.push("最后一个工作日（周一至周五）".to_owned());
    }
    let items = items.join("、");
    let of = if in_these.len() > 1 { "的" } else { "" };
    joined(&[&months(in_these), of, &items])
}

/// `每周一`, `每周一至周五`, `每月最后一个周五`.
fn week_days(days: &WeekDays, in_these: &[u32]) -> String {
    let mut items = Vec::new();
    if !days.weekdays.is_empty() {
        let names = weekday_names(&days.weekdays);
        let of = if in_these.is_empty() {
            String::new()
        } else {
            format!("{}的", months(in_these))
        };
        items.push(format!("{of}每{names}"));
    }
    if !days.nth.is_empty() {
        let names: Vec<String> = days.nth.iter().map(|nth| nth_name(*nth)).collect();
        let of = if in_these.is_empty() { "" } else { "的" };
        items.push(format!("{}{of}{}", months(in_these), names.join("、")));
    }
    items.join("，以及")
}

fn one_week_day(days: &WeekDays) -> String {
    let mut items = Vec::new();
    if !days.weekdays.is_empty() {
        items.push(weekday_names(&days.weekdays));
    }
    items.extend(days.nth.iter().map(|nth| format!("当月{}", nth_name(*nth))));
    items.join("或")
}

fn nth_name((n, day): (u32, u32)) -> String {
    let day = WEEKDAYS[day as usize];
    if n == LAST {
        format!("最后一个{day}")
    } else {
        format!("第 {n} 个{day}")
    }
}

fn weekday_names(weekdays: &[u32]) -> String {
    let name = |day: u32| WEEKDAYS[day as usize].to_owned();
    let items: Vec<String> = runs(weekdays)
        .iter()
        .flat_map(|run| match run.step {
            1 => vec![range(run, name)],
            step => (run.first..=run.last)
                .step_by(step as usize)
                .map(name)
                .collect(),
        })
        .collect();
    items.join("、")
}

/// `每月`, `每年 1 月`, `每年 1 月、7 月`.
fn months(these: &[u32]) -> String {
    if these.is_empty() {
        return "每月".to_owned();
    }
    let items: Vec<String> = runs(these)
        .iter()
        .map(|run| range(run, |month| format!("{month} 月")))
        .collect();
    format!("每年 {}", items.join("、"))
}

/// Numbers without a unit: `1、5 至 9`.
fn list(values: &[u32]) -> String {
    let items: Vec<String> = runs(values)
        .iter()
        .map(|run| range(run, |value| value.to_string()))
        .collect();
    items.join("、")
}

fn range(run: &Progression, name: impl Fn(u32) -> String) -> String {
    match run {
        Progression { first, last, .. } if first == last => name(*first),
        Progression {
            first,
            last,
            step: 1,
        } => joined(&[&name(*first), "至", &name(*last)]),
        Progression { first, last, step } => {
            format!(
                "{}（步长 {step}）",
                joined(&[&name(*first), "至", &name(*last)])
            )
        }
    }
}

/// Texts in one line, with a space where Chinese and a digit meet.
fn joined(texts: &[&str]) -> String {
    let mut line = String::new();
    for text in texts {
        let (before, after) = (line.chars().next_back(), text.chars().next());
        if let (Some(before), Some(after)) = (before, after) {
            let is_punctuation = |character: char| "，、。（）：".contains(character);
            let is_digit = |character: char| character.is_ascii_digit();
            if is_digit(before) != is_digit(after)
                && !is_punctuation(before)
                && !is_punctuation(after)
            {
                line.push(' ');
            }
        }
        line.push_str(text);
    }
    line
}
