//! The normalised text of a schedule.

use jiff::Timestamp;

use super::calendar::{bits, low_bits};
use super::days::{DayRule, NTH_LAST};
use super::every::{Every, UNITS};
use super::pattern::Pattern;
use super::{Plan, Schedule};

pub(super) fn canonical(schedule: &Schedule) -> String {
    match &schedule.plan {
        Plan::Cron(cron) => pattern(&cron.pattern),
        Plan::Every(every) => format!("@every {}", duration(*every)),
        Plan::At(at) => format!("@at {}", instant(*at, schedule)),
        Plan::Reboot => "@reboot".to_owned(),
    }
}

fn pattern(pattern: &Pattern) -> String {
    let mut fields = Vec::with_capacity(7);
    if pattern.seconds != 1 || pattern.seconds_star || pattern.years.is_some() {
        fields.push(field(pattern.seconds, 0, 59, pattern.seconds_star));
    }
    fields.push(field(pattern.minutes, 0, 59, pattern.minutes_star));
    fields.push(field(u64::from(pattern.hours), 0, 23, pattern.hours_star));
    fields.push(days(&pattern.days));
    fields.push(free_field(u64::from(pattern.months), 1, 12));
    fields.push(weekdays(&pattern.days));
    if let Some(years) = &pattern.years {
        fields.push(progressions(
            &years.iter().map(|year| year as u32).collect::<Vec<_>>(),
        ));
    }
    fields.join(" ")
}

/// A field for which it matters whether it begins with `*`.
fn field(mask: u64, min: u32, max: u32, star: bool) -> String {
    if !star {
        return progressions(&bits(mask).collect::<Vec<_>>());
    }
    // A step larger than the field leaves its first value, which every star has.
    let step = (1..=u64::BITS)
        .find(|&step| mask & steps(min, max, step) == steps(min, max, step))
        .unwrap_or(1);
    let rest: Vec<u32> = bits(mask & !steps(min, max, step)).collect();
    let mut text = if step == 1 {
        "*".to_owned()
    } else {
        format!("*/{step}")
    };
    if !rest.is_empty() {
        text.push(',');
        text.push_str(&progressions(&rest));
    }
    text
}

/// A field for which only its values matter: `*` where that says it shortest.
fn free_field(mask: u64, min: u32, max: u32) -> String {
    let step = (1..=max / 2).find(|&step| mask == steps(min, max, step));
    field(mask, min, max, step.is_some())
}

/// The values of `*/step`.
fn steps(min: u32, max: u32, step: u32) -> u64 {
    (min..=max)
        .step_by(step as usize)
        .fold(0, |mask, value| mask | 1 << value)
}

fn days(rule: &DayRule) -> String {
    let mut items = Vec::new();
    if rule.days_star || rule.days != 0 {
        items.push(field(
            u64::from(rule.days) & low_bits(32) & !1,
            1,
            31,
            rule.days_star,
        ));
    }
    items.extend(bits(u64::from(rule.nearest)).map(|day| format!("{day}W")));
    if rule.last {
        items.push("L".to_owned());
    }
    if rule.last_weekday {
        items.push("LW".to_owned());
    }
    items.join(",")
}

fn weekdays(rule: &DayRule) -> String {
    let mut items = Vec::new();
    if rule.weekdays_star || rule.weekdays != 0 {
        items.push(field(u64::from(rule.weekdays), 0, 6, rule.weekdays_star));
    }
    items.extend(bits(rule.nth).map(|bit| match bit {
        NTH_LAST.. => format!("{}L", bit - NTH_LAST),
        _ => format!("{}#{}", bit % 7, bit / 7 + 1),
    }));
    format!("{}{}", if rule.plus { "+" } else { "" }, items.join(","))
}

/// Ascending values as ranges, stepped ranges and single values.
pub(super) fn progressions(values: &[u32]) -> String {
    let items: Vec<String> = split_progressions(values)
        .into_iter()
        .map(|run| match run {
            Progression { first, last, .. } if first == last => first.to_string(),
            Progression {
                first,
                last,
                step: 1,
            } => format!("{first}-{last}"),
            Progression { first, last, step } => format!("{first}-{last}/{step}"),
        })
        .collect();
    items.join(",")
}

/// Values at equal distances: `first`, `first + step`, … `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progression {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) step: u32,
}

/// Splits ascending values into progressions of at least 3 values, and single values between them.
pub(super) fn split_progressions(values: &[u32]) -> Vec<Progression> {
    let mut runs = Vec::new();
    let mut rest = values;
    while let [first, behind @ ..] = rest {
        let step = behind.first().map_or(1, |second| second - first);
        let len = 1 + behind
            .iter()
            .zip(1..)
            .take_while(|&(value, place)| *value == first + step * place)
            .count();
        let taken = if len >= 3 { len } else { 1 };
        runs.push(Progression {
            first: *first,
            last: first + step * (taken as u32 - 1),
            step: if taken == 1 { 1 } else { step },
        });
        rest = &rest[taken..];
    }
    runs
}

fn duration(every: Every) -> String {
    let mut text = String::new();
    let mut rest = every.millis;
    for (unit, millis) in UNITS {
        if rest >= millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    text
}

/// RFC 3339 in the schedule's zone; in UTC where the zone's offset has seconds, which RFC 3339 cannot write.
fn instant(at: Timestamp, schedule: &Schedule) -> String {
    let offset = schedule.zone.tz().to_offset(at);
    if offset.seconds() == 0 || offset.seconds() % 60 != 0 {
        at.to_string()
    } else {
        at.display_with_offset(offset).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_shortest_lists() {
        let cases: [(&[u32], &str); 7] = [
            (&[5], "5"),
            (&[5, 6], "5,6"),
            (&[5, 6, 7], "5-7"),
            (&[0, 15, 30, 45], "0-45/15"),
            (&[1, 2, 3, 10, 20, 30, 31], "1-3,10-30/10,31"),
            (&[1, 3, 4, 5], "1,3-5"),
            (&[], ""),
        ];
        for (values, text) in cases {
            assert_eq!(progressions(values), text, "{values:?}");
        }
    }
}
