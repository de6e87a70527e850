//! `cronfleet run kill`.

use clap::Args;
use cronfleet_api::run::{Run, RunState};
use uuid::Uuid;

use super::list::outcome;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;

/// Kill runs: the job's stop signal, its grace, then KILL for everything that is left.
#[derive(Args)]
pub(crate) struct Kill {
    /// Ids
    #[arg(required = true)]
    runs: Vec<Uuid>,
}

impl Kill {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        for id in &self.runs {
            let answer = client.post::<Run>(&format!("/runs/{id}/kill")).await?;
            if screen.is_json() {
                screen.json_line(&answer.raw)?;
            } else if answer.value.state == RunState::Ended {
                screen.line(format_args!(
                    "{id} was already over: {}",
                    outcome(&answer.value)
                ))?;
            } else {
                screen.line(format_args!("{id} is being killed"))?;
            }
        }
        Ok(())
    }
}
