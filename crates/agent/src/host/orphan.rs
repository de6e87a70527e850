//! Ending what a dead shim left behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use cronfleet_shim::life::{ProcessId, StartedRecord, start_ticks};
use tokio::time::sleep;

use super::cgroup;
use super::machine::boot_id;
use super::open::Host;
use super::pidfd;

/// Pause between two rounds of killing.
const ROUND: Duration = Duration::from_millis(10);

/// How long killed processes may take to disappear.
const KILL_TIME_MAX: Duration = Duration::from_secs(5);

/// One line of the process table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) parent: i32,
    session: i32,
    is_zombie: bool,
}

impl Host {
    /// Kills the processes of a life whose shim vanished: everything in its control group, the command, its session, and all
    /// descendants of those. Gives the number that would not die within 5 s.
    ///
    /// Without a control group, a descendant that made a session of its own *and* lost its parent before the shim died
    /// cannot be told from a stranger and is not found. Does nothing after a reboot.
    pub async fn kill_orphans(&self, started: &StartedRecord) -> usize {
        if boot_id().is_ok_and(|now| now != started.boot_id) {
            return 0;
        }
        let group = started.cgroups.first();
        let group = group.map(|path| Path::new(OsStr::from_bytes(path)));
        let begun = Instant::now();
        loop {
            let in_group = group.map_or(0, cgroup::kill_all);
            let orphans = find(started.process, &process_table());
            let left = orphans.len().max(in_group);
            if left == 0 || begun.elapsed() > KILL_TIME_MAX {
                return left;
            }
            orphans.iter().for_each(|orphan| kill(*orphan));
            sleep(ROUND).await;
        }
    }
}

/// Finds the living members of the leader's session and all their descendants.
fn find(leader: ProcessId, table: &[Process]) -> Vec<ProcessId> {
    // If the number belongs to somebody younger now, the session is gone: a number is not reused while it names one.
    if table
        .iter()
        .any(|p| p.id.pid == leader.pid && p.id.start_ticks != leader.start_ticks)
    {
        return Vec::new();
    }
    let mut family: BTreeSet<i32> = BTreeSet::new();
    loop {
        let before = family.len();
        let member = |p: &&Process| {
            p.id.start_ticks >= leader.start_ticks
                && (p.session == leader.pid || family.contains(&p.parent))
        };
        let more: Vec<i32> = table.iter().filter(member).map(|p| p.id.pid).collect();
        family.extend(more);
        if family.len() == before {
            break;
        }
    }
    table
        .iter()
        .filter(|p| family.contains(&p.id.pid) && !p.is_zombie)
        .map(|p| p.id)
        .collect()
}

fn kill(process: ProcessId) {
    // The handle first, the look second: what passes the look is what the handle is for.
    if let Ok(fd) = pidfd::open(process.pid)
        && super::survey::is_running(process)
    {
        let _ = pidfd::signal(&fd, libc::SIGKILL);
    }
}

/// The shim of a life by its command line, where its record cannot be read.
pub(super) fn shim_of(folder: &Path) -> Option<ProcessId> {
    let argument = folder.as_os_str().as_bytes();
    let mut table = process_table().into_iter().map(|process| process.id);
    table.find(|process| {
        fs::read(format!("/proc/{}/cmdline", process.pid))
            .is_ok_and(|line| line.split(|byte| *byte == 0).nth(1) == Some(argument))
    })
}

/// All processes there are.
pub(super) fn process_table() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    let session = words.nth(1)?.parse().ok()?;
    Some(Process {
        id: ProcessId {
            pid,
            start_ticks: start_ticks(&stat)?,
        },
        parent,
        session,
        is_zombie: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, start_ticks: u64, parent: i32, session: i32) -> Process {
        Process {
            id: ProcessId { pid, start_ticks },
            parent,
            session,
            is_zombie: false,
        }
    }

    #[test]
    fn the_session_and_its_descendants_are_found() {
        let leader = process(100, 50, 1, 100);
        let table = [
            process(1, 0, 0, 1),
            leader,
            process(101, 51, 1, 100),
            process(102, 52, 101, 102),
            process(103, 53, 102, 103),
            process(104, 54, 1, 104),
            process(60, 10, 1, 100),
        ];
        let found: Vec<i32> = find(leader.id, &table).iter().map(|p| p.pid).collect();
        assert_eq!(found, [100, 101, 102, 103]);
    }

    #[test]
    fn a_reused_number_is_a_stranger() {
        let leader = process(100, 50, 1, 100);
        let table = [process(100, 99, 1, 100), process(101, 100, 100, 100)];
        assert!(find(leader.id, &table).is_empty());
    }
}
