//! The rules of a policy.

use std::path::PathBuf;
use std::time::Duration;

use super::pattern::Pattern;

/// Smallest uid that commands run as, unless a policy says otherwise: below it are the accounts of the system itself.
pub const MIN_UID: u32 = 1_000;

/// Groups whose members can become root or read its secrets; denied unless a policy says otherwise.
pub const DENIED_GROUPS: [&str; 12] = [
    "root",
    "sudo",
    "wheel",
    "admin",
    "adm",
    "docker",
    "lxd",
    "incus-admin",
    "libvirt",
    "disk",
    "shadow",
    "kmem",
];

/// What an agent lets its center do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// As whom commands may run.
    pub run_as: RunAsRules,
    /// Which programs may run.
    pub exec: ExecRules,
    /// Directories in which, or below which, commands may start; `None` is anywhere.
    pub directory_roots: Option<Vec<PathBuf>>,
    /// Variables that a job may set; `None` is any.
    pub environment_allow: Option<Vec<Pattern>>,
    /// Bounds that no job exceeds.
    pub caps: Caps,
}

/// As whom commands may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAsRules {
    /// Users that may be used.
    pub allow: Vec<Pattern>,
    /// Users that may not, also when they are allowed.
    pub deny: Vec<Pattern>,
    /// Smallest uid.
    pub min_uid: u32,
    /// Whether uid 0 is out of the question.
    pub is_root_denied: bool,
    /// Groups whose members may not be used.
    pub deny_groups: Vec<String>,
}

/// Which programs may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRules {
    /// How programs are bounded.
    pub mode: ExecMode,
    /// Real directories: what is in them or below them may run in mode [`ExecMode::Dirs`].
    pub dirs: Vec<PathBuf>,
    /// Real files that may run in modes [`ExecMode::Dirs`] and [`ExecMode::Exact`].
    pub exact: Vec<PathBuf>,
    /// Whether shells may run. The list of shells is of well-known names, no bound by itself.
    pub are_shells_allowed: bool,
    /// Whether script texts that the center sends may run.
    pub are_scripts_allowed: bool,
    /// Whether jobs may ask that programs such as `sudo` give them more privileges than their user has.
    pub may_gain_privileges: bool,
}

/// How programs are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecMode {
    /// Not at all: whatever the user may execute.
    Any,
    /// Files below some directories, and some files.
    Dirs,
    /// Some files.
    Exact,
}

impl ExecMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Any, Self::Dirs, Self::Exact];

    /// The word in files and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Dirs => "dirs",
            Self::Exact => "exact",
        }
    }

    /// Reads [`ExecMode::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// Bounds that no job exceeds; `None` is none of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Processes of runs and daemon slots at the same time.
    pub processes: Option<u32>,
    /// Longest run: a longer time limit, or none, becomes this one. Not for daemons.
    pub runtime: Option<Duration>,
    /// Most bytes of output kept of one life.
    pub output_bytes: Option<u64>,
    /// Most memory of one life: a larger limit, or none, becomes this one.
    pub memory_bytes: Option<u64>,
}

impl Policy {
    /// What holds where no administrator has said anything and the agent may become any user: nobody who is root, or close to it.
    pub fn built_in() -> Self {
        Self {
            run_as: RunAsRules {
                allow: vec![Pattern::new("*")],
                deny: Vec::new(),
                min_uid: MIN_UID,
                is_root_denied: true,
                deny_groups: DENIED_GROUPS.map(str::to_owned).to_vec(),
            },
            exec: ExecRules {
                mode: ExecMode::Any,
                dirs: Vec::new(),
                exact: Vec::new(),
                are_shells_allowed: true,
                are_scripts_allowed: true,
                may_gain_privileges: false,
            },
            directory_roots: None,
            environment_allow: None,
            caps: Caps::default(),
        }
    }

    /// The same for an agent that is an ordinary user: it can run as itself only, and has nothing more to give than that.
    pub fn built_in_for(user: &str) -> Self {
        let built_in = Self::built_in();
        Self {
            run_as: RunAsRules {
                allow: vec![Pattern::new(user)],
                min_uid: 0,
                deny_groups: Vec::new(),
                ..built_in.run_as
            },
            ..built_in
        }
    }

    /// Whether the real file behind a program matters to any rule.
    pub fn looks_at_programs(&self) -> bool {
        self.exec.mode != ExecMode::Any || !self.exec.are_shells_allowed
    }

    /// Whether programs are bounded, so that the file that was looked at must be the one that runs.
    pub fn bounds_programs(&self) -> bool {
        self.exec.mode != ExecMode::Any
    }
}
