//! Orders to keep daemons alive.

use std::collections::BTreeSet;
use std::net::IpAddr;

use cronfleet_core::backoff::Backoff;
use cronfleet_core::job::{
    Check, DaemonSpec, Endpoint, Health, Probe, Readiness, Recycle, Restart,
};
use cronfleet_core::order::{DaemonOrder, RestartCounts};

use super::{MessageError, duration, duration_us, id_bytes, job_id, wrong};
use crate::v1;

impl From<&DaemonOrder> for v1::DaemonOrder {
    fn from(order: &DaemonOrder) -> Self {
        let policy = &order.policy;
        Self {
            job: id_bytes(order.job.as_uuid()),
            job_name: order.job_name.clone(),
            job_version: order.job_version,
            processes: order.processes,
            restart_on_failure_only: policy.restart != Restart::Always,
            start_period_us: duration_us(policy.start_period),
            backoff_initial_us: duration_us(policy.backoff.initial),
            backoff_max_us: duration_us(policy.backoff.max),
            crash_loop_failures: policy.crash_loop_failures,
            crash_loop_window_us: duration_us(policy.crash_loop_window),
            launch: Some((&order.launch).into()),
            restart_never: policy.restart == Restart::Never,
            expected_exit_codes: policy
                .expected_exit_codes
                .iter()
                .map(|code| u32::from(*code))
                .collect(),
            readiness: policy.readiness.as_ref().map(|readiness| v1::Readiness {
                probe: Some(probe(&readiness.probe)),
                successes: readiness.successes,
                start_timeout_us: duration_us(readiness.start_timeout),
            }),
            health: policy.health.as_ref().map(|health| v1::Health {
                probe: Some(probe(&health.probe)),
                failures: health.failures,
                successes: health.successes,
            }),
            max_age_us: policy.recycle.max_age.map(duration_us),
            max_memory_bytes: policy.recycle.max_memory_bytes,
            max_unavailable: policy.max_unavailable,
            restarts: order.restarts.as_ref().map(restarts),
        }
    }
}

fn restarts(counts: &RestartCounts) -> v1::RestartCounts {
    v1::RestartCounts {
        all: counts.all,
        slots: counts
            .slots
            .iter()
            .map(|(index, count)| v1::SlotRestartCount {
                index: *index,
                count: *count,
            })
            .collect(),
    }
}

fn read_restarts(counts: v1::RestartCounts) -> RestartCounts {
    RestartCounts {
        all: counts.all,
        slots: counts
            .slots
            .into_iter()
            .map(|slot| (slot.index, slot.count))
            .collect(),
    }
}

impl TryFrom<v1::DaemonOrder> for DaemonOrder {
    type Error = MessageError;

    fn try_from(order: v1::DaemonOrder) -> Result<Self, MessageError> {
        Ok(Self {
            job: job_id(&order.job)?,
            policy: policy(&order)?,
            job_name: order.job_name,
            job_version: order.job_version,
            processes: order.processes,
            launch: order.launch.ok_or(wrong("daemon.launch"))?.try_into()?,
            restarts: order.restarts.map(read_restarts),
        })
    }
}

fn policy(order: &v1::DaemonOrder) -> Result<DaemonSpec, MessageError> {
    Ok(DaemonSpec {
        restart: match (order.restart_never, order.restart_on_failure_only) {
            (true, _) => Restart::Never,
            (false, true) => Restart::OnFailure,
            (false, false) => Restart::Always,
        },
        expected_exit_codes: exit_codes(&order.expected_exit_codes)?,
        start_period: duration("daemon.start_period_us", order.start_period_us)?,
        backoff: Backoff {
            initial: duration("daemon.backoff_initial_us", order.backoff_initial_us)?,
            max: duration("daemon.backoff_max_us", order.backoff_max_us)?,
        },
        crash_loop_failures: order.crash_loop_failures,
        crash_loop_window: duration("daemon.crash_loop_window_us", order.crash_loop_window_us)?,
        readiness: order.readiness.as_ref().map(readiness).transpose()?,
        health: order.health.as_ref().map(health).transpose()?,
        recycle: Recycle {
            max_age: order
                .max_age_us
                .map(|us| duration("daemon.max_age_us", us))
                .transpose()?,
            max_memory_bytes: order.max_memory_bytes,
        },
        max_unavailable: order.max_unavailable.max(1),
    })
}

/// A center that does not know of expected exit statuses sends none.
fn exit_codes(codes: &[u32]) -> Result<BTreeSet<u8>, MessageError> {
    if codes.is_empty() {
        return Ok(BTreeSet::from([0]));
    }
    codes
        .iter()
        .map(|code| u8::try_from(*code).map_err(|_| wrong("daemon.expected_exit_codes")))
        .collect()
}

fn readiness(readiness: &v1::Readiness) -> Result<Readiness, MessageError> {
    Ok(Readiness {
        probe: read_probe(readiness.probe.as_ref().ok_or(wrong("readiness.probe"))?)?,
        successes: readiness.successes,
        start_timeout: duration("readiness.start_timeout_us", readiness.start_timeout_us)?,
    })
}

fn health(health: &v1::Health) -> Result<Health, MessageError> {
    Ok(Health {
        probe: read_probe(health.probe.as_ref().ok_or(wrong("health.probe"))?)?,
        failures: health.failures,
        successes: health.successes,
    })
}

fn probe(probe: &Probe) -> v1::Probe {
    use v1::probe::Check as What;
    v1::Probe {
        initial_delay_us: duration_us(probe.initial_delay),
        period_us: duration_us(probe.period),
        timeout_us: duration_us(probe.timeout),
        check: Some(match &probe.check {
            Check::Command(argv) => What::Command(v1::Argv {
                arguments: argv.clone(),
            }),
            Check::Tcp(at) => What::Tcp(endpoint(at)),
            Check::Http {
                endpoint: at,
                path,
                status,
            } => What::Http(v1::HttpGet {
                endpoint: Some(endpoint(at)),
                path: path.clone(),
                status: status.map(u32::from),
            }),
        }),
    }
}

fn read_probe(probe: &v1::Probe) -> Result<Probe, MessageError> {
    use v1::probe::Check as What;
    Ok(Probe {
        initial_delay: duration("probe.initial_delay_us", probe.initial_delay_us)?,
        period: duration("probe.period_us", probe.period_us)?,
        timeout: duration("probe.timeout_us", probe.timeout_us)?,
        check: match probe.check.as_ref().ok_or(wrong("probe.check"))? {
            What::Command(argv) => Check::Command(argv.arguments.clone()),
            What::Tcp(at) => Check::Tcp(read_endpoint(at)?),
            What::Http(http) => Check::Http {
                endpoint: read_endpoint(http.endpoint.as_ref().ok_or(wrong("http.endpoint"))?)?,
                path: path(&http.path)?,
                status: http
                    .status
                    .map(|status| u16::try_from(status).map_err(|_| wrong("http.status")))
                    .transpose()?,
            },
        },
    })
}

/// What goes into a request line: nothing that could end it.
fn path(path: &str) -> Result<String, MessageError> {
    let is_plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| path.to_owned()).ok_or(wrong("http.path"))
}

fn endpoint(endpoint: &Endpoint) -> v1::Endpoint {
    v1::Endpoint {
        address: endpoint.address.to_string(),
        port: u32::from(endpoint.port),
        adds_slot: endpoint.adds_slot,
    }
}

fn read_endpoint(endpoint: &v1::Endpoint) -> Result<Endpoint, MessageError> {
    let address: IpAddr = endpoint
        .address
        .parse()
        .map_err(|_| wrong("endpoint.address"))?;
    Ok(Endpoint {
        address,
        port: u16::try_from(endpoint.port).map_err(|_| wrong("endpoint.port"))?,
        adds_slot: endpoint.adds_slot,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use cronfleet_core::job::ADDRESS_DEFAULT;

    use super::*;

    fn spec(check: Check) -> DaemonSpec {
        let probe = Probe {
            check,
            initial_delay: Duration::from_millis(1),
            period: Duration::from_secs(2),
            timeout: Duration::from_millis(700),
        };
        DaemonSpec {
            restart: Restart::Never,
            expected_exit_codes: BTreeSet::from([0, 7]),
            readiness: Some(Readiness {
                probe: probe.clone(),
                successes: 2,
                start_timeout: Duration::from_secs(9),
            }),
            health: Some(Health {
                probe,
                failures: 3,
                successes: 2,
            }),
            recycle: Recycle {
                max_age: Some(Duration::from_secs(60)),
                max_memory_bytes: Some(1 << 20),
            },
            max_unavailable: 4,
            ..DaemonSpec::default()
        }
    }

    fn message(policy: DaemonSpec) -> v1::DaemonOrder {
        use cronfleet_core::id::JobId;
        use cronfleet_core::job::{Command, Launch};

        v1::DaemonOrder::from(&DaemonOrder {
            job: JobId::from_u128(1),
            job_name: "worker".into(),
            job_version: 3,
            processes: 2,
            policy,
            restarts: Some(RestartCounts {
                all: 2,
                slots: BTreeMap::from([(1, 3)]),
            }),
            launch: Launch::new(Command::Argv(vec!["/bin/worker".into()]), "app"),
        })
    }

    #[test]
    fn every_check_reads_back() {
        let at = Endpoint {
            address: ADDRESS_DEFAULT,
            port: 80,
            adds_slot: true,
        };
        let http = |status| Check::Http {
            endpoint: at,
            path: "/healthz?a=b".into(),
            status,
        };
        for check in [
            Check::Command(vec!["/bin/check".into(), "-x".into()]),
            Check::Tcp(at),
            http(None),
            http(Some(204)),
        ] {
            let spec = spec(check);
            let read = DaemonOrder::try_from(message(spec.clone())).unwrap();
            assert_eq!(read.policy, spec);
            let restarts = read.restarts.unwrap();
            assert_eq!((restarts.all, restarts.slots[&1]), (2, 3));
        }
    }

    #[test]
    fn an_older_center_means_the_defaults() {
        let old = v1::DaemonOrder {
            expected_exit_codes: vec![],
            max_unavailable: 0,
            ..message(DaemonSpec::default())
        };
        assert_eq!(
            DaemonOrder::try_from(old).unwrap().policy,
            DaemonSpec::default()
        );
    }

    #[test]
    fn a_path_cannot_smuggle_a_second_request() {
        let check = Check::Http {
            endpoint: Endpoint {
                address: ADDRESS_DEFAULT,
                port: 80,
                adds_slot: false,
            },
            path: "/\r\nDELETE / HTTP/1.1".into(),
            status: None,
        };
        let read = DaemonOrder::try_from(message(spec(check)));
        assert_eq!(read.unwrap_err().field, "http.path");
    }
}
