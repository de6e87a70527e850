//! How daemon jobs are kept alive, and what is reported of their slots.

use std::time::Duration;

use cronfleet_core::job as domain;
use cronfleet_core::job::SpecError;
use cronfleet_core::order;

use super::{backoff, millis, refused};
use crate::daemon::{Check, DaemonSpec, HealthSpec, HttpCheck, ReadinessSpec, Restart, TcpCheck};
use crate::outlook::{NextStep, Probe, ProbeKind};
use crate::slot::SlotState;

/// The policy that a request asks for.
pub(super) fn daemon_spec(spec: DaemonSpec) -> Result<domain::DaemonSpec, SpecError> {
    Ok(domain::DaemonSpec {
        restart: match spec.restart {
            Restart::Always => domain::Restart::Always,
            Restart::OnFailure => domain::Restart::OnFailure,
            Restart::Never => domain::Restart::Never,
        },
        expected_exit_codes: spec.expected_exit_codes.into_iter().collect(),
        start_period: Duration::from_millis(spec.start_period_ms),
        backoff: backoff(spec.backoff_initial_ms, spec.backoff_max_ms),
        crash_loop_failures: spec.crash_loop_failures,
        crash_loop_window: Duration::from_millis(spec.crash_loop_window_ms),
        readiness: spec.readiness.map(readiness).transpose()?,
        health: spec.health.map(health).transpose()?,
        recycle: domain::Recycle {
            max_age: spec.max_age_ms.map(Duration::from_millis),
            max_memory_bytes: spec.max_memory_bytes,
        },
        max_unavailable: spec.max_unavailable,
    })
}

fn readiness(spec: ReadinessSpec) -> Result<domain::Readiness, SpecError> {
    Ok(domain::Readiness {
        probe: domain::Probe {
            check: check("daemon.readiness.check", spec.check)?,
            initial_delay: Duration::from_millis(spec.initial_delay_ms),
            period: Duration::from_millis(spec.period_ms),
            timeout: Duration::from_millis(spec.timeout_ms),
        },
        successes: spec.successes,
        start_timeout: Duration::from_millis(spec.start_timeout_ms),
    })
}

fn health(spec: HealthSpec) -> Result<domain::Health, SpecError> {
    Ok(domain::Health {
        probe: domain::Probe {
            check: check("daemon.health.check", spec.check)?,
            initial_delay: Duration::from_millis(spec.initial_delay_ms),
            period: Duration::from_millis(spec.period_ms),
            timeout: Duration::from_millis(spec.timeout_ms),
        },
        failures: spec.failures,
        successes: spec.successes,
    })
}

fn check(field: &str, check: Check) -> Result<domain::Check, SpecError> {
    match (check.command, check.tcp, check.http) {
        (Some(argv), None, None) => Ok(domain::Check::Command(argv)),
        (None, Some(tcp), None) => Ok(domain::Check::Tcp(domain::Endpoint {
            address: tcp.address.unwrap_or(domain::ADDRESS_DEFAULT),
            port: tcp.port,
            adds_slot: tcp.adds_slot,
        })),
        (None, None, Some(http)) => Ok(domain::Check::Http {
            endpoint: domain::Endpoint {
                address: http.address.unwrap_or(domain::ADDRESS_DEFAULT),
                port: http.port,
                adds_slot: http.adds_slot,
            },
            path: http.path,
            status: http.expected_status,
        }),
        (None, None, None) => Err(refused(
            field,
            "job.no_check",
            "nothing is asked of the process",
            "give exactly one of command, tcp and http",
        )),
        (_, _, _) => Err(refused(
            field,
            "job.two_checks",
            "more than one thing is asked of the process",
            "give exactly one of command, tcp and http",
        )),
    }
}

impl From<&domain::DaemonSpec> for DaemonSpec {
    fn from(spec: &domain::DaemonSpec) -> Self {
        Self {
            restart: match spec.restart {
                domain::Restart::Always => Restart::Always,
                domain::Restart::OnFailure => Restart::OnFailure,
                domain::Restart::Never => Restart::Never,
            },
            expected_exit_codes: spec.expected_exit_codes.iter().copied().collect(),
            start_period_ms: millis(spec.start_period),
            backoff_initial_ms: millis(spec.backoff.initial),
            backoff_max_ms: millis(spec.backoff.max),
            crash_loop_failures: spec.crash_loop_failures,
            crash_loop_window_ms: millis(spec.crash_loop_window),
            readiness: spec.readiness.as_ref().map(|readiness| ReadinessSpec {
                check: (&readiness.probe.check).into(),
                initial_delay_ms: millis(readiness.probe.initial_delay),
                period_ms: millis(readiness.probe.period),
                timeout_ms: millis(readiness.probe.timeout),
                successes: readiness.successes,
                start_timeout_ms: millis(readiness.start_timeout),
            }),
            health: spec.health.as_ref().map(|health| HealthSpec {
                check: (&health.probe.check).into(),
                initial_delay_ms: millis(health.probe.initial_delay),
                period_ms: millis(health.probe.period),
                timeout_ms: millis(health.probe.timeout),
                failures: health.failures,
                successes: health.successes,
            }),
            max_age_ms: spec.recycle.max_age.map(millis),
            max_memory_bytes: spec.recycle.max_memory_bytes,
            max_unavailable: spec.max_unavailable,
        }
    }
}

impl From<&domain::Check> for Check {
    fn from(check: &domain::Check) -> Self {
        let nothing = Self::default();
        match check {
            domain::Check::Command(argv) => Self {
                command: Some(argv.clone()),
                ..nothing
            },
            domain::Check::Tcp(endpoint) => Self {
                tcp: Some(TcpCheck {
                    address: Some(endpoint.address),
                    port: endpoint.port,
                    adds_slot: endpoint.adds_slot,
                }),
                ..nothing
            },
            domain::Check::Http {
                endpoint,
                path,
                status,
            } => Self {
                http: Some(HttpCheck {
                    address: Some(endpoint.address),
                    port: endpoint.port,
                    adds_slot: endpoint.adds_slot,
                    path: path.clone(),
                    expected_status: *status,
                }),
                ..nothing
            },
        }
    }
}

impl From<order::SlotState> for SlotState {
    fn from(state: order::SlotState) -> Self {
        match state {
            order::SlotState::Starting => Self::Starting,
            order::SlotState::Running => Self::Running,
            order::SlotState::Backoff => Self::Backoff,
            order::SlotState::CrashLoop => Self::CrashLoop,
            order::SlotState::Stopping => Self::Stopping,
            order::SlotState::Stopped => Self::Stopped,
        }
    }
}

impl From<&order::ProbeReport> for Probe {
    fn from(report: &order::ProbeReport) -> Self {
        Self {
            kind: match report.kind {
                order::ProbeKind::Readiness => ProbeKind::Readiness,
                order::ProbeKind::Health => ProbeKind::Health,
            },
            is_ok: report.is_ok,
            failures: report.failures,
            detail: (!report.detail.is_empty()).then(|| report.detail.clone()),
        }
    }
}

impl From<order::NextStep> for NextStep {
    fn from(step: order::NextStep) -> Self {
        match step {
            order::NextStep::Start => Self::Start,
            order::NextStep::Ready => Self::Ready,
            order::NextStep::Replace => Self::Replace,
            order::NextStep::ReplaceHalted => Self::ReplaceHalted,
            order::NextStep::Recycle => Self::Recycle,
            order::NextStep::Kill => Self::Kill,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Result<domain::DaemonSpec, SpecError> {
        daemon_spec(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn the_defaults_of_the_interface_are_those_of_the_domain() {
        assert_eq!(read(json!({})).unwrap(), domain::DaemonSpec::default());
        let shown = DaemonSpec::from(&domain::DaemonSpec::default());
        assert_eq!(shown, DaemonSpec::default());
    }

    #[test]
    fn every_check_reads_back() {
        for check in [
            json!({ "command": ["/bin/check", "-x"] }),
            json!({ "tcp": { "port": 80, "adds_slot": true } }),
            json!({ "http": { "port": 8080, "address": "::1", "path": "/healthz", "expected_status": 204 } }),
        ] {
            let spec = read(json!({
                "restart": "never",
                "expected_exit_codes": [0, 3],
                "readiness": { "check": check, "successes": 2 },
                "health": { "check": check, "failures": 5 },
                "max_age_ms": 86_400_000,
                "max_memory_bytes": 1 << 30,
                "max_unavailable": 2,
            }))
            .unwrap();
            assert_eq!(daemon_spec(DaemonSpec::from(&spec)).unwrap(), spec);
        }
    }

    #[test]
    fn a_check_is_exactly_one_thing() {
        let none = read(json!({ "health": { "check": {} } })).unwrap_err();
        assert_eq!(
            (none.field.as_str(), none.code),
            ("daemon.health.check", "job.no_check")
        );
        let both = json!({ "command": ["/bin/true"], "tcp": { "port": 1 } });
        let two = read(json!({ "readiness": { "check": both } })).unwrap_err();
        assert_eq!(
            (two.field.as_str(), two.code),
            ("daemon.readiness.check", "job.two_checks")
        );
    }
}
