//! Finding out what can be had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cronfleet_core::cgroup::{CgroupMode, CgroupSupport, Controller};
use cronfleet_core::order::KillMeans;
use nix::unistd::{AccessFlags, access};

use super::layout::{Hierarchy, Version, hierarchies};
use super::leaf::{make_group, put};

/// Where the agent itself goes, beside the tree of its lives. A service manager may put it there from the beginning.
const AGENT: &str = "agent";

/// What a survey may do to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    /// Makes the trees, turns controllers on, moves this process aside.
    Makes,
    /// Changes nothing, and finds what making would come to. Processes of others in the group itself are not foreseen.
    Looks,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Surveyed {
    pub(super) mode: CgroupMode,
    pub(super) kill_means: KillMeans,
    /// Tree in which everything of a life can be killed.
    pub(super) kill: Option<PathBuf>,
    /// Trees in which something can be limited.
    pub(super) limits: Vec<(Controller, PathBuf)>,
    /// Why not more.
    pub(super) wishes: Vec<String>,
}

impl Surveyed {
    pub(super) fn nothing(wish: String) -> Self {
        Self {
            mode: CgroupMode::None,
            kill_means: KillMeans::Descent,
            kill: None,
            limits: Vec::new(),
            wishes: vec![wish],
        }
    }

    pub(super) fn support(&self) -> CgroupSupport {
        CgroupSupport {
            mode: self.mode,
            kill_means: self.kill_means,
            controllers: self.limits.iter().map(|(one, _)| *one).collect(),
            detail: self.wishes.join("; "),
        }
    }
}

/// Looks at the machine and, with a hand that makes, makes the trees called `name`. With `given`, works there in version 2,
/// otherwise in this process's own group.
pub(super) fn survey(name: &str, given: Option<&Path>, hand: Hand) -> Surveyed {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let found = hierarchies(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
    if found.is_empty() {
        return Surveyed::nothing("no control groups are mounted".to_owned());
    }
    let mut surveyed = Surveyed::nothing(String::new());
    surveyed.wishes.clear();
    if let Some(hierarchy) = found.iter().find(|one| one.version == Version::Two) {
        let base = given.map_or_else(|| base_of(&hierarchy.own, name), Path::to_owned);
        let place = Place {
            own: &hierarchy.own,
            base: &base,
            is_given: given.is_some(),
        };
        unified(&mut surveyed, place, name, hand);
    }
    let is_unified = !surveyed.limits.is_empty();
    if !is_unified {
        legacy(&mut surveyed, &found, name, hand);
    }
    surveyed.mode = match (
        &surveyed.kill,
        surveyed.kill_means,
        surveyed.limits.is_empty(),
    ) {
        _ if is_unified => CgroupMode::Unified,
        (None, _, true) => CgroupMode::None,
        (Some(_), KillMeans::ControlGroup, true) => CgroupMode::Unified,
        (Some(_), KillMeans::ControlGroup, false) => CgroupMode::Hybrid,
        (_, _, _) => CgroupMode::Legacy,
    };
    surveyed
}

/// Most tasks that the groups of a process may have together, if one of them has such a limit.
pub(crate) fn task_limit(pid: u32) -> Option<u64> {
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    let memberships = read(format!("/proc/{pid}/cgroup"));
    let found = hierarchies(&read("/proc/self/mountinfo".to_owned()), &memberships);
    let limits = found.iter().filter_map(|hierarchy| {
        let text = fs::read_to_string(hierarchy.own.join("pids.max")).ok()?;
        text.trim().parse().ok()
    });
    limits.min()
}

/// The group that was given to an agent which is in `own`: its own, or the one above if a service manager or an earlier agent
/// put it into a subgroup of that.
fn base_of(own: &Path, name: &str) -> PathBuf {
    match own.parent() {
        Some(parent)
            if own.ends_with(AGENT) && (is_service(parent) || parent.join(name).exists()) =>
        {
            parent.to_owned()
        }
        _ => own.to_owned(),
    }
}

fn is_service(group: &Path) -> bool {
    group.extension().is_some_and(|suffix| suffix == "service")
}

/// Where in version 2 to work.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    /// The group that this process is in.
    own: &'a Path,
    /// The group in which the tree goes.
    base: &'a Path,
    /// Whether somebody named `base`.
    is_given: bool,
}

/// Version 2: one tree for everything.
fn unified(surveyed: &mut Surveyed, place: Place<'_>, name: &str, hand: Hand) {
    let base = place.base;
    let tree = base.join(name);
    if let Err(error) = usable(base).and_then(|()| hand.make(&tree)) {
        let wish = format!("{} cannot be used: {error}", base.display());
        return surveyed.wishes.push(wish);
    }
    surveyed.kill_means = if can_kill(base, &tree) {
        KillMeans::ControlGroup
    } else {
        surveyed
            .wishes
            .push("the kernel is older than 5.14 and has no cgroup.kill".to_owned());
        KillMeans::Freezer
    };
    match enable(place, &tree, hand) {
        Ok(controllers) => {
            let limits = controllers.into_iter().map(|one| (one, tree.clone()));
            surveyed.limits.extend(limits);
        }
        Err(wish) => surveyed.wishes.push(wish),
    }
    surveyed.kill = Some(tree);
}

/// Whether everything in a tree can be killed at once. Where the tree is not made, any other group below `base` tells, too; its
/// root has no such file.
fn can_kill(base: &Path, tree: &Path) -> bool {
    let has_file = |group: &Path| group.join("cgroup.kill").exists();
    if tree.exists() {
        return has_file(tree);
    }
    let below = fs::read_dir(base).into_iter().flatten().flatten();
    has_file(base)
        || below
            .map(|entry| entry.path())
            .any(|group| has_file(&group))
}

/// Turns controllers on for the lives in a tree of version 2. Says why there are none.
fn enable(place: Place<'_>, tree: &Path, hand: Hand) -> Result<Vec<Controller>, String> {
    let Place {
        own,
        base,
        is_given,
    } = place;
    let available = named(&base.join("cgroup.controllers"));
    if available.is_empty() {
        return Err(format!(
            "version 2 has no controllers in {}",
            base.display()
        ));
    }
    let control = "cgroup.subtree_control";
    let enabled = named(&base.join(control));
    if available.iter().any(|one| !enabled.contains(one)) {
        // A group with controllers for its children takes no processes itself, except for the root.
        let is_root = !base.join("cgroup.type").exists();
        if own == base && !is_root {
            if is_service(base) && !is_given {
                return Err(
                    "with controllers turned on here, systemd could not start the agent again beside its running \
                     processes: set DelegateSubgroup=agent (systemd 254), or give the agent a group of its own"
                        .to_owned(),
                );
            }
            hand.move_to(&base.join(AGENT)).map_err(|error| {
                format!("the agent cannot move out of {}: {error}", base.display())
            })?;
        }
        hand.turn_on(&base.join(control), &available)?;
    }
    hand.turn_on(&tree.join(control), &available)?;
    Ok(available)
}

impl Hand {
    fn make(self, group: &Path) -> io::Result<()> {
        match self {
            Self::Makes => make_group(group),
            Self::Looks if group.exists() => Ok(()),
            Self::Looks => Ok(access(group.parent().unwrap_or(group), AccessFlags::W_OK)?),
        }
    }

    fn move_to(self, group: &Path) -> io::Result<()> {
        self.make(group)?;
        match self {
            Self::Makes => put(&group.join("cgroup.procs"), "0"),
            Self::Looks => Ok(()),
        }
    }

    fn turn_on(self, control: &Path, controllers: &[Controller]) -> Result<(), String> {
        let words: Vec<String> = controllers
            .iter()
            .map(|one| format!("+{}", one.word()))
            .collect();
        let turned_on = match self {
            Self::Makes => put(control, &words.join(" ")),
            // In a tree that would be made it could be done.
            Self::Looks if !control.exists() => Ok(()),
            Self::Looks => access(control, AccessFlags::W_OK).map_err(io::Error::from),
        };
        turned_on.map_err(|error| {
            let why = match error.raw_os_error() {
                Some(libc::EBUSY) => "other processes are in the group itself".to_owned(),
                _ => error.to_string(),
            };
            format!(
                "controllers cannot be turned on by {}: {why}",
                control.display()
            )
        })
    }
}

/// The controllers of interest that a file names.
fn named(file: &Path) -> Vec<Controller> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let known = Controller::ALL.into_iter();
    known.filter(|one| words.contains(&one.word())).collect()
}

/// Version 1: a tree in each hierarchy. What kills is the freezer, unless version 2 does.
fn legacy(surveyed: &mut Surveyed, found: &[Hierarchy], name: &str, hand: Hand) {
    let mut tree = |controller: &str| -> Option<PathBuf> {
        let hierarchy = found.iter().find(|one| one.has(controller));
        let Some(hierarchy) = hierarchy else {
            surveyed
                .wishes
                .push(format!("there is no {controller} controller"));
            return None;
        };
        let tree = hierarchy.own.join(name);
        match usable(&hierarchy.own).and_then(|()| hand.make(&tree)) {
            Ok(()) => Some(tree),
            Err(error) => {
                let own = hierarchy.own.display();
                surveyed
                    .wishes
                    .push(format!("{own} cannot be used: {error}"));
                None
            }
        }
    };
    let limits: Vec<(Controller, PathBuf)> = Controller::ALL
        .into_iter()
        .filter_map(|one| Some((one, tree(one.word())?)))
        .collect();
    let freezer = match surveyed.kill {
        Some(_) => None,
        None => found
            .iter()
            .find(|one| one.has("freezer"))
            .map(|one| one.own.join(name))
            .filter(|tree| hand.make(tree).is_ok()),
    };
    surveyed.limits = limits;
    if let Some(tree) = freezer {
        surveyed.kill = Some(tree);
        surveyed.kill_means = KillMeans::Freezer;
    }
}

/// Whether processes may be moved out of a group.
fn usable(group: &Path) -> io::Result<()> {
    Ok(access(&group.join("cgroup.procs"), AccessFlags::W_OK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plain files in place of the kernel's: what is written to them can be read back.
    fn group(dir: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    fn work_in(surveyed: &mut Surveyed, own: &Path, base: &Path, is_given: bool) {
        let place = Place {
            own,
            base,
            is_given,
        };
        unified(surveyed, place, "cronfleet-x", Hand::Makes);
    }

    fn delegated(base: &Path) -> PathBuf {
        let tree = base.join("cronfleet-x");
        let kernel = [
            ("cgroup.procs", ""),
            ("cgroup.type", "domain"),
            ("cgroup.controllers", "cpuset cpu io memory pids\n"),
            ("cgroup.subtree_control", ""),
        ];
        group(base, &kernel);
        group(
            &tree,
            &[("cgroup.subtree_control", ""), ("cgroup.kill", "")],
        );
        group(&base.join(AGENT), &[("cgroup.procs", "")]);
        tree
    }

    #[test]
    fn an_agent_in_a_subgroup_turns_controllers_on_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("cronfleet-agent.service");
        let tree = delegated(&base);
        let mut surveyed = Surveyed::nothing(String::new());
        let own = base.join(AGENT);
        work_in(&mut surveyed, &own, &base_of(&own, "cronfleet-x"), false);
        let limited: Vec<Controller> = surveyed.limits.iter().map(|(one, _)| *one).collect();
        assert_eq!(limited, Controller::ALL);
        assert_eq!(surveyed.kill, Some(tree.clone()));
        assert_eq!(surveyed.kill_means, KillMeans::ControlGroup);
        for control in [&base, &tree] {
            let written = fs::read_to_string(control.join("cgroup.subtree_control")).unwrap();
            assert_eq!(written, "+memory +cpu +pids");
        }
    }

    #[test]
    fn a_service_that_could_not_be_started_again_keeps_its_group_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("cronfleet-agent.service");
        delegated(&base);
        let mut surveyed = Surveyed::nothing(String::new());
        work_in(&mut surveyed, &base, &base_of(&base, "cronfleet-x"), false);
        assert!(surveyed.limits.is_empty());
        assert!(
            surveyed
                .wishes
                .iter()
                .any(|wish| wish.contains("DelegateSubgroup"))
        );
        assert_eq!(surveyed.kill_means, KillMeans::ControlGroup);
        let control = fs::read_to_string(base.join("cgroup.subtree_control")).unwrap();
        assert_eq!(control, "");
    }

    #[test]
    fn a_look_comes_to_the_same_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("given");
        delegated(&base);
        let place = Place {
            own: &base,
            base: &base,
            is_given: true,
        };
        let mut looked = Surveyed::nothing(String::new());
        unified(&mut looked, place, "cronfleet-y", Hand::Looks);
        assert!(!base.join("cronfleet-y").exists());
        let control = fs::read_to_string(base.join("cgroup.subtree_control")).unwrap();
        assert_eq!(control, "", "nothing is turned on");
        let moved = fs::read_to_string(base.join(AGENT).join("cgroup.procs")).unwrap();
        assert_eq!(moved, "", "nobody is moved");
        let controllers: Vec<Controller> = looked.limits.iter().map(|(one, _)| *one).collect();
        assert_eq!(controllers, Controller::ALL);
        // Told by another group beside the tree that was not made.
        assert_eq!(looked.kill_means, KillMeans::ControlGroup);
    }

    #[test]
    fn a_group_that_only_has_the_name_is_not_left() {
        let own = Path::new("/sys/fs/cgroup/agent");
        assert_eq!(base_of(own, "cronfleet-x"), own);
    }

    #[test]
    fn an_agent_alone_in_its_group_moves_aside() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("given");
        delegated(&base);
        let mut surveyed = Surveyed::nothing(String::new());
        work_in(&mut surveyed, &base, &base, true);
        assert_eq!(surveyed.limits.len(), 3);
        let moved = fs::read_to_string(base.join(AGENT).join("cgroup.procs")).unwrap();
        assert_eq!(moved, "0");
    }

    #[test]
    fn a_group_that_is_not_there_is_said_to_be() {
        let mut surveyed = Surveyed::nothing(String::new());
        surveyed.wishes.clear();
        let nowhere = Path::new("/no/such/group");
        work_in(&mut surveyed, nowhere, nowhere, true);
        assert_eq!((surveyed.kill.as_ref(), surveyed.wishes.len()), (None, 1));
    }
}
