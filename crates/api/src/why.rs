//! Why: an answer for every due instant of a job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::run::Run;

/// What is known about a stretch of a job's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// An answer for each due instant of the stretch, in their order; a due instant has one answer per target and attempt.
    pub items: Vec<WhyItem>,
    /// Runs that people and restarts of hosts asked for in the same time, which are due instants of no schedule.
    pub requested: Vec<Run>,
    /// For a stretch without any due instant: the last one before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_before: Option<Timestamp>,
    /// For a stretch without any due instant: the first one after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_after: Option<Timestamp>,
    /// Pass it as `cursor` to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer for one due instant on one target, or for several due instants one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyItem {
    /// Kind of the answer.
    pub answer: Answer,
    /// First due instant.
    pub due_from: Timestamp,
    /// Last due instant; the same for a run.
    pub due_to: Timestamp,
    /// Number of due instants.
    pub count: u64,
    /// Version of the job in which they are due.
    pub job_version: u32,
    /// For `lapse`: why they became no runs, a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the window was for because of which nothing started, if that is still on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// For `run`: the run, with state, outcome and reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run>>,
    /// Who decided that, for `run` and `lapse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decider: Option<Decider>,
}

/// What became of a due instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It became a run.
    Run,
    /// It became no run, for a reason that is on record.
    Lapse,
    /// The job was paused: nothing was due.
    Paused,
    /// It falls on a day on which the job's calendar leaves it out, or from which it is shifted to another: it was not due.
    Calendar,
    /// It lies further ahead than what has been planned.
    NotPlanned,
    /// It was decided, and the record is no longer kept.
    NotRecorded,
}

/// Who planned a due instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decider {
    /// Id of the center; absent if it is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center: Option<String>,
    /// Name of its machine; absent if it is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center_name: Option<String>,
    /// Its term of planning; absent if it is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Version of the job by which it decided; absent if it is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_version: Option<u32>,
    /// When it recorded that.
    pub decided_at: Timestamp,
}
