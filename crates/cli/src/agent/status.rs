//! `cronfleet agent status`: how the agent of this machine is, asked on its local socket.

use std::path::PathBuf;

use clap::Args;
use cronfleet_agent::Status;
use cronfleet_agent::host::default_runtime_dir;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::server::{DataDir, absolute, agent_data_dir};
use crate::shown;

/// Which agent of this machine.
#[derive(Args)]
pub(crate) struct Which {
    #[command(flatten)]
    data_dir: DataDir,
    /// Its directory of run folders, if it was given one
    #[arg(long, env = "CRONFLEET_RUNTIME_DIR", value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
}

impl Which {
    /// Its data directory and its runtime directory.
    pub(super) fn places(self) -> Result<(PathBuf, PathBuf), Failure> {
        let data_dir = self.data_dir.resolve(None, agent_data_dir)?;
        let runtime_dir = match self.runtime_dir {
            Some(runtime_dir) => absolute(&runtime_dir)?,
            None => default_runtime_dir(&data_dir),
        };
        Ok((data_dir, runtime_dir))
    }

    /// Asks and shows.
    pub(crate) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let (_, runtime_dir) = self.places()?;
        let status = Status::ask(&runtime_dir)?;
        if screen.is_json() {
            return screen.json(&status);
        }
        lines(&status)
            .into_iter()
            .try_for_each(|(label, value)| screen.line(format_args!("{label:<12}  {value}")))
    }
}

fn lines(status: &Status) -> Vec<(&'static str, String)> {
    let (link, work, policy) = (&status.link, &status.work, &status.policy);
    let center = link.center.as_deref().map(shown::plain).unwrap_or_default();
    let is_up = if link.is_up { "up" } else { "DOWN" };
    let state = match (link.is_up, work.is_active) {
        (true, false) => ", waits for an administrator to let it in",
        _ => "",
    };
    let mut lines = vec![
        ("agent", format!("{} (pid {})", status.agent_id, status.pid)),
        ("version", status.version.clone()),
        ("started", shown::instant(status.started_at)),
        ("data", status.data_dir.display().to_string()),
        ("run folders", status.runtime_dir.display().to_string()),
        (
            "link",
            format!(
                "{is_up} since {}, {center}{state}",
                shown::instant(link.since)
            ),
        ),
    ];
    if let (Some(error), Some(at)) = (&link.last_error, link.last_error_at) {
        let text = format!("{} at {}", shown::plain(error), shown::instant(at));
        lines.push(("last error", text));
    }
    let refused = link.refused;
    lines.extend([
        ("clock", shown::maybe_duration_us(status.clock_offset_us)),
        ("certificate", format!("until {}", shown::instant(status.certificate_not_after))),
        ("orders", format!("{} open, {} ends not acknowledged", work.orders_open, work.ends_unacknowledged)),
        ("processes", work.processes.to_string()),
        ("slots", format!("{} of {} running", work.slots_running, work.slots)),
        (
            "ledger",
            if work.is_ledger_writable { "can be written" } else { "CANNOT BE WRITTEN: nothing is started" }.to_owned(),
        ),
        (
            "spool",
            format!(
                "{} of {} wait for a center, {} outputs dropped",
                shown::bytes(status.spool.bytes),
                shown::bytes(status.spool.max_bytes),
                status.spool.dropped_count
            ),
        ),
        (
            "policy",
            match &policy.file {
                Some(file) => format!("{}, read {}", file.display(), shown::instant(policy.read_at)),
                None => "built in: there is no policy file".to_owned(),
            },
        ),
        ("", format!("sha256 {}", policy.digest)),
        ("", format!("{} starts refused", policy.refused_count)),
        (
            "messages",
            format!(
                "refused: {} old sessions, {} old orders, {} unknown, {} unreadable; {} orders repeated",
                refused.stale_sessions,
                refused.stale_orders,
                refused.unknown_messages,
                refused.unreadable_messages,
                refused.repeated_orders
            ),
        ),
    ]);
    if let (Some(detail), Some(at)) = (&policy.last_refusal, policy.last_refused_at) {
        let text = format!("{} at {}", shown::plain(detail), shown::instant(at));
        lines.push(("last refusal", text));
    }
    if let Some(groups) = &status.cgroups {
        let limits = match groups.controllers.as_slice() {
            [] => "none".to_owned(),
            controllers => controllers.join(", "),
        };
        lines.push((
            "cgroups",
            format!(
                "{}, killed by {}, limits: {limits}",
                groups.mode, groups.kill_means
            ),
        ));
        if !groups.detail.is_empty() {
            lines.push(("", shown::plain(&groups.detail).to_string()));
        }
    }
    if let Some(error) = &policy.reload_error {
        lines.push(("NEW POLICY", format!("REFUSED: {}", shown::plain(error))));
    }
    lines
}
