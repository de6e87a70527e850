//! The control groups of a life, as far as its shim has to do with them. The agent makes and removes them.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cronfleet_shim::life::KillMeans;

use crate::sys;

/// Where a control group lists its processes, and where one joins.
const MEMBERS: &str = "cgroup.procs";

/// Files that freeze a control group, with what freezes and what thaws it: of version 2, of version 1.
const FREEZERS: [(&str, &str, &str); 2] = [
    ("cgroup.freeze", "1", "0"),
    ("freezer.state", "FROZEN", "THAWED"),
];

/// Files that count processes killed for memory: of version 2, of version 1.
const MEMORY_EVENTS: [&str; 2] = ["memory.events", "memory.oom_control"];

/// Path of a directory that a spec names.
pub(crate) fn path(directory: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(directory))
}

/// Moves this process into control groups.
pub(crate) fn join(directories: &[Vec<u8>]) -> io::Result<()> {
    directories
        .iter()
        .try_for_each(|directory| put(path(directory), MEMBERS, "0"))
}

/// Kills everything in a control group, as well as it can be done; `None` if the group is of no help.
pub(crate) fn kill(directory: &Path) -> Option<KillMeans> {
    if put(directory, "cgroup.kill", "1").is_ok() {
        return Some(KillMeans::ControlGroup);
    }
    let freezer = FREEZERS
        .into_iter()
        .find(|(file, freeze, _)| put(directory, file, freeze).is_ok());
    for pid in members(directory) {
        sys::signal_process(pid, libc::SIGKILL);
    }
    let (file, _, thaw) = freezer?;
    // Under version 1 nobody dies while frozen. A group that is gone needs no thawing.
    let _ = put(directory, file, thaw);
    Some(KillMeans::Freezer)
}

/// How many of the group's processes were killed because memory ran out.
pub(crate) fn oom_kills(directory: &Path) -> u32 {
    let counted = |file: &str| -> Option<u32> {
        let text = fs::read_to_string(directory.join(file)).ok()?;
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count?.trim().parse().ok()
    };
    MEMORY_EVENTS.into_iter().find_map(counted).unwrap_or(0)
}

fn members(directory: &Path) -> Vec<i32> {
    let list = fs::read_to_string(directory.join(MEMBERS)).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Writes to a file of a control group; never creates one.
fn put(directory: &Path, file: &str, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(directory.join(file))?;
    file.write_all(text.as_bytes())
}
