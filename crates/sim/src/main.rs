//! Runs the simulated fleet over many seeds: `cronfleet-sim [--seeds N] [--from S] [--log] [--daemons]`.
//!
//! Exit status 0 if every promise was kept, 1 if one was broken (with the seed and what happened to the run), 2 if the
//! arguments make no sense.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::num::NonZero;
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cronfleet_sim::daemons::{self, SlotOutcome};
use cronfleet_sim::{Options, Report, Tally, run_seed};

/// Seeds whose promises are broken that are shown.
const SHOWN_MAX: usize = 5;

/// Seeds that wait to be added up.
const ENDED_MAX: usize = 64;

/// Lines about a run that are shown.
const LINES_MAX: usize = 120;

struct Args {
    from: u64,
    seeds: u64,
    is_logged: bool,
    /// Only the daemons of one agent, not the fleet.
    is_daemons_only: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(args) => simulate(&args),
        Err(problem) => {
            println!(
                "{problem}\nusage: cronfleet-sim [--seeds N] [--from S] [--seed S] [--log] [--daemons]"
            );
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = Args {
        from: 0,
        seeds: 1_000,
        is_logged: false,
        is_daemons_only: false,
    };
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, String> {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a number"))?;
            value
                .parse()
                .map_err(|_| format!("{argument}: {value:?} is not a number"))
        };
        match argument.as_str() {
            "--seeds" => args.seeds = number()?,
            "--from" => args.from = number()?,
            "--seed" => (args.from, args.seeds) = (number()?, 1),
            "--log" => args.is_logged = true,
            "--daemons" => args.is_daemons_only = true,
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(args)
}

/// What came of a seed: nothing of the fleet if only daemons are simulated.
struct Ended {
    seed: u64,
    report: Option<Report>,
    slots: SlotOutcome,
}

/// What came of all seeds.
#[derive(Default)]
struct Total {
    tally: Tally,
    broken: Vec<u64>,
    slot_starts: u64,
    replaced: u64,
}

fn simulate(args: &Args) -> ExitCode {
    let begun = Instant::now();
    // A log is read from its beginning to its end.
    let workers = if args.is_logged {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get)
    };
    let seeds = Mutex::new(args.from..args.from.saturating_add(args.seeds));
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (done, ended) = mpsc::sync_channel(ENDED_MAX);
    let mut total = Total::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            let done = done.clone();
            scope.spawn(move || {
                while let Some(seed) = next() {
                    let ended = panic::catch_unwind(|| run(seed, args)).map_err(|_| seed);
                    if done.send(ended).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        ended.into_iter().for_each(|ended| total.add(ended));
    });
    total.conclude(begun.elapsed())
}

fn run(seed: u64, args: &Args) -> Ended {
    let options = Options {
        is_logged: args.is_logged,
        ..Options::default()
    };
    Ended {
        seed,
        report: (!args.is_daemons_only).then(|| run_seed(seed, options)),
        slots: daemons::run_seed(seed, None),
    }
}

impl Total {
    /// Adds a seed, or the number of one that panicked.
    fn add(&mut self, ended: Result<Ended, u64>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(seed) => {
                println!("seed {seed} panicked");
                self.broken.push(seed);
                return;
            }
        };
        let seed = ended.seed;
        if let Some(report) = &ended.report {
            self.tally.add(&report.tally);
            report.log.iter().for_each(|line| println!("{line}"));
        }
        self.slot_starts += ended.slots.starts;
        self.replaced += ended.slots.replaced;
        if !ended.slots.violations.is_empty() {
            println!("seed {seed}, daemons: {:#?}", ended.slots.violations);
            self.broken.push(seed);
        } else if ended
            .report
            .is_some_and(|report| !report.violations.is_empty())
        {
            self.broken.push(seed);
            if self.broken.len() <= SHOWN_MAX {
                show(seed);
            }
        }
    }

    fn conclude(mut self, elapsed: Duration) -> ExitCode {
        let Tally {
            seeds,
            runs,
            starts,
            lapses,
            told_late: _,
            events,
            by_end,
        } = self.tally;
        println!(
            "{seeds} seeds: {runs} runs, {starts} starts, {lapses} lapses, {events} events, {elapsed:.1?}"
        );
        let ends: Vec<String> = by_end
            .iter()
            .map(|(end, count)| format!("{end} {count}"))
            .collect();
        println!("{}", ends.join(", "));
        println!(
            "daemons: {} starts, {} replaced",
            self.slot_starts, self.replaced
        );
        if self.broken.is_empty() {
            println!("every promise was kept");
            return ExitCode::SUCCESS;
        }
        self.broken.sort_unstable();
        println!(
            "promises were broken in {} seeds: {:?}",
            self.broken.len(),
            self.broken
        );
        ExitCode::FAILURE
    }
}

/// Shows what was broken in a seed, and what happened to the first run concerned.
fn show(seed: u64) {
    let report: Report = run_seed(
        seed,
        Options {
            is_logged: true,
            ..Options::default()
        },
    );
    println!("seed {seed}:");
    report
        .violations
        .iter()
        .for_each(|violation| println!("  {violation}"));
    if let Some(run) = report.violations.iter().find_map(|violation| violation.run) {
        println!("  what happened to run {run}:");
        report
            .lines_about(run)
            .take(LINES_MAX)
            .for_each(|line| println!("    {line}"));
    }
}
