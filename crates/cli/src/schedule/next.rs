//! `cronfleet schedule next`.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::refusal::parse;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::timing_flags::TimingFlags;

/// Print the next due instants of an expression.
#[derive(Args)]
pub(crate) struct Next {
    /// Schedule expression, e.g. "*/5 * * * *", "@every 250ms", "0 30 2 * * MON-FRI"
    #[arg(allow_hyphen_values = true)]
    expression: String,
    /// IANA time zone in which the expression is read
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    #[command(flatten)]
    timing: TimingFlags,
    /// Only instants strictly after this one (RFC 3339); now when absent
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    from: Option<Timestamp>,
    /// How many instants
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Job whose id decides what H means; a job without an id when absent
    #[arg(long, value_name = "ID")]
    job: Option<Uuid>,
}

impl Next {
    /// Prints one instant a line.
    pub(super) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let spread = self.job.map_or(0, |id| id.as_u128());
        let schedule = self
            .timing
            .restrict(parse(&self.expression, &self.tz, spread)?)?;
        let from = self.from.unwrap_or_else(Timestamp::now);
        let next =
            std::iter::successors(schedule.next_after(from), |last| schedule.next_after(*last))
                .take(self.count as usize);
        if screen.is_json() {
            return screen.json(&json!({
                "expression": self.expression,
                "time_zone": schedule.zone_name(),
                "canonical": schedule.canonical(),
                "from": from,
                "next": next.collect::<Vec<_>>(),
            }));
        }
        let mut count = 0;
        for instant in next {
            screen.line(instant)?;
            count += 1;
        }
        if count == 0 {
            screen.note("no due instant: see \"cronfleet schedule explain\"");
        }
        Ok(())
    }
}
