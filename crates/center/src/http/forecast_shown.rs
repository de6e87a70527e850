//! Forecasts as they are answered: with names.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use cronfleet_api::forecast::{
    Forecast, ForecastAgent, ForecastAgentChange, ForecastChange, ForecastDurations, ForecastGroup,
    ForecastJob, ForecastLoad, ForecastOverlap, ForecastPeak, ForecastPeakJob, OverlapEffect,
    SpreadSuggestion,
};
use cronfleet_core::forecast::{self as domain, Window};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_store::JobRow;

use super::error::ApiError;
use super::forecast_basis::KnownJobs;
use super::state::HttpState;

/// What the things of a forecast are called.
#[derive(Debug)]
pub(super) struct Names {
    jobs: KnownJobs,
    agents: HashMap<AgentId, String>,
    groups: HashMap<GroupId, String>,
}

impl Names {
    /// Of everything in a forecast.
    ///
    /// # Errors
    /// [`ApiError::Store`].
    pub(super) async fn of_forecast(
        state: &HttpState,
        answer: &domain::Forecast,
        jobs: KnownJobs,
    ) -> Result<Self, ApiError> {
        let agents: Vec<AgentId> = answer.agents.iter().map(|one| one.agent).collect();
        let groups: Vec<GroupId> = answer.groups.iter().map(|one| one.group).collect();
        Ok(Self {
            jobs,
            agents: state.store.agent_names(&agents).await?,
            groups: state.store.group_names(&groups).await?,
        })
    }

    /// Of everything in a change of one job.
    ///
    /// # Errors
    /// [`ApiError::Store`].
    pub(super) async fn of_change(
        state: &HttpState,
        answer: &domain::Change,
        job: Option<&JobRow>,
    ) -> Result<Self, ApiError> {
        let agents: BTreeSet<AgentId> = answer.agents.iter().map(|one| one.agent).collect();
        let agents: Vec<AgentId> = agents.into_iter().collect();
        let mut jobs = KnownJobs::default();
        if let Some(job) = job {
            jobs.names.insert(job.id, job.spec.name.clone());
        }
        Ok(Self {
            jobs,
            agents: state.store.agent_names(&agents).await?,
            groups: HashMap::new(),
        })
    }

    fn job(&self, job: JobId) -> String {
        self.jobs.names.get(&job).cloned().unwrap_or_default()
    }

    fn agent(&self, agent: AgentId) -> String {
        self.agents.get(&agent).cloned().unwrap_or_default()
    }
}

/// A forecast as it is answered.
pub(super) fn shown(
    answer: domain::Forecast,
    window: &Window,
    names: &Names,
    is_everything: bool,
) -> Forecast {
    Forecast {
        from: window.from(),
        until: window.until(),
        first_bucket: window.first_bucket(),
        bucket_seconds: window.bucket_seconds(),
        is_everything,
        total: load(answer.total, names),
        groups: answer
            .groups
            .into_iter()
            .map(|one| ForecastGroup {
                group_id: one.group.as_uuid(),
                group_name: names.groups.get(&one.group).cloned().unwrap_or_default(),
                load: load(one.load, names),
            })
            .collect(),
        group_count: count(answer.group_count),
        agents: answer
            .agents
            .into_iter()
            .map(|one| ForecastAgent {
                agent_id: one.agent.as_uuid(),
                agent_name: names.agent(one.agent),
                load: load(one.load, names),
            })
            .collect(),
        agent_count: count(answer.agent_count),
        overlaps: answer
            .overlaps
            .iter()
            .map(|one| overlap(one, names))
            .collect(),
        overlap_count: count(answer.overlap_count),
        suggestions: answer
            .suggestions
            .into_iter()
            .map(|one| suggestion(one, names))
            .collect(),
        job_count: count(answer.job_count),
        unknown_duration_count: count(answer.unknown_duration_count),
        approximate_job_count: count(answer.approximate_job_count),
        unreadable_job_count: names.jobs.unreadable,
    }
}

/// A change as it is answered.
pub(super) fn shown_change(
    answer: domain::Change,
    window: &Window,
    names: &Names,
    durations: Option<domain::Durations>,
    is_everything: bool,
) -> ForecastChange {
    ForecastChange {
        from: window.from(),
        until: window.until(),
        first_bucket: window.first_bucket(),
        bucket_seconds: window.bucket_seconds(),
        is_everything,
        starts_before: answer.starts_before,
        starts_after: answer.starts_after,
        added_per_bucket: answer.added_per_bucket,
        agents: answer
            .agents
            .into_iter()
            .map(|one| ForecastAgentChange {
                agent_id: one.agent.as_uuid(),
                agent_name: names.agent(one.agent),
                before: one.before.map(peak),
                after: one.after.map(peak),
                added_per_bucket: one.added_per_bucket,
            })
            .collect(),
        agent_count: count(answer.agent_count),
        durations: durations.map(|durations| ForecastDurations {
            p50_ms: millis(durations.p50),
            p90_ms: millis(durations.p90),
            run_count: durations.run_count,
        }),
        overlap: answer.overlap.map(|one| overlap(&one, names)),
        is_approximate: answer.is_approximate,
    }
}

fn load(load: domain::Load, names: &Names) -> ForecastLoad {
    ForecastLoad {
        starts: load.starts,
        starts_per_bucket: load.starts_per_bucket,
        peak: load.peak.map(peak),
        peak_jobs: load
            .peak_jobs
            .told
            .iter()
            .map(|one| ForecastPeakJob {
                job_id: one.job.as_uuid(),
                job_name: names.job(one.job),
                starts: one.starts,
            })
            .collect(),
        peak_job_count: count(load.peak_jobs.count),
        alive_peak: load.alive_peak.map(peak),
        busy_ms: millis(load.busy),
    }
}

fn peak(peak: domain::Peak) -> ForecastPeak {
    ForecastPeak {
        at: peak.at,
        count: peak.count,
    }
}

fn overlap(one: &domain::ExpectedOverlap, names: &Names) -> ForecastOverlap {
    let (effect, alive_max) = match one.effect {
        domain::OverlapEffect::Skips => (OverlapEffect::Skips, None),
        domain::OverlapEffect::Doubles { alive_max } => (OverlapEffect::Doubles, Some(alive_max)),
        domain::OverlapEffect::Waits => (OverlapEffect::Waits, None),
        domain::OverlapEffect::Replaces => (OverlapEffect::Replaces, None),
    };
    ForecastOverlap {
        job_id: one.job.as_uuid(),
        job_name: names.job(one.job),
        lasting_ms: millis(one.lasting),
        shortest_gap_ms: millis(one.shortest_gap),
        first: one.first,
        count: one.count,
        due_count: one.due_count,
        effect,
        alive_max,
        is_approximate: one.is_approximate,
    }
}

fn suggestion(one: domain::Suggestion, names: &Names) -> SpreadSuggestion {
    SpreadSuggestion {
        expression: one.expression,
        suggested: one.suggested,
        jobs: one
            .jobs
            .iter()
            .map(|job| ForecastJob {
                job_id: job.as_uuid(),
                job_name: names.job(*job),
            })
            .collect(),
        job_count: count(one.job_count),
        at: one.at,
        peak_before: one.peak_before,
        peak_after: one.peak_after,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
