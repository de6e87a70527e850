//! Why: an answer for every due instant of a job.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use cronfleet_api::why::{Answer as WhyAnswer, Decider, Why, WhyItem};
use cronfleet_core::access::Reach;
use cronfleet_core::id::JobId;
use cronfleet_core::job::JobKind;
use cronfleet_core::plan::{earlier, later};
use cronfleet_core::run::Reason;
use cronfleet_core::schedule::Schedule;
use cronfleet_core::why::{Answer as Found, History, Stretch, Version, neighbours};
use cronfleet_store::{Decision, TermHolder, TimeKey, WhyPage, WhyVersion};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::guard::{Scope, Viewer};
use super::paging;
use super::runs::shown;
use super::state::HttpState;
use crate::calendars::choice_of;

/// Which due instants to explain.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhyQuery {
    /// Only due instants at or after this; a day before `to` when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only due instants before this; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Most runs to answer, 1 to 500; 100 when absent.
    limit: Option<u32>,
}

/// Explains the due instants of a job, also of a deleted one: what became of each, why, and who decided it. What has the same
/// answer and no runs is told as one range with its count.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}/why", tag = "jobs",
    params(("id" = uuid::Uuid, Path, description = "Job"), WhyQuery),
    responses((status = 200, description = "A page of answers, in the order of the due instants", body = Why))
)]
pub(super) async fn why_job(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<JobId>,
    Query(query): Query<WhyQuery>,
) -> Answer<Why> {
    let seen: Option<TimeKey> = paging::cursor(query.cursor.as_deref())?;
    let limit = paging::limit(query.limit)?;
    let to = query.to.unwrap_or_else(|| state.clock.now());
    let from = query
        .from
        .unwrap_or_else(|| earlier(to, Duration::from_secs(86_400)));
    if from >= to {
        return Err(ApiError::Parameter {
            name: "from".to_owned(),
            message: format!("from is {from}, which is not before {to}"),
            hint: Some("choose an earlier one, or a later to".to_owned()),
        });
    }
    let mut page = state
        .store
        .why(&scope.reach(), id, (from, to), seen, limit)
        .await?
        .ok_or(ApiError::NotFound)?;
    let specs = page.versions.iter_mut();
    let specs = specs.filter_map(|version| version.spec.as_mut());
    let choices = specs.filter_map(choice_of).collect();
    state.calendars.fill(choices).await?;
    let mut why = told(id, page);
    name_windows(&state, id, &mut why).await?;
    Ok(Json(why))
}

fn told(job: JobId, page: WhyPage) -> Why {
    let schedules: Vec<Option<Schedule>> = page
        .versions
        .iter()
        .map(|version| schedule(job, version))
        .collect();
    let versions: Vec<Version<'_>> = page
        .versions
        .iter()
        .zip(&schedules)
        .map(|(version, schedule)| Version {
            number: version.number,
            since: version.since,
            schedule: schedule.as_ref(),
        })
        .collect();
    let lapses: Vec<_> = page
        .lapses
        .iter()
        .map(|row| (row.lapse.due_from, row.lapse.due_to))
        .collect();
    let runs: Vec<_> = page
        .runs
        .iter()
        .map(|run| (run.due, run.job_version))
        .collect();
    let history = History {
        versions: &versions,
        pauses: &page.pauses,
        lapses: &lapses,
        runs: &runs,
        watermark: page.watermark,
        deleted_at: page.is_deleted.then_some(page.watermark),
    };
    let stretches = history.stretches(page.after, page.until);
    let is_empty = stretches.is_empty() && page.runs.is_empty() && page.next.is_none();
    let (due_before, due_after) = if is_empty {
        (
            neighbours(&versions, later(page.after, Duration::from_micros(1))).0,
            neighbours(&versions, page.until).1,
        )
    } else {
        (None, None)
    };
    let mut items: Vec<WhyItem> = stretches
        .into_iter()
        .map(|stretch| told_stretch(&page, stretch))
        .collect();
    let next_cursor = page.next.map(|key| paging::text(&key));
    let WhyPage {
        runs,
        others,
        holders,
        ..
    } = page;
    items.extend(runs.into_iter().map(|run| WhyItem {
        answer: WhyAnswer::Run,
        due_from: run.due,
        due_to: run.due,
        count: 1,
        job_version: run.job_version,
        reason: None,
        window: None,
        decider: Some(decider(
            &holders,
            Decision {
                epoch: run.epoch,
                job_version: Some(run.job_version),
                decided_at: run.planned_at,
            },
        )),
        run: Some(Box::new(shown(run, &[]))),
    }));
    items.sort_by_key(|item| item.due_from);
    Why {
        items,
        requested: others.into_iter().map(|run| shown(run, &[])).collect(),
        due_before,
        due_after,
        next_cursor,
    }
}

/// Adds to what a window held what the window was for, as far as it is on record.
async fn name_windows(state: &HttpState, id: JobId, why: &mut Why) -> Result<(), ApiError> {
    let is_frozen = |item: &&mut WhyItem| {
        let of_run = item.run.as_ref().and_then(|run| run.reason.as_deref());
        item.reason.as_deref().or(of_run) == Some(Reason::Frozen.word())
    };
    let mut frozen = why.items.iter_mut().filter(is_frozen).peekable();
    if frozen.peek().is_none() {
        return Ok(());
    }
    let Some(job) = state.store.job(&Reach::Everything, id).await? else {
        return Ok(());
    };
    let book = state.windows.book(state.clock.now()).await?;
    for item in frozen {
        let held = book.held(job.group, id, None, item.due_from);
        item.window = held.and_then(|held| held.window).map(|(_, reason)| reason);
    }
    Ok(())
}

/// When a version is due; nothing if it is a daemon's, or cannot be read.
fn schedule(job: JobId, version: &WhyVersion) -> Option<Schedule> {
    let JobKind::Scheduled(scheduled) = &version.spec.as_ref()?.kind else {
        return None;
    };
    scheduled.schedule(job).ok()
}

fn told_stretch(page: &WhyPage, stretch: Stretch) -> WhyItem {
    let lapse = match stretch.answer {
        Found::Lapse(index) => page.lapses.get(index),
        Found::Paused | Found::Calendar | Found::NotPlanned | Found::NotRecorded => None,
    };
    WhyItem {
        answer: match stretch.answer {
            Found::Lapse(_) => WhyAnswer::Lapse,
            Found::Paused => WhyAnswer::Paused,
            Found::Calendar => WhyAnswer::Calendar,
            Found::NotPlanned => WhyAnswer::NotPlanned,
            Found::NotRecorded => WhyAnswer::NotRecorded,
        },
        due_from: stretch.due_from,
        due_to: stretch.due_to,
        count: stretch.count,
        job_version: stretch.job_version,
        reason: lapse.map(|row| row.lapse.reason.word().to_owned()),
        window: None,
        run: None,
        decider: lapse.map(|row| decider(&page.holders, row.decision)),
    }
}

fn decider(holders: &BTreeMap<u64, TermHolder>, decision: Decision) -> Decider {
    let holder = decision.epoch.and_then(|epoch| holders.get(&epoch));
    Decider {
        center: holder.map(|holder| holder.id.clone()),
        center_name: holder.and_then(|holder| holder.name.clone()),
        epoch: decision.epoch,
        job_version: decision.job_version,
        decided_at: decision.decided_at,
    }
}
