//! `cronfleet run show`.

use clap::Args;
use cronfleet_api::limits::Cleanup;
use cronfleet_api::run::Run;
use uuid::Uuid;

use super::list::{outcome, why};
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Show one run.
#[derive(Args)]
pub(crate) struct Show {
    /// Id
    run: Uuid,
}

impl Show {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let answer = client
            .get::<Run>(&format!("/runs/{}", self.run), &vec![])
            .await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        let run = answer.value;
        screen.line(format_args!(
            "{} on {}",
            shown::plain(&run.job_name),
            shown::plain(&run.agent_name)
        ))?;
        for (label, value) in lines(&run) {
            if value != NONE {
                screen.line(format_args!("  {label:<10}  {value}"))?;
            }
        }
        Ok(())
    }
}

fn lines(run: &Run) -> Vec<(&'static str, String)> {
    let mut cause = shown::word(&run.cause);
    if run.is_caught_up {
        cause.push_str(", caught up");
    }
    if let Some(login) = &run.requested_by {
        cause.push_str(&format!(" by {}", shown::plain(login)));
    }
    let mut output = shown::bytes(run.output_bytes);
    let left_out = run.output_dropped_bytes + run.output_trimmed_bytes;
    if left_out > 0 {
        output.push_str(&format!(", {} not kept", shown::bytes(left_out)));
    }
    let others = run
        .attempts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    let not_before = if run.not_before == run.due {
        NONE.to_owned()
    } else {
        shown::instant(run.not_before)
    };
    vec![
        ("id", run.id.to_string()),
        ("outcome", outcome(run)),
        ("why", why(run)),
        ("detail", shown::maybe_plain(run.detail.as_deref())),
        ("cause", cause),
        ("version", run.job_version.to_string()),
        ("copy", format!("{} of {}", run.copy + 1, run.copies)),
        ("attempt", run.attempt.to_string()),
        ("other", shown::maybe_plain(Some(&others))),
        ("due", shown::instant(run.due)),
        ("not before", not_before),
        ("planned", shown::instant(run.planned_at)),
        ("dispatched", shown::maybe_instant(run.dispatched_at)),
        ("accepted", shown::maybe_instant(run.accepted_at)),
        ("started", shown::maybe_instant(run.started_at)),
        ("ended", shown::maybe_instant(run.ended_at)),
        ("late by", shown::maybe_duration_us(run.lag_us)),
        ("took", shown::maybe_duration_us(run.duration_us)),
        ("cpu user", shown::maybe_duration_us(run.user_time_us)),
        ("cpu system", shown::maybe_duration_us(run.system_time_us)),
        (
            "memory",
            run.memory_peak_bytes.map_or_else(
                || NONE.to_owned(),
                |count| shown::bytes(count.unsigned_abs()),
            ),
        ),
        (
            "pid",
            run.pid
                .map_or_else(|| NONE.to_owned(), |pid| pid.to_string()),
        ),
        ("output", output),
        ("killed by", shown::maybe_plain(run.killed_by.as_deref())),
        (
            "oom kills",
            match run.oom_kills {
                0 => NONE.to_owned(),
                count => count.to_string(),
            },
        ),
        (
            "cleanup",
            run.cleanup
                .as_ref()
                .map_or_else(|| NONE.to_owned(), cleanup),
        ),
    ]
}

/// What was found, what was sent, and who is left.
fn cleanup(cleanup: &Cleanup) -> String {
    let mut parts = vec![match cleanup.found {
        0 => "no other process found".to_owned(),
        1 => "1 other process found".to_owned(),
        found => format!("{found} other processes found"),
    }];
    if let Some(signal) = &cleanup.stop_signal {
        parts.push(format!("{} sent", shown::plain(signal)));
    }
    if let Some(means) = &cleanup.kill_means {
        parts.push(match means.as_str() {
            "control_group" => "killed through the control group".to_owned(),
            "freezer" => "killed in the frozen control group".to_owned(),
            "descent" => "killed one by one".to_owned(),
            other => format!("killed ({})", shown::plain(other)),
        });
    }
    parts.push(match cleanup.left {
        0 => "none left".to_owned(),
        left => format!("{left} STILL ALIVE"),
    });
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cleanup_says_what_was_found_sent_and_left() {
        let mut it = Cleanup {
            stop_signal: Some("TERM".to_owned()),
            kill_means: Some("control_group".to_owned()),
            found: 200,
            left: 0,
        };
        let all =
            "200 other processes found, TERM sent, killed through the control group, none left";
        assert_eq!(cleanup(&it), all);
        it = Cleanup {
            stop_signal: None,
            kill_means: None,
            found: 1,
            left: 1,
        };
        assert_eq!(cleanup(&it), "1 other process found, 1 STILL ALIVE");
    }
}
