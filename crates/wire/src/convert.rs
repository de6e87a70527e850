//! Messages ↔ domain types. Reading checks everything; writing cannot fail.

mod daemon;
mod slot;

use std::time::Duration;

use bytes::Bytes;
use cronfleet_core::id::{AgentId, JobId, LifeId, ProcessId, RunId};
use cronfleet_core::job::{
    Command, Launch, OutputPolicy, Overlap, StopPolicy, StopSignal, WhenFull,
};
use cronfleet_core::limits::{ProcessLimits, Stragglers};
use cronfleet_core::order::{
    Claim, Cleanup, End, ExitStatus, Order, OutputTotals, ProcessReport, Start, StopCause, Usage,
};
use cronfleet_core::run::Reason;
use cronfleet_core::run_limits::RunLimits;
use cronfleet_core::secret::{Given, SecretUse, is_name};
use jiff::Timestamp;
use uuid::Uuid;

use crate::limits::{read_cleanup, read_limits, write_cleanup, write_limits};
use crate::v1;

/// A message that does not say what it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field} of the message is missing or wrong")]
pub struct MessageError {
    /// The field.
    pub field: &'static str,
}

pub(crate) const fn wrong(field: &'static str) -> MessageError {
    MessageError { field }
}

/// 16 bytes of an id.
pub fn id_bytes(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn uuid(field: &'static str, bytes: &[u8]) -> Result<Uuid, MessageError> {
    Uuid::from_slice(bytes).map_err(|_| wrong(field))
}

macro_rules! read_id {
    ($($(#[$doc:meta])* $name:ident -> $id:ident, $field:literal;)+) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// Not 16 bytes.
        pub fn $name(bytes: &[u8]) -> Result<$id, MessageError> {
            uuid($field, bytes).map($id::from_uuid)
        })+
    };
}

read_id! {
    /// Reads a run's id.
    run_id -> RunId, "run";
    /// Reads a job's id.
    job_id -> JobId, "job";
    /// Reads an agent's id.
    agent_id -> AgentId, "agent";
    /// Reads a daemon process's id.
    process_id -> ProcessId, "process";
    /// Reads a life's id.
    life_id -> LifeId, "life";
}

/// Microseconds since the Unix epoch.
pub fn time_us(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// Reads [`time_us`].
///
/// # Errors
/// Out of the range of years -9999 to 9999.
pub fn time(field: &'static str, us: i64) -> Result<Timestamp, MessageError> {
    Timestamp::from_microsecond(us).map_err(|_| wrong(field))
}

fn duration_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(field: &'static str, us: i64) -> Result<Duration, MessageError> {
    u64::try_from(us)
        .map(Duration::from_micros)
        .map_err(|_| wrong(field))
}

fn reason(field: &'static str, word: &str) -> Result<Reason, MessageError> {
    Reason::from_word(word).ok_or(wrong(field))
}

impl From<&Launch> for v1::Launch {
    fn from(launch: &Launch) -> Self {
        Self {
            command: Some(match &launch.command {
                Command::Argv(arguments) => v1::launch::Command::Argv(v1::Argv {
                    arguments: arguments.clone(),
                }),
                Command::Script { interpreter, text } => v1::launch::Command::Script(v1::Script {
                    interpreter: interpreter.clone(),
                    text: text.clone(),
                }),
            }),
            run_as: launch.run_as.clone(),
            directory: launch.directory.clone(),
            environment: launch.environment.clone().into_iter().collect(),
            umask: launch.umask,
            secrets: launch.secrets.iter().map(v1::SecretUse::from).collect(),
            is_output_stored: launch.output.is_stored,
            output_cap_bytes: launch.output.cap_bytes,
            output_block_max_us: match launch.output.when_full {
                WhenFull::Drop => None,
                WhenFull::Block { wait_max } => Some(duration_us(wait_max)),
            },
            stop_signal: launch.stop.signal.number(),
            stop_grace_us: duration_us(launch.stop.grace),
            leaves_stragglers: launch.stragglers == Stragglers::Leave,
            limits: (launch.limits != ProcessLimits::NONE).then(|| write_limits(&launch.limits)),
        }
    }
}

impl TryFrom<v1::Launch> for Launch {
    type Error = MessageError;

    fn try_from(launch: v1::Launch) -> Result<Self, MessageError> {
        let command = match launch.command.ok_or(wrong("launch.command"))? {
            v1::launch::Command::Argv(argv) => Command::Argv(argv.arguments),
            v1::launch::Command::Script(script) => Command::Script {
                interpreter: script.interpreter,
                text: script.text,
            },
        };
        let signal = StopSignal::ALL
            .into_iter()
            .find(|signal| signal.number() == launch.stop_signal)
            .ok_or(wrong("launch.stop_signal"))?;
        Ok(Self {
            command,
            run_as: launch.run_as,
            directory: launch.directory,
            environment: launch.environment.into_iter().collect(),
            umask: launch.umask,
            secrets: launch
                .secrets
                .into_iter()
                .map(SecretUse::try_from)
                .collect::<Result<_, _>>()?,
            output: OutputPolicy {
                is_stored: launch.is_output_stored,
                cap_bytes: launch.output_cap_bytes,
                when_full: match launch.output_block_max_us {
                    None => WhenFull::Drop,
                    Some(us) => WhenFull::Block {
                        wait_max: duration("launch.output_block_max_us", us)?,
                    },
                },
            },
            stop: StopPolicy {
                signal,
                grace: duration("launch.stop_grace_us", launch.stop_grace_us)?,
            },
            stragglers: if launch.leaves_stragglers {
                Stragglers::Leave
            } else {
                Stragglers::Kill
            },
            limits: launch.limits.map_or(Ok(ProcessLimits::NONE), read_limits)?,
        })
    }
}

impl From<&SecretUse> for v1::SecretUse {
    fn from(secret: &SecretUse) -> Self {
        Self {
            name: secret.name.clone(),
            given: Some(match &secret.given {
                Given::Environment(name) => v1::secret_use::Given::Environment(name.clone()),
                Given::File(name) => v1::secret_use::Given::File(name.clone()),
            }),
        }
    }
}

impl TryFrom<v1::SecretUse> for SecretUse {
    type Error = MessageError;

    fn try_from(secret: v1::SecretUse) -> Result<Self, MessageError> {
        let given = match secret.given.ok_or(wrong("secret.given"))? {
            v1::secret_use::Given::Environment(name) => Given::Environment(name),
            // It becomes a path: what is no plain name is no order of an honest center.
            v1::secret_use::Given::File(name) if is_name(&name) => Given::File(name),
            v1::secret_use::Given::File(_) => return Err(wrong("secret.given.file")),
        };
        Ok(Self {
            name: secret.name,
            given,
        })
    }
}

impl From<RunLimits> for v1::RunLimits {
    fn from(limits: RunLimits) -> Self {
        Self {
            running_max: limits.running_max,
            starts_per_second: limits.starts_per_second,
        }
    }
}

impl From<v1::RunLimits> for RunLimits {
    /// A limit of nothing would let nothing run ever again: it counts as the least that makes sense.
    fn from(limits: v1::RunLimits) -> Self {
        Self {
            running_max: limits.running_max.map(|max| max.max(1)),
            starts_per_second: limits.starts_per_second.map(|rate| rate.max(1)),
        }
    }
}

/// Writes an order for a session.
pub fn order(order: &Order, session_epoch: u64) -> v1::Order {
    v1::Order {
        run: id_bytes(order.run.as_uuid()),
        job: id_bytes(order.job.as_uuid()),
        job_name: order.job_name.clone(),
        job_version: order.job_version,
        copy: order.copy,
        copies: order.copies,
        attempt: order.attempt,
        due_us: time_us(order.due),
        not_before_us: time_us(order.not_before),
        not_after_us: time_us(order.not_after),
        overlap: match order.overlap {
            Overlap::Forbid => v1::Overlap::Forbid,
            Overlap::Allow => v1::Overlap::Allow,
            Overlap::Queue { .. } => v1::Overlap::Queue,
            Overlap::Replace => v1::Overlap::Replace,
        }
        .into(),
        queue_max: match order.overlap {
            Overlap::Queue { max } => max,
            Overlap::Forbid | Overlap::Allow | Overlap::Replace => 0,
        },
        timeout_us: order.timeout.map(duration_us),
        launch: Some((&order.launch).into()),
        session_epoch,
        jitter_us: duration_us(order.jitter),
        is_offer: order.is_offer,
    }
}

impl TryFrom<v1::Order> for Order {
    type Error = MessageError;

    fn try_from(order: v1::Order) -> Result<Self, MessageError> {
        let overlap = match order.overlap() {
            v1::Overlap::Forbid => Overlap::Forbid,
            v1::Overlap::Allow => Overlap::Allow,
            v1::Overlap::Queue => Overlap::Queue {
                max: order.queue_max,
            },
            v1::Overlap::Replace => Overlap::Replace,
            v1::Overlap::Unspecified => return Err(wrong("order.overlap")),
        };
        Ok(Self {
            run: run_id(&order.run)?,
            job: job_id(&order.job)?,
            job_name: order.job_name,
            job_version: order.job_version,
            copy: order.copy,
            copies: order.copies,
            attempt: order.attempt,
            due: time("order.due_us", order.due_us)?,
            jitter: duration("order.jitter_us", order.jitter_us)?,
            not_before: time("order.not_before_us", order.not_before_us)?,
            not_after: time("order.not_after_us", order.not_after_us)?,
            is_offer: order.is_offer,
            overlap,
            timeout: order
                .timeout_us
                .map(|us| duration("order.timeout_us", us))
                .transpose()?,
            launch: order.launch.ok_or(wrong("order.launch"))?.try_into()?,
        })
    }
}

impl From<Start> for v1::Start {
    fn from(start: Start) -> Self {
        Self {
            at_us: time_us(start.at),
            pid: start.pid,
        }
    }
}

impl TryFrom<v1::Start> for Start {
    type Error = MessageError;

    fn try_from(start: v1::Start) -> Result<Self, MessageError> {
        Ok(Self {
            at: time("start.at_us", start.at_us)?,
            pid: start.pid,
        })
    }
}

fn start(message: Option<v1::Start>) -> Result<Option<Start>, MessageError> {
    message.map(Start::try_from).transpose()
}

fn status(status: &ExitStatus) -> v1::end::Status {
    match status {
        ExitStatus::Exited(code) => v1::end::Status::ExitCode(*code),
        ExitStatus::Signalled { signal, has_core } => v1::end::Status::Signalled(v1::Signalled {
            signal: *signal,
            has_core: *has_core,
        }),
        ExitStatus::NotStarted { reason, detail } => v1::end::Status::NotStarted(v1::NotStarted {
            reason: reason.word().to_owned(),
            detail: detail.clone(),
        }),
    }
}

fn read_status(status: v1::end::Status) -> Result<ExitStatus, MessageError> {
    Ok(match status {
        v1::end::Status::ExitCode(code) => ExitStatus::Exited(code),
        v1::end::Status::Signalled(signalled) => ExitStatus::Signalled {
            signal: signalled.signal,
            has_core: signalled.has_core,
        },
        v1::end::Status::NotStarted(not_started) => ExitStatus::NotStarted {
            reason: reason("end.not_started.reason", &not_started.reason)?,
            detail: not_started.detail,
        },
    })
}

impl From<&End> for v1::End {
    fn from(end: &End) -> Self {
        Self {
            at_us: time_us(end.at),
            status: Some(status(&end.status)),
            stopped_for: end
                .stopped_for
                .map_or(v1::StopCause::None, stop_cause)
                .into(),
            duration_us: duration_us(end.duration),
            user_time_us: duration_us(end.usage.user_time),
            system_time_us: duration_us(end.usage.system_time),
            memory_peak_bytes: end.usage.memory_peak_bytes,
            output_written_bytes: end.output.written_bytes,
            output_dropped_bytes: end.output.dropped_bytes,
            output_end_offset: end.output.end_offset,
            oom_kills: end.usage.oom_kills,
            cleanup: (end.cleanup != Cleanup::default()).then(|| write_cleanup(end.cleanup)),
        }
    }
}

impl TryFrom<v1::End> for End {
    type Error = MessageError;

    fn try_from(end: v1::End) -> Result<Self, MessageError> {
        let stopped_for = read_stop_cause(end.stopped_for).map_err(|_| wrong("end.stopped_for"))?;
        Ok(Self {
            at: time("end.at_us", end.at_us)?,
            status: read_status(end.status.ok_or(wrong("end.status"))?)?,
            stopped_for,
            duration: duration("end.duration_us", end.duration_us)?,
            usage: Usage {
                user_time: duration("end.user_time_us", end.user_time_us)?,
                system_time: duration("end.system_time_us", end.system_time_us)?,
                memory_peak_bytes: end.memory_peak_bytes,
                oom_kills: end.oom_kills,
            },
            output: OutputTotals {
                written_bytes: end.output_written_bytes,
                dropped_bytes: end.output_dropped_bytes,
                end_offset: end.output_end_offset,
            },
            cleanup: end.cleanup.map(read_cleanup).unwrap_or_default(),
        })
    }
}

/// Writes why a process was asked to stop.
pub fn stop_cause(cause: StopCause) -> v1::StopCause {
    match cause {
        StopCause::Kill => v1::StopCause::Kill,
        StopCause::Timeout => v1::StopCause::Timeout,
        StopCause::Shutdown => v1::StopCause::Shutdown,
        StopCause::ScaledDown => v1::StopCause::ScaledDown,
        StopCause::Replaced => v1::StopCause::Replaced,
        StopCause::Unhealthy => v1::StopCause::Unhealthy,
        StopCause::NotReady => v1::StopCause::NotReady,
        StopCause::Recycled => v1::StopCause::Recycled,
    }
}

/// Reads [`stop_cause`]; `None` for a process that was not asked to stop.
///
/// # Errors
/// An unknown number.
pub fn read_stop_cause(number: i32) -> Result<Option<StopCause>, MessageError> {
    Ok(match v1::StopCause::try_from(number) {
        Ok(v1::StopCause::None) => None,
        Ok(v1::StopCause::Kill) => Some(StopCause::Kill),
        Ok(v1::StopCause::Timeout) => Some(StopCause::Timeout),
        Ok(v1::StopCause::Shutdown) => Some(StopCause::Shutdown),
        Ok(v1::StopCause::ScaledDown) => Some(StopCause::ScaledDown),
        Ok(v1::StopCause::Replaced) => Some(StopCause::Replaced),
        Ok(v1::StopCause::Unhealthy) => Some(StopCause::Unhealthy),
        Ok(v1::StopCause::NotReady) => Some(StopCause::NotReady),
        Ok(v1::StopCause::Recycled) => Some(StopCause::Recycled),
        Err(_) => return Err(wrong("stop_cause")),
    })
}

/// Writes a claim.
pub fn claim(run: RunId, claim: &Claim) -> v1::Claim {
    use v1::claim::What;
    let what = match claim {
        Claim::Accepted => What::Accepted(v1::Accepted {}),
        Claim::Refused { reason, detail } => What::Refused(v1::Refused {
            reason: reason.word().to_owned(),
            detail: detail.clone(),
        }),
        Claim::Running(start) => What::Running((*start).into()),
        Claim::Ended { start, end } => What::Ended(v1::Ended {
            start: start.map(v1::Start::from),
            end: Some(end.into()),
        }),
        Claim::Lost { reason, start } => What::Lost(v1::Lost {
            reason: reason.word().to_owned(),
            start: start.map(v1::Start::from),
        }),
    };
    v1::Claim {
        run: id_bytes(run.as_uuid()),
        what: Some(what),
    }
}

/// Reads a claim.
///
/// # Errors
/// A field is missing or wrong.
pub fn read_claim(message: v1::Claim) -> Result<(RunId, Claim), MessageError> {
    use v1::claim::What;
    let run = run_id(&message.run)?;
    let claim = match message.what.ok_or(wrong("claim.what"))? {
        What::Accepted(v1::Accepted {}) => Claim::Accepted,
        What::Refused(refused) => Claim::Refused {
            reason: reason("claim.refused.reason", &refused.reason)?,
            detail: refused.detail,
        },
        What::Running(start) => Claim::Running(start.try_into()?),
        What::Ended(ended) => Claim::Ended {
            start: start(ended.start)?,
            end: ended.end.ok_or(wrong("claim.ended.end"))?.try_into()?,
        },
        What::Lost(lost) => Claim::Lost {
            reason: reason("claim.lost.reason", &lost.reason)?,
            start: start(lost.start)?,
        },
    };
    Ok((run, claim))
}

impl From<&ProcessReport> for v1::ProcessReport {
    fn from(report: &ProcessReport) -> Self {
        Self {
            process: id_bytes(report.process.as_uuid()),
            job: id_bytes(report.job.as_uuid()),
            job_version: report.job_version,
            index: report.index,
            start: report.start.map(v1::Start::from),
            end: report.end.as_ref().map(v1::End::from),
            lost: report.lost.map(|reason| reason.word().to_owned()),
        }
    }
}

impl TryFrom<v1::ProcessReport> for ProcessReport {
    type Error = MessageError;

    fn try_from(report: v1::ProcessReport) -> Result<Self, MessageError> {
        Ok(Self {
            process: process_id(&report.process)?,
            job: job_id(&report.job)?,
            job_version: report.job_version,
            index: report.index,
            start: start(report.start)?,
            end: report.end.map(End::try_from).transpose()?,
            lost: report
                .lost
                .as_deref()
                .map(|word| reason("process.lost", word))
                .transpose()?,
        })
    }
}
