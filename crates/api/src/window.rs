//! Windows in which nothing starts, and snooze.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::group::Role;

/// A window: due instants of scheduled jobs in it are skipped. It is of one job, of a group's jobs, or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// Id.
    pub id: Uuid,
    /// Version, from 1; also the ETag.
    pub version: u32,
    /// Group whose jobs it holds; of a job's window the job's group. Absent: it holds the whole fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// Job that it holds; absent if it holds more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Name of the job, or else of the group; empty for the whole fleet.
    pub scope_name: String,
    /// What it is for.
    pub reason: String,
    /// When it is, if it comes once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// When it is, if it comes again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
    /// Whether it holds anything now.
    pub state: WindowState,
    /// For `holding`: until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds_until: Option<Timestamp>,
    /// For `waiting`: when it begins next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_begin: Option<Timestamp>,
    /// When it begins, as a sentence in English; absent for one that comes once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence_en: Option<String>,
    /// The same in Simplified Chinese.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence_zh: Option<String>,
    /// Login of who made or changed it last.
    pub changed_by: String,
    /// When it was made or changed last: it holds only what is due after this.
    pub changed_at: Timestamp,
    /// When somebody ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// My role where it belongs; absent for the fleet's windows, which administrators change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub my_role: Option<Role>,
}

/// Where a window is in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// It is yet to begin, or to begin again.
    Waiting,
    /// Nothing starts that is due now.
    Holding,
    /// It does not come again, or was ended.
    Over,
}

/// A time that comes once, at most 366 days long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// From this instant on; from now on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until just before this one.
    pub until: Timestamp,
}

/// A time that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurring {
    /// Schedule expression of its beginnings, e.g. `0 22 * * 6`.
    pub expression: String,
    /// IANA time zone name; the center's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How long it lasts each time in milliseconds, 60,000 to 2,678,400,000 (31 days).
    pub lasts_ms: u64,
}

/// `POST /windows`. Of the whole fleet without `group_id` and `job_id`; at most one of the two is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowCreate {
    /// Group whose jobs it shall hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// Job that it shall hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// What it is for, 1 to 200 characters.
    pub reason: String,
    /// When it is; exactly one of `once` and `recurring` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// When it is, again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
}

/// `PUT /windows/{id}`: changes it from now on. Needs `If-Match` with the version that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowReplace {
    /// What it is for, 1 to 200 characters.
    pub reason: String,
    /// When it is; exactly one of `once` and `recurring` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// When it is, again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
}

/// `PUT /jobs/{id}/snooze`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozePut {
    /// Until when the job rests, at most 366 days from now.
    pub until: Timestamp,
}

/// A snooze that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snooze {
    /// Until when the job rests.
    pub until: Timestamp,
    /// Login of who asked for it.
    pub by: String,
    /// When that was.
    pub since: Timestamp,
}

/// A window that holds a job now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Frozen {
    /// The window.
    pub window_id: Uuid,
    /// What it is for.
    pub reason: String,
    /// Until when nothing of the job starts, by this window and those that take over from it.
    pub until: Timestamp,
}
