//! What a process may use, and how it is weighed against others.
//!
//! Memory, processor time and the number of processes are limited for the command and everything that it starts, together, by
//! control groups; open files, core size, nice value and priorities are each process's own and are inherited by its children.
//! An agent that cannot enforce a limit does not start the process ([`crate::run::Reason::LimitUnsupported`]).

use crate::job::{SpecError, check, range};

/// What a process may use. Nothing is limited by default; gaining privileges is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Memory of all its processes together, page cache included, 4 MiB to 1 PiB. Beyond it the kernel kills one of them.
    pub memory_max_bytes: Option<u64>,
    /// Processor time of all its processes together in thousandths of a processor, 10 to 1,024,000.
    pub cpu_max_millicores: Option<u32>,
    /// Processes and threads alive at one time, itself included, 1 to 4,194,304.
    pub pids_max: Option<u32>,
    /// Open files per process, 16 to 1,048,576; what the agent was started with when absent.
    pub open_files_max: Option<u64>,
    /// Size of a core file in bytes, up to 1 TiB; 0 writes none. What the agent was started with when absent.
    pub core_size_max_bytes: Option<u64>,
    /// Nice value, -20 (first) to 19 (last); 0 when absent.
    pub nice: Option<i32>,
    /// Who reads and writes disks first; follows the nice value when absent.
    pub io_priority: Option<IoPriority>,
    /// How gladly the kernel kills it when the whole machine is out of memory, 0 to 1,000 (first); 0 when absent.
    pub oom_score_adj: Option<i32>,
    /// Whether programs such as `sudo` may give it more privileges than its user has.
    pub may_gain_privileges: bool,
}

/// Who reads and writes disks first. Schedulers that know no priorities ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoPriority {
    /// Class.
    pub class: IoClass,
    /// Place in the class, 0 (first) to 7 (last); 0 for [`IoClass::Idle`].
    pub level: u8,
}

/// Class of an [`IoPriority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoClass {
    /// Before everybody else; needs an agent that is root.
    Realtime,
    /// The usual class.
    BestEffort,
    /// Only when nobody else wants the disk.
    Idle,
}

impl IoClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Realtime, Self::BestEffort, Self::Idle];

    /// The word in stored definitions, JSON and flags.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::BestEffort => "best_effort",
            Self::Idle => "idle",
        }
    }

    /// Reads [`IoClass::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
}

/// What becomes of processes that are still alive when the command has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stragglers {
    /// They are killed, half a second later.
    #[default]
    Kill,
    /// They live on; what they write is thrown away. A command that was stopped leaves nobody all the same.
    Leave,
}

impl ProcessLimits {
    /// No limits, no privileges to gain.
    pub const NONE: Self = Self {
        memory_max_bytes: None,
        cpu_max_millicores: None,
        pids_max: None,
        open_files_max: None,
        core_size_max_bytes: None,
        nice: None,
        io_priority: None,
        oom_score_adj: None,
        may_gain_privileges: false,
    };

    /// Checks the ranges.
    ///
    /// # Errors
    /// The first limit that is out of its range.
    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let ranges = [
            (
                "limits.memory_max_bytes",
                self.memory_max_bytes,
                4 << 20,
                1 << 50,
            ),
            (
                "limits.cpu_max_millicores",
                self.cpu_max_millicores.map(u64::from),
                10,
                1_024_000,
            ),
            (
                "limits.pids_max",
                self.pids_max.map(u64::from),
                1,
                4_194_304,
            ),
            ("limits.open_files_max", self.open_files_max, 16, 1_048_576),
            (
                "limits.core_size_max_bytes",
                self.core_size_max_bytes,
                0,
                1 << 40,
            ),
        ];
        for (field, value, least, most) in ranges {
            value.map_or(Ok(()), |value| range(field, value, least, most))?;
        }
        signed_range("limits.nice", self.nice, -20, 19)?;
        if let Some(IoPriority { class, level }) = self.io_priority {
            let most = if class == IoClass::Idle { 0 } else { 7 };
            range("limits.io_priority.level", u64::from(level), 0, most)?;
        }
        signed_range("limits.oom_score_adj", self.oom_score_adj, 0, 1_000)
    }
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self::NONE
    }
}

fn signed_range(field: &str, value: Option<i32>, least: i32, most: i32) -> Result<(), SpecError> {
    let value = value.unwrap_or(least);
    check(
        (least..=most).contains(&value),
        field,
        "job.out_of_range",
        || {
            (
                format!("{field} is {value}"),
                format!("use {least} to {most}"),
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_two_ends() {
        type Set = fn(&mut ProcessLimits, i64);
        let cases: [(&str, i64, i64, Set); 7] = [
            ("limits.memory_max_bytes", 4 << 20, 1 << 50, |l, n| {
                l.memory_max_bytes = Some(n.unsigned_abs());
            }),
            ("limits.cpu_max_millicores", 10, 1_024_000, |l, n| {
                l.cpu_max_millicores = u32::try_from(n).ok();
            }),
            ("limits.pids_max", 1, 4_194_304, |l, n| {
                l.pids_max = u32::try_from(n).ok();
            }),
            ("limits.open_files_max", 16, 1 << 20, |l, n| {
                l.open_files_max = Some(n.unsigned_abs());
            }),
            ("limits.nice", -20, 19, |l, n| {
                l.nice = i32::try_from(n).ok();
            }),
            ("limits.oom_score_adj", 0, 1_000, |l, n| {
                l.oom_score_adj = i32::try_from(n).ok();
            }),
            ("limits.io_priority.level", 0, 7, |l, n| {
                let level = u8::try_from(n.clamp(0, 255)).unwrap_or(0);
                let class = IoClass::BestEffort;
                l.io_priority = (n >= 0).then_some(IoPriority { class, level });
            }),
        ];
        assert_eq!(ProcessLimits::default().check(), Ok(()));
        for (field, least, most, set) in cases {
            let with = |value: i64| {
                let mut limits = ProcessLimits::NONE;
                set(&mut limits, value);
                limits.check()
            };
            assert_eq!((with(least), with(most)), (Ok(()), Ok(())), "{field}");
            for outside in [least - 1, most + 1] {
                if outside < 0 && field != "limits.nice" && field != "limits.oom_score_adj" {
                    continue;
                }
                let error = with(outside).expect_err(field);
                assert_eq!(
                    (error.field.as_str(), error.code),
                    (field, "job.out_of_range")
                );
                assert!(!error.hint.is_empty());
            }
        }
    }

    #[test]
    fn an_idle_priority_has_no_level() {
        let mut limits = ProcessLimits::NONE;
        limits.io_priority = Some(IoPriority {
            class: IoClass::Idle,
            level: 1,
        });
        assert!(limits.check().is_err());
    }

    #[test]
    fn words_read_back() {
        for class in IoClass::ALL {
            assert_eq!(IoClass::from_word(class.word()), Some(class));
        }
    }
}
