//! Forecast: what schedules and past durations promise for the next hours.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::job::JobSpec;

/// What is to be expected of a stretch of time. Jobs that are paused, daemons, retries, restarts of hosts and runs that people ask for are
/// not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// Where it begins; a whole second.
    pub from: Timestamp,
    /// Where it ends; that instant is not part of it.
    pub until: Timestamp,
    /// Where the first bucket begins, at or before `from`.
    pub first_bucket: Timestamp,
    /// Length of each bucket in seconds.
    pub bucket_seconds: u32,
    /// Whether the jobs of all groups were taken into account; if not, only those of groups that I may see.
    pub is_everything: bool,
    /// Everything together.
    pub total: ForecastLoad,
    /// The groups with the highest peaks, the highest first, at most 50.
    pub groups: Vec<ForecastGroup>,
    /// Groups with anything to start.
    pub group_count: u32,
    /// The agents with the highest peaks, the highest first, at most 50.
    pub agents: Vec<ForecastAgent>,
    /// Agents with anything to start.
    pub agent_count: u32,
    /// Jobs whose runs are expected to last longer than the next due instant is away, the worst first, at most 50.
    pub overlaps: Vec<ForecastOverlap>,
    /// How many such jobs there are.
    pub overlap_count: u32,
    /// Jobs of one fixed time that `H` would spread, those with the most starts first, at most 10.
    pub suggestions: Vec<SpreadSuggestion>,
    /// Jobs that were taken into account.
    pub job_count: u32,
    /// Jobs of which no duration is known: they count as starts, not as processes alive.
    pub unknown_duration_count: u32,
    /// Jobs that are due so often that they were taken as evenly spread within a bucket.
    pub approximate_job_count: u32,
    /// Jobs that were left out because their definition cannot be read; they are not planned either.
    pub unreadable_job_count: u32,
}

/// Starts and processes of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastLoad {
    /// Runs that will be planned; those that an overlap will skip are among them.
    pub starts: u64,
    /// The same for each bucket.
    pub starts_per_bucket: Vec<u64>,
    /// The second with the most starts; absent if nothing starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<ForecastPeak>,
    /// The jobs that start in that second, those with the most starts first, at most 10.
    pub peak_jobs: Vec<ForecastPeakJob>,
    /// How many they are.
    pub peak_job_count: u32,
    /// The moment with the most processes alive at the same time, if runs take as long as the median of the past ones; absent if nothing
    /// is expected to be alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alive_peak: Option<ForecastPeak>,
    /// How long the processes of these runs are expected to be alive, added up, in milliseconds.
    pub busy_ms: u64,
}

/// The highest of many counts, and when it is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastPeak {
    /// When; a whole second.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
}

/// A job's part of a peak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastPeakJob {
    /// Job.
    pub job_id: Uuid,
    /// Its name.
    pub job_name: String,
    /// Runs of it that start in that second.
    pub starts: u64,
}

/// What is to be expected of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastGroup {
    /// Group.
    pub group_id: Uuid,
    /// Its name.
    pub group_name: String,
    /// Its load, on all agents together.
    pub load: ForecastLoad,
}

/// What is to be expected of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastAgent {
    /// Agent.
    pub agent_id: Uuid,
    /// Its name.
    pub agent_name: String,
    /// Its load.
    pub load: ForecastLoad,
}

/// A job that is due again before its run is expected to have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastOverlap {
    /// Job.
    pub job_id: Uuid,
    /// Its name.
    pub job_name: String,
    /// How long a run is expected to last, in milliseconds: nine of ten past ones took no longer.
    pub lasting_ms: u64,
    /// The shortest time from one due instant to the next, in milliseconds.
    pub shortest_gap_ms: u64,
    /// The first due instant at which the run before is expected to be alive.
    pub first: Timestamp,
    /// How many such due instants there are, for each agent and copy.
    pub count: u64,
    /// How many due instants there are altogether.
    pub due_count: u64,
    /// What becomes of them.
    pub effect: OverlapEffect,
    /// For `doubles`: how many are alive at the same time at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alive_max: Option<u64>,
    /// Whether the counts are estimates.
    pub is_approximate: bool,
}

/// What becomes of a run that is due while the one before is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlapEffect {
    /// It is skipped.
    Skips,
    /// It starts beside it.
    Doubles,
    /// It waits for its turn, or is skipped if as many as may wait do so already.
    Waits,
    /// It takes the place of the one before.
    Replaces,
}

/// Jobs that start in the same second, and a schedule that would spread them: just as often, within the same hour, never earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpreadSuggestion {
    /// Their schedule expression.
    pub expression: String,
    /// The expression that each of them would have.
    pub suggested: String,
    /// The jobs, at most 20.
    pub jobs: Vec<ForecastJob>,
    /// How many there are.
    pub job_count: u32,
    /// A second in which they start.
    pub at: Timestamp,
    /// Runs of all jobs that start in that second.
    pub peak_before: u64,
    /// The most that would start in any second of the time over which they would be spread.
    pub peak_after: u64,
}

/// A job by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastJob {
    /// Job.
    pub job_id: Uuid,
    /// Its name.
    pub job_name: String,
}

/// `POST /forecast/change`: what saving a definition would make of the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastChangeRequest {
    /// Job that would be saved; absent for a new one (then `H` resolves with a zero seed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// Group that would own a new job; of a job that exists, its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Uuid>,
    /// The whole definition.
    pub spec: JobSpec,
    /// Where the stretch of time begins; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// How long it is: 24 or 168 hours; 24 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// What saving a definition would make of the load. A job that is paused counts as if the change resumed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastChange {
    /// Where the stretch of time begins; a whole second.
    pub from: Timestamp,
    /// Where it ends; that instant is not part of it.
    pub until: Timestamp,
    /// Where the first bucket begins, at or before `from`.
    pub first_bucket: Timestamp,
    /// Length of each bucket in seconds.
    pub bucket_seconds: u32,
    /// Whether the jobs of all groups were taken into account; if not, only those of groups that I may see.
    pub is_everything: bool,
    /// Runs of the job that will be planned as it is now, over all agents.
    pub starts_before: u64,
    /// The same as it would be.
    pub starts_after: u64,
    /// The difference for each bucket, over all agents.
    pub added_per_bucket: Vec<i64>,
    /// The agents that it is about, those with the highest peaks afterwards first, at most 10.
    pub agents: Vec<ForecastAgentChange>,
    /// How many agents it is about.
    pub agent_count: u32,
    /// How long its past runs took; absent if none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durations: Option<ForecastDurations>,
    /// Present if its runs are expected to come while the one before is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<ForecastOverlap>,
    /// Whether something is due so often that it was taken as evenly spread within a bucket.
    pub is_approximate: bool,
}

/// What a change makes of the load of an agent, all jobs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastAgentChange {
    /// Agent.
    pub agent_id: Uuid,
    /// Its name.
    pub agent_name: String,
    /// The second with the most starts as it is now; absent if nothing starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ForecastPeak>,
    /// The same as it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ForecastPeak>,
    /// Starts that come in each bucket, less those that go.
    pub added_per_bucket: Vec<i64>,
}

/// How long past runs of a job took: of the newest that ran to their end, at most 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForecastDurations {
    /// Half of them took at most so many milliseconds.
    pub p50_ms: u64,
    /// Nine of ten took at most so many milliseconds.
    pub p90_ms: u64,
    /// How many they are.
    pub run_count: u32,
}
