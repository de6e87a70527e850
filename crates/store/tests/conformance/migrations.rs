use std::path::Path;

use cronfleet_core::id::GroupId;
use cronfleet_store::{Engine, Store, StoreError};
use sea_orm::ConnectionTrait;

use crate::catalog;
use crate::db::TestDb;
use crate::world::{ADMIN, ALL, World, scheduled};

conformance! {
    opening_again_changes_nothing,
    a_newer_schema_is_refused,
    an_interrupted_step_is_run_again,
    migrating_from_empty_gives_the_schema_on_record,
    the_schema_means_the_same_on_every_engine,
    every_older_schema_is_brought_up_to_date_with_its_rows,
    two_that_start_at_once_migrate_once,
}

async fn opening_again_changes_nothing(w: World) {
    let group = w.group(1).await;
    w.job(1, group, scheduled("a")).await;
    let before = w.db.schema().await;
    w.store.close().await.unwrap();
    let store = w.db.open().await.unwrap();
    assert_eq!(w.db.schema().await, before);
    assert_eq!(store.user(ADMIN).await.unwrap().unwrap().login, "admin");
    store.check().await.unwrap();
    assert_eq!(store.engine(), w.db.engine());
}

async fn a_newer_schema_is_refused(w: World) {
    w.store.close().await.unwrap();
    w.db.execute(
        "INSERT INTO migrations (number, name, applied_at) VALUES (900, 'from the future', 0)",
    )
    .await;
    let refused = w.db.open().await.map(|_| ());
    assert!(
        matches!(refused, Err(StoreError::NewerSchema { found: 900, .. })),
        "{refused:?}"
    );
}

async fn an_interrupted_step_is_run_again(w: World) {
    let expected = w.db.schema().await;
    w.store.close().await.unwrap();
    w.db.drop_index("runs", "runs_job").await;
    for lost in ["DELETE FROM migrations", "DROP TABLE output_chunks"] {
        w.db.execute(lost).await;
    }
    w.db.open().await.unwrap();
    assert_eq!(w.db.schema().await, expected);
}

/// `schema/<engine>.sql` is what the steps add up to, for people to read. With `CRONFLEET_UPDATE=1` it is written anew.
async fn migrating_from_empty_gives_the_schema_on_record(w: World) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("schema/{}.sql", TestDb::engine(&w.db).word()));
    let found = w.db.schema().await;
    if std::env::var_os("CRONFLEET_UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &found).unwrap();
    }
    let recorded = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        found, recorded,
        "run the tests with CRONFLEET_UPDATE=1 and look at the difference"
    );
}

/// An index of few rows, which would cost more than it brings where an index has all rows.
const PARTIAL_ONLY: &str = "runs (active_agent, not_before, id)";

/// SQLite's schema is the measure.
async fn the_schema_means_the_same_on_every_engine(w: World) {
    let sqlite = TestDb::new(Engine::Sqlite).await;
    sqlite.open().await.unwrap().close().await.unwrap();
    let (found, expected) = (
        catalog::portable(&w.db).await,
        catalog::portable(&sqlite).await,
    );
    assert!(expected.len() > 100, "{expected:?}");
    let differing: Vec<_> = found
        .iter()
        .filter(|line| !expected.contains(line))
        .chain(expected.iter().filter(|line| !found.contains(line)))
        .filter(|line| *line != PARTIAL_ONLY || w.db.engine() != Engine::Mysql)
        .collect();
    assert_eq!(differing, Vec::<&String>::new());
}

/// The steps of an engine, as the files say them.
fn steps(engine: Engine) -> Vec<(u32, String)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("migrations/{}", engine.word()));
    let mut steps: Vec<(u32, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let number = name.split('_').next().unwrap().parse().unwrap();
            (number, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    steps.sort_unstable();
    steps
}

/// A database as an older version left it: the first `count` steps, and a few rows.
async fn older(engine: Engine, count: usize) -> TestDb {
    let db = TestDb::new(engine).await;
    let connection = db.connect().await;
    let run = async |sql: &str| {
        connection.execute_unprepared(sql).await.unwrap();
    };
    run("CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, applied_at BIGINT NOT NULL)")
        .await;
    for (number, sql) in &steps(engine)[..count] {
        for statement in sql
            .split(";\n")
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            run(statement).await;
        }
        run(&format!(
            "INSERT INTO migrations VALUES ({number}, 'step', 0)"
        ))
        .await;
    }
    let id = GroupId::from_u128(7);
    run(&format!(
        "INSERT INTO job_groups VALUES ('{id}', 'Ümlaut \u{1f600}', 'text', 0)"
    ))
    .await;
    run(&format!(
        "INSERT INTO agents (id, name, state, key_fingerprint, certificate_serial, session_epoch, joined_at, hostname, os, \
         arch, version, is_root, cpu_count, memory_total_bytes, memory_available_bytes, load_1m, running_count) \
         VALUES ('{id}', 'old', 'active', 'f', 's', 3, 0, 'h', 'o', 'a', 'v', 1, 1, 1, 1, 0.25, 0)"
    ))
    .await;
    connection.close().await.unwrap();
    db
}

async fn every_older_schema_is_brought_up_to_date_with_its_rows(w: World) {
    let (engine, expected) = (w.db.engine(), w.db.schema().await);
    let count = steps(engine).len();
    for done in 1..=count {
        let db = older(engine, done).await;
        let refused = Store::open_as_it_is(&db.url()).await.map(|_| ());
        assert_eq!(
            matches!(refused, Err(StoreError::OlderSchema { .. })),
            done < count,
            "{refused:?}"
        );
        let store = db.open().await.unwrap();
        assert_eq!(db.schema().await, expected, "from step {done}");
        let group = store
            .group(&ALL, GroupId::from_u128(7))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(group.name, "Ümlaut \u{1f600}");
        let agents = store
            .agents(&ALL, &Default::default(), None, 10)
            .await
            .unwrap();
        assert_eq!(agents.items[0].load_1m, 0.25, "from step {done}");
        store.close().await.unwrap();
    }
}

async fn two_that_start_at_once_migrate_once(w: World) {
    // SQLite's file belongs to one center.
    if w.db.engine() == Engine::Sqlite {
        return;
    }
    let db = TestDb::new(w.db.engine()).await;
    let (one, other) = tokio::join!(db.open(), db.open());
    one.unwrap().close().await.unwrap();
    other.unwrap().close().await.unwrap();
    let steps = steps(w.db.engine()).len().to_string();
    let count = match w.db.engine() {
        Engine::Mysql => "SELECT CAST(COUNT(*) AS CHAR) FROM migrations",
        _ => "SELECT CAST(COUNT(*) AS TEXT) FROM migrations",
    };
    assert_eq!(db.texts(count).await, [steps]);
}
