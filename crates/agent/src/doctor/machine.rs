//! Checks of the machine: rights, control groups, limits, room.

use std::fs;
use std::path::Path;

use cronfleet_core::cgroup::{CgroupMode, Controller};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;

use super::Finding;
use crate::host::{CgroupUse, task_limit};
use crate::status::{CgroupStatus, Status};

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

/// What control groups can do: as the running agent found, or else as one that were started from here would find.
pub(super) fn cgroups(status: Option<&Status>, runtime_dir: &Path) -> Vec<Finding> {
    let running = status.and_then(|status| status.cgroups.clone());
    let (found, whose) = match running {
        Some(found) => (found, "the agent found"),
        None => {
            let support = CgroupUse::default().foresee(runtime_dir);
            (
                CgroupStatus::from(&support),
                "an agent started from here would find",
            )
        }
    };
    let mut findings = vec![judged(&found, whose)];
    let tasks = task_limit(status.map_or_else(std::process::id, |status| status.pid));
    if let Some(most) = tasks.filter(|most| *most < TASKS_WARN) {
        findings.push(Finding::warn(
            "tasks",
            format!("the agent and all it starts are {most} tasks at most"),
            "TasksMax=infinity in the unit of the agent",
        ));
    }
    findings
}

fn judged(found: &CgroupStatus, whose: &str) -> Finding {
    let is_none = found.mode == CgroupMode::None.word();
    let mut detail = match (is_none, found.controllers.join(", ")) {
        (true, _) => format!("{whose} none that can be used"),
        (false, limits) if limits.is_empty() => {
            format!("{whose} {}, nothing can be limited", found.mode)
        }
        (false, limits) => format!("{whose} {}, {limits} can be limited", found.mode),
    };
    if !found.detail.is_empty() {
        detail = format!("{detail}: {}", found.detail);
    }
    if is_none {
        return Finding::warn(
            "cgroups",
            detail,
            "Delegate=yes in the unit of the agent; without control groups processes are found by session and parentage, and \
             jobs with limits of memory, processor or processes are refused",
        );
    }
    if found.controllers.len() < Controller::ALL.len() {
        return Finding::warn(
            "cgroups",
            detail,
            "Delegate=yes and DelegateSubgroup=agent in the unit of the agent; jobs with a limit that cannot be enforced are refused",
        );
    }
    Finding::ok("cgroups", detail)
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
    fn control_groups_are_judged_by_what_they_can_do() {
        let found = |mode: CgroupMode, controllers: &[Controller]| CgroupStatus {
            mode: mode.word().to_owned(),
            kill_means: "control_group".to_owned(),
            controllers: controllers
                .iter()
                .map(|one| one.word().to_owned())
                .collect(),
            detail: String::new(),
        };
        let verdict = |found: &CgroupStatus| judged(found, "the agent found").verdict;
        assert_eq!(
            verdict(&found(CgroupMode::Hybrid, &Controller::ALL)),
            Verdict::Ok
        );
        assert_eq!(
            verdict(&found(CgroupMode::Unified, &[Controller::Memory])),
            Verdict::Warn
        );
        let none = judged(&found(CgroupMode::None, &[]), "the agent found");
        assert_eq!(none.verdict, Verdict::Warn);
        assert_eq!(none.detail, "the agent found none that can be used");
    }

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
