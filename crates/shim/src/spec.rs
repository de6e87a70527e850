//! What to launch, as whom, within which limits, and what to do with its output.
//!
//! Written by an agent, read by a shim. A shim refuses a field that it does not know: launching a command with less
//! protection than was asked for would be worse than not launching it.

use std::fmt;

use crate::record::{FormatError, Record, RecordWriter, flag, number, text};

const KIND: &str = "cronfleet.spec";
const VERSION: u32 = 1;

/// Everything a shim must know to launch one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Command and arguments, at least one, none with a NUL.
    pub argv: Vec<Vec<u8>>,
    /// The one file that may be executed; `None` looks the first argument up.
    pub program: Option<Program>,
    /// The whole environment, each `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// More of it that must not be shown, each `NAME=value`.
    pub secret_environment: Vec<Hidden>,
    /// What is blotted out in output.
    pub mask: Vec<Hidden>,
    /// User id to run as.
    pub uid: u32,
    /// Group id to run as.
    pub gid: u32,
    /// The full list of supplementary groups.
    pub groups: Vec<u32>,
    /// Whether to take on the identity above; otherwise it must already be the shim's own.
    pub change_ids: bool,
    /// Working directory, entered as the user.
    pub directory: Vec<u8>,
    /// File mode creation mask.
    pub umask: u32,
    /// Resource limits to set.
    pub limits: Vec<Limit>,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Out-of-memory score adjustment, -1000 to 1000; `None` tries for 0 and goes on without.
    pub oom_score_adj: Option<i32>,
    /// Whether to forbid gaining privileges by set-user-id programs.
    pub no_new_privs: bool,
    /// Signal that asks the command to stop.
    pub stop_signal: i32,
    /// What becomes of output.
    pub output: Output,
    /// What becomes of processes that outlive the command.
    pub stragglers: Stragglers,
    /// How long to wait for late output and late processes after the command ended, in milliseconds.
    pub drain_ms: u64,
    /// Control groups of this life. Of the first one, everything can be killed.
    pub cgroups: Cgroups,
    /// Priority for disks as `ioprio_set(2)` takes it; `None` leaves what the shim has.
    pub io_priority: Option<u16>,
}

/// Directories of the control groups that belong to one life, each absolute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cgroups {
    /// Joined by the process before it becomes the user.
    pub joined: Vec<Vec<u8>>,
    /// The one of them that counts processes killed because memory ran out.
    pub memory: Option<Vec<u8>>,
}

/// A file that was looked at before the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its path, without any symbolic link.
    pub path: Vec<u8>,
    /// Number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// Bytes that are not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub Vec<u8>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What becomes of a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Kept in segment files.
    Store {
        /// Most bytes to keep on disk, frames included.
        cap_bytes: u64,
        /// Directory for the segments.
        directory: Vec<u8>,
        /// Longest wait of the command for room, in milliseconds; `None` drops instead.
        block_max_ms: Option<u64>,
    },
    /// Counted and thrown away.
    Discard,
}

/// What becomes of processes that outlive the command that created them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stragglers {
    /// They are killed.
    Kill,
    /// They live on; what they write is thrown away.
    Leave,
}

/// One resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    /// Soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// Hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// Resources that can be limited, with the meaning and unit that `setrlimit(2)` gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Address space, bytes.
    AddressSpace,
    /// Core file size, bytes.
    Core,
    /// Processor time, seconds.
    Cpu,
    /// Data segment, bytes.
    Data,
    /// File size, bytes.
    FileSize,
    /// Locked memory, bytes.
    LockedMemory,
    /// Open files, one more than the largest descriptor.
    OpenFiles,
    /// Processes of the user.
    Processes,
    /// Stack, bytes.
    Stack,
}

impl Resource {
    const ALL: [Self; 9] = [
        Self::AddressSpace,
        Self::Core,
        Self::Cpu,
        Self::Data,
        Self::FileSize,
        Self::LockedMemory,
        Self::OpenFiles,
        Self::Processes,
        Self::Stack,
    ];

    /// The resource's name, as `prlimit(1)` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AddressSpace => "as",
            Self::Core => "core",
            Self::Cpu => "cpu",
            Self::Data => "data",
            Self::FileSize => "fsize",
            Self::LockedMemory => "memlock",
            Self::OpenFiles => "nofile",
            Self::Processes => "nproc",
            Self::Stack => "stack",
        }
    }

    /// Finds the resource with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }
}

impl Spec {
    /// Gives the bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = RecordWriter::new(KIND, VERSION);
        for arg in &self.argv {
            w.bytes("arg", arg);
        }
        if let Some(program) = &self.program {
            w.bytes("program", &program.path);
            w.text("program_device", program.device);
            w.text("program_inode", program.inode);
        }
        for variable in &self.environment {
            w.bytes("env", variable);
        }
        for variable in &self.secret_environment {
            w.bytes("secret_env", &variable.0);
        }
        for pattern in &self.mask {
            w.bytes("mask", &pattern.0);
        }
        w.text("uid", self.uid);
        w.text("gid", self.gid);
        for group in &self.groups {
            w.text("group", group);
        }
        w.flag("change_ids", self.change_ids);
        w.bytes("directory", &self.directory);
        w.text("umask", self.umask);
        for limit in &self.limits {
            w.text("limit", encode_limit(limit));
        }
        w.text("nice", self.nice);
        if let Some(score) = self.oom_score_adj {
            w.text("oom_score_adj", score);
        }
        w.flag("no_new_privs", self.no_new_privs);
        w.text("stop_signal", self.stop_signal);
        if let Output::Store {
            cap_bytes,
            directory,
            block_max_ms,
        } = &self.output
        {
            w.text("spool_cap", cap_bytes);
            w.bytes("spool", directory);
            // Written only where it is asked for, so that an older shim takes everything else.
            if let Some(ms) = block_max_ms {
                w.text("spool_block_max_ms", ms);
            }
        }
        w.flag("kill_stragglers", self.stragglers == Stragglers::Kill);
        w.text("drain_ms", self.drain_ms);
        for directory in &self.cgroups.joined {
            w.bytes("cgroup", directory);
        }
        if let Some(directory) = &self.cgroups.memory {
            w.bytes("memory_cgroup", directory);
        }
        if let Some(priority) = self.io_priority {
            w.text("io_priority", priority);
        }
        w.finish()
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`FormatError`] if they are not a whole spec, or one with a field of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let record = Record::parse(bytes, KIND, VERSION)?;
        let mut spec = Self {
            argv: Vec::new(),
            program: None,
            environment: Vec::new(),
            secret_environment: Vec::new(),
            mask: Vec::new(),
            uid: record.number("uid")?,
            gid: record.number("gid")?,
            groups: Vec::new(),
            change_ids: flag("change_ids", record.get("change_ids")?)?,
            directory: record.get("directory")?.to_vec(),
            umask: record.number("umask")?,
            limits: Vec::new(),
            nice: record.number("nice")?,
            oom_score_adj: None,
            no_new_privs: flag("no_new_privs", record.get("no_new_privs")?)?,
            stop_signal: record.number("stop_signal")?,
            output: Output::Discard,
            stragglers: Stragglers::Kill,
            drain_ms: record.number("drain_ms")?,
            cgroups: Cgroups::default(),
            io_priority: None,
        };
        if !flag("kill_stragglers", record.get("kill_stragglers")?)? {
            spec.stragglers = Stragglers::Leave;
        }
        if let Some(directory) = record.find("spool") {
            spec.output = Output::Store {
                cap_bytes: record.number("spool_cap")?,
                directory: directory.to_vec(),
                block_max_ms: record
                    .find("spool_block_max_ms")
                    .map(|ms| number("spool_block_max_ms", ms))
                    .transpose()?,
            };
        }
        if let Some(path) = record.find("program") {
            spec.program = Some(Program {
                path: without_nul("program", path)?,
                device: record.number("program_device")?,
                inode: record.number("program_inode")?,
            });
        }
        for (key, value) in &record.fields {
            match *key {
                "arg" => spec.argv.push(without_nul(key, value)?),
                "env" => spec.environment.push(without_nul(key, value)?),
                "secret_env" => spec
                    .secret_environment
                    .push(Hidden(without_nul(key, value)?)),
                "mask" => spec.mask.push(Hidden(value.to_vec())),
                "group" => spec.groups.push(number(key, value)?),
                "limit" => spec.limits.push(decode_limit(text(key, value)?)?),
                "oom_score_adj" => spec.oom_score_adj = Some(number(key, value)?),
                "cgroup" => spec.cgroups.joined.push(without_nul(key, value)?),
                "memory_cgroup" => spec.cgroups.memory = Some(without_nul(key, value)?),
                "io_priority" => spec.io_priority = Some(number(key, value)?),
                "uid" | "gid" | "change_ids" | "directory" | "umask" | "nice" | "no_new_privs"
                | "program" | "program_device" | "program_inode" | "stop_signal" | "spool_cap"
                | "spool" | "spool_block_max_ms" | "kill_stragglers" | "drain_ms" => {}
                _ => {
                    return Err(FormatError::Unknown {
                        key: (*key).to_owned(),
                    });
                }
            }
        }
        without_nul("directory", &spec.directory)?;
        if spec.argv.is_empty() {
            return Err(FormatError::Missing { key: "arg" });
        }
        Ok(spec)
    }
}

fn without_nul(key: &str, value: &[u8]) -> Result<Vec<u8>, FormatError> {
    if value.contains(&0) {
        return Err(FormatError::Value {
            key: key.to_owned(),
        });
    }
    Ok(value.to_vec())
}

fn encode_limit(limit: &Limit) -> String {
    let side = |bound: Option<u64>| bound.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    let (soft, hard) = (side(limit.soft), side(limit.hard));
    format!("{} {soft} {hard}", limit.resource.name())
}

fn decode_limit(value: &str) -> Result<Limit, FormatError> {
    let bad = || FormatError::Value {
        key: "limit".to_owned(),
    };
    let side = |word: &str| match word {
        "unlimited" => Ok(None),
        _ => word.parse().map(Some).map_err(|_| bad()),
    };
    let mut words = value.split(' ');
    let (Some(name), Some(soft), Some(hard), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    Ok(Limit {
        resource: Resource::from_name(name).ok_or_else(bad)?,
        soft: side(soft)?,
        hard: side(hard)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Spec {
        Spec {
            argv: vec![b"/bin/echo".to_vec(), b"a\nb".to_vec(), b"".to_vec()],
            program: Some(Program {
                path: b"/bin/echo".to_vec(),
                device: 7,
                inode: u64::MAX,
            }),
            environment: vec![b"A=\xff\n".to_vec()],
            secret_environment: vec![Hidden(b"DB=hunter22".to_vec())],
            mask: vec![Hidden(b"hunter\n22".to_vec())],
            uid: 1000,
            gid: 1001,
            groups: vec![4, 24, 1001],
            change_ids: true,
            directory: b"/srv/\xc3\xa4".to_vec(),
            umask: 0o027,
            limits: Resource::ALL
                .into_iter()
                .map(|resource| Limit {
                    resource,
                    soft: Some(7),
                    hard: None,
                })
                .collect(),
            nice: -3,
            oom_score_adj: Some(-900),
            no_new_privs: true,
            stop_signal: 15,
            output: Output::Store {
                cap_bytes: 1 << 20,
                directory: b"/var/spool/x".to_vec(),
                block_max_ms: Some(60_000),
            },
            stragglers: Stragglers::Leave,
            drain_ms: 500,
            cgroups: Cgroups {
                joined: vec![b"/sys/fs/cgroup/a b".to_vec(), b"/c".to_vec()],
                memory: Some(b"/c".to_vec()),
            },
            io_priority: Some(0x4007),
        }
    }

    #[test]
    fn a_spec_survives_the_file() {
        let full = sample();
        assert_eq!(Spec::decode(&full.encode()), Ok(full));
        let plain = Spec {
            program: None,
            oom_score_adj: None,
            output: Output::Discard,
            stragglers: Stragglers::Kill,
            cgroups: Cgroups::default(),
            io_priority: None,
            ..sample()
        };
        assert_eq!(Spec::decode(&plain.encode()), Ok(plain));
    }

    #[test]
    fn what_an_older_shim_does_not_know_is_written_only_when_asked_for() {
        let plain = Spec {
            cgroups: Cgroups::default(),
            io_priority: None,
            ..sample()
        };
        let text = String::from_utf8_lossy(&plain.encode()).into_owned();
        assert!(!text.contains("cgroup") && !text.contains("io_priority"));
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", sample());
        assert!(!shown.contains(&format!("{:?}", b"hunter".as_slice()[..4].to_vec())[1..12]));
        assert!(
            shown.contains("secret_environment: [***], mask: [***]"),
            "{shown}"
        );
    }

    #[test]
    fn what_cannot_be_launched_is_refused() {
        let nul = Spec {
            argv: vec![b"a\0b".to_vec()],
            ..sample()
        };
        assert!(Spec::decode(&nul.encode()).is_err());
        let empty = Spec {
            argv: vec![],
            ..sample()
        };
        assert_eq!(
            Spec::decode(&empty.encode()),
            Err(FormatError::Missing { key: "arg" })
        );
    }

    #[test]
    fn a_field_of_the_future_is_refused() {
        let mut bytes = sample().encode();
        let end = bytes.len() - "end 0\n\n".len();
        bytes.splice(end..end, *b"seccomp 6\nstrict\n");
        assert_eq!(
            Spec::decode(&bytes),
            Err(FormatError::Unknown {
                key: "seccomp".to_owned()
            })
        );
    }
}
