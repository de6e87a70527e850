//! What a center sends an agent, and what the agent answers: orders, and claims about what became of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::{JobId, ProcessId, RunId};
use crate::job::{DaemonSpec, Launch, Overlap};
use crate::plan::later;
use crate::run::Reason;

/// What a center sends an agent for one run. All times are on the center's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The run. An agent that has seen it answers its state and starts nothing.
    pub run: RunId,
    /// Job.
    pub job: JobId,
    /// Its name, for logs and the process's environment.
    pub job_name: String,
    /// Version of the job.
    pub job_version: u32,
    /// Copy index, from 0. Overlap is decided per (job, copy).
    pub copy: u32,
    /// Copies per agent and due instant.
    pub copies: u32,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Due instant.
    pub due: Timestamp,
    /// How long after a due instant this target of the job waits by the job's jitter.
    pub jitter: Duration,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Start not after this.
    pub not_after: Timestamp,
    /// Whether it is an offer: it starts only once the center has given the word, for it may offer it to another agent instead.
    pub is_offer: bool,
    /// What to do when the previous run of (job, copy) is alive. Before an offer gets the word the center has seen to that on all
    /// agents; then it holds on this one as for any other run.
    pub overlap: Overlap,
    /// Time limit.
    pub timeout: Option<Duration>,
    /// What to run.
    pub launch: Launch,
}

impl Order {
    /// Whether the run was planned after it was to start because its job is caught up. Such runs come several at once, so where
    /// overlap is forbidden each waits within its window for the one before it, instead of being skipped.
    pub fn is_planned_late(&self) -> bool {
        self.attempt == 1 && self.not_before > later(self.due, self.jitter)
    }
}

/// What the agent's evidence says about a run. Claims are cumulative: each says all that is known, so that any of them may be
/// lost, repeated or overtaken by a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// In the ledger, waits for its time.
    Accepted,
    /// Will not be started, durably.
    Refused {
        /// Why.
        reason: Reason,
        /// More for people.
        detail: Option<String>,
    },
    /// The command runs.
    Running(Start),
    /// The command ended, or could not be started.
    Ended {
        /// Its start; `None` if it never ran.
        start: Option<Start>,
        /// How it ended.
        end: End,
    },
    /// Started, or may have started; how it ended cannot be known.
    Lost {
        /// Why.
        reason: Reason,
        /// Its start, if that much is known.
        start: Option<Start>,
    },
}

/// Start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// When, on the center's clock.
    pub at: Timestamp,
    /// Process id.
    pub pid: i32,
}

/// End of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When, on the center's clock.
    pub at: Timestamp,
    /// How.
    pub status: ExitStatus,
    /// Whether, and why, it was asked to stop before it ended.
    pub stopped_for: Option<StopCause>,
    /// Time it ran, on the agent's monotonic clock.
    pub duration: Duration,
    /// Resources it used.
    pub usage: Usage,
    /// Its output.
    pub output: OutputTotals,
    /// What it took to end everything that belonged to it.
    pub cleanup: Cleanup,
}

impl End {
    /// The end of what could not be started.
    pub fn not_started(at: Timestamp, reason: Reason, detail: String) -> Self {
        Self {
            at,
            status: ExitStatus::NotStarted { reason, detail },
            stopped_for: None,
            duration: Duration::ZERO,
            usage: Usage::default(),
            output: OutputTotals::default(),
            cleanup: Cleanup::default(),
        }
    }
}

/// What it took to end a process and everything that it had started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleanup {
    /// Stop signal that its process group was sent; `None` if nobody asked it to stop.
    pub stop_signal: Option<i32>,
    /// How everything was killed; `None` if nothing had to be.
    pub kill_means: Option<KillMeans>,
    /// Processes besides the command itself that were alive when the killing began, or when the command had ended.
    pub found: u32,
    /// Processes that are alive still: those that the job leaves, or that could not be killed.
    pub left: u32,
}

/// How everything that belongs to a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KillMeans {
    /// By the kernel, in one step, through the process's control group.
    ControlGroup,
    /// One by one while their control group was frozen.
    Freezer,
    /// One by one, by descent, in rounds until none was left.
    Descent,
}

impl KillMeans {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::ControlGroup, Self::Freezer, Self::Descent];

    /// The word in SQL, JSON and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ControlGroup => "control_group",
            Self::Freezer => "freezer",
            Self::Descent => "descent",
        }
    }

    /// Reads [`KillMeans::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|means| means.word() == word)
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitStatus {
    /// Exited with this status, 0 to 255.
    Exited(i32),
    /// Ended by this signal.
    Signalled {
        /// Signal number.
        signal: i32,
        /// Whether it dumped core.
        has_core: bool,
    },
    /// Could not be started; nothing ran.
    NotStarted {
        /// Why, e.g. [`Reason::CommandMissing`].
        reason: Reason,
        /// More for people, e.g. the path.
        detail: String,
    },
}

/// Why a process was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody killed the run or restarted the slot.
    Kill,
    /// It exceeded its time limit.
    Timeout,
    /// The agent shuts down together with its processes.
    Shutdown,
    /// The slot is no longer wanted.
    ScaledDown,
    /// A newer version of a daemon, or a later run of a scheduled job, takes its place.
    Replaced,
    /// Its health check failed too often.
    Unhealthy,
    /// It was not ready in time.
    NotReady,
    /// It was too old or had grown too large, and a fresh one takes its place.
    Recycled,
}

/// Resources that a process and its waited-for children used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Processor time in user mode.
    pub user_time: Duration,
    /// Processor time in system mode.
    pub system_time: Duration,
    /// Largest resident memory in bytes.
    pub memory_peak_bytes: u64,
    /// Processes of it that the kernel killed because memory ran out; 0 also where nobody can tell.
    pub oom_kills: u32,
}

/// Totals of a process's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputTotals {
    /// Bytes the command wrote.
    pub written_bytes: u64,
    /// Bytes of them that were not kept.
    pub dropped_bytes: u64,
    /// Length of the framed stream: the offset at which it is complete.
    pub end_offset: u64,
}

/// What a center wants an agent to keep alive for one daemon job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonOrder {
    /// Job.
    pub job: JobId,
    /// Its name, for logs and the process's environment.
    pub job_name: String,
    /// Version of the job.
    pub job_version: u32,
    /// Processes to keep alive, 0 to 1,000.
    pub processes: u32,
    /// How to keep them alive.
    pub policy: DaemonSpec,
    /// What to run.
    pub launch: Launch,
    /// Restarts that people have asked for; `None` from a center that does not count them.
    pub restarts: Option<RestartCounts>,
}

/// How often people have asked for a restart of a daemon's processes on an agent. The counts only grow; what has grown since the
/// agent looked last is restarted, once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestartCounts {
    /// Of all slots, one after the other.
    pub all: u64,
    /// Of single slots, at once, by index.
    pub slots: BTreeMap<u32, u64>,
}

/// State of a slot as its agent reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotReport {
    /// Job.
    pub job: JobId,
    /// Index, from 0.
    pub index: u32,
    /// State.
    pub state: SlotState,
    /// Since when, on the center's clock.
    pub since: Timestamp,
    /// Version of the job that the current or last process follows.
    pub job_version: u32,
    /// The current or, without one, the last process.
    pub process: Option<ProcessId>,
    /// Its start.
    pub start: Option<Start>,
    /// How the last ended process ended.
    pub last_end: Option<ExitStatus>,
    /// Restarts since the slot exists.
    pub restarts: u64,
    /// When the next start is tried, in backoff or crash loop.
    pub retry_at: Option<Timestamp>,
    /// What the last probe of the live process found.
    pub probe: Option<ProbeReport>,
    /// What comes next by itself.
    pub next: Option<Next>,
}

/// What a probe of a live process found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// What it was for.
    pub kind: ProbeKind,
    /// Whether the answer was the good one.
    pub is_ok: bool,
    /// Bad answers that count against it; always 0 for readiness.
    pub failures: u32,
    /// What was wrong, for people; empty if nothing was.
    pub detail: String,
}

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    /// Whether a new process serves yet.
    Readiness,
    /// Whether a running process still serves.
    Health,
}

impl ProbeKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Readiness, Self::Health];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Readiness => "readiness",
            Self::Health => "health",
        }
    }

    /// Reads [`ProbeKind::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What comes next in a slot by itself, and when, on the center's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// What.
    pub step: NextStep,
    /// When at the latest; `None` if that depends on others.
    pub at: Option<Timestamp>,
}

/// What comes next in a slot by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// A process is started.
    Start,
    /// The process is ready, or else is stopped.
    Ready,
    /// The process is replaced when its turn comes.
    Replace,
    /// The process would be replaced, but a new one of another slot is in a crash loop: replacing has stopped.
    ReplaceHalted,
    /// The process is replaced for its age.
    Recycle,
    /// The process is killed if it has not ended.
    Kill,
}

impl NextStep {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Start,
        Self::Ready,
        Self::Replace,
        Self::ReplaceHalted,
        Self::Recycle,
        Self::Kill,
    ];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Ready => "ready",
            Self::Replace => "replace",
            Self::ReplaceHalted => "replace_halted",
            Self::Recycle => "recycle",
            Self::Kill => "kill",
        }
    }

    /// Reads [`NextStep::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.word() == word)
    }
}

/// State of a daemon slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// The process lives (or is being started), not yet for its start period or not yet ready.
    Starting,
    /// The process lives and was found ready.
    Running,
    /// Ended; waits before the next start.
    Backoff,
    /// Ended too often in a short time; tried again only at the longest wait.
    CrashLoop,
    /// Asked to stop.
    Stopping,
    /// No process, none wanted.
    Stopped,
}

impl SlotState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::CrashLoop,
        Self::Stopping,
        Self::Stopped,
    ];

    /// The word in SQL and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::CrashLoop => "crash_loop",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Reads [`SlotState::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A daemon process's life, reported when it ends (a live one is in its [`SlotReport`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessReport {
    /// Process.
    pub process: ProcessId,
    /// Job.
    pub job: JobId,
    /// Version of the job it followed.
    pub job_version: u32,
    /// Slot index.
    pub index: u32,
    /// Its start; `None` if it never ran.
    pub start: Option<Start>,
    /// How it ended; `None` while it lives, and when that cannot be known.
    pub end: Option<End>,
    /// Why the end cannot be known.
    pub lost: Option<Reason>,
}
