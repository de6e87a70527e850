//! Windows and snooze on a real fleet: nothing starts in them, everything around them does, and each due instant is accounted for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cronfleet_api::job::Job;
use cronfleet_api::run::Outcome;
use cronfleet_api::why::{Answer, Why};
use cronfleet_api::window::Window;
use cronfleet_testkit::{Fleet, eventually, sleep_until};
use jiff::{Timestamp, ToSpan};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// What became of the due instant at a second of a job that is due every second.
#[derive(Debug, PartialEq, Eq)]
enum Became {
    Succeeded,
    Skipped(String),
    Other(String),
}

async fn became(fleet: &Fleet, job: &Job, due: Timestamp) -> Result<Became> {
    let path = format!("/jobs/{}/why?from={due}&to={}", job.id, due + 1.second());
    let why: Why = fleet.api.get(&path).await?;
    let [item] = why.items.as_slice() else {
        return Ok(Became::Other(format!("{:?}", why.items)));
    };
    let run = item.run.as_ref();
    let reason = run
        .and_then(|run| run.reason.clone())
        .or_else(|| item.reason.clone());
    Ok(
        match (item.answer, run.and_then(|run| run.outcome), reason) {
            (Answer::Run, Some(Outcome::Succeeded), _) => Became::Succeeded,
            (Answer::Run, Some(Outcome::Skipped), Some(reason)) => Became::Skipped(reason),
            (Answer::Lapse, None, Some(reason)) => Became::Skipped(reason),
            _ => Became::Other(format!("{item:?}")),
        },
    )
}

/// Waits until a due instant is over and done with, then tells what became of it.
async fn in_the_end(fleet: &Fleet, job: &Job, due: Timestamp) -> Result<Became> {
    let what = format!("{due} has its answer");
    eventually(&what, Duration::from_secs(20), async || {
        let became = became(fleet, job, due).await?;
        Ok((!matches!(became, Became::Other(_))).then_some(became))
    })
    .await
    .with_context(|| fleet.logs())
}

/// Checks every second from `from` until before `until`.
async fn expect(
    fleet: &Fleet,
    job: &Job,
    (from, until): (Timestamp, Timestamp),
    expected: &Became,
) -> Result<()> {
    let mut due = from;
    while due < until {
        let found = in_the_end(fleet, job, due).await?;
        ensure!(
            found == *expected,
            "{due}: {found:?}, expected {expected:?}"
        );
        due += 1.second();
    }
    Ok(())
}

/// The full second after now.
fn next_second() -> Result<Timestamp> {
    Ok(Timestamp::from_second(Timestamp::now().as_second() + 1)?)
}

#[tokio::test]
async fn nothing_starts_in_a_snooze_or_a_window_and_everything_around_does() -> Result<()> {
    let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_cronfleet"))).await?;
    let spec = Fleet::scheduled("second", "* * * * * *", "true")?;
    let job = fleet.api.create(fleet.group, spec).await?;
    let begun = next_second()? + 1.second();
    ensure!(in_the_end(&fleet, &job, begun).await? == Became::Succeeded);

    // What is due while the request is under way may go either way.
    let until = next_second()? + 6.seconds();
    let path = format!("/jobs/{}/snooze", job.id);
    let request = json!({ "until": until });
    let snoozed: Job = fleet.api.call(Method::PUT, &path, &request).await?;
    ensure!(snoozed.next_due.is_some_and(|next| next >= until));
    let within = next_second()? + 1.second();
    sleep_until(until).await;
    let skipped = |reason: &str| Became::Skipped(reason.to_owned());
    expect(&fleet, &job, (within, until), &skipped("snoozed")).await?;
    expect(
        &fleet,
        &job,
        (until, until + 2.seconds()),
        &Became::Succeeded,
    )
    .await?;

    // Longer than planning goes ahead: some is taken back, some is never planned.
    let from = next_second()? + 2.seconds();
    let until = from + 20.seconds();
    let request = json!({ "reason": "upgrade", "once": { "from": from, "until": until } });
    let window: Window = fleet.api.call(Method::POST, "/windows", &request).await?;
    ensure!(window.group_id.is_none() && window.reason == "upgrade");
    sleep_until(from + 1.second()).await;
    let run = format!("/jobs/{}/run", job.id);
    let (status, _) = fleet
        .api
        .try_call(Method::POST, &run, Some(&json!({})), &[])
        .await?;
    ensure!(status == StatusCode::CONFLICT, "{status}");
    sleep_until(until).await;
    expect(&fleet, &job, (from, until), &skipped("frozen")).await?;
    // The first after a window may be planned up to a second late, and two at once overlap.
    let after = (until + 3.seconds(), until + 6.seconds());
    expect(&fleet, &job, after, &Became::Succeeded).await
}
