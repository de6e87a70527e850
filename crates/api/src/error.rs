//! The one error body.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of every answer with a status of 400 or above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, on which field, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable machine-readable code, e.g. `job.name_taken`, `schedule.out_of_range`, `auth.required`, `not_found`.
    pub code: String,
    /// One sentence for people, in English.
    pub message: String,
    /// Path of the offending field in the request, e.g. `spec.schedule.expression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// 1-based character position inside the field, for schedule expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Everything that is wrong, where a request is about many things; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Names this request in the center's log.
    pub request_id: String,
}

/// One of the things that are wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Path of the field in the request, e.g. `jobs[17].spec.scheduled.expression`.
    pub field: String,
    /// Stable machine-readable code.
    pub code: String,
    /// One sentence for people, in English.
    pub message: String,
    /// 1-based character position inside the field, for schedule expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Path of the other field, where two contradict each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// The job (`group/name`), where the request does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}
