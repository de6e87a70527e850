//! `cronfleet job pause`, `resume`, `delete`.

use clap::Args;
use cronfleet_api::job::Job;
use reqwest::Method;

use crate::client::{Client, find, id_of};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown;

/// Some jobs.
#[derive(Args)]
pub(crate) struct Jobs {
    /// Names, group/name or ids
    #[arg(required = true)]
    jobs: Vec<String>,
}

impl Jobs {
    /// `pause` or `resume`, one job after the other.
    pub(super) async fn switch(
        self,
        action: &str,
        client: &Client,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        for name in &self.jobs {
            let id = id_of::<Job>(client, name).await?;
            let answer = client.post::<Job>(&format!("/jobs/{id}/{action}")).await?;
            if screen.is_json() {
                screen.json_line(&answer.raw)?;
            } else {
                let job = answer.value;
                let done = if job.is_paused { "paused" } else { "resumed" };
                let (group, name) = (shown::plain(&job.group_name), shown::plain(&job.spec.name));
                screen.line(format_args!("{done} {group}/{name}"))?;
            }
        }
        Ok(())
    }
}

/// Delete jobs; their runs stay on record.
#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    jobs: Jobs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        for name in &self.jobs.jobs {
            let job: Job = find(client, name).await?;
            let (group, name) = (shown::plain(&job.group_name), shown::plain(&job.spec.name));
            let effect = match job.slots_running {
                0 => "it will not run any more".to_owned(),
                count => format!("its {count} processes will be stopped"),
            };
            if self.yes || confirm(&format!("delete {group}/{name}"), &effect)? {
                client
                    .act(Method::DELETE, &format!("/jobs/{}", job.id), None::<&()>)
                    .await?;
                screen.note(format_args!("deleted {group}/{name}"));
            }
        }
        Ok(())
    }
}
