//! What a program and its children use of the machine.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::Context;

/// Clock ticks per second in `/proc`: the same on every Linux that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of a program and its children, those that are over included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    seconds: f64,
    at: Instant,
}

impl Used {
    /// Until now.
    pub(crate) fn by(pid: u32) -> anyhow::Result<Self> {
        let ticks: f64 = family(pid)?.values().sum();
        Ok(Self {
            seconds: ticks / TICKS_PER_SECOND,
            at: Instant::now(),
        })
    }

    /// Processors kept busy since `before`: 1.0 is one.
    pub(crate) fn processors_since(self, before: Self) -> f64 {
        (self.seconds - before.seconds) / (self.at - before.at).as_secs_f64()
    }
}

/// Memory of a program and its children in MB (10^6 bytes); what several of them share counts once.
pub(crate) fn memory_mb(pid: u32) -> anyhow::Result<f64> {
    let mut kib = 0.0;
    for pid in family(pid)?.into_keys() {
        // One that has just ended uses nothing.
        let rollup =
            std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        kib += number.and_then(|number| number.parse().ok()).unwrap_or(0.0);
    }
    Ok(kib * 1_024.0 / 1e6)
}

/// A process and its children, each with the ticks that it and its ended children have used.
fn family(pid: u32) -> anyhow::Result<HashMap<u32, f64>> {
    let mut family = HashMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(one) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // It may have ended since.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{one}/stat")) else {
            continue;
        };
        let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
        // What follows the name begins with the third field: the parent is the fourth, the times are 14 to 17.
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let parent: u32 = fields.get(1).context("no parent")?.parse()?;
        if one == pid || parent == pid {
            let times = fields.get(11..15).context("no times")?;
            let ticks: Result<Vec<f64>, _> = times.iter().map(|time| time.parse::<f64>()).collect();
            family.insert(one, ticks?.into_iter().sum());
        }
    }
    Ok(family)
}
