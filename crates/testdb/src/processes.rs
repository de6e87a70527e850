//! Processes of a server, all together.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process and everything that it and its children have started, the process itself first.
pub(crate) fn tree(root: u32) -> Vec<i32> {
    let mut tree = vec![root.cast_signed()];
    let mut looked_at = 0;
    let all = parents();
    while let Some(parent) = tree.get(looked_at).copied() {
        let children = all.iter().filter(|(_, of)| *of == parent);
        tree.extend(children.map(|(child, _)| *child));
        looked_at += 1;
    }
    tree
}

/// Suspends a process and everything that it has started, and answers all of them.
pub(crate) fn suspend_all(root: u32) -> Vec<i32> {
    // Once it stands still it starts nothing, and of what it has started nothing starts anything.
    signal(&[root.cast_signed()], Signal::SIGSTOP);
    let all = tree(root);
    signal(&all, Signal::SIGSTOP);
    all
}

/// Sends a signal to each that is still there.
pub(crate) fn signal(processes: &[i32], signal: Signal) {
    for pid in processes {
        let _gone = kill(Pid::from_raw(*pid), signal);
    }
}

/// Waits until none of them is there any more, but as an entry that its parent has not looked at.
///
/// # Errors
/// One is after `within`.
pub(crate) fn wait_for_end(processes: &[i32], within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    let lives = |pid: &&i32| state(**pid).is_some_and(|(state, _)| state != 'Z');
    while let Some(pid) = processes.iter().find(lives) {
        ensure!(Instant::now() < deadline, "process {pid} does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Every process with its parent.
fn parents() -> Vec<(i32, i32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, state(pid)?.1))).collect()
}

/// State and parent of a process.
fn state(pid: i32) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have anything in it.
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}
