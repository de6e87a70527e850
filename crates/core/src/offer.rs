//! Offers: runs of which one agent among several is to be found, and when it gets the word to start.
//!
//! ```text
//! center                                     agent
//! offer (state offered)            ------>   into its ledger, prepared, not started
//!                                  <------   accepted
//! it is due and its turn: go       ------>   started
//! (state accepted, committed first)
//! ```
//! Without the word nothing starts, so until it is committed the run can be offered to another agent: when the one that was asked
//! is out of reach, does not answer, or refuses. Once it is committed the run is that agent's, whatever becomes of it.
//!
//! The word is given when the run is due and not before. So overlap is decided here for all agents together, by the one center
//! that plans, and an agent that is lost until the very last moment costs nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::id::RunId;
use crate::job::Overlap;
use crate::plan::later;
use crate::run::{Outcome, Reason};

/// How far ahead of its earliest start a run is offered: an answer that is much older says little about whether its agent is there.
pub const OFFER_AHEAD: Duration = Duration::from_secs(2);

/// How long an agent may take to answer an offer before another one is asked.
pub const ANSWER_MAX: Duration = Duration::from_secs(1);

/// A run that waits for the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Run.
    pub run: RunId,
    /// Due instant.
    pub due: Timestamp,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Start not before this.
    pub not_before: Timestamp,
    /// Start not after this.
    pub not_after: Timestamp,
    /// What its job says about overlap.
    pub overlap: Overlap,
    /// Whether it was planned after it was to start because its job is caught up: it waits for the one before it.
    pub is_planned_late: bool,
    /// Whether its agent has it in its ledger.
    pub is_accepted: bool,
    /// Why it is not to run any more.
    pub withdrawn: Option<Reason>,
    /// Why its agent will not start it.
    pub refused: Option<Reason>,
    /// Whether its agent has a session.
    pub is_reachable: bool,
    /// When it was offered to its agent; while it was not, when that was to have been at the latest.
    pub since: Timestamp,
}

/// A run of the same copy of the same job that got the word and is not known to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupant {
    /// Run.
    pub run: RunId,
    /// Due instant.
    pub due: Timestamp,
    /// Whether its end was asked for.
    pub is_asked: bool,
    /// Whether its agent has a session; if not, or if the run is lost, nobody knows whether it is alive.
    pub is_reachable: bool,
}

/// What becomes of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Its agent may start it.
    Go,
    /// It does not run.
    End(Reason),
    /// Another agent is asked. If there is none, it ends for this reason, or goes on waiting where there is no reason.
    Move(Option<Reason>),
}

/// What is to be done about the runs of one copy of one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decisions {
    /// What becomes of offers; of those that are not named nothing yet.
    pub offers: Vec<(RunId, Decision)>,
    /// Occupants whose end is to be asked for: a later run takes their place.
    pub replaced: Vec<RunId>,
}

/// Decides about the runs of one copy of one job at `now`.
///
/// Runs of one due instant on several agents are not in each other's way; those of others are, unless overlap is allowed. An offer
/// whose time is over ends as [`Reason::StartDeadlineExceeded`] if its agent had accepted it ([`Reason::Blocked`] if it waited for one
/// of which nobody knows whether it is alive), else as [`Reason::AgentOffline`] or
/// [`Reason::NeverReceived`].
pub fn decide(mut offers: Vec<Offer>, occupants: &[Occupant], now: Timestamp) -> Decisions {
    offers.sort_by_key(|offer| (offer.not_before, offer.due, offer.attempt, offer.run));
    let mut lane = Lane {
        occupants,
        given: Vec::new(),
        stuck: Vec::new(),
        waiting: BTreeSet::new(),
        decisions: Decisions::default(),
    };
    for (place, offer) in offers.iter().enumerate() {
        if let Some(decision) = lane.decide(offer, &offers[place + 1..], now) {
            lane.decisions.offers.push((offer.run, decision));
        }
    }
    lane.decisions
}

/// What has been decided so far about one copy of a job.
struct Lane<'a> {
    occupants: &'a [Occupant],
    /// Due instants of runs that have just got the word.
    given: Vec<Timestamp>,
    /// Due instants of runs whose turn it is and that have no agent yet.
    stuck: Vec<Timestamp>,
    /// Due instants of runs that wait for their turn.
    waiting: BTreeSet<Timestamp>,
    decisions: Decisions,
}

impl Lane<'_> {
    fn decide(&mut self, offer: &Offer, after: &[Offer], now: Timestamp) -> Option<Decision> {
        if let Some(reason) = offer.end(now) {
            return Some(Decision::End(self.or_blocked(offer, reason)));
        }
        let is_to_move = offer.is_to_move(now);
        let or_move = is_to_move.then_some(Decision::Move(offer.refused));
        if offer.not_before > now {
            return or_move;
        }
        let is_of_another = |due: &Timestamp| *due != offer.due;
        if offer.overlap != Overlap::Allow {
            let occupants = self.occupants.iter().map(|other| &other.due);
            if occupants.chain(&self.given).any(is_of_another) {
                return self.decide_behind(offer, after, now).or(or_move);
            }
            // Runs start in the order in which they are due.
            if self.stuck.iter().any(is_of_another) {
                return or_move;
            }
            if offer.overlap == Overlap::Replace && is_overtaken(offer, after, now) {
                return Some(Decision::End(Reason::Overtaken));
            }
        }
        if or_move.is_some() || !offer.is_accepted {
            self.stuck.push(offer.due);
            return or_move;
        }
        self.given.push(offer.due);
        Some(Decision::Go)
    }

    /// What waited in vain for one of which nobody knows whether it is alive was blocked.
    fn or_blocked(&self, offer: &Offer, reason: Reason) -> Reason {
        let mut others = self.occupants.iter();
        let is_blocked = offer.overlap != Overlap::Allow
            && others.any(|other| other.due != offer.due && !other.is_reachable);
        match reason {
            Reason::StartDeadlineExceeded if is_blocked => Reason::Blocked,
            reason => reason,
        }
    }

    /// Decides about a run that is due while one of another due instant is, or may be, alive.
    fn decide_behind(
        &mut self,
        offer: &Offer,
        after: &[Offer],
        now: Timestamp,
    ) -> Option<Decision> {
        let others = || self.occupants.iter().filter(|other| other.due != offer.due);
        let is_known = others().all(|other| other.is_reachable);
        let may_wait = match offer.overlap {
            Overlap::Allow => Ok(()),
            Overlap::Forbid if offer.is_planned_late => Ok(()),
            Overlap::Forbid if is_known => Err(Reason::Overlap),
            Overlap::Forbid => Err(Reason::Blocked),
            Overlap::Queue { max } => {
                let ahead = self.waiting.iter().filter(|due| **due != offer.due).count();
                let is_full = ahead >= max as usize && !offer.is_planned_late;
                if is_full {
                    Err(Reason::QueueFull)
                } else {
                    Ok(())
                }
            }
            Overlap::Replace => {
                let is_late = others().any(|other| other.due > offer.due);
                if is_late || is_overtaken(offer, after, now) {
                    Err(Reason::Overtaken)
                } else {
                    let unasked = others().filter(|other| !other.is_asked);
                    let unasked: Vec<RunId> = unasked.map(|other| other.run).collect();
                    self.decisions.replaced.extend(unasked);
                    Ok(())
                }
            }
        };
        match may_wait {
            Ok(()) => {
                self.waiting.insert(offer.due);
                None
            }
            Err(reason) => Some(Decision::End(reason)),
        }
    }
}

/// Whether a run of a later due instant that takes the place of others has come due as well.
fn is_overtaken(offer: &Offer, after: &[Offer], now: Timestamp) -> bool {
    after.iter().any(|next| {
        next.not_before <= now && next.due > offer.due && next.overlap == Overlap::Replace
    })
}

impl Offer {
    /// Why it is over whatever else there is.
    fn end(&self, now: Timestamp) -> Option<Reason> {
        if self.withdrawn.is_some() {
            return self.withdrawn;
        }
        (self.not_after < now).then_some(match self.refused {
            Some(reason) => reason,
            None if self.is_accepted => Reason::StartDeadlineExceeded,
            None if self.is_reachable => Reason::NeverReceived,
            None => Reason::AgentOffline,
        })
    }

    /// Whether another agent is to be asked.
    fn is_to_move(&self, now: Timestamp) -> bool {
        let has_had_time = later(self.since, ANSWER_MAX) <= now;
        self.refused.is_some() || !self.is_reachable || (!self.is_accepted && has_had_time)
    }
}

/// Whether another agent is asked when one refuses an offer for this reason. If not, the run is not wanted any more, or its time is
/// over.
pub const fn is_passed_on(reason: Reason) -> bool {
    match reason.outcome() {
        Outcome::Missed => !matches!(reason, Reason::StartDeadlineExceeded),
        Outcome::Skipped => matches!(reason, Reason::PolicyDenied | Reason::AgentRemoved),
        Outcome::Failed => true,
        Outcome::Succeeded | Outcome::Killed | Outcome::TimedOut | Outcome::Lost => false,
    }
}

/// Whether a run that was lost for this reason may be alive, so that it is in the way of others until somebody releases it.
pub const fn may_be_alive(reason: Reason) -> bool {
    matches!(reason, Reason::AgentGone | Reason::LedgerMissing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOW + seconds).unwrap()
    }

    /// A run that is due so many seconds from now, its agent there and ready.
    fn offer(run: u128, due: i64, overlap: Overlap) -> Offer {
        Offer {
            run: RunId::from_u128(run),
            due: at(due),
            attempt: 1,
            not_before: at(due),
            not_after: at(due + 60),
            overlap,
            is_planned_late: false,
            is_accepted: true,
            withdrawn: None,
            refused: None,
            is_reachable: true,
            since: at(due - 15),
        }
    }

    fn alive(due: i64) -> Occupant {
        Occupant {
            run: RunId::from_u128(100),
            due: at(due),
            is_asked: false,
            is_reachable: true,
        }
    }

    fn decided(offers: &[Offer], occupants: &[Occupant]) -> Vec<(u128, Decision)> {
        let decisions = decide(offers.to_vec(), occupants, at(0));
        let of = |(run, decision): (RunId, Decision)| (run.as_uuid().as_u128(), decision);
        decisions.offers.into_iter().map(of).collect()
    }

    const EVERY: [Overlap; 4] = [
        Overlap::Forbid,
        Overlap::Allow,
        Overlap::Queue { max: 1 },
        Overlap::Replace,
    ];

    #[test]
    fn the_word_is_given_when_a_run_is_due_and_not_before() {
        for overlap in EVERY {
            let offers = [offer(1, 0, overlap), offer(2, 1, overlap)];
            assert_eq!(decided(&offers, &[]), [(1, Decision::Go)], "{overlap:?}");
        }
    }

    #[test]
    fn who_is_out_of_reach_or_silent_is_passed_over_at_any_time() {
        for due in [0, 10] {
            let gone = Offer {
                is_reachable: false,
                ..offer(1, due, Overlap::Forbid)
            };
            let silent = Offer {
                is_accepted: false,
                since: at(-1),
                ..offer(1, due, Overlap::Forbid)
            };
            let asked = Offer {
                since: at(0),
                ..silent
            };
            assert_eq!(decided(&[gone], &[]), [(1, Decision::Move(None))]);
            assert_eq!(decided(&[silent], &[]), [(1, Decision::Move(None))]);
            assert_eq!(decided(&[asked], &[]), [], "it still may answer");
        }
    }

    #[test]
    fn what_is_due_while_another_is_alive_does_as_its_job_says() {
        let behind = |overlap| decided(&[offer(1, 0, overlap)], &[alive(-10)]);
        assert_eq!(
            behind(Overlap::Forbid),
            [(1, Decision::End(Reason::Overlap))]
        );
        assert_eq!(behind(Overlap::Allow), [(1, Decision::Go)]);
        assert_eq!(behind(Overlap::Queue { max: 1 }), []);
        let decisions = decide(vec![offer(1, 0, Overlap::Replace)], &[alive(-10)], at(0));
        assert_eq!(decisions.offers, []);
        assert_eq!(decisions.replaced, [RunId::from_u128(100)]);
        let late = decided(&[offer(1, -5, Overlap::Replace)], &[alive(-1)]);
        assert_eq!(late, [(1, Decision::End(Reason::Overtaken))]);
    }

    #[test]
    fn a_run_out_of_reach_blocks_and_is_told_apart() {
        let lost = Occupant {
            is_reachable: false,
            ..alive(-10)
        };
        let forbidden = decided(&[offer(1, 0, Overlap::Forbid)], &[lost]);
        assert_eq!(forbidden, [(1, Decision::End(Reason::Blocked))]);
        let replacing = decide(vec![offer(1, 0, Overlap::Replace)], &[lost], at(0));
        assert_eq!(replacing.offers, [], "it waits until that one is over");
        for overlap in [Overlap::Replace, Overlap::Queue { max: 1 }] {
            let in_vain = decided(&[offer(1, -61, overlap)], &[lost]);
            assert_eq!(in_vain, [(1, Decision::End(Reason::Blocked))]);
        }
    }

    #[test]
    fn a_queue_has_an_end_and_keeps_its_order() {
        let queue = Overlap::Queue { max: 2 };
        let offers = [-3, -2, -1].map(|due| offer((due + 4) as u128, due, queue));
        assert_eq!(
            decided(&offers, &[alive(-10)]),
            [(3, Decision::End(Reason::QueueFull))]
        );
        assert_eq!(
            decided(&offers, &[]),
            [(1, Decision::Go)],
            "the others wait for it"
        );
    }

    #[test]
    fn runs_of_one_due_instant_start_together() {
        for overlap in EVERY {
            let offers = [1, 2, 3].map(|run| offer(run, 0, overlap));
            let all = [1, 2, 3].map(|run| (run, Decision::Go));
            assert_eq!(decided(&offers, &[]), all, "{overlap:?}");
        }
    }

    #[test]
    fn nobody_starts_before_one_that_was_due_earlier_and_has_no_agent_yet() {
        for overlap in EVERY {
            let silent = Offer {
                is_accepted: false,
                since: at(0),
                ..offer(1, -1, overlap)
            };
            let expected = match overlap {
                Overlap::Allow => vec![(2, Decision::Go)],
                Overlap::Replace => vec![(1, Decision::End(Reason::Overtaken)), (2, Decision::Go)],
                Overlap::Forbid | Overlap::Queue { .. } => vec![],
            };
            let found = decided(&[silent, offer(2, 0, overlap)], &[]);
            assert_eq!(found, expected, "{overlap:?}");
        }
    }

    #[test]
    fn what_is_too_late_tells_why() {
        let late = offer(1, -61, Overlap::Forbid);
        let unheard = Offer {
            run: RunId::from_u128(2),
            is_accepted: false,
            ..late
        };
        assert_eq!(
            decided(&[late, unheard], &[]),
            [
                (1, Decision::End(Reason::StartDeadlineExceeded)),
                (2, Decision::End(Reason::NeverReceived)),
            ]
        );
        let unreachable = Offer {
            is_reachable: false,
            ..unheard
        };
        let end = [(2, Decision::End(Reason::AgentOffline))];
        assert_eq!(decided(&[unreachable], &[]), end);
    }

    #[test]
    fn what_is_withdrawn_ends_and_what_is_refused_goes_on_to_the_next() {
        for due in [0, 10] {
            let withdrawn = Offer {
                withdrawn: Some(Reason::Paused),
                ..offer(1, due, Overlap::Allow)
            };
            let end = [(1, Decision::End(Reason::Paused))];
            assert_eq!(decided(&[withdrawn], &[]), end);
            let refused = Offer {
                refused: Some(Reason::PolicyDenied),
                ..offer(1, due, Overlap::Allow)
            };
            let next = [(1, Decision::Move(Some(Reason::PolicyDenied)))];
            assert_eq!(decided(&[refused], &[]), next);
        }
    }
}
