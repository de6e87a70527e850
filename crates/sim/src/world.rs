//! The world: time, the event queue, the network, and everything that happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use cronfleet_core::elector::{Act, Heard};
use cronfleet_core::id::{AgentId, JobId, RunId};
use cronfleet_core::order::{Claim, Order, StopCause};
use cronfleet_core::order_book::Input;
use cronfleet_core::run::Reason;
use cronfleet_core::run_limits::RunLimits;
use jiff::Timestamp;

use crate::Options;
use crate::agent::Agent;
use crate::center::{Center, Draft};
use crate::database::Database;
use crate::host::{Host, HostStep};
use crate::mutant::Mutant;
use crate::rng::Rng;
use crate::swarm::{Fault, JobDraw, Op, Swarm};
use crate::time::{MS, Micros, SECOND, span, timestamp};

/// Something that is going to happen. What belongs to a life of a node carries its number, and is nothing to a later life.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Op(Op),
    Fault(Fault),
    /// Nothing goes wrong any more.
    Heal,
    CenterUp {
        center: usize,
    },
    /// A center's elector is looked at.
    Election {
        center: usize,
        life: u32,
    },
    /// A question about the lease reaches the database.
    LeaseAsked {
        center: usize,
        life: u32,
        act: Act,
        asked: Micros,
    },
    LeaseHeard {
        center: usize,
        life: u32,
        heard: Heard,
        asked: Micros,
    },
    PlannerRound {
        center: usize,
        life: u32,
    },
    /// What a planner has decided reaches the database.
    PlanSent {
        center: usize,
        life: u32,
        draft: Draft,
    },
    Review {
        center: usize,
        life: u32,
    },
    /// A center looks at offers.
    Offers {
        center: usize,
        life: u32,
    },
    /// A center learns from another one that an agent should be told something.
    Hint {
        center: usize,
        agent: usize,
        message: ToAgent,
    },
    Connect {
        agent: usize,
        life: u32,
    },
    ToCenter {
        agent: usize,
        epoch: u64,
        message: ToCenter,
    },
    ToAgent {
        agent: usize,
        epoch: u64,
        message: ToAgent,
    },
    /// A center finds out that a session is dead.
    DeadToCenter {
        center: usize,
        agent: usize,
        epoch: u64,
    },
    /// The agent finds out that a session is dead.
    DeadToAgent {
        agent: usize,
        epoch: u64,
    },
    AgentUp {
        agent: usize,
    },
    AgentWake {
        agent: usize,
        life: u32,
        token: u64,
    },
    /// The ledger is on the disk up to this length.
    Synced {
        agent: usize,
        life: u32,
        len: usize,
    },
    Host {
        agent: usize,
        boot: u32,
        run: RunId,
        folder: u64,
        step: HostStep,
    },
    /// The host tells its agent.
    Tell {
        agent: usize,
        life: u32,
        input: Input,
    },
}

/// What an agent sends.
#[derive(Debug, Clone)]
pub(crate) enum ToCenter {
    Claims {
        sequence: u64,
        claims: Vec<(RunId, Claim)>,
    },
}

/// What a center sends.
#[derive(Debug, Clone)]
pub(crate) enum ToAgent {
    Welcome(RunLimits),
    Orders(Vec<Arc<Order>>),
    Revoke { run: RunId, reason: Reason },
    Go(RunId),
    Kill { run: RunId, cause: StopCause },
    Inquiry(RunId),
    Ack(u64),
}

/// The connection of an agent to a center.
#[derive(Debug, Clone, Default)]
pub(crate) struct Link {
    pub(crate) epoch: u64,
    /// Which center, or where the agent looks next.
    pub(crate) center: usize,
    /// Nothing can be sent any more; what is on its way still arrives.
    pub(crate) is_cut: bool,
    pub(crate) partitioned_until: Micros,
    last_to_center: Micros,
    last_to_agent: Micros,
}

/// What a command leaves behind by itself: evidence that rests on nobody's word.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) agent: AgentId,
    pub(crate) start: Micros,
    /// When it ended by itself, and with which exit status.
    pub(crate) end: Option<(Micros, i32)>,
    /// When it was ended by others.
    pub(crate) killed: Option<Micros>,
}

impl Stamp {
    /// Until when it was alive.
    pub(crate) fn alive_until(&self) -> Micros {
        self.end
            .map(|(at, _)| at)
            .or(self.killed)
            .unwrap_or(Micros::MAX)
    }
}

/// What is recorded for the checker: which version of a job was in force from when on (`None`: paused).
#[derive(Debug, Clone)]
pub(crate) struct Reign {
    pub(crate) job: JobId,
    pub(crate) from: Timestamp,
    pub(crate) version: Option<(u32, JobDraw)>,
}

/// A fault that happened, until it was over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    /// Which agent; `None` for a center, or all of them.
    pub(crate) agent: Option<usize>,
    pub(crate) from: Micros,
    pub(crate) to: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    CenterDown,
    Offline,
    AgentDown,
    Reboot,
    DiskFull,
    ShimCrash,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) swarm: Swarm,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) rng: Rng,
    pub(crate) now: Micros,
    queue: BTreeMap<(Micros, u64), Event>,
    sequence: u64,
    pub(crate) db: Database,
    pub(crate) centers: Vec<Center>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) links: Vec<Link>,
    pub(crate) stamps: BTreeMap<RunId, Vec<Stamp>>,
    /// When commands got the word to go, for what may never have come of it.
    pub(crate) released: BTreeMap<RunId, Vec<Micros>>,
    pub(crate) reigns: Vec<Reign>,
    pub(crate) troubles: Vec<Trouble>,
    /// When two centers believed that they plan.
    pub(crate) rivalries: Vec<Micros>,
    pub(crate) log: Option<Vec<String>>,
    pub(crate) event_count: u64,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let drawn = Swarm::draw(&mut rng);
        let swarm = match options.apart {
            Some(length) => drawn.apart(span(length)),
            None => drawn,
        };
        let agents: Vec<Agent> = swarm.agents.iter().map(|id| Agent::new(*id)).collect();
        let hosts = (0..agents.len()).map(|_| Host::new()).collect();
        let centers = (0..swarm.centers).map(|_| Center::new()).collect();
        let links = vec![Link::default(); agents.len()];
        let mut world = Self {
            swarm,
            mutant: options.mutant,
            rng,
            now: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            db: Database::default(),
            centers,
            agents,
            hosts,
            links,
            stamps: BTreeMap::new(),
            released: BTreeMap::new(),
            reigns: Vec::new(),
            troubles: Vec::new(),
            rivalries: Vec::new(),
            log: options.is_logged.then(Vec::new),
            event_count: 0,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for (job, draw) in self.swarm.jobs.clone() {
            self.create_job(job, draw);
        }
        for center in 0..self.centers.len() {
            self.at(0, Event::CenterUp { center });
        }
        for agent in 0..self.agents.len() {
            self.at(self.now, Event::AgentUp { agent });
        }
        for (at, op) in self.swarm.ops.clone() {
            self.at(at, Event::Op(op));
        }
        for (at, fault) in self.swarm.faults.clone() {
            self.at(at, Event::Fault(fault));
        }
        let heal_at = self.swarm.heal_at;
        self.at(heal_at, Event::Heal);
        for job in 0..self.swarm.jobs.len() {
            self.at(self.swarm.check_until, Event::Op(Op::Pause { job }));
        }
    }

    /// Runs until the end.
    pub(crate) fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.swarm.end {
                break;
            }
            self.now = self.now.max(at);
            self.event_count += 1;
            match self.frozen_until(&event) {
                Some(thaw) => self.at(thaw, event),
                None => self.happen(event),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Op(op) => self.operate(op),
            Event::Fault(fault) => self.strike(fault),
            Event::Heal => self.heal(),
            Event::CenterUp { center } => self.center_up(center),
            Event::Election { center, life } => self.election(center, life),
            Event::LeaseAsked {
                center,
                life,
                act,
                asked,
            } => self.lease_asked(center, life, act, asked),
            Event::LeaseHeard {
                center,
                life,
                heard,
                asked,
            } => self.lease_heard(center, life, heard, asked),
            Event::PlannerRound { center, life } => self.planner_round(center, life),
            Event::PlanSent {
                center,
                life,
                draft,
            } => self.plan_sent(center, life, draft),
            Event::Review { center, life } => self.review(center, life),
            Event::Offers { center, life } => self.offers_round(center, life),
            Event::Hint {
                center,
                agent,
                message,
            } => self.send_to_agent(center, agent, message),
            Event::Connect { agent, life } => self.connect(agent, life),
            Event::ToCenter {
                agent,
                epoch,
                message,
            } => {
                if self.gets_through(agent, epoch) {
                    let center = self.links[agent].center;
                    self.center_receives(center, agent, epoch, message);
                }
            }
            Event::ToAgent {
                agent,
                epoch,
                message,
            } => {
                if self.gets_through(agent, epoch) {
                    self.agent_receives(agent, epoch, message);
                }
            }
            Event::DeadToCenter {
                center,
                agent,
                epoch,
            } => self.center_loses(center, agent, epoch),
            Event::DeadToAgent { agent, epoch } => self.agent_loses(agent, epoch),
            Event::AgentUp { agent } => self.agent_up(agent),
            Event::AgentWake { agent, life, token } => self.agent_wakes(agent, life, token),
            Event::Synced { agent, life, len } => self.ledger_synced(agent, life, len),
            Event::Host {
                agent,
                boot,
                run,
                folder,
                step,
            } => self.host_step(agent, boot, run, folder, step),
            Event::Tell { agent, life, input } => self.agent_is_told(agent, life, input),
        }
    }

    pub(crate) fn at(&mut self, at: Micros, event: Event) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), event);
    }

    pub(crate) fn after(&mut self, wait: Micros, event: Event) {
        self.at(self.now.saturating_add(wait), event);
    }

    /// Until when the center that an event is about stands still, if it does.
    fn frozen_until(&self, event: &Event) -> Option<Micros> {
        let center = match event {
            Event::Election { center, .. }
            | Event::LeaseHeard { center, .. }
            | Event::PlannerRound { center, .. }
            | Event::PlanSent { center, .. }
            | Event::Review { center, .. }
            | Event::Offers { center, .. }
            | Event::Hint { center, .. }
            | Event::DeadToCenter { center, .. } => *center,
            Event::ToCenter { agent, .. } => self.links[*agent].center,
            _ => return None,
        };
        Some(self.centers[center].frozen_until).filter(|thaw| *thaw > self.now)
    }

    /// What the database's clock shows, by which all centers go.
    pub(crate) fn center_now(&self) -> Timestamp {
        timestamp(self.now)
    }

    /// Notes what happens, if somebody reads it.
    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!(
                "{:>12.6} {}",
                self.now as f64 / SECOND as f64,
                text()
            ));
        }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn trouble(&mut self, kind: TroubleKind, agent: Option<usize>, length: Micros) {
        let (from, to) = (self.now, self.now.saturating_add(length));
        self.troubles.push(Trouble {
            kind,
            agent,
            from,
            to,
        });
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.now >= self.swarm.heal_at
    }

    fn gets_through(&self, agent: usize, epoch: u64) -> bool {
        let link = &self.links[agent];
        link.epoch == epoch && link.partitioned_until <= self.now
    }

    pub(crate) fn send_to_center(&mut self, agent: usize, message: ToCenter) {
        if let Some(epoch) = self.agents[agent].session
            && self.leaves(agent, epoch)
        {
            let at = self.arrival(agent, true);
            self.duplicate(agent, || Event::ToCenter {
                agent,
                epoch,
                message: message.clone(),
            });
            self.at(
                at,
                Event::ToCenter {
                    agent,
                    epoch,
                    message,
                },
            );
        }
    }

    /// Tells whichever center has the agent's session, which may take time or come to nothing, to tell the agent something.
    pub(crate) fn hint(&mut self, from: usize, agent: usize, message: ToAgent) {
        let center = self.links[agent].center;
        if center == from {
            self.send_to_agent(center, agent, message);
        } else if self.is_healed() || self.rng.chance(0.8) {
            let wait = self.rng.range(MS, 1_500 * MS);
            self.after(
                wait,
                Event::Hint {
                    center,
                    agent,
                    message,
                },
            );
        }
    }

    pub(crate) fn send_to_agent(&mut self, center: usize, agent: usize, message: ToAgent) {
        if let Some(epoch) = self.centers[center].sessions.get(&agent).copied()
            && (matches!(message, ToAgent::Welcome(_)) || self.leaves(agent, epoch))
        {
            let at = self.arrival(agent, false);
            self.duplicate(agent, || Event::ToAgent {
                agent,
                epoch,
                message: message.clone(),
            });
            self.at(
                at,
                Event::ToAgent {
                    agent,
                    epoch,
                    message,
                },
            );
        }
    }

    /// Whether a message leaves its sender. One that does not ends a session that behaves like a stream.
    fn leaves(&mut self, agent: usize, epoch: u64) -> bool {
        let link = &self.links[agent];
        if link.epoch != epoch || link.is_cut {
            return false;
        }
        let is_lost = link.partitioned_until > self.now
            || (!self.is_healed() && self.rng.chance(self.swarm.drop_chance));
        if is_lost && self.swarm.is_stream {
            self.cut(agent);
        }
        !is_lost
    }

    fn arrival(&mut self, agent: usize, is_to_center: bool) -> Micros {
        let (min, max) = self.swarm.delay;
        let at = self.now + self.rng.range(min, max);
        let is_ordered = self.swarm.is_stream || self.is_healed();
        let link = &mut self.links[agent];
        let last = if is_to_center {
            &mut link.last_to_center
        } else {
            &mut link.last_to_agent
        };
        *last = at.max(*last);
        if is_ordered { *last } else { at }
    }

    fn duplicate(&mut self, agent: usize, event: impl FnOnce() -> Event) {
        if !self.is_healed() && self.rng.chance(self.swarm.duplicate_chance) {
            let at = self.arrival(agent, true) + self.rng.range(0, 5 * SECOND);
            self.at(at, event());
        }
    }

    /// Nothing can be sent any more in the session; both ends find out in their own time.
    pub(crate) fn cut(&mut self, agent: usize) {
        let link = &mut self.links[agent];
        if link.is_cut || link.epoch == 0 {
            return;
        }
        link.is_cut = true;
        let (epoch, center) = (link.epoch, link.center);
        self.note(|| format!("agent {agent}: session {epoch} is cut"));
        let (there, here) = (
            self.rng.range(5 * MS, 3 * SECOND),
            self.rng.range(5 * MS, 3 * SECOND),
        );
        self.after(
            there,
            Event::DeadToCenter {
                center,
                agent,
                epoch,
            },
        );
        self.after(here, Event::DeadToAgent { agent, epoch });
    }

    /// Sets up a session, if there is somebody to talk to.
    fn connect(&mut self, agent: usize, life: u32) {
        let node = &self.agents[agent];
        if !node.is_up || node.life != life || node.session.is_some() {
            return;
        }
        // Whoever dials anew has given up a session of which nothing was heard.
        self.cut(agent);
        let center = self.links[agent].center;
        let is_reachable = self.centers[center].answers(self.now)
            && self.links[agent].partitioned_until <= self.now;
        let is_open = is_reachable && self.open_session(center, agent);
        if !is_open {
            self.links[agent].center = (center + 1) % self.centers.len();
        }
        // A session of which nothing is heard is given up.
        let patience = if is_open { 4 * SECOND } else { 0 };
        let wait = patience + self.rng.range(200 * MS, 1_500 * MS);
        self.after(wait, Event::Connect { agent, life });
    }

    pub(crate) fn agent_index(&self, id: AgentId) -> Option<usize> {
        self.agents.iter().position(|agent| agent.id == id)
    }
}
