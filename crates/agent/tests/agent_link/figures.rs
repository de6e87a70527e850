//! Figures: how late a burst starts, how much an idle agent needs. Run with `--ignored --nocapture`.

#![expect(clippy::print_stdout, reason = "prints figures")]

use std::fs;
use std::time::{Duration, Instant};

use cronfleet_core::order::{Claim, Order};
use cronfleet_core::order_book::Phase;
use jiff::Timestamp;

use crate::rig::{Rig, launch, order};

#[tokio::test]
#[ignore = "prints figures"]
async fn bursts_and_memory() {
    let rig = Rig::new().await;
    rig.center.state().heartbeat_interval_ms = 5_000;
    let agent = rig.child();
    rig.center
        .wait("heartbeats", |state| {
            (state.heartbeats.len() > 1).then_some(())
        })
        .await;
    println!("idle agent: {} KiB resident", resident_kib(agent.pid()));
    for count in [10, 200, 1_000] {
        let mut launch = launch("");
        launch.command = cronfleet_core::job::Command::Argv(vec!["/bin/true".into()]);
        let due = Timestamp::now() + Duration::from_secs(8);
        let before = cpu_ms(agent.pid());
        let orders: Vec<Order> = (0..count).map(|_| order(launch.clone(), due)).collect();
        rig.center.order(&orders).await;
        let runs: Vec<_> = orders.iter().map(|order| order.run).collect();
        let over = |state: &crate::center::State| {
            let last = |run| state.claims.get(run).and_then(|claims| claims.last());
            let all: Option<Vec<Claim>> = runs
                .iter()
                .map(|run| {
                    last(run)
                        .filter(|claim| Phase::of(claim) == Phase::Over)
                        .cloned()
                })
                .collect();
            all
        };
        let claims = rig.center.wait("all ends", over).await;
        let told = Timestamp::now().duration_since(due).as_millis();
        let mut late: Vec<i128> = claims
            .iter()
            .map(|claim| match claim {
                Claim::Ended {
                    start: Some(start), ..
                } => start.at.duration_since(due).as_micros(),
                other => panic!("{other:?}"),
            })
            .collect();
        late.sort_unstable();
        let at = |part: usize| late[(late.len() * part / 100).min(late.len() - 1)] as f64 / 1_000.0;
        println!(
            "{count} due at once: started after {:.1} ms (first), {:.1} (half), {:.1} (99 of 100), {:.1} (last); all ends told after {told} ms; {:.2} ms of the agent's processor time each",
            at(0),
            at(50),
            at(99),
            at(100),
            (cpu_ms(agent.pid()) - before) as f64 / f64::from(count),
        );
    }
    println!("agent after it: {} KiB resident", resident_kib(agent.pid()));
    sustained(&rig).await;
    println!(
        "agent after that: {} KiB resident",
        resident_kib(agent.pid())
    );
    agent.kill();
}

/// Runs a second with output recorded.
async fn sustained(rig: &Rig) {
    let mut launch = launch("");
    launch.command = cronfleet_core::job::Command::Argv(vec!["/bin/echo".into(), "a line".into()]);
    let begun = Instant::now();
    let first = Timestamp::now() + Duration::from_secs(4);
    let orders: Vec<Order> = (0..4_000)
        .map(|i| order(launch.clone(), first + Duration::from_millis(i / 100 * 100)))
        .collect();
    for page in orders.chunks(500) {
        rig.center.order(page).await;
    }
    for order in &orders {
        rig.center.output(order.run).await;
        rig.center.over(order.run).await;
    }
    let took = begun.elapsed().saturating_sub(Duration::from_secs(4));
    println!(
        "{} runs with output: {:.0} runs/s",
        orders.len(),
        orders.len() as f64 / took.as_secs_f64()
    );
}

/// Processor time of a process, its own and in the kernel, in ticks of 10 ms.
fn cpu_ms(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let mut fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11);
    let mut ticks = || fields.next().unwrap().parse::<u64>().unwrap();
    (ticks() + ticks()) * 10
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
