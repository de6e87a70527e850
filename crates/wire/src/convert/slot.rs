//! Reports of slots.

use cronfleet_core::order::{Next, NextStep, ProbeKind, ProbeReport, SlotReport, SlotState};

use super::{
    MessageError, id_bytes, job_id, process_id, read_status, start, status, time, time_us, wrong,
};
use crate::v1;

impl From<&SlotReport> for v1::SlotReport {
    fn from(report: &SlotReport) -> Self {
        Self {
            job: id_bytes(report.job.as_uuid()),
            index: report.index,
            state: report.state.word().to_owned(),
            since_us: time_us(report.since),
            job_version: report.job_version,
            process: report.process.map(|process| id_bytes(process.as_uuid())),
            start: report.start.map(v1::Start::from),
            last_end: report.last_end.as_ref().map(|end| v1::End {
                status: Some(status(end)),
                ..v1::End::default()
            }),
            restarts: report.restarts,
            retry_at_us: report.retry_at.map(time_us),
            probe: report.probe.as_ref().map(|probe| v1::ProbeReport {
                kind: probe.kind.word().to_owned(),
                is_ok: probe.is_ok,
                failures: probe.failures,
                detail: probe.detail.clone(),
            }),
            next_step: report.next.map(|next| next.step.word().to_owned()),
            next_at_us: report.next.and_then(|next| next.at).map(time_us),
        }
    }
}

impl TryFrom<v1::SlotReport> for SlotReport {
    type Error = MessageError;

    fn try_from(report: v1::SlotReport) -> Result<Self, MessageError> {
        Ok(Self {
            job: job_id(&report.job)?,
            index: report.index,
            state: SlotState::from_word(&report.state).ok_or(wrong("slot.state"))?,
            since: time("slot.since_us", report.since_us)?,
            job_version: report.job_version,
            process: report.process.as_deref().map(process_id).transpose()?,
            start: start(report.start)?,
            last_end: report
                .last_end
                .map(|end| read_status(end.status.ok_or(wrong("slot.last_end"))?))
                .transpose()?,
            restarts: report.restarts,
            retry_at: report
                .retry_at_us
                .map(|us| time("slot.retry_at_us", us))
                .transpose()?,
            probe: report.probe.map(probe).transpose()?,
            next: next(report.next_step.as_deref(), report.next_at_us)?,
        })
    }
}

fn probe(probe: v1::ProbeReport) -> Result<ProbeReport, MessageError> {
    Ok(ProbeReport {
        kind: ProbeKind::from_word(&probe.kind).ok_or(wrong("slot.probe.kind"))?,
        is_ok: probe.is_ok,
        failures: probe.failures,
        detail: probe.detail,
    })
}

/// A step that a newer agent knows is no reason to lose the report.
fn next(step: Option<&str>, at_us: Option<i64>) -> Result<Option<Next>, MessageError> {
    let Some(step) = step.and_then(NextStep::from_word) else {
        return Ok(None);
    };
    let at = at_us.map(|us| time("slot.next_at_us", us)).transpose()?;
    Ok(Some(Next { step, at }))
}
