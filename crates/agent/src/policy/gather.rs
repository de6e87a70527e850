//! Looking up what a start is about, so that a policy can be asked.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use cronfleet_core::policy::{Directory, Distrust, Program, Request, User};

use super::known_user::KnownUser;
use super::source::InForce;
use crate::host::{Checked, TrustError, TrustedFile, UserError, build_environment, find_program};

/// What a start asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whom to run as.
    pub user: User,
    /// The program as asked for; for a script its interpreter.
    pub program: OsString,
    /// Whether it is a script text.
    pub is_script: bool,
    /// The working directory.
    pub directory: PathBuf,
    /// Names of the variables that the job sets.
    pub environment: Vec<String>,
    /// The `PATH` that a program without a slash is looked for in.
    pub path: OsString,
    /// Whether it asks to gain privileges by programs such as `sudo`.
    pub gains_privileges: bool,
}

/// What somebody wants to know about a start, in their own words.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Login name of the user to run as.
    pub user: &'a str,
    /// Program and arguments, or interpreter and its arguments.
    pub words: &'a [String],
    /// Whether it is a script text.
    pub is_script: bool,
    /// The working directory; the user's home when absent.
    pub directory: Option<&'a Path>,
    /// Names of the variables that the job would set.
    pub environment: Vec<String>,
    /// Whether it would ask to gain privileges by programs such as `sudo`.
    pub gains_privileges: bool,
}

impl Asked {
    /// What a start would ask for. Blocking.
    ///
    /// # Errors
    /// [`UserError`] if there is no such user.
    pub fn of(question: &Question<'_>) -> Result<Self, UserError> {
        let known = KnownUser::look_up(question.user)?;
        let none = std::iter::empty::<(&str, &str)>;
        let environment = build_environment(&known.user, none(), none()).unwrap_or_default();
        let path = environment.into_iter().find(|(name, _)| name == "PATH");
        let directory = question.directory.unwrap_or(&known.user.home);
        Ok(Self {
            user: known.as_policy_user(),
            program: question
                .words
                .first()
                .map(OsString::from)
                .unwrap_or_default(),
            is_script: question.is_script,
            directory: directory.to_owned(),
            environment: question.environment.clone(),
            path: path.map(|(_, value)| value).unwrap_or_default(),
            gains_privileges: question.gains_privileges,
        })
    }
}

/// Looks up what the rules of a policy need to know, and nothing more. Where programs are bounded, the file that was looked at
/// comes with it: that one and no other may be executed. Blocking.
#[must_use]
pub fn gather(in_force: &InForce, asked: Asked) -> (Request, Option<Checked>) {
    let policy = &in_force.policy;
    let (program, checked) = if policy.looks_at_programs() {
        look_at(in_force, &asked)
    } else {
        (Program::Unseen, None)
    };
    let directory = if policy.directory_roots.is_some() {
        real_directory(&asked.directory)
    } else {
        Directory::Unseen
    };
    let request = Request {
        user: asked.user,
        program,
        is_script: asked.is_script,
        directory,
        environment: asked.environment,
        gains_privileges: asked.gains_privileges,
    };
    (request, checked)
}

fn look_at(in_force: &InForce, asked: &Asked) -> (Program, Option<Checked>) {
    let Some(real) = find_program(&asked.program, &asked.directory, &asked.path) else {
        return (Program::Missing, None);
    };
    if !in_force.policy.bounds_programs() {
        let distrust = None;
        return (Program::File { real, distrust }, None);
    }
    match TrustedFile::open(&real, &in_force.owner_ids) {
        Ok(trusted) => {
            let checked = Checked {
                path: real.clone(),
                device: trusted.device,
                inode: trusted.inode,
            };
            let distrust = None;
            (Program::File { real, distrust }, Some(checked))
        }
        Err(error) => {
            let distrust = Some(distrust(error));
            (Program::File { real, distrust }, None)
        }
    }
}

fn distrust(error: TrustError) -> Distrust {
    let unclear = |path: PathBuf, problem: String| Distrust::Unclear { path, problem };
    match error {
        TrustError::Owner { path, uid } => Distrust::Owner { path, uid },
        TrustError::Writable { path } => Distrust::Writable { path },
        TrustError::Open { path, source } => unclear(path, source.to_string()),
        TrustError::Link { path } => unclear(path, "it is a symbolic link".to_owned()),
        TrustError::Kind { path } => unclear(path, "it is no plain file".to_owned()),
    }
}

fn real_directory(asked: &Path) -> Directory {
    match asked.canonicalize() {
        Ok(real) => Directory::Real(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Directory::Missing,
        // What cannot be looked at is in none of the roots.
        Err(_) => Directory::Unseen,
    }
}
