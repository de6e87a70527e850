//! `cronfleet forecast --with`: what each job of definition files would make of the load, by itself.

use std::path::PathBuf;

use cronfleet_api::definition::Definition;
use cronfleet_api::forecast::{ForecastChange, ForecastChangeRequest, ForecastPeak};
use cronfleet_api::group::Group;
use cronfleet_api::job::Job;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::show::effect;
use crate::args::Options;
use crate::client::{Answer, Client, find, id_of};
use crate::definitions::LoadedSet;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Most jobs of one call: each is worked out by itself.
const JOBS_MAX: usize = 100;

/// Shows what each of the jobs would change.
pub(super) async fn changes(
    options: &Options,
    screen: &mut Screen,
    paths: &[PathBuf],
    from: Option<Timestamp>,
    hours: u32,
) -> Result<(), Failure> {
    let loaded = LoadedSet::of_paths(paths)?;
    if loaded.jobs.len() > JOBS_MAX {
        return Err(Failure::Input {
            field: "--with".to_owned(),
            message: format!("there are {} jobs in these files", loaded.jobs.len()),
            hint: format!("ask for at most {JOBS_MAX} at a time"),
        });
    }
    let client = Client::new(options)?;
    let mut answers: Vec<Answer<ForecastChange>> = Vec::new();
    for (index, definition) in loaded.jobs.iter().enumerate() {
        let request = request(&client, definition, from, hours).await?;
        let answer = client
            .send(Method::POST, "/forecast/change", &request)
            .await
            .map_err(|failure| loaded.located(of_job(index, failure)))?;
        answers.push(answer);
    }
    if screen.is_json() {
        let items: Vec<Value> = answers.into_iter().map(|answer| answer.raw).collect();
        return screen.json(&json!({ "items": items }));
    }
    let rows = loaded
        .jobs
        .iter()
        .zip(&answers)
        .map(|(definition, answer)| row(definition, &answer.value));
    let header = ["JOB", "STARTS", "AGENT", "PEAK/S", "AT", "OVERLAP"];
    screen.table(&header, rows.collect(), "no jobs")?;
    screen.flush()?;
    if answers.iter().any(|answer| !answer.value.is_everything) {
        screen.note("only jobs of groups that you may see are counted");
    }
    if answers.len() > 1 {
        screen.note("each job is told by itself, as if the others stayed as they are");
    }
    Ok(())
}

async fn request(
    client: &Client,
    definition: &Definition,
    from: Option<Timestamp>,
    hours: u32,
) -> Result<ForecastChangeRequest, Failure> {
    let job_id = known(client, definition).await?;
    let group_id = match job_id {
        Some(_) => None,
        None => Some(id_of::<Group>(client, &definition.group).await?),
    };
    Ok(ForecastChangeRequest {
        job_id,
        group_id,
        spec: definition.spec.clone(),
        from,
        hours: Some(hours),
    })
}

/// The job that a definition is of, if there is one.
async fn known(client: &Client, definition: &Definition) -> Result<Option<Uuid>, Failure> {
    let name = match definition.id {
        Some(id) => id.to_string(),
        None => format!("{}/{}", definition.group, definition.spec.name),
    };
    match find::<Job>(client, &name).await {
        Ok(job) => Ok(Some(job.id)),
        Err(Failure::NoSuch { .. }) => Ok(None),
        Err(Failure::Server { status: 404, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What a center says about a definition, as if it had been sent a set.
fn of_job(index: usize, failure: Failure) -> Failure {
    match failure {
        Failure::Server { status, mut detail } => {
            detail.field = detail.field.map(|field| format!("jobs[{index}].{field}"));
            Failure::Server { status, detail }
        }
        other => other,
    }
}

fn row(definition: &Definition, change: &ForecastChange) -> Vec<String> {
    let busiest = change.agents.first();
    let count = |peak: Option<ForecastPeak>| peak.map_or(0, |peak| peak.count);
    let name = format!("{}/{}", definition.group, definition.spec.name);
    vec![
        shown::plain(&name),
        format!("{} -> {}", change.starts_before, change.starts_after),
        busiest.map_or(NONE.to_owned(), |agent| shown::plain(&agent.agent_name)),
        busiest.map_or(NONE.to_owned(), |agent| {
            format!("{} -> {}", count(agent.before), count(agent.after))
        }),
        busiest
            .and_then(|agent| agent.after)
            .map_or(NONE.to_owned(), |peak| shown::instant(peak.at)),
        change.overlap.as_ref().map_or(NONE.to_owned(), effect),
    ]
}
