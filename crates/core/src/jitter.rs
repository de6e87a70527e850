//! Jitter: how long after its due instant a run starts at the earliest, so that not all targets of a job start at once.
//!
//! Each target (an agent and a copy) of a job has one wait, drawn from its key for ever, as `H` is from the job's id. It does not
//! depend on the due instant: so the starts of a target keep order and distance of its due instants, however close these are, and
//! planning anew after a crash finds the same.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::id::{AgentId, JobId};

/// What the digest begins with, so that it is not the digest of anything else.
const DOMAIN: &[u8] = b"cronfleet jitter v1";

/// The wait of one target of a job, from 0 up to and including `jitter`, in whole milliseconds.
pub fn wait(jitter: Duration, job: JobId, agent: AgentId, copy: u32) -> Duration {
    let jitter_ms = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    if jitter_ms == 0 {
        return Duration::ZERO;
    }
    let digest = Sha256::new()
        .chain_update(DOMAIN)
        .chain_update(job.as_uuid().as_bytes())
        .chain_update(agent.as_uuid().as_bytes())
        .chain_update(copy.to_be_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Duration::from_millis(u64::from_be_bytes(first) % jitter_ms.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(jitter: Duration, job: u128) -> Vec<Duration> {
        (0..200)
            .map(|agent| wait(jitter, JobId::from_u128(job), AgentId::from_u128(agent), 0))
            .collect()
    }

    #[test]
    fn targets_lie_spread_over_the_whole_time() {
        let minute = Duration::from_secs(60);
        let waits = waits(minute, 7);
        assert!(waits.iter().all(|wait| *wait <= minute));
        for part in 0..10 {
            let (from, to) = (minute * part / 10, minute * (part + 1) / 10);
            let count = waits.iter().filter(|w| (from..to).contains(*w)).count();
            assert!((8..=36).contains(&count), "{count} of 200 in tenth {part}");
        }
        assert_ne!(waits, self::waits(minute, 8), "other jobs, other waits");
    }

    #[test]
    fn a_target_waits_for_the_same_time_for_ever() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(
            wait(hour, JobId::from_u128(1), AgentId::from_u128(2), 3),
            Duration::from_millis(WAIT_OF_1_2_3)
        );
        assert_eq!(
            wait(
                Duration::ZERO,
                JobId::from_u128(1),
                AgentId::from_u128(2),
                3
            ),
            Duration::ZERO
        );
        let longest = (0..2_000)
            .map(|copy| {
                let (job, agent) = (JobId::from_u128(1), AgentId::from_u128(2));
                wait(Duration::from_millis(1), job, agent, copy)
            })
            .max();
        assert_eq!(
            longest,
            Some(Duration::from_millis(1)),
            "the end belongs to it"
        );
    }

    /// Worked out with another program.
    const WAIT_OF_1_2_3: u64 = 2_114_756;
}
