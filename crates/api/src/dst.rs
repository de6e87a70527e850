//! What a scheduled job does when clocks change.

use cronfleet_core::schedule as domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of times that clocks skip or show twice. The rule of cron, where a value is absent: times of day run once, right
/// after the gap and in the first pass; intervals (second, minute or hour begins with `*`) follow real time. Only cron
/// expressions have times that clocks can skip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DstPolicy {
    /// Times that clocks skip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapPolicy>,
    /// Times that clocks show twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<RepeatPolicy>,
}

/// What becomes of times that clocks skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapPolicy {
    /// They run once, at the first instant after the gap.
    Run,
    /// They do not run that day.
    Skip,
}

/// What becomes of times that clocks show twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepeatPolicy {
    /// They run the first time only.
    First,
    /// They run both times.
    Both,
}

impl From<DstPolicy> for domain::DstPolicy {
    fn from(policy: DstPolicy) -> Self {
        Self {
            gap: policy.gap.map(|gap| match gap {
                GapPolicy::Run => domain::GapPolicy::Run,
                GapPolicy::Skip => domain::GapPolicy::Skip,
            }),
            overlap: policy.overlap.map(|overlap| match overlap {
                RepeatPolicy::First => domain::OverlapPolicy::First,
                RepeatPolicy::Both => domain::OverlapPolicy::Both,
            }),
        }
    }
}

impl From<domain::DstPolicy> for DstPolicy {
    fn from(policy: domain::DstPolicy) -> Self {
        Self {
            gap: policy.gap.map(|gap| match gap {
                domain::GapPolicy::Run => GapPolicy::Run,
                domain::GapPolicy::Skip => GapPolicy::Skip,
            }),
            overlap: policy.overlap.map(|overlap| match overlap {
                domain::OverlapPolicy::First => RepeatPolicy::First,
                domain::OverlapPolicy::Both => RepeatPolicy::Both,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_as_it_was() {
        let gaps = [
            None,
            Some(domain::GapPolicy::Run),
            Some(domain::GapPolicy::Skip),
        ];
        let overlaps = [
            None,
            Some(domain::OverlapPolicy::First),
            Some(domain::OverlapPolicy::Both),
        ];
        for gap in gaps {
            for overlap in overlaps {
                let policy = domain::DstPolicy { gap, overlap };
                assert_eq!(domain::DstPolicy::from(DstPolicy::from(policy)), policy);
            }
        }
    }
}
