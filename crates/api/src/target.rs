//! Where jobs run.

use cronfleet_core::id::AgentId;
use cronfleet_core::job as domain;
use cronfleet_core::job::SpecError;
use cronfleet_core::spread as domain_pick;
use cronfleet_core::spread::Spread;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::convert::refused;

/// Where a job runs: every active agent that is chosen and serves the job's group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// True: every agent that serves the group, also those to come. Then `agent_ids` must be empty.
    #[serde(default)]
    pub all: bool,
    /// Chosen agents.
    #[serde(default)]
    pub agent_ids: Vec<Uuid>,
    /// On which of them.
    #[serde(default)]
    pub mode: TargetMode,
    /// On how many of them with mode `any`, 1 to 10,000; on all if there are fewer. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Who is asked first with mode `any`. Default `fewest_running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
}

/// On which of the selected agents a scheduled job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetMode {
    /// On each of them.
    #[default]
    Each,
    /// On as many as `count` says, whichever are there: each is offered the run, and another one is asked while it has not started.
    Any,
}

/// Who is asked first. Those that are out of reach come last in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Those with the fewest runs planned, under way or alive.
    #[default]
    FewestRunning,
    /// Those with the least load average per processor.
    LeastLoad,
    /// The next ones after the one that had the last run.
    RoundRobin,
    /// The one that had the last run.
    Sticky,
    /// Always the same, another one for each job.
    Hash,
}

/// On which of the selected agents a scheduled job runs.
pub(crate) fn spread(target: &Target) -> Result<Spread, SpecError> {
    match target.mode {
        TargetMode::Any => Ok(Spread::Some {
            count: target.count.unwrap_or(1),
            pick: target.pick.unwrap_or_default().into(),
        }),
        TargetMode::Each if target.count.is_none() && target.pick.is_none() => Ok(Spread::Each),
        TargetMode::Each => Err(SpecError {
            field: if target.count.is_some() {
                "target.count".to_owned()
            } else {
                "target.pick".to_owned()
            },
            code: "job.target_each",
            message: "with mode each the job runs on every selected agent".to_owned(),
            hint: "use mode any, or leave it out".to_owned(),
        }),
    }
}

impl From<Pick> for domain_pick::Pick {
    fn from(pick: Pick) -> Self {
        match pick {
            Pick::FewestRunning => Self::FewestRunning,
            Pick::LeastLoad => Self::LeastLoad,
            Pick::RoundRobin => Self::RoundRobin,
            Pick::Sticky => Self::Sticky,
            Pick::Hash => Self::Hash,
        }
    }
}

impl From<domain_pick::Pick> for Pick {
    fn from(pick: domain_pick::Pick) -> Self {
        match pick {
            domain_pick::Pick::FewestRunning => Self::FewestRunning,
            domain_pick::Pick::LeastLoad => Self::LeastLoad,
            domain_pick::Pick::RoundRobin => Self::RoundRobin,
            domain_pick::Pick::Sticky => Self::Sticky,
            domain_pick::Pick::Hash => Self::Hash,
        }
    }
}

/// A target as it is shown, with how the job spreads over it.
pub(crate) fn shown_target(target: &domain::Target, kind: &domain::JobKind) -> Target {
    let shown = Target::from(target);
    match kind {
        domain::JobKind::Scheduled(scheduled) => match scheduled.spread {
            Spread::Each => shown,
            Spread::Some { count, pick } => Target {
                mode: TargetMode::Any,
                count: Some(count),
                pick: Some(pick.into()),
                ..shown
            },
        },
        domain::JobKind::Daemon(_) => shown,
    }
}

/// Refuses a daemon that is to run on some of its agents.
pub(crate) fn check_daemon_target(target: &Target) -> Result<(), SpecError> {
    if spread(target)?.offers() {
        return Err(SpecError {
            field: "target.mode".to_owned(),
            code: "job.any_daemon",
            message: "a daemon is kept alive on each of its agents".to_owned(),
            hint: "choose its agents, or leave the mode out".to_owned(),
        });
    }
    Ok(())
}

/// The agents that are selected.
pub(crate) fn target(target: &Target) -> Result<domain::Target, SpecError> {
    if !target.all {
        let mut agents: Vec<AgentId> = target
            .agent_ids
            .iter()
            .copied()
            .map(AgentId::from_uuid)
            .collect();
        agents.sort_unstable();
        agents.dedup();
        return Ok(domain::Target::Agents(agents));
    }
    if target.agent_ids.is_empty() {
        return Ok(domain::Target::All);
    }
    Err(refused(
        "target.agent_ids",
        "job.target_both",
        "all agents are asked for and agents are chosen",
        "leave agent_ids empty, or set all to false",
    ))
}

impl From<&domain::Target> for Target {
    fn from(target: &domain::Target) -> Self {
        match target {
            domain::Target::All => Self {
                all: true,
                ..Self::default()
            },
            domain::Target::Agents(agents) => Self {
                agent_ids: agents.iter().map(|agent| agent.as_uuid()).collect(),
                ..Self::default()
            },
        }
    }
}
