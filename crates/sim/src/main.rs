//! Runs the simulated fleet over many seeds: `cronfleet-sim [--seeds N] [--from S] [--log] [--daemons]`.
//!
//! Exit status 0 if every promise was kept, 1 if one was broken (with the seed and what happened to the run), 2 if the
//! arguments make no sense.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use cronfleet_sim::{Options, Report, Tally, daemons, run_seed};

/// Seeds whose promises are broken that are shown.
const SHOWN_MAX: usize = 5;

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

fn simulate(args: &Args) -> ExitCode {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    let (mut slot_starts, mut replaced) = (0, 0);
    for seed in args.from..args.from.saturating_add(args.seeds) {
        let report = (!args.is_daemons_only).then(|| {
            run_seed(
                seed,
                Options {
                    is_logged: args.is_logged,
                    ..Options::default()
                },
            )
        });
        if let Some(report) = &report {
            tally.add(&report.tally);
            report.log.iter().for_each(|line| println!("{line}"));
        }
        let slots = daemons::run_seed(seed, None);
        slot_starts += slots.starts;
        replaced += slots.replaced;
        if !slots.violations.is_empty() {
            println!("seed {seed}, daemons: {:#?}", slots.violations);
            broken.push(seed);
        } else if report.is_some_and(|report| !report.violations.is_empty()) {
            broken.push(seed);
            if broken.len() <= SHOWN_MAX {
                show(seed);
            }
        }
    }
    let Tally {
        seeds,
        runs,
        starts,
        lapses,
        events,
        by_end,
    } = tally;
    println!(
        "{seeds} seeds: {runs} runs, {starts} starts, {lapses} lapses, {events} events, {:.1?}",
        begun.elapsed()
    );
    let ends: Vec<String> = by_end
        .iter()
        .map(|(end, count)| format!("{end} {count}"))
        .collect();
    println!("{}", ends.join(", "));
    println!("daemons: {slot_starts} starts, {replaced} replaced");
    if broken.is_empty() {
        println!("every promise was kept");
        return ExitCode::SUCCESS;
    }
    println!("promises were broken in {} seeds: {broken:?}", broken.len());
    ExitCode::FAILURE
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
