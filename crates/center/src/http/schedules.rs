//! What a schedule expression means, before anything is saved.

use axum::extract::State;
use cronfleet_api::error::ErrorBody;
use cronfleet_api::schedule::{DstMark, DueInstant, Preview, PreviewRequest, ScheduleWarning};
use cronfleet_core::schedule::{Context, DstChange, Language, Schedule};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::body::{Answer, Json};
use super::error::ApiError;
use super::guard::{Scope, SignedIn};
use super::state::HttpState;

/// Due instants shown when the request does not say how many, and at most.
const COUNT_DEFAULT: u32 = 10;
const COUNT_MAX: u32 = 100;

/// Tells what a schedule expression means and when it is due next.
#[utoipa::path(
    post, path = "/api/v1/schedules/preview", tag = "schedules", request_body = PreviewRequest,
    responses(
        (status = 200, description = "What it means", body = Preview),
        (status = 422, description = "Refused; field, column and hint say where and why", body = ErrorBody),
    )
)]
pub(super) async fn preview_schedule(
    _: Scope<SignedIn>,
    State(state): State<HttpState>,
    Json(request): Json<PreviewRequest>,
) -> Answer<Preview> {
    preview(&request, state.clock.now()).map(Json)
}

fn preview(request: &PreviewRequest, now: Timestamp) -> Result<Preview, ApiError> {
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
    let schedule = Schedule::parse(&request.expression, &context)
        .map_err(|error| ApiError::schedule("expression", "time_zone", error))?;
    let zone = TimeZone::get(schedule.zone_name()).unwrap_or(TimeZone::UTC);
    let from = request.from.unwrap_or(now);
    let next = schedule.between(from, Timestamp::MAX, count as usize);
    let warnings = schedule.warnings();
    Ok(Preview {
        canonical: schedule.canonical(),
        sentence_en: schedule.describe(Language::En),
        sentence_zh: schedule.describe(Language::ZhHans),
        next: next
            .into_iter()
            .map(|due| instant(&schedule, &zone, due))
            .collect(),
        warnings: warnings
            .into_iter()
            .map(|warning| ScheduleWarning {
                code: warning.code().to_owned(),
                message_en: warning.text(Language::En),
                message_zh: warning.text(Language::ZhHans),
            })
            .collect(),
    })
}

fn instant(schedule: &Schedule, zone: &TimeZone, due: Timestamp) -> DueInstant {
    DueInstant {
        due,
        local: due.display_with_offset(zone.to_offset(due)).to_string(),
        dst: schedule.dst_notes(due).map(|note| match note.change {
            DstChange::Gap => DstMark::Gap,
            DstChange::Overlap => DstMark::Overlap,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(expression: &str, time_zone: &str) -> PreviewRequest {
        PreviewRequest {
            expression: expression.into(),
            time_zone: time_zone.into(),
            job_id: None,
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
        assert_eq!(preview.next[1].dst, None);
        assert!(!preview.sentence_en.is_empty() && !preview.sentence_zh.is_empty());
        assert!(
            preview
                .warnings
                .iter()
                .any(|warning| warning.code == "gap_moves")
        );
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
    }
}
