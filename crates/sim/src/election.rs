//! Which center plans: the product's elector at each center, and the lease in the database.

use cronfleet_core::elector::{Act, Elector, Heard, LEASE_TTL};
use cronfleet_core::plan::PlannedRun;
use cronfleet_core::run::{Cause, RunKey};
use jiff::Timestamp;

use crate::database::{Change, Lease, Row};
use crate::mutant::Mutant;
use crate::swarm::Commit;
use crate::time::{MS, Micros, SECOND, duration, span};
use crate::world::{Event, World};

/// After so long without an answer the elector hears of a failure.
const ANSWER_WAIT: Micros = 3 * SECOND;

impl World {
    /// The term in which a center plans at this moment, as it believes itself.
    pub(crate) fn planning_epoch(&self, center: usize) -> Option<u64> {
        match self.centers[center].elector {
            Elector::Leading { epoch, .. } if self.is(Mutant::TrustsItself) => Some(epoch),
            elector => elector.epoch(duration(self.now)),
        }
    }

    /// The time by which a planner goes.
    pub(crate) fn planner_now(&self, center: usize) -> Timestamp {
        if self.is(Mutant::PlansByOwnClock) {
            crate::time::timestamp(self.now + self.centers[center].clock_error)
        } else {
            self.center_now()
        }
    }

    /// Does what a center's elector asks for now.
    pub(crate) fn election(&mut self, center: usize, life: u32) {
        if !self.is_alive(center, life) {
            return;
        }
        let (elector, act) = self.centers[center].elector.act(duration(self.now));
        let is_kept = self.is(Mutant::TrustsItself)
            && matches!(self.centers[center].elector, Elector::Leading { .. });
        if !is_kept {
            self.centers[center].elector = elector;
        }
        self.look_for_rivals();
        match act {
            Act::Wait { until } => self.at(span(until), Event::Election { center, life }),
            Act::Take | Act::Renew { .. } | Act::Resign { .. } => {
                let asked = self.now;
                let wait = self.way_to_database(15 * SECOND);
                self.after(
                    wait,
                    Event::LeaseAsked {
                        center,
                        life,
                        act,
                        asked,
                    },
                );
                if wait > ANSWER_WAIT {
                    self.hears(center, life, Heard::Failed, asked, ANSWER_WAIT);
                }
            }
            Act::Finish => {}
        }
    }

    /// How long it takes until something reaches the database: now and then up to `slowest`.
    pub(crate) fn way_to_database(&mut self, slowest: Micros) -> Micros {
        let is_slow = !self.is_healed() && !self.swarm.are_centers_well && self.rng.chance(0.05);
        if !is_slow {
            return self.rng.range(MS / 10, 10 * MS);
        }
        let wait = self.rng.range(MS / 10, slowest);
        self.planning_trouble(wait);
        wait
    }

    /// A question is in the database, whether or not anybody waits for the answer any more.
    pub(crate) fn lease_asked(&mut self, center: usize, life: u32, act: Act, asked: Micros) {
        let is_late = self.now - asked > ANSWER_WAIT;
        if !self.has_database() {
            if !is_late {
                self.hears(center, life, Heard::Failed, asked, ANSWER_WAIT);
            }
            return;
        }
        let heard = match act {
            Act::Take => self.take_lease(center, life),
            Act::Renew { epoch } => self.renew_lease(center, life, epoch),
            Act::Resign { .. } | Act::Wait { .. } | Act::Finish => return,
        };
        if self.is_alive(center, life) && !is_late {
            let wait = self.rng.range(MS / 10, 10 * MS);
            self.hears(center, life, heard, asked, wait);
        }
    }

    fn hears(&mut self, center: usize, life: u32, heard: Heard, asked: Micros, wait: Micros) {
        self.after(
            wait,
            Event::LeaseHeard {
                center,
                life,
                heard,
                asked,
            },
        );
    }

    pub(crate) fn lease_heard(&mut self, center: usize, life: u32, heard: Heard, asked: Micros) {
        if !self.is_alive(center, life) {
            return;
        }
        let before = self.planning_epoch(center);
        let elector = self.centers[center].elector;
        self.centers[center].elector = elector.hear(heard, duration(asked), duration(self.now));
        let epoch = self.planning_epoch(center);
        if epoch != before {
            self.note(|| format!("center {center}: plans in term {epoch:?}"));
        }
        if epoch.is_some() && before.is_none() && self.is(Mutant::ForceRunAtFailover) {
            self.force_runs(center);
        }
        self.election(center, life);
    }

    fn take_lease(&mut self, center: usize, life: u32) -> Heard {
        let lease = self.db.lease;
        let by_own_clock = self.now + self.centers[center].clock_error;
        let now = if self.is(Mutant::LeaseByOwnClock) {
            by_own_clock
        } else {
            self.now
        };
        if lease.expires_at > now {
            return Heard::Held;
        }
        let epoch = lease.epoch + 1;
        let taken = Lease {
            holder: Some((center, life)),
            epoch,
            expires_at: self.now + span(LEASE_TTL),
        };
        if self.commit(center, Commit::Lease, vec![Change::Lease(taken)]) {
            Heard::Taken { epoch }
        } else {
            Heard::Failed
        }
    }

    fn renew_lease(&mut self, center: usize, life: u32, epoch: u64) -> Heard {
        if !self.holds_lease(center, life, epoch) {
            return Heard::Lost;
        }
        let renewed = Lease {
            expires_at: self.now + span(LEASE_TTL),
            ..self.db.lease
        };
        if self.commit(center, Commit::Lease, vec![Change::Lease(renewed)]) {
            Heard::Renewed
        } else {
            Heard::Failed
        }
    }

    /// A center that stops gives its term back, if the database answers.
    pub(crate) fn resign(&mut self, center: usize) {
        let life = self.centers[center].life;
        let elector = self.centers[center].elector;
        let stopped = elector.hear(Heard::Stop, duration(self.now), duration(self.now));
        let (over, act) = stopped.act(duration(self.now));
        self.centers[center].elector = over;
        let Act::Resign { epoch } = act else {
            return;
        };
        if self.has_database() && self.holds_lease(center, life, epoch) {
            let epoch = if self.is(Mutant::ResignResetsEpoch) {
                0
            } else {
                epoch
            };
            let resigned = Lease {
                epoch,
                expires_at: 0,
                ..self.db.lease
            };
            self.db.apply(vec![Change::Lease(resigned)]);
        }
    }

    fn holds_lease(&self, center: usize, life: u32, epoch: u64) -> bool {
        let lease = self.db.lease;
        lease.holder == Some((center, life)) && lease.epoch == epoch && lease.expires_at > self.now
    }

    /// The first statement of every transaction of a planner.
    pub(crate) fn passes_fence(&mut self, center: usize, epoch: u64) -> bool {
        let life = self.centers[center].life;
        let passes = self.holds_lease(center, life, epoch) || self.is(Mutant::NoFence);
        if passes {
            self.db.fenced.push((epoch, (center, life)));
        } else {
            self.note(|| format!("center {center}: term {epoch} is over, nothing is planned"));
        }
        passes
    }

    /// At most one center may believe that it plans. One that stands still believes nothing.
    fn look_for_rivals(&mut self) {
        let believers = (0..self.centers.len())
            .filter(|center| self.centers[*center].answers(self.now))
            .filter(|center| self.planning_epoch(*center).is_some())
            .count();
        if believers > 1 {
            self.rivalries.push(self.now);
        }
    }

    /// A mistake: whoever takes over runs everything at once.
    fn force_runs(&mut self, center: usize) {
        let now = self.center_now();
        let mut changes = Vec::new();
        for (job, row) in &self.db.jobs {
            let draw = &row.current().0;
            for agent in &draw.agents {
                let key = RunKey {
                    job: *job,
                    job_version: row.version(),
                    due: now,
                    agent: *agent,
                    copy: 0,
                    attempt: 1,
                    trigger: String::new(),
                };
                let planned =
                    PlannedRun::new(key, draw.copies, Cause::Schedule, now, draw.start_deadline);
                changes.push(Change::Insert(Box::new(Row::new(planned, now))));
            }
        }
        self.commit(center, Commit::Plan, changes);
    }
}
