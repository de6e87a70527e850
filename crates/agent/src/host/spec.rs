//! What the agent asks for when it launches a life.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cronfleet_core::limits::{IoClass, IoPriority};
use cronfleet_shim::spec::{Cgroups, Hidden, Limit, Output, Program, Resource, Spec, Stragglers};

use super::cgroup::GroupLimits;
use super::program::Checked;
use super::secrets::LifeSecrets;
use super::start_error::StartError;
use super::user::RunUser;
use super::{environment, open};

/// Least spool a life can be given, in bytes. Smaller caps are raised to it.
const OUTPUT_CAP_MIN: u64 = 64 * 1024;

/// Variable that names the directory of files with secrets.
const SECRETS_DIR: &str = "CRONFLEET_SECRETS_DIR";

const UMASK_DEFAULT: u32 = 0o022;
const DRAIN_DEFAULT: Duration = Duration::from_millis(500);
const OUTPUT_CAP_DEFAULT: u64 = 16 * 1024 * 1024;

/// One command to launch, with everything resolved: nothing in it needs a look at jobs, groups or policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeSpec {
    /// What to run.
    pub command: LifeCommand,
    /// The one file that may be executed for it; `None` leaves the lookup to the start.
    pub program: Option<Checked>,
    /// Whom to run it as. An agent that is not root can only run as itself.
    pub user: RunUser,
    /// The whole environment ([`super::build_environment`]).
    pub environment: Vec<(OsString, OsString)>,
    /// Secrets, which come over the environment and are blotted out in output.
    pub secrets: LifeSecrets,
    /// Working directory, absolute; entered as the user.
    pub directory: PathBuf,
    /// File mode creation mask, `0o000` to `0o777`.
    pub umask: u32,
    /// Resource limits. Open files fall back to what the agent itself was started with.
    pub limits: Vec<Limit>,
    /// What the command and everything that it starts may use together.
    pub group_limits: GroupLimits,
    /// Nice value, -20 (first) to 19 (last).
    pub nice: i32,
    /// Priority for disks; `None` leaves the agent's own.
    pub io_priority: Option<IoPriority>,
    /// Out-of-memory score adjustment, -1000 (never killed) to 1000; `None` is 0 where the system allows it.
    pub oom_score_adj: Option<i32>,
    /// Forbids gaining privileges by set-user-id programs such as `sudo`.
    pub no_new_privs: bool,
    /// Number of the signal that [`super::LifeControl::stop`] sends.
    pub stop_signal: i32,
    /// What becomes of output.
    pub output: OutputPolicy,
    /// What becomes of processes that outlive the command.
    pub stragglers: Stragglers,
    /// How long to wait for late output and late processes after the command ended.
    pub drain: Duration,
}

/// A program with arguments, or a script with its interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LifeCommand {
    /// Program and arguments. A program without a slash is looked up in the `PATH` of the environment.
    Argv(Vec<OsString>),
    /// A script text.
    Script {
        /// Interpreter and its own arguments; the script's path and `arguments` follow.
        interpreter: Vec<OsString>,
        /// The text, put into a file that only the user can read.
        text: Vec<u8>,
        /// Arguments of the script.
        arguments: Vec<OsString>,
    },
}

/// What becomes of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputPolicy {
    /// Kept in the spool: the first quarter of the cap and the newest of what came after.
    Store {
        /// Most bytes on disk (at least 64 KiB), frame heads of 13 bytes included.
        cap_bytes: u64,
        /// Longest wait of the command until segments are taken away when there is no room; `None` drops from the middle.
        block_max: Option<Duration>,
    },
    /// Counted and thrown away.
    Discard,
}

impl LifeSpec {
    /// Gives a spec with the usual defaults: the user's home (or `/`) as directory, umask 022, no limits of its own,
    /// no new privileges, SIGTERM to stop, 16 MiB of output, stragglers killed after 500 ms. The environment is empty.
    #[must_use]
    pub fn new(user: RunUser, command: LifeCommand) -> Self {
        let directory = if user.home.is_absolute() {
            user.home.clone()
        } else {
            PathBuf::from("/")
        };
        Self {
            command,
            program: None,
            user,
            environment: Vec::new(),
            secrets: LifeSecrets::default(),
            directory,
            umask: UMASK_DEFAULT,
            limits: Vec::new(),
            group_limits: GroupLimits::default(),
            nice: 0,
            io_priority: None,
            oom_score_adj: None,
            no_new_privs: true,
            stop_signal: libc::SIGTERM,
            output: OutputPolicy::Store {
                cap_bytes: OUTPUT_CAP_DEFAULT,
                block_max: None,
            },
            stragglers: Stragglers::Kill,
            drain: DRAIN_DEFAULT,
        }
    }

    /// Translates into what the shim reads. It has no control groups yet.
    pub(super) fn to_shim(
        &self,
        script: &Path,
        spool: &Path,
        secrets_dir: &Path,
    ) -> Result<Spec, StartError> {
        let invalid = |field| StartError::Invalid { field };
        let argv = self.argv(script);
        if argv.first().is_none_or(|program| program.is_empty()) {
            return Err(invalid("command"));
        }
        if argv.iter().any(|arg| arg.as_bytes().contains(&0)) {
            return Err(invalid("command"));
        }
        let directory = self.directory.as_os_str();
        if !self.directory.is_absolute() || directory.as_bytes().contains(&0) {
            return Err(invalid("directory"));
        }
        for (name, value) in &self.environment {
            environment::check(name, value).map_err(|_| invalid("environment"))?;
        }
        for (name, value) in &self.secrets.environment {
            let value = OsStr::from_bytes(value.expose());
            environment::check(OsStr::new(name), value).map_err(|_| invalid("secrets"))?;
        }
        if !(1..=64).contains(&self.stop_signal) {
            return Err(invalid("stop_signal"));
        }
        Ok(Spec {
            argv: argv.into_iter().map(OsString::into_vec).collect(),
            program: self.program.as_ref().map(|program| Program {
                path: program.path.as_os_str().as_bytes().to_vec(),
                device: program.device,
                inode: program.inode,
            }),
            environment: self.variables(secrets_dir),
            secret_environment: self.secret_variables(),
            mask: self.secrets.patterns().into_iter().map(Hidden).collect(),
            uid: self.user.uid,
            gid: self.user.gid,
            groups: self.user.groups.clone(),
            change_ids: open::is_root(),
            directory: directory.as_bytes().to_vec(),
            umask: self.umask & 0o777,
            limits: self.limits_with_defaults(),
            nice: self.nice,
            oom_score_adj: self.oom_score_adj,
            no_new_privs: self.no_new_privs,
            stop_signal: self.stop_signal,
            output: match self.output {
                OutputPolicy::Discard => Output::Discard,
                OutputPolicy::Store {
                    cap_bytes,
                    block_max,
                } => Output::Store {
                    cap_bytes: cap_bytes.max(OUTPUT_CAP_MIN),
                    directory: spool.as_os_str().as_bytes().to_vec(),
                    block_max_ms: block_max.map(millis),
                },
            },
            stragglers: self.stragglers,
            drain_ms: millis(self.drain),
            cgroups: Cgroups::default(),
            io_priority: self.io_priority.map(io_priority),
        })
    }

    fn argv(&self, script: &Path) -> Vec<OsString> {
        match &self.command {
            LifeCommand::Argv(argv) => argv.clone(),
            LifeCommand::Script {
                interpreter,
                arguments,
                ..
            } => {
                let path = script.as_os_str().to_owned();
                let mut argv = interpreter.clone();
                if !argv.is_empty() {
                    argv.push(path);
                    argv.extend(arguments.iter().cloned());
                }
                argv
            }
        }
    }

    /// The environment but for secrets, and where their files are.
    fn variables(&self, secrets_dir: &Path) -> Vec<Vec<u8>> {
        let is_overridden = |name: &OsStr| {
            let mut names = self.secrets.environment.iter().map(|(name, _)| name);
            names.any(|secret| OsStr::new(secret) == name)
        };
        let plain = self.environment.iter();
        let mut variables: Vec<Vec<u8>> = plain
            .filter(|(name, _)| !is_overridden(name))
            .map(|(name, value)| variable(name.as_bytes(), value.as_bytes()))
            .collect();
        if !self.secrets.files.is_empty() {
            let directory = secrets_dir.as_os_str().as_bytes();
            variables.push(variable(SECRETS_DIR.as_bytes(), directory));
        }
        variables
    }

    fn secret_variables(&self) -> Vec<Hidden> {
        let secrets = self.secrets.environment.iter();
        secrets
            .map(|(name, value)| Hidden(variable(name.as_bytes(), value.expose())))
            .collect()
    }

    /// The agent raises its own soft limit of open files; commands get the one it was started with.
    fn limits_with_defaults(&self) -> Vec<Limit> {
        let mut limits = self.limits.clone();
        let named = limits.iter().any(|l| l.resource == Resource::OpenFiles);
        if let (false, Some(limit)) = (named, open::inherited_open_files()) {
            limits.push(limit);
        }
        limits
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A priority as `ioprio_set(2)` takes it.
fn io_priority(priority: IoPriority) -> u16 {
    let class: u16 = match priority.class {
        IoClass::Realtime => 1,
        IoClass::BestEffort => 2,
        IoClass::Idle => 3,
    };
    class << 13 | u16::from(priority.level)
}

fn variable(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b"=", value].concat()
}
