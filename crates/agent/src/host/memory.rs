//! Memory that running lives use.

use std::collections::HashMap;
use std::fs;

use super::orphan::{Process, process_table};

/// Memory in bytes of each of these processes together with all its descendants, itself left out: asked of shims, it is what
/// their commands use. Shared pages are divided among those that share them where the system tells (`smaps_rollup`), else
/// counted in full.
///
/// Blocking: reads `/proc`, the more the more processes there are. A process that is gone uses nothing.
#[must_use]
pub fn tree_memory(roots: &[i32]) -> Vec<u64> {
    let table = process_table();
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for Process { id, parent, .. } in &table {
        children.entry(*parent).or_default().push(id.pid);
    }
    roots
        .iter()
        .map(|root| descendants(*root, &children).map(memory).sum())
        .collect()
}

fn descendants(root: i32, children: &HashMap<i32, Vec<i32>>) -> impl Iterator<Item = i32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let below = children.get(&pid).map_or(&[][..], Vec::as_slice);
        // A table that was read while processes came and went could name a loop.
        let new = below
            .iter()
            .filter(|pid| !found.contains(*pid) && **pid != root);
        let new: Vec<i32> = new.copied().collect();
        open.extend(&new);
        found.extend(new);
    }
    found.into_iter()
}

/// Proportional set size in bytes, or else resident set size.
fn memory(pid: i32) -> u64 {
    let kib = |text: &str, key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let proportional = read("smaps_rollup").and_then(|text| kib(&text, "Pss:"));
    proportional
        .or_else(|| kib(&read("status")?, "VmRSS:"))
        .unwrap_or(0)
        .saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_descendants_count() {
        let children = HashMap::from([(1, vec![2, 3]), (3, vec![4]), (4, vec![1])]);
        let mut found: Vec<i32> = descendants(1, &children).collect();
        found.sort_unstable();
        assert_eq!(found, [2, 3, 4]);
        assert_eq!(descendants(9, &children).count(), 0);
    }

    #[test]
    fn a_child_of_ours_uses_memory_and_the_dead_none() {
        let mut child = Command::new("/bin/sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let memory = tree_memory(&[own, i32::MAX]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(memory[0] > 10_000, "{memory:?}");
        assert_eq!(memory[1], 0);
    }
}
