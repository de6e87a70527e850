//! `cronfleet agent ledger`: what the agent of this machine knows about runs, read from its ledger.

use clap::Args;
use cronfleet_agent::{AgentError, RunAccount, read_accounts};
use cronfleet_core::id::RunId;
use cronfleet_core::order::Claim;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::server::{DataDir, agent_data_dir};
use crate::shown;

/// Which runs, of which agent of this machine.
#[derive(Args)]
pub(crate) struct Ledger {
    /// Only these runs (ids); all that the ledger still knows when left out
    #[arg(value_name = "RUN")]
    runs: Vec<Uuid>,
    #[command(flatten)]
    data_dir: DataDir,
}

/// A run in the ledger.
#[derive(Serialize)]
struct Known {
    run: Uuid,
    due: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    is_acknowledged: bool,
}

impl Ledger {
    /// Reads and shows.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let data_dir = self.data_dir.resolve(None, agent_data_dir)?;
        let accounts = read_accounts(&data_dir).map_err(AgentError::from)?;
        let known: Vec<Known> = accounts
            .into_iter()
            .map(Known::of)
            .filter(|known| self.runs.is_empty() || self.runs.contains(&known.run))
            .collect();
        if screen.is_json() {
            return screen.json(&known);
        }
        let header = [
            "RUN",
            "DUE",
            "OUTCOME",
            "REASON",
            "STARTED",
            "ENDED",
            "ACKNOWLEDGED",
        ];
        let rows = known.iter().map(Known::row).collect();
        screen.table(&header, rows, "the ledger knows no run")
    }
}

impl Known {
    fn of((run, account): (RunId, RunAccount)) -> Self {
        let outcome = account.outcome();
        let (start, end) = match &account.claim {
            Some(Claim::Ended { start, end }) => (*start, Some(end.at)),
            Some(Claim::Lost { start, .. }) => (*start, None),
            _ => (None, None),
        };
        Self {
            run: run.as_uuid(),
            due: account.due,
            accepted_at: account.accepted_at,
            outcome: outcome.map(|(outcome, _)| outcome.word()),
            reason: outcome.and_then(|(_, reason)| Some(reason?.word())),
            started_at: start.map(|start| start.at),
            ended_at: end,
            is_acknowledged: account.is_acknowledged,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            shown::maybe_instant(self.due),
            self.outcome.unwrap_or("open").to_owned(),
            shown::maybe_plain(self.reason),
            shown::maybe_instant(self.started_at),
            shown::maybe_instant(self.ended_at),
            shown::yes_no(self.is_acknowledged),
        ]
    }
}
