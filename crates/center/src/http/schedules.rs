//! What a schedule expression means, before anything is saved.

use std::time::Duration;

use axum::extract::State;
use cronfleet_api::calendar::{CalendarRule as CalendarName, calendar_choice, unknown};
use cronfleet_api::error::ErrorBody;
use cronfleet_api::schedule::{
    ClockChange, ClockChangeEffect, DstEffect, DstMark, DueInstant, Preview, PreviewRequest,
    ScheduleWarning, Skipped,
};
use cronfleet_core::calendar::CalendarRule;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_core::job::{SpecError, check_active, too_dense_to_shift};
use cronfleet_core::plan::later;
use cronfleet_core::schedule::{
    self as domain, ActiveSpan, Context, DstChange, Language, Schedule,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::body::{Answer, Json};
use super::error::ApiError;
use super::guard::{Scope, SignedIn};
use super::state::HttpState;

/// Due instants shown when the request does not say how many, and at most.
const COUNT_DEFAULT: u32 = 10;
const COUNT_MAX: u32 = 100;

/// How far ahead changes of clocks are shown.
const CHANGES_WITHIN: Duration = Duration::from_secs(366 * 86_400);

/// Tells what a schedule expression means and when it is due next.
#[utoipa::path(
    post, path = "/api/v1/schedules/preview", tag = "schedules", request_body = PreviewRequest,
    responses(
        (status = 200, description = "What it means", body = Preview),
        (status = 422, description = "Refused; field, column and hint say where and why", body = ErrorBody),
    )
)]
pub(super) async fn preview_schedule(
    scope: Scope<SignedIn>,
    State(state): State<HttpState>,
    Json(request): Json<PreviewRequest>,
) -> Answer<Preview> {
    let now = state.clock.now();
    let job = match request.job_id.map(JobId::from_uuid) {
        Some(id) => state.store.job(&scope.visible(), id).await?,
        None => None,
    };
    let group = match (request.group_id.map(GroupId::from_uuid), &job) {
        (Some(asked), _) if !scope.visible().includes(asked) => return Err(ApiError::NotFound),
        (Some(asked), _) => Some(asked),
        (None, job) => job.as_ref().map(|job| job.group),
    };
    let rule = rule(&state, request.calendar.clone(), group).await?;
    let mut preview = meaning(&request, rule, now)?;
    if let Some(job) = job {
        let book = state.windows.book(now).await?;
        let snooze = job.snooze.map(|row| row.snooze);
        for next in &mut preview.next {
            let held = book.held(job.group, job.id, snooze, next.due);
            next.skipped = held.map(|held| Skipped {
                reason: held.reason.word().to_owned(),
                window: held.window.map(|(_, reason)| reason),
            });
        }
    }
    Ok(Json(preview))
}

/// The calendar that its name means in a group, with its days.
async fn rule(
    state: &HttpState,
    asked: Option<CalendarName>,
    group: Option<GroupId>,
) -> Result<Option<CalendarRule>, ApiError> {
    let refuse = |error| {
        let field = "calendar.name".to_owned();
        ApiError::spec("", SpecError { field, ..error })
    };
    let Some(asked) = asked else {
        return Ok(None);
    };
    let mut choice = calendar_choice(asked).map_err(refuse)?;
    // No group has the id of nothing: then only calendars of the fleet are found.
    let group = group.unwrap_or(GroupId::from_u128(0));
    state.calendars.look_up(group, Some(&mut choice)).await?;
    let rule = choice.rule().ok_or_else(|| refuse(unknown(&choice.name)))?;
    Ok(Some(rule))
}

fn meaning(
    request: &PreviewRequest,
    calendar: Option<CalendarRule>,
    now: Timestamp,
) -> Result<Preview, ApiError> {
    let count = request.count.unwrap_or(COUNT_DEFAULT);
    if !(1..=COUNT_MAX).contains(&count) {
        let message = format!("count is {count}");
        return Err(ApiError::invalid(
            "count",
            "schedule.count",
            message,
            format!("use 1 to {COUNT_MAX}"),
        ));
    }
    let spread = request.job_id.map_or(0, |job| job.as_u128());
    let context = Context {
        zone: &request.time_zone,
        spread,
    };
    let active = ActiveSpan {
        from: request.active_from,
        until: request.active_until,
    };
    check_active("active_until", active).map_err(|error| ApiError::spec("", error))?;
    let is_shifting = calendar.as_ref().is_some_and(CalendarRule::is_shifting);
    let schedule = Schedule::parse(&request.expression, &context)
        .map_err(|error| ApiError::schedule("expression", "time_zone", error))?
        .with_dst_policy(request.dst.into())
        .within(active)
        .with_calendar(calendar);
    if is_shifting && schedule.is_too_dense_to_shift() {
        return Err(ApiError::spec("", too_dense_to_shift("calendar.mode")));
    }
    let zone = TimeZone::get(schedule.zone_name()).unwrap_or(TimeZone::UTC);
    let from = request.from.unwrap_or(now);
    let next = schedule.between(from, Timestamp::MAX, count as usize);
    let warnings = schedule
        .warnings()
        .into_iter()
        .chain(schedule.calendar_ends(from));
    Ok(Preview {
        canonical: schedule.canonical(),
        sentence_en: schedule.describe(Language::En),
        sentence_zh: schedule.describe(Language::ZhHans),
        next: next
            .into_iter()
            .map(|due| instant(&schedule, &zone, due))
            .collect(),
        clock_changes: schedule
            .clock_changes(from, later(from, CHANGES_WITHIN))
            .iter()
            .map(clock_change)
            .collect(),
        warnings: warnings
            .map(|warning| ScheduleWarning {
                code: warning.code().to_owned(),
                message_en: warning.text(Language::En),
                message_zh: warning.text(Language::ZhHans),
            })
            .collect(),
    })
}

fn instant(schedule: &Schedule, zone: &TimeZone, due: Timestamp) -> DueInstant {
    let note = schedule.dst_notes(due);
    DueInstant {
        due,
        local: due.display_with_offset(zone.to_offset(due)).to_string(),
        skipped: None,
        dst: note.map(|note| mark(note.change)),
        dst_effect: note.and_then(|note| match note.effect {
            domain::DstEffect::None => None,
            domain::DstEffect::MovedOutOfGap => Some(DstEffect::MovedOutOfGap),
            domain::DstEffect::FirstPass => Some(DstEffect::FirstPass),
            domain::DstEffect::SecondPass => Some(DstEffect::SecondPass),
        }),
    }
}

fn clock_change(change: &domain::ClockChange) -> ClockChange {
    ClockChange {
        at: change.at,
        local_before: change
            .at
            .display_with_offset(change.offset_before)
            .to_string(),
        local_after: change
            .at
            .display_with_offset(change.offset_after)
            .to_string(),
        change: mark(change.change),
        effect: match change.effect {
            domain::ClockChangeEffect::RunsAfterGap => ClockChangeEffect::RunsAfterGap,
            domain::ClockChangeEffect::LeftOut => ClockChangeEffect::LeftOut,
            domain::ClockChangeEffect::FirstPassOnly => ClockChangeEffect::FirstPassOnly,
            domain::ClockChangeEffect::BothPasses => ClockChangeEffect::BothPasses,
        },
    }
}

fn mark(change: DstChange) -> DstMark {
    match change {
        DstChange::Gap => DstMark::Gap,
        DstChange::Overlap => DstMark::Overlap,
    }
}

#[cfg(test)]
mod tests {
    use cronfleet_api::dst::{DstPolicy, GapPolicy};

    use super::*;

    fn preview(request: &PreviewRequest, now: Timestamp) -> Result<Preview, ApiError> {
        meaning(request, None, now)
    }

    fn request(expression: &str, time_zone: &str) -> PreviewRequest {
        PreviewRequest {
            expression: expression.into(),
            time_zone: time_zone.into(),
            job_id: None,
            dst: DstPolicy::default(),
            active_from: None,
            active_until: None,
            calendar: None,
            group_id: None,
            from: Some("2026-03-28T12:00:00Z".parse().unwrap()),
            count: Some(2),
        }
    }

    #[test]
    fn a_preview_shows_local_times_and_changes_of_clocks() {
        let preview = preview(
            &request("30 2 * * *", "Europe/Berlin"),
            Timestamp::UNIX_EPOCH,
        )
        .unwrap();
        let locals: Vec<&str> = preview
            .next
            .iter()
            .map(|next| next.local.as_str())
            .collect();
        assert_eq!(
            locals,
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
        );
        assert_eq!(preview.next[0].dst, Some(DstMark::Gap));
        assert_eq!(preview.next[0].dst_effect, Some(DstEffect::MovedOutOfGap));
        assert_eq!(preview.next[1].dst, None);
        let change = &preview.clock_changes[0];
        assert_eq!(
            (change.local_before.as_str(), change.local_after.as_str()),
            ("2026-03-29T02:00:00+01:00", "2026-03-29T03:00:00+02:00")
        );
        assert_eq!(change.effect, ClockChangeEffect::RunsAfterGap);
        assert!(!preview.sentence_en.is_empty() && !preview.sentence_zh.is_empty());
        assert!(
            preview
                .warnings
                .iter()
                .any(|warning| warning.code == "gap_moves")
        );
    }

    #[test]
    fn a_preview_shows_a_day_that_a_policy_leaves_out() {
        let mut request = request("30 2 * * *", "Europe/Berlin");
        request.dst.gap = Some(GapPolicy::Skip);
        let preview = preview(&request, Timestamp::UNIX_EPOCH).unwrap();
        let next = &preview.next[0];
        assert_eq!(
            (next.local.as_str(), next.dst),
            ("2026-03-30T02:30:00+02:00", None)
        );
        let effects: Vec<ClockChangeEffect> = preview
            .clock_changes
            .iter()
            .map(|change| change.effect)
            .collect();
        // From 2026-03-28 on: that spring, that autumn, and the next spring.
        assert_eq!(
            effects,
            [
                ClockChangeEffect::LeftOut,
                ClockChangeEffect::FirstPassOnly,
                ClockChangeEffect::LeftOut,
            ]
        );
    }

    #[test]
    fn a_preview_begins_and_ends_with_the_span_of_the_schedule() {
        let mut request = request("30 2 * * *", "UTC");
        request.count = Some(10);
        request.active_from = Some("2026-04-02T02:30:00Z".parse().unwrap());
        request.active_until = Some("2026-04-04T02:30:00Z".parse().unwrap());
        let due = preview(&request, Timestamp::UNIX_EPOCH).unwrap().next;
        let due: Vec<String> = due.iter().map(|next| next.due.to_string()).collect();
        assert_eq!(due, ["2026-04-02T02:30:00Z", "2026-04-03T02:30:00Z"]);
    }

    #[test]
    fn what_is_refused_names_field_and_column() {
        let refusal = |request: &PreviewRequest| match preview(request, Timestamp::UNIX_EPOCH) {
            Err(ApiError::Invalid {
                field,
                code,
                column,
                hint,
                ..
            }) => {
                assert!(!hint.is_empty());
                (field, code, column)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refusal(&request("60 * * * *", "UTC")),
            ("expression".into(), "schedule.out_of_range".into(), Some(1))
        );
        assert_eq!(refusal(&request("0 0 30 2 *", "UTC")).1, "schedule.never");
        assert_eq!(refusal(&request("* * * * *", "Mars/Base")).0, "time_zone");
        let too_many = PreviewRequest {
            count: Some(101),
            ..request("* * * * *", "UTC")
        };
        assert_eq!(refusal(&too_many).0, "count");
        let instant = Some(Timestamp::UNIX_EPOCH);
        let empty = PreviewRequest {
            active_from: instant,
            active_until: instant,
            ..request("* * * * *", "UTC")
        };
        assert_eq!(refusal(&empty).0, "active_until");
    }
}
