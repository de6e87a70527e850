//! Stored form of a job's catch-up.

use std::time::Duration;

use cronfleet_core::catch_up::CatchUp;
use serde::{Deserialize, Serialize};

use super::micros;

/// Absent from a definition: nothing is caught up.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredCatchUp {
    Latest,
    All { max: u32, window_us: u64 },
}

impl StoredCatchUp {
    pub(super) fn of(catch_up: CatchUp) -> Option<Self> {
        match catch_up {
            CatchUp::None => None,
            CatchUp::Latest => Some(Self::Latest),
            CatchUp::All { max, window } => Some(Self::All {
                max,
                window_us: micros(window),
            }),
        }
    }
}

impl From<StoredCatchUp> for CatchUp {
    fn from(stored: StoredCatchUp) -> Self {
        match stored {
            StoredCatchUp::Latest => Self::Latest,
            StoredCatchUp::All { max, window_us } => Self::All {
                max,
                window: Duration::from_micros(window_us),
            },
        }
    }
}
