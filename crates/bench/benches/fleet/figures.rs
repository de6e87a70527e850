//! Quantiles, and lines of tables.

use std::io::Write;
use std::time::Duration;

use cronfleet_api::run::Run;

/// Start lags of runs, sorted.
#[derive(Debug)]
pub(crate) struct Lags(Vec<i64>);

impl Lags {
    /// Of those runs that started.
    pub(crate) fn of(runs: &[Run]) -> Self {
        let mut lags: Vec<i64> = runs.iter().filter_map(|run| run.lag_us).collect();
        lags.sort_unstable();
        Self(lags)
    }

    /// How many started.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The lag that a share of all runs, 0 to 1, did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        Duration::from_micros(
            self.0
                .get(index)
                .copied()
                .unwrap_or(0)
                .max(0)
                .unsigned_abs(),
        )
    }
}

/// Milliseconds with one digit.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1_000.0)
}

/// Prints a line at once.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
