//! Who plans: one center's part in the election that the database's lease decides.
//!
//! The lease in the database says who may plan; its epoch grows with every term and every planning transaction is fenced by it.
//! So this machine need not be right for anything to be correct; it has to be quick to take over and quick to step back:
//!
//! | state | taken | held | renewed | lost | failed | stop | time |
//! |---|---|---|---|---|---|---|---|
//! | standby | leading | wait [`TRY_EVERY`] | – | – | wait [`TRY_EVERY`] | over | at `try_at`: take |
//! | leading | later epoch: that term | – | trusted for longer | standby | renew after [`TRY_EVERY`] | resigning | at `renew_at`: renew; at `trusted_until`: standby |
//! | resigning | – | – | – | – | – | – | resign, once |
//! | over | – | – | – | – | – | – | done |
//!
//! Times are durations since the machine's boot, suspension included. Every answer comes with the time at which its question
//! was asked: a term is trusted from the moment of asking, never from the moment of the answer.

use std::time::Duration;

/// How long a lease lasts in the database's time.
pub const LEASE_TTL: Duration = Duration::from_secs(10);
/// How often the holder renews it.
pub const RENEW_EVERY: Duration = Duration::from_millis(2_500);
/// How long the holder trusts itself after asking for the last renewal that was granted: less than the lease lasts.
pub const TRUSTED_FOR: Duration = Duration::from_secs(7);
/// How often a standby tries to take the lease, and a holder whose renewal failed asks again.
pub const TRY_EVERY: Duration = Duration::from_secs(1);

/// Where a center stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elector {
    /// Another one plans, or nobody.
    Standby {
        /// When to try to take the lease.
        try_at: Duration,
    },
    /// This one plans.
    Leading {
        /// Of its term.
        epoch: u64,
        /// When to renew.
        renew_at: Duration,
        /// It does not plan from here on.
        trusted_until: Duration,
    },
    /// It gives its term back.
    Resigning {
        /// Of the term.
        epoch: u64,
    },
    /// It takes no part any more.
    Over,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing before this time.
    Wait {
        /// Time since boot.
        until: Duration,
    },
    /// Ask for a term.
    Take,
    /// Ask for more time in this one.
    Renew {
        /// Of the term.
        epoch: u64,
    },
    /// Give the term back, whether or not that succeeds.
    Resign {
        /// Of the term.
        epoch: u64,
    },
    /// Nothing any more.
    Finish,
}

/// What became of a question, and orders from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A term was granted.
    Taken {
        /// Its epoch.
        epoch: u64,
    },
    /// Another center has the lease.
    Held,
    /// The term goes on.
    Renewed,
    /// The term is over: somebody else has had the lease since.
    Lost,
    /// Nobody knows: the database did not answer.
    Failed,
    /// The center stops.
    Stop,
}

impl Elector {
    /// A center that has just started.
    pub const fn new(now: Duration) -> Self {
        Self::Standby { try_at: now }
    }

    /// The epoch of the term in which this center may plan at this moment.
    pub fn epoch(self, now: Duration) -> Option<u64> {
        match self {
            Self::Leading {
                epoch,
                trusted_until,
                ..
            } if now < trusted_until => Some(epoch),
            Self::Leading { .. } | Self::Standby { .. } | Self::Resigning { .. } | Self::Over => {
                None
            }
        }
    }

    /// What time alone makes of it, and what is to be done.
    pub fn act(self, now: Duration) -> (Self, Act) {
        match self {
            Self::Standby { try_at } if now < try_at => (self, Act::Wait { until: try_at }),
            Self::Standby { .. } => (self, Act::Take),
            Self::Leading { trusted_until, .. } if now >= trusted_until => {
                (Self::Standby { try_at: now }, Act::Take)
            }
            Self::Leading {
                epoch, renew_at, ..
            } if now >= renew_at => (self, Act::Renew { epoch }),
            Self::Leading {
                renew_at,
                trusted_until,
                ..
            } => (
                self,
                Act::Wait {
                    until: renew_at.min(trusted_until),
                },
            ),
            Self::Resigning { epoch } => (Self::Over, Act::Resign { epoch }),
            Self::Over => (self, Act::Finish),
        }
    }

    /// What an answer to a question asked at `asked` makes of it.
    #[must_use]
    pub fn hear(self, heard: Heard, asked: Duration, now: Duration) -> Self {
        let again = now.saturating_add(TRY_EVERY);
        match (self, heard) {
            (Self::Standby { .. }, Heard::Taken { epoch }) => Self::term(epoch, asked),
            (Self::Standby { .. }, Heard::Held | Heard::Failed) => Self::Standby { try_at: again },
            (Self::Standby { .. }, Heard::Renewed | Heard::Lost) => self,
            (Self::Standby { .. }, Heard::Stop) => Self::Over,
            (Self::Leading { epoch, .. }, Heard::Taken { epoch: granted }) if granted > epoch => {
                Self::term(granted, asked)
            }
            (Self::Leading { .. }, Heard::Taken { .. } | Heard::Held) => self,
            (
                Self::Leading {
                    epoch,
                    trusted_until,
                    ..
                },
                Heard::Renewed,
            ) => match Self::term(epoch, asked) {
                // An answer that comes late takes nothing back.
                Self::Leading {
                    renew_at,
                    trusted_until: until,
                    ..
                } => Self::Leading {
                    epoch,
                    renew_at,
                    trusted_until: until.max(trusted_until),
                },
                other @ (Self::Standby { .. } | Self::Resigning { .. } | Self::Over) => other,
            },
            (Self::Leading { .. }, Heard::Lost) => Self::Standby { try_at: again },
            (
                Self::Leading {
                    epoch,
                    trusted_until,
                    ..
                },
                Heard::Failed,
            ) => Self::Leading {
                epoch,
                renew_at: again,
                trusted_until,
            },
            (Self::Leading { epoch, .. }, Heard::Stop) => Self::Resigning { epoch },
            (
                Self::Resigning { .. } | Self::Over,
                Heard::Taken { .. }
                | Heard::Held
                | Heard::Renewed
                | Heard::Lost
                | Heard::Failed
                | Heard::Stop,
            ) => self,
        }
    }

    fn term(epoch: u64, asked: Duration) -> Self {
        Self::Leading {
            epoch,
            renew_at: asked.saturating_add(RENEW_EVERY),
            trusted_until: asked.saturating_add(TRUSTED_FOR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_term_counts_from_the_question_and_ends_without_an_answer() {
        let started = Elector::new(at(0));
        assert_eq!(started.act(at(0)).1, Act::Take);
        let leading = started.hear(Heard::Taken { epoch: 4 }, at(0), at(900));
        assert_eq!(leading.act(at(900)).1, Act::Wait { until: at(2_500) });
        assert_eq!(leading.act(at(2_500)).1, Act::Renew { epoch: 4 });
        let unheard = leading.hear(Heard::Failed, at(2_500), at(5_000));
        assert_eq!(unheard.act(at(5_999)).1, Act::Wait { until: at(6_000) });
        assert_eq!(unheard.epoch(at(6_999)), Some(4));
        assert_eq!(unheard.epoch(at(7_000)), None);
        let (demoted, act) = unheard.act(at(7_000));
        assert_eq!((demoted.epoch(at(0)), act), (None, Act::Take));
    }

    #[test]
    fn a_renewal_prolongs_and_a_lost_one_ends() {
        let leading = Elector::new(at(0)).hear(Heard::Taken { epoch: 1 }, at(0), at(1));
        let renewed = leading.hear(Heard::Renewed, at(2_500), at(2_600));
        assert_eq!(renewed.epoch(at(9_499)), Some(1));
        assert_eq!(renewed.epoch(at(9_500)), None);
        let lost = renewed.hear(Heard::Lost, at(5_000), at(5_001));
        assert_eq!(lost, Elector::Standby { try_at: at(6_001) });
        assert_eq!(lost.hear(Heard::Renewed, at(2_500), at(5_002)), lost);
    }

    #[test]
    fn stopping_resigns_a_term_once() {
        let leading = Elector::new(at(0)).hear(Heard::Taken { epoch: 9 }, at(0), at(1));
        let resigning = leading.hear(Heard::Stop, at(5), at(5));
        assert_eq!(resigning.epoch(at(5)), None);
        let (over, act) = resigning.act(at(5));
        assert_eq!(act, Act::Resign { epoch: 9 });
        assert_eq!(over.act(at(6)).1, Act::Finish);
        let idle = Elector::new(at(0)).hear(Heard::Stop, at(0), at(0));
        assert_eq!(idle.act(at(0)).1, Act::Finish);
    }
}
