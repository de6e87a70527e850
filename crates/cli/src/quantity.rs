//! Lengths of time and sizes as flags take them: `30s`, `1m30s`, `250ms`; `4096`, `10MiB`.

/// Milliseconds of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) u64);

/// Reads a length of time: numbers with the units d, h, m, s, ms, from large to small, each at most once.
pub(crate) fn parse_millis(text: &str) -> Result<Millis, String> {
    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let refuse = || format!("{text:?} is not a length of time: write 30s, 1m30s or 250ms");
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    if rest == "0" {
        return Ok(Millis(0));
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| refuse())?;
        let after = &rest[digits..];
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let place = units
            .iter()
            .position(|(unit, _)| *unit == &after[..letters])
            .ok_or_else(refuse)?;
        total = number
            .checked_mul(units[place].1)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(refuse)?;
        units = &units[place + 1..];
        rest = &after[letters..];
    }
    if text.is_empty() {
        Err(refuse())
    } else {
        Ok(Millis(total))
    }
}

/// Bytes of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// Reads a size: bytes, or a number with KiB, MiB, GiB (also K, M, G, the same).
pub(crate) fn parse_bytes(text: &str) -> Result<Bytes, String> {
    let refuse = || format!("{text:?} is not a size: write 4096, 512KiB or 10MiB");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| refuse())?;
    let shift = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(refuse()),
    };
    number.checked_mul(1 << shift).map(Bytes).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        let cases = [
            ("250ms", Some(250)),
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1d2h", Some(93_600_000)),
            ("0", Some(0)),
            ("30", None),
            ("", None),
            ("s", None),
            ("30s1m", None),
            ("1m1m", None),
            ("１s", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
        ];
        for (text, ms) in cases {
            assert_eq!(parse_millis(text).ok(), ms.map(Millis), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        let cases = [
            ("4096", Some(4_096)),
            ("512KiB", Some(512 << 10)),
            ("10M", Some(10 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("1.5M", None),
            ("", None),
            ("MiB", None),
            ("99999999999999999999", None),
            ("99999999999999999G", None),
        ];
        for (text, count) in cases {
            assert_eq!(parse_bytes(text).ok(), count.map(Bytes), "{text}");
        }
    }
}
