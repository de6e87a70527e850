//! When a job is due: worked out without the product's schedule engine.

use jiff::Timestamp;

use crate::swarm::{JobDraw, Rhythm};

/// The due instants after `from`, up to and including `to`.
pub(crate) fn due_between(draw: &JobDraw, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let rhythm = draw.rhythm;
    let step_ms = if let Rhythm::EveryMs(ms) = rhythm {
        ms
    } else {
        1_000
    };
    let first = from.as_millisecond().div_euclid(step_ms) * step_ms;
    (first..=to.as_millisecond())
        .step_by(step_ms as usize)
        .filter(|ms| is_due(rhythm, ms.div_euclid(1_000).rem_euclid(60)))
        .filter_map(|ms| Timestamp::from_millisecond(ms).ok())
        .filter(|due| *due > from && *due <= to)
        .filter(|_| draw.today.is_none_or(|today| today.counts))
        .filter(|due| draw.active.from.is_none_or(|first| *due >= first))
        .filter(|due| draw.active.until.is_none_or(|end| *due < end))
        .collect()
}

fn is_due(rhythm: Rhythm, second: i64) -> bool {
    match rhythm {
        Rhythm::EveryMs(_) => true,
        Rhythm::Seconds(step) => second % step == 0,
        Rhythm::TwoSeconds(a, b) => second == a || second == b,
    }
}
