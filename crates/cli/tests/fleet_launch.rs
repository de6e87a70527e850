//! What a process is launched as, and what is said when it cannot be. These tests create users, so they need root.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::JobSpec;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_testkit::{Fleet, eventually};
use reqwest::Method;
use uuid::Uuid;

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

/// A Linux user with twelve supplementary groups; removed when dropped.
struct User {
    name: String,
    groups: Vec<String>,
}

impl User {
    fn create() -> Result<Self> {
        let name = format!("cft{}", std::process::id());
        let groups: Vec<String> = (0..12).map(|n| format!("{name}g{n}")).collect();
        let user = Self { name, groups };
        for group in &user.groups {
            command("groupadd", &[group])?;
        }
        command(
            "useradd",
            &[
                "--no-create-home",
                "--home-dir",
                "/",
                "--groups",
                &user.groups.join(","),
                &user.name,
            ],
        )?;
        Ok(user)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _gone = command("userdel", &[&self.name]);
        for group in &self.groups {
            let _gone = command("groupdel", &[group]);
        }
    }
}

fn command(program: &str, arguments: &[&str]) -> Result<String> {
    let done = Command::new(program).args(arguments).output()?;
    ensure!(
        done.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// Runs a job now and answers its only run once it has ended, and its output.
async fn run(fleet: &Fleet, spec: JobSpec) -> Result<(Run, String)> {
    let job = fleet.api.create(fleet.group, spec).await?;
    let id = *fleet.api.run_now(job.id).await?.first().context("a run")?;
    let run = eventually("it has ended", Duration::from_secs(30), async || {
        let run = fleet.api.run(id).await?;
        Ok(run.outcome.is_some().then_some(run))
    })
    .await
    .with_context(|| fleet.logs())?;
    let text = eventually(
        "its output is complete",
        Duration::from_secs(20),
        async || {
            let (text, is_complete) = fleet.api.output(id).await?;
            Ok(is_complete.then_some(text))
        },
    )
    .await?;
    Ok((run, text))
}

fn spec(name: &str, script: &str) -> Result<JobSpec> {
    Fleet::scheduled(name, "@at 2030-01-01T00:00:00Z", script)
}

async fn allow_run_as(fleet: &Fleet, users: &[&str]) -> Result<()> {
    let update = serde_json::json!({ "run_as": users });
    let path = format!("/groups/{}", fleet.group);
    let _group: serde_json::Value = fleet.api.call(Method::PATCH, &path, &update).await?;
    Ok(())
}

#[tokio::test]
async fn a_process_has_exactly_the_groups_of_its_user() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "this test creates users: run it as root"
    );
    let user = User::create()?;
    let fleet = fleet().await?;
    allow_run_as(&fleet, &["root", &user.name]).await?;
    let mut spec = spec(
        "groups",
        "id -G; id -u; id -g; echo $HOME $USER $LOGNAME; umask; env | grep -c SECRET",
    )?;
    spec.run_as.clone_from(&user.name);
    spec.umask = Some("027".to_owned());
    let (run, text) = run(&fleet, spec).await?;
    ensure!(
        run.exit_code == Some(1),
        "grep -c of nothing ends with 1: {run:?} {text}"
    );
    let lines: Vec<&str> = text.lines().collect();
    let groups = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let expected = command("id", &["-G", &user.name])?;
    ensure!(
        groups(lines[0]) == groups(&expected) && groups(&expected).len() == 13,
        "{text} {expected}"
    );
    ensure!(
        !groups(lines[0]).contains("0"),
        "root's group stayed: {text}"
    );
    ensure!(
        lines[1] == command("id", &["-u", &user.name])?.trim(),
        "{text}"
    );
    ensure!(
        lines[2] == command("id", &["-g", &user.name])?.trim(),
        "{text}"
    );
    ensure!(lines[3] == format!("/ {0} {0}", user.name), "{text}");
    ensure!(lines[4] == "0027", "{text}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_launched_says_why() -> Result<()> {
    let fleet = fleet().await?;
    let me = command("id", &["-un"])?.trim().to_owned();
    allow_run_as(&fleet, &[&me, "nosuchuser"]).await?;
    type Break = fn(&mut JobSpec);
    let cases: [(&str, &str, Break); 5] = [
        ("user_unknown", "nosuchuser", |spec| {
            spec.run_as = "nosuchuser".to_owned()
        }),
        ("directory_missing", "/no/such/place", |spec| {
            spec.directory = Some("/no/such/place".to_owned())
        }),
        ("command_missing", "/no/such/program", |spec| {
            spec.command.argv = Some(vec!["/no/such/program".to_owned()])
        }),
        ("command_missing", "nosuchprogram", |spec| {
            spec.command.argv = Some(vec!["nosuchprogram".to_owned()])
        }),
        ("command_denied", "/etc/passwd", |spec| {
            spec.command.argv = Some(vec!["/etc/passwd".to_owned()])
        }),
    ];
    for (number, (reason, named, break_it)) in cases.into_iter().enumerate() {
        let mut broken = spec(&format!("broken-{number}"), "true")?;
        break_it(&mut broken);
        let (run, _) = run(&fleet, broken).await?;
        ensure!(
            run.outcome == Some(Outcome::Failed) && run.reason.as_deref() == Some(reason),
            "{run:?}"
        );
        ensure!(
            run.detail
                .as_deref()
                .is_some_and(|detail| detail.contains(named)),
            "{run:?}"
        );
        ensure!(
            run.started_at.is_none() && run.exit_code.is_none(),
            "nothing ran: {run:?}"
        );
    }
    Ok(())
}

/// The exit statuses of all attempts of a run, once so many have ended and none is to come.
async fn exit_codes(fleet: &Fleet, first: Uuid, count: usize) -> Result<Vec<Option<i32>>> {
    let what = format!("{count} attempts have ended");
    eventually(&what, Duration::from_secs(30), async || {
        let run = fleet.api.run(first).await?;
        let mut attempts = vec![run.clone()];
        for id in &run.attempts {
            attempts.push(fleet.api.run(*id).await?);
        }
        attempts.sort_by_key(|run| run.attempt);
        let are_over = attempts.iter().all(|run| run.outcome.is_some());
        let is_all = fleet.api.run(first).await?.attempts.len() + 1 == attempts.len();
        let codes = attempts.iter().map(|run| run.exit_code).collect();
        Ok((are_over && is_all && attempts.len() >= count).then_some(codes))
    })
    .await
}

#[tokio::test]
async fn timeout_kill_retry_and_overlap() -> Result<()> {
    let fleet = fleet().await?;

    let mut slow = spec("slow", "trap '' TERM; sleep 60 & sleep 60; wait")?;
    slow.stop.grace_ms = 300;
    if let Some(scheduled) = &mut slow.scheduled {
        scheduled.timeout_ms = Some(500);
    }
    let (timed_out, _) = run(&fleet, slow).await?;
    ensure!(
        timed_out.outcome == Some(Outcome::TimedOut),
        "{timed_out:?}"
    );

    let mut stubborn = spec(
        "stubborn",
        "trap '' TERM; echo up; while :; do sleep 0.1; done",
    )?;
    stubborn.stop.grace_ms = 300;
    let job = fleet.api.create(fleet.group, stubborn).await?;
    let id = *fleet.api.run_now(job.id).await?.first().context("a run")?;
    eventually(
        "its output is shown while it runs",
        Duration::from_secs(20),
        async || {
            let (text, is_complete) = fleet.api.output(id).await?;
            Ok((text == "up\n" && !is_complete).then_some(()))
        },
    )
    .await?;
    fleet.api.kill(id).await?;
    let killed = eventually("it is killed", Duration::from_secs(20), async || {
        let run = fleet.api.run(id).await?;
        Ok(run.outcome.is_some().then_some(run))
    })
    .await?;
    ensure!(
        killed.outcome == Some(Outcome::Killed) && killed.signal.as_deref() == Some("KILL"),
        "{killed:?}"
    );

    let mut failing = spec("failing", "exit 9")?;
    if let Some(scheduled) = &mut failing.scheduled {
        scheduled.retry.attempts_max = 3;
        scheduled.retry.backoff_initial_ms = 100;
    }
    let (first, _) = run(&fleet, failing).await?;
    let codes = exit_codes(&fleet, first.id, 3).await?;
    ensure!(codes == [Some(9); 3], "{codes:?}");

    let mut choosy = spec("choosy", "exit $((77 - CRONFLEET_ATTEMPT))")?;
    if let Some(scheduled) = &mut choosy.scheduled {
        scheduled.retry.attempts_max = 5;
        scheduled.retry.backoff_initial_ms = 100;
        scheduled.retry.failures = vec!["75-76".to_owned(), "timeout".to_owned()];
    }
    let (first, _) = run(&fleet, choosy).await?;
    let codes = exit_codes(&fleet, first.id, 3).await?;
    ensure!(codes == [Some(76), Some(75), Some(74)], "{codes:?}");

    let job = fleet
        .api
        .create(
            fleet.group,
            Fleet::scheduled("overlapping", "* * * * * *", "sleep 2.5")?,
        )
        .await?;
    eventually(
        "an overlapping instant is skipped on record",
        Duration::from_secs(30),
        async || {
            let runs = fleet
                .api
                .runs(&cronfleet_testkit::RunQuery {
                    job: Some(job.id),
                    state: Some("ended"),
                })
                .await?;
            Ok(runs
                .iter()
                .any(|run| {
                    run.outcome == Some(Outcome::Skipped)
                        && run.reason.as_deref() == Some("overlap")
                })
                .then_some(()))
        },
    )
    .await?;
    Ok(())
}
