//! Catch-up of scheduled jobs.

use std::time::Duration;

use cronfleet_core::catch_up::{self as domain, CATCH_UP_WINDOW_DEFAULT};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What becomes of due instants whose start deadline passed while no center was up to plan them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatchUp {
    /// Which of them run.
    #[serde(default)]
    pub policy: CatchUpPolicy,
    /// For `all`: most due instants that run after one outage, 1 to 100; of more the latest. Default 100.
    #[serde(default = "max")]
    pub max: u32,
    /// For `all`: how far back, in milliseconds, 60,000 to 31,622,400,000. Default 86,400,000, which is a day.
    #[serde(default = "window_ms")]
    pub window_ms: u64,
}

/// Which due instants run although their start deadline has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpPolicy {
    /// None.
    #[default]
    None,
    /// The latest, unless one after it is still within its start deadline: then that one stands for all.
    Latest,
    /// Each, in order, as far as `max` and `window_ms` allow.
    All,
}

fn max() -> u32 {
    domain::CATCH_UP_MAX
}

fn window_ms() -> u64 {
    millis(CATCH_UP_WINDOW_DEFAULT)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Default for CatchUp {
    fn default() -> Self {
        Self {
            policy: CatchUpPolicy::None,
            max: max(),
            window_ms: window_ms(),
        }
    }
}

impl From<CatchUp> for domain::CatchUp {
    fn from(catch_up: CatchUp) -> Self {
        match catch_up.policy {
            CatchUpPolicy::None => Self::None,
            CatchUpPolicy::Latest => Self::Latest,
            CatchUpPolicy::All => Self::All {
                max: catch_up.max,
                window: Duration::from_millis(catch_up.window_ms),
            },
        }
    }
}

impl From<domain::CatchUp> for CatchUp {
    fn from(catch_up: domain::CatchUp) -> Self {
        match catch_up {
            domain::CatchUp::None => Self::default(),
            domain::CatchUp::Latest => Self {
                policy: CatchUpPolicy::Latest,
                ..Self::default()
            },
            domain::CatchUp::All { max, window } => Self {
                policy: CatchUpPolicy::All,
                max,
                window_ms: millis(window),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back_as_it_was() {
        let all = domain::CatchUp::All {
            max: 7,
            window: Duration::from_secs(3_600),
        };
        for catch_up in [domain::CatchUp::None, domain::CatchUp::Latest, all] {
            assert_eq!(domain::CatchUp::from(CatchUp::from(catch_up)), catch_up);
        }
    }
}
