//! `cronfleet job snooze`.

use clap::{ArgGroup, Args};
use cronfleet_api::job::Job;
use cronfleet_api::window::SnoozePut;
use jiff::Timestamp;
use reqwest::Method;

use crate::client::{Client, id_of};
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};
use crate::screen::Screen;
use crate::shown;
use crate::window::center_time_after;

/// Let scheduled jobs rest until an instant: what is due until then is skipped, and they go on by themselves.
#[derive(Args)]
#[command(group(ArgGroup::new("end").required(true)))]
pub(crate) struct Snooze {
    /// Names, group/name or ids
    #[arg(required = true)]
    jobs: Vec<String>,
    /// Until this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", group = "end")]
    until: Option<Timestamp>,
    /// For so long from now, e.g. 2h or 1d12h
    #[arg(long, value_name = "TIME", value_parser = parse_millis, group = "end")]
    r#for: Option<Millis>,
    /// End the snooze: what is due from now on runs
    #[arg(long, group = "end")]
    clear: bool,
}

impl Snooze {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let until = match self.r#for {
            Some(length) => Some(center_time_after(client, length).await?),
            None => self.until,
        };
        for name in &self.jobs {
            let id = id_of::<Job>(client, name).await?;
            let path = format!("/jobs/{id}/snooze");
            let answer = match until {
                Some(until) => {
                    let request = SnoozePut { until };
                    client.send::<Job>(Method::PUT, &path, &request).await?
                }
                None => {
                    let nothing = serde_json::json!({});
                    client.send::<Job>(Method::DELETE, &path, &nothing).await?
                }
            };
            if screen.is_json() {
                screen.json_line(&answer.raw)?;
                continue;
            }
            let job = answer.value;
            let (group, name) = (shown::plain(&job.group_name), shown::plain(&job.spec.name));
            match &job.snooze {
                Some(snooze) => {
                    let until = shown::instant(snooze.until);
                    screen.line(format_args!("snoozed {group}/{name} until {until}"))?;
                }
                None => screen.line(format_args!("{group}/{name} is not snoozed"))?,
            }
        }
        Ok(())
    }
}
