//! `cronfleet job run`.

use std::time::{Duration, Instant};

use clap::Args;
use cronfleet_api::agent::Agent;
use cronfleet_api::job::{Job, RunNow as Request, RunNowAnswer};
use cronfleet_api::run::{Outcome, Run, RunState};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, Client, id_of, ids_of};
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};
use crate::run;
use crate::screen::Screen;

/// First pause between two looks at a run; it doubles each time.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two looks at a run.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Run a scheduled job now.
#[derive(Args)]
pub(crate) struct RunNow {
    /// Name, group/name or id
    job: String,
    /// Only on this agent of the job (name or id); can be repeated
    #[arg(long, short)]
    agent: Vec<String>,
    /// Wait until the runs and their retries are over; exit status 7 unless all succeeded
    #[arg(long, short)]
    wait: bool,
    /// Stop waiting after this time, e.g. 10m
    #[arg(long, value_name = "TIME", value_parser = parse_millis, requires = "wait")]
    wait_timeout: Option<Millis>,
    /// Repeating the command with the same key makes no new runs
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Also within a window in which nothing starts
    #[arg(long)]
    ignore_windows: bool,
}

impl RunNow {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let id = id_of::<Job>(client, &self.job).await?;
        let agent_ids = match self.agent.as_slice() {
            [] => None,
            names => Some(ids_of::<Agent>(client, names).await?),
        };
        let key = self.idempotency_key.unwrap_or_else(|| {
            uuid::Builder::from_random_bytes(rand::random())
                .into_uuid()
                .to_string()
        });
        let path = format!("/jobs/{id}/run");
        let request = Request {
            agent_ids,
            ignore_windows: self.ignore_windows,
        };
        let header = ("Idempotency-Key", key.as_str());
        let answer = client
            .send_with::<RunNowAnswer>(Method::POST, &path, &request, header)
            .await?;
        let ids = &answer.value.run_ids;
        if !self.wait {
            if screen.is_json() {
                return screen.json(&answer.raw);
            }
            return ids.iter().try_for_each(|id| screen.line(id));
        }
        let deadline = self
            .wait_timeout
            .map(|Millis(ms)| Instant::now() + Duration::from_millis(ms));
        let (runs, raw) = wait(client, ids, deadline).await?;
        if screen.is_json() {
            screen.json(&json!({ "items": raw }))?;
        } else {
            run::table(screen, &runs)?;
        }
        verdict(&runs)
    }
}

/// Looks at the runs, and at the attempts that follow a failed one, until all are over or the deadline is reached. Answers
/// the last attempt of each.
async fn wait(
    client: &Client,
    ids: &[Uuid],
    deadline: Option<Instant>,
) -> Result<(Vec<Run>, Vec<Value>), Failure> {
    let (mut runs, mut raw) = (vec![], vec![]);
    for id in ids {
        let mut last = wait_for_one(client, *id, deadline).await?;
        while let Some(next) = next_attempt(client, &last.value).await? {
            last = wait_for_one(client, next, deadline).await?;
        }
        runs.push(last.value);
        raw.push(last.raw);
    }
    Ok((runs, raw))
}

async fn wait_for_one(
    client: &Client,
    id: Uuid,
    deadline: Option<Instant>,
) -> Result<Answer<Run>, Failure> {
    let mut pause = LOOK_PAUSE_MIN;
    loop {
        let answer = client.get::<Run>(&format!("/runs/{id}"), &vec![]).await?;
        let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if answer.value.state == RunState::Ended || is_late {
            return Ok(answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_PAUSE_MAX);
    }
}

/// The attempt after this one. It is recorded together with this one's end, so there is no need to wait for it.
async fn next_attempt(client: &Client, run: &Run) -> Result<Option<Uuid>, Failure> {
    let is_over = run.state == RunState::Ended && run.outcome != Some(Outcome::Succeeded);
    let Some(newest) = run.attempts.last().filter(|_| is_over) else {
        return Ok(None);
    };
    let newest = client
        .get::<Run>(&format!("/runs/{newest}"), &vec![])
        .await?
        .value;
    Ok((newest.attempt > run.attempt).then_some(newest.id))
}

fn verdict(runs: &[Run]) -> Result<(), Failure> {
    let total = runs.len();
    let unfinished = runs
        .iter()
        .filter(|run| run.state != RunState::Ended)
        .count();
    if unfinished > 0 {
        return Err(Failure::NotOver {
            count: unfinished,
            total,
        });
    }
    match runs
        .iter()
        .filter(|run| run.outcome != Some(Outcome::Succeeded))
        .count()
    {
        0 => Ok(()),
        count => Err(Failure::NotSucceeded { count, total }),
    }
}
