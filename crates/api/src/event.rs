//! `GET /events`: server-sent events that say what changed. Each tells enough to refetch the right thing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::run::{Outcome, RunState};
use crate::slot::SlotState;

/// One change. The SSE event name is the same word as `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A job was created, saved, paused, resumed or deleted.
    Job {
        /// Job.
        id: Uuid,
        /// Owning group.
        group_id: Uuid,
    },
    /// A run moved.
    Run {
        /// Run.
        id: Uuid,
        /// Job.
        job_id: Uuid,
        /// Owning group.
        group_id: Uuid,
        /// Agent.
        agent_id: Uuid,
        /// Where it is now.
        state: RunState,
        /// How it ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
    },
    /// A slot changed state.
    Slot {
        /// Job.
        job_id: Uuid,
        /// Owning group.
        group_id: Uuid,
        /// Agent.
        agent_id: Uuid,
        /// Index.
        index: u32,
        /// State now.
        state: SlotState,
    },
    /// An agent joined, came, went, or was changed.
    Agent {
        /// Agent.
        id: Uuid,
        /// Whether it has a live session.
        is_online: bool,
    },
    /// A group or its members changed.
    Group {
        /// Group.
        id: Uuid,
    },
    /// The stream could not keep up and left out events: refetch what is shown.
    Resync,
}
