//! What the host found, in the words of the books and on the center's clock.

use std::time::Duration;

use cronfleet_core::id::{JobId, LifeId};
use cronfleet_core::life::Owner;
use cronfleet_core::order::{
    Cleanup, End, ExitStatus, KillMeans, OutputTotals, Start, StopCause, Usage,
};
use cronfleet_core::run::Reason;

use crate::clock::Clock;
use crate::error::chain;
use crate::host::{self, ExitRecord, Host, StartError, StartedRecord};

/// Why a process was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotStarted {
    /// Why.
    pub(crate) reason: Reason,
    /// More for people.
    pub(crate) detail: String,
}

impl From<&StartError> for NotStarted {
    fn from(error: &StartError) -> Self {
        let reason = Reason::from_word(error.code()).unwrap_or(Reason::SpawnFailed);
        Self {
            reason,
            detail: chain(error),
        }
    }
}

/// Reads what shims wrote down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// The center's clock.
    pub(crate) clock: &'a Clock,
    /// The boot whose time the clock counts.
    pub(crate) boot_id: &'a str,
    /// Names what a failed start was about.
    pub(crate) host: &'a Host,
}

impl Evidence<'_> {
    /// Whose a life is, by what its command was told.
    pub(crate) fn owner(&self, life: LifeId, is_process: bool) -> Option<Owner> {
        let (own, index) = if is_process {
            ("CRONFLEET_PROCESS_ID", "CRONFLEET_SLOT")
        } else {
            ("CRONFLEET_RUN_ID", "CRONFLEET_COPY")
        };
        let told = self.host.environment(life.as_uuid());
        // The command of a probe is a life of its own, and told of the process that it asks about.
        told.get(own).filter(|id| **id == life.to_string())?;
        Some(Owner {
            job: JobId::from_uuid(told.get("CRONFLEET_JOB_ID")?.parse().ok()?),
            index: told.get(index)?.parse().ok()?,
        })
    }

    /// A start, and the same instant as time since boot.
    pub(crate) fn start(&self, started: &StartedRecord) -> (Start, Duration) {
        let boot = Duration::from_micros(started.boot_us);
        let at = if started.boot_id == self.boot_id {
            self.clock.center_at_boot(boot)
        } else {
            self.clock.center_at_wall(started.at_us)
        };
        (
            Start {
                at,
                pid: started.process.pid,
            },
            boot,
        )
    }

    /// An end; `None` if the record says that nothing was ever released. `stopped_for` only tells that somebody asked its shim to
    /// stop it; the books know why.
    pub(crate) fn end(
        &self,
        life: LifeId,
        exit: &ExitRecord,
        started: Option<&StartedRecord>,
    ) -> Option<End> {
        let duration = Duration::from_micros(exit.duration_us);
        let status = match exit.end {
            host::End::Exited { code } => ExitStatus::Exited(code),
            host::End::Signalled {
                signal,
                core_dumped,
            } => ExitStatus::Signalled {
                signal,
                has_core: core_dumped,
            },
            host::End::StartFailed(step) => {
                let error = self.host.start_error(life.as_uuid(), step);
                let NotStarted { reason, detail } = NotStarted::from(&error);
                ExitStatus::NotStarted { reason, detail }
            }
            host::End::NeverStarted => return None,
        };
        let at = match started {
            Some(started) if started.boot_id == self.boot_id => self
                .clock
                .center_at_boot(Duration::from_micros(started.boot_us) + duration),
            _ => self.clock.center_at_wall(exit.at_us),
        };
        Some(End {
            at,
            status,
            stopped_for: (exit.stop_requested || exit.kill_requested).then_some(StopCause::Kill),
            duration,
            usage: Usage {
                user_time: Duration::from_micros(exit.user_us),
                system_time: Duration::from_micros(exit.system_us),
                memory_peak_bytes: exit.max_rss_kib.saturating_mul(1024),
                oom_kills: exit.oom_kills,
            },
            output: OutputTotals {
                written_bytes: exit.output_bytes,
                dropped_bytes: exit.dropped_bytes,
                end_offset: exit.spool_end,
            },
            cleanup: Cleanup {
                stop_signal: exit.stop_signal,
                kill_means: exit.kill_means.map(|means| match means {
                    host::KillMeans::ControlGroup => KillMeans::ControlGroup,
                    host::KillMeans::Freezer => KillMeans::Freezer,
                    host::KillMeans::Descent => KillMeans::Descent,
                }),
                found: exit.stragglers_found,
                left: exit.stragglers_left,
            },
        })
    }
}
