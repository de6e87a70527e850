//! The control groups of one life.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cronfleet_core::cgroup::Controller;
use cronfleet_shim::spec;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Length of the period in which processor time is dealt out, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;

/// Mode of the directory of a control group: its owner writes, everybody reads.
const GROUP_MODE: u32 = 0o755;

/// What a command and everything that it starts may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupLimits {
    /// Memory in bytes, page cache included.
    pub memory_max_bytes: Option<u64>,
    /// Processor time in thousandths of a processor, at least 10.
    pub cpu_max_millicores: Option<u32>,
    /// Processes and threads.
    pub pids_max: Option<u32>,
}

impl GroupLimits {
    /// The controllers that must be there.
    pub(super) fn controllers(&self) -> impl Iterator<Item = Controller> {
        let asked = [
            self.memory_max_bytes.is_some(),
            self.cpu_max_millicores.is_some(),
            self.pids_max.is_some(),
        ];
        let all = Controller::ALL.into_iter().zip(asked);
        all.filter_map(|(controller, is_asked)| is_asked.then_some(controller))
    }

    /// Files to write and what to write, of version 2 and of version 1, for one controller. What is optional may be missing.
    fn settings(&self, controller: Controller, is_unified: bool) -> Vec<Setting> {
        let must = |file, value: String| Setting {
            file,
            value,
            is_optional: false,
        };
        let may = |file, value: String| Setting {
            file,
            value,
            is_optional: true,
        };
        match (controller, is_unified) {
            (Controller::Memory, true) => self.memory_max_bytes.map(|bytes| {
                // Swap would only put the end off.
                vec![
                    must("memory.max", bytes.to_string()),
                    may("memory.swap.max", "0".to_owned()),
                ]
            }),
            (Controller::Memory, false) => self.memory_max_bytes.map(|bytes| {
                vec![
                    must("memory.limit_in_bytes", bytes.to_string()),
                    may("memory.memsw.limit_in_bytes", bytes.to_string()),
                ]
            }),
            (Controller::Cpu, true) => self
                .cpu_quota_us()
                .map(|quota| vec![must("cpu.max", format!("{quota} {CPU_PERIOD_US}"))]),
            (Controller::Cpu, false) => self.cpu_quota_us().map(|quota| {
                vec![
                    must("cpu.cfs_period_us", CPU_PERIOD_US.to_string()),
                    must("cpu.cfs_quota_us", quota.to_string()),
                ]
            }),
            (Controller::Pids, _) => self
                .pids_max
                .map(|count| vec![must("pids.max", count.to_string())]),
        }
        .unwrap_or_default()
    }

    fn cpu_quota_us(&self) -> Option<u64> {
        let millicores = self.cpu_max_millicores?;
        Some(u64::from(millicores) * CPU_PERIOD_US / 1_000)
    }
}

struct Setting {
    file: &'static str,
    value: String,
    is_optional: bool,
}

/// Why a life cannot have its control groups.
#[derive(Debug)]
pub(in crate::host) enum LeafError {
    /// Nothing here can limit this.
    Missing { controller: Controller },
    /// A directory or file of a group refused.
    File { path: PathBuf, source: io::Error },
}

/// The directories of one life.
#[derive(Debug, Default)]
pub(in crate::host) struct Leaves {
    joined: Vec<PathBuf>,
    memory: Option<PathBuf>,
}

impl Leaves {
    /// The directories that a spec names.
    pub(in crate::host) fn of_spec(cgroups: &spec::Cgroups) -> Self {
        let path = |bytes: &Vec<u8>| PathBuf::from(std::ffi::OsString::from_vec(bytes.clone()));
        Self {
            joined: cgroups.joined.iter().map(path).collect(),
            memory: cgroups.memory.as_ref().map(path),
        }
    }

    /// As a spec names them.
    pub(in crate::host) fn to_spec(&self) -> spec::Cgroups {
        let bytes = |path: &PathBuf| path.as_os_str().as_bytes().to_vec();
        spec::Cgroups {
            joined: self.joined.iter().map(bytes).collect(),
            memory: self.memory.as_ref().map(bytes),
        }
    }

    /// Makes a directory in a tree, once. The tree may have been tidied away while it was empty.
    pub(super) fn make(&mut self, tree: &Path, name: &str) -> Result<PathBuf, LeafError> {
        let leaf = tree.join(name);
        if !self.joined.contains(&leaf) {
            let made = match make_group(&leaf) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    make_group(tree).and_then(|()| make_group(&leaf))
                }
                made => made,
            };
            made.map_err(|source| LeafError::File {
                path: leaf.clone(),
                source,
            })?;
            self.joined.push(leaf.clone());
        }
        Ok(leaf)
    }

    /// Makes a directory with a controller and sets its limits.
    pub(super) fn limit(
        &mut self,
        tree: &Path,
        name: &str,
        controller: Controller,
        limits: &GroupLimits,
    ) -> Result<(), LeafError> {
        let leaf = self.make(tree, name)?;
        if controller == Controller::Memory {
            self.memory = Some(leaf.clone());
        }
        let is_unified = leaf.join("cgroup.type").exists();
        for setting in limits.settings(controller, is_unified) {
            let path = leaf.join(setting.file);
            match put(&path, &setting.value) {
                Err(_) if setting.is_optional => {}
                Err(source) => return Err(LeafError::File { path, source }),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Removes the directories. Gives those that still have processes in them.
    pub(in crate::host) fn remove(self) -> Vec<PathBuf> {
        let mut busy = self.joined;
        busy.retain(|leaf| !remove_empty(leaf));
        busy
    }
}

/// Makes a control group, unless it is there, and lets everybody read it: a command finds its own limits there, as the runtimes
/// of Java, Go and others do to know how much memory they have. The umask of a service would hide them.
pub(super) fn make_group(group: &Path) -> io::Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Without it only that look is lost.
    let _ = fs::set_permissions(group, Permissions::from_mode(GROUP_MODE));
    Ok(())
}

/// Removes the directory of a control group, if nobody is in it.
pub(super) fn remove_empty(group: &Path) -> bool {
    match fs::remove_dir(group) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Kills everything in a control group, once; what forks meanwhile is killed by the next call. Gives the number of processes
/// that were there.
pub(in crate::host) fn kill_all(group: &Path) -> usize {
    let members = members(group);
    if !members.is_empty() && put(&group.join("cgroup.kill"), "1").is_err() {
        for pid in &members {
            // One that has ended meanwhile is as good as killed.
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }
    members.len()
}

fn members(group: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let numbers = list.lines().filter_map(|line| line.parse().ok());
    // A process of another namespace is named 0.
    numbers.filter(|pid| *pid > 1).map(Pid::from_raw).collect()
}

/// Writes to a file of a control group; never creates one.
pub(super) fn put(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(is_unified: bool) -> Vec<(&'static str, String)> {
        let limits = GroupLimits {
            memory_max_bytes: Some(64 << 20),
            cpu_max_millicores: Some(250),
            pids_max: Some(9),
        };
        assert_eq!(limits.controllers().collect::<Vec<_>>(), Controller::ALL);
        let settings = Controller::ALL.map(|one| limits.settings(one, is_unified));
        let settings = settings.into_iter().flatten();
        settings
            .map(|setting| (setting.file, setting.value))
            .collect()
    }

    #[test]
    fn limits_are_written_as_each_version_wants_them() {
        let text = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs
                .iter()
                .map(|(file, value)| (*file, (*value).to_owned()))
                .collect()
        };
        let two = [
            ("memory.max", "67108864"),
            ("memory.swap.max", "0"),
            ("cpu.max", "25000 100000"),
            ("pids.max", "9"),
        ];
        assert_eq!(written(true), text(&two));
        let one = [
            ("memory.limit_in_bytes", "67108864"),
            ("memory.memsw.limit_in_bytes", "67108864"),
            ("cpu.cfs_period_us", "100000"),
            ("cpu.cfs_quota_us", "25000"),
            ("pids.max", "9"),
        ];
        assert_eq!(written(false), text(&one));
    }

    #[test]
    fn nothing_asked_for_is_nothing_written() {
        let limits = GroupLimits::default();
        assert_eq!(limits.controllers().count(), 0);
        let settings = Controller::ALL.map(|one| limits.settings(one, true).len());
        assert_eq!(settings, [0; 3]);
    }

    #[test]
    fn everybody_may_read_a_group() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("cronfleet-x");
        let mode = |group: &Path| fs::metadata(group).unwrap().permissions().mode() & 0o777;
        // As an agent with umask 077 makes it.
        fs::create_dir(&tree).unwrap();
        fs::set_permissions(&tree, Permissions::from_mode(0o700)).unwrap();
        make_group(&tree).unwrap();
        assert_eq!(mode(&tree), 0o755);
        fs::remove_dir(&tree).unwrap();
        let leaf = Leaves::default().make(&tree, "life").unwrap();
        assert_eq!((mode(&tree), mode(&leaf)), (0o755, 0o755));
    }
}
