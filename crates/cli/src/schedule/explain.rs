//! `cronfleet schedule explain`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use cronfleet_core::plan::later;
use cronfleet_core::schedule::{
    ClockChange, ClockChangeEffect, DstChange, DstEffect, Kind, Language, Schedule, Warning,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::parse;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::timing_flags::TimingFlags;

/// How many due instants are shown.
const NEXT_COUNT: usize = 5;
/// How far ahead changes of clocks are shown.
const CHANGES_WITHIN: Duration = Duration::from_secs(366 * 86_400);

/// Say what an expression means.
#[derive(Args)]
pub(crate) struct Explain {
    /// Schedule expression, e.g. "*/5 * * * *", "@every 250ms", "0 30 2 * * MON-FRI"
    #[arg(allow_hyphen_values = true)]
    expression: String,
    /// IANA time zone in which the expression is read
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    tz: String,
    #[command(flatten)]
    timing: TimingFlags,
    /// Language of the sentence and the warnings
    #[arg(long, value_enum, default_value_t = Lang::En)]
    lang: Lang,
    /// Only instants strictly after this one (RFC 3339); now when absent
    #[arg(long, value_name = "INSTANT", allow_hyphen_values = true)]
    from: Option<Timestamp>,
    /// Job whose id decides what H means; a job without an id when absent
    #[arg(long, value_name = "ID")]
    job: Option<Uuid>,
}

/// Languages of sentences.
#[derive(Clone, Copy, ValueEnum)]
enum Lang {
    /// English
    En,
    /// Simplified Chinese
    Zh,
}

impl Explain {
    /// Prints sentence, canonical text, next due instants and warnings.
    pub(super) fn run(self, screen: &mut Screen) -> Result<(), Failure> {
        let spread = self.job.map_or(0, |id| id.as_u128());
        let schedule = self
            .timing
            .restrict(parse(&self.expression, &self.tz, spread)?)?;
        let from = self.from.unwrap_or_else(Timestamp::now);
        let next: Vec<Timestamp> =
            std::iter::successors(schedule.next_after(from), |last| schedule.next_after(*last))
                .take(NEXT_COUNT)
                .collect();
        let changes = schedule.clock_changes(from, later(from, CHANGES_WITHIN));
        if screen.is_json() {
            return screen.json(&body(&self.expression, &schedule, from, &next, &changes));
        }
        let language = match self.lang {
            Lang::En => Language::En,
            Lang::Zh => Language::ZhHans,
        };
        screen.line(schedule.describe(language))?;
        screen.line(format_args!("\n  canonical  {}", schedule.canonical()))?;
        screen.line(format_args!("  zone       {}", schedule.zone_name()))?;
        for (place, instant) in next.iter().enumerate() {
            let label = if place == 0 { "next" } else { "" };
            let mark = clock_change(&schedule, *instant).map_or("", mark_text);
            screen.line(format_args!(
                "  {label:<9}  {}{mark}",
                local(&schedule, *instant)
            ))?;
        }
        if next.is_empty() {
            screen.line(match schedule.kind() {
                Kind::Reboot => "  next       at each start of the agent's host",
                Kind::Cron | Kind::Every | Kind::At => "  next       never again",
            })?;
        }
        for (place, change) in changes.iter().enumerate() {
            let label = if place == 0 { "clocks" } else { "" };
            screen.line(format_args!(
                "  {label:<9}  {}  {}",
                change.at.display_with_offset(change.offset_after),
                change_text(change.effect)
            ))?;
        }
        for warning in all_warnings(&schedule, from) {
            screen.line(format_args!("\n  warning    {}", warning.text(language)))?;
        }
        Ok(())
    }
}

fn body(
    expression: &str,
    schedule: &Schedule,
    from: Timestamp,
    next: &[Timestamp],
    changes: &[ClockChange],
) -> Value {
    let instants: Vec<Value> = next
        .iter()
        .map(|instant| {
            let mut due = json!({ "due": instant, "local": local(schedule, *instant) });
            if let Some(change) = clock_change(schedule, *instant) {
                due["dst"] = json!(way(change.0));
            }
            due
        })
        .collect();
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| {
            json!({
                "at": change.at,
                "local_before": change.at.display_with_offset(change.offset_before).to_string(),
                "local_after": change.at.display_with_offset(change.offset_after).to_string(),
                "change": way(change.change),
                "effect": match change.effect {
                    ClockChangeEffect::RunsAfterGap => "runs_after_gap",
                    ClockChangeEffect::LeftOut => "left_out",
                    ClockChangeEffect::FirstPassOnly => "first_pass_only",
                    ClockChangeEffect::BothPasses => "both_passes",
                },
            })
        })
        .collect();
    let warnings: Vec<Value> = all_warnings(schedule, from)
        .map(|warning| {
            json!({
                "code": warning.code(),
                "message_en": warning.text(Language::En),
                "message_zh": warning.text(Language::ZhHans),
            })
        })
        .collect();
    json!({
        "expression": expression,
        "time_zone": schedule.zone_name(),
        "canonical": schedule.canonical(),
        "sentence_en": schedule.describe(Language::En),
        "sentence_zh": schedule.describe(Language::ZhHans),
        "next": instants,
        "clock_changes": changes,
        "warnings": warnings,
    })
}

/// What somebody who wrote this may not have meant, or does not know yet.
fn all_warnings(schedule: &Schedule, from: Timestamp) -> impl Iterator<Item = Warning> {
    schedule
        .warnings()
        .into_iter()
        .chain(schedule.calendar_ends(from))
}

fn clock_change(schedule: &Schedule, instant: Timestamp) -> Option<(DstChange, DstEffect)> {
    schedule
        .dst_notes(instant)
        .map(|note| (note.change, note.effect))
}

fn way(change: DstChange) -> &'static str {
    match change {
        DstChange::Gap => "gap",
        DstChange::Overlap => "overlap",
    }
}

fn change_text(effect: ClockChangeEffect) -> &'static str {
    match effect {
        ClockChangeEffect::RunsAfterGap => "clocks skip times: it runs then",
        ClockChangeEffect::LeftOut => "clocks skip times: they are left out",
        ClockChangeEffect::FirstPassOnly => "clocks repeat times: they run the first time only",
        ClockChangeEffect::BothPasses => "clocks repeat times: they run both times",
    }
}

fn mark_text(change: (DstChange, DstEffect)) -> &'static str {
    match change {
        (_, DstEffect::MovedOutOfGap) => "  clocks go forward over it: runs right after",
        (_, DstEffect::FirstPass) => "  clocks go back: first of two passes",
        (_, DstEffect::SecondPass) => "  clocks go back: second of two passes",
        (DstChange::Gap, DstEffect::None) => "  clocks go forward that day",
        (DstChange::Overlap, DstEffect::None) => "  clocks go back that day",
    }
}

/// Local date and time with offset in the schedule's zone.
fn local(schedule: &Schedule, instant: Timestamp) -> String {
    let zone = TimeZone::get(schedule.zone_name()).unwrap_or(TimeZone::UTC);
    instant
        .display_with_offset(zone.to_offset(instant))
        .to_string()
}
