//! Days on which clocks change: what a schedule does then, and how to tell people.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::calendar::{DAY_SECONDS, low_bits};
use super::cron::{at_second, floor_second};
use super::pattern::Pattern;
use super::walk::DstRule;
use super::zone::Segment;
use super::{Plan, Schedule};

/// What a cron schedule does on days on which clocks change, where it differs from the rule of cron.
///
/// The rule of cron: a pattern none of whose second, minute and hour fields begins with `*` names times of day; those
/// inside a gap run once after it, those inside an overlap in the first pass. Any other pattern is an interval that
/// follows real time: skipped times are skipped, repeated ones run in both passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DstPolicy {
    /// Times that clocks skip; `None` for the rule of cron.
    pub gap: Option<GapPolicy>,
    /// Times that clocks show twice; `None` for the rule of cron.
    pub overlap: Option<OverlapPolicy>,
}

/// What becomes of times that clocks skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GapPolicy {
    /// They run once, at the first instant after the gap.
    Run,
    /// They do not run that day.
    Skip,
}

/// What becomes of times that clocks show twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverlapPolicy {
    /// They run in the first pass only.
    First,
    /// They run in both passes.
    Both,
}

impl DstPolicy {
    pub(super) fn rule(self, pattern: &Pattern) -> DstRule {
        let cron = DstRule::of(pattern);
        DstRule {
            runs_after_gap: self
                .gap
                .map_or(cron.runs_after_gap, |gap| gap == GapPolicy::Run),
            first_pass_only: self.overlap.map_or(cron.first_pass_only, |overlap| {
                overlap == OverlapPolicy::First
            }),
        }
    }
}

/// A change of clocks on the local day of a due instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DstNote {
    /// Which way clocks go.
    pub change: DstChange,
    /// The instant of the change.
    pub at: Timestamp,
    /// Local time minus UTC before the change.
    pub offset_before: Offset,
    /// Local time minus UTC from the change on.
    pub offset_after: Offset,
    /// What the change does to this due instant.
    pub effect: DstEffect,
}

/// The two kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DstChange {
    /// Clocks go forward: local times are skipped.
    Gap,
    /// Clocks go back: local times come twice.
    Overlap,
}

/// What a change of clocks does to a due instant of the same day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DstEffect {
    /// Nothing.
    None,
    /// It stands in for times inside the gap, and runs right after it.
    MovedOutOfGap,
    /// Its local time comes twice, and this is the first pass.
    FirstPass,
    /// Its local time comes twice, and this is the second pass.
    SecondPass,
}

/// A change of clocks that makes a difference to a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockChange {
    /// Which way clocks go.
    pub change: DstChange,
    /// The instant of the change.
    pub at: Timestamp,
    /// Local time minus UTC before the change.
    pub offset_before: Offset,
    /// Local time minus UTC from the change on.
    pub offset_after: Offset,
    /// What the schedule does about it.
    pub effect: ClockChangeEffect,
}

/// What a schedule does about times that a change of clocks skips or repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockChangeEffect {
    /// Times are skipped; it runs once at the instant of the change.
    RunsAfterGap,
    /// Times are skipped and do not run.
    LeftOut,
    /// Times come twice; they run the first time only.
    FirstPassOnly,
    /// Times come twice and run both times.
    BothPasses,
}

/// The changes of clocks in (`after`, `until`] that make a difference to a schedule, oldest first.
pub(super) fn clock_changes(
    schedule: &Schedule,
    after: Timestamp,
    until: Timestamp,
) -> Vec<ClockChange> {
    let Plan::Cron(cron) = &schedule.plan else {
        return Vec::new();
    };
    let (after, until) = (floor_second(after), floor_second(until));
    schedule
        .zone
        .segments()
        .windows(2)
        .filter_map(|pair| match pair {
            [before, segment] if after < segment.start && segment.start <= until => {
                let effect = change_effect(&cron.pattern, cron.dst, segment)
                    .filter(|_| schedule.is_on_day_of(segment.start))?;
                Some(ClockChange {
                    change: change(before, segment),
                    at: at_second(segment.start)?,
                    offset_before: offset(before)?,
                    offset_after: offset(segment)?,
                    effect,
                })
            }
            _ => None,
        })
        .collect()
}

/// What the change of clocks at the start of a segment does to a pattern; `None` if nothing that could be noticed: a pattern
/// that follows real time in every hour loses nothing.
pub(super) fn change_effect(
    pattern: &Pattern,
    rule: DstRule,
    segment: &Segment,
) -> Option<ClockChangeEffect> {
    let is_every_hour = pattern.hours == low_bits(24) as u32 && !pattern.is_wall_clock();
    if is_every_hour && !rule.runs_after_gap && !rule.first_pass_only {
        return None;
    }
    let start = segment.local_start();
    let asks_within = |from: i64, until: i64| {
        pattern
            .next_local(from, &mut 0)
            .is_some_and(|local| local < until)
    };
    if asks_within(segment.seen, start) {
        Some(if rule.runs_after_gap {
            ClockChangeEffect::RunsAfterGap
        } else {
            ClockChangeEffect::LeftOut
        })
    } else if asks_within(start, segment.seen) {
        Some(if rule.first_pass_only {
            ClockChangeEffect::FirstPassOnly
        } else {
            ClockChangeEffect::BothPasses
        })
    } else {
        None
    }
}

fn change(before: &Segment, after: &Segment) -> DstChange {
    if after.offset > before.offset {
        DstChange::Gap
    } else {
        DstChange::Overlap
    }
}

fn offset(segment: &Segment) -> Option<Offset> {
    Offset::from_seconds(segment.offset as i32).ok()
}

pub(super) fn note(schedule: &Schedule, t: Timestamp) -> Option<DstNote> {
    if matches!(schedule.plan, Plan::Every(_) | Plan::Reboot) {
        return None;
    }
    let second = floor_second(t);
    let segments = schedule.zone.segments();
    let place = schedule.zone.segment_at(second);
    let current = segments.get(place)?;
    let local_day = day_of(second + current.offset);
    let earlier = place
        .checked_sub(1)
        .and_then(|before| segments.get(before))
        .map(|before| (before, current));
    let later = segments.get(place + 1).map(|after| (current, after));
    let on_this_day = |(before, after): &(&Segment, &Segment)| {
        day_of(after.local_start()) == local_day
            || day_of(after.start - 1 + before.offset) == local_day
    };
    let (before, after) = earlier
        .filter(on_this_day)
        .or_else(|| later.filter(on_this_day))?;
    Some(DstNote {
        change: change(before, after),
        at: at_second(after.start)?,
        offset_before: offset(before)?,
        offset_after: offset(after)?,
        effect: effect(schedule, second, before, after),
    })
}

fn effect(schedule: &Schedule, second: i64, before: &Segment, after: &Segment) -> DstEffect {
    let repeated = before.offset - after.offset;
    if (after.start - repeated..after.start).contains(&second) {
        DstEffect::FirstPass
    } else if (after.start..after.start + repeated).contains(&second) {
        DstEffect::SecondPass
    } else if second == after.start && repeated < 0 && stands_in(schedule, after) {
        DstEffect::MovedOutOfGap
    } else {
        DstEffect::None
    }
}

/// Whether the start of a segment is due only because of times inside the gap before it.
fn stands_in(schedule: &Schedule, after: &Segment) -> bool {
    match &schedule.plan {
        Plan::Cron(cron) => {
            let local = after.local_start();
            cron.pattern.next_local(local, &mut 0) != Some(local)
        }
        Plan::Every(_) | Plan::At(_) | Plan::Reboot => false,
    }
}

fn day_of(local_second: i64) -> i64 {
    local_second.div_euclid(DAY_SECONDS)
}
