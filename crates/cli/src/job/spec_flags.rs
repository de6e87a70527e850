//! Flags for every field of a job's definition, and what they do to one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cronfleet_api::job::{
    CatchUp, Command, DstPolicy, JobSpec, OutputMode, OutputPolicy, Overlap, RetryPolicy,
    ScheduledSpec, Script, StopPolicy, WhenFull,
};
use cronfleet_api::limits::{Limits, Stragglers};
use cronfleet_api::secret::{SecretAs, SecretUse};
use cronfleet_api::target::Target;

use super::catch_up_flags::CatchUpFlags;
use super::daemon_flags::DaemonFlags;
use super::limit_flags::{Limit, LimitFlags, unset};
use super::overlap_flags::OverlapFlags;
use super::retry_flags::RetryFlags;
use super::spec_file::read_text;
use super::target_flags::TargetFlags;
use crate::client::Client;
use crate::failure::Failure;
use crate::quantity::{Bytes, Millis, parse_bytes, parse_millis};
use crate::timing_flags::TimingFlags;

/// Flags for every field of a definition.
#[derive(Args, Default, PartialEq)]
pub(crate) struct SpecFlags {
    /// Name, unique in the group
    #[arg(long)]
    name: Option<String>,
    /// Free text
    #[arg(long)]
    description: Option<String>,
    /// Schedule expression: makes a scheduled job
    #[arg(
        long,
        value_name = "EXPRESSION",
        allow_hyphen_values = true,
        help_heading = "When"
    )]
    cron: Option<String>,
    /// IANA time zone of the schedule; the center's default when absent
    #[arg(long, value_name = "ZONE", help_heading = "When")]
    tz: Option<String>,
    #[command(flatten, next_help_heading = "When")]
    overlap: OverlapFlags,
    /// Longest wait after a due time, up to 1h: each agent waits for its own part of it, always the same
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "When")]
    jitter: Option<Millis>,
    /// How late a run may start, e.g. 60s
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "When")]
    start_deadline: Option<Millis>,
    #[command(flatten, next_help_heading = "When")]
    timing: TimingFlags,
    #[command(flatten, next_help_heading = "When")]
    catch_up: CatchUpFlags,
    /// Stop a run that is alive longer, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "When")]
    timeout: Option<Millis>,
    #[command(flatten, next_help_heading = "When")]
    retry: RetryFlags,
    /// Makes a daemon job, whose processes are kept alive
    #[arg(long, conflicts_with = "cron", help_heading = "Daemon")]
    daemon: bool,
    #[command(flatten, next_help_heading = "Daemon")]
    daemon_flags: DaemonFlags,
    /// Run this script (- for standard input) instead of a command
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "argv",
        help_heading = "What"
    )]
    script_file: Option<PathBuf>,
    /// Interpreter of the script and its arguments, separated by spaces [default: /bin/sh]
    #[arg(long, value_name = "PROGRAM", help_heading = "What")]
    interpreter: Option<String>,
    /// Linux user to run as; must be in the group's list
    #[arg(long, value_name = "USER", help_heading = "What")]
    run_as: Option<String>,
    /// Absolute working directory; the user's home when absent
    #[arg(long, value_name = "PATH", help_heading = "What")]
    directory: Option<String>,
    /// Environment variable NAME=VALUE; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable, help_heading = "What")]
    env: Vec<(String, String)>,
    /// Secret of the group for the process: NAME=env:VARIABLE or NAME=file:FILE; can be repeated
    #[arg(long, value_name = "NAME=env:VARIABLE", value_parser = parse_secret, help_heading = "What")]
    secret: Vec<SecretUse>,
    /// File mode mask in octal, e.g. 027
    #[arg(long, help_heading = "What")]
    umask: Option<String>,
    #[command(flatten, next_help_heading = "Where")]
    target: TargetFlags,
    /// Processes per agent (and per due instant)
    #[arg(long, short, value_name = "COUNT", help_heading = "Where")]
    processes: Option<u32>,
    /// Keep output or throw it away
    #[arg(long, value_enum, help_heading = "Output and stop")]
    output: Option<OutputWord>,
    /// Bytes of output kept per process, e.g. 10MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = "Output and stop")]
    output_cap: Option<Bytes>,
    /// When output comes faster than it can be put away: drop its middle, or let the process wait
    #[arg(long, value_enum, help_heading = "Output and stop")]
    output_when_full: Option<WhenFullWord>,
    /// Longest wait of a process whose output finds no room, e.g. 60s
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "Output and stop")]
    output_block_max: Option<Millis>,
    /// First signal of a stop: TERM, INT, HUP, QUIT, USR1, USR2, KILL
    #[arg(long, value_name = "SIGNAL", help_heading = "Output and stop")]
    stop_signal: Option<String>,
    /// Time between that signal and KILL
    #[arg(long, value_name = "TIME", value_parser = parse_millis, help_heading = "Output and stop")]
    stop_grace: Option<Millis>,
    #[command(flatten)]
    limits: LimitFlags,
    /// Set a field back to its default; can be repeated
    #[arg(long, value_enum, value_name = "FIELD")]
    unset: Vec<Unset>,
    /// Remove an environment variable; can be repeated
    #[arg(long, value_name = "NAME")]
    unset_env: Vec<String>,
    /// Give the process a secret no more; can be repeated
    #[arg(long, value_name = "NAME")]
    unset_secret: Vec<String>,
    /// Program and arguments, after --
    #[arg(last = true, value_name = "COMMAND")]
    argv: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum OutputWord {
    /// The center stores it
    Store,
    /// Only its size is counted
    Discard,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum WhenFullWord {
    /// The process never waits; what is dropped is counted
    Drop,
    /// The process waits in its write, up to --output-block-max
    Block,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Unset {
    /// The center's default time zone
    Tz,
    /// The rule of cron
    DstGap,
    /// The rule of cron
    DstOverlap,
    /// From the beginning
    ActiveFrom,
    /// For ever
    ActiveUntil,
    /// Every day counts
    Calendar,
    /// No time limit
    Timeout,
    /// 60 seconds
    StartDeadline,
    /// After every failure
    RetryOn,
    /// The user's home
    Directory,
    /// 022
    Umask,
    /// No limit
    MemoryMax,
    /// No limit
    CpuMax,
    /// No limit
    PidsMax,
    /// As the agent was started
    OpenFilesMax,
    /// As the agent was started
    CoreSizeMax,
    /// 0
    Nice,
    /// By the nice value
    IoPriority,
    /// 0
    OomScoreAdj,
}

impl Unset {
    /// The limit that it takes off, if it is one.
    fn limit(self) -> Option<Limit> {
        Some(match self {
            Self::Tz
            | Self::DstGap
            | Self::DstOverlap
            | Self::ActiveFrom
            | Self::ActiveUntil
            | Self::Calendar
            | Self::Timeout
            | Self::StartDeadline
            | Self::RetryOn
            | Self::Directory
            | Self::Umask => {
                return None;
            }
            Self::MemoryMax => Limit::Memory,
            Self::CpuMax => Limit::Cpu,
            Self::PidsMax => Limit::Pids,
            Self::OpenFilesMax => Limit::OpenFiles,
            Self::CoreSizeMax => Limit::CoreSize,
            Self::Nice => Limit::Nice,
            Self::IoPriority => Limit::IoPriority,
            Self::OomScoreAdj => Limit::OomScoreAdj,
        })
    }
}

impl SpecFlags {
    /// Whether no flag was given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A definition with nothing in it yet.
    pub(super) fn blank() -> JobSpec {
        JobSpec {
            name: String::new(),
            description: String::new(),
            scheduled: None,
            daemon: None,
            command: Command {
                argv: None,
                script: None,
            },
            run_as: String::new(),
            directory: None,
            environment: Default::default(),
            secrets: Vec::new(),
            umask: None,
            target: Target::default(),
            processes: 1,
            output: OutputPolicy::default(),
            stop: StopPolicy::default(),
            stragglers: Stragglers::default(),
            limits: Limits::default(),
        }
    }

    /// Changes a definition as the flags say. Looks up agents by name.
    pub(super) async fn apply(self, client: &Client, spec: &mut JobSpec) -> Result<(), Failure> {
        self.target.apply(client, &mut spec.target).await?;
        self.apply_what(spec)?;
        self.apply_kind(spec)?;
        self.limits.apply(spec);
        let taken_off = self.unset.iter().filter_map(|field| field.limit());
        taken_off.for_each(|limit| unset(&mut spec.limits, limit));
        set(&mut spec.name, self.name);
        set(&mut spec.description, self.description);
        set(&mut spec.processes, self.processes);
        set(
            &mut spec.output.cap_bytes,
            self.output_cap.map(|Bytes(count)| count),
        );
        set(
            &mut spec.output.mode,
            self.output.map(|word| match word {
                OutputWord::Store => OutputMode::Store,
                OutputWord::Discard => OutputMode::Discard,
            }),
        );
        set(
            &mut spec.output.when_full,
            self.output_when_full.map(|word| match word {
                WhenFullWord::Drop => WhenFull::Drop,
                WhenFullWord::Block => WhenFull::Block,
            }),
        );
        set_ms(&mut spec.output.block_max_ms, self.output_block_max);
        set(&mut spec.stop.signal, self.stop_signal);
        set_ms(&mut spec.stop.grace_ms, self.stop_grace);
        Ok(())
    }

    fn apply_what(&self, spec: &mut JobSpec) -> Result<(), Failure> {
        let interpreter = self
            .interpreter
            .as_ref()
            .map(|text| text.split_whitespace().map(str::to_owned).collect());
        if let Some(path) = &self.script_file {
            let before = spec
                .command
                .script
                .take()
                .and_then(|script| script.interpreter);
            let script = Script {
                interpreter: interpreter.or(before),
                text: read_text(path)?,
            };
            spec.command = Command {
                argv: None,
                script: Some(script),
            };
        } else if !self.argv.is_empty() {
            spec.command = Command {
                argv: Some(self.argv.clone()),
                script: None,
            };
        } else if interpreter.is_some() {
            let script = spec
                .command
                .script
                .as_mut()
                .ok_or_else(|| needless("--interpreter", "a script"))?;
            script.interpreter = interpreter;
        }
        set(&mut spec.run_as, self.run_as.clone());
        set_maybe(&mut spec.directory, self.directory.clone());
        set_maybe(&mut spec.umask, self.umask.clone());
        for unset in &self.unset {
            match unset {
                Unset::Directory => spec.directory = None,
                Unset::Umask => spec.umask = None,
                _ => {}
            }
        }
        for name in &self.unset_env {
            spec.environment.remove(name);
        }
        spec.environment.extend(self.env.iter().cloned());
        spec.secrets.retain(|used| {
            let is_given_anew = self.secret.iter().any(|new| new.given == used.given);
            !is_given_anew && !self.unset_secret.contains(&used.name)
        });
        spec.secrets.extend(self.secret.iter().cloned());
        Ok(())
    }

    fn apply_kind(&self, spec: &mut JobSpec) -> Result<(), Failure> {
        if let Some(expression) = &self.cron {
            spec.daemon = None;
            let scheduled = spec.scheduled.get_or_insert_with(|| ScheduledSpec {
                expression: String::new(),
                time_zone: None,
                dst: DstPolicy::default(),
                active_from: None,
                active_until: None,
                calendar: None,
                overlap: Overlap::Forbid,
                queue_max: None,
                jitter_ms: 0,
                start_deadline_ms: None,
                catch_up: CatchUp::default(),
                timeout_ms: None,
                retry: RetryPolicy::default(),
            });
            scheduled.expression = expression.clone();
        } else if self.daemon {
            spec.scheduled = None;
            spec.daemon.get_or_insert_default();
        }
        match &mut spec.scheduled {
            Some(scheduled) => self.apply_scheduled(scheduled)?,
            None => self.refuse_flags(self.scheduled_flags(), "a scheduled job (--cron)")?,
        }
        match &mut spec.daemon {
            Some(daemon) => self.daemon_flags.apply(daemon)?,
            None => self.refuse_flags(self.daemon_flags.given(), "a daemon job (--daemon)")?,
        }
        Ok(())
    }

    fn apply_scheduled(&self, scheduled: &mut ScheduledSpec) -> Result<(), Failure> {
        set_maybe(&mut scheduled.time_zone, self.tz.clone());
        self.overlap.apply(scheduled);
        set_ms(&mut scheduled.jitter_ms, self.jitter);
        set_maybe(
            &mut scheduled.start_deadline_ms,
            self.start_deadline.map(|Millis(ms)| ms),
        );
        self.timing.apply(scheduled)?;
        self.catch_up.apply(&mut scheduled.catch_up);
        set_maybe(&mut scheduled.timeout_ms, self.timeout.map(|Millis(ms)| ms));
        self.retry.apply(&mut scheduled.retry);
        for unset in &self.unset {
            match unset {
                Unset::Tz => scheduled.time_zone = None,
                Unset::DstGap => scheduled.dst.gap = None,
                Unset::DstOverlap => scheduled.dst.overlap = None,
                Unset::ActiveFrom => scheduled.active_from = None,
                Unset::ActiveUntil => scheduled.active_until = None,
                Unset::Calendar => scheduled.calendar = None,
                Unset::Timeout => scheduled.timeout_ms = None,
                Unset::StartDeadline => scheduled.start_deadline_ms = None,
                Unset::RetryOn => scheduled.retry.failures.clear(),
                _ => {}
            }
        }
        Ok(())
    }

    fn scheduled_flags(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let others = [
            ("--tz", self.tz.is_some()),
            ("--jitter", self.jitter.is_some()),
            ("--start-deadline", self.start_deadline.is_some()),
            ("--catch-up", !self.catch_up.is_empty()),
            ("--timeout", self.timeout.is_some()),
        ];
        self.timing
            .given()
            .into_iter()
            .chain(self.overlap.given())
            .chain(others)
            .chain(self.retry.given())
    }

    /// Refuses flags that would have no effect.
    fn refuse_flags(
        &self,
        flags: impl IntoIterator<Item = (&'static str, bool)>,
        of: &str,
    ) -> Result<(), Failure> {
        match flags.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(needless(flag, of)),
            None => Ok(()),
        }
    }
}

fn needless(flag: &str, of: &str) -> Failure {
    Failure::Input {
        field: flag.to_owned(),
        message: format!("{flag} means something only for {of}"),
        hint: "leave it out".to_owned(),
    }
}

pub(super) fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn set_maybe<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

pub(super) fn set_ms(field: &mut u64, value: Option<Millis>) {
    set(field, value.map(|Millis(ms)| ms));
}

fn parse_secret(text: &str) -> Result<SecretUse, String> {
    let refuse = || format!("{text:?} is not NAME=env:VARIABLE or NAME=file:FILE");
    let (name, given) = text.split_once('=').ok_or_else(refuse)?;
    let given = match given.split_once(':') {
        Some(("env", variable)) => SecretAs::Env(variable.to_owned()),
        Some(("file", file)) => SecretAs::File(file.to_owned()),
        _ => return Err(refuse()),
    };
    Ok(SecretUse {
        name: name.to_owned(),
        given,
    })
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}
