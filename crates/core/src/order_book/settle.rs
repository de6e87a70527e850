//! The end of runs: settled, in the ledger, acknowledged, forgotten.

use std::time::Duration;

use jiff::Timestamp;

use super::book::OrderBook;
use super::io::Effect;
use super::stage::{Settled, Stage};
use crate::id::RunId;
use crate::life::Now;
use crate::order::{Claim, StopCause};
use crate::plan::{earlier, later};
use crate::record::Record;
use crate::run::Reason;

/// Time between two attempts to write what the ledger could not take.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// Longest window of a run: the longest start deadline, after the longest jitter.
const WINDOW_MAX: Duration = Duration::from_secs(7 * 86_400 + 3_600);

impl OrderBook {
    /// Refuses a run that was not released.
    pub(super) fn refuse(&mut self, run: RunId, reason: Reason, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        let not_after = held.order.not_after;
        if held.stage.is_prepared() {
            out.push(Effect::Abandon { run });
        }
        self.settle(run, not_after, refused(reason), out);
    }

    /// Answers for a run whose order is not known, so that it can never start.
    pub(super) fn settle_unknown(
        &mut self,
        now: Now,
        run: RunId,
        claim: Claim,
        out: &mut Vec<Effect>,
    ) {
        self.settle(run, later(now.center, WINDOW_MAX), claim, out);
    }

    /// Nothing more is going to happen to the run.
    pub(super) fn settle(
        &mut self,
        run: RunId,
        not_after: Timestamp,
        claim: Claim,
        out: &mut Vec<Effect>,
    ) {
        let was_unsynced = self.release(run);
        // The sync of the order itself, if it is still to come, says nothing about the refusal.
        let unsynced = if matches!(claim, Claim::Refused { .. }) {
            1 + u8::from(was_unsynced)
        } else {
            0
        };
        let settled = Settled {
            claim,
            not_after,
            is_logged: true,
            unsynced,
            is_acked: false,
        };
        out.push(Effect::Append(Box::new(settled_record(run, &settled))));
        if unsynced == 0 {
            out.push(Effect::Report { run });
        }
        if let Some(before) = self.settled.insert(run, settled)
            && before.is_acked
        {
            self.tombstones
                .remove(&(before.expires(self.limits.tombstone_margin), run));
        }
    }

    pub(super) fn ledger_failed(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        if let Some(settled) = self.settled.get_mut(&run) {
            settled.is_logged = settled.is_logged && settled.is_acked;
            settled.unsynced = settled.unsynced.saturating_sub(1);
            self.write_later(now, run);
            return;
        }
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        if held.stage != (Stage::Waiting { is_synced: false }) {
            if held.stopping.take().is_some() {
                // That somebody asked could not be written; the stop itself goes on all the same.
                self.begin_stop(now, run, out);
            }
        } else if now.center < held.order.not_before {
            // There is time to try again.
            self.write_later(now, run);
        } else {
            self.refuse_unlogged(now, run, out);
        }
    }

    /// Like [`OrderBook::ledger_failed`], but the record is in the file, where the next agent may find it.
    pub(super) fn sync_failed(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        if let Some(held) = self.held.get_mut(&run) {
            held.may_be_found = true;
        }
        self.ledger_failed(now, run, out);
    }

    /// Refuses an order that is due and that the ledger did not take. Told at once, although the ledger does not say so: nothing
    /// ran, and no later session brings this order again. Where the next agent may find the order, the refusal has to be written
    /// behind it before, though it may get as little durable.
    fn refuse_unlogged(&mut self, now: Now, run: RunId, out: &mut Vec<Effect>) {
        let Some(held) = self.held.get(&run) else {
            return;
        };
        let (not_after, may_be_found) = (held.order.not_after, held.may_be_found);
        self.release(run);
        let settled = Settled {
            claim: refused(Reason::LedgerUnwritable),
            not_after,
            is_logged: true,
            unsynced: 0,
            is_acked: false,
        };
        if may_be_found {
            out.push(Effect::Append(Box::new(settled_record(run, &settled))));
        }
        out.push(Effect::Report { run });
        self.settled.insert(run, settled);
        self.write_later(now, run);
    }

    /// Notes a record to be written when the ledger is tried next.
    pub(super) fn write_later(&mut self, now: Now, run: RunId) {
        if self.unlogged.is_empty() {
            self.unlogged_retry = now.boot.saturating_add(LEDGER_RETRY);
        }
        self.unlogged.insert(run);
    }

    /// Tries again to write what the ledger could not take.
    pub(super) fn retry_ledger(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.unlogged.is_empty() || now.boot < self.unlogged_retry {
            return;
        }
        for run in std::mem::take(&mut self.unlogged) {
            if let Some(held) = self.held.get(&run) {
                out.push(Effect::Append(Box::new(held.accepted())));
                continue;
            }
            let Some(settled) = self.settled.get_mut(&run) else {
                continue;
            };
            settled.is_logged = true;
            if settled.is_acked {
                out.extend([
                    Effect::Append(Box::new(Record::Acked { run })),
                    Effect::Forget { run },
                ]);
                continue;
            }
            let record = settled_record(run, settled);
            settled.unsynced += u8::from(record.is_synced_first());
            let is_told = settled.unsynced == 0;
            out.push(Effect::Append(Box::new(record)));
            out.extend(is_told.then_some(Effect::Report { run }));
        }
    }

    /// Takes in a run that the ledger says is over.
    pub(super) fn remember(&mut self, run: RunId, settled: Settled) {
        if settled.is_acked {
            self.tombstones
                .insert((settled.expires(self.limits.tombstone_margin), run));
        }
        self.settled.insert(run, settled);
    }

    /// Drops ids that no order can come for any more.
    pub(super) fn drop_tombstones(&mut self, now: Now) {
        while let Some(&(expiry, run)) = self.tombstones.first() {
            let is_crowded = self.tombstones.len() > self.limits.tombstones_max;
            let closed = earlier(expiry, self.limits.tombstone_margin);
            if now.center <= expiry && !(is_crowded && closed < now.center) {
                break;
            }
            self.tombstones.pop_first();
            self.settled.remove(&run);
        }
    }
}

pub(super) fn refused(reason: Reason) -> Claim {
    Claim::Refused {
        reason,
        detail: None,
    }
}

/// Why a run that was asked to stop before it had started did not start.
pub(super) const fn not_wanted(cause: StopCause) -> Reason {
    match cause {
        StopCause::Replaced => Reason::Overtaken,
        _ => Reason::KilledBeforeStart,
    }
}

pub(super) fn settled_record(run: RunId, settled: &Settled) -> Record {
    Record::Settled {
        run,
        not_after: settled.not_after,
        claim: settled.claim.clone(),
    }
}
