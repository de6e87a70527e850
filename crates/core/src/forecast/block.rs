//! Blocks: the jobs of one group on the same agents, and what they start on one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fleet::{AgentSet, Fleet, JobLoad, JobPlace};
use super::instants::Instants;
use super::tally::{Mark, Tally};
use super::turns::Turns;
use super::window::Window;
use crate::id::GroupId;
use crate::job::Overlap;
use crate::schedule::Kind;

/// Which blocks a job may be put together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// With everything else.
    Base,
    /// With none: a definition that goes.
    Old,
    /// With none: a definition that comes.
    New,
}

/// The jobs of a block, those that start and last alike together.
#[derive(Debug)]
pub(super) struct Cells {
    part: Part,
    group: GroupId,
    agents: AgentSet,
    jobs: Vec<JobPlace>,
    weights: BTreeMap<Cell, Weight>,
}

/// What one due instant of a cell starts on one agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Weight {
    processes: u64,
    /// Process-milliseconds of all of them, not rounded.
    busy_ms: u64,
}

/// What decides how jobs load an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    schedule: usize,
    /// How long a run is expected to last, rounded up to where it makes no difference; 0 if that is not known.
    lasting_ms: u64,
    /// What becomes of a run that is due while the one before is alive.
    meeting: Meeting,
}

/// [`Overlap`], in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meeting {
    Skips,
    Doubles,
    Waits { max: u32 },
    Replaces,
}

impl From<Overlap> for Meeting {
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::Forbid => Self::Skips,
            Overlap::Allow => Self::Doubles,
            Overlap::Queue { max } => Self::Waits { max },
            Overlap::Replace => Self::Replaces,
        }
    }
}

/// What the jobs of one group start on each of their agents.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) part: Part,
    pub(super) group: GroupId,
    pub(super) agents: AgentSet,
    pub(super) agent_count: u64,
    pub(super) jobs: Vec<JobPlace>,
    pub(super) marks: Vec<Mark>,
    /// What is not listed; empty if everything is.
    pub(super) even: Vec<Even>,
    /// Process-milliseconds of all runs that start.
    pub(super) busy_ms: u64,
    /// No second has more starts.
    pub(super) peak_max: u64,
}

/// What is evenly spread over a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Even {
    /// Runs that start.
    pub(super) starts: u64,
    /// Process-milliseconds.
    pub(super) busy_ms: u64,
}

impl Even {
    /// Starts in each second, rounded up.
    pub(super) fn starts_a_second(self, seconds: u32) -> u64 {
        self.starts.div_ceil(u64::from(seconds).max(1))
    }

    /// Processes alive at any time, rounded up.
    pub(super) fn alive(self, seconds: u32) -> u64 {
        self.busy_ms.div_ceil(u64::from(seconds).max(1) * 1_000)
    }
}

/// Puts the jobs of a fleet together, those that `part` gives a part; and how often each schedule is gone through.
pub(super) fn blocks(
    fleet: &Fleet,
    part: impl Fn(JobPlace) -> Option<Part>,
) -> (Vec<Cells>, Vec<u64>) {
    let mut blocks: BTreeMap<(Part, GroupId, AgentSet), Cells> = BTreeMap::new();
    let mut users = vec![0_u64; fleet.schedules().len()];
    for place in fleet.places() {
        let Some(part) = part(place) else {
            continue;
        };
        let job = fleet.job(place);
        let cells = blocks
            .entry((part, job.group, job.agents))
            .or_insert_with(|| Cells {
                part,
                group: job.group,
                agents: job.agents,
                jobs: Vec::new(),
                weights: BTreeMap::new(),
            });
        cells.jobs.push(place);
        let lasting_ms = lasting_ms(job);
        let cell = cell(fleet, place, lasting_ms);
        let weight = cells.weights.entry(cell).or_insert_with(|| {
            users[cell.schedule] += 1;
            Weight::default()
        });
        let processes = u64::from(job.copies);
        weight.processes += processes;
        weight.busy_ms = weight
            .busy_ms
            .saturating_add(processes.saturating_mul(lasting_ms));
    }
    (blocks.into_values().collect(), users)
}

fn cell(fleet: &Fleet, place: JobPlace, lasting_ms: u64) -> Cell {
    let schedule = fleet.schedule_of(place);
    let meeting = Meeting::from(fleet.job(place).scheduled.overlap);
    // Who starts at a whole second is alive at as many of them whatever the fraction; so more jobs are alike.
    let unit = match (fleet.schedules()[schedule].kind(), meeting) {
        (Kind::Cron, Meeting::Skips | Meeting::Doubles | Meeting::Replaces) => 1_000,
        (Kind::Cron, Meeting::Waits { .. }) | (Kind::Every | Kind::At | Kind::Reboot, _) => 1,
    };
    Cell {
        schedule,
        lasting_ms: lasting_ms.div_ceil(unit) * unit,
        meeting,
    }
}

/// How long half of a job's runs last at most, at least a millisecond; 0 if that is not known.
fn lasting_ms(job: &JobLoad) -> u64 {
    job.durations.map_or(0, |durations| {
        let lasting = bounded(durations.p50, job).as_millis();
        u64::try_from(lasting).unwrap_or(u64::MAX).max(1)
    })
}

/// How long a run lasts that its timeout stops.
pub(super) fn bounded(lasting: Duration, job: &JobLoad) -> Duration {
    let timeout = job.scheduled.timeout.unwrap_or(Duration::MAX);
    lasting.min(timeout)
}

impl Cells {
    /// Counts what the jobs start on one agent.
    pub(super) fn settle(self, fleet: &Fleet, instants: &[Instants], window: &Window) -> Block {
        let mut count = Count {
            window,
            tally: Tally::default(),
            even: Vec::new(),
            busy_ms: 0,
        };
        for (cell, weight) in self.weights {
            match &instants[cell.schedule] {
                Instants::Listed { before, offsets } => {
                    count.listed(cell, weight, *before, offsets);
                }
                Instants::Counted { per_bucket, .. } => count.counted(cell, weight, per_bucket),
            }
        }
        let marks = count.tally.into_marks();
        let listed_max = marks.iter().map(|mark| mark.starts).max().unwrap_or(0);
        let even_max = (0..count.even.len())
            .map(|bucket| {
                let (begin, end) = window.bucket(bucket);
                count.even[bucket].starts_a_second(end - begin)
            })
            .max()
            .unwrap_or(0);
        Block {
            part: self.part,
            group: self.group,
            agents: self.agents,
            agent_count: fleet.agents_of(self.agents).len() as u64,
            jobs: self.jobs,
            marks,
            even: count.even,
            busy_ms: count.busy_ms,
            peak_max: u64::try_from(listed_max).unwrap_or(0) + even_max,
        }
    }
}

impl Block {
    /// Whether nothing starts and nothing is alive.
    pub(super) fn is_empty(&self) -> bool {
        self.agent_count == 0 || self.marks.is_empty() && self.even.is_empty()
    }
}

/// A block in the making.
struct Count<'a> {
    window: &'a Window,
    tally: Tally,
    even: Vec<Even>,
    busy_ms: u64,
}

impl Count<'_> {
    fn listed(&mut self, cell: Cell, weight: Weight, before: Option<i64>, offsets: &[i64]) {
        let signed = i64::try_from(weight.processes).unwrap_or(i64::MAX);
        for offset in offsets {
            self.tally.push(Mark {
                second: Window::second(*offset),
                starts: signed,
                alive: 0,
            });
        }
        if cell.lasting_ms == 0 {
            return;
        }
        for life in lives(cell, before.into_iter().chain(offsets.iter().copied())) {
            self.alive(life.from, life.until, signed);
            if life.from >= 0 {
                let ms = u64::try_from((life.until - life.from) / 1_000).unwrap_or(0);
                // One that is cut short takes what it takes; a whole one what is known more exactly.
                let cut_ms = weight.processes.saturating_mul(ms);
                let is_whole = ms >= cell.lasting_ms;
                self.add_busy(if is_whole { weight.busy_ms } else { cut_ms });
            }
        }
    }

    /// Processes that are alive from one offset to another.
    fn alive(&mut self, from: i64, until: i64, count: i64) {
        let (begin, end) = (self.window.second_up(from), self.window.second_up(until));
        if begin == end {
            return;
        }
        for (second, alive) in [(begin, count), (end, -count)] {
            if second < self.window.seconds() {
                self.tally.push(Mark {
                    second,
                    starts: 0,
                    alive,
                });
            }
        }
    }

    fn counted(&mut self, cell: Cell, weight: Weight, per_bucket: &[u64]) {
        self.even.resize(per_bucket.len(), Even::default());
        for (bucket, count) in per_bucket.iter().enumerate() {
            let starts = weight.processes.saturating_mul(*count);
            let mut busy_ms = weight.busy_ms.saturating_mul(*count);
            if cell.meeting != Meeting::Doubles {
                let (begin, end) = self.window.bucket(bucket);
                let bucket_ms = u64::from(end - begin) * 1_000;
                busy_ms = busy_ms.min(weight.processes.saturating_mul(bucket_ms));
            }
            let even = &mut self.even[bucket];
            even.starts = even.starts.saturating_add(starts);
            even.busy_ms = even.busy_ms.saturating_add(busy_ms);
            self.add_busy(busy_ms);
        }
    }

    fn add_busy(&mut self, ms: u64) {
        self.busy_ms = self.busy_ms.saturating_add(ms);
    }
}

/// A run of a cell, from its start until its end.
struct Life {
    from: i64,
    until: i64,
}

/// The runs that start of those that are due.
fn lives(cell: Cell, dues: impl Iterator<Item = i64>) -> Vec<Life> {
    let lasting = micros(cell.lasting_ms);
    let max = match cell.meeting {
        Meeting::Waits { max } => max,
        Meeting::Skips | Meeting::Doubles | Meeting::Replaces => 0,
    };
    let (mut lives, mut turns): (Vec<Life>, _) = (Vec::new(), Turns::new(max));
    for due in dues {
        let from = match cell.meeting {
            Meeting::Skips | Meeting::Waits { .. } => turns.take(due, lasting),
            Meeting::Doubles | Meeting::Replaces => Some(due),
        };
        let Some(from) = from else {
            continue;
        };
        if let (Meeting::Replaces, Some(before)) = (cell.meeting, lives.last_mut()) {
            before.until = before.until.min(due);
        }
        lives.push(Life {
            from,
            until: from.saturating_add(lasting),
        });
    }
    lives
}

/// Microseconds of so many milliseconds.
pub(super) fn micros(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX)
}
