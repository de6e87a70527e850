//! What centers tell each other, in a form that older and newer centers can read: an entry that a reader does not understand is
//! left out, and the others count.

use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::order::SlotState;
use cronfleet_core::run::{Outcome, Reason, RunState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::bus::Change;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Told {
    /// [`Change::Job`].
    Job { job: Uuid, group: Uuid },
    /// [`Change::Run`].
    Run {
        run: Uuid,
        job: Uuid,
        group: Uuid,
        agent: Uuid,
        state: String,
        outcome: Option<String>,
    },
    /// [`Change::Slot`].
    Slot {
        job: Uuid,
        group: Uuid,
        agent: Uuid,
        index: u32,
        state: String,
    },
    /// [`Change::Agent`].
    Agent {
        agent: Uuid,
        groups: Vec<Uuid>,
        is_online: bool,
    },
    /// [`Change::Group`].
    Group { group: Uuid },
    /// There was more than was told: everything shown is to be read again.
    More,
    /// Jobs changed: plan, and look at daemons.
    JobsChanged,
    /// An agent was approved, revoked, or its groups changed.
    AgentChanged { agent: Uuid },
    /// Runs are to be taken back from an agent.
    Revoke {
        agent: Uuid,
        runs: Vec<Uuid>,
        reason: String,
    },
    /// A run is to be killed.
    Kill { agent: Uuid, run: Uuid },
    /// Offers got the word.
    Go { agent: Uuid, runs: Vec<Uuid> },
    /// A run is to be stopped, because a later one takes its place.
    Replace { agent: Uuid, run: Uuid },
    /// Processes of a daemon job are to be restarted, on one agent or on all.
    RestartSlots {
        job: Uuid,
        agent: Option<Uuid>,
        index: Option<u32>,
    },
}

impl From<&Change> for Told {
    fn from(change: &Change) -> Self {
        match change {
            Change::Job { job, group } => Self::Job {
                job: job.as_uuid(),
                group: group.as_uuid(),
            },
            Change::Run {
                run,
                job,
                group,
                agent,
                state,
            } => Self::Run {
                run: run.as_uuid(),
                job: job.as_uuid(),
                group: group.as_uuid(),
                agent: agent.as_uuid(),
                state: state.word().to_owned(),
                outcome: match state {
                    RunState::Ended(outcome) => Some(outcome.word().to_owned()),
                    RunState::Planned
                    | RunState::Offered
                    | RunState::Dispatched
                    | RunState::Accepted
                    | RunState::Running => None,
                },
            },
            Change::Slot {
                job,
                group,
                agent,
                index,
                state,
            } => Self::Slot {
                job: job.as_uuid(),
                group: group.as_uuid(),
                agent: agent.as_uuid(),
                index: *index,
                state: state.word().to_owned(),
            },
            Change::Agent {
                agent,
                groups,
                is_online,
            } => Self::Agent {
                agent: agent.as_uuid(),
                groups: groups.iter().map(|group| group.as_uuid()).collect(),
                is_online: *is_online,
            },
            Change::Group { group } => Self::Group {
                group: group.as_uuid(),
            },
            Change::Everything => Self::More,
        }
    }
}

/// What an entry asks the reader to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Show a change.
    Show(Change),
    /// Plan, and look at daemons.
    JobsChanged,
    /// Look at an agent.
    AgentChanged(AgentId),
    /// Take runs back.
    Revoke(AgentId, Vec<RunId>, Reason),
    /// Kill a run.
    Kill(AgentId, RunId),
    /// Offers may be started.
    Go(AgentId, Vec<RunId>),
    /// Stop a run: a later one takes its place.
    Replace(AgentId, RunId),
    /// Restart processes.
    RestartSlots(JobId, Option<AgentId>, Option<u32>),
}

impl Told {
    /// What it asks for; `None` if it uses words that this center does not know.
    pub(crate) fn heard(self) -> Option<Heard> {
        Some(match self {
            Self::Job { job, group } => Heard::Show(Change::Job {
                job: JobId::from_uuid(job),
                group: GroupId::from_uuid(group),
            }),
            Self::Run {
                run,
                job,
                group,
                agent,
                state,
                outcome,
            } => Heard::Show(Change::Run {
                run: RunId::from_uuid(run),
                job: JobId::from_uuid(job),
                group: GroupId::from_uuid(group),
                agent: AgentId::from_uuid(agent),
                state: run_state(&state, outcome.as_deref())?,
            }),
            Self::Slot {
                job,
                group,
                agent,
                index,
                state,
            } => Heard::Show(Change::Slot {
                job: JobId::from_uuid(job),
                group: GroupId::from_uuid(group),
                agent: AgentId::from_uuid(agent),
                index,
                state: SlotState::from_word(&state)?,
            }),
            Self::Agent {
                agent,
                groups,
                is_online,
            } => Heard::Show(Change::Agent {
                agent: AgentId::from_uuid(agent),
                groups: groups.into_iter().map(GroupId::from_uuid).collect(),
                is_online,
            }),
            Self::Group { group } => Heard::Show(Change::Group {
                group: GroupId::from_uuid(group),
            }),
            Self::More => Heard::Show(Change::Everything),
            Self::JobsChanged => Heard::JobsChanged,
            Self::AgentChanged { agent } => Heard::AgentChanged(AgentId::from_uuid(agent)),
            Self::Revoke {
                agent,
                runs,
                reason,
            } => Heard::Revoke(
                AgentId::from_uuid(agent),
                runs.into_iter().map(RunId::from_uuid).collect(),
                Reason::from_word(&reason)?,
            ),
            Self::Kill { agent, run } => {
                Heard::Kill(AgentId::from_uuid(agent), RunId::from_uuid(run))
            }
            Self::Go { agent, runs } => Heard::Go(
                AgentId::from_uuid(agent),
                runs.into_iter().map(RunId::from_uuid).collect(),
            ),
            Self::Replace { agent, run } => {
                Heard::Replace(AgentId::from_uuid(agent), RunId::from_uuid(run))
            }
            Self::RestartSlots { job, agent, index } => {
                Heard::RestartSlots(JobId::from_uuid(job), agent.map(AgentId::from_uuid), index)
            }
        })
    }
}

fn run_state(state: &str, outcome: Option<&str>) -> Option<RunState> {
    if let Some(outcome) = outcome {
        return Outcome::from_word(outcome).map(RunState::Ended);
    }
    [
        RunState::Planned,
        RunState::Offered,
        RunState::Dispatched,
        RunState::Accepted,
        RunState::Running,
    ]
    .into_iter()
    .find(|known| known.word() == state)
}

/// Writes entries into as many bodies of at most `max_bytes` as they need.
pub(crate) fn write(entries: &[Told], max_bytes: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut body = String::new();
    for entry in entries {
        let Ok(text) = serde_json::to_string(entry) else {
            continue;
        };
        if text.len() + 2 > max_bytes {
            continue;
        }
        if !body.is_empty() && body.len() + text.len() + 2 > max_bytes {
            body.push(']');
            bodies.push(std::mem::take(&mut body));
        }
        body.push(if body.is_empty() { '[' } else { ',' });
        body.push_str(&text);
    }
    if !body.is_empty() {
        body.push(']');
        bodies.push(body);
    }
    bodies
}

/// Reads a body.
pub(crate) fn read(body: &str) -> Vec<Heard> {
    let entries: Vec<Value> = serde_json::from_str(body).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|entry| serde_json::from_value::<Told>(entry).ok())
        .filter_map(Told::heard)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_through_as_they_are() {
        let (job, group, agent) = (
            JobId::from_u128(1),
            GroupId::from_u128(2),
            AgentId::from_u128(3),
        );
        let run = |state| Change::Run {
            run: RunId::from_u128(4),
            job,
            group,
            agent,
            state,
        };
        let changes = [
            Change::Job { job, group },
            run(RunState::Dispatched),
            run(RunState::Ended(Outcome::TimedOut)),
            Change::Slot {
                job,
                group,
                agent,
                index: 5,
                state: SlotState::CrashLoop,
            },
            Change::Agent {
                agent,
                groups: vec![group],
                is_online: true,
            },
            Change::Group { group },
            Change::Everything,
        ];
        let told: Vec<Told> = changes.iter().map(Told::from).collect();
        let bodies = write(&told, 300);
        assert!(bodies.len() > 1 && bodies.iter().all(|body| body.len() <= 300));
        let heard: Vec<Heard> = bodies.iter().flat_map(|body| read(body)).collect();
        assert_eq!(heard, changes.map(Heard::Show));
    }

    #[test]
    fn what_is_not_understood_is_left_out_alone() {
        let body = r#"[{"is":"from the future","x":1},{"is":"jobs_changed"},
            {"is":"revoke","agent":"00000000-0000-0000-0000-000000000001","runs":[],"reason":"a new one"}]"#;
        assert_eq!(read(body), [Heard::JobsChanged]);
        assert_eq!(read("nonsense"), []);
    }
}
