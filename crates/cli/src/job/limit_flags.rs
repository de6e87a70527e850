//! Flags for what a process may use, and what they do to a definition.

use clap::{Args, ValueEnum};
use cronfleet_api::job::JobSpec;
use cronfleet_api::limits::{IoClass, IoPriority, Limits, Stragglers};

use crate::quantity::{Bytes, parse_bytes};

/// Flags for what a process may use.
#[derive(Args, Default, PartialEq)]
pub(super) struct LimitFlags {
    /// Memory of the command and everything that it starts, e.g. 512MiB; beyond it the kernel kills one of them
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Limits")]
    memory_max: Option<Bytes>,
    /// Processor time of all of them in processors, e.g. 0.5
    #[arg(long, value_name = "PROCESSORS", value_parser = parse_processors, help_heading = "Limits")]
    cpu_max: Option<Millicores>,
    /// Processes and threads alive at one time
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    pids_max: Option<u32>,
    /// Open files per process
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    open_files_max: Option<u64>,
    /// Size of a core file; 0 writes none
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Limits")]
    core_size_max: Option<Bytes>,
    /// Nice value, -20 (first) to 19 (last)
    #[arg(
        long,
        value_name = "VALUE",
        allow_hyphen_values = true,
        help_heading = "Limits"
    )]
    nice: Option<i32>,
    /// Priority for disks: idle, or best-effort or realtime with a level from 0 (first) to 7, e.g. best-effort:7
    #[arg(long, value_name = "CLASS[:LEVEL]", value_parser = parse_io_priority, help_heading = "Limits")]
    io_priority: Option<IoPriority>,
    /// How gladly the kernel kills it when the machine is out of memory, 0 to 1000 (first)
    #[arg(long, value_name = "SCORE", help_heading = "Limits")]
    oom_score_adj: Option<i32>,
    /// Whether programs such as sudo may give it more privileges
    #[arg(long, value_enum, help_heading = "Limits")]
    privileges: Option<PrivilegesWord>,
    /// What becomes of processes that outlive the command
    #[arg(long, value_enum, help_heading = "Output and stop")]
    stragglers: Option<StragglersWord>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PrivilegesWord {
    /// None but those of its user
    Fixed,
    /// What set-user-id programs give
    Gain,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum StragglersWord {
    /// They are killed
    Kill,
    /// They live on
    Leave,
}

/// Thousandths of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Millicores(u32);

/// A limit that can be taken off again.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Limit {
    Memory,
    Cpu,
    Pids,
    OpenFiles,
    CoreSize,
    Nice,
    IoPriority,
    OomScoreAdj,
}

impl LimitFlags {
    /// Changes a definition as the flags say.
    pub(super) fn apply(&self, spec: &mut JobSpec) {
        let limits = &mut spec.limits;
        set(
            &mut limits.memory_max_bytes,
            self.memory_max.map(|Bytes(n)| n),
        );
        set(
            &mut limits.cpu_max_millicores,
            self.cpu_max.map(|Millicores(n)| n),
        );
        set(&mut limits.pids_max, self.pids_max);
        set(&mut limits.open_files_max, self.open_files_max);
        set(
            &mut limits.core_size_max_bytes,
            self.core_size_max.map(|Bytes(n)| n),
        );
        set(&mut limits.nice, self.nice);
        set(&mut limits.io_priority, self.io_priority);
        set(&mut limits.oom_score_adj, self.oom_score_adj);
        if let Some(word) = self.privileges {
            limits.no_new_privileges = word == PrivilegesWord::Fixed;
        }
        if let Some(word) = self.stragglers {
            spec.stragglers = match word {
                StragglersWord::Kill => Stragglers::Kill,
                StragglersWord::Leave => Stragglers::Leave,
            };
        }
    }
}

/// Takes a limit off.
pub(super) fn unset(limits: &mut Limits, limit: Limit) {
    match limit {
        Limit::Memory => limits.memory_max_bytes = None,
        Limit::Cpu => limits.cpu_max_millicores = None,
        Limit::Pids => limits.pids_max = None,
        Limit::OpenFiles => limits.open_files_max = None,
        Limit::CoreSize => limits.core_size_max_bytes = None,
        Limit::Nice => limits.nice = None,
        Limit::IoPriority => limits.io_priority = None,
        Limit::OomScoreAdj => limits.oom_score_adj = None,
    }
}

/// A limit as the flags take it; nothing for a definition without limits.
pub(super) fn in_words(limits: &Limits) -> Vec<String> {
    let bytes = |name: &str, value: Option<u64>| {
        value.map(|value| format!("{name} {}", crate::shown::bytes(value)))
    };
    let io_priority = limits.io_priority.map(|priority| match priority.class {
        IoClass::Idle => "io idle".to_owned(),
        IoClass::BestEffort => format!("io best-effort:{}", priority.level),
        IoClass::Realtime => format!("io realtime:{}", priority.level),
    });
    [
        bytes("memory", limits.memory_max_bytes),
        limits.cpu_max_millicores.map(processors),
        limits.pids_max.map(|count| format!("{count} processes")),
        limits
            .open_files_max
            .map(|count| format!("{count} open files")),
        bytes("core", limits.core_size_max_bytes),
        limits.nice.map(|nice| format!("nice {nice}")),
        io_priority,
        limits
            .oom_score_adj
            .map(|score| format!("oom score {score}")),
        (!limits.no_new_privileges).then(|| "may gain privileges".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn processors(millicores: u32) -> String {
    let number = format!("{}.{:03}", millicores / 1_000, millicores % 1_000);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} processors")
}

fn set<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

/// Reads a number of processors with up to three decimals.
fn parse_processors(text: &str) -> Result<Millicores, String> {
    let refuse = || format!("{text:?} is not a number of processors: write 2, 0.5 or 0.125");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 3 {
        return Err(refuse());
    }
    let whole: u32 = whole.parse().map_err(|_| refuse())?;
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| refuse())?;
    whole
        .checked_mul(1_000)
        .and_then(|millicores| millicores.checked_add(part))
        .map(Millicores)
        .ok_or_else(refuse)
}

/// Reads `idle`, `best-effort:4`, `realtime`; without a level the first of its class.
fn parse_io_priority(text: &str) -> Result<IoPriority, String> {
    let refuse = || format!("{text:?} is not an io priority: write idle or best-effort:7");
    let (class, level) = text.split_once(':').unwrap_or((text, "0"));
    let class = match class {
        "realtime" => IoClass::Realtime,
        "best-effort" => IoClass::BestEffort,
        "idle" => IoClass::Idle,
        _ => return Err(refuse()),
    };
    let level = level.parse().map_err(|_| refuse())?;
    Ok(IoPriority { class, level })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_read_and_shown() {
        let cases = [
            ("2", Some(2_000)),
            ("0.5", Some(500)),
            ("0.125", Some(125)),
            ("1.05", Some(1_050)),
            ("", None),
            (".5", None),
            ("1.", None),
            ("0.0625", None),
            ("-1", None),
            ("4294968", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse_processors(text).ok(),
                expected.map(Millicores),
                "{text}"
            );
        }
        assert_eq!(processors(2_000), "2 processors");
        assert_eq!(processors(1_050), "1.05 processors");
    }

    #[test]
    fn io_priorities_are_read() {
        let of = |class, level| Some(IoPriority { class, level });
        let cases = [
            ("idle", of(IoClass::Idle, 0)),
            ("best-effort:7", of(IoClass::BestEffort, 7)),
            ("realtime", of(IoClass::Realtime, 0)),
            ("best_effort", None),
            ("best-effort:", None),
            ("best-effort:999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_io_priority(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn limits_are_put_in_words() {
        assert!(in_words(&Limits::default()).is_empty());
        let limits = Limits {
            cpu_max_millicores: Some(500),
            pids_max: Some(10),
            io_priority: parse_io_priority("best-effort:7").ok(),
            no_new_privileges: false,
            ..Limits::default()
        };
        let words = [
            "0.5 processors",
            "10 processes",
            "io best-effort:7",
            "may gain privileges",
        ];
        assert_eq!(in_words(&limits), words);
    }
}
