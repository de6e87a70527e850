//! The one source of randomness in a center: ids, secrets, draws for jitter.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

/// Mints ids and secrets. Clones share one generator.
#[derive(Clone)]
pub struct Mint {
    generator: Arc<Mutex<StdRng>>,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mint")
    }
}

impl Mint {
    /// A generator seeded by the operating system.
    pub fn from_system() -> Self {
        Self {
            generator: Arc::new(Mutex::new(rand::make_rng())),
        }
    }

    /// A generator that repeats itself: for tests.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            generator: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// A new id (UUID version 7: sorts by the time of minting).
    pub fn id(&self, now: Timestamp) -> Uuid {
        let mut bytes: [u8; 16] = self.generator().random();
        bytes[..6].copy_from_slice(&now.as_millisecond().max(0).to_be_bytes()[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Uuid::from_bytes(bytes)
    }

    /// 256 bits that nobody can guess.
    pub fn secret(&self) -> [u8; 32] {
        self.generator().random()
    }

    /// A uniform number in `[0, 1)`.
    pub fn draw(&self) -> f64 {
        self.generator().random()
    }

    fn generator(&self) -> MutexGuard<'_, StdRng> {
        self.generator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_and_sort_by_time() {
        let mint = Mint::from_seed(1);
        let at = |second| Timestamp::from_second(second).unwrap();
        let (a, b, c) = (mint.id(at(10)), mint.id(at(11)), mint.id(at(11)));
        assert!(a < b && b != c);
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(
            Mint::from_seed(1).id(at(10)),
            a,
            "the same seed repeats itself"
        );
    }
}
