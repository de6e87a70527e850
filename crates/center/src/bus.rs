//! What changed, told to everybody who watches: event streams, live output.
//!
//! Hints only: whoever misses one reads the store. A slow watcher loses events and is told so.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId, RunId};
use cronfleet_core::order::SlotState;
use cronfleet_core::run::RunState;
use tokio::sync::broadcast;

use crate::relay::{Relay, Told};

/// Changes kept for a watcher that is busy.
const CHANGES_MAX: usize = 4_096;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A job was created, saved, paused, resumed or deleted.
    Job {
        /// Job.
        job: JobId,
        /// Owning group.
        group: GroupId,
    },
    /// A run moved.
    Run {
        /// Run.
        run: RunId,
        /// Job.
        job: JobId,
        /// Owning group.
        group: GroupId,
        /// Agent.
        agent: AgentId,
        /// Where it is now.
        state: RunState,
    },
    /// A slot changed state.
    Slot {
        /// Job.
        job: JobId,
        /// Owning group.
        group: GroupId,
        /// Agent.
        agent: AgentId,
        /// Index.
        index: u32,
        /// State now.
        state: SlotState,
    },
    /// An agent joined, came, went, or was changed.
    Agent {
        /// Agent.
        agent: AgentId,
        /// Groups it serves.
        groups: Vec<GroupId>,
        /// Whether it has a live session.
        is_online: bool,
    },
    /// A group or its members changed.
    Group {
        /// Group.
        group: GroupId,
    },
    /// More changed than could be told: everything shown is to be read again.
    Everything,
}

impl Change {
    /// Whether somebody with this reach may know of it.
    pub fn is_within(&self, reach: &Reach) -> bool {
        match self {
            Self::Everything => true,
            Self::Job { group, .. }
            | Self::Run { group, .. }
            | Self::Slot { group, .. }
            | Self::Group { group } => reach.includes(*group),
            Self::Agent { groups, .. } => {
                *reach == Reach::Everything || groups.iter().any(|group| reach.includes(*group))
            }
        }
    }
}

/// The bus. Clones share it.
#[derive(Debug, Clone)]
pub struct EventBus {
    changes: broadcast::Sender<Change>,
    output: broadcast::Sender<LifeId>,
    relay: Relay,
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            changes: broadcast::channel(CHANGES_MAX).0,
            output: broadcast::channel(CHANGES_MAX).0,
            relay: Relay::default(),
        }
    }
}

impl EventBus {
    /// A bus that other centers hear of.
    pub(crate) fn with(relay: Relay) -> Self {
        Self {
            relay,
            ..Self::default()
        }
    }

    /// Tells a change to all who watch, here and at other centers; nobody watching is fine.
    pub fn publish(&self, change: Change) {
        self.relay.tell(|| Told::from(&change));
        self.publish_here(change);
    }

    /// Tells a change that another center has made to all who watch here.
    pub(crate) fn publish_here(&self, change: Change) {
        let _watchers = self.changes.send(change);
    }

    /// Watches changes from now on.
    pub fn watch(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Tells that a life has new output, or that its output is complete.
    pub fn publish_output(&self, life: LifeId) {
        let _watchers = self.output.send(life);
    }

    /// Watches which lives have new output from now on.
    pub fn watch_output(&self) -> broadcast::Receiver<LifeId> {
        self.output.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_only_within_reach() {
        let (mine, other) = (GroupId::from_u128(1), GroupId::from_u128(2));
        let reach = Reach::Groups(vec![mine]);
        let job = |group| Change::Job {
            job: JobId::from_u128(9),
            group,
        };
        assert!(job(mine).is_within(&reach));
        assert!(!job(other).is_within(&reach));
        let agent = |groups| Change::Agent {
            agent: AgentId::from_u128(3),
            groups,
            is_online: true,
        };
        assert!(agent(vec![other, mine]).is_within(&reach));
        assert!(!agent(vec![other]).is_within(&reach));
        assert!(
            !agent(vec![]).is_within(&reach),
            "an agent without groups is for administrators"
        );
        assert!(agent(vec![]).is_within(&Reach::Everything));
    }
}
