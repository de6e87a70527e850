//! Figures for the decision record and for whoever changes the shim. Run by hand:
//!
//! ```text
//! cargo build --release -p cronfleet-shim
//! CRONFLEET_SHIM=$PWD/target/release/cronfleet-shim \
//!     cargo test --release -p cronfleet-agent --test host_lives -- --ignored --nocapture figures
//! ```

#![expect(clippy::print_stdout, reason = "figures are for people")]

use std::fs;
use std::time::{Duration, Instant};

use cronfleet_agent::host::{Armed, Life, OutputPolicy};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use tokio::task::JoinSet;

use crate::rig::{Rig, argv, finish, new_id, sh};

/// Shims that are held at once for the memory figures.
const HELD: u64 = 100;

#[tokio::test]
#[ignore = "prints figures"]
async fn figures() {
    let rig = Rig::new();
    memory(&rig).await;
    latency(&rig).await;
    for count in [10, 200, 1000] {
        burst(&rig, count).await;
    }
    sustained(&rig, 2000, 16).await;
    throughput(&rig).await;
}

async fn memory(rig: &Rig) {
    let mut armed = Vec::new();
    for _ in 0..HELD {
        armed.push(
            rig.host
                .arm(new_id(), &argv(&["/bin/sleep", "1000"]))
                .await
                .unwrap(),
        );
    }
    let shims: Vec<i32> = armed.iter().map(shim_of).collect();
    let prepared: Vec<i32> = shims.iter().flat_map(|shim| children(*shim)).collect();
    println!(
        "armed:   shim {}, prepared child {}",
        mean(&shims),
        mean(&prepared)
    );
    let mut lives: Vec<Life> = Vec::new();
    for one in armed {
        lives.push(one.go().await.unwrap());
    }
    println!("running: shim {}", mean(&shims));
    for life in &mut lives {
        life.control().kill_all().unwrap();
        finish(life).await;
    }
}

fn shim_of(armed: &Armed) -> i32 {
    armed.shim_pid()
}

fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    list.split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect()
}

/// Mean sizes in KiB.
fn mean(pids: &[i32]) -> String {
    let mean_of = |key: &str| {
        let one = |pid: &i32| -> u64 {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
            let lines = text.lines().filter_map(|l| l.strip_prefix(key));
            lines
                .map(|l| l.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
                .sum()
        };
        pids.iter().map(one).sum::<u64>() / HELD
    };
    format!(
        "RSS {} KiB, PSS {} KiB, private dirty {} KiB",
        mean_of("Rss:"),
        mean_of("Pss:"),
        mean_of("Private_Dirty:")
    )
}

async fn latency(rig: &Rig) {
    let (mut arm, mut go, mut end) = (Vec::new(), Vec::new(), Vec::new());
    let spec = argv(&["/bin/true"]);
    for _ in 0..500 {
        let begun = Instant::now();
        let armed = rig.host.arm(new_id(), &spec).await.unwrap();
        arm.push(begun.elapsed());
        let begun = Instant::now();
        let mut life = armed.go().await.unwrap();
        go.push(begun.elapsed());
        life.wait().await.unwrap();
        end.push(begun.elapsed());
    }
    println!(
        "arm {}; go to running {}; go to exit record of `true` {}",
        spread(arm),
        spread(go),
        spread(end)
    );
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("p50 {:?} p99 {:?}", at(50), at(99))
}

/// Armed ahead, then all let go at once.
async fn burst(rig: &Rig, count: usize) {
    let begun = Instant::now();
    let mut arming = JoinSet::new();
    for _ in 0..count {
        let host = rig.host.clone();
        arming.spawn(async move { host.arm(new_id(), &argv(&["/bin/true"])).await.unwrap() });
    }
    let armed = arming.join_all().await;
    let arm = begun.elapsed();
    let due = wall_us();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for one in armed {
        running.spawn(async move {
            let mut life = one.go().await.unwrap();
            let started = life.started().at_us;
            life.wait().await.unwrap();
            started
        });
    }
    let mut late: Vec<i64> = running.join_all().await.iter().map(|at| at - due).collect();
    late.sort_unstable();
    println!(
        "{count} at once: armed in {arm:?}; due to start p50 {} us, p99 {} us, last {} us; all over after {:?}",
        late[count / 2],
        late[count * 99 / 100],
        late[count - 1],
        begun.elapsed()
    );
}

fn wall_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_micros().try_into().unwrap()
}

/// Launches with recorded output, so many in flight, each forgotten afterwards.
async fn sustained(rig: &Rig, count: usize, in_flight: usize) {
    let begun = Instant::now();
    let before = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(cpu);
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        let host = rig.host.clone();
        workers.spawn(async move {
            for _ in 0..count / in_flight {
                let id = new_id();
                let mut life = host
                    .arm(id, &argv(&["/bin/echo", "hi"]))
                    .await
                    .unwrap()
                    .go()
                    .await
                    .unwrap();
                life.wait().await.unwrap();
                assert!(life.output().end().unwrap() > 0);
                host.forget(id).await.unwrap();
                host.forget_output(id).unwrap();
            }
        });
    }
    workers.join_all().await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let own = (cpu(UsageWho::RUSAGE_SELF) - before[0]) / count as f64;
    let children = (cpu(UsageWho::RUSAGE_CHILDREN) - before[1]) / count as f64;
    println!(
        "sustained with output: {rate:.0} runs/s, {in_flight} in flight; processor time of a run: \
         agent {own:.3} ms, shim and command {children:.3} ms"
    );
}

/// Processor time so far, in milliseconds.
fn cpu(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    let ms = |time: TimeVal| time.num_microseconds() as f64 / 1000.0;
    ms(usage.user_time()) + ms(usage.system_time())
}

async fn throughput(rig: &Rig) {
    let mut spec = sh("head -c 1000000000 /dev/zero");
    spec.output = OutputPolicy::Store {
        cap_bytes: 16 << 20,
        block_max: None,
    };
    let begun = Instant::now();
    rig.run(&spec).await;
    println!("1 GB of output in {:?}", begun.elapsed());
}
