//! Loads: what blocks add up to.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::block::{Block, Even};
use super::fleet::{Fleet, JobPlace};
use super::instants::Instants;
use super::tally::{Mark, Tally};
use super::window::Window;
use crate::id::JobId;

/// Most jobs that are named as the makers of a peak.
const PEAK_JOBS_MAX: usize = 10;

/// Starts and processes of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Runs that become due, as planning would make them: skips are not taken off.
    pub starts: u64,
    /// The same for each bucket of the window.
    pub starts_per_bucket: Vec<u64>,
    /// The second with the most starts; the first of several. `None` if nothing starts.
    pub peak: Option<Peak>,
    /// The jobs that start in it.
    pub peak_jobs: PeakJobs,
    /// The moment with the most processes alive, if runs take as long as half of the past ones did; the first of several.
    pub alive_peak: Option<Peak>,
    /// What the processes of these runs take together, also beyond the end.
    pub busy: Duration,
}

/// The highest of many counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// When; a whole second.
    pub at: Timestamp,
    /// How many.
    pub count: u64,
}

/// The jobs of a peak.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeakJobs {
    /// Those with the most starts, at most 10.
    pub told: Vec<PeakJob>,
    /// How many there are.
    pub count: usize,
}

/// A job's part of a peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakJob {
    /// The job.
    pub job: JobId,
    /// Runs of it that start in that second.
    pub starts: u64,
}

impl Load {
    /// Compares loads: the higher the worse.
    pub(super) fn rank(&self) -> (u64, u64, u64) {
        let count = |peak: Option<Peak>| peak.map_or(0, |peak| peak.count);
        (count(self.peak), count(self.alive_peak), self.starts)
    }
}

/// A sum of blocks.
pub(super) struct Sum<'a> {
    window: &'a Window,
    tally: Tally,
    even: Vec<Even>,
    busy_ms: u64,
}

impl<'a> Sum<'a> {
    pub(super) fn new(window: &'a Window) -> Self {
        Self {
            window,
            tally: Tally::default(),
            even: vec![Even::default(); window.bucket_count()],
            busy_ms: 0,
        }
    }

    /// Adds a block, `weight` times.
    pub(super) fn add(&mut self, block: &Block, weight: u64) {
        self.tally
            .add(&block.marks, i64::try_from(weight).unwrap_or(i64::MAX));
        for (sum, even) in self.even.iter_mut().zip(&block.even) {
            sum.starts = sum
                .starts
                .saturating_add(even.starts.saturating_mul(weight));
            sum.busy_ms = sum
                .busy_ms
                .saturating_add(even.busy_ms.saturating_mul(weight));
        }
        self.busy_ms = self
            .busy_ms
            .saturating_add(block.busy_ms.saturating_mul(weight));
    }

    /// The load, and the marks that it was made from.
    pub(super) fn finish(self) -> (Load, Vec<Mark>) {
        let marks = self.tally.into_marks();
        let mut scan = Scan {
            window: self.window,
            alive: 0,
            peak: None,
            alive_peak: None,
        };
        let mut starts_per_bucket = Vec::with_capacity(self.even.len());
        let mut rest = marks.iter().peekable();
        for (bucket, even) in self.even.iter().enumerate() {
            let (begin, end) = self.window.bucket(bucket);
            if rest.peek().is_none_or(|mark| mark.second > begin) {
                scan.see(begin, 0, *even, end - begin);
            }
            let mut starts = even.starts;
            while let Some(mark) = rest.next_if(|mark| mark.second < end) {
                scan.alive = scan.alive.saturating_add(mark.alive);
                scan.see(mark.second, mark.starts, *even, end - begin);
                starts = starts.saturating_add(unsigned(mark.starts));
            }
            starts_per_bucket.push(starts);
        }
        let load = Load {
            starts: starts_per_bucket
                .iter()
                .fold(0, |sum, starts| sum.saturating_add(*starts)),
            starts_per_bucket,
            peak: scan.peak,
            peak_jobs: PeakJobs::default(),
            alive_peak: scan.alive_peak,
            busy: Duration::from_millis(self.busy_ms),
        };
        (load, marks)
    }
}

/// Looks for the highest counts, second by second.
struct Scan<'a> {
    window: &'a Window,
    alive: i64,
    peak: Option<Peak>,
    alive_peak: Option<Peak>,
}

impl Scan<'_> {
    fn see(&mut self, second: u32, starts: i64, even: Even, seconds: u32) {
        let at = self.window.at(second);
        let starts = unsigned(starts).saturating_add(even.starts_a_second(seconds));
        let alive = unsigned(self.alive).saturating_add(even.alive(seconds));
        for (peak, count) in [(&mut self.peak, starts), (&mut self.alive_peak, alive)] {
            if count > peak.map_or(0, |peak| peak.count) {
                *peak = Some(Peak { at, count });
            }
        }
    }
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Finds the jobs of peaks. What it finds out about a second is kept: peaks of agents are often at the same.
pub(super) struct PeakCounts<'a> {
    fleet: &'a Fleet,
    instants: &'a [Instants],
    window: &'a Window,
    /// By second and schedule.
    counts: BTreeMap<(i64, usize), u64>,
}

impl<'a> PeakCounts<'a> {
    pub(super) fn new(fleet: &'a Fleet, instants: &'a [Instants], window: &'a Window) -> Self {
        Self {
            fleet,
            instants,
            window,
            counts: BTreeMap::new(),
        }
    }

    /// The jobs that make the peak of a load, of these blocks with their weights.
    pub(super) fn at<'b>(
        &mut self,
        load: &Load,
        blocks: impl Iterator<Item = (&'b Block, u64)>,
    ) -> PeakJobs {
        let Some(peak) = load.peak else {
            return PeakJobs::default();
        };
        let mut found = Vec::new();
        for (block, weight) in blocks {
            for place in &block.jobs {
                let starts = self
                    .in_second(*place, peak.at)
                    .saturating_mul(u64::from(self.fleet.job(*place).copies))
                    .saturating_mul(weight);
                if starts > 0 {
                    let job = self.fleet.job(*place).job;
                    found.push(PeakJob { job, starts });
                }
            }
        }
        let count = found.len();
        found.sort_by_key(|job| (Reverse(job.starts), job.job));
        found.truncate(PEAK_JOBS_MAX);
        PeakJobs { told: found, count }
    }

    /// How often a job is due within a second.
    fn in_second(&mut self, place: JobPlace, at: Timestamp) -> u64 {
        let schedule = self.fleet.schedule_of(place);
        let offset = self.window.offset(at);
        let (fleet, window, instants) = (self.fleet, self.window, self.instants);
        let known = self.counts.entry((offset, schedule));
        *known.or_insert_with(|| match &instants[schedule] {
            Instants::Listed { offsets, .. } => {
                let first = offsets.partition_point(|due| *due < offset);
                let end = offsets.partition_point(|due| *due < offset + 1_000_000);
                (end - first) as u64
            }
            Instants::Counted { .. } => {
                let second = Window::second(offset);
                let (after, until) = window.span(second, second + 1);
                fleet.schedules()[schedule].count_between(after, until, u64::MAX)
            }
        })
    }
}
