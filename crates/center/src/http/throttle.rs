//! Slows down those who guess passwords and setup codes.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::error::ApiError;

/// Attempts per minute from one address for one login.
const PER_LOGIN: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// Attempts per minute from one address.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Keys remembered before those that are full again are forgotten.
const KEYS_MAX: usize = 10_000;

/// Counts attempts. Clones share the counts.
#[derive(Clone)]
pub(super) struct Throttle {
    inner: Arc<Inner>,
}

struct Inner {
    by_login: DefaultKeyedRateLimiter<(IpAddr, String)>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Default for Throttle {
    fn default() -> Self {
        let inner = Inner {
            by_login: DefaultKeyedRateLimiter::keyed(Quota::per_minute(PER_LOGIN)),
            by_address: DefaultKeyedRateLimiter::keyed(Quota::per_minute(PER_ADDRESS)),
            clock: DefaultClock::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl Throttle {
    /// Counts one attempt.
    ///
    /// # Errors
    /// [`ApiError::TooMany`] if there were too many of late.
    pub(super) fn attempt(&self, address: IpAddr, login: &str) -> Result<(), ApiError> {
        let Inner {
            by_login,
            by_address,
            clock,
        } = self.inner.as_ref();
        if by_login.len() > KEYS_MAX {
            by_login.retain_recent();
        }
        if by_address.len() > KEYS_MAX {
            by_address.retain_recent();
        }
        let address = network(address);
        let login: String = login.to_lowercase().chars().take(64).collect();
        by_address
            .check_key(&address)
            .and_then(|()| by_login.check_key(&(address, login)))
            .map_err(|until| {
                let wait = until.wait_time_from(clock.now());
                ApiError::TooMany {
                    retry_after_seconds: wait.as_secs() + 1,
                }
            })
    }
}

/// The address that counts: of IPv6 the network, since whoever has one address has its whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_per_address_and_login() {
        let throttle = Throttle::default();
        let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        for _ in 0..5 {
            throttle.attempt(a, "Ada").unwrap();
        }
        let Err(ApiError::TooMany {
            retry_after_seconds,
        }) = throttle.attempt(a, "ada")
        else {
            panic!("letter case must not help");
        };
        assert!((1..=60).contains(&retry_after_seconds));
        throttle.attempt(a, "grace").unwrap();
        throttle.attempt(b, "ada").unwrap();
        for n in 0..13 {
            throttle.attempt(a, &format!("guess {n}")).unwrap();
        }
        assert!(
            throttle.attempt(a, "another").is_err(),
            "twenty from one address"
        );
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), a);
        assert_eq!(
            network("fd00::1".parse().unwrap()),
            network("fd00::2".parse().unwrap())
        );
    }
}
