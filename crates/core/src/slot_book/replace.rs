//! Replacing lives by fresh ones: a changed launch, a restart that somebody asked for, recycling. A few at a time, and no
//! further while fresh ones fail.

use super::book::{Draws, SlotBook, Wanted};
use super::io::SlotEffect;
use super::slot::{Life, SlotKey, Turn};
use crate::id::JobId;
use crate::life::Now;
use crate::order::{SlotState, StopCause};
use crate::record::{LaunchDigest, Record};

/// The slots of a job as replacing sees them.
#[derive(Default)]
struct Ranks {
    /// Outdated, and not serving anyway.
    down: Vec<SlotKey>,
    /// Outdated and serving.
    up: Vec<SlotKey>,
    /// Slots that do not serve, outdated or not.
    unavailable: u32,
    /// Whether a slot that is not outdated is in a crash loop.
    is_halted: bool,
}

impl SlotBook {
    /// Somebody asks for a restart of one slot, or of all of a job's.
    pub(super) fn restart(
        &mut self,
        now: Now,
        draws: Draws<'_>,
        job: JobId,
        index: Option<u32>,
        out: &mut Vec<SlotEffect>,
    ) {
        let chosen = index.map_or((job, 0)..=(job, u32::MAX), |index| {
            (job, index)..=(job, index)
        });
        let keys: Vec<SlotKey> = self.slots.range(chosen).map(|(key, _)| *key).collect();
        for key in keys {
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            if slot.life.is_none() {
                slot.forgive();
            } else if index.is_some() {
                self.ask_to_stop(now, key, StopCause::Kill, out);
                self.show(now, key, out);
            } else {
                self.ask_to_replace(key, StopCause::Kill, out);
            }
        }
        self.steer(now, draws, job, out);
    }

    /// Records that a life is to be replaced when its turn comes. Says whether that is new.
    pub(super) fn ask_to_replace(
        &mut self,
        key: SlotKey,
        cause: StopCause,
        out: &mut Vec<SlotEffect>,
    ) -> bool {
        let life = self.slots.get_mut(&key).and_then(|slot| slot.life.as_mut());
        let Some(life) = life.filter(|life| life.replace_for.is_none()) else {
            return false;
        };
        life.replace_for = Some(cause);
        out.push(SlotEffect::Append(Record::LifeReplaceAsked {
            process: life.process,
            cause,
        }));
        true
    }

    /// Stops outdated lives as far as the job's limit of unavailable processes allows, and says of the others what they wait for.
    pub(super) fn replace_next(
        &mut self,
        now: Now,
        job: JobId,
        wanted: &Wanted,
        out: &mut Vec<SlotEffect>,
    ) {
        let ranks = self.rank(now, job, wanted);
        let may_stop = !ranks.is_halted && !self.is_closing;
        let room = wanted
            .order
            .policy
            .max_unavailable
            .max(1)
            .saturating_sub(ranks.unavailable);
        // One that does not serve anyway costs nothing.
        let next = ranks.down.iter().chain(ranks.up.iter().take(room as usize));
        for key in next.filter(|_| may_stop) {
            let cause = self
                .life(*key)
                .and_then(|life| life.outdated_for(wanted.launch));
            if let Some(cause) = cause {
                self.ask_to_stop(now, *key, cause, out);
                self.show(now, *key, out);
            }
        }
        let turn = if ranks.is_halted {
            Turn::Halted
        } else {
            Turn::Waits
        };
        self.set_turns(now, job, wanted, turn, out);
    }

    fn rank(&self, now: Now, job: JobId, wanted: &Wanted) -> Ranks {
        let mut ranks = Ranks::default();
        for (key, slot) in self.slots.range((job, 0)..(job, wanted.order.processes)) {
            let life = slot.life.as_ref();
            let is_outdated = life.is_some_and(|life| life.outdated_for(wanted.launch).is_some());
            match slot.state(Some(&wanted.order.policy), now.boot) {
                SlotState::Running if is_outdated => ranks.up.push(*key),
                SlotState::Running | SlotState::Stopped => {}
                SlotState::Starting | SlotState::CrashLoop if is_outdated => {
                    ranks.unavailable += 1;
                    ranks.down.push(*key);
                }
                SlotState::CrashLoop => {
                    ranks.unavailable += 1;
                    ranks.is_halted = true;
                }
                SlotState::Starting | SlotState::Backoff | SlotState::Stopping => {
                    ranks.unavailable += 1;
                }
            }
        }
        ranks
    }

    fn set_turns(
        &mut self,
        now: Now,
        job: JobId,
        wanted: &Wanted,
        turn: Turn,
        out: &mut Vec<SlotEffect>,
    ) {
        let mut changed = Vec::new();
        for (key, slot) in self
            .slots
            .range_mut((job, 0)..(job, wanted.order.processes))
        {
            let life = slot.life.as_ref();
            let is_outdated = life.is_some_and(|life| life.outdated_for(wanted.launch).is_some());
            let turn = is_outdated.then_some(turn);
            if slot.turn != turn {
                slot.turn = turn;
                changed.push(*key);
            }
        }
        for key in changed {
            self.show(now, key, out);
        }
    }

    pub(super) fn life(&self, key: SlotKey) -> Option<&Life> {
        self.slots.get(&key)?.life.as_ref()
    }
}

impl Life {
    /// Why it is to be replaced, if it is and was not asked to stop yet.
    fn outdated_for(&self, wanted: LaunchDigest) -> Option<StopCause> {
        if self.asked.is_some() {
            None
        } else if self.launch == wanted {
            self.replace_for
        } else {
            Some(StopCause::Replaced)
        }
    }
}
