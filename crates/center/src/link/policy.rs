//! What agents tell about the policies of their machines.

use cronfleet_core::policy::ExecMode;
use cronfleet_store::AgentPolicy;
use cronfleet_wire::v1;
use jiff::Timestamp;

/// Reads a report; `None` if it makes no sense.
pub(super) fn read(report: v1::PolicyReport) -> Option<AgentPolicy> {
    let time = |us| Timestamp::from_microsecond(us).ok();
    Some(AgentPolicy {
        read_at: time(report.read_at_us)?,
        exec_mode: ExecMode::from_word(&report.exec_mode)?,
        last_refused_at: match report.last_refused_at_us {
            Some(us) => Some(time(us)?),
            None => None,
        },
        file: report.file,
        digest: report.digest,
        reload_error: report.reload_error,
        is_root_denied: report.is_root_denied,
        min_uid: report.min_uid,
        run_as_allow: report.run_as_allow,
        are_shells_allowed: report.are_shells_allowed,
        are_scripts_allowed: report.are_scripts_allowed,
        refused_count: report.refused_count,
        last_refusal: report.last_refusal,
    })
}
