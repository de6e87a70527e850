//! How values look in text for people: instants, durations, sizes, words, and text from elsewhere.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Stands for nothing.
pub(crate) const NONE: &str = "-";

/// An instant in the viewer's zone with its offset: `2026-11-22 15:00:00.250+08:00`, whole seconds without a fraction.
pub(crate) fn instant(at: Timestamp) -> String {
    let local = at.to_zoned(TimeZone::system());
    let fraction = if local.millisecond() == 0 {
        String::new()
    } else {
        format!(".{:03}", local.millisecond())
    };
    let offset = if local.offset().is_zero() {
        "Z".to_owned()
    } else {
        local.strftime("%:z").to_string()
    };
    format!("{}{fraction}{offset}", local.strftime("%Y-%m-%d %H:%M:%S"))
}

/// [`instant`], or `-`.
pub(crate) fn maybe_instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NONE.to_owned(), instant)
}

/// A length of time in microseconds: `0.4ms`, `250ms`, `12.3s`, `2m05s`, `3h04m`.
pub(crate) fn duration_us(us: i64) -> String {
    let (sign, us) = (if us < 0 { "-" } else { "" }, us.unsigned_abs());
    let text = match us {
        0..10_000 => format!("{:.1}ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        1_000_000..60_000_000 => format!("{:.1}s", us as f64 / 1e6),
        60_000_000..3_600_000_000 => {
            format!("{}m{:02}s", us / 60_000_000, us / 1_000_000 % 60)
        }
        _ => format!("{}h{:02}m", us / 3_600_000_000, us / 60_000_000 % 60),
    };
    format!("{sign}{text}")
}

/// [`duration_us`], or `-`.
pub(crate) fn maybe_duration_us(us: Option<i64>) -> String {
    us.map_or_else(|| NONE.to_owned(), duration_us)
}

/// A length of time in milliseconds, as flags take it: `30s`, `1m30s`, `250ms`.
pub(crate) fn duration_ms(ms: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let mut rest = ms;
    let mut text = String::new();
    for (size, unit) in units {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// A number of bytes: `512 B`, `1.5 KiB`, `3.0 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// The stable word of a JSON enum, as the interface writes it.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => NONE.to_owned(),
    }
}

/// `yes` or `no`.
pub(crate) fn yes_no(holds: bool) -> String {
    if holds { "yes" } else { "no" }.to_owned()
}

/// Text from elsewhere on one line: control characters, which could move the cursor of a terminal, become `·`.
pub(crate) fn plain(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { '·' } else { c })
        .collect()
}

/// [`plain`], or `-` when there is no text.
pub(crate) fn maybe_plain(text: Option<&str>) -> String {
    match text.map(plain) {
        Some(text) if !text.is_empty() => text,
        _ => NONE.to_owned(),
    }
}

/// At most `length` characters of [`plain`] text, with `…` where it was cut.
pub(crate) fn cut(text: &str, length: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= length {
        return text;
    }
    let mut short: String = text.chars().take(length.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// An argument vector as one could type it into a shell.
pub(crate) fn argv(argv: &[String]) -> String {
    let quoted = |argument: &String| {
        let is_bare = !argument.is_empty()
            && argument
                .chars()
                .all(|c| c.is_alphanumeric() || "-_./:=@%+,".contains(c));
        if is_bare {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    };
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_well() {
        let cases = [
            (0, "0.0ms"),
            (-400, "-0.4ms"),
            (9_999, "10.0ms"),
            (250_000, "250ms"),
            (12_345_678, "12.3s"),
            (125_000_000, "2m05s"),
            (11_045_000_000, "3h04m"),
        ];
        for (us, text) in cases {
            assert_eq!(duration_us(us), text);
        }
        assert_eq!(duration_ms(90_250), "1m30s250ms");
        assert_eq!(duration_ms(0), "0s");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(10 << 20), "10.0 MiB");
    }

    #[test]
    fn text_from_elsewhere_cannot_drive_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\n"), "a·[31mb");
        assert_eq!(cut("清理日志目录", 4), "清理日…");
    }

    #[test]
    fn argument_vectors_are_quoted_where_needed() {
        let words = ["/bin/sh", "-c", "echo it's", ""].map(str::to_owned);
        assert_eq!(argv(&words), r"/bin/sh -c 'echo it'\''s' ''");
    }
}
