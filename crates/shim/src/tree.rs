//! Descendants of this process.
//!
//! As a subreaper the shim is an ancestor of every process of its command for ever, whatever session or group they
//! move to and however often they fork.

use std::collections::BTreeSet;
use std::fs;

/// Gives the number of every descendant, parents before children. A snapshot: what forks meanwhile is found next time.
pub(crate) fn descendants() -> Vec<i32> {
    let Ok(own) = i32::try_from(std::process::id()) else {
        return Vec::new();
    };
    let mut found = children(own);
    let mut known: BTreeSet<i32> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        found.extend(
            children(pid)
                .into_iter()
                .filter(|child| known.insert(*child)),
        );
    }
    found
}

/// Gives the children of all threads of a process.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists.flat_map(|list| numbers(&list)).collect()
}

/// Counts the living descendants besides one: those that have not ended and merely wait to be reaped.
pub(crate) fn living_besides(pid: i32) -> u32 {
    let others = descendants().into_iter().filter(|other| *other != pid);
    let living = others.filter(|other| is_living(*other)).count();
    u32::try_from(living).unwrap_or(u32::MAX)
}

fn is_living(pid: i32) -> bool {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the state may hold anything, also parentheses.
    let end = stat.iter().rposition(|byte| *byte == b')');
    let state = end.and_then(|end| stat.get(end + 2));
    state.is_some_and(|state| !matches!(state, b'Z' | b'X'))
}

fn numbers(list: &str) -> Vec<i32> {
    let words = list.split_ascii_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}
