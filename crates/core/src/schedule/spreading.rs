//! What a schedule of a fixed time would be with `H`.

use std::time::Duration;

use super::parse::MACROS;

/// The latest minute from which on the rest of the hour is too short to spread anything over.
const MINUTE_MAX: u32 = 49;

/// The text of a schedule that is spread by `H`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spreading {
    /// The text.
    pub text: String,
    /// Each due instant lies less than this behind the one that it stands for, and never before it.
    pub within: Duration,
}

/// What a schedule would be if its jobs were spread without meaning something else: just as often, within the same hour, never earlier. `None` where
/// that cannot be, or is so already. `text` is one that can be read.
///
/// A single minute gives way to the rest of its hour; where the minute is a pattern, the second 0 gives way to the minute.
pub fn spreading(text: &str) -> Option<Spreading> {
    let (zone, fields) = split_zone(text.trim_ascii());
    let fields = match fields.strip_prefix('@') {
        Some(_) => expansion(fields)?,
        None => fields,
    };
    let mut words: Vec<String> = fields.split_ascii_whitespace().map(str::to_owned).collect();
    let minute_at = match words.len() {
        5 => 0,
        6 | 7 => 1,
        _ => return None,
    };
    let second = words.first().filter(|_| minute_at == 1).map(|s| number(s));
    let within = match (second, number(words.get(minute_at)?)) {
        // Many times a minute: not one fixed time.
        (Some(None), _) => return None,
        (_, Some(minute)) if minute <= MINUTE_MAX => {
            words[minute_at] = match minute {
                0 => "H".to_owned(),
                minute => format!("H({minute}-59)"),
            };
            60 * (60 - minute)
        }
        (_, Some(_)) => return None,
        (None, None) if !words[minute_at].contains(['h', 'H']) => {
            words.insert(0, "H".to_owned());
            60
        }
        (Some(Some(0)), None) if !words[minute_at].contains(['h', 'H']) => {
            words[0] = "H".to_owned();
            60
        }
        (None | Some(Some(_)), None) => return None,
    };
    let fields = words.join(" ");
    Some(Spreading {
        text: match zone {
            Some(zone) => format!("{zone} {fields}"),
            None => fields,
        },
        within: Duration::from_secs(u64::from(within)),
    })
}

/// Takes a prefix such as `CRON_TZ=UTC` off.
fn split_zone(text: &str) -> (Option<&str>, &str) {
    match text.split_once([' ', '\t']) {
        Some((zone, rest)) if zone.contains('=') => (Some(zone), rest.trim_ascii()),
        _ => (None, text),
    }
}

/// The fields that a macro stands for.
fn expansion(name: &str) -> Option<&'static str> {
    MACROS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, fields)| *fields)
}

/// The value of a field that is a single number.
fn number(field: &str) -> Option<u32> {
    field
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| field.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_times_are_spread_over_what_follows_them() {
        let cases = [
            ("0 2 * * *", Some(("H 2 * * *", 3_600))),
            ("30 2 * * 1-5", Some(("H(30-59) 2 * * 1-5", 1_800))),
            ("50 2 * * *", None),
            ("15 0 2 * * *", Some(("15 H 2 * * *", 3_600))),
            ("0 0 2 1 1 * 2030", Some(("0 H 2 1 1 * 2030", 3_600))),
            ("* * * * *", Some(("H * * * * *", 60))),
            ("*/5 * * * *", Some(("H */5 * * * *", 60))),
            ("0 0,30 8 * * *", Some(("H 0,30 8 * * *", 60))),
            ("10 */5 * * * *", None),
            ("*/10 * * * * *", None),
            ("*/10 0 * * * *", None),
            ("H 2 * * *", None),
            ("H/5 * * * *", None),
            ("@daily", Some(("H 0 * * *", 3_600))),
            ("@HOURLY", Some(("H * * * *", 3_600))),
            ("@every 1h", None),
            ("@at 2030-01-01T00:00:00Z", None),
            ("@reboot", None),
            (
                " CRON_TZ=Asia/Shanghai 0 2 * * * ",
                Some(("CRON_TZ=Asia/Shanghai H 2 * * *", 3_600)),
            ),
        ];
        for (text, expected) in cases {
            let found = spreading(text);
            let found = found.as_ref();
            let told = found.map(|found| (found.text.as_str(), found.within.as_secs()));
            assert_eq!(told, expected, "{text}");
        }
    }
}
