//! The steps of a launch, so that an error says what could not be done.

use std::fmt;

/// One step between reading the spec and running the command, in this order but for the last three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Step {
    /// The spec could not be read or understood.
    Spec = 1,
    /// The life folder refused a file that the shim needs.
    Folder = 2,
    /// The spool directory could not be opened.
    Spool = 3,
    /// The process could not be created.
    Fork = 4,
    /// Own session and process group.
    Session = 5,
    /// Resource limits.
    Limits = 6,
    /// Nice value.
    Nice = 7,
    /// Out-of-memory score.
    OomScore = 8,
    /// Supplementary groups.
    Groups = 9,
    /// Group id.
    Gid = 10,
    /// User id.
    Uid = 11,
    /// The identity reached is not the identity asked for.
    Identity = 12,
    /// No new privileges.
    NoNewPrivs = 13,
    /// Working directory, entered as the user.
    Directory = 14,
    /// Standard input, output and error, and the closing of everything else.
    Stdio = 15,
    /// Signal dispositions and mask.
    Signals = 16,
    /// The command itself.
    Command = 17,
    /// The command exists, the interpreter or loader that it names does not.
    Interpreter = 18,
    /// The prepared process ended before its command was executed.
    Prepared = 19,
    /// The one file that may be executed is still the one at its path.
    Program = 20,
    /// Control groups, joined right after the session.
    Cgroup = 21,
    /// Priority for disks, set right after the nice value.
    IoPriority = 22,
}

impl Step {
    const ALL: [Self; 22] = [
        Self::Spec,
        Self::Folder,
        Self::Spool,
        Self::Fork,
        Self::Session,
        Self::Limits,
        Self::Nice,
        Self::OomScore,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Identity,
        Self::NoNewPrivs,
        Self::Directory,
        Self::Stdio,
        Self::Signals,
        Self::Command,
        Self::Interpreter,
        Self::Prepared,
        Self::Program,
        Self::Cgroup,
        Self::IoPriority,
    ];

    /// Number of the step in files and messages.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Finds the step with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.number() == number)
    }

    /// What the step does, as a noun.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Folder => "life folder",
            Self::Spool => "spool directory",
            Self::Fork => "new process",
            Self::Session => "session",
            Self::Limits => "resource limits",
            Self::Nice => "nice value",
            Self::OomScore => "out-of-memory score",
            Self::Groups => "supplementary groups",
            Self::Gid => "group id",
            Self::Uid => "user id",
            Self::Identity => "identity check",
            Self::NoNewPrivs => "no new privileges",
            Self::Directory => "working directory",
            Self::Stdio => "standard streams",
            Self::Signals => "signals",
            Self::Command => "command",
            Self::Interpreter => "interpreter of the command",
            Self::Prepared => "prepared process",
            Self::Program => "checked program",
            Self::Cgroup => "control group",
            Self::IoPriority => "io priority",
        }
    }
}

/// A step that failed, and the system's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepError {
    /// What could not be done.
    pub step: Step,
    /// The `errno` of the failed call.
    pub errno: i32,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = std::io::Error::from_raw_os_error(self.errno);
        write!(f, "{}: {cause}", self.step.name())
    }
}

impl std::error::Error for StepError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_steps_are_one_to_one() {
        for (index, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(step.number()), index + 1);
            assert_eq!(Step::from_number(step.number()), Some(step));
        }
        assert_eq!(Step::from_number(0), None);
        assert_eq!(Step::from_number(23), None);
    }
}
