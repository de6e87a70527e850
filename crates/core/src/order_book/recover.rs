//! Making the book again after a restart: from the ledger and from what the host found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::book::OrderBook;
use super::io::{Effect, Limits};
use super::lane::{LaneKey, Rank};
use super::settle::{not_wanted, refused};
use super::stage::{Settled, Stage, stop_cause};
use crate::id::RunId;
use crate::life::{Found, Now, Owner};
use crate::order::{Claim, Order, StopCause};
use crate::plan::{earlier, later};
use crate::record::Record;
use crate::run::Reason;
use crate::run_limits::RunLimits;

/// How far the idea of when the host booted may be wrong: clocks are corrected, and a machine may boot at once.
const BOOT_MARGIN: Duration = Duration::from_secs(2);

/// Whether the host is still in the boot in which the ledger was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurveyedBoot {
    /// It is: what is not found was never prepared.
    Same,
    /// It is not: nothing of before is alive, and what was due before it is unknown.
    New,
}

/// What the host knows when its agent starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Whether the host was restarted.
    pub boot: SurveyedBoot,
    /// Whether the ledger of an agent that had one is gone or unreadable.
    pub is_ledger_lost: bool,
    /// What it found of runs of this boot.
    pub runs: BTreeMap<RunId, Found>,
    /// Whose they are, for those that the ledger does not know.
    pub owners: BTreeMap<RunId, Owner>,
}

/// What the ledger says.
#[derive(Default)]
struct Replay {
    /// Orders, and when they were accepted.
    accepted: BTreeMap<RunId, (Arc<Order>, Timestamp)>,
    asked: BTreeMap<RunId, StopCause>,
    settled: BTreeMap<RunId, (Timestamp, Claim)>,
    acked: BTreeSet<RunId>,
    limits: RunLimits,
    /// Latest instant at which the ledger was written.
    last_seen: Option<Timestamp>,
}

impl Replay {
    fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let mut replay = Self::default();
        for record in records {
            match record {
                Record::Accepted { order, at } => {
                    replay.last_seen = replay.last_seen.max(Some(at));
                    replay.accepted.insert(order.run, (order, at));
                }
                Record::StopAsked { run, cause } => {
                    replay.asked.insert(run, cause);
                }
                Record::Settled {
                    run,
                    not_after,
                    claim,
                } => {
                    replay.settled.insert(run, (not_after, claim));
                }
                Record::Acked { run } => {
                    replay.acked.insert(run);
                }
                Record::RunLimits(limits) => replay.limits = limits,
                Record::SessionEpoch(_)
                | Record::DaemonsWanted { .. }
                | Record::LifeStarted(_)
                | Record::LifeStopAsked { .. }
                | Record::LifeReady { .. }
                | Record::LifeReplaceAsked { .. }
                | Record::LifeEnded(_)
                | Record::LifeForgotten { .. }
                | Record::SlotFinished { .. } => {}
            }
        }
        replay
    }
}

/// What the ledger says about an accepted run.
#[derive(Debug, Clone, Copy)]
struct Past {
    /// When it was accepted.
    at: Timestamp,
    /// Why it was asked to stop.
    asked: Option<StopCause>,
    /// Whether it may have run before the host was restarted.
    is_of_old_boot: bool,
    /// Whether a later run of the same copy of the job was started before the restart: its turn is over. Never of another
    /// attempt, which has its turn whatever was due meanwhile.
    is_overtaken: bool,
}

/// What is known about when an earlier boot was over.
#[derive(Debug, Clone, Copy)]
struct BootEnd {
    /// What was due until then may have run in an earlier boot, if it was accepted before this one.
    booted: Timestamp,
    /// What was due until then may have run in an earlier boot, whenever it was accepted.
    ended: Option<Timestamp>,
}

impl BootEnd {
    fn of(now: Now, boot: SurveyedBoot, last_seen: Option<Timestamp>) -> Self {
        let booted = later(earlier(now.center, now.boot), BOOT_MARGIN);
        let ended = match (boot, last_seen) {
            (SurveyedBoot::Same, _) => None,
            // The clock is behind the ledger: no instant can be trusted to be after the restart.
            (SurveyedBoot::New, Some(seen)) if seen > now.center => Some(Timestamp::MAX),
            // Written after this boot began, so what came to an end is not a boot (a container, say): it did so until now.
            (SurveyedBoot::New, Some(seen)) if seen > booted => Some(now.center),
            (SurveyedBoot::New, _) => Some(booted),
        };
        Self { booted, ended }
    }

    fn may_have_run(&self, not_before: Timestamp, accepted_at: Timestamp) -> bool {
        self.ended.is_some_and(|ended| not_before <= ended)
            || (not_before <= self.booted && accepted_at <= self.booted)
    }
}

/// The last first attempt of each lane that was started, as far as the ledger and the host know.
fn last_started(replay: &Replay, found: &BTreeMap<RunId, Found>) -> BTreeMap<LaneKey, Rank> {
    let mut last: BTreeMap<LaneKey, Rank> = BTreeMap::new();
    let firsts = replay.accepted.iter();
    for (run, (order, _)) in firsts.filter(|(_, (order, _))| order.attempt == 1) {
        let is_found = found
            .get(run)
            .is_some_and(|found| *found != Found::NeverStarted);
        let is_recorded = replay
            .settled
            .get(run)
            .is_some_and(|(_, claim)| !matches!(claim, Claim::Refused { .. }));
        if is_found || is_recorded {
            let rank = Rank::of(order);
            let last = last.entry(LaneKey::of(order)).or_insert(rank);
            *last = rank.max(*last);
        }
    }
    last
}

impl OrderBook {
    /// Makes the book from the ledger's records, oldest first, and what the host found. The ledger as read must be on the
    /// disk before this is called.
    ///
    /// What was accepted and due before the host booted and has no recorded end is lost; the rest starts normally. If the clock
    /// is behind the ledger, everything without a recorded end is lost.
    pub fn recover(
        limits: Limits,
        records: impl IntoIterator<Item = Record>,
        survey: Survey,
        now: Now,
    ) -> (Self, Vec<Effect>) {
        let mut replay = Replay::of(records);
        let last_started = last_started(&replay, &survey.runs);
        let mut book = Self::new(limits);
        let mut out = Vec::new();
        book.gate.set_limits(now, replay.limits);
        book.blind_until = survey.is_ledger_lost.then_some(now.center);
        for (run, (not_after, claim)) in std::mem::take(&mut replay.settled) {
            let is_acked = replay.acked.contains(&run);
            book.remember(
                run,
                Settled {
                    claim,
                    not_after,
                    is_logged: true,
                    unsynced: 0,
                    is_acked,
                },
            );
        }
        let ended_before = BootEnd::of(now, survey.boot, replay.last_seen);
        let mut found = survey.runs;
        for (run, (order, at)) in std::mem::take(&mut replay.accepted) {
            if book.settled.contains_key(&run) {
                continue;
            }
            let is_of_old_boot = ended_before.may_have_run(order.not_before, at);
            let past = Past {
                at,
                asked: replay.asked.get(&run).copied(),
                is_of_old_boot,
                is_overtaken: order.attempt == 1
                    && !order.is_offer
                    && last_started
                        .get(&LaneKey::of(&order))
                        .is_some_and(|last| *last > Rank::of(&order)),
            };
            book.resume(now, order, found.remove(&run), past, &mut out);
        }
        for (run, trace) in found {
            let owner = survey.owners.get(&run).copied();
            book.judge_unknown(now, run, trace, owner, &mut out);
        }
        book.advance(now, &mut out);
        (book, out)
    }

    /// Takes up an accepted run that has no recorded end.
    fn resume(
        &mut self,
        now: Now,
        order: Arc<Order>,
        found: Option<Found>,
        past: Past,
        out: &mut Vec<Effect>,
    ) {
        let Past {
            at,
            asked,
            is_of_old_boot,
            is_overtaken,
        } = past;
        let (run, not_after) = (order.run, order.not_after);
        if found == Some(Found::NeverStarted) {
            out.push(Effect::Forget { run });
        }
        match found {
            // Only what may run is asked to stop.
            Some(Found::NeverStarted) if let Some(cause) = asked => {
                self.settle(run, not_after, refused(not_wanted(cause)), out);
            }
            None if is_of_old_boot => self.lose(run, not_after, Reason::HostRebooted, out),
            None if asked.is_some() => self.lose(run, not_after, Reason::AgentCrashed, out),
            None | Some(Found::NeverStarted) if now.center > not_after || is_overtaken => {
                self.settle(run, not_after, refused(Reason::AgentRestarted), out);
            }
            None | Some(Found::NeverStarted) => self.hold(order, at, true),
            Some(Found::Alive { start, boot }) => {
                self.hold(order, at, true);
                self.set_alive(run, Stage::Running { start, boot }, asked);
                self.begin_stop(now, run, out);
                out.push(Effect::Report { run });
            }
            Some(Found::Ended { start, mut end }) => {
                end.stopped_for = stop_cause(&order, asked, &end);
                self.settle(run, not_after, Claim::Ended { start, end }, out);
            }
            Some(Found::Vanished { start }) => {
                let reason = if start.is_some() {
                    Reason::ExitUnknown
                } else {
                    Reason::AgentCrashed
                };
                self.settle(run, not_after, Claim::Lost { reason, start }, out);
            }
        }
    }

    fn lose(&mut self, run: RunId, not_after: Timestamp, reason: Reason, out: &mut Vec<Effect>) {
        self.settle(
            run,
            not_after,
            Claim::Lost {
                reason,
                start: None,
            },
            out,
        );
    }

    /// Moves a held run to where the host found it.
    fn set_alive(&mut self, run: RunId, stage: Stage, asked: Option<StopCause>) {
        let Some(held) = self.held.get_mut(&run) else {
            return;
        };
        let rank = Rank::of(&held.order);
        held.stage = stage;
        held.asked = asked;
        // It had the word.
        held.may_go = true;
        self.to_arm.remove(&rank);
        self.to_start.remove(&rank);
        self.windows.remove(&(held.order.not_after, run));
        let lane = self.lanes.entry(LaneKey::of(&held.order)).or_default();
        lane.queue.remove(&rank);
        self.gate.count(isize::from(lane.alive.insert(run)));
        self.set_alarm(run);
    }

    /// Answers for a life that the ledger does not hold as open: either it is settled, or the ledger is gone. One that is alive
    /// keeps its place in its lane.
    fn judge_unknown(
        &mut self,
        now: Now,
        run: RunId,
        found: Found,
        owner: Option<Owner>,
        out: &mut Vec<Effect>,
    ) {
        if let (Found::Alive { .. }, Some(owner)) = (&found, owner) {
            let key = LaneKey::of_owner(owner);
            let lane = self.lanes.entry(key).or_default();
            self.gate.count(isize::from(lane.alive.insert(run)));
            self.strangers.insert(run, key);
        }
        if let Some(settled) = self.settled.get(&run) {
            match found {
                Found::Ended { start, end } if matches!(settled.claim, Claim::Lost { .. }) => {
                    let not_after = settled.not_after;
                    self.settle(run, not_after, Claim::Ended { start, end }, out);
                }
                Found::Alive { .. } => {}
                _ if settled.is_acked => out.push(Effect::Forget { run }),
                _ => {}
            }
            return;
        }
        let claim = match found {
            Found::NeverStarted => {
                out.push(Effect::Forget { run });
                return;
            }
            Found::Ended { start, end } => Claim::Ended { start, end },
            Found::Alive { start, .. } => Claim::Lost {
                reason: Reason::LedgerMissing,
                start: Some(start),
            },
            Found::Vanished { start } => Claim::Lost {
                reason: Reason::LedgerMissing,
                start,
            },
        };
        self.settle_unknown(now, run, claim, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::JobId;
    use crate::job::{Command, Launch, Overlap};
    use crate::order::Start;

    fn order(run: u128, due_s: i64, attempt: u32) -> Arc<Order> {
        let due = Timestamp::from_second(1_800_000_000 + due_s).unwrap();
        Arc::new(Order {
            run: RunId::from_u128(run),
            job: JobId::from_u128(9),
            job_name: "job".into(),
            job_version: 1,
            copy: 0,
            copies: 1,
            attempt,
            due,
            jitter: Duration::ZERO,
            not_before: due,
            not_after: later(due, Duration::from_secs(60)),
            is_offer: false,
            overlap: Overlap::Allow,
            timeout: None,
            launch: Launch::new(Command::Argv(vec!["/bin/true".into()]), "root"),
        })
    }

    /// What becomes of an attempt that was accepted after a later run of its job had started.
    fn after_a_restart(attempt: u32) -> Option<Claim> {
        let (late, started) = (order(1, 0, attempt), order(2, 1, 1));
        let now = Now {
            center: later(started.due, Duration::from_secs(1)),
            boot: Duration::from_secs(1_000),
        };
        let (late_run, started_run) = (late.run, started.run);
        let records = [started, late].map(|order| Record::Accepted {
            order,
            at: now.center,
        });
        let alive = Found::Alive {
            start: Start {
                at: now.center,
                pid: 5,
            },
            boot: now.boot,
        };
        let survey = Survey {
            boot: SurveyedBoot::Same,
            is_ledger_lost: false,
            runs: BTreeMap::from([(started_run, alive)]),
            owners: BTreeMap::new(),
        };
        let (book, _) = OrderBook::recover(Limits::default(), records, survey, now);
        book.settled
            .get(&late_run)
            .map(|settled| settled.claim.clone())
    }

    #[test]
    fn after_a_restart_only_first_attempts_can_be_overtaken() {
        assert_eq!(after_a_restart(1), Some(refused(Reason::AgentRestarted)));
        assert_eq!(after_a_restart(2), None);
    }
}
