//! Checks of the machine: rights, control groups, limits, room.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, access};

use super::Finding;
use crate::status::Status;

const MIB: u64 = 1 << 20;

/// Room on the data directory's disk, in bytes: below the first nothing may soon be started, below the second somebody should know.
const ROOM_FAIL: u64 = 100 * MIB;
const ROOM_WARN: u64 = 1_024 * MIB;

/// Free part of the inodes, in per cent.
const INODES_FAIL: u64 = 1;
const INODES_WARN: u64 = 5;

/// Open files that an agent with some hundred processes needs.
const OPEN_FILES_WARN: u64 = 8_192;

/// Processes that a machine with some hundred jobs needs.
const TASKS_WARN: u64 = 4_096;

pub(super) fn rights() -> Finding {
    if Uid::effective().is_root() {
        return Finding::ok("rights", "root: can become the user of each job");
    }
    Finding::warn(
        "rights",
        "not root: jobs run as this user only",
        "run the agent as root if its jobs belong to several users; the policy bounds which",
    )
}

pub(super) fn cgroups(status: Option<&Status>) -> Finding {
    let root = Path::new("/sys/fs/cgroup");
    if !root.join("cgroup.controllers").exists() {
        return Finding::warn(
            "cgroups",
            "there is no cgroup v2",
            "without it processes are found by session and parentage, and limits are those of setrlimit(2)",
        );
    }
    let Some(status) = status else {
        return Finding::ok(
            "cgroups",
            "cgroup v2; whether the agent may use it shows when it runs",
        );
    };
    let Some(own) = own_cgroup(status.pid) else {
        return Finding::warn(
            "cgroups",
            "the agent's cgroup cannot be told",
            "ask as root or as the agent's own user",
        );
    };
    let place = root.join(own.strip_prefix("/").unwrap_or(&own));
    if let Ok(text) = fs::read_to_string(place.join("pids.max"))
        && text
            .trim()
            .parse::<u64>()
            .is_ok_and(|most| most < TASKS_WARN)
    {
        let detail = format!("{} holds {} tasks at most", own.display(), text.trim());
        return Finding::warn(
            "cgroups",
            detail,
            "TasksMax=infinity in the unit of the agent",
        );
    }
    match access(&place, AccessFlags::W_OK) {
        Ok(()) => Finding::ok(
            "cgroups",
            format!("cgroup v2, {} can be used", own.display()),
        ),
        Err(error) => Finding::warn(
            "cgroups",
            format!("{} cannot be used: {error}", own.display()),
            "Delegate=yes in the unit of the agent",
        ),
    }
}

fn own_cgroup(pid: u32) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(PathBuf::from)
}

pub(super) fn open_files(status: Option<&Status>) -> Finding {
    let process = status.map_or_else(|| "self".to_owned(), |status| status.pid.to_string());
    let text = fs::read_to_string(format!("/proc/{process}/limits")).unwrap_or_default();
    match hard_open_files(&text) {
        Some(most) if most < OPEN_FILES_WARN => Finding::warn(
            "limits",
            format!("{most} open files at most"),
            format!("LimitNOFILE=65536 in the unit of the agent, {OPEN_FILES_WARN} at least"),
        ),
        Some(most) => Finding::ok("limits", format!("{most} open files at most")),
        None => Finding::ok("limits", "as many open files as wanted"),
    }
}

/// The hard limit of open files in a `/proc/<pid>/limits`; `None` if there is none.
fn hard_open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Room and inodes where a directory is, or will be.
pub(super) fn space(dir: &Path) -> Vec<Finding> {
    let place = dir.ancestors().find(|place| place.exists()).unwrap_or(dir);
    let stat = match statvfs(place) {
        Ok(stat) => stat,
        Err(error) => {
            let detail = format!("{} cannot be looked at: {error}", place.display());
            return vec![Finding::fail(
                "disk",
                detail,
                "see that the directory can be used",
            )];
        }
    };
    let free = stat.blocks_available() as u64 * stat.fragment_size() as u64;
    let detail = format!("{} MiB free for {}", free / MIB, dir.display());
    let advice = "make room, or move the data directory";
    let room = match free {
        ..ROOM_FAIL => Finding::fail("disk", detail, advice),
        ROOM_FAIL..ROOM_WARN => Finding::warn("disk", detail, advice),
        _ => Finding::ok("disk", detail),
    };
    // File systems that make inodes as they need them say 0.
    let (all, left) = (stat.files() as u64, stat.files_available() as u64);
    let per_cent = (left * 100).checked_div(all).unwrap_or(100);
    let detail = format!("{per_cent} % of the inodes are free");
    let inodes = match per_cent {
        ..INODES_FAIL => Finding::fail("inodes", detail, advice),
        INODES_FAIL..INODES_WARN => Finding::warn("inodes", detail, advice),
        _ => Finding::ok("inodes", detail),
    };
    vec![room, inodes]
}

pub(super) fn memory_folder(dir: &Path) -> Finding {
    let place = dir.ancestors().find(|place| place.exists()).unwrap_or(dir);
    if statfs(place).is_ok_and(|fs| fs.filesystem_type() == TMPFS_MAGIC) {
        return Finding::ok("tmpfs", format!("{} is in memory", dir.display()));
    }
    Finding::warn(
        "tmpfs",
        format!("{} is not in memory", dir.display()),
        "name a directory on tmpfs with --runtime-dir: starts get faster",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn limits_are_read_from_the_kernels_table() {
        let table = "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 524288               files\n";
        assert_eq!(hard_open_files(table), Some(524_288));
        let endless = table.replace("524288", "unlimited");
        assert_eq!(hard_open_files(&endless), None);
        assert_eq!(hard_open_files(""), None);
    }

    #[test]
    fn room_is_looked_for_where_a_directory_will_be() {
        let dir = tempfile::tempdir().unwrap();
        let findings = space(&dir.path().join("not/yet"));
        assert_eq!(findings.len(), 2);
        assert!(findings[0].detail.contains("MiB free"));
        let impossible = space(Path::new("/proc/self/fd"));
        assert!(
            impossible
                .iter()
                .any(|finding| finding.verdict != Verdict::Ok)
        );
    }
}
