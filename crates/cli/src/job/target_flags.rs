//! Flags for where a job runs.

use clap::{Args, ValueEnum};
use cronfleet_api::agent::Agent;
use cronfleet_api::target::{Pick, Target, TargetMode};

use crate::client::{Client, ids_of};
use crate::failure::Failure;

/// Which agents, and on which of them.
#[derive(Args, Default, PartialEq)]
pub(super) struct TargetFlags {
    /// Agent to run on (name or id); can be repeated
    #[arg(
        long,
        short,
        value_name = "AGENT",
        conflicts_with = "all_agents",
        help_heading = "Where"
    )]
    agent: Vec<String>,
    /// Run on every agent of the group, also on those to come
    #[arg(long, help_heading = "Where")]
    all_agents: bool,
    /// Run on so many of them, whichever are there: another one is asked while a run has not started
    #[arg(
        long,
        value_name = "COUNT",
        num_args = 0..=1,
        default_missing_value = "1",
        conflicts_with = "each",
        help_heading = "Where"
    )]
    any: Option<u32>,
    /// Who is asked first with --any
    #[arg(long, value_enum, conflicts_with = "each", help_heading = "Where")]
    pick: Option<PickWord>,
    /// Run on each of them, not on any
    #[arg(long, help_heading = "Where")]
    each: bool,
}

/// Who is asked first.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PickWord {
    /// Those with the fewest runs planned, under way or alive
    FewestRunning,
    /// Those with the least load average per processor
    LeastLoad,
    /// The next ones after the one that had the last run
    RoundRobin,
    /// The one that had the last run
    Sticky,
    /// Always the same, another one for each job
    Hash,
}

impl From<PickWord> for Pick {
    fn from(word: PickWord) -> Self {
        match word {
            PickWord::FewestRunning => Self::FewestRunning,
            PickWord::LeastLoad => Self::LeastLoad,
            PickWord::RoundRobin => Self::RoundRobin,
            PickWord::Sticky => Self::Sticky,
            PickWord::Hash => Self::Hash,
        }
    }
}

impl TargetFlags {
    /// Changes a target as the flags say. Looks up agents by name.
    pub(super) async fn apply(&self, client: &Client, target: &mut Target) -> Result<(), Failure> {
        if self.all_agents {
            (target.all, target.agent_ids) = (true, Vec::new());
        } else if !self.agent.is_empty() {
            target.all = false;
            target.agent_ids = ids_of::<Agent>(client, &self.agent).await?;
        }
        if self.each {
            (target.mode, target.count, target.pick) = (TargetMode::Each, None, None);
        }
        if let Some(count) = self.any {
            target.mode = TargetMode::Any;
            target.count = Some(count);
        }
        if let Some(pick) = self.pick {
            target.pick = Some(pick.into());
        }
        Ok(())
    }
}
