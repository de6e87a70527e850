//! Why: an answer for every due instant of a job, put together from what is on record and from the job's history.
//!
//! Runs and lapses are on record. About every other due instant the history tells: in which version it was due, whether the job
//! was paused then, and whether planning has come that far. Nothing is listed one by one that can be counted: a stretch of a
//! million due instants is one [`Stretch`].

use std::time::Duration;

use jiff::Timestamp;

use crate::catch_up::last_until;
use crate::plan::earlier;
use crate::schedule::Schedule;

/// The smallest step between two moments on record.
const STEP: Duration = Duration::from_micros(1);

/// A version of a job, in force until the next one.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// Number, from 1.
    pub number: u32,
    /// When it was saved: due instants after this are of this version.
    pub since: Timestamp,
    /// When it is due; `None` if it has no schedule that can be read.
    pub schedule: Option<&'a Schedule>,
}

/// A time in which nothing was due, although the schedule says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub from: Timestamp,
    /// When it ended; `None` while it lasts.
    pub until: Option<Timestamp>,
}

/// What is on record about a job.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// Versions, oldest first.
    pub versions: &'a [Version<'a>],
    /// Pauses, in any order.
    pub pauses: &'a [Pause],
    /// First and last due instant of each lapse, in any order.
    pub lapses: &'a [(Timestamp, Timestamp)],
    /// Due instants of runs, with the versions of the runs, in any order.
    pub runs: &'a [(Timestamp, u32)],
    /// Every due instant up to here is decided.
    pub watermark: Timestamp,
    /// Since when nothing is due any more, because the job was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Due instants one after the other that have the same answer, and no runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first.
    pub due_from: Timestamp,
    /// The last.
    pub due_to: Timestamp,
    /// How many there are.
    pub count: u64,
    /// Version in which they are due.
    pub job_version: u32,
    /// The answer.
    pub answer: Answer,
}

/// Why due instants have no runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// They are in the lapse with this index.
    Lapse(usize),
    /// The job was paused.
    Paused,
    /// They fall on days on which the calendar leaves them out, or from which it shifts them to another.
    Calendar,
    /// Planning has not come that far.
    NotPlanned,
    /// They were decided, and the record is no longer kept.
    NotRecorded,
}

impl History<'_> {
    /// Every due instant in (`after`, `until`] that has no run, in order.
    pub fn stretches(&self, after: Timestamp, until: Timestamp) -> Vec<Stretch> {
        let until = self.deleted_at.map_or(until, |at| until.min(at));
        let mut found = Vec::new();
        for (index, version) in self.versions.iter().enumerate() {
            let next = self.versions.get(index + 1);
            let (from, to) = (
                version.since.max(after),
                next.map_or(until, |next| next.since.min(until)),
            );
            if let Some(schedule) = version.schedule
                && from < to
            {
                let mut walk = Walk {
                    history: self,
                    version: version.number,
                    schedule,
                    found: &mut found,
                };
                walk.version(from, to);
            }
        }
        found.sort_by_key(|stretch| stretch.due_from);
        found
    }
}

/// The walk through one version's time.
struct Walk<'a> {
    history: &'a History<'a>,
    version: u32,
    schedule: &'a Schedule,
    found: &'a mut Vec<Stretch>,
}

impl Walk<'_> {
    /// Splits (`from`, `to`] where pauses begin and end.
    fn version(&mut self, from: Timestamp, to: Timestamp) {
        let pauses = self.history.pauses;
        let mut borders: Vec<Timestamp> = pauses
            .iter()
            .flat_map(|pause| [Some(pause.from), pause.until])
            .flatten()
            .filter(|at| from < *at && *at < to)
            .collect();
        borders.push(to);
        borders.sort_unstable();
        let mut begin = from;
        for end in borders {
            let is_paused = pauses
                .iter()
                .any(|pause| pause.from <= begin && pause.until.is_none_or(|until| begin < until));
            self.span(begin, end, is_paused);
            if !is_paused {
                self.left_out(begin, end);
            }
            begin = end;
        }
    }

    /// Goes from one thing on record to the next in (`from`, `to`], and tells what lies between.
    fn span(&mut self, from: Timestamp, to: Timestamp, is_paused: bool) {
        let runs = self
            .history
            .runs
            .iter()
            .filter(|(_, version)| is_paused || *version == self.version)
            .map(|(due, _)| (*due, *due, None));
        let lapses = self
            .history
            .lapses
            .iter()
            .enumerate()
            .map(|(index, (first, last))| (*first, *last, Some(index)));
        let mut known: Vec<(Timestamp, Timestamp, Option<usize>)> = runs
            .chain(lapses)
            .filter(|(first, last, _)| *last > from && *first <= to)
            .collect();
        known.sort_unstable();
        known.dedup();
        let mut done = from;
        for (first, last, lapse) in known {
            self.between(done, earlier(first, STEP), is_paused);
            if let Some(index) = lapse {
                let before = earlier(first, STEP).max(done);
                self.push(before, last.min(to), Answer::Lapse(index));
            }
            done = done.max(last);
        }
        self.between(done, to, is_paused);
    }

    /// What is on no record in (`after`, `until`].
    fn between(&mut self, after: Timestamp, until: Timestamp, is_paused: bool) {
        if is_paused {
            return self.push(after, until, Answer::Paused);
        }
        let watermark = self.history.watermark;
        self.push(after, until.min(watermark), Answer::NotRecorded);
        self.push(after.max(watermark), until, Answer::NotPlanned);
    }

    /// What the calendar leaves out in (`from`, `to`].
    fn left_out(&mut self, from: Timestamp, to: Timestamp) {
        let stretches = self.schedule.left_out(from, to);
        self.found
            .extend(stretches.into_iter().map(|left_out| Stretch {
                due_from: left_out.first,
                due_to: left_out.last,
                count: left_out.count,
                job_version: self.version,
                answer: Answer::Calendar,
            }));
    }

    fn push(&mut self, after: Timestamp, until: Timestamp, answer: Answer) {
        let first = self.schedule.next_after(after).filter(|due| *due <= until);
        let Some(due_from) = first else {
            return;
        };
        self.found.push(Stretch {
            due_from,
            due_to: last_until(self.schedule, until).unwrap_or(due_from),
            count: self.schedule.count_between(after, until, u64::MAX),
            job_version: self.version,
            answer,
        });
    }
}

/// The last due instant before `at` and the first after it, by the version in force at `at`.
pub fn neighbours(
    versions: &[Version<'_>],
    at: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let in_force = versions.iter().rev().find(|version| version.since < at);
    match in_force.and_then(|version| version.schedule) {
        Some(schedule) => (
            last_until(schedule, earlier(at, STEP)),
            schedule.next_after(at),
        ),
        None => (None, None),
    }
}
