//! Flags for the catch-up of a scheduled job.

use clap::{Args, ValueEnum};
use cronfleet_api::job::{CatchUp, CatchUpPolicy};

use super::spec_flags::{set, set_ms};
use crate::quantity::{Millis, parse_millis};
use crate::shown;

/// Flags for the catch-up of a scheduled job.
#[derive(Args, Default, PartialEq)]
pub(crate) struct CatchUpFlags {
    /// Which due instants run although no center was up to plan them before their start deadline
    #[arg(long, value_enum)]
    catch_up: Option<PolicyWord>,
    /// For all: most of them after one outage, 1 to 100 [default: 100]
    #[arg(long, value_name = "COUNT")]
    catch_up_max: Option<u32>,
    /// For all: how far back, e.g. 12h [default: 1d]
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    catch_up_window: Option<Millis>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PolicyWord {
    /// None of them
    None,
    /// The latest
    Latest,
    /// Each, one after the other, within --catch-up-max and --catch-up-window
    All,
}

impl CatchUpFlags {
    /// Whether no flag was given.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes a catch-up as the flags say.
    pub(super) fn apply(&self, catch_up: &mut CatchUp) {
        let policy = self.catch_up.map(|word| match word {
            PolicyWord::None => CatchUpPolicy::None,
            PolicyWord::Latest => CatchUpPolicy::Latest,
            PolicyWord::All => CatchUpPolicy::All,
        });
        set(&mut catch_up.policy, policy);
        set(&mut catch_up.max, self.catch_up_max);
        set_ms(&mut catch_up.window_ms, self.catch_up_window);
    }
}

/// What is caught up; `None` if nothing is.
pub(super) fn in_words(catch_up: &CatchUp) -> Option<String> {
    match catch_up.policy {
        CatchUpPolicy::None => None,
        CatchUpPolicy::Latest => Some("the latest of what was missed".to_owned()),
        CatchUpPolicy::All => Some(format!(
            "what was missed, at most {} and {} back",
            catch_up.max,
            shown::duration_ms(catch_up.window_ms)
        )),
    }
}
