//! Towards what is wanted: starting, stopping, scaling.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Builder;

use super::book::{Draws, SlotBook, Wanted};
use super::io::SlotEffect;
use super::slot::{Life, Rest, Slot, SlotKey};
use crate::id::{JobId, ProcessId};
use crate::job::Restart;
use crate::life::{Now, StopMove, Stopping};
use crate::order::{DaemonOrder, SlotState, StopCause};
use crate::record::{LifeStarted, Record};

impl SlotBook {
    /// Takes over what the center wants.
    pub(super) fn want(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        generation: u64,
        orders: Vec<Arc<DaemonOrder>>,
        out: &mut Vec<SlotEffect>,
    ) {
        if generation <= self.generation {
            return;
        }
        let is_same = self.jobs.len() == orders.len()
            && orders
                .iter()
                .all(|order| self.wanted(order.job) == Some(order));
        if is_same {
            return;
        }
        self.generation = generation;
        let asked = self.restarts_asked(&orders);
        out.push(SlotEffect::Append(Record::DaemonsWanted {
            generation,
            orders: orders.clone(),
        }));
        self.replace_wanted(now, orders);
        for (job, index) in asked {
            self.restart(now, draws, job, index, out);
        }
        self.steer_all(now, draws, out);
    }

    /// Restarts that were asked for since these daemons were looked at last. What was not looked at before is as good as
    /// restarted.
    fn restarts_asked(&self, orders: &[Arc<DaemonOrder>]) -> Vec<(JobId, Option<u32>)> {
        let mut asked = Vec::new();
        for order in orders {
            let before = self.wanted(order.job).and_then(|old| old.restarts.as_ref());
            let (Some(before), Some(counts)) = (before, order.restarts.as_ref()) else {
                continue;
            };
            if counts.all > before.all {
                asked.push((order.job, None));
            }
            let has_grown = |(index, count): &(&u32, &u64)| {
                **count > before.slots.get(*index).copied().unwrap_or(0)
            };
            let grown = counts.slots.iter().filter(has_grown);
            asked.extend(grown.map(|(index, _)| (order.job, Some(*index))));
        }
        asked
    }

    /// Steers every job that is wanted or still has a slot.
    pub(super) fn steer_all(&mut self, now: Now, draws: Draws<'_>, out: &mut Vec<SlotEffect>) {
        let jobs: BTreeSet<JobId> = self.slots.keys().map(|(job, _)| *job).collect();
        for job in jobs {
            self.steer(now, draws, job, out);
        }
    }

    /// Puts new orders in the place of the old ones. What has changed is tried as if for the first time.
    pub(super) fn replace_wanted(&mut self, now: Now, orders: Vec<Arc<DaemonOrder>>) {
        let before = std::mem::take(&mut self.jobs);
        for order in orders {
            let wanted = Wanted::new(order);
            let job = wanted.order.job;
            let old = before.get(&job);
            let is_new_launch = old.is_some_and(|old| old.launch != wanted.launch);
            let is_new_policy = old.is_some_and(|old| old.order.policy != wanted.order.policy);
            let may_go_on = wanted.order.policy.restart == Restart::Always;
            for index in 0..wanted.order.processes {
                let slot = self
                    .slots
                    .entry((job, index))
                    .or_insert_with(|| Slot::new(now.center));
                // What is over stays over unless there is something else to run.
                let is_over = slot.life.is_none() && slot.rest == Rest::Finished && !may_go_on;
                if is_new_launch || (is_new_policy && !is_over) {
                    slot.forgive();
                }
            }
            self.jobs.insert(job, wanted);
        }
    }

    /// The agent's policy has changed: slots that it denied try again.
    pub(super) fn policy_changed(&mut self, now: Now, draws: Draws<'_>, out: &mut Vec<SlotEffect>) {
        for slot in self.slots.values_mut() {
            if slot.rest == Rest::Denied {
                slot.forgive();
            }
        }
        self.steer_all(now, draws, out);
    }

    /// Compares what is wanted of a job with what is there, and does the next things.
    pub(super) fn steer(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        job: JobId,
        out: &mut Vec<SlotEffect>,
    ) {
        if self.is_recovering {
            return;
        }
        let wanted = self.jobs.get(&job).cloned();
        let processes = wanted.as_ref().map_or(0, |wanted| wanted.order.processes);
        let keys: Vec<SlotKey> = self
            .slots
            .range((job, 0)..=(job, u32::MAX))
            .map(|(key, _)| *key)
            .collect();
        // Highest index first, so that scaling down takes from the top.
        for key in keys.iter().rev().filter(|key| key.1 >= processes) {
            if self.life(*key).is_some() {
                self.ask_to_stop(now, *key, StopCause::ScaledDown, out);
                self.show(now, *key, out);
            } else {
                self.remove_slot(*key, out);
            }
        }
        let Some(wanted) = wanted else { return };
        for key in keys.iter().filter(|key| key.1 < processes) {
            self.start_if_ready(now, draws, *key, &wanted, out);
        }
        self.replace_next(now, job, &wanted, out);
    }

    fn remove_slot(&mut self, key: SlotKey, out: &mut Vec<SlotEffect>) {
        if let Some(slot) = self.slots.remove(&key) {
            if let Some(alarm) = slot.alarm {
                self.alarms.remove(&(alarm, key));
            }
            out.push(SlotEffect::SlotGone {
                job: key.0,
                index: key.1,
            });
        }
    }

    fn start_if_ready(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        key: SlotKey,
        wanted: &Wanted,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let is_time = match slot.rest {
            Rest::Ready => true,
            Rest::Until { boot, .. } => boot <= now.boot,
            Rest::Finished | Rest::Denied => false,
        };
        if slot.life.is_none() && is_time && !self.is_closing {
            let process = mint(draws);
            slot.restarts += u64::from(slot.last.is_some());
            slot.rest = Rest::Ready;
            slot.last = Some((process, wanted.order.job_version));
            slot.last_start = None;
            let started = LifeStarted {
                process,
                job: key.0,
                job_version: wanted.order.job_version,
                index: key.1,
                launch: wanted.launch,
                stop: wanted.order.launch.stop,
                restarts: slot.restarts,
            };
            slot.life = Some(Life::new(&started));
            self.by_process.insert(process, key);
            out.push(SlotEffect::Append(Record::LifeStarted(started)));
            out.push(SlotEffect::Start {
                process,
                job: key.0,
                index: key.1,
            });
        }
        self.show(now, key, out);
    }

    /// Records that a life is asked to stop, and begins to stop it.
    pub(super) fn ask_to_stop(
        &mut self,
        now: Now,
        key: SlotKey,
        cause: StopCause,
        out: &mut Vec<SlotEffect>,
    ) {
        let Some(life) = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut()) else {
            return;
        };
        if life.asked.is_none() {
            life.asked = Some(cause);
            out.push(SlotEffect::Append(Record::LifeStopAsked {
                process: life.process,
                cause,
            }));
        }
        if life.stopping.is_none() {
            self.begin_stop(now, key, out);
        }
    }

    /// Begins the stop of a life that was asked to, anew if it was under way.
    pub(super) fn begin_stop(&mut self, now: Now, key: SlotKey, out: &mut Vec<SlotEffect>) {
        let Some(life) = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut()) else {
            return;
        };
        let Some(cause) = life.asked else { return };
        let (stopping, first) = Stopping::begin(cause, life.stop, now.boot);
        life.stopping = Some(stopping);
        out.push(stop_effect(life.process, first));
    }

    /// Does what time asks for: starts after a wait, stops that go on, lives that count as running now.
    pub(super) fn ring_alarms(&mut self, now: Now, draws: Draws<'_>, out: &mut Vec<SlotEffect>) {
        while let Some(&(at, key)) = self.alarms.first() {
            if at > now.boot {
                break;
            }
            self.alarms.pop_first();
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            slot.alarm = None;
            if let Some(life) = slot.life.as_mut() {
                let process = life.process;
                let step = life
                    .stopping
                    .as_mut()
                    .and_then(|stopping| stopping.advance(now.boot));
                out.extend(step.map(|step| stop_effect(process, step)));
            }
            self.show(now, key, out);
            self.steer(now, draws, key.0, out);
        }
    }

    /// Does what is due in a slot, brings what is shown of it up to date, reports it if it changed, and sets its alarm.
    pub(super) fn show(&mut self, now: Now, key: SlotKey, out: &mut Vec<SlotEffect>) {
        self.tend(now, key, out);
        let policy = self.jobs.get(&key.0).map(|wanted| &wanted.order.policy);
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let state = slot.state(policy, now.boot);
        if state == SlotState::Running && slot.is_crash_loop {
            slot.is_crash_loop = false;
            slot.failures.clear();
        }
        let next = slot.next(policy, now);
        let probe = slot.life.as_ref().and_then(|life| life.watch.last());
        let is_news = state != slot.shown
            || next.map(|next| next.step) != slot.shown_next.map(|next| next.step)
            || probe != slot.shown_probe.as_ref();
        slot.shown_probe = probe.cloned();
        slot.shown_next = next;
        if state != slot.shown {
            slot.shown = state;
            slot.since = now.center;
        }
        if is_news {
            out.push(SlotEffect::ReportSlot {
                job: key.0,
                index: key.1,
            });
        }
        if let Some(before) = slot.alarm.take() {
            self.alarms.remove(&(before, key));
        }
        slot.alarm = slot
            .next_alarm(policy, now.boot)
            .filter(|_| !self.is_closing || slot.life.is_some());
        self.alarms.extend(slot.alarm.map(|at| (at, key)));
    }
}

fn mint(draws: Draws<'_>) -> ProcessId {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&draws().to_be_bytes());
    bytes[8..].copy_from_slice(&draws().to_be_bytes());
    ProcessId::from_uuid(Builder::from_random_bytes(bytes).into_uuid())
}

const fn stop_effect(process: ProcessId, step: StopMove) -> SlotEffect {
    match step {
        StopMove::Signal(signal) => SlotEffect::Stop { process, signal },
        StopMove::KillAll => SlotEffect::KillAll { process },
    }
}
