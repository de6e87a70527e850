//! A job that follows a calendar, while the calendar is changed: what was planned before follows the change, and each due instant
//! is accounted for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::calendar::{Calendar, CalendarMode, CalendarRule};
use cronfleet_api::job::Job;
use cronfleet_api::run::{Outcome, Run};
use cronfleet_api::why::{Answer, Why};
use cronfleet_testkit::{Fleet, eventually, sleep_until};
use jiff::{Timestamp, ToSpan};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Longest wait for something that takes a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

fn days(weekdays: &[&str]) -> Value {
    json!({ "name": "ours", "weekdays": weekdays, "days_in": ["2099-01-02"] })
}

const EVERY: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// Saves the calendar; answers the job once it follows.
async fn save(fleet: &Fleet, calendar: &Calendar, weekdays: &[&str], job: &Job) -> Result<Job> {
    let path = format!("/calendars/{}", calendar.id);
    let before: Calendar = fleet.api.get(&path).await?;
    let version = format!("\"{}\"", before.version);
    let body = json!({ "spec": days(weekdays) });
    let (status, answer) = fleet
        .api
        .try_call(Method::PUT, &path, Some(&body), &[("if-match", &version)])
        .await?;
    ensure!(status == StatusCode::OK, "{answer}");
    eventually("the job follows its calendar", PATIENCE, async || {
        let now: Job = fleet.api.get(&format!("/jobs/{}", job.id)).await?;
        Ok((now.version > job.version).then_some(now))
    })
    .await
    .with_context(|| fleet.logs())
}

/// The full second after now.
fn next_second() -> Result<Timestamp> {
    Ok(Timestamp::from_second(Timestamp::now().as_second() + 1)?)
}

/// The run of a due instant in this version of the job, once it has ended.
async fn ended(fleet: &Fleet, job: &Job, due: Timestamp) -> Result<Run> {
    let what = format!("the run of {due} has ended");
    eventually(&what, PATIENCE, async || {
        let runs = fleet.api.runs_due(due, due + 1.second()).await?;
        let mut runs = runs.into_iter();
        // Those of versions before were superseded.
        let is_meant = |run: &Run| (run.job_id, run.job_version) == (job.id, job.version);
        Ok(runs.find(|run| is_meant(run) && run.due == due && run.outcome.is_some()))
    })
    .await
    .with_context(|| fleet.logs())
}

#[tokio::test]
async fn what_is_planned_follows_a_change_of_the_calendar() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let request = json!({ "spec": days(&EVERY) });
    let calendar: Calendar = fleet.api.call(Method::POST, "/calendars", &request).await?;
    let mut spec = Fleet::scheduled("second", "* * * * * *", "true")?;
    let scheduled = spec.scheduled.as_mut().context("a scheduled job")?;
    scheduled.calendar = Some(CalendarRule {
        name: "ours".to_owned(),
        mode: CalendarMode::Include,
    });
    let job = fleet.api.create(fleet.group, spec).await?;
    let due = next_second()? + 1.second();
    let run = ended(&fleet, &job, due).await?;
    ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");

    // Some 15 s were planned ahead, and are in the hands of the agent.
    let job = save(&fleet, &calendar, &[], &job).await?;
    let next = job.next_due.context("a day that is named")?;
    ensure!(next.to_string().starts_with("2099-01-0"), "{next}");
    let (from, until) = (next_second()?, next_second()? + 5.seconds());
    sleep_until(until + 1.second()).await;
    for run in fleet.api.runs_due(from, until).await? {
        ensure!(run.started_at.is_none(), "{run:?}");
    }
    let why: Why = fleet
        .api
        .get(&format!("/jobs/{}/why?from={from}&to={until}", job.id))
        .await?;
    let left_out = |answer: Answer| answer == Answer::Calendar;
    ensure!(
        why.items.iter().any(|item| left_out(item.answer)),
        "{why:?}"
    );

    let job = save(&fleet, &calendar, &EVERY, &job).await?;
    let due = next_second()? + 1.second();
    let run = ended(&fleet, &job, due).await?;
    ensure!(run.outcome == Some(Outcome::Succeeded), "{run:?}");
    Ok(())
}
