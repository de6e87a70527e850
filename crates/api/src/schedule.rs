//! Preview of schedule expressions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::CalendarRule;
use crate::dst::DstPolicy;

/// `POST /schedules/preview`: what an expression means. An expression that is refused answers 422 with field, column, hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The expression as typed.
    pub expression: String,
    /// IANA time zone name.
    pub time_zone: String,
    /// Job whose id seeds `H`; absent for a new job (then `H` resolves with a zero seed).
    #[serde(default)]
    pub job_id: Option<Uuid>,
    /// What becomes of times that clocks skip or show twice.
    #[serde(default)]
    pub dst: DstPolicy,
    /// Nothing is due before this instant.
    #[serde(default)]
    pub active_from: Option<Timestamp>,
    /// Nothing is due at this instant or after it.
    #[serde(default)]
    pub active_until: Option<Timestamp>,
    /// Calendar that it follows.
    #[serde(default)]
    pub calendar: Option<CalendarRule>,
    /// Group whose calendars the name may mean; that of the job when absent. Without either only presets and calendars of the fleet.
    #[serde(default)]
    pub group_id: Option<Uuid>,
    /// Due instants strictly after this; now when absent.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// How many, 1 to 100; 10 when absent.
    #[serde(default)]
    pub count: Option<u32>,
}

/// What an expression means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Normalised text, `H` resolved.
    pub canonical: String,
    /// Sentence in English.
    pub sentence_en: String,
    /// Sentence in Simplified Chinese.
    pub sentence_zh: String,
    /// The next due instants.
    pub next: Vec<DueInstant>,
    /// Days within a year from `from` on which a change of clocks makes a difference, in order.
    pub clock_changes: Vec<ClockChange>,
    /// Things worth knowing before saving.
    pub warnings: Vec<ScheduleWarning>,
}

/// One due instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DueInstant {
    /// The instant in UTC.
    pub due: Timestamp,
    /// The same instant as local date-time with offset in the schedule's zone, e.g. `2026-03-29T03:00:00+02:00`.
    pub local: String,
    /// Set when a DST change of the zone touches that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<DstMark>,
    /// What that change does to this very due instant, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_effect: Option<DstEffect>,
    /// Set if the job of the request would not run: it is snoozed until later, or a window holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
}

/// Why a due instant is going to be skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// Stable word: `snoozed` or `frozen`.
    pub reason: String,
    /// What the window is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// What a change of clocks does to a due instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DstEffect {
    /// It stands in for times that clocks skip, right after the change.
    MovedOutOfGap,
    /// Its local time comes twice, and this is the first time.
    FirstPass,
    /// Its local time comes twice, and this is the second time.
    SecondPass,
}

/// A change of clocks that makes a difference to a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClockChange {
    /// The instant of the change.
    pub at: Timestamp,
    /// What clocks would show at that instant without it, e.g. `2026-03-29T02:00:00+01:00`.
    pub local_before: String,
    /// What clocks show at that instant, e.g. `2026-03-29T03:00:00+02:00`.
    pub local_after: String,
    /// Which way clocks go.
    pub change: DstMark,
    /// What the schedule does about it.
    pub effect: ClockChangeEffect,
}

/// What a schedule does about times that a change of clocks skips or repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClockChangeEffect {
    /// Times are skipped; it runs once at the instant of the change.
    RunsAfterGap,
    /// Times are skipped and do not run.
    LeftOut,
    /// Times come twice; they run the first time only.
    FirstPassOnly,
    /// Times come twice and run both times.
    BothPasses,
}

/// How a DST change touches a due instant's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DstMark {
    /// Clocks go forward that day: some local times do not exist.
    Gap,
    /// Clocks go back that day: some local times happen twice.
    Overlap,
}

/// A warning about an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleWarning {
    /// Stable code.
    pub code: String,
    /// Sentence in English.
    pub message_en: String,
    /// Sentence in Simplified Chinese.
    pub message_zh: String,
}
