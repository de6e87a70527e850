//! Days on which clocks change: what a schedule does then, and how to tell people.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::calendar::DAY_SECONDS;
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
        change: if after.offset > before.offset {
            DstChange::Gap
        } else {
            DstChange::Overlap
        },
        at: at_second(after.start)?,
        offset_before: Offset::from_seconds(before.offset as i32).ok()?,
        offset_after: Offset::from_seconds(after.offset as i32).ok()?,
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
