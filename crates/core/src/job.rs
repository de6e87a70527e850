//! Jobs: definitions of what to run, as whom, where and when, and the rules a definition must keep.

mod daemon;
mod scheduled;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::AgentId;
use crate::limits::{ProcessLimits, Stragglers};
use crate::secret::{self, SecretUse};
pub use crate::stop::{StopPolicy, StopSignal};

pub(crate) use daemon::WELL_UPTIME_MIN;
pub use daemon::{
    ADDRESS_DEFAULT, Check, DaemonSpec, Endpoint, Health, Probe, Readiness, Recycle, Restart,
};
pub use scheduled::{
    Overlap, START_DEADLINE_DEFAULT, ScheduledSpec, check_active, too_dense_to_shift,
};

/// Definition of a job: everything that a job version freezes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// 1 to 128 characters without control characters; unique in its group.
    pub name: String,
    /// Up to 4,000 characters.
    pub description: String,
    /// When to run, or how to keep alive.
    pub kind: JobKind,
    /// What to run and as whom.
    pub launch: Launch,
    /// Where to run.
    pub target: Target,
    /// Processes per agent (and per due instant), 1 to 1,000.
    pub processes: u32,
}

/// When to run a job, or how to keep it alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKind {
    /// Runs at due instants.
    Scheduled(Box<ScheduledSpec>),
    /// Keeps N processes alive on each agent.
    Daemon(Box<DaemonSpec>),
}

/// Where a job runs, always within the active agents that serve its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every agent of the group, also those to come.
    All,
    /// These, as far as they serve the group when a due instant is planned.
    Agents(Vec<AgentId>),
}

/// What to run, as whom, and how to stop it: all that an agent needs to launch a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// What to run.
    pub command: Command,
    /// Linux user to run as.
    pub run_as: String,
    /// Absolute working directory; the user's home when absent.
    pub directory: Option<String>,
    /// Environment added to the clean one.
    pub environment: BTreeMap<String, String>,
    /// File mode mask, 0 to 0o777.
    pub umask: u32,
    /// Secrets that the process gets; their values are nowhere in here.
    pub secrets: Vec<SecretUse>,
    /// What to do with output.
    pub output: OutputPolicy,
    /// How to stop a process.
    pub stop: StopPolicy,
    /// What becomes of processes that outlive the command; daemons leave none.
    pub stragglers: Stragglers,
    /// What it may use.
    pub limits: ProcessLimits,
}

impl Launch {
    /// A launch with what a job gets that says nothing else: the user's home, a clean environment, the mask 022, no limits, and
    /// the defaults of [`OutputPolicy`] and [`StopPolicy`].
    pub fn new(command: Command, run_as: impl Into<String>) -> Self {
        Self {
            command,
            run_as: run_as.into(),
            directory: None,
            environment: BTreeMap::new(),
            umask: 0o022,
            secrets: Vec::new(),
            output: OutputPolicy::default(),
            stop: StopPolicy::default(),
            stragglers: Stragglers::Kill,
            limits: ProcessLimits::NONE,
        }
    }
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Program and arguments, run without a shell. A program without `/` is looked up in the job's `PATH`.
    Argv(Vec<String>),
    /// A script, handed to its interpreter as a file.
    Script {
        /// Interpreter and its arguments; the script's path is appended.
        interpreter: Vec<String>,
        /// Text, up to 256 KiB.
        text: String,
    },
}

/// What to do with output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputPolicy {
    /// Whether the center stores it; if not, only its size is counted.
    pub is_stored: bool,
    /// Bytes kept per process, 4 KiB to 1 GiB. Of a run beginning and end are kept, of a daemon's process the newest.
    pub cap_bytes: u64,
    /// What happens when output comes faster than it can be put away.
    pub when_full: WhenFull,
}

impl Default for OutputPolicy {
    /// Stored, 10 MiB per process, dropped where it is too much.
    fn default() -> Self {
        Self {
            is_stored: true,
            cap_bytes: 10 << 20,
            when_full: WhenFull::Drop,
        }
    }
}

/// What happens when output comes faster than it can be put away: the spool of its machine is at the cap, or its disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The middle is dropped and counted; the process never waits.
    #[default]
    Drop,
    /// The process waits in its write until a center has stored some of it.
    Block {
        /// Longest wait, 1 s to 30 days; after it output is dropped until there is room again.
        wait_max: Duration,
    },
}

/// A definition that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    /// Path of the field, e.g. `command.argv`.
    pub field: String,
    /// Stable code, e.g. `job.name_length`.
    pub code: &'static str,
    /// What is wrong, naming the value.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// Environment names that change what a program loads or runs before its first line: never taken from a job.
const ENVIRONMENT_REFUSED: [&str; 12] = [
    "BASH_ENV",
    "ENV",
    "IFS",
    "GCONV_PATH",
    "NODE_OPTIONS",
    "PERL5LIB",
    "PERL5OPT",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
];

/// Checks everything about a definition that needs no database: lengths, ranges, names. The schedule expression and the
/// time zone are checked by [`ScheduledSpec::schedule`], membership of agents and users by the center.
///
/// # Errors
/// The first rule that is broken, in the order of the fields.
pub fn validate(spec: &JobSpec) -> Result<(), SpecError> {
    check_name(&spec.name)?;
    check(
        spec.description.chars().count() <= 4_000,
        "description",
        "job.description_length",
        || {
            (
                "description is longer than 4,000 characters".into(),
                "shorten it".into(),
            )
        },
    )?;
    match &spec.kind {
        JobKind::Scheduled(scheduled) => scheduled::check_scheduled(scheduled)?,
        JobKind::Daemon(daemon) => daemon::check_daemon(daemon, spec.processes)?,
    }
    check_launch(&spec.launch)?;
    let is_daemon = matches!(spec.kind, JobKind::Daemon(_));
    check(
        !is_daemon || spec.launch.stragglers == Stragglers::Kill,
        "stragglers",
        "job.stragglers_daemon",
        || {
            (
                "a daemon cannot leave processes behind".into(),
                "leave it out: what a daemon's process started ends with it".into(),
            )
        },
    )?;
    if let Target::Agents(agents) = &spec.target {
        check(
            !agents.is_empty(),
            "target.agent_ids",
            "job.no_agent",
            || {
                (
                    "no agent is chosen".into(),
                    "choose at least one agent, or all agents of the group".into(),
                )
            },
        )?;
        check(
            agents.len() <= 10_000,
            "target.agent_ids",
            "job.too_many_agents",
            || {
                (
                    format!("{} agents are chosen", agents.len()),
                    "choose at most 10,000, or all agents of the group".into(),
                )
            },
        )?;
    }
    range("processes", u64::from(spec.processes), 1, 1_000)
}

fn check_name(name: &str) -> Result<(), SpecError> {
    let length = name.chars().count();
    check(
        (1..=128).contains(&length),
        "name",
        "job.name_length",
        || {
            (
                format!("name has {length} characters"),
                "use 1 to 128 characters".into(),
            )
        },
    )?;
    let is_clean = name.trim() == name && !name.chars().any(is_unprintable);
    check(is_clean, "name", "job.name_characters", || {
        (
            "name has control or invisible characters, or spaces around it".into(),
            "use printable characters without spaces at the ends".into(),
        )
    })
}

/// Control characters, and characters that make a text look like another (bidirectional and zero-width ones).
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn check_launch(launch: &Launch) -> Result<(), SpecError> {
    match &launch.command {
        Command::Argv(argv) => check_argv("command.argv", argv)?,
        Command::Script { interpreter, text } => {
            check_argv("command.script.interpreter", interpreter)?;
            check(
                text.len() <= 256 << 10,
                "command.script.text",
                "job.script_length",
                || {
                    (
                        format!("script has {} bytes", text.len()),
                        "use at most 262,144 bytes".into(),
                    )
                },
            )?;
            check(
                !text.contains('\0'),
                "command.script.text",
                "job.nul_byte",
                nul,
            )?;
        }
    }
    check_user("run_as", &launch.run_as)?;
    if let Some(directory) = &launch.directory {
        check(
            directory.starts_with('/') && directory.len() <= 4_095,
            "directory",
            "job.directory",
            || {
                (
                    format!("directory {:?} is not an absolute path", cut(directory)),
                    "start it with /".into(),
                )
            },
        )?;
        check(!directory.contains('\0'), "directory", "job.nul_byte", nul)?;
    }
    check_environment(&launch.environment)?;
    secret::validate(&launch.secrets, |name| {
        launch.environment.contains_key(name)
    })?;
    range("umask", u64::from(launch.umask), 0, 0o777)?;
    range("output.cap_bytes", launch.output.cap_bytes, 4_096, 1 << 30)?;
    if let WhenFull::Block { wait_max } = launch.output.when_full {
        range_ms("output.block_max_ms", wait_max, 1_000, 2_592_000_000)?;
    }
    range_ms("stop.grace_ms", launch.stop.grace, 0, 3_600_000)?;
    launch.limits.check()
}

fn check_argv(field: &str, argv: &[String]) -> Result<(), SpecError> {
    check(
        argv.first().is_some_and(|program| !program.is_empty()),
        field,
        "job.command_empty",
        || {
            (
                "no program is given".into(),
                "give a program, for example [\"/usr/bin/true\"]".into(),
            )
        },
    )?;
    let bytes: usize = argv.iter().map(|argument| argument.len() + 1).sum();
    check(
        argv.len() <= 1_000 && bytes <= 128 << 10,
        field,
        "job.command_length",
        || {
            (
                format!("command has {} arguments and {bytes} bytes", argv.len()),
                "use at most 1,000 arguments and 131,072 bytes; put more into a script".into(),
            )
        },
    )?;
    check(
        !argv.iter().any(|argument| argument.contains('\0')),
        field,
        "job.nul_byte",
        nul,
    )
}

/// Checks the form of a Linux user name (`useradd`'s rule, with capitals and dots as many directories have them).
///
/// # Errors
/// The name is empty, longer than 32 characters, numeric, or has other characters.
pub fn check_user(field: &str, name: &str) -> Result<(), SpecError> {
    let has_form = name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    check(has_form, field, "job.user_name", || {
        (
            format!("{:?} is not the name of a Linux user", cut(name)),
            "use a user name such as www-data, not a number".into(),
        )
    })
}

fn check_environment(environment: &BTreeMap<String, String>) -> Result<(), SpecError> {
    let bytes: usize = environment
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    check(
        bytes <= 64 << 10,
        "environment",
        "job.environment_length",
        || {
            (
                format!("environment has {bytes} bytes"),
                "use at most 65,536 bytes".into(),
            )
        },
    )?;
    for (name, value) in environment {
        let field = format!("environment.{}", cut(name));
        check_variable(&field, name)?;
        check(!value.contains('\0'), &field, "job.nul_byte", nul)?;
    }
    Ok(())
}

/// Checks that a job may set an environment variable of this name.
pub(crate) fn check_variable(field: &str, name: &str) -> Result<(), SpecError> {
    let has_form = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    check(has_form, field, "job.environment_name", || {
        (
            format!("{:?} is not the name of an environment variable", cut(name)),
            "use letters, digits and _, not a digit first".into(),
        )
    })?;
    let is_refused = name.starts_with("LD_")
        || name.starts_with("CRONFLEET_")
        || ENVIRONMENT_REFUSED.contains(&name);
    check(!is_refused, field, "job.environment_refused", || {
        (
            format!("environment variable {name} is not allowed in a job"),
            "set it inside the command itself if it is truly needed".into(),
        )
    })
}

fn nul() -> (String, String) {
    ("text contains a NUL byte".into(), "remove it".into())
}

pub(crate) fn range_ms(
    field: &str,
    value: Duration,
    least: u64,
    most: u64,
) -> Result<(), SpecError> {
    range(
        field,
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX),
        least,
        most,
    )
}

pub(crate) fn range(field: &str, value: u64, least: u64, most: u64) -> Result<(), SpecError> {
    check(
        (least..=most).contains(&value),
        field,
        "job.out_of_range",
        || {
            (
                format!("{field} is {value}"),
                format!("use {least} to {most}"),
            )
        },
    )
}

pub(crate) fn check(
    holds: bool,
    field: &str,
    code: &'static str,
    say: impl FnOnce() -> (String, String),
) -> Result<(), SpecError> {
    if holds {
        return Ok(());
    }
    let (message, hint) = say();
    Err(SpecError {
        field: field.to_owned(),
        code,
        message,
        hint,
    })
}

/// At most 64 characters of a text, for messages.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::catch_up::CatchUp;
    use crate::retry::RetryPolicy;
    use crate::schedule::{ActiveSpan, DstPolicy};

    use super::*;
    use crate::spread::Spread;

    fn spec() -> JobSpec {
        JobSpec {
            name: "backup".into(),
            description: String::new(),
            kind: JobKind::Scheduled(Box::new(ScheduledSpec {
                expression: "@daily".into(),
                time_zone: "UTC".into(),
                dst: DstPolicy::default(),
                active: ActiveSpan::default(),
                calendar: None,
                overlap: Overlap::Forbid,
                spread: Spread::Each,
                jitter: Duration::ZERO,
                start_deadline: START_DEADLINE_DEFAULT,
                catch_up: CatchUp::None,
                timeout: None,
                retry: RetryPolicy::NONE,
            })),
            launch: Launch::new(Command::Argv(vec!["/bin/true".into()]), "app"),
            target: Target::All,
            processes: 1,
        }
    }

    #[test]
    fn an_ordinary_definition_is_accepted() {
        assert_eq!(validate(&spec()), Ok(()));
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        type Break = fn(&mut JobSpec);
        let cases: [(&str, &str, Break); 19] = [
            ("name", "job.name_length", |s| s.name = String::new()),
            ("name", "job.name_length", |s| s.name = "x".repeat(1 << 20)),
            ("name", "job.name_characters", |s| s.name = "a\nb".into()),
            ("name", "job.name_characters", |s| {
                s.name = "a\u{202e}b".into()
            }),
            ("processes", "job.out_of_range", |s| s.processes = 0),
            ("command.argv", "job.command_empty", |s| {
                s.launch.command = Command::Argv(vec![])
            }),
            ("command.argv", "job.nul_byte", |s| {
                s.launch.command = Command::Argv(vec!["a\0".into()])
            }),
            ("run_as", "job.user_name", |s| s.launch.run_as = "0".into()),
            ("run_as", "job.user_name", |s| {
                s.launch.run_as = " app".into()
            }),
            ("directory", "job.directory", |s| {
                s.launch.directory = Some("tmp".into())
            }),
            ("environment.LD_PRELOAD", "job.environment_refused", |s| {
                s.launch.environment.insert("LD_PRELOAD".into(), "x".into());
            }),
            ("environment.a=b", "job.environment_name", |s| {
                s.launch.environment.insert("a=b".into(), "x".into());
            }),
            ("umask", "job.out_of_range", |s| s.launch.umask = 0o1000),
            ("output.block_max_ms", "job.out_of_range", |s| {
                s.launch.output.when_full = WhenFull::Block {
                    wait_max: Duration::from_millis(999),
                };
            }),
            ("scheduled.catch_up.max", "job.out_of_range", |s| {
                if let JobKind::Scheduled(scheduled) = &mut s.kind {
                    scheduled.catch_up = CatchUp::All {
                        max: 101,
                        window: Duration::from_secs(60),
                    };
                }
            }),
            ("scheduled.active_until", "job.active_span", |s| {
                if let JobKind::Scheduled(scheduled) = &mut s.kind {
                    scheduled.active = ActiveSpan {
                        from: Some(Timestamp::UNIX_EPOCH),
                        until: Some(Timestamp::UNIX_EPOCH),
                    };
                }
            }),
            ("limits.pids_max", "job.out_of_range", |s| {
                s.launch.limits.pids_max = Some(0)
            }),
            ("stragglers", "job.stragglers_daemon", |s| {
                s.launch.stragglers = Stragglers::Leave;
                s.kind = JobKind::Daemon(Box::default());
            }),
            ("target.agent_ids", "job.no_agent", |s| {
                s.target = Target::Agents(vec![])
            }),
        ];
        for (field, code, break_rule) in cases {
            let mut broken = spec();
            break_rule(&mut broken);
            let error = validate(&broken).expect_err(field);
            assert_eq!((error.field.as_str(), error.code), (field, code), "{error}");
            assert!(!error.hint.is_empty());
        }
    }
}
