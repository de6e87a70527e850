//! What goes wrong, and the end of it.

use crate::swarm::Fault;
use crate::time::{Micros, SECOND};
use crate::world::{Event, TroubleKind, World};

impl World {
    pub(crate) fn strike(&mut self, fault: Fault) {
        self.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::CenterCrash { center, down } => self.crash_center(center, down),
            Fault::CenterStop { center, down } => self.stop_center(center, down),
            Fault::CenterFreeze {
                center,
                with_plan: true,
                length,
            } => self.centers[center].freeze_with_plan = Some(length),
            Fault::CenterFreeze { center, length, .. } => self.freeze_center(center, length),
            Fault::ClockStep { center, by } => self.centers[center].clock_error += by,
            Fault::DatabaseDown { length } => {
                let until = (self.now + length).min(self.swarm.heal_at);
                self.db.down_until = self.db.down_until.max(until);
                self.planning_trouble(until - self.now);
                for agent in 0..self.agents.len() {
                    self.trouble(
                        TroubleKind::Offline,
                        Some(agent),
                        until - self.now + 5 * SECOND,
                    );
                }
            }
            Fault::CommitCrash {
                center,
                commit,
                is_after,
                down,
            } => {
                self.centers[center].crash_at_commit = Some((commit, is_after, down));
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

    /// A center dies; it is started again after a while.
    pub(crate) fn crash_center(&mut self, center: usize, down: Micros) {
        if !self.centers[center].is_up {
            return;
        }
        self.note(|| format!("center {center}: dies"));
        self.centers[center].die();
        let down = self.recovery_time(down);
        self.planning_trouble(down);
        self.leave_agents(center, down);
        self.after(down, Event::CenterUp { center });
    }

    /// A center hands over and ends; it is started again after a while.
    fn stop_center(&mut self, center: usize, down: Micros) {
        if !self.centers[center].is_up || self.centers[center].frozen_until > self.now {
            return;
        }
        self.note(|| format!("center {center}: stops"));
        self.resign(center);
        self.crash_center(center, down);
    }

    /// A center stands still, and its agents hear nothing of it.
    pub(crate) fn freeze_center(&mut self, center: usize, length: Micros) {
        let until = (self.now + length).min(self.swarm.heal_at);
        self.centers[center].frozen_until = until;
        self.planning_trouble(until - self.now);
        self.leave_agents(center, until - self.now);
    }

    /// The agents of a center have to look for another one.
    fn leave_agents(&mut self, center: usize, length: Micros) {
        for agent in 0..self.agents.len() {
            if self.links[agent].center == center {
                self.trouble(TroubleKind::Offline, Some(agent), length + 5 * SECOND);
                self.cut(agent);
            }
        }
    }

    /// For so long, and until somebody has taken over, perhaps nobody plans.
    pub(crate) fn planning_trouble(&mut self, length: Micros) {
        self.trouble(TroubleKind::CenterDown, None, length + 13 * SECOND);
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
        for center in &mut self.centers {
            center.crash_at_commit = None;
            center.freeze_with_plan = None;
        }
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
