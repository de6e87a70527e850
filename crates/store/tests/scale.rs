//! Lists must stay quick when the tables are large: a million runs of ten thousand jobs.
//!
//! Takes a minute, so it is run by hand: `cargo test -p cronfleet-store --test scale -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "it reports what it measured")]

use std::time::{Duration, Instant};

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::run::Outcome;
use cronfleet_store::{JobFilter, RunFilter, RunPhase, Store};
use jiff::Timestamp;
use sea_orm::{ConnectionTrait, Database};

/// Longest time that a page may take, in a build without optimisation on a busy machine.
const PAGE_MAX: Duration = Duration::from_millis(250);
/// Due instant of the first run, in milliseconds.
const BEGIN_MS: i64 = 1_800_000_000_000;

/// Ten groups, a hundred agents, ten thousand jobs, a million runs a second apart. One run in a thousand failed; the last two
/// thousand are under way.
const FILL: [&str; 8] = [
    "INSERT INTO users SELECT printf('%08x-0000-0000-0000-000000000000', 1), 'a', 'a', 'a', 'h', 1, 0, 0, NULL",
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
     INSERT INTO job_groups SELECT printf('00000000-0000-0000-0000-%012x', i), 'g' || i, '', 0 FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
     INSERT INTO agents (id, name, state, key_fingerprint, certificate_serial, session_epoch, joined_at, hostname, os, arch,
     version, is_root, cpu_count, memory_total_bytes, memory_available_bytes, load_1m, running_count)
     SELECT printf('00000000-0000-0000-0001-%012x', i), 'agent' || i, 'active', i, '', 0, 0, '', '', '', '', 1, 1, 0, 0, 0, 0
     FROM n",
    "INSERT INTO group_agents SELECT g.id, a.id FROM job_groups g, agents a",
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
     INSERT INTO jobs SELECT printf('00000000-0000-0000-0002-%012x', i), printf('00000000-0000-0000-0000-%012x', i % 10),
     printf('job %05d', (i * 7919) % 10000), printf('job %05d', (i * 7919) % 10000), 'scheduled', 1, 0, 0, 1, 1, 0, 0, 0,
     1800000000000000 + i, 0 FROM n",
    "INSERT INTO job_versions SELECT id, 1, '{\"name\":\"' || name || '\",\"description\":\"\",\"kind\":{\"scheduled\":{
     \"expression\":\"* * * * *\",\"time_zone\":\"UTC\",\"is_overlap_allowed\":true,\"start_deadline_us\":60000000,
     \"timeout_us\":null,\"attempts_max\":1,\"backoff\":{\"initial_us\":1,\"max_us\":9}}},\"command\":{\"argv\":[\"x\"]},
     \"run_as\":\"app\",\"directory\":null,\"environment\":{},\"umask\":23,\"is_output_stored\":true,
     \"output_cap_bytes\":1048576,\"stop_signal\":\"INT\",\"stop_grace_us\":1,\"target_agents\":null,\"processes\":1}',
     '00000001-0000-0000-0000-000000000000', 0 FROM jobs",
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)
     INSERT INTO runs (id, job_id, job_version, group_id, agent_id, copy, copies, attempt, cause, trigger_key, state, outcome,
     is_refined, due, not_before, not_after, planned_at, active_agent)
     SELECT substr(printf('%012x', 1800000000000 + i * 1000), 1, 8) || '-' ||
     substr(printf('%012x', 1800000000000 + i * 1000), 9) || printf('-8000-8000-%012x', i),
     printf('00000000-0000-0000-0002-%012x', i % 10000), 1, printf('00000000-0000-0000-0000-%012x', i % 10),
     printf('00000000-0000-0000-0001-%012x', (i / 10) % 100), 0, 1, 1, 'schedule', '',
     CASE WHEN i < 998000 THEN 'ended' ELSE 'running' END,
     CASE WHEN i >= 998000 THEN NULL WHEN i % 1000 = 0 THEN 'failed' ELSE 'succeeded' END, 0,
     (1800000000000 + i * 1000) * 1000, (1800000000000 + i * 1000) * 1000, (1800000060000 + i * 1000) * 1000, 0,
     CASE WHEN i < 998000 THEN NULL ELSE printf('00000000-0000-0000-0001-%012x', (i / 10) % 100) END FROM n",
    "UPDATE jobs SET is_paused = 1, next_due = NULL WHERE name > 'job 09990'",
];

#[tokio::test]
#[ignore = "takes a minute"]
async fn pages_are_quick_among_a_million_runs() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("center.db");
    Store::open_sqlite(&file)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    let raw = Database::connect(format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    for statement in FILL {
        raw.execute_unprepared(statement).await.unwrap();
    }
    raw.close().await.unwrap();
    // Without statistics first, as a database is that has just grown.
    for round in ["grown", "reopened"] {
        let store = Store::open_sqlite(&file).await.unwrap();
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
    let waiting = store.agents_with_planned(at(0)).await.unwrap();
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
