//! Lists must stay quick when the tables are large: a million runs of ten thousand jobs.
//!
//! Takes minutes, so it is run by hand: `cargo test -p cronfleet-store --test scale -- --ignored --nocapture sqlite`; `postgres`
//! and `mariadb` want an empty database in `CRONFLEET_TEST_POSTGRES` and `CRONFLEET_TEST_MYSQL`: the URL of a server.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "it reports what it measured")]

use std::time::{Duration, Instant};

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::run::Outcome;
use cronfleet_store::{DatabaseUrl, Engine, JobFilter, RunFilter, RunPhase, Store};
use jiff::Timestamp;
use sea_orm::{ConnectionTrait, Database};

/// Longest time that a page may take, in a build without optimisation on a busy machine.
const PAGE_MAX: Duration = Duration::from_millis(250);
/// Due instant of the first run, in milliseconds.
const BEGIN_MS: i64 = 1_800_000_000_000;

/// An expression in hexadecimal digits, with zeros in front.
fn hex(engine: Engine, expression: &str, width: u32) -> String {
    match engine {
        Engine::Sqlite => format!("printf('%0{width}x', {expression})"),
        Engine::Postgres => format!("lpad(to_hex(({expression})::bigint), {width}, '0')"),
        Engine::Mysql => format!("lpad(lower(hex({expression})), {width}, '0')"),
    }
}

/// A table `n` with a column `i` from 0 on.
fn series(engine: Engine, count: u32) -> String {
    let last = count - 1;
    match engine {
        Engine::Sqlite => format!(
            "(WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {last}) SELECT i FROM s) n"
        ),
        Engine::Postgres => format!("(SELECT generate_series(0::bigint, {last}) AS i) n"),
        Engine::Mysql => format!("(SELECT seq AS i FROM seq_0_to_{last}) n"),
    }
}

/// Ten groups, a hundred agents, ten thousand jobs, a million runs a second apart. One run in a thousand failed; the last two
/// thousand are under way.
fn fill(engine: Engine) -> Vec<String> {
    let id = |kind: u32, number: &str| {
        format!(
            "'00000000-0000-0000-000{kind}-' || {}",
            hex(engine, number, 12)
        )
    };
    let divided = match engine {
        Engine::Mysql => "(i DIV 10)",
        _ => "(i / 10)",
    };
    let (group, agent, job) = (
        id(0, "i % 10"),
        id(1, &format!("{divided} % 100")),
        id(2, "i % 10000"),
    );
    let due = hex(engine, "1800000000000 + i * 1000", 12);
    let ten = |count| series(engine, count);
    let name = format!("'job ' || {}", hex(engine, "(i * 7919) % 10000", 5));
    vec![
        "INSERT INTO users VALUES ('00000001-0000-0000-0000-000000000000', 'a', 'a', 'a', 'h', 1, 0, 0, NULL)".to_owned(),
        format!("INSERT INTO job_groups SELECT {group}, 'g' || i, '', 0 FROM {}", ten(10)),
        format!(
            "INSERT INTO agents (id, name, state, key_fingerprint, certificate_serial, session_epoch, joined_at, hostname, os, \
             arch, version, is_root, cpu_count, memory_total_bytes, memory_available_bytes, load_1m, running_count) \
             SELECT {}, 'agent' || i, 'active', 'k' || i, '', 0, 0, '', '', '', '', 1, 1, 0, 0, 0, 0 FROM {}",
            id(1, "i"),
            ten(100)
        ),
        "INSERT INTO group_agents SELECT g.id, a.id FROM job_groups g, agents a".to_owned(),
        format!(
            "INSERT INTO jobs SELECT {job}, {group}, {name}, {name}, 'scheduled', 1, 0, 0, 1, 1, 0, 0, 0, \
             1800000000000000 + i, 0 FROM {}",
            ten(10_000)
        ),
        "INSERT INTO job_versions SELECT id, 1, '{\"name\":\"' || name || '\",\"description\":\"\",\"kind\":{\"scheduled\":{\
         \"expression\":\"* * * * *\",\"time_zone\":\"UTC\",\"is_overlap_allowed\":true,\"start_deadline_us\":60000000,\
         \"timeout_us\":null,\"attempts_max\":1,\"backoff\":{\"initial_us\":1,\"max_us\":9}}},\"command\":{\"argv\":[\"x\"]},\
         \"run_as\":\"app\",\"directory\":null,\"environment\":{},\"umask\":23,\"is_output_stored\":true,\
         \"output_cap_bytes\":1048576,\"stop_signal\":\"INT\",\"stop_grace_us\":1,\"target_agents\":null,\"processes\":1}', \
         '00000001-0000-0000-0000-000000000000', 0 FROM jobs"
            .to_owned(),
        format!(
            "INSERT INTO runs (id, job_id, job_version, group_id, agent_id, copy, copies, attempt, cause, trigger_key, state, \
             outcome, is_refined, due, not_before, not_after, planned_at, active_agent) \
             SELECT substr({due}, 1, 8) || '-' || substr({due}, 9) || '-8000-8000-' || {}, {job}, 1, {group}, {agent}, \
             0, 1, 1, 'schedule', '', CASE WHEN i < 998000 THEN 'ended' ELSE 'running' END, \
             CASE WHEN i >= 998000 THEN NULL WHEN i % 1000 = 0 THEN 'failed' ELSE 'succeeded' END, 0, \
             (1800000000000 + i * 1000) * 1000, (1800000000000 + i * 1000) * 1000, (1800000060000 + i * 1000) * 1000, 0, \
             CASE WHEN i < 998000 THEN NULL ELSE {agent} END FROM {}",
            hex(engine, "i", 12),
            ten(1_000_000)
        ),
        "UPDATE jobs SET is_paused = 1, next_due = NULL WHERE name > 'job 02706'".to_owned(),
    ]
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn sqlite() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("center.db");
    measure(&format!("sqlite:{}", file.display())).await;
}

#[tokio::test]
#[ignore = "takes minutes and a server"]
async fn postgres() {
    measure_on("CRONFLEET_TEST_POSTGRES", "postgres").await;
}

#[tokio::test]
#[ignore = "takes minutes and a server"]
async fn mariadb() {
    measure_on("CRONFLEET_TEST_MYSQL", "mysql").await;
}

async fn measure_on(variable: &str, maintenance: &str) {
    let server = std::env::var(variable).unwrap();
    let connection = Database::connect(format!("{server}/{maintenance}"))
        .await
        .unwrap();
    for sql in ["DROP DATABASE IF EXISTS scale", "CREATE DATABASE scale"] {
        connection.execute_unprepared(sql).await.unwrap();
    }
    connection.close().await.unwrap();
    measure(&format!("{server}/scale")).await;
}

async fn measure(text: &str) {
    let url: DatabaseUrl = text.parse().unwrap();
    Store::open(&url).await.unwrap().close().await.unwrap();
    let raw = Database::connect(text).await.unwrap();
    for statement in fill(url.engine()) {
        raw.execute_unprepared(&statement).await.unwrap();
    }
    raw.close().await.unwrap();
    // Without statistics first where the engine allows it, as a database is that has just grown.
    for round in ["grown", "reopened"] {
        let store = Store::open(&url).await.unwrap();
        lists(&store, round).await;
        store.close().await.unwrap();
    }
}

async fn lists(store: &Store, round: &str) {
    let mine = Reach::Groups((0..3).map(GroupId::from_u128).collect());
    let agent = AgentId::from_u128((1 << 48) + 7);
    let job = JobId::from_u128((2 << 48) + 71);
    let rare = GroupId::from_u128(3);
    let base = RunFilter::default;
    let at = |index: i64| Timestamp::from_millisecond(BEGIN_MS + index * 1_000).unwrap();
    let cases = [
        ("all", Reach::Everything, base()),
        ("three groups", mine.clone(), base()),
        ("no group", Reach::Groups(vec![]), base()),
        (
            "a job",
            mine.clone(),
            RunFilter {
                job: Some(job),
                ..base()
            },
        ),
        (
            "an agent",
            mine.clone(),
            RunFilter {
                agent: Some(agent),
                ..base()
            },
        ),
        (
            "a group",
            Reach::Everything,
            RunFilter {
                group: Some(rare),
                ..base()
            },
        ),
        (
            "failed",
            Reach::Everything,
            RunFilter {
                outcomes: vec![Outcome::Failed],
                ..base()
            },
        ),
        (
            "failed of mine",
            mine.clone(),
            RunFilter {
                outcomes: vec![Outcome::Failed],
                ..base()
            },
        ),
        (
            "lost, none",
            mine.clone(),
            RunFilter {
                outcomes: vec![Outcome::Lost, Outcome::Missed],
                ..base()
            },
        ),
        (
            "running",
            mine.clone(),
            RunFilter {
                phases: vec![RunPhase::Running],
                ..base()
            },
        ),
        (
            "an hour",
            mine.clone(),
            RunFilter {
                from: Some(at(500_000)),
                to: Some(at(503_600)),
                ..base()
            },
        ),
    ];
    for (name, reach, filter) in &cases {
        let page = store.runs(reach, filter, None, 100).await.unwrap();
        let first = best(async || {
            store
                .runs(reach, filter, None, 100)
                .await
                .unwrap()
                .items
                .len()
        })
        .await;
        let deep = if let Some(before) = page.next {
            best(async || {
                store
                    .runs(reach, filter, Some(before), 100)
                    .await
                    .unwrap()
                    .items
                    .len()
            })
            .await
        } else {
            first
        };
        println!(
            "{round}: runs, {name}: {} rows, first page {first:?}, second {deep:?}",
            page.items.len()
        );
        assert!(first < PAGE_MAX && deep < PAGE_MAX, "{name}");
    }
    let filters = [
        ("all", Reach::Everything, JobFilter::default()),
        ("three groups", mine.clone(), JobFilter::default()),
        (
            "by name",
            mine,
            JobFilter {
                part: "9999".to_owned(),
                ..JobFilter::default()
            },
        ),
        (
            "paused",
            Reach::Everything,
            JobFilter {
                is_paused: Some(true),
                ..JobFilter::default()
            },
        ),
    ];
    for (name, reach, filter) in filters {
        let rows = store
            .jobs(&reach, &filter, None, 100)
            .await
            .unwrap()
            .items
            .len();
        let took = best(async || {
            store
                .jobs(&reach, &filter, None, 100)
                .await
                .unwrap()
                .items
                .len()
        })
        .await;
        println!("{round}: jobs, {name}: {rows} rows, {took:?}");
        assert!(took < PAGE_MAX, "{name}");
    }
    let begin = Instant::now();
    let lease = store.seize_lease(0, "center").await.unwrap();
    let due = store.due_jobs(&lease, at(0), None, 1_000).await.unwrap();
    println!("{round}: due jobs: {} in {:?}", due.len(), begin.elapsed());
    let begin = Instant::now();
    let outstanding = store.outstanding(agent).await.unwrap();
    let waiting = store.agents_with_planned(at(0), at(0)).await.unwrap();
    println!(
        "{round}: outstanding of an agent: {} and {} in {:?}",
        outstanding.len(),
        waiting.len(),
        begin.elapsed()
    );
    assert!(begin.elapsed() < PAGE_MAX);
}

/// The shortest of a few times: what it takes when nothing else runs.
async fn best<T>(what: impl AsyncFn() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let begin = Instant::now();
        what().await;
        best = best.min(begin.elapsed());
    }
    best
}
