//! What a shim writes down: that it lives, that it started the command, how everything ended.
//!
//! Readers ignore fields they do not know, so a newer shim may add some.

use std::str::FromStr;

use crate::record::{FormatError, Record, RecordWriter, flag, number, text};
use crate::step::{Step, StepError};

const VERSION: u32 = 1;
const SHIM_KIND: &str = "cronfleet.shim";
const STARTED_KIND: &str = "cronfleet.started";
const EXIT_KIND: &str = "cronfleet.exit";

/// A process, told apart from any other that ever had its number since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// Process number.
    pub pid: i32,
    /// Start time in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub start_ticks: u64,
}

/// Content of `lock`: the shim that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShimRecord {
    /// The shim.
    pub shim: ProcessId,
}

impl ShimRecord {
    /// Gives the bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = RecordWriter::new(SHIM_KIND, VERSION);
        put_process(&mut w, "shim", self.shim);
        w.finish()
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`FormatError`] if they are not a whole record.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let record = Record::parse(bytes, SHIM_KIND, VERSION)?;
        Ok(Self {
            shim: process(&record, "shim")?,
        })
    }
}

/// Content of `started`: written before the command is released, so without it the command never ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedRecord {
    /// The shim that holds the process.
    pub shim: ProcessId,
    /// The process itself; its number is also its process group and its session.
    pub process: ProcessId,
    /// Identity of the boot it belongs to.
    pub boot_id: String,
    /// Wall time of the start, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// The same instant on the clock that counts from boot, in microseconds.
    pub boot_us: u64,
    /// Directories of the control groups that the process belongs to; of the first one, everything can be killed. Empty
    /// where there are none, and from older shims.
    pub cgroups: Vec<Vec<u8>>,
}

impl StartedRecord {
    /// Gives the bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = RecordWriter::new(STARTED_KIND, VERSION);
        put_process(&mut w, "shim", self.shim);
        put_process(&mut w, "process", self.process);
        w.text("boot_id", &self.boot_id);
        w.text("at_us", self.at_us);
        w.text("boot_us", self.boot_us);
        for directory in &self.cgroups {
            w.bytes("cgroup", directory);
        }
        w.finish()
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`FormatError`] if they are not a whole record.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let record = Record::parse(bytes, STARTED_KIND, VERSION)?;
        Ok(Self {
            shim: process(&record, "shim")?,
            process: process(&record, "process")?,
            boot_id: text("boot_id", record.get("boot_id")?)?.to_owned(),
            at_us: record.number("at_us")?,
            boot_us: record.number("boot_us")?,
            cgroups: record.all("cgroup").map(<[u8]>::to_vec).collect(),
        })
    }
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The command ended by itself.
    Exited {
        /// Its exit status, 0 to 255.
        code: i32,
    },
    /// The command was ended by a signal.
    Signalled {
        /// Number of the signal.
        signal: i32,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
    /// The command could not be executed.
    StartFailed(StepError),
    /// The command was never released.
    NeverStarted,
}

/// Content of `exit`: the last thing a shim writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitRecord {
    /// How it ended.
    pub end: End,
    /// Wall time of the end, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// Time from start to end of the command, in microseconds; 0 if it never ran.
    pub duration_us: u64,
    /// Processor time in user mode of the command and the children it waited for, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, likewise, in microseconds.
    pub system_us: u64,
    /// Largest resident size, in KiB.
    pub max_rss_kib: u64,
    /// Bytes the command wrote to its two streams.
    pub output_bytes: u64,
    /// Those of them that were not kept in the spool.
    pub dropped_bytes: u64,
    /// Logical offset after the last frame.
    pub spool_end: u64,
    /// Processes of the command that were still alive after it ended, and were killed.
    pub stragglers_killed: u32,
    /// Processes that could not be killed, or were left alone because the spec says so.
    pub stragglers_left: u32,
    /// Whether the stop signal was asked for.
    pub stop_requested: bool,
    /// Whether killing everything was asked for.
    pub kill_requested: bool,
    /// Stop signal that the process group was sent; `None` if it was not, and from older shims.
    pub stop_signal: Option<i32>,
    /// How everything was killed; `None` if nothing had to be, and from older shims.
    pub kill_means: Option<KillMeans>,
    /// Processes besides the command that were alive when the killing began, or when the command had ended.
    pub stragglers_found: u32,
    /// Processes that the kernel killed because memory ran out; 0 where nobody counts them.
    pub oom_kills: u32,
}

/// How everything of a life was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillMeans {
    /// In one step, through its control group.
    ControlGroup,
    /// One by one while its control group was frozen.
    Freezer,
    /// One by one, by descent.
    Descent,
}

impl KillMeans {
    /// The word in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ControlGroup => "control_group",
            Self::Freezer => "freezer",
            Self::Descent => "descent",
        }
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        [Self::ControlGroup, Self::Freezer, Self::Descent]
            .into_iter()
            .find(|means| means.word().as_bytes() == word)
    }
}

impl ExitRecord {
    /// Gives the bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = RecordWriter::new(EXIT_KIND, VERSION);
        match self.end {
            End::Exited { code } => {
                w.text("ended", "exited");
                w.text("code", code);
            }
            End::Signalled {
                signal,
                core_dumped,
            } => {
                w.text("ended", "signalled");
                w.text("signal", signal);
                w.flag("core_dumped", core_dumped);
            }
            End::StartFailed(error) => {
                w.text("ended", "start_failed");
                w.text("step", error.step.number());
                w.text("errno", error.errno);
            }
            End::NeverStarted => w.text("ended", "never_started"),
        }
        w.text("at_us", self.at_us);
        w.text("duration_us", self.duration_us);
        w.text("user_us", self.user_us);
        w.text("system_us", self.system_us);
        w.text("max_rss_kib", self.max_rss_kib);
        w.text("output_bytes", self.output_bytes);
        w.text("dropped_bytes", self.dropped_bytes);
        w.text("spool_end", self.spool_end);
        w.text("stragglers_killed", self.stragglers_killed);
        w.text("stragglers_left", self.stragglers_left);
        w.flag("stop_requested", self.stop_requested);
        w.flag("kill_requested", self.kill_requested);
        if let Some(signal) = self.stop_signal {
            w.text("stop_signal", signal);
        }
        if let Some(means) = self.kill_means {
            w.text("kill_means", means.word());
        }
        w.text("stragglers_found", self.stragglers_found);
        w.text("oom_kills", self.oom_kills);
        w.finish()
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`FormatError`] if they are not a whole record.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let record = Record::parse(bytes, EXIT_KIND, VERSION)?;
        let stragglers_killed = record.number("stragglers_killed")?;
        let stragglers_left = record.number("stragglers_left")?;
        Ok(Self {
            end: end(&record)?,
            at_us: record.number("at_us")?,
            duration_us: record.number("duration_us")?,
            user_us: record.number("user_us")?,
            system_us: record.number("system_us")?,
            max_rss_kib: record.number("max_rss_kib")?,
            output_bytes: record.number("output_bytes")?,
            dropped_bytes: record.number("dropped_bytes")?,
            spool_end: record.number("spool_end")?,
            stragglers_killed,
            stragglers_left,
            stop_requested: flag("stop_requested", record.get("stop_requested")?)?,
            kill_requested: flag("kill_requested", record.get("kill_requested")?)?,
            stop_signal: later(&record, "stop_signal")?,
            kill_means: record.find("kill_means").and_then(KillMeans::from_word),
            stragglers_found: later(&record, "stragglers_found")?
                .unwrap_or(u32::saturating_add(stragglers_killed, stragglers_left)),
            oom_kills: later(&record, "oom_kills")?.unwrap_or(0),
        })
    }
}

/// A number that records of older shims lack.
fn later<T: FromStr>(record: &Record<'_>, key: &str) -> Result<Option<T>, FormatError> {
    record.find(key).map(|value| number(key, value)).transpose()
}

fn end(record: &Record<'_>) -> Result<End, FormatError> {
    match record.get("ended")? {
        b"exited" => Ok(End::Exited {
            code: record.number("code")?,
        }),
        b"signalled" => Ok(End::Signalled {
            signal: record.number("signal")?,
            core_dumped: flag("core_dumped", record.get("core_dumped")?)?,
        }),
        b"start_failed" => Ok(End::StartFailed(StepError {
            step: Step::from_number(record.number("step")?).ok_or_else(|| FormatError::Value {
                key: "step".to_owned(),
            })?,
            errno: record.number("errno")?,
        })),
        b"never_started" => Ok(End::NeverStarted),
        _ => Err(FormatError::Value {
            key: "ended".to_owned(),
        }),
    }
}

fn put_process(w: &mut RecordWriter, key: &str, process: ProcessId) {
    w.text(key, format_args!("{} {}", process.pid, process.start_ticks));
}

fn process(record: &Record<'_>, key: &'static str) -> Result<ProcessId, FormatError> {
    let bad = || FormatError::Value {
        key: key.to_owned(),
    };
    let (pid, ticks) = text(key, record.get(key)?)?
        .split_once(' ')
        .ok_or_else(bad)?;
    Ok(ProcessId {
        pid: pid.parse().map_err(|_| bad())?,
        start_ticks: ticks.parse().map_err(|_| bad())?,
    })
}

/// Finds the start time in the text of `/proc/<pid>/stat`.
///
/// The command name (field 2) may hold anything, also spaces and parentheses, so fields are counted from its last `)`.
#[must_use]
pub fn start_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(end: End) -> ExitRecord {
        ExitRecord {
            end,
            at_us: 1_790_000_000_000_001,
            duration_us: 5,
            user_us: 6,
            system_us: 7,
            max_rss_kib: 8,
            output_bytes: 9,
            dropped_bytes: 10,
            spool_end: 11,
            stragglers_killed: 12,
            stragglers_left: 13,
            stop_requested: true,
            kill_requested: false,
            stop_signal: Some(15),
            kill_means: Some(KillMeans::Freezer),
            stragglers_found: 14,
            oom_kills: 1,
        }
    }

    #[test]
    fn records_of_older_shims_are_read() {
        let without = |bytes: Vec<u8>, keys: &[&str]| {
            let text = String::from_utf8(bytes).unwrap();
            let (head, fields) = text.split_once('\n').unwrap();
            let mut kept = format!("{head}\n");
            let mut lines = fields.lines();
            while let (Some(key), Some(value)) = (lines.next(), lines.next()) {
                if !keys.contains(&key.split_once(' ').unwrap().0) {
                    kept.push_str(&format!("{key}\n{value}\n"));
                }
            }
            kept.into_bytes()
        };
        let new = ["stop_signal", "kill_means", "stragglers_found", "oom_kills"];
        let record = ended(End::Exited { code: 0 });
        let read = ExitRecord::decode(&without(record.encode(), &new)).unwrap();
        let expected = ExitRecord {
            stop_signal: None,
            kill_means: None,
            stragglers_found: 25,
            oom_kills: 0,
            ..record
        };
        assert_eq!(read, expected);
        let started = started();
        let read = StartedRecord::decode(&without(started.encode(), &["cgroup"])).unwrap();
        let cgroups = Vec::new();
        assert_eq!(read, StartedRecord { cgroups, ..started });
    }

    fn started() -> StartedRecord {
        let process = ProcessId {
            pid: 77,
            start_ticks: 88,
        };
        StartedRecord {
            shim: process,
            process,
            boot_id: "f00".to_owned(),
            at_us: -1,
            boot_us: 3,
            cgroups: vec![b"/sys/fs/cgroup/x".to_vec(), b"/y".to_vec()],
        }
    }

    #[test]
    fn every_end_survives_the_file() {
        let failed = StepError {
            step: Step::Interpreter,
            errno: 2,
        };
        for end in [
            End::Exited { code: 255 },
            End::Signalled {
                signal: 11,
                core_dumped: true,
            },
            End::StartFailed(failed),
            End::NeverStarted,
        ] {
            let record = ended(end);
            assert_eq!(ExitRecord::decode(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn started_survives_the_file() {
        let record = started();
        assert_eq!(StartedRecord::decode(&record.encode()), Ok(record));
        let shim = ShimRecord {
            shim: started().process,
        };
        assert_eq!(ShimRecord::decode(&shim.encode()), Ok(shim));
    }

    #[test]
    fn a_command_name_cannot_forge_a_start_time() {
        let stat = "12 (a) R 1 1 (b)) S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        assert_eq!(start_ticks(stat), Some(4711));
        assert_eq!(start_ticks(""), None);
    }
}
