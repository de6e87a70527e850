//! Preview of schedule expressions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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
