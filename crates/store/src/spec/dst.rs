//! Stored form of what a job does when clocks change.

use cronfleet_core::schedule::{DstPolicy, GapPolicy, OverlapPolicy};
use serde::{Deserialize, Serialize};

/// Absent: the rule of cron.
#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredDst {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<StoredGap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlap: Option<StoredOverlap>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredGap {
    Run,
    Skip,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredOverlap {
    First,
    Both,
}

impl From<DstPolicy> for StoredDst {
    fn from(policy: DstPolicy) -> Self {
        Self {
            gap: policy.gap.map(|gap| match gap {
                GapPolicy::Run => StoredGap::Run,
                GapPolicy::Skip => StoredGap::Skip,
            }),
            overlap: policy.overlap.map(|overlap| match overlap {
                OverlapPolicy::First => StoredOverlap::First,
                OverlapPolicy::Both => StoredOverlap::Both,
            }),
        }
    }
}

impl From<StoredDst> for DstPolicy {
    fn from(stored: StoredDst) -> Self {
        Self {
            gap: stored.gap.map(|gap| match gap {
                StoredGap::Run => GapPolicy::Run,
                StoredGap::Skip => GapPolicy::Skip,
            }),
            overlap: stored.overlap.map(|overlap| match overlap {
                StoredOverlap::First => OverlapPolicy::First,
                StoredOverlap::Both => OverlapPolicy::Both,
            }),
        }
    }
}
