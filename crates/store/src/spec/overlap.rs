//! Stored form of a job's overlap policy: a flag, and what a flag cannot say.

use cronfleet_core::job::Overlap;
use serde::{Deserialize, Serialize};

/// A policy beside allow and forbid. Centers that do not know it take it for forbid.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredOverlap {
    Queue { max: u32 },
    Replace,
}

impl StoredOverlap {
    pub(super) const fn of(overlap: Overlap) -> Option<Self> {
        match overlap {
            Overlap::Forbid | Overlap::Allow => None,
            Overlap::Queue { max } => Some(Self::Queue { max }),
            Overlap::Replace => Some(Self::Replace),
        }
    }

    /// The policy, where the flag says whether overlap is allowed.
    pub(super) const fn read(stored: Option<Self>, is_allowed: bool) -> Overlap {
        match (stored, is_allowed) {
            (Some(Self::Queue { max }), _) => Overlap::Queue { max },
            (Some(Self::Replace), _) => Overlap::Replace,
            (None, true) => Overlap::Allow,
            (None, false) => Overlap::Forbid,
        }
    }
}
