//! The agent's trees of control groups: one group for each life, made before and removed after it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cronfleet_core::cgroup::{CgroupSupport, Controller};
use uuid::Uuid;

use super::super::runtime_dir::digest_of;
use super::leaf::{GroupLimits, LeafError, Leaves, remove_empty};
use super::survey::{Hand, Surveyed, survey};

/// Which control groups a host may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CgroupUse {
    /// Its own, as far as they can be used.
    #[default]
    Own,
    /// In version 2 this one, which was given to it and has no processes of its own; its own in version 1.
    Given(PathBuf),
    /// None.
    Off,
}

impl CgroupUse {
    /// What an agent would find, that were started where this process is. Changes nothing.
    #[must_use]
    pub fn foresee(&self, runtime_dir: &Path) -> CgroupSupport {
        self.survey(&digest_of(runtime_dir), Hand::Looks).support()
    }

    fn survey(&self, name: &str, hand: Hand) -> Surveyed {
        let name = format!("cronfleet-{name}");
        match self {
            Self::Own => survey(&name, None, hand),
            Self::Given(group) => survey(&name, Some(group), hand),
            Self::Off => Surveyed::nothing("control groups are turned off".to_owned()),
        }
    }
}

/// Trees for one group per life. Removed when dropped, if no life is left in them.
#[derive(Debug)]
pub(in crate::host) struct Cgroups {
    support: CgroupSupport,
    kill: Option<PathBuf>,
    limits: Vec<(Controller, PathBuf)>,
    /// Groups of forgotten lives that had processes left, to be removed when those are gone. As many as there are such lives.
    busy: Mutex<Vec<PathBuf>>,
}

impl Cgroups {
    /// Finds out what can be had, and makes the trees. `name` tells agents apart.
    pub(in crate::host) fn open(wanted: &CgroupUse, name: &str) -> Self {
        let surveyed = wanted.survey(name, Hand::Makes);
        Self {
            support: surveyed.support(),
            kill: surveyed.kill,
            limits: surveyed.limits,
            busy: Mutex::default(),
        }
    }

    pub(in crate::host) fn support(&self) -> &CgroupSupport {
        &self.support
    }

    /// Makes the groups of a life and sets their limits. Leaves none behind if it fails.
    ///
    /// # Errors
    /// [`LeafError::Missing`] if a limit cannot be enforced here.
    pub(in crate::host) fn create(
        &self,
        id: Uuid,
        limits: &GroupLimits,
    ) -> Result<Leaves, LeafError> {
        let mut leaves = Leaves::default();
        match self.fill(&mut leaves, &id.hyphenated().to_string(), limits) {
            Ok(()) => Ok(leaves),
            Err(error) => {
                self.remove(leaves);
                Err(error)
            }
        }
    }

    fn fill(&self, leaves: &mut Leaves, name: &str, limits: &GroupLimits) -> Result<(), LeafError> {
        if let Some(tree) = &self.kill {
            leaves.make(tree, name)?;
        }
        for controller in limits.controllers() {
            let tree = self.tree(controller);
            let tree = tree.ok_or(LeafError::Missing { controller })?;
            leaves.limit(tree, name, controller, limits)?;
        }
        // Also without a limit: it alone knows whether the kernel killed somebody because memory ran out.
        if let Some(tree) = self.tree(Controller::Memory) {
            leaves.limit(tree, name, Controller::Memory, limits)?;
        }
        Ok(())
    }

    fn tree(&self, controller: Controller) -> Option<&Path> {
        let found = self.limits.iter().find(|(one, _)| *one == controller);
        found.map(|(_, tree)| tree.as_path())
    }

    /// Removes the groups of a life, now or, while somebody is left in them, at a later call.
    pub(in crate::host) fn remove(&self, leaves: Leaves) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.extend(leaves.remove());
        busy.retain(|leaf| !remove_empty(leaf));
    }

    /// Removes groups whose lives have no folder any more, as far as nobody is left in them.
    pub(in crate::host) fn tidy(&self, known: &BTreeSet<Uuid>) {
        for tree in self.trees() {
            for entry in fs::read_dir(tree).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let id = name.to_str().and_then(|name| Uuid::try_parse(name).ok());
                if id.is_some_and(|id| !known.contains(&id)) {
                    remove_empty(&entry.path());
                }
            }
        }
    }

    fn trees(&self) -> BTreeSet<&Path> {
        let limits = self.limits.iter().map(|(_, tree)| tree.as_path());
        self.kill.as_deref().into_iter().chain(limits).collect()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for tree in self.trees() {
            remove_empty(tree);
        }
    }
}
