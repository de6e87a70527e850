//! What goes wrong, and the end of it.

use crate::swarm::Fault;
use crate::time::{Micros, SECOND};
use crate::world::{Event, TroubleKind, World};

impl World {
    pub(crate) fn strike(&mut self, fault: Fault) {
        self.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::CenterCrash { down } => self.crash_center(down),
            Fault::CommitCrash {
                commit,
                is_after,
                down,
            } => {
                self.center.crash_at_commit = Some((commit, is_after, down));
            }
            Fault::AgentCrash { agent, down } => self.crash_agent(agent, down),
            Fault::MidwayCrash {
                agent,
                effects,
                down,
            } => {
                self.agents[agent].crash_midway = Some((effects, down));
            }
            Fault::HostReboot { agent, down } => self.reboot_host(agent, down),
            Fault::Partition { agent, length } => {
                let until = (self.now + length).min(self.swarm.heal_at);
                let link = &mut self.links[agent];
                link.partitioned_until = link.partitioned_until.max(until);
                self.trouble(TroubleKind::Offline, Some(agent), until - self.now);
                // Short ones pass unnoticed where messages are not a stream.
                if self.swarm.is_stream || length > 3 * SECOND {
                    self.cut(agent);
                }
            }
            Fault::SlowHost { agent, length } => {
                self.hosts[agent].slow_until = (self.now + length).min(self.swarm.heal_at);
            }
            Fault::DiskFull { agent, length } => {
                let until = (self.now + length).min(self.swarm.heal_at);
                self.agents[agent].disk_full_until = until;
                self.trouble(TroubleKind::DiskFull, Some(agent), until - self.now);
            }
            Fault::ShimCrash { agent, luck } => self.crash_shim(agent, luck),
        }
    }

    /// The center dies; it is started again after a while.
    pub(crate) fn crash_center(&mut self, down: Micros) {
        if !self.center.is_up {
            return;
        }
        self.note(|| "center: dies".to_owned());
        self.center.die();
        let down = self.recovery_time(down);
        self.trouble(TroubleKind::CenterDown, None, down);
        for agent in 0..self.agents.len() {
            self.trouble(TroubleKind::Offline, Some(agent), down + 5 * SECOND);
            self.cut(agent);
        }
        self.after(down, Event::CenterUp);
    }

    /// The agent dies; what it started lives on.
    pub(crate) fn crash_agent(&mut self, agent: usize, down: Micros) {
        if !self.agents[agent].is_up {
            return;
        }
        self.note(|| format!("agent {agent}: dies"));
        self.agents[agent].die();
        let down = self.recovery_time(down);
        self.trouble(TroubleKind::AgentDown, Some(agent), down);
        self.trouble(TroubleKind::Offline, Some(agent), down + 5 * SECOND);
        self.cut(agent);
        self.hosts[agent].agent_died();
        self.after(down, Event::AgentUp { agent });
    }

    /// The whole machine dies: processes, run folders, and what of the ledger had not reached the disk.
    fn reboot_host(&mut self, agent: usize, down: Micros) {
        let was_up = self.agents[agent].is_up;
        self.note(|| format!("agent {agent}: its host dies"));
        let lost = self.hosts[agent].reboot(self.now);
        for run in lost {
            if let Some(stamp) = self
                .stamps
                .get_mut(&run)
                .and_then(|stamps| stamps.last_mut())
            {
                stamp.killed = Some(self.now);
            }
        }
        self.agents[agent].die();
        self.agents[agent].lose_tail();
        let down = self.recovery_time(down);
        self.trouble(TroubleKind::Reboot, Some(agent), down);
        self.trouble(TroubleKind::Offline, Some(agent), down + 5 * SECOND);
        self.cut(agent);
        if was_up {
            self.after(down, Event::AgentUp { agent });
        }
    }

    /// Nothing is down longer than until a little after everything heals.
    fn recovery_time(&self, down: Micros) -> Micros {
        down.min((self.swarm.heal_at - self.now).max(0) + SECOND)
    }

    pub(crate) fn heal(&mut self) {
        self.note(|| "heal".to_owned());
        self.center.crash_at_commit = None;
        for agent in 0..self.agents.len() {
            self.agents[agent].crash_midway = None;
            self.links[agent].partitioned_until = 0;
            if self.swarm.drop_chance > 0.0 || !self.swarm.is_stream {
                // What was lost silently is only noticed in a new session.
                self.trouble(TroubleKind::Offline, Some(agent), 5 * SECOND);
                self.cut(agent);
            }
        }
    }
}
