//! Secrets from the person who sets them to the process that needs them: there, and nowhere else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::JobSpec;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_api::secret::{Secret, SecretAs, SecretUse};
use cronfleet_testkit::{Fleet, eventually};
use reqwest::Method;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(60);
const VALUE: &str = "tr0ub4dor-and-three";
const NEXT_VALUE: &str = "staple-battery-horse";

async fn fleet() -> Result<Fleet> {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await
}

async fn set(fleet: &Fleet, name: &str, value: &str) -> Result<Secret> {
    let path = format!("/groups/{}/secrets/{name}", fleet.group);
    let body = serde_json::json!({ "value": value });
    fleet.api.call(Method::PUT, &path, &body).await
}

fn with_secret(mut spec: JobSpec) -> JobSpec {
    let used = |given| SecretUse {
        name: "db-password".to_owned(),
        given,
    };
    spec.secrets = vec![
        used(SecretAs::Env("DB_PASSWORD".to_owned())),
        used(SecretAs::File("db.key".to_owned())),
    ];
    spec
}

async fn run(fleet: &Fleet, job: Uuid) -> Result<(Run, String)> {
    let id = *fleet.api.run_now(job).await?.first().context("a run")?;
    let run = eventually("it has ended", PATIENCE, async || {
        let run = fleet.api.run(id).await?;
        Ok(run.outcome.is_some().then_some(run))
    })
    .await
    .with_context(|| fleet.logs())?;
    if run.started_at.is_none() {
        return Ok((run, String::new()));
    }
    let text = eventually("its output is complete", PATIENCE, async || {
        let (text, is_complete) = fleet.api.output(id).await?;
        Ok(is_complete.then_some(text))
    })
    .await?;
    Ok((run, text))
}

/// Files below a directory that hold a text.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            found.extend(holding(&entry.path(), text));
        } else if kind.is_file()
            && std::fs::read(entry.path())
                .is_ok_and(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
        {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn a_run_gets_its_secrets_and_nobody_else_sees_them() -> Result<()> {
    let fleet = fleet().await?;
    let script = "sha256sum < $CRONFLEET_SECRETS_DIR/db.key; printf %s \"$DB_PASSWORD\" | sha256sum; \
                  echo \"oops: $DB_PASSWORD\"";
    let spec = with_secret(Fleet::scheduled(
        "report",
        "@at 2030-01-01T00:00:00Z",
        script,
    )?);
    let refused = fleet.api.create(fleet.group, spec.clone()).await;
    let message = format!("{:#}", refused.err().context("a secret that is not there")?);
    ensure!(message.contains("job.secret_unknown"), "{message}");
    let secret = set(&fleet, "db-password", VALUE).await?;
    ensure!(
        secret.version == 1 && secret.updated_by == "admin",
        "{secret:?}"
    );
    let job = fleet.api.create(fleet.group, spec).await?;
    let (ended, text) = run(&fleet, job.id).await?;
    ensure!(
        ended.outcome == Some(Outcome::Succeeded),
        "{ended:?} {text}"
    );
    let lines: Vec<&str> = text.lines().collect();
    ensure!(
        lines[0] == lines[1],
        "file and variable hold the same: {text}"
    );
    ensure!(lines[2] == "oops: ***", "{text}");
    // A new value is for the next process.
    ensure!(set(&fleet, "db-password", NEXT_VALUE).await?.version == 2);
    let after = eventually("a process has the new value", PATIENCE, async || {
        let (_, after) = run(&fleet, job.id).await?;
        Ok((after.lines().next() != Some(lines[0])).then_some(after))
    })
    .await?;
    ensure!(after.ends_with("oops: ***\n"), "{after}");
    let listed: Vec<Secret> = fleet
        .api
        .get(&format!("/groups/{}/secrets", fleet.group))
        .await?;
    ensure!(listed.len() == 1 && listed[0].version == 2, "{listed:?}");
    for value in [VALUE, NEXT_VALUE] {
        for place in ["center", "agent", "center.log", "agent.log"] {
            let path = fleet.path(place);
            let found = if path.is_dir() {
                holding(&path, value)
            } else {
                let text = std::fs::read_to_string(&path)?;
                text.contains(value)
                    .then(|| place.to_owned())
                    .into_iter()
                    .collect()
            };
            ensure!(found.is_empty(), "{value} is in {found:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_its_secret_a_run_fails_and_says_why() -> Result<()> {
    let fleet = fleet().await?;
    set(&fleet, "db-password", VALUE).await?;
    let spec = with_secret(Fleet::scheduled(
        "report",
        "@at 2030-01-01T00:00:00Z",
        "true",
    )?);
    let job = fleet.api.create(fleet.group, spec).await?;
    let path = format!("/groups/{}/secrets/db-password", fleet.group);
    let _gone: () = fleet
        .api
        .call(Method::DELETE, &path, &serde_json::json!({}))
        .await?;
    let (ended, _) = run(&fleet, job.id).await?;
    ensure!(ended.outcome == Some(Outcome::Failed), "{ended:?}");
    ensure!(
        ended.reason.as_deref() == Some("secret_unavailable"),
        "{ended:?}"
    );
    let detail = ended.detail.unwrap_or_default();
    ensure!(detail.contains("db-password"), "{detail}");
    Ok(())
}

#[tokio::test]
async fn a_daemon_comes_back_with_its_secrets_while_the_center_is_down() -> Result<()> {
    let mut fleet = fleet().await?;
    set(&fleet, "db-password", VALUE).await?;
    let stamps = fleet.path("stamps");
    let script = format!(
        "printf %s \"$DB_PASSWORD\" | md5sum >> {0}; exec sleep 1000",
        stamps.display()
    );
    let spec = with_secret(Fleet::daemon("worker", 1, &script)?);
    let job = fleet.api.create(fleet.group, spec).await?;
    let count = async |expected: usize| {
        eventually("it was started", PATIENCE, async || {
            let text = std::fs::read_to_string(&stamps).unwrap_or_default();
            Ok((text.lines().count() == expected).then_some(text))
        })
        .await
    };
    count(1).await.with_context(|| fleet.logs())?;
    let pid = eventually("its process is known", PATIENCE, async || {
        let slots = fleet.api.slots(job.id).await?;
        Ok(slots.first().and_then(|slot| slot.pid))
    })
    .await?;
    fleet.kill_center()?;
    fleet.kill_agent()?;
    fleet.spawn_agent()?;
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL)?;
    let text = count(2).await.with_context(|| fleet.logs())?;
    let lines: Vec<&str> = text.lines().collect();
    ensure!(lines[0] == lines[1], "{text}");
    Ok(())
}
