//! Several electors over one lease, with answers that come late or never and machines that stand still: whatever happens, two
//! never plan at the same time, and once the trouble is over one plans soon.

use std::time::Duration;

use cronfleet_core::elector::{Act, Elector, Heard, LEASE_TTL};
use proptest::prelude::*;

/// The lease as the database has it.
#[derive(Debug, Default)]
struct Lease {
    holder: Option<usize>,
    epoch: u64,
    expires_at: Duration,
}

impl Lease {
    fn take(&mut self, who: usize, now: Duration) -> Heard {
        if self.holder.is_some() && now < self.expires_at {
            return Heard::Held;
        }
        self.epoch += 1;
        (self.holder, self.expires_at) = (Some(who), now + LEASE_TTL);
        Heard::Taken { epoch: self.epoch }
    }

    fn renew(&mut self, who: usize, epoch: u64, now: Duration) -> Heard {
        if self.holder != Some(who) || self.epoch != epoch || now >= self.expires_at {
            return Heard::Lost;
        }
        self.expires_at = now + LEASE_TTL;
        Heard::Renewed
    }

    fn resign(&mut self, who: usize, epoch: u64) {
        if self.holder == Some(who) && self.epoch == epoch {
            self.expires_at = Duration::ZERO;
        }
    }
}

/// What befalls one step of one center.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The question takes so many milliseconds each way.
    Answer(u64, u64),
    /// The question never arrives.
    NotAsked(u64),
    /// The question arrives, the answer does not.
    NotAnswered(u64),
    /// The machine stands still.
    Frozen(u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (0_u64..300, 0_u64..300).prop_map(|(there, back)| Fate::Answer(there, back)),
        1 => (0_u64..6_000, 0_u64..6_000).prop_map(|(there, back)| Fate::Answer(there, back)),
        1 => (0_u64..5_000).prop_map(Fate::NotAsked),
        1 => (0_u64..5_000).prop_map(Fate::NotAnswered),
        1 => (0_u64..40_000).prop_map(Fate::Frozen),
    ]
}

/// An answer on its way.
#[derive(Debug)]
struct Question {
    act: Act,
    asked: Duration,
    arrives: Option<Duration>,
    answer: Option<Heard>,
    ends: Duration,
}

#[derive(Debug)]
struct Center {
    elector: Elector,
    question: Option<Question>,
    frozen_until: Duration,
}

proptest! {
    #[test]
    fn two_never_plan_at_once_and_one_does_in_the_end(fates in prop::collection::vec(fate(), 1..120)) {
        let mut lease = Lease::default();
        let mut centers: Vec<Center> = (0..3)
            .map(|_| Center { elector: Elector::new(Duration::ZERO), question: None, frozen_until: Duration::ZERO })
            .collect();
        let mut fates = fates.into_iter();
        let mut now = Duration::ZERO;
        let (mut is_calm, mut calm_since) = (false, None);
        loop {
            for (who, center) in centers.iter_mut().enumerate() {
                // What has arrived at the database counts, whatever became of who asked.
                if let Some(question) = &mut center.question
                    && question.answer.is_none()
                    && question.arrives.is_some_and(|at| at <= now)
                {
                    question.answer = Some(match question.act {
                        Act::Take => lease.take(who, now),
                        Act::Renew { epoch } => lease.renew(who, epoch, now),
                        Act::Resign { epoch } => {
                            lease.resign(who, epoch);
                            Heard::Failed
                        }
                        Act::Wait { .. } | Act::Finish => Heard::Failed,
                    });
                }
                if now < center.frozen_until {
                    continue;
                }
                if let Some(question) = center.question.take_if(|question| question.ends <= now) {
                    let heard = question.answer.unwrap_or(Heard::Failed);
                    center.elector = center.elector.hear(heard, question.asked, now);
                }
                if center.question.is_none() {
                    let (elector, act) = center.elector.act(now);
                    center.elector = elector;
                    if matches!(act, Act::Wait { .. } | Act::Finish) {
                        continue;
                    }
                    is_calm |= fates.len() == 0;
                    let fate = fates.next().unwrap_or(Fate::Answer(1, 1));
                    let ms = Duration::from_millis;
                    let (arrives, ends) = match fate {
                        Fate::Answer(there, back) => (Some(now + ms(there)), now + ms(there + back)),
                        Fate::NotAsked(wait) => (None, now + ms(wait)),
                        Fate::NotAnswered(wait) => (Some(now), now + ms(wait)),
                        Fate::Frozen(wait) => {
                            center.frozen_until = now + ms(wait);
                            (Some(now), now)
                        }
                    };
                    // An answer that was lost is heard as a failure.
                    let answer = matches!(fate, Fate::NotAnswered(_)).then(|| {
                        if act == Act::Take {
                            lease.take(who, now);
                        }
                        Heard::Failed
                    });
                    center.question = Some(Question { act, asked: now, arrives, answer, ends });
                }
            }
            let planning: Vec<(usize, u64)> = centers
                .iter()
                .enumerate()
                .filter(|(_, center)| now >= center.frozen_until)
                .filter_map(|(who, center)| Some((who, center.elector.epoch(now)?)))
                .collect();
            prop_assert!(planning.len() <= 1, "{planning:?} at {now:?}");
            if let Some(&(who, epoch)) = planning.first() {
                prop_assert_eq!((lease.holder, lease.epoch), (Some(who), epoch));
                prop_assert!(now < lease.expires_at);
            }
            if is_calm && calm_since.is_none() {
                // The last troubles are over when their questions are, and their machines stand still no more.
                let ends = centers.iter().map(|center| {
                    let question = center.question.as_ref().map_or(now, |question| question.ends);
                    question.max(center.frozen_until)
                });
                calm_since = ends.max();
            }
            if calm_since.is_some_and(|since| now > since + Duration::from_millis(11_500)) {
                prop_assert!(!planning.is_empty(), "nobody plans at {now:?}");
                break;
            }
            now += Duration::from_millis(50);
        }
    }
}

#[test]
fn a_graceful_stop_hands_over_within_a_second() {
    let ms = Duration::from_millis;
    let mut lease = Lease::default();
    let first = Elector::new(ms(0)).hear(lease.take(0, ms(0)), ms(0), ms(1));
    let second = Elector::new(ms(0)).hear(lease.take(1, ms(1)), ms(1), ms(1));
    let (_, act) = first.hear(Heard::Stop, ms(500), ms(500)).act(ms(500));
    let Act::Resign { epoch } = act else {
        panic!("{act:?}");
    };
    lease.resign(0, epoch);
    let (second, act) = second.act(ms(1_001));
    assert_eq!(act, Act::Take);
    let second = second.hear(lease.take(1, ms(1_001)), ms(1_001), ms(1_002));
    assert_eq!(second.epoch(ms(1_002)), Some(2));
}
