//! What control groups can do on an agent's machine: how surely everything of a process is killed, and which limits hold.

use crate::order::KillMeans;

/// What an agent found out about control groups when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupSupport {
    /// Which kind there is.
    pub mode: CgroupMode,
    /// How everything of a process is killed.
    pub kill_means: KillMeans,
    /// What can be limited, in the order of [`Controller::ALL`].
    pub controllers: Vec<Controller>,
    /// Why not more, for people; empty if there is nothing to wish for.
    pub detail: String,
}

/// Which kind of control groups an agent can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CgroupMode {
    /// Version 2, controllers included.
    Unified,
    /// Version 2 for the processes, version 1 for what is limited.
    Hybrid,
    /// Version 1.
    Legacy,
    /// None that the agent may use.
    None,
}

impl CgroupMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unified, Self::Hybrid, Self::Legacy, Self::None];

    /// The word in SQL, JSON and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unified => "unified",
            Self::Hybrid => "hybrid",
            Self::Legacy => "legacy",
            Self::None => "none",
        }
    }

    /// Reads [`CgroupMode::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

/// What a control group can limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Controller {
    /// Memory; also tells that memory ran out.
    Memory,
    /// Processor time.
    Cpu,
    /// The number of processes.
    Pids,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The kernel's name, also the word in SQL, JSON and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }

    /// Reads [`Controller::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|controller| controller.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for mode in CgroupMode::ALL {
            assert_eq!(CgroupMode::from_word(mode.word()), Some(mode));
        }
        for controller in Controller::ALL {
            assert_eq!(Controller::from_word(controller.word()), Some(controller));
        }
    }
}
