//! What may happen in a history.

use std::time::Duration;

use cronfleet_core::id::{JobId, RunId};
use cronfleet_core::job::{Command, Launch, Overlap, StopPolicy};
use cronfleet_core::order::Order;
use jiff::Timestamp;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Advance(u64),
    Order {
        run: u8,
        lane: u8,
        due_in: u16,
        window: u16,
        overlap: Overlap,
        timeout: Option<u16>,
        is_offer: bool,
    },
    /// The word for an offer.
    Go(u8),
    /// Limits on the runs of the agent: alive at once, started in a second.
    Limits(Option<u32>, Option<u32>),
    Resend(u8),
    Revoke(u8),
    Kill(u8),
    Inquire(u8),
    Host {
        run: u8,
        choice: u8,
    },
    Sync,
    Ack(u8),
    RestartAgent,
    RestartHost,
    FailLedger(bool),
    FailSync,
    Compact,
}

/// One of them, the common ones more often.
pub(crate) fn action() -> impl Strategy<Value = Action> {
    let run = 0..16_u8;
    prop_oneof![
        6 => (0..2_500_u64).prop_map(Action::Advance),
        6 => (run.clone(), 0..2_u8, 0..6_000_u16, 0..8_000_u16, overlap(), proptest::option::of(100..4_000_u16), prop::bool::weighted(0.25))
            .prop_map(|(run, lane, due_in, window, overlap, timeout, is_offer)| {
                Action::Order { run, lane, due_in, window, overlap, timeout, is_offer }
            }),
        3 => run.clone().prop_map(Action::Go),
        1 => (proptest::option::of(1..4_u32), proptest::option::of(1..4_u32))
            .prop_map(|(running, starts)| Action::Limits(running, starts)),
        1 => run.clone().prop_map(Action::Resend),
        1 => run.clone().prop_map(Action::Revoke),
        1 => run.clone().prop_map(Action::Kill),
        1 => run.clone().prop_map(Action::Inquire),
        20 => (run.clone(), any::<u8>()).prop_map(|(run, choice)| Action::Host { run, choice }),
        8 => Just(Action::Sync),
        2 => run.prop_map(Action::Ack),
        1 => Just(Action::RestartAgent),
        1 => Just(Action::RestartHost),
        1 => prop::bool::weighted(0.3).prop_map(Action::FailLedger),
        1 => Just(Action::FailSync),
        1 => Just(Action::Compact),
    ]
}

fn overlap() -> impl Strategy<Value = Overlap> {
    prop_oneof![
        3 => Just(Overlap::Forbid),
        3 => Just(Overlap::Allow),
        1 => (1..4_u32).prop_map(|max| Overlap::Queue { max }),
        1 => Just(Overlap::Replace),
    ]
}

/// The order of a run.
pub(crate) fn order(
    run: RunId,
    lane: u32,
    due: Timestamp,
    window: u16,
    overlap: Overlap,
    timeout: Option<u16>,
    is_offer: bool,
) -> Order {
    Order {
        run,
        job: JobId::from_u128(1),
        job_name: "job".into(),
        job_version: 1,
        copy: lane,
        copies: 2,
        attempt: 1,
        due,
        jitter: Duration::ZERO,
        not_before: due,
        not_after: due + Duration::from_millis(u64::from(window)),
        is_offer,
        overlap,
        timeout: timeout.map(|ms| Duration::from_millis(u64::from(ms))),
        launch: Launch {
            stop: StopPolicy {
                grace: Duration::from_secs(2),
                ..StopPolicy::default()
            },
            ..Launch::new(Command::Argv(vec!["/bin/true".into()]), "nobody")
        },
    }
}
