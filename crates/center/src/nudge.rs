//! Nudges: whoever commits something that the planner or an agent's session should act on says so here.
//!
//! A nudge only speeds things up. The planner and every session also look into the store on their own timers, so a nudge that
//! is lost (a full queue, a crash after the commit) costs time, never correctness.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::run::Reason;
use cronfleet_store::Revocation;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::relay::{Heard, Relay, Told};

/// Nudges kept for a session that is busy; more are dropped (the session looks into the store anyway).
const NUDGES_MAX: usize = 256;

/// What a session is nudged to do for its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nudge {
    /// Runs were planned: hand them out.
    RunsPlanned,
    /// Take back runs that were handed out.
    Revoke {
        /// Which.
        runs: Vec<RunId>,
        /// Why.
        reason: Reason,
    },
    /// Kill a run.
    Kill {
        /// Which.
        run: RunId,
    },
    /// Give offers the word.
    Go {
        /// Which.
        runs: Vec<RunId>,
    },
    /// Stop a run: a later one takes its place.
    Replace {
        /// Which.
        run: RunId,
    },
    /// Restart the processes of a daemon job.
    RestartSlots {
        /// Job.
        job: JobId,
        /// Only this slot.
        index: Option<u32>,
    },
    /// The daemon jobs wanted on this agent may have changed.
    Daemons,
    /// The agent was approved, revoked, or its groups changed.
    Agent,
}

/// One live session of an agent at this center.
#[derive(Debug)]
struct Live {
    session_epoch: u64,
    nudges: mpsc::Sender<Nudge>,
    cut: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    planner: Notify,
    offers: Notify,
    sessions: RwLock<HashMap<AgentId, Live>>,
}

/// Where nudges are given: to the sessions of this center at once, to those of other centers as hints. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Nudges {
    shared: Arc<Shared>,
    relay: Relay,
}

impl Nudges {
    /// Nudges that other centers hear of.
    pub(crate) fn with(relay: Relay) -> Self {
        Self {
            relay,
            ..Self::default()
        }
    }

    /// Follows what another center has told.
    pub(crate) fn hear(&self, heard: Heard) {
        match heard {
            Heard::JobsChanged => {
                self.shared.planner.notify_one();
                self.all(&Nudge::Daemons);
            }
            Heard::AgentChanged(agent) => {
                self.shared.planner.notify_one();
                self.one(agent, Nudge::Agent);
            }
            Heard::Revoke(agent, runs, reason) => self.one(agent, Nudge::Revoke { runs, reason }),
            Heard::Kill(agent, run) => self.one(agent, Nudge::Kill { run }),
            Heard::Go(agent, runs) => self.one(agent, Nudge::Go { runs }),
            Heard::Replace(agent, run) => self.one(agent, Nudge::Replace { run }),
            Heard::RestartSlots(job, Some(agent), index) => {
                self.one(agent, Nudge::RestartSlots { job, index });
            }
            Heard::RestartSlots(job, None, index) => self.all(&Nudge::RestartSlots { job, index }),
            Heard::Show(_) => {}
        }
    }

    /// Jobs changed: plan, and let every session look at its daemons.
    pub fn jobs_changed(&self) {
        self.relay.tell(|| Told::JobsChanged);
        self.hear(Heard::JobsChanged);
    }

    /// Runs were planned for these agents. Other centers see it by looking, once a second.
    pub fn runs_planned(&self, agents: impl IntoIterator<Item = AgentId>) {
        for agent in agents {
            self.one(agent, Nudge::RunsPlanned);
        }
    }

    /// Runs that were handed out shall be taken back.
    pub fn revoke(&self, revocations: &[Revocation]) {
        let mut together: HashMap<(AgentId, Reason), Vec<RunId>> = HashMap::new();
        for Revocation { agent, run, reason } in revocations {
            together.entry((*agent, *reason)).or_default().push(*run);
        }
        for ((agent, reason), runs) in together {
            self.relay.tell(|| Told::Revoke {
                agent: agent.as_uuid(),
                runs: runs.iter().map(|run| run.as_uuid()).collect(),
                reason: reason.word().to_owned(),
            });
            self.hear(Heard::Revoke(agent, runs, reason));
        }
    }

    /// A run shall be killed.
    pub fn kill(&self, agent: AgentId, run: RunId) {
        self.relay.tell(|| Told::Kill {
            agent: agent.as_uuid(),
            run: run.as_uuid(),
        });
        self.hear(Heard::Kill(agent, run));
    }

    /// Offers got the word.
    pub(crate) fn go(&self, words: &[(AgentId, RunId)]) {
        let mut together: HashMap<AgentId, Vec<RunId>> = HashMap::new();
        for (agent, run) in words {
            together.entry(*agent).or_default().push(*run);
        }
        for (agent, runs) in together {
            self.relay.tell(|| Told::Go {
                agent: agent.as_uuid(),
                runs: runs.iter().map(|run| run.as_uuid()).collect(),
            });
            self.hear(Heard::Go(agent, runs));
        }
    }

    /// A run shall be stopped, because a later one takes its place.
    pub(crate) fn replace(&self, agent: AgentId, run: RunId) {
        self.relay.tell(|| Told::Replace {
            agent: agent.as_uuid(),
            run: run.as_uuid(),
        });
        self.hear(Heard::Replace(agent, run));
    }

    /// Something about offers may have to be decided.
    pub(crate) fn offers_changed(&self) {
        self.shared.offers.notify_one();
    }

    /// Waits until something about offers may have to be decided.
    pub(crate) async fn offers(&self) {
        self.shared.offers.notified().await;
    }

    /// Daemon processes shall be restarted, on one agent or on all.
    pub fn restart_slots(&self, job: JobId, agent: Option<AgentId>, index: Option<u32>) {
        self.relay.tell(|| Told::RestartSlots {
            job: job.as_uuid(),
            agent: agent.map(AgentId::as_uuid),
            index,
        });
        self.hear(Heard::RestartSlots(job, agent, index));
    }

    /// An agent was approved, revoked, or its groups changed.
    pub fn agent_changed(&self, agent: AgentId) {
        self.relay.tell(|| Told::AgentChanged {
            agent: agent.as_uuid(),
        });
        self.hear(Heard::AgentChanged(agent));
    }

    /// Waits until the planner is nudged.
    pub(crate) async fn planner(&self) {
        self.shared.planner.notified().await;
    }

    /// Whether the agent has a session at this center.
    pub fn is_online(&self, agent: AgentId) -> bool {
        self.sessions().contains_key(&agent)
    }

    /// The sessions at this center, with their epochs.
    pub(crate) fn here(&self) -> Vec<(AgentId, u64)> {
        let sessions = self.sessions();
        let here = sessions.iter();
        here.map(|(agent, live)| (*agent, live.session_epoch))
            .collect()
    }

    /// Cuts a session, unless the agent has another one by now: it comes back at once.
    pub(crate) fn cut(&self, agent: AgentId, session_epoch: u64) {
        let sessions = self.sessions();
        let live = sessions.get(&agent);
        if let Some(live) = live.filter(|live| live.session_epoch == session_epoch) {
            live.cut.cancel();
        }
    }

    /// Registers a session and cuts the agent's older one.
    pub(crate) fn open(&self, agent: AgentId, session_epoch: u64) -> Opened {
        let (sender, nudges) = mpsc::channel(NUDGES_MAX);
        let cut = CancellationToken::new();
        let live = Live {
            session_epoch,
            nudges: sender,
            cut: cut.clone(),
        };
        if let Some(older) = self
            .shared
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(agent, live)
        {
            older.cut.cancel();
        }
        Opened {
            nudges,
            cut,
            agent,
            session_epoch,
            registry: self.clone(),
        }
    }

    fn close(&self, agent: AgentId, session_epoch: u64) {
        let mut sessions = self
            .shared
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if sessions
            .get(&agent)
            .is_some_and(|live| live.session_epoch == session_epoch)
        {
            sessions.remove(&agent);
        }
    }

    fn one(&self, agent: AgentId, nudge: Nudge) {
        if let Some(live) = self.sessions().get(&agent) {
            let _full = live.nudges.try_send(nudge);
        }
    }

    fn all(&self, nudge: &Nudge) {
        for live in self.sessions().values() {
            let _full = live.nudges.try_send(nudge.clone());
        }
    }

    fn sessions(&self) -> std::sync::RwLockReadGuard<'_, HashMap<AgentId, Live>> {
        self.shared
            .sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registered session; leaves the register when dropped.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What the session is nudged to do.
    pub(crate) nudges: mpsc::Receiver<Nudge>,
    /// Cancelled when a newer session of the agent opens, or the database has this one for over.
    pub(crate) cut: CancellationToken,
    agent: AgentId,
    session_epoch: u64,
    registry: Nudges,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.registry.close(self.agent, self.session_epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_session_cuts_the_older_and_keeps_its_place() {
        let nudges = Nudges::default();
        let agent = AgentId::from_u128(1);
        let older = nudges.open(agent, 1);
        let mut newer = nudges.open(agent, 2);
        assert!(older.cut.is_cancelled());
        drop(older);
        assert!(
            nudges.is_online(agent),
            "the older one must not take the newer one along"
        );
        nudges.kill(agent, RunId::from_u128(7));
        assert_eq!(
            newer.nudges.recv().await,
            Some(Nudge::Kill {
                run: RunId::from_u128(7)
            })
        );
        drop(newer);
        assert!(!nudges.is_online(agent));
    }

    #[tokio::test]
    async fn only_the_session_that_is_meant_is_cut() {
        let nudges = Nudges::default();
        let agent = AgentId::from_u128(1);
        let opened = nudges.open(agent, 2);
        assert_eq!(nudges.here(), [(agent, 2)]);
        nudges.cut(agent, 1);
        assert!(!opened.cut.is_cancelled());
        nudges.cut(agent, 2);
        assert!(opened.cut.is_cancelled());
    }

    #[tokio::test]
    async fn nudging_everybody_reaches_the_planner_and_each_session() {
        let nudges = Nudges::default();
        let mut a = nudges.open(AgentId::from_u128(1), 1);
        let mut b = nudges.open(AgentId::from_u128(2), 1);
        nudges.jobs_changed();
        nudges.planner().await;
        assert_eq!(a.nudges.recv().await, Some(Nudge::Daemons));
        assert_eq!(b.nudges.recv().await, Some(Nudge::Daemons));
    }
}
