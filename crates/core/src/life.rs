//! What the order book and the slot book share: the two clocks, what a host finds of a life, and the stop sequence.

use std::time::Duration;

use jiff::Timestamp;

use crate::id::JobId;
use crate::job::{StopPolicy, StopSignal};
use crate::order::{End, Start, StopCause};

/// Time between two attempts to kill what does not end.
pub const KILL_AGAIN: Duration = Duration::from_secs(1);

/// The clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The center's clock as the agent estimates it. Decides when a run is due and when it is too late.
    pub center: Timestamp,
    /// Time since the host booted, suspension included (`CLOCK_BOOTTIME`). Measures time limits, grace and backoff.
    pub boot: Duration,
}

/// When a book wants to be ticked again: at whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wake {
    /// An instant on the center's clock.
    pub center: Option<Timestamp>,
    /// A time since boot.
    pub boot: Option<Duration>,
}

impl Wake {
    /// Whether the book waits for no time at all.
    pub const fn is_never(&self) -> bool {
        self.center.is_none() && self.boot.is_none()
    }

    /// Whether a tick at `now` has something to do.
    pub fn is_due(&self, now: Now) -> bool {
        self.center.is_some_and(|at| at <= now.center) || self.boot.is_some_and(|at| at <= now.boot)
    }

    /// The earlier of each clock's instants.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self {
            center: earliest(self.center, other.center),
            boot: earliest(self.boot, other.boot),
        }
    }
}

fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What a host finds of a life when its agent starts. A life without any trace is simply not found.
///
/// A host that finds a shim which was told to go and has not yet said that it did waits for it: it starts or leaves at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was prepared, its shim is gone, and its command was provably never released.
    NeverStarted,
    /// The command runs.
    Alive {
        /// Its start.
        start: Start,
        /// The same instant as time since boot.
        boot: Duration,
    },
    /// It ended and left a record of how.
    Ended {
        /// Its start; `None` if the command could not be started.
        start: Option<Start>,
        /// How it ended. The book says why it was stopped; `stopped_for` only tells that somebody asked its shim to.
        end: End,
    },
    /// Its shim is gone without a record of the end, and nothing of its command is alive any more.
    Vanished {
        /// Its start; `None` if not even that is known.
        start: Option<Start>,
    },
}

/// Whose life it is, as its host can tell without a ledger: its command was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Job.
    pub job: JobId,
    /// Copy of a run, slot of a daemon process.
    pub index: u32,
}

/// A step of the stop sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopMove {
    /// Send this signal to the process's group.
    Signal(StopSignal),
    /// Kill all that is left.
    KillAll,
}

/// A stop under way: a signal, then the grace, then KILL every second until the end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopping {
    /// Why.
    pub(crate) cause: StopCause,
    /// When to kill (again), since boot.
    pub(crate) next_kill: Duration,
}

impl Stopping {
    /// Begins a stop and gives its first move.
    pub(crate) fn begin(cause: StopCause, policy: StopPolicy, boot: Duration) -> (Self, StopMove) {
        let (wait, first) = match policy.signal {
            StopSignal::Kill => (KILL_AGAIN, StopMove::KillAll),
            signal => (policy.grace, StopMove::Signal(signal)),
        };
        (
            Self {
                cause,
                next_kill: boot.saturating_add(wait),
            },
            first,
        )
    }

    /// Gives the next move, if it is time for one.
    pub(crate) fn advance(&mut self, boot: Duration) -> Option<StopMove> {
        (self.next_kill <= boot).then(|| {
            self.next_kill = boot.saturating_add(KILL_AGAIN);
            StopMove::KillAll
        })
    }
}
