//! Stored form of how a daemon job is kept alive.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use cronfleet_core::job::{
    Check, DaemonSpec, Endpoint, Health, Probe, Readiness, Recycle, Restart,
};
use serde::{Deserialize, Serialize};

use super::{StoredBackoff, micros};

/// Fields with a default came after the first version.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredDaemon {
    is_restart_on_failure_only: bool,
    #[serde(default)]
    is_restart_never: bool,
    #[serde(default = "exit_codes_default")]
    expected_exit_codes: BTreeSet<u8>,
    start_period_us: u64,
    backoff: StoredBackoff,
    crash_loop_failures: u32,
    crash_loop_window_us: u64,
    #[serde(default)]
    readiness: Option<StoredReadiness>,
    #[serde(default)]
    health: Option<StoredHealth>,
    #[serde(default)]
    max_age_us: Option<u64>,
    #[serde(default)]
    max_memory_bytes: Option<u64>,
    #[serde(default = "max_unavailable_default")]
    max_unavailable: u32,
}

fn exit_codes_default() -> BTreeSet<u8> {
    BTreeSet::from([0])
}

fn max_unavailable_default() -> u32 {
    1
}

#[derive(Serialize, Deserialize)]
struct StoredReadiness {
    probe: StoredProbe,
    successes: u32,
    start_timeout_us: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredHealth {
    probe: StoredProbe,
    failures: u32,
    successes: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredProbe {
    check: StoredCheck,
    initial_delay_us: u64,
    period_us: u64,
    timeout_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredCheck {
    Command(Vec<String>),
    Tcp(StoredEndpoint),
    Http {
        endpoint: StoredEndpoint,
        path: String,
        status: Option<u16>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredEndpoint {
    address: IpAddr,
    port: u16,
    adds_slot: bool,
}

impl From<&DaemonSpec> for StoredDaemon {
    fn from(daemon: &DaemonSpec) -> Self {
        Self {
            is_restart_on_failure_only: daemon.restart == Restart::OnFailure,
            is_restart_never: daemon.restart == Restart::Never,
            expected_exit_codes: daemon.expected_exit_codes.clone(),
            start_period_us: micros(daemon.start_period),
            backoff: daemon.backoff.into(),
            crash_loop_failures: daemon.crash_loop_failures,
            crash_loop_window_us: micros(daemon.crash_loop_window),
            readiness: daemon.readiness.as_ref().map(|readiness| StoredReadiness {
                probe: (&readiness.probe).into(),
                successes: readiness.successes,
                start_timeout_us: micros(readiness.start_timeout),
            }),
            health: daemon.health.as_ref().map(|health| StoredHealth {
                probe: (&health.probe).into(),
                failures: health.failures,
                successes: health.successes,
            }),
            max_age_us: daemon.recycle.max_age.map(micros),
            max_memory_bytes: daemon.recycle.max_memory_bytes,
            max_unavailable: daemon.max_unavailable,
        }
    }
}

impl From<StoredDaemon> for DaemonSpec {
    fn from(stored: StoredDaemon) -> Self {
        Self {
            restart: match (stored.is_restart_never, stored.is_restart_on_failure_only) {
                (true, _) => Restart::Never,
                (false, true) => Restart::OnFailure,
                (false, false) => Restart::Always,
            },
            expected_exit_codes: stored.expected_exit_codes,
            start_period: Duration::from_micros(stored.start_period_us),
            backoff: stored.backoff.into(),
            crash_loop_failures: stored.crash_loop_failures,
            crash_loop_window: Duration::from_micros(stored.crash_loop_window_us),
            readiness: stored.readiness.map(|readiness| Readiness {
                probe: readiness.probe.into(),
                successes: readiness.successes,
                start_timeout: Duration::from_micros(readiness.start_timeout_us),
            }),
            health: stored.health.map(|health| Health {
                probe: health.probe.into(),
                failures: health.failures,
                successes: health.successes,
            }),
            recycle: Recycle {
                max_age: stored.max_age_us.map(Duration::from_micros),
                max_memory_bytes: stored.max_memory_bytes,
            },
            max_unavailable: stored.max_unavailable,
        }
    }
}

impl From<&Probe> for StoredProbe {
    fn from(probe: &Probe) -> Self {
        Self {
            check: match &probe.check {
                Check::Command(argv) => StoredCheck::Command(argv.clone()),
                Check::Tcp(endpoint) => StoredCheck::Tcp(endpoint.into()),
                Check::Http {
                    endpoint,
                    path,
                    status,
                } => StoredCheck::Http {
                    endpoint: endpoint.into(),
                    path: path.clone(),
                    status: *status,
                },
            },
            initial_delay_us: micros(probe.initial_delay),
            period_us: micros(probe.period),
            timeout_us: micros(probe.timeout),
        }
    }
}

impl From<StoredProbe> for Probe {
    fn from(stored: StoredProbe) -> Self {
        Self {
            check: match stored.check {
                StoredCheck::Command(argv) => Check::Command(argv),
                StoredCheck::Tcp(endpoint) => Check::Tcp(endpoint.into()),
                StoredCheck::Http {
                    endpoint,
                    path,
                    status,
                } => Check::Http {
                    endpoint: endpoint.into(),
                    path,
                    status,
                },
            },
            initial_delay: Duration::from_micros(stored.initial_delay_us),
            period: Duration::from_micros(stored.period_us),
            timeout: Duration::from_micros(stored.timeout_us),
        }
    }
}

impl From<&Endpoint> for StoredEndpoint {
    fn from(endpoint: &Endpoint) -> Self {
        Self {
            address: endpoint.address,
            port: endpoint.port,
            adds_slot: endpoint.adds_slot,
        }
    }
}

impl From<StoredEndpoint> for Endpoint {
    fn from(stored: StoredEndpoint) -> Self {
        Self {
            address: stored.address,
            port: stored.port,
            adds_slot: stored.adds_slot,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cronfleet_core::job::ADDRESS_DEFAULT;

    use super::*;

    /// A policy that says something about everything.
    pub(in crate::spec) fn everything() -> DaemonSpec {
        let endpoint = Endpoint {
            address: ADDRESS_DEFAULT,
            port: 8_080,
            adds_slot: true,
        };
        let probe = |check| Probe {
            check,
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
        };
        DaemonSpec {
            restart: Restart::OnFailure,
            expected_exit_codes: BTreeSet::from([0, 3]),
            readiness: Some(Readiness {
                probe: probe(Check::Http {
                    endpoint,
                    path: "/ready".into(),
                    status: Some(204),
                }),
                successes: 2,
                start_timeout: Duration::from_secs(30),
            }),
            health: Some(Health {
                probe: probe(Check::Tcp(endpoint)),
                failures: 3,
                successes: 1,
            }),
            recycle: Recycle {
                max_age: Some(Duration::from_secs(86_400)),
                max_memory_bytes: Some(1 << 30),
            },
            max_unavailable: 2,
            ..DaemonSpec::default()
        }
    }

    #[test]
    fn what_the_first_version_stored_means_the_defaults() {
        let stored = r#"{"is_restart_on_failure_only":false,"start_period_us":1000000,
            "backoff":{"initial_us":500000,"max_us":60000000},"crash_loop_failures":5,"crash_loop_window_us":60000000}"#;
        let read: StoredDaemon = serde_json::from_str(stored).unwrap();
        assert_eq!(DaemonSpec::from(read), DaemonSpec::default());
    }

    #[test]
    fn never_and_commands_read_back() {
        let mut spec = everything();
        spec.restart = Restart::Never;
        if let Some(health) = &mut spec.health {
            health.probe.check = Check::Command(vec!["/bin/check".into()]);
        }
        let text = serde_json::to_string(&StoredDaemon::from(&spec)).unwrap();
        let read: StoredDaemon = serde_json::from_str(&text).unwrap();
        assert_eq!(DaemonSpec::from(read), spec);
    }
}
