//! Checks of the agent: whether it runs, who it is, what it says of itself, what it may do.

use std::path::Path;

use cronfleet_core::policy::Pattern;
use jiff::Timestamp;
use nix::unistd::{Uid, User};

use super::{Checkup, Finding};
use crate::error::chain;
use crate::host::TrustedFile;
use crate::identity::Identity;
use crate::policy::{InForce, PolicySource};
use crate::status::{Status, StatusError};

/// Differences of clocks that are worth a word, in microseconds. Starts are corrected for them.
const OFFSET_WARN_US: i64 = 1_000_000;

/// Time before the end of a certificate at which somebody should look why it was not renewed.
const CERTIFICATE_WARN_HOURS: i64 = 72;

pub(super) fn running(status: &Result<Status, StatusError>) -> Finding {
    match status {
        Ok(status) => Finding::ok(
            "agent",
            format!("runs as pid {}, version {}", status.pid, status.version),
        ),
        Err(error @ StatusError::NoAgent { .. }) => Finding::warn(
            "agent",
            chain(error),
            "start it: systemctl start cronfleet-agent, or cronfleet agent run",
        ),
        Err(error) => Finding::fail(
            "agent",
            chain(error),
            "ask as root or as the agent's own user; restart the agent if it does not answer",
        ),
    }
}

pub(super) fn identity(checkup: &Checkup) -> Finding {
    let identity = match Identity::load(&checkup.data_dir) {
        Ok(identity) => identity,
        Err(error) => {
            return Finding::fail(
                "identity",
                chain(&error),
                "join a center: cronfleet agent token prints the command to run here",
            );
        }
    };
    let left = identity.not_after.duration_since(Timestamp::now());
    let detail = format!(
        "agent {}, certificate until {}",
        identity.agent, identity.not_after
    );
    if left.is_negative() {
        Finding::fail("identity", detail, "the certificate has ended: join anew")
    } else if left.as_hours() < CERTIFICATE_WARN_HOURS {
        Finding::warn(
            "identity",
            detail,
            "it is renewed over the link: see why it was not",
        )
    } else {
        Finding::ok("identity", detail)
    }
}

/// What a running agent says of itself.
pub(super) fn from_status(status: &Status) -> Vec<Finding> {
    vec![
        link(status),
        clock(status),
        ledger(status),
        spool(status),
        reload(status),
    ]
}

fn link(status: &Status) -> Finding {
    let link = &status.link;
    let center = link.center.as_deref().unwrap_or("no center");
    if link.is_up && !status.work.is_active {
        return Finding::warn(
            "link",
            format!("up with {center}, and not let in"),
            "an administrator has to let it in: cronfleet agent approve",
        );
    }
    if link.is_up {
        return Finding::ok("link", format!("up with {center} since {}", link.since));
    }
    let error = link.last_error.as_deref().unwrap_or("not tried yet");
    Finding::fail(
        "link",
        format!("down since {}, {center}: {error}", link.since),
        "see that the center runs and that nothing between blocks its port for agents",
    )
}

fn clock(status: &Status) -> Finding {
    match status.clock_offset_us {
        None => Finding::warn(
            "clock",
            "not measured yet",
            "it is measured as soon as the link is up",
        ),
        Some(us) if us.abs() > OFFSET_WARN_US => Finding::warn(
            "clock",
            format!("{} ms away from the center's", us / 1_000),
            "starts are corrected for it; let both machines follow a time server all the same",
        ),
        Some(us) => Finding::ok("clock", format!("{} ms away from the center's", us / 1_000)),
    }
}

fn ledger(status: &Status) -> Finding {
    if status.work.is_ledger_writable {
        return Finding::ok("ledger", "can be written");
    }
    Finding::fail(
        "ledger",
        "cannot be written: nothing is started",
        "make room on the disk of the data directory",
    )
}

fn spool(status: &Status) -> Finding {
    let spool = &status.spool;
    let detail = format!(
        "{} of {} MiB wait for a center",
        spool.bytes >> 20,
        spool.max_bytes >> 20
    );
    match spool.dropped_count {
        0 => Finding::ok("spool", detail),
        count => Finding::warn(
            "spool",
            format!("{detail}; the output of {count} processes was dropped"),
            "see why no center has taken it; keep less output of jobs that write much",
        ),
    }
}

fn reload(status: &Status) -> Finding {
    match &status.policy.reload_error {
        None => Finding::ok("reload", format!("policy read {}", status.policy.read_at)),
        Some(error) => Finding::fail(
            "reload",
            format!("the new policy is refused, the old one is in force: {error}"),
            "correct the file, then send SIGHUP: systemctl reload cronfleet-agent",
        ),
    }
}

/// The policy that was named; else the one that the running agent works by; else the one that an agent would find.
pub(super) fn policy(checkup: &Checkup, status: Option<&Status>) -> Vec<Finding> {
    let running = status.map(|status| &status.policy);
    let source = match (&checkup.policy, running.map(|policy| &policy.file)) {
        (Some(named), _) => named.clone(),
        (None, Some(Some(file))) => PolicySource::Required(file.clone()),
        (None, _) => PolicySource::default(),
    };
    let in_force = match source.read() {
        Ok(in_force) => in_force,
        Err(error) => {
            let advice = "the agent does not start without a policy: correct the file, its owner or its mode";
            return vec![Finding::fail("policy", chain(&error), advice)];
        }
    };
    let mut findings = rules(&in_force, &source);
    if let Some(running) = running.filter(|running| running.digest != in_force.digest) {
        findings.push(Finding::warn(
            "in force",
            format!(
                "the agent works by another policy than this, which it read {}",
                running.read_at
            ),
            "let it read the file again: systemctl reload cronfleet-agent, or SIGHUP",
        ));
    }
    findings
}

fn rules(in_force: &InForce, source: &PolicySource) -> Vec<Finding> {
    let rules = &in_force.policy.run_as;
    let mut findings = vec![match &in_force.file {
        Some(file) if !rules.is_root_denied => Finding::warn(
            "policy",
            format!("{}: jobs may run as root", file.display()),
            "run_as.deny_root = true unless whoever may edit jobs is root here anyway",
        ),
        Some(file) => Finding::ok("policy", file.display().to_string()),
        None => Finding::warn(
            "policy",
            "built in: everybody but root and those close to it",
            format!("say who may run what in {}", source.path().display()),
        ),
    }];
    let named = rules.allow.iter().filter(|pattern| pattern.is_literal());
    let missing: Vec<&str> = named
        .map(Pattern::as_str)
        .filter(|name| !matches!(User::from_name(name), Ok(Some(_))))
        .collect();
    findings.push(if missing.is_empty() {
        Finding::ok("users", "every user that the policy names exists")
    } else {
        Finding::warn(
            "users",
            format!(
                "the policy names users that do not exist: {}",
                missing.join(", ")
            ),
            "create them, or take them out of run_as.allow",
        )
    });
    findings
}

pub(super) fn shim(checkup: &Checkup) -> Finding {
    let Some(path) = &checkup.shim else {
        let advice = "put cronfleet-shim beside cronfleet, or name it with --shim";
        return Finding::fail("shim", "there is no cronfleet-shim", advice);
    };
    if let Err(error) = nix::unistd::access(path, nix::unistd::AccessFlags::X_OK) {
        let detail = format!("{} cannot be executed: {error}", path.display());
        return Finding::fail("shim", detail, "make it executable");
    }
    match trusted(path) {
        Ok(()) => Finding::ok("shim", path.display().to_string()),
        Err(problem) => Finding::warn(
            "shim",
            problem,
            "the agent executes it: nobody but its owner should be able to change it",
        ),
    }
}

fn trusted(path: &Path) -> Result<(), String> {
    let owners = [0, Uid::effective().as_raw()];
    let real = path.canonicalize().map_err(|error| error.to_string())?;
    TrustedFile::open(&real, &owners)
        .map(drop)
        .map_err(|error| chain(&error))
}
