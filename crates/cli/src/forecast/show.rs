//! A forecast as text for people.

use cronfleet_api::forecast::{
    Forecast, ForecastLoad, ForecastOverlap, ForecastPeak, OverlapEffect, SpreadSuggestion,
};
use jiff::{SignedDuration, Timestamp};

use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Most rows of the chart.
const ROWS_MAX: usize = 30;
/// Longest bar, in characters.
const BAR_MAX: u64 = 50;
/// Most jobs that are named in one line.
const NAMES_MAX: usize = 5;

/// Shows everything about the stretch of time.
pub(super) fn forecast(screen: &mut Screen, answer: &Forecast) -> Result<(), Failure> {
    screen.line(format_args!(
        "{} to {}: {} jobs on {} agents",
        shown::instant(answer.from),
        shown::instant(answer.until),
        answer.job_count,
        answer.agent_count
    ))?;
    for line in summary(&answer.total) {
        screen.line(line)?;
    }
    if answer.total.starts > 0 {
        screen.line("")?;
        for line in chart(answer) {
            screen.line(line)?;
        }
        loads(screen, answer)?;
    }
    overlaps(screen, &answer.overlaps)?;
    for suggestion in &answer.suggestions {
        screen.line("")?;
        screen.line(spread(suggestion))?;
    }
    screen.flush()?;
    for note in notes(answer) {
        screen.note(note);
    }
    Ok(())
}

fn summary(load: &ForecastLoad) -> Vec<String> {
    let Some(peak) = load.peak else {
        return vec!["nothing starts".to_owned()];
    };
    let jobs: Vec<&str> = load
        .peak_jobs
        .iter()
        .map(|job| job.job_name.as_str())
        .collect();
    let mut lines = vec![
        format!("starts   {}", load.starts),
        format!(
            "peak     {} in one second at {}: {}",
            peak.count,
            shown::instant(peak.at),
            names(&jobs, load.peak_job_count)
        ),
    ];
    lines.extend(load.alive_peak.map(|peak| {
        format!(
            "alive    {} processes at {}; {} of processes altogether",
            peak.count,
            shown::instant(peak.at),
            busy(load.busy_ms)
        )
    }));
    lines
}

/// The first of some names, and how many more there are.
pub(super) fn names(told: &[&str], count: u32) -> String {
    let listed: Vec<String> = told
        .iter()
        .take(NAMES_MAX)
        .map(|name| shown::plain(name))
        .collect();
    let rest = (count as usize).saturating_sub(listed.len());
    match rest {
        0 => listed.join(", "),
        rest => format!("{} and {rest} more", listed.join(", ")),
    }
}

fn busy(ms: u64) -> String {
    shown::duration_us(i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// Starts over time, several buckets in a row where they are many.
fn chart(answer: &Forecast) -> Vec<String> {
    let buckets = &answer.total.starts_per_bucket;
    let together = [1, 2, 4, 6, 12, 24]
        .into_iter()
        .find(|together| buckets.len().div_ceil(*together) <= ROWS_MAX)
        .unwrap_or(24);
    // Rows begin with the hour.
    let step = i64::from(answer.bucket_seconds);
    let skew =
        usize::try_from(answer.first_bucket.as_second().div_euclid(step)).unwrap_or(0) % together;
    let (first, rest) = buckets.split_at((together - skew).min(buckets.len()));
    let rows: Vec<u64> = std::iter::once(first)
        .chain(rest.chunks(together))
        .map(|row| row.iter().sum())
        .collect();
    let most = rows.iter().copied().max().unwrap_or(0).max(1);
    let width = most.to_string().len();
    rows.iter()
        .enumerate()
        .map(|(place, count)| {
            let buckets = (place * together) as i64 - skew as i64;
            let begin = answer.first_bucket + SignedDuration::from_secs(buckets * step);
            let bar = "#".repeat((count * BAR_MAX).div_ceil(most) as usize);
            format!("{}  {count:>width$}  {bar}", label(begin))
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// Day and time of a row.
fn label(begin: Timestamp) -> String {
    let local = begin.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%m-%d %H:%M").to_string()
}

fn loads(screen: &mut Screen, answer: &Forecast) -> Result<(), Failure> {
    let row = |name: &str, load: &ForecastLoad| {
        let at = |peak: Option<ForecastPeak>| {
            peak.map_or(NONE.to_owned(), |peak| shown::instant(peak.at))
        };
        let count = |peak: Option<ForecastPeak>| peak.map_or(0, |peak| peak.count).to_string();
        vec![
            shown::plain(name),
            load.starts.to_string(),
            count(load.peak),
            at(load.peak),
            count(load.alive_peak),
            busy(load.busy_ms),
        ]
    };
    let agents = answer
        .agents
        .iter()
        .map(|one| row(&one.agent_name, &one.load));
    let groups = answer
        .groups
        .iter()
        .map(|one| row(&one.group_name, &one.load));
    for (noun, rows) in [
        ("AGENT", agents.collect::<Vec<_>>()),
        ("GROUP", groups.collect()),
    ] {
        screen.line("")?;
        let header = [noun, "STARTS", "PEAK/S", "AT", "ALIVE", "BUSY"];
        screen.table(&header, rows, "")?;
    }
    Ok(())
}

fn overlaps(screen: &mut Screen, overlaps: &[ForecastOverlap]) -> Result<(), Failure> {
    if overlaps.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let rows = overlaps.iter().map(|one| {
        vec![
            shown::plain(&one.job_name),
            shown::duration_ms(one.lasting_ms),
            shown::duration_ms(one.shortest_gap_ms),
            shown::instant(one.first),
            effect(one),
        ]
    });
    let header = ["OVERLAP", "LASTS", "DUE EVERY", "FIRST", "EFFECT"];
    screen.table(&header, rows.collect(), "")
}

/// What becomes of the runs of an overlap.
pub(super) fn effect(one: &ForecastOverlap) -> String {
    let about = if one.is_approximate { "about " } else { "" };
    let of = format!("{about}{} of {}", one.count, one.due_count);
    match one.effect {
        OverlapEffect::Skips => format!("skips {of}"),
        OverlapEffect::Doubles => format!(
            "{of} start beside another, up to {} at once",
            one.alive_max.unwrap_or(2)
        ),
        OverlapEffect::Waits => format!("{of} wait for their turn"),
        OverlapEffect::Replaces => format!("{of} stop the one before"),
    }
}

fn spread(one: &SpreadSuggestion) -> String {
    let jobs: Vec<&str> = one.jobs.iter().map(|job| job.job_name.as_str()).collect();
    format!(
        "{} jobs are due by {:?} in the same second. With {:?} the {} starts at {} would be at most {} in a second.\n  {}",
        one.job_count,
        shown::plain(&one.expression),
        shown::plain(&one.suggested),
        one.peak_before,
        shown::instant(one.at),
        one.peak_after,
        names(&jobs, one.job_count)
    )
}

/// What the figures do not say.
fn notes(answer: &Forecast) -> Vec<String> {
    let mut notes = vec![];
    if !answer.is_everything {
        notes.push("only jobs of groups that you may see are counted".to_owned());
    }
    let counts = [
        (
            answer.unknown_duration_count,
            "jobs have no past runs: they count as starts, not as processes alive",
        ),
        (
            answer.approximate_job_count,
            "jobs are due so often that they are taken as evenly spread",
        ),
        (
            answer.unreadable_job_count,
            "jobs cannot be read and are not planned: save them again",
        ),
    ];
    for (count, what) in counts {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    let left = (answer.agent_count as usize).saturating_sub(answer.agents.len());
    if left > 0 {
        notes.push(format!("{left} more agents have lower peaks"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(first_bucket: &str, bucket_seconds: u32, starts: Vec<u64>) -> Forecast {
        let first_bucket: Timestamp = first_bucket.parse().unwrap();
        Forecast {
            from: first_bucket,
            until: first_bucket,
            first_bucket,
            bucket_seconds,
            is_everything: true,
            total: ForecastLoad {
                starts: starts.iter().sum(),
                starts_per_bucket: starts,
                peak: None,
                peak_jobs: vec![],
                peak_job_count: 0,
                alive_peak: None,
                busy_ms: 0,
            },
            groups: vec![],
            group_count: 0,
            agents: vec![],
            agent_count: 0,
            overlaps: vec![],
            overlap_count: 0,
            suggestions: vec![],
            job_count: 0,
            unknown_duration_count: 0,
            approximate_job_count: 0,
            unreadable_job_count: 0,
        }
    }

    /// Counts and lengths of bars.
    fn rows(answer: &Forecast) -> Vec<(u64, usize)> {
        chart(answer)
            .iter()
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let bar = words.get(3).map_or(0, |bar| bar.len());
                (words[2].parse().unwrap(), bar)
            })
            .collect()
    }

    #[test]
    fn a_day_is_charted_by_the_hour() {
        let mut starts = vec![1; 97];
        starts[2] = 50;
        let rows = rows(&answer("2026-11-23T10:30:00Z", 900, starts));
        assert_eq!(rows.len(), 25);
        assert_eq!(
            rows[..2],
            [(2, 2), (53, 50)],
            "the first row is half an hour"
        );
        assert_eq!(rows[24], (3, 3));
    }

    #[test]
    fn a_week_is_charted_by_six_hours() {
        let rows = rows(&answer("2026-11-23T10:00:00Z", 3_600, vec![0; 169]));
        assert_eq!(rows.len(), 29);
        assert_eq!(rows[0], (0, 0));
    }

    #[test]
    fn many_names_are_cut() {
        let told = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(names(&told[..2], 2), "a, b");
        assert_eq!(names(&told, 40), "a, b, c, d, e and 35 more");
    }
}
