//! Which hierarchies of control groups are mounted, and where in each this process is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// Directory of the control group that this process is in.
    pub(super) own: PathBuf,
}

/// Version of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// With these controllers, or a name of its own.
    One(Vec<String>),
    Two,
}

impl Hierarchy {
    /// Whether this is version 1 with a controller.
    pub(super) fn has(&self, controller: &str) -> bool {
        match &self.version {
            Version::One(controllers) => controllers.iter().any(|one| one == controller),
            Version::Two => false,
        }
    }
}

/// Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. Leaves out what this process cannot see itself in.
pub(super) fn hierarchies(mounts: &str, memberships: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for hierarchy in mounts.lines().filter_map(|line| read(line, memberships)) {
        if found.iter().all(|other| other.version != hierarchy.version) {
            found.push(hierarchy);
        }
    }
    found
}

fn read(mount: &str, memberships: &str) -> Option<Hierarchy> {
    let (place, kind) = mount.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (unescape(place.next()?), unescape(place.next()?));
    let mut kind = kind.split(' ');
    let version = match kind.next()? {
        "cgroup2" => Version::Two,
        "cgroup" => {
            let options = kind.nth(1)?.split(',');
            let options = options.filter(|option| !matches!(*option, "rw" | "ro" | "xattr"));
            Version::One(options.map(str::to_owned).collect())
        }
        _ => return None,
    };
    let own = membership(&version, memberships)?;
    let below = own.strip_prefix(&root).ok()?;
    let is_inside = below
        .components()
        .all(|c| matches!(c, Component::Normal(_)));
    is_inside.then(|| Hierarchy {
        own: point.join(below),
        version,
    })
}

/// The path that `/proc/self/cgroup` names for a hierarchy.
fn membership<'a>(version: &Version, memberships: &'a str) -> Option<&'a Path> {
    memberships.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        let is_it = match version {
            Version::Two => names.is_empty(),
            Version::One(controllers) => names
                .split(',')
                .all(|name| controllers.iter().any(|controller| controller == name)),
        };
        is_it.then_some(Path::new(path))
    })
}

/// Spaces and the like are written as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.first_chunk::<3>().filter(|_| first == b'\\');
        let octal =
            escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(own: &str) -> Hierarchy {
        Hierarchy {
            version: Version::Two,
            own: own.into(),
        }
    }

    #[test]
    fn a_service_under_version_2() {
        let mounts = "25 1 0:22 / /proc rw - proc proc rw\n\
            31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let memberships = "0::/system.slice/cronfleet-agent.service\n";
        let own = "/sys/fs/cgroup/system.slice/cronfleet-agent.service";
        assert_eq!(hierarchies(mounts, memberships), [two(own)]);
    }

    #[test]
    fn a_hybrid_machine() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let memberships = "9:name=systemd:/\n4:memory:/app/x\n1:cpu,cpuacct:/\n0::/\n";
        let found = hierarchies(mounts, memberships);
        let of = |controller: &str| {
            let found = found.iter().find(|one| one.has(controller));
            found.map(|one| one.own.to_str().unwrap())
        };
        assert_eq!(of("memory"), Some("/sys/fs/cgroup/memory/app/x"));
        assert_eq!(of("cpu"), Some("/sys/fs/cgroup/cpu,cpuacct/"));
        assert_eq!(of("pids"), None);
        assert!(found.contains(&two("/sys/fs/cgroup/unified/")));
    }

    #[test]
    fn a_part_of_the_tree_mounted_elsewhere() {
        let mounts = "31 23 0:28 /docker/7 /sys/fs/a\\040b rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            hierarchies(mounts, "0::/docker/7/x\n"),
            [two("/sys/fs/a b/x")]
        );
        for outside in ["0::/docker/8\n", "0::/docker/7/../..\n", ""] {
            assert_eq!(hierarchies(mounts, outside), [], "{outside}");
        }
    }
}
