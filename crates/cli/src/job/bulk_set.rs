//! Which fields `cronfleet job bulk set` sets, and to what.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args, ValueEnum};
use cronfleet_api::agent::Agent;
use serde_json::{Value, json};

use crate::client::{Client, ids_of};
use crate::failure::Failure;
use crate::quantity::{Millis, parse_millis};

/// New values. What is not given stays as it is in each job.
#[derive(Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true)))]
pub(super) struct Values {
    /// Linux user to run as
    #[arg(
        long,
        value_name = "USER",
        group = "what",
        help_heading = "What to set"
    )]
    run_as: Option<String>,
    /// IANA time zone of the schedule
    #[arg(
        long,
        value_name = "ZONE",
        group = "what",
        help_heading = "What to set"
    )]
    tz: Option<String>,
    /// What to do while the previous run is alive
    #[arg(long, value_enum, group = "what", help_heading = "What to set")]
    overlap: Option<Overlap>,
    /// Stop a run that is alive longer, e.g. 30s
    #[arg(long, value_name = "TIME", value_parser = parse_millis, group = "what", help_heading = "What to set")]
    timeout: Option<Millis>,
    /// Agent to run on from now on, in place of those before (name or id); can be repeated
    #[arg(
        long,
        value_name = "AGENT",
        conflicts_with = "to_all_agents",
        group = "what",
        help_heading = "What to set"
    )]
    to_agent: Vec<String>,
    /// Run on every agent of the group
    #[arg(long, group = "what", help_heading = "What to set")]
    to_all_agents: bool,
    /// Any other field, as job show --spec prints it: PATH=VALUE, e.g. scheduled.retry.attempts_max=3; can be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_field, group = "what", help_heading = "What to set")]
    field: Vec<(String, Value)>,
    /// Set a field back to its default, e.g. scheduled.timeout_ms; can be repeated
    #[arg(
        long,
        value_name = "PATH",
        group = "what",
        help_heading = "What to set"
    )]
    unset: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Overlap {
    /// Skip the new run, on record
    Forbid,
    /// Start it all the same
    Allow,
    /// Let it wait for its turn
    Queue,
    /// Stop the previous run, and start the new one when it is over
    Replace,
}

impl Values {
    /// Values by path.
    pub(super) async fn fields(self, client: &Client) -> Result<BTreeMap<String, Value>, Failure> {
        let target = match self.to_agent.as_slice() {
            [] => self.to_all_agents.then(|| json!({ "all": true })),
            names => Some(json!({ "agent_ids": ids_of::<Agent>(client, names).await? })),
        };
        let overlap = self.overlap.map(|word| match word {
            Overlap::Forbid => "forbid",
            Overlap::Allow => "allow",
            Overlap::Queue => "queue",
            Overlap::Replace => "replace",
        });
        let flags = [
            ("run_as", self.run_as.map(Value::from)),
            ("scheduled.time_zone", self.tz.map(Value::from)),
            ("scheduled.overlap", overlap.map(Value::from)),
            (
                "scheduled.timeout_ms",
                self.timeout.map(|Millis(ms)| ms.into()),
            ),
            ("target", target),
        ];
        let flags = flags
            .into_iter()
            .filter_map(|(path, value)| Some((path.to_owned(), value?)));
        let unset = self.unset.into_iter().map(|path| (path, Value::Null));
        let mut fields = BTreeMap::new();
        for (path, value) in flags.chain(self.field).chain(unset) {
            if fields.contains_key(&path) {
                return Err(Failure::Input {
                    field: path,
                    message: "the field is set twice".to_owned(),
                    hint: "give it one value".to_owned(),
                });
            }
            fields.insert(path, value);
        }
        Ok(fields)
    }
}

/// Reads `PATH=VALUE`. A value that is JSON is that; everything else is text.
fn parse_field(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            Ok((path.to_owned(), value))
        }
        _ => Err("write PATH=VALUE, e.g. scheduled.retry.attempts_max=3".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_or_text() {
        for (text, expected) in [
            ("run_as=app", json!("app")),
            ("processes=3", json!(3)),
            ("environment.A=\"3\"", json!("3")),
            ("environment.A=b=c", json!("b=c")),
            ("target={\"all\":true}", json!({ "all": true })),
            ("directory=null", Value::Null),
            ("directory=", json!("")),
        ] {
            assert_eq!(
                parse_field(text).map(|(_, value)| value),
                Ok(expected),
                "{text}"
            );
        }
        assert!(parse_field("run_as").is_err() && parse_field("=x").is_err());
    }
}
