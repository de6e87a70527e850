//! Flags for when a schedule is due, apart from its expression and its zone.

use clap::{Args, ValueEnum};
use cronfleet_api::calendar::preset_rule;
use cronfleet_api::job::{
    CalendarMode, CalendarRule, DstPolicy, GapPolicy, RepeatPolicy, ScheduledSpec,
};
use cronfleet_core::calendar as domain;
use cronfleet_core::job::too_dense_to_shift;
use cronfleet_core::schedule::{ActiveSpan, Schedule};
use jiff::Timestamp;

use crate::failure::Failure;
use crate::shown;

/// Flags for when a schedule is due.
#[derive(Args, Clone, Default, PartialEq)]
pub(crate) struct TimingFlags {
    /// Times that clocks skip [default: times of day run right after, intervals leave them out]
    #[arg(long, value_enum)]
    dst_gap: Option<GapWord>,
    /// Times that clocks show twice [default: times of day run the first time, intervals both times]
    #[arg(long, value_enum)]
    dst_overlap: Option<RepeatWord>,
    /// Nothing is due before this instant, e.g. 2026-12-01T00:00:00+08:00
    #[arg(long, value_name = "INSTANT")]
    active_from: Option<Timestamp>,
    /// Nothing is due at this instant or after it
    #[arg(long, value_name = "INSTANT")]
    active_until: Option<Timestamp>,
    /// Calendar to follow: weekdays (Monday to Friday), cn-workdays (working days of mainland China), or one of `calendar ls`
    #[arg(long, value_name = "NAME")]
    calendar: Option<String>,
    /// What is due on which days of the calendar [default: include]
    #[arg(long, value_enum)]
    calendar_mode: Option<ModeWord>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum ModeWord {
    /// Only on days that count
    Include,
    /// Only on days that do not count
    Exclude,
    /// What falls on a day that does not count: at the same time of the next one that does
    ShiftNext,
    /// What falls on a day that does not count: at the same time of the last one before it that does
    ShiftPrevious,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum GapWord {
    /// They run once, right after the change
    Run,
    /// They do not run that day
    Skip,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum RepeatWord {
    /// They run the first time only
    First,
    /// They run both times
    Both,
}

impl TimingFlags {
    /// Each flag, and whether it was given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 6] {
        [
            ("--dst-gap", self.dst_gap.is_some()),
            ("--dst-overlap", self.dst_overlap.is_some()),
            ("--active-from", self.active_from.is_some()),
            ("--active-until", self.active_until.is_some()),
            ("--calendar", self.calendar.is_some()),
            ("--calendar-mode", self.calendar_mode.is_some()),
        ]
    }

    /// Changes a definition as the flags say.
    pub(crate) fn apply(&self, scheduled: &mut ScheduledSpec) -> Result<(), Failure> {
        scheduled.dst = self.dst(scheduled.dst);
        scheduled.active_from = self.active_from.or(scheduled.active_from);
        scheduled.active_until = self.active_until.or(scheduled.active_until);
        scheduled.calendar = self.calendar(scheduled.calendar.take())?;
        Ok(())
    }

    /// The schedule with what the flags ask for.
    pub(crate) fn restrict(&self, schedule: Schedule) -> Result<Schedule, Failure> {
        let active = ActiveSpan {
            from: self.active_from,
            until: self.active_until,
        };
        if active.is_empty() {
            return Err(Failure::Input {
                field: "--active-until".to_owned(),
                message: "--active-until is not after --active-from".to_owned(),
                hint: "choose a later one, or leave one of them out".to_owned(),
            });
        }
        let rule = self
            .calendar(None)?
            .map(preset_rule)
            .transpose()
            .map_err(|error| Failure::Input {
                field: "--calendar".to_owned(),
                message: error.message,
                hint: format!(
                    "use one of {}; what other calendars say only the center knows",
                    domain::preset_names()
                ),
            })?;
        let is_shifting = rule.as_ref().is_some_and(domain::CalendarRule::is_shifting);
        let schedule = schedule
            .with_dst_policy(self.dst(DstPolicy::default()).into())
            .within(active)
            .with_calendar(rule);
        if is_shifting && schedule.is_too_dense_to_shift() {
            let error = too_dense_to_shift("--calendar-mode");
            return Err(Failure::Input {
                field: error.field,
                message: error.message,
                hint: error.hint,
            });
        }
        Ok(schedule)
    }

    fn calendar(&self, before: Option<CalendarRule>) -> Result<Option<CalendarRule>, Failure> {
        let mode = self.calendar_mode.map(|word| match word {
            ModeWord::Include => CalendarMode::Include,
            ModeWord::Exclude => CalendarMode::Exclude,
            ModeWord::ShiftNext => CalendarMode::ShiftNext,
            ModeWord::ShiftPrevious => CalendarMode::ShiftPrevious,
        });
        let (name_before, mode_before) = before.map(|rule| (rule.name, rule.mode)).unzip();
        match (self.calendar.clone().or(name_before), mode.or(mode_before)) {
            (Some(name), mode) => Ok(Some(CalendarRule {
                name,
                mode: mode.unwrap_or(CalendarMode::Include),
            })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Failure::Input {
                field: "--calendar-mode".to_owned(),
                message: "--calendar-mode means something only with a calendar".to_owned(),
                hint: "choose one with --calendar, or leave it out".to_owned(),
            }),
        }
    }

    fn dst(&self, before: DstPolicy) -> DstPolicy {
        let gap = self.dst_gap.map(|word| match word {
            GapWord::Run => GapPolicy::Run,
            GapWord::Skip => GapPolicy::Skip,
        });
        let overlap = self.dst_overlap.map(|word| match word {
            RepeatWord::First => RepeatPolicy::First,
            RepeatWord::Both => RepeatPolicy::Both,
        });
        DstPolicy {
            gap: gap.or(before.gap),
            overlap: overlap.or(before.overlap),
        }
    }
}

/// Name and value of what makes a job due at other times than its expression alone.
pub(crate) fn in_words(scheduled: &ScheduledSpec) -> Vec<(&'static str, String)> {
    let gap = scheduled.dst.gap.map(|gap| match gap {
        GapPolicy::Run => "skipped times run right after",
        GapPolicy::Skip => "skipped times do not run",
    });
    let overlap = scheduled.dst.overlap.map(|overlap| match overlap {
        RepeatPolicy::First => "repeated times run once",
        RepeatPolicy::Both => "repeated times run twice",
    });
    let clocks: Vec<&str> = gap.into_iter().chain(overlap).collect();
    let clocks = (!clocks.is_empty()).then(|| ("clocks", clocks.join(", ")));
    let from = scheduled
        .active_from
        .map(|at| format!("from {}", shown::instant(at)));
    let until = scheduled
        .active_until
        .map(|at| format!("until {}", shown::instant(at)));
    let active: Vec<String> = from.into_iter().chain(until).collect();
    let active = (!active.is_empty()).then(|| ("active", active.join(" ")));
    let calendar = scheduled.calendar.as_ref().map(|rule| {
        let name = shown::plain(&rule.name);
        let said = match rule.mode {
            CalendarMode::Include => format!("only on days of {name}"),
            CalendarMode::Exclude => format!("not on days of {name}"),
            CalendarMode::ShiftNext => format!("shifted to the next day of {name}"),
            CalendarMode::ShiftPrevious => format!("shifted to the day of {name} before"),
        };
        ("calendar", said)
    });
    clocks.into_iter().chain(active).chain(calendar).collect()
}
