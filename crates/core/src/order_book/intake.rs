//! What centers ask for.

use std::sync::Arc;

use super::book::OrderBook;
use super::io::{Effect, Phase};
use super::lane::{LaneKey, Rank};
use super::settle::{not_wanted, refused};
use super::stage::Stage;
use crate::id::RunId;
use crate::life::Now;
use crate::order::{Claim, Order, StopCause};
use crate::record::Record;
use crate::run::Reason;

impl OrderBook {
    pub(super) fn take_order(&mut self, now: Now, order: Arc<Order>, out: &mut Vec<Effect>) {
        let run = order.run;
        if self.is_known(run) {
            out.push(Effect::Report { run });
            return;
        }
        let open = self.open_count();
        if self.is_closing || open >= self.limits.held_max + self.limits.held_max / 10 {
            return;
        }
        let not_after = order.not_after;
        if let Some(claim) = self.refusal(now, &order, open) {
            self.settle(run, not_after, claim, out);
            return;
        }
        let is_behind = self.is_behind_unlogged(&order);
        let record = Record::Accepted {
            order: Arc::clone(&order),
            at: now.center,
        };
        self.hold(order, now.center, false);
        if is_behind {
            self.write_later(now, run);
        } else {
            out.push(Effect::Append(Box::new(record)));
        }
    }

    /// Whether the ledger still has to take an order that is to start before this one. Were this one written first, a crash could
    /// leave it alone in the ledger, and it would start before the other came again.
    fn is_behind_unlogged(&self, order: &Order) -> bool {
        !self.unlogged.is_empty()
            && self.lanes.get(&LaneKey::of(order)).is_some_and(|lane| {
                let mut before = lane.queue.range(..Rank::of(order));
                before.any(|rank| self.unlogged.contains(&rank.run))
            })
    }

    pub(super) fn refusal(&self, now: Now, order: &Order, open: usize) -> Option<Claim> {
        if self
            .blind_until
            .is_some_and(|until| order.not_before <= until)
        {
            return Some(Claim::Lost {
                reason: Reason::LedgerMissing,
                start: None,
            });
        }
        if now.center > order.not_after {
            return Some(refused(Reason::StartDeadlineExceeded));
        }
        let is_full =
            open >= self.limits.held_max || self.settled.len() >= self.limits.tombstones_max * 2;
        is_full.then(|| refused(Reason::AgentFull))
    }

    pub(super) fn synced(&mut self, run: RunId, out: &mut Vec<Effect>) {
        if let Some(settled) = self
            .settled
            .get_mut(&run)
            .filter(|settled| settled.unsynced > 0)
        {
            settled.unsynced -= 1;
            out.push(Effect::Report { run });
            return;
        }
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if held.stage == (Stage::Waiting { is_synced: false }) {
            held.stage = Stage::Waiting { is_synced: true };
            let order = Arc::clone(&held.order);
            self.wait_to_arm(&order);
            out.push(Effect::Report { run });
        }
    }

    pub(super) fn revoke(&mut self, now: Now, run: RunId, reason: Reason, out: &mut Vec<Effect>) {
        match self.held.get(&run).map(|held| held.stage.is_alive()) {
            Some(false) => self.refuse(run, reason, out),
            Some(true) => out.push(Effect::Report { run }),
            // Its order never came. Should it still come, it finds this and starts nothing.
            None if !self.is_known(run) => self.settle_unknown(now, run, refused(reason), out),
            None => out.push(Effect::Report { run }),
        }
    }

    /// The center believes that the run was accepted: if nothing is known of it, the ledger has lost it.
    pub(super) fn inquire(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        if self.is_known(run) {
            out.push(Effect::Report { run });
        } else {
            let claim = Claim::Lost {
                reason: Reason::LedgerMissing,
                start: None,
            };
            self.settle_unknown(now, run, claim, out);
        }
    }

    /// An offer may start. Of one that is over only what became of it is to be said.
    pub(super) fn let_go(&mut self, run: RunId, out: &mut Vec<Effect>) {
        if let Some(held) = self.held.get_mut(&run) {
            let is_first = !std::mem::replace(&mut held.may_go, true);
            let order = Arc::clone(&held.order);
            if is_first {
                self.enqueue(&order);
            }
        } else if self.settled.contains_key(&run) {
            out.push(Effect::Report { run });
        }
    }

    pub(super) fn kill(&mut self, now: Now, run: RunId, cause: StopCause, out: &mut Vec<Effect>) {
        match self.held.get(&run).map(|held| held.stage.is_alive()) {
            Some(false) => self.refuse(run, not_wanted(cause), out),
            Some(true) => self.ask_to_stop(now, run, cause, out),
            None if self.settled.contains_key(&run) => out.push(Effect::Report { run }),
            // Its order is not sent any more, but may still come: it finds this and starts nothing.
            None if cause == StopCause::Replaced => {
                self.settle_unknown(now, run, refused(not_wanted(cause)), out);
            }
            None => {}
        }
    }

    pub(super) fn acked(&mut self, run: RunId, phase: Phase, out: &mut Vec<Effect>) {
        let Some(settled) = self.settled.get_mut(&run) else {
            return;
        };
        if phase != Phase::Over || settled.told().is_none() || settled.is_acked {
            return;
        }
        settled.is_acked = true;
        self.tombstones
            .insert((settled.expires(self.limits.tombstone_margin), run));
        out.extend([
            Effect::Append(Box::new(Record::Acked { run })),
            Effect::Forget { run },
        ]);
    }

    pub(super) fn shut_down(&mut self, now: Now, with_processes: bool, out: &mut Vec<Effect>) {
        self.is_closing = true;
        let runs: Vec<RunId> = self.held.keys().copied().collect();
        for run in runs {
            let Some(held) = self.held.get_mut(&run) else {
                continue;
            };
            if held.stage.is_prepared() {
                held.stage = Stage::Waiting { is_synced: true };
                let lane = LaneKey::of(&held.order);
                self.count_prepared(lane, -1);
                out.push(Effect::Abandon { run });
            } else if with_processes && held.stage.is_alive() {
                self.ask_to_stop(now, run, StopCause::Shutdown, out);
            }
        }
    }
}
