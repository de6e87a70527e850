//! How long a forecast takes, by the number of jobs: a mix of common schedules on agents that are chosen or are all of a group.
//!
//! `cargo xtask bench forecast [-- --jobs 10000 --agents 1000]`. A Markdown table on standard output. Reading jobs and past durations from a
//! database is not part of it.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::forecast::{Durations, Fleet, JobLoad, Window, forecast};
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{Overlap, START_DEADLINE_DEFAULT, ScheduledSpec};
use cronfleet_core::retry::RetryPolicy;
use jiff::Timestamp;

/// Figures of forecasts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Jobs.
    #[arg(long, default_value_t = 10_000)]
    jobs: u128,
    /// Agents, in ten groups.
    #[arg(long, default_value_t = 1_000)]
    agents: u128,
    /// Given by `cargo bench`; means nothing.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Schedules, each for as many jobs as the others.
const SCHEDULES: [&str; 10] = [
    "0 2 * * *",
    "H 3 * * *",
    "*/5 * * * *",
    "* * * * *",
    "0 * * * *",
    "H * * * *",
    "30 4 * * MON-FRI",
    "@every 90s",
    "*/10 * * * * *",
    "@every 250ms",
];
const GROUPS: u128 = 10;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} jobs on {} agents\n",
        arguments.jobs, arguments.agents
    )?;
    writeln!(
        out,
        "| time | reading schedules ms | forecast ms | starts | taken as even |"
    )?;
    writeln!(out, "|---|---|---|---|---|")?;
    let from: Timestamp = "2026-11-23T10:07:00Z".parse()?;
    for (name, window) in [("24 h", Window::day(from)), ("7 d", Window::week(from))] {
        let begun = Instant::now();
        let fleet = fleet(&arguments)?;
        let read = begun.elapsed();
        let begun = Instant::now();
        let answer = black_box(forecast(black_box(&fleet), &window));
        writeln!(
            out,
            "| {name} | {:.0} | {:.0} | {} | {} |",
            read.as_secs_f64() * 1e3,
            begun.elapsed().as_secs_f64() * 1e3,
            answer.total.starts,
            answer.approximate_job_count
        )?;
    }
    Ok(())
}

fn fleet(arguments: &Arguments) -> Result<Fleet> {
    let mut fleet = Fleet::default();
    for job in 0..arguments.jobs {
        let group = job % GROUPS;
        // Every other job on all agents of its group, the others on three of them.
        let few = if job % 2 == 0 { arguments.agents } else { 3 };
        let agents = (0..arguments.agents)
            .filter(|agent| agent % GROUPS == group)
            .skip((job / 2 % 7) as usize * usize::from(few == 3))
            .take(few as usize)
            .map(|agent| AgentId::from_u128(agent + 1));
        let agents = fleet.agents(agents.collect());
        let p50 = Duration::from_millis((job as u64 * 37) % 60_000 + 1);
        fleet.add(JobLoad {
            job: JobId::from_u128(job + 1),
            group: GroupId::from_u128(group + 1),
            scheduled: scheduled(SCHEDULES[(job / GROUPS) as usize % SCHEDULES.len()]),
            agents,
            copies: 1,
            durations: Some(Durations {
                p50,
                p90: 2 * p50,
                run_count: 100,
            }),
        })?;
    }
    Ok(fleet)
}

fn scheduled(expression: &str) -> ScheduledSpec {
    ScheduledSpec {
        expression: expression.to_owned(),
        time_zone: "Asia/Shanghai".to_owned(),
        dst: Default::default(),
        active: Default::default(),
        calendar: None,
        overlap: Overlap::Forbid,
        spread: cronfleet_core::spread::Spread::Each,
        jitter: Duration::ZERO,
        start_deadline: START_DEADLINE_DEFAULT,
        catch_up: CatchUp::None,
        timeout: None,
        retry: RetryPolicy::NONE,
    }
}
