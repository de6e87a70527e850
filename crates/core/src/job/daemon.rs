//! How a daemon job is kept alive, and the rules for saying so.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{SpecError, check, check_argv, range, range_ms};
use crate::backoff::Backoff;

/// How a daemon job is kept alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonSpec {
    /// When an ended process is started again.
    pub restart: Restart,
    /// Exit statuses that count as a good end, 1 to 32 of them.
    pub expected_exit_codes: BTreeSet<u8>,
    /// A process alive this long counts as running, up to 10 minutes; with a readiness probe only once that says so, too.
    pub start_period: Duration,
    /// Wait before a restart, up to 1 hour.
    pub backoff: Backoff,
    /// Failures within the window, or in a row, that make the slot a crash loop, 2 to 100.
    pub crash_loop_failures: u32,
    /// The window, 1 s to 1 day.
    pub crash_loop_window: Duration,
    /// How a new process proves that it serves.
    pub readiness: Option<Readiness>,
    /// How a running process proves that it still serves.
    pub health: Option<Health>,
    /// When a process that is well is replaced all the same.
    pub recycle: Recycle,
    /// Processes per agent that may be down at a time because they are being replaced, 1 to 1,000.
    pub max_unavailable: u32,
}

/// When an ended daemon process is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// Unless it ended with an expected exit status.
    OnFailure,
    /// Not at all, until somebody asks for it or the job changes.
    Never,
}

/// How a new process proves that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// What is asked, and how often.
    pub probe: Probe,
    /// Good answers in a row that make it ready, 1 to 100.
    pub successes: u32,
    /// A process that is not ready after this long has failed and is stopped; 1 s to 1 hour.
    pub start_timeout: Duration,
}

/// How a running process proves that it still serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked, and how often.
    pub probe: Probe,
    /// Bad answers that make it unhealthy, 1 to 100. It is stopped then, and started again as [`DaemonSpec::restart`] says.
    pub failures: u32,
    /// Good answers in a row after which bad ones are forgotten, 1 to 100.
    pub successes: u32,
}

/// A question that is put to a process again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The question.
    pub check: Check,
    /// Wait before the first, up to 10 minutes.
    pub initial_delay: Duration,
    /// Time from one to the next, 100 ms to 1 hour.
    pub period: Duration,
    /// An answer that takes longer is a bad one; 10 ms to 1 minute.
    pub timeout: Duration,
}

/// What is asked of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Run a program as the job's user, in its directory and environment; exit status 0 is the good answer.
    Command(Vec<String>),
    /// Connect.
    Tcp(Endpoint),
    /// Send a GET request.
    Http {
        /// Where to.
        endpoint: Endpoint,
        /// Path and query, beginning with `/`.
        path: String,
        /// The good answer, 100 to 599; any of 200 to 399 when absent.
        status: Option<u16>,
    },
}

/// Where a process listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Address on the agent's machine.
    pub address: IpAddr,
    /// Port, 1 to 65,535.
    pub port: u16,
    /// Whether the slot's index is added to the port, so that each process has its own.
    pub adds_slot: bool,
}

impl Endpoint {
    /// The port of a slot.
    pub fn port_of(&self, index: u32) -> u16 {
        let offset = if self.adds_slot { index } else { 0 };
        self.port
            .saturating_add(u16::try_from(offset).unwrap_or(u16::MAX))
    }
}

/// When a process that is well is replaced all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recycle {
    /// Once it is this old, or up to a fifth younger so that not all are replaced at once; 1 s to 1 year.
    pub max_age: Option<Duration>,
    /// Once it and its descendants use more memory than this, in bytes; 1 MiB to 1 PiB.
    pub max_memory_bytes: Option<u64>,
}

/// Where a process is asked unless the job says otherwise.
pub const ADDRESS_DEFAULT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Seconds in which an ended process that did well is not started twice: an exit after less counts as a failure.
pub(crate) const WELL_UPTIME_MIN: Duration = Duration::from_secs(1);

impl Default for DaemonSpec {
    fn default() -> Self {
        Self {
            restart: Restart::Always,
            expected_exit_codes: BTreeSet::from([0]),
            start_period: Duration::from_secs(1),
            backoff: Backoff {
                initial: Duration::from_millis(500),
                max: Duration::from_secs(60),
            },
            crash_loop_failures: 5,
            crash_loop_window: Duration::from_secs(60),
            readiness: None,
            health: None,
            recycle: Recycle::default(),
            max_unavailable: 1,
        }
    }
}

impl DaemonSpec {
    /// Whether an exit status counts as a good end.
    pub fn expects(&self, exit_code: i32) -> bool {
        u8::try_from(exit_code).is_ok_and(|code| self.expected_exit_codes.contains(&code))
    }
}

/// Checks everything about the daemon part of a definition.
pub(super) fn check_daemon(spec: &DaemonSpec, processes: u32) -> Result<(), SpecError> {
    let codes = spec.expected_exit_codes.len() as u64;
    range("daemon.expected_exit_codes", codes, 1, 32)?;
    range_ms("daemon.start_period_ms", spec.start_period, 0, 600_000)?;
    range_ms(
        "daemon.backoff_initial_ms",
        spec.backoff.initial,
        0,
        3_600_000,
    )?;
    let initial = spec.backoff.initial.as_millis() as u64;
    range_ms(
        "daemon.backoff_max_ms",
        spec.backoff.max,
        initial,
        3_600_000,
    )?;
    let failures = u64::from(spec.crash_loop_failures);
    range("daemon.crash_loop_failures", failures, 2, 100)?;
    range_ms(
        "daemon.crash_loop_window_ms",
        spec.crash_loop_window,
        1_000,
        86_400_000,
    )?;
    if let Some(readiness) = &spec.readiness {
        let field = |name: &str| format!("daemon.readiness.{name}");
        check_probe("daemon.readiness", &readiness.probe, processes)?;
        let successes = u64::from(readiness.successes);
        range(&field("successes"), successes, 1, 100)?;
        let timeout = readiness.start_timeout;
        range_ms(&field("start_timeout_ms"), timeout, 1_000, 3_600_000)?;
    }
    if let Some(health) = &spec.health {
        let field = |name: &str| format!("daemon.health.{name}");
        check_probe("daemon.health", &health.probe, processes)?;
        range(&field("failures"), u64::from(health.failures), 1, 100)?;
        range(&field("successes"), u64::from(health.successes), 1, 100)?;
    }
    if let Some(max_age) = spec.recycle.max_age {
        range_ms("daemon.max_age_ms", max_age, 1_000, 31_536_000_000)?;
    }
    if let Some(bytes) = spec.recycle.max_memory_bytes {
        range("daemon.max_memory_bytes", bytes, 1 << 20, 1 << 50)?;
    }
    let max_unavailable = u64::from(spec.max_unavailable);
    range("daemon.max_unavailable", max_unavailable, 1, 1_000)
}

fn check_probe(at: &str, probe: &Probe, processes: u32) -> Result<(), SpecError> {
    match &probe.check {
        Check::Command(argv) => check_argv(&format!("{at}.check.command"), argv)?,
        Check::Tcp(endpoint) => check_endpoint(&format!("{at}.check.tcp"), endpoint, processes)?,
        Check::Http {
            endpoint,
            path,
            status,
        } => {
            check_endpoint(&format!("{at}.check.http"), endpoint, processes)?;
            check_path(&format!("{at}.check.http.path"), path)?;
            if let Some(status) = status {
                let field = format!("{at}.check.http.expected_status");
                range(&field, u64::from(*status), 100, 599)?;
            }
        }
    }
    let field = |name: &str| format!("{at}.{name}");
    range_ms(&field("initial_delay_ms"), probe.initial_delay, 0, 600_000)?;
    range_ms(&field("period_ms"), probe.period, 100, 3_600_000)?;
    range_ms(&field("timeout_ms"), probe.timeout, 10, 60_000)
}

fn check_endpoint(at: &str, endpoint: &Endpoint, processes: u32) -> Result<(), SpecError> {
    let added = if endpoint.adds_slot {
        u64::from(processes.saturating_sub(1))
    } else {
        0
    };
    let most = 65_535_u64.saturating_sub(added);
    range(&format!("{at}.port"), u64::from(endpoint.port), 1, most)
}

fn check_path(field: &str, path: &str) -> Result<(), SpecError> {
    let has_form = path.starts_with('/')
        && path.len() <= 1_000
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    check(has_form, field, "job.probe_path", || {
        (
            "the path of the request has no good form".into(),
            "start it with /, use up to 1,000 printable ASCII characters and no spaces".into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(check: Check) -> Probe {
        Probe {
            check,
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
        }
    }

    fn endpoint(port: u16, adds_slot: bool) -> Endpoint {
        Endpoint {
            address: ADDRESS_DEFAULT,
            port,
            adds_slot,
        }
    }

    fn ready_by(check: Check) -> DaemonSpec {
        DaemonSpec {
            readiness: Some(Readiness {
                probe: probe(check),
                successes: 1,
                start_timeout: Duration::from_secs(60),
            }),
            ..DaemonSpec::default()
        }
    }

    fn http(path: &str, status: Option<u16>) -> Check {
        Check::Http {
            endpoint: endpoint(80, false),
            path: path.into(),
            status,
        }
    }

    #[test]
    fn ordinary_probes_are_accepted() {
        for check in [
            Check::Command(vec!["/bin/check".into()]),
            Check::Tcp(endpoint(65_533, true)),
            http("/healthz?deep=1", Some(204)),
        ] {
            assert_eq!(check_daemon(&ready_by(check), 3), Ok(()));
        }
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        let codes = DaemonSpec {
            expected_exit_codes: BTreeSet::new(),
            ..DaemonSpec::default()
        };
        let young = DaemonSpec {
            recycle: Recycle {
                max_age: Some(Duration::from_millis(999)),
                max_memory_bytes: None,
            },
            ..DaemonSpec::default()
        };
        let none = DaemonSpec {
            max_unavailable: 0,
            ..DaemonSpec::default()
        };
        let cases = [
            (codes, "daemon.expected_exit_codes"),
            (young, "daemon.max_age_ms"),
            (none, "daemon.max_unavailable"),
            (
                ready_by(Check::Command(vec![])),
                "daemon.readiness.check.command",
            ),
            (
                ready_by(Check::Tcp(endpoint(0, false))),
                "daemon.readiness.check.tcp.port",
            ),
            (
                ready_by(Check::Tcp(endpoint(65_534, true))),
                "daemon.readiness.check.tcp.port",
            ),
            (
                ready_by(http("healthz", None)),
                "daemon.readiness.check.http.path",
            ),
            (
                ready_by(http("/a b", None)),
                "daemon.readiness.check.http.path",
            ),
            (
                ready_by(http("/", Some(99))),
                "daemon.readiness.check.http.expected_status",
            ),
        ];
        for (spec, field) in cases {
            let error = check_daemon(&spec, 3).expect_err(field);
            assert_eq!(error.field, field);
        }
    }
}
