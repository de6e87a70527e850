//! A calendar that jobs follow: whether today counts is changed, and the jobs get new versions one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use cronfleet_core::calendar::{Calendar, CalendarMode, CalendarRule, Weekdays};
use cronfleet_core::id::JobId;
use cronfleet_core::run::Reason;
use cronfleet_core::schedule::Schedule;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::database::{Change, JobRow};
use crate::mutant::Mutant;
use crate::operate::{parse, reign};
use crate::rng::Rng;
use crate::swarm::{Commit, JobDraw, Op, Swarm};
use crate::time::{Micros, SECOND, timestamp};
use crate::world::World;

/// One version of the calendar. No world lasts beyond its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Today {
    pub(crate) version: u32,
    /// Whether the day counts.
    pub(crate) counts: bool,
}

impl Default for Today {
    fn default() -> Self {
        Self::FIRST
    }
}

impl Today {
    const FIRST: Self = Self {
        version: 1,
        counts: true,
    };

    /// As the product takes it: every day, or every day but this one.
    pub(crate) fn rule(self) -> CalendarRule {
        let today = timestamp(0).to_zoned(TimeZone::UTC).date();
        let removed = (!self.counts).then_some(today);
        let calendar = Calendar {
            name: "days".to_owned(),
            weekdays: Weekdays::of(Weekday::Sunday.cycle_forward().take(7)),
            added: BTreeSet::new(),
            removed: removed.into_iter().collect(),
            known_from: None,
            known_until: None,
        };
        CalendarRule {
            calendar: Arc::new(calendar),
            mode: CalendarMode::Include,
        }
    }
}

impl Swarm {
    /// Lets jobs follow the calendar and draws when it is changed; in half of all worlds no job does.
    pub(crate) fn draw_calendar(&mut self, rng: &mut Rng) {
        if rng.chance(0.5) {
            return;
        }
        for (_, draw) in &mut self.jobs {
            draw.today = rng.chance(0.7).then_some(Today::FIRST);
        }
        for (_, op) in &mut self.ops {
            if let Op::Edit { job, draw } = op {
                draw.today = self.jobs[*job].1.today;
            }
        }
        for _ in 0..rng.range(1, 4) {
            let at: Micros = rng.range(2 * SECOND, self.check_until - SECOND);
            let counts = rng.chance(0.5);
            self.ops.push((at, Op::Calendar { counts }));
        }
    }
}

impl World {
    /// Saves the calendar; nothing of what is planned changes with it.
    pub(crate) fn save_calendar(&mut self, center: usize, counts: bool) {
        let version = self.db.today.version + 1;
        let today = Today { version, counts };
        self.note(|| format!("person: {today:?}"));
        self.commit(center, Commit::Operate, vec![Change::Today(today)]);
    }

    /// Makes new versions of the jobs that are behind their calendar; answers whether the center lives on.
    pub(crate) fn follow(&mut self, center: usize, life: u32) -> bool {
        if self.is(Mutant::ForgetsCalendars) {
            return true;
        }
        for index in 0..self.swarm.jobs.len() {
            let id = self.swarm.jobs[index].0;
            if !self.is_behind_calendar(id) {
                continue;
            }
            if self.is(Mutant::FollowsInPlace) {
                self.follow_in_place(center, id);
            } else {
                let today = self.db.today;
                // One that is behind with planning has its turn in the next round.
                self.change_job(center, index, Reason::Superseded, |id, row| {
                    row.versions.push(following(id, row, today));
                });
            }
            if !self.is_alive(center, life) {
                return false;
            }
        }
        true
    }

    pub(crate) fn is_behind_calendar(&self, job: JobId) -> bool {
        let own = self.db.jobs[&job].current().0.today;
        own.is_some_and(|own| own.version < self.db.today.version)
    }

    /// A mistake: the version that is in force says something else from now on.
    fn follow_in_place(&mut self, center: usize, id: JobId) {
        let now = self.center_now();
        let mut row = self.db.jobs[&id].clone();
        let version = following(id, &row, self.db.today);
        row.versions.pop();
        row.versions.push(version);
        let reign = reign(id, &row, now);
        self.commit_reign(center, vec![Change::Job(id, Box::new(row))], reign);
    }
}

/// The version in force, but with this calendar.
fn following(id: JobId, row: &JobRow, today: Today) -> (JobDraw, Schedule) {
    let mut draw = row.current().0.clone();
    draw.today = Some(today);
    let schedule = parse(id, &draw);
    (draw, schedule)
}
