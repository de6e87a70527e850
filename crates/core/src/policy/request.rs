//! What a start is about, as the shell found it on the machine.

use std::path::PathBuf;

/// One start that a policy is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whom to run as.
    pub user: User,
    /// What to run; for a script its interpreter.
    pub program: Program,
    /// Whether it is a script text that the center sent.
    pub is_script: bool,
    /// Where to start.
    pub directory: Directory,
    /// Names of the variables that the job sets.
    pub environment: Vec<String>,
    /// Whether it asks to gain privileges by programs such as `sudo`.
    pub gains_privileges: bool,
}

/// A user as the user database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// All groups, the first one included.
    pub groups: Vec<Group>,
}

/// A group of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Group id.
    pub gid: u32,
    /// Name, if it has one.
    pub name: Option<String>,
}

/// The program of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// No rule needs to know.
    Unseen,
    /// There is none of this name: the start will fail, policy or not.
    Missing,
    /// There is one.
    File {
        /// Its path without any symbolic link.
        real: PathBuf,
        /// Why it is not to be trusted, if so: filled in where programs are bounded.
        distrust: Option<Distrust>,
    },
}

/// Why a file is not to be trusted: somebody could put another one in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Somebody who is not among the owners owns the file or a directory above it.
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Group or others may change the file or a directory above it.
    Writable {
        /// The file or directory.
        path: PathBuf,
    },
    /// It cannot be looked at, or is no plain file.
    Unclear {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
}

/// The working directory of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directory {
    /// No rule needs to know.
    Unseen,
    /// There is none: the start will fail, policy or not.
    Missing,
    /// Its path without any symbolic link.
    Real(PathBuf),
}
