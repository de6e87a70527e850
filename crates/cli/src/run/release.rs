//! `cronfleet run release`.

use clap::Args;
use cronfleet_api::run::Run;
use uuid::Uuid;

use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;

/// Give up runs that are lost or whose agent is out of reach, so that those which come after them are not blocked any more. Should one
/// be alive when its agent is back, it is stopped.
#[derive(Args)]
pub(crate) struct Release {
    /// Ids
    #[arg(required = true)]
    runs: Vec<Uuid>,
}

impl Release {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        for id in &self.runs {
            let answer = client.post::<Run>(&format!("/runs/{id}/release")).await?;
            if screen.is_json() {
                screen.json_line(&answer.raw)?;
            } else {
                screen.line(format_args!("{id} is in the way of no others any more"))?;
            }
        }
        Ok(())
    }
}
