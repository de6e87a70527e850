//! How long `next_after` of a schedule takes: common ones, and the slowest that are known.
//!
//! `cargo xtask bench schedule`. A Markdown table on standard output.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use cronfleet_core::schedule::{Context, Schedule};
use jiff::{Timestamp, ToSpan};

/// Expression, zone, and whether many jobs have one like it.
const SCHEDULES: [(&str, &str, bool); 15] = [
    ("* * * * * *", "Asia/Shanghai", true),
    ("* * * * *", "Asia/Shanghai", true),
    ("*/5 * * * *", "America/New_York", true),
    ("0 * * * *", "Europe/Berlin", true),
    ("30 2 * * *", "America/New_York", true),
    ("0 9 * * MON-FRI", "Asia/Shanghai", true),
    ("0 0 1 * *", "America/New_York", true),
    ("@every 250ms", "UTC", true),
    ("0 0 L * *", "America/New_York", false),
    ("0 0 29 2 *", "America/New_York", false),
    ("0 0 29 2 +MON", "America/New_York", false),
    ("0 0 29 2 +1#5", "Africa/Casablanca", false),
    ("*/5 2 * 3 SUN#2", "America/New_York", false),
    ("0 0 0 29 2 * 2196", "Antarctica/Troll", false),
    ("0 0 0 31 12 * 2199", "Antarctica/Troll", false),
];

/// Instants from which each schedule is asked: spread over this many days.
const DAYS: i64 = 3_650;
const ASKED: i64 = 20_000;
/// Asked together, so that the clock's own cost does not count.
const TOGETHER: usize = 50;

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| schedule | zone | mean µs | slowest µs | aim µs |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    let begin: Timestamp = "2020-01-01T00:00:00Z".parse()?;
    let step = DAYS * 86_400 / ASKED;
    let instants: Vec<Timestamp> = (0..ASKED)
        .map(|i| begin.checked_add((i * step).seconds()))
        .collect::<Result<_, _>>()?;
    for (text, zone, is_common) in SCHEDULES {
        let schedule = Schedule::parse(text, &Context { zone, spread: 7 })
            .map_err(|error| anyhow::anyhow!("{text}: {error}"))?;
        // Once unmeasured: the first question reads the zone's table.
        let _ = schedule.next_after(begin);
        let mut total = Duration::ZERO;
        let mut slowest = Duration::ZERO;
        for few in instants.chunks(TOGETHER) {
            let started = Instant::now();
            for t in few {
                black_box(schedule.next_after(black_box(*t)));
            }
            let took = started.elapsed();
            total += took;
            slowest = slowest.max(took / u32::try_from(few.len())?);
        }
        let mean = total / u32::try_from(instants.len())?;
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        writeln!(
            out,
            "| `{text}` | {zone} | {:.3} | {:.3} | {} |",
            us(mean),
            us(slowest),
            if is_common { "0.5" } else { "20" },
        )?;
    }
    Ok(())
}
