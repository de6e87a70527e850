//! Flags for how a daemon job is kept alive.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use cronfleet_api::daemon::{
    Check, DaemonSpec, HealthSpec, HttpCheck, ReadinessSpec, Restart, TcpCheck,
};

use super::spec_flags::{set, set_ms};
use crate::failure::Failure;
use crate::quantity::{Bytes, Millis, parse_bytes, parse_millis};

/// Flags for how a daemon job is kept alive.
#[derive(Args, Default, PartialEq)]
pub(super) struct DaemonFlags {
    /// When an ended process is started again
    #[arg(long, value_enum)]
    restart: Option<RestartWord>,
    /// Exit status that counts as a good end; can be repeated [default: 0]
    #[arg(long, value_name = "STATUS")]
    expected_exit: Vec<u8>,
    /// A process alive this long counts as running
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    start_period: Option<Millis>,
    /// First wait before a restart
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    backoff: Option<Millis>,
    /// Longest wait before a restart
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    backoff_max: Option<Millis>,
    /// Failures within the window, or in a row, that make a crash loop
    #[arg(long, value_name = "COUNT")]
    crash_loop_failures: Option<u32>,
    /// Window for the failures of a crash loop
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    crash_loop_window: Option<Millis>,
    /// How a new process proves that it serves: tcp:8080, http://127.0.0.1:8080/ready or "exec:program arguments";
    /// 8080+slot adds the slot's index to the port
    #[arg(long, value_name = "CHECK", value_parser = parse_check)]
    readiness: Option<Check>,
    /// Time from one readiness check to the next
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    readiness_period: Option<Millis>,
    /// A process that is not ready after this long has failed
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    start_timeout: Option<Millis>,
    /// How a running process proves that it still serves, written as for --readiness
    #[arg(long, value_name = "CHECK", value_parser = parse_check)]
    health: Option<Check>,
    /// Time from one health check to the next
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    health_period: Option<Millis>,
    /// A health check that takes longer has failed
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    health_timeout: Option<Millis>,
    /// Failed health checks after which a process is restarted
    #[arg(long, value_name = "COUNT")]
    health_failures: Option<u32>,
    /// Replace a process by a fresh one at this age, or up to a fifth earlier
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    max_age: Option<Millis>,
    /// Replace a process by a fresh one once it and its descendants use more memory
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    max_memory: Option<Bytes>,
    /// Processes per agent that may be down at a time while they are replaced
    #[arg(long, value_name = "COUNT")]
    max_unavailable: Option<u32>,
    /// Remove one of the daemon's optional rules; can be repeated
    #[arg(long, value_enum, value_name = "RULE")]
    without: Vec<Without>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum RestartWord {
    /// However it ended
    Always,
    /// Unless it ended with an expected exit status
    OnFailure,
    /// Not at all, until somebody restarts it or the job changes
    Never,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Without {
    /// Being up for the start period is enough
    Readiness,
    /// Nothing is asked of a running process
    Health,
    /// No process is too old
    MaxAge,
    /// No process is too large
    MaxMemory,
}

impl DaemonFlags {
    /// The flags, and which of them were given.
    pub(super) fn given(&self) -> [(&'static str, bool); 18] {
        [
            ("--restart", self.restart.is_some()),
            ("--expected-exit", !self.expected_exit.is_empty()),
            ("--start-period", self.start_period.is_some()),
            ("--backoff", self.backoff.is_some()),
            ("--backoff-max", self.backoff_max.is_some()),
            ("--crash-loop-failures", self.crash_loop_failures.is_some()),
            ("--crash-loop-window", self.crash_loop_window.is_some()),
            ("--readiness", self.readiness.is_some()),
            ("--readiness-period", self.readiness_period.is_some()),
            ("--start-timeout", self.start_timeout.is_some()),
            ("--health", self.health.is_some()),
            ("--health-period", self.health_period.is_some()),
            ("--health-timeout", self.health_timeout.is_some()),
            ("--health-failures", self.health_failures.is_some()),
            ("--max-age", self.max_age.is_some()),
            ("--max-memory", self.max_memory.is_some()),
            ("--max-unavailable", self.max_unavailable.is_some()),
            ("--without", !self.without.is_empty()),
        ]
    }

    /// Changes a policy as the flags say.
    pub(super) fn apply(&self, daemon: &mut DaemonSpec) -> Result<(), Failure> {
        if let Some(word) = self.restart {
            daemon.restart = match word {
                RestartWord::Always => Restart::Always,
                RestartWord::OnFailure => Restart::OnFailure,
                RestartWord::Never => Restart::Never,
            };
        }
        if !self.expected_exit.is_empty() {
            daemon.expected_exit_codes = self.expected_exit.clone();
        }
        set_ms(&mut daemon.start_period_ms, self.start_period);
        set_ms(&mut daemon.backoff_initial_ms, self.backoff);
        set_ms(&mut daemon.backoff_max_ms, self.backoff_max);
        set(&mut daemon.crash_loop_failures, self.crash_loop_failures);
        set_ms(&mut daemon.crash_loop_window_ms, self.crash_loop_window);
        set(&mut daemon.max_unavailable, self.max_unavailable);
        if let Some(Millis(ms)) = self.max_age {
            daemon.max_age_ms = Some(ms);
        }
        if let Some(Bytes(bytes)) = self.max_memory {
            daemon.max_memory_bytes = Some(bytes);
        }
        for rule in &self.without {
            match rule {
                Without::Readiness => daemon.readiness = None,
                Without::Health => daemon.health = None,
                Without::MaxAge => daemon.max_age_ms = None,
                Without::MaxMemory => daemon.max_memory_bytes = None,
            }
        }
        self.apply_readiness(daemon)?;
        self.apply_health(daemon)
    }

    fn apply_readiness(&self, daemon: &mut DaemonSpec) -> Result<(), Failure> {
        if let Some(check) = self.readiness.clone() {
            match &mut daemon.readiness {
                Some(readiness) => readiness.check = check,
                none => *none = Some(readiness_of(check)),
            }
        }
        match &mut daemon.readiness {
            Some(readiness) => {
                set_ms(&mut readiness.period_ms, self.readiness_period);
                set_ms(&mut readiness.start_timeout_ms, self.start_timeout);
                Ok(())
            }
            None => refuse_alone(
                [
                    ("--readiness-period", self.readiness_period.is_some()),
                    ("--start-timeout", self.start_timeout.is_some()),
                ],
                "--readiness",
            ),
        }
    }

    fn apply_health(&self, daemon: &mut DaemonSpec) -> Result<(), Failure> {
        if let Some(check) = self.health.clone() {
            match &mut daemon.health {
                Some(health) => health.check = check,
                none => *none = Some(health_of(check)),
            }
        }
        match &mut daemon.health {
            Some(health) => {
                set_ms(&mut health.period_ms, self.health_period);
                set_ms(&mut health.timeout_ms, self.health_timeout);
                set(&mut health.failures, self.health_failures);
                Ok(())
            }
            None => refuse_alone(
                [
                    ("--health-period", self.health_period.is_some()),
                    ("--health-timeout", self.health_timeout.is_some()),
                    ("--health-failures", self.health_failures.is_some()),
                ],
                "--health",
            ),
        }
    }
}

fn refuse_alone<const N: usize>(
    flags: [(&'static str, bool); N],
    without: &str,
) -> Result<(), Failure> {
    match flags.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Failure::Input {
            field: flag.to_owned(),
            message: format!("{flag} means something only together with {without}"),
            hint: format!("say what is asked with {without}, e.g. {without} tcp:8080"),
        }),
        None => Ok(()),
    }
}

/// With the defaults of the interface.
fn readiness_of(check: Check) -> ReadinessSpec {
    ReadinessSpec {
        check,
        initial_delay_ms: 0,
        period_ms: 1_000,
        timeout_ms: 1_000,
        successes: 1,
        start_timeout_ms: 60_000,
    }
}

/// With the defaults of the interface.
fn health_of(check: Check) -> HealthSpec {
    HealthSpec {
        check,
        initial_delay_ms: 0,
        period_ms: 10_000,
        timeout_ms: 1_000,
        failures: 3,
        successes: 1,
    }
}

/// Reads `tcp:[ADDRESS:]PORT[+slot]`, `http://ADDRESS:PORT[+slot][/PATH]` or `exec:PROGRAM ARGUMENTS`.
fn parse_check(text: &str) -> Result<Check, String> {
    let refuse = || {
        format!(
            "{text:?} is not a check: write tcp:8080, http://127.0.0.1:8080/ready or \"exec:program arguments\""
        )
    };
    let mut check = Check::default();
    if let Some(command) = text.strip_prefix("exec:") {
        let argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        check.command = Some(argv).filter(|argv| !argv.is_empty());
        return check.command.is_some().then_some(check).ok_or_else(refuse);
    }
    if let Some(place) = text.strip_prefix("tcp:") {
        let (address, port, adds_slot) = parse_place(place).ok_or_else(refuse)?;
        check.tcp = Some(TcpCheck {
            address,
            port,
            adds_slot,
        });
        return Ok(check);
    }
    let rest = text.strip_prefix("http://").ok_or_else(refuse)?;
    let (place, path) = rest
        .find('/')
        .map_or((rest, "/"), |slash| rest.split_at(slash));
    let (address, port, adds_slot) = parse_place(place).ok_or_else(refuse)?;
    check.http = Some(HttpCheck {
        address,
        port,
        adds_slot,
        path: path.to_owned(),
        expected_status: None,
    });
    Ok(check)
}

/// Reads `[ADDRESS:]PORT[+slot]`; an IPv6 address stands in brackets.
fn parse_place(text: &str) -> Option<(Option<IpAddr>, u16, bool)> {
    let (place, adds_slot) = match text.strip_suffix("+slot") {
        Some(place) => (place, true),
        None => (text, false),
    };
    let (address, port) = match place.rsplit_once(':') {
        Some((address, port)) => {
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            let address = match bare {
                "localhost" => "127.0.0.1",
                other => other,
            };
            (Some(address.parse().ok()?), port)
        }
        None => (None, place),
    };
    Some((address, port.parse().ok()?, adds_slot))
}

/// A check in the form that flags take.
pub(super) fn check_in_words(check: &Check) -> String {
    let place = |address: Option<IpAddr>, port: u16, adds_slot: bool| {
        let address = match address {
            Some(IpAddr::V6(address)) => format!("[{address}]:"),
            Some(IpAddr::V4(address)) => format!("{address}:"),
            None => String::new(),
        };
        let slot = if adds_slot { "+slot" } else { "" };
        format!("{address}{port}{slot}")
    };
    if let Some(tcp) = &check.tcp {
        return format!("tcp:{}", place(tcp.address, tcp.port, tcp.adds_slot));
    }
    if let Some(http) = &check.http {
        let at = place(http.address, http.port, http.adds_slot);
        return format!("http://{at}{}", http.path);
    }
    format!(
        "exec:{}",
        check.command.as_deref().unwrap_or_default().join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_and_shown_the_same() {
        for text in [
            "tcp:8080",
            "tcp:127.0.0.1:8080+slot",
            "tcp:[::1]:80",
            "http://127.0.0.1:8080/healthz?a=b",
            "http://10.0.0.1:80+slot/",
            "exec:/bin/check --fast",
        ] {
            let check = parse_check(text).unwrap();
            assert_eq!(check_in_words(&check), text);
        }
        for text in [
            "",
            "8080",
            "tcp:",
            "tcp:x",
            "tcp:70000",
            "tcp:host:1",
            "exec:",
            "https://a/",
        ] {
            assert!(parse_check(text).is_err(), "{text}");
        }
    }
}
