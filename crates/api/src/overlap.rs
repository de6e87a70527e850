//! What a scheduled job does when the previous run is still alive.

use cronfleet_core::job::{self as domain, SpecError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Runs that may wait unless the job says otherwise.
const QUEUE_MAX_DEFAULT: u32 = 1;

/// What to do when the previous run of the same agent and copy is still alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Skip the new run, on record.
    #[default]
    Forbid,
    /// Start it all the same.
    Allow,
    /// Let it wait for its turn until its start deadline; of more than `queue_max` the newest are skipped.
    Queue,
    /// Stop the previous run, and start the new one when it is over.
    Replace,
}

impl From<Overlap> for domain::Overlap {
    /// The policy, with a queue as long as it is unless the job says otherwise.
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::Forbid => Self::Forbid,
            Overlap::Allow => Self::Allow,
            Overlap::Queue => Self::Queue {
                max: QUEUE_MAX_DEFAULT,
            },
            Overlap::Replace => Self::Replace,
        }
    }
}

/// Reads the policy.
///
/// # Errors
/// A queue's length is given for what is no queue.
pub(crate) fn overlap(
    overlap: Overlap,
    queue_max: Option<u32>,
) -> Result<domain::Overlap, SpecError> {
    match (overlap, queue_max) {
        (Overlap::Queue, Some(max)) => Ok(domain::Overlap::Queue { max }),
        (overlap, None) => Ok(overlap.into()),
        (_, Some(max)) => Err(SpecError {
            field: "scheduled.queue_max".to_owned(),
            code: "job.queue_max_needless",
            message: format!("queue_max is {max}, but nothing waits in a queue"),
            hint: "leave it out, or set overlap to queue".to_owned(),
        }),
    }
}

/// The policy and the length of its queue, as they are shown.
pub(crate) fn shown(policy: domain::Overlap) -> (Overlap, Option<u32>) {
    match policy {
        domain::Overlap::Forbid => (Overlap::Forbid, None),
        domain::Overlap::Allow => (Overlap::Allow, None),
        domain::Overlap::Queue { max } => (Overlap::Queue, Some(max)),
        domain::Overlap::Replace => (Overlap::Replace, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_as_it_was() {
        for policy in [
            domain::Overlap::Forbid,
            domain::Overlap::Allow,
            domain::Overlap::Queue { max: 7 },
            domain::Overlap::Replace,
        ] {
            let (word, max) = shown(policy);
            assert_eq!(overlap(word, max), Ok(policy));
        }
    }

    #[test]
    fn a_queue_has_a_length_and_nothing_else_has() {
        let queue = domain::Overlap::Queue { max: 1 };
        assert_eq!(overlap(Overlap::Queue, None), Ok(queue));
        for word in [Overlap::Forbid, Overlap::Allow, Overlap::Replace] {
            let error = overlap(word, Some(3)).unwrap_err();
            assert_eq!(error.field, "scheduled.queue_max");
        }
    }
}
