//! Copies between engines: from the engine under test to SQLite, and back into an empty database of the same engine.

use cronfleet_core::id::LifeId;
use cronfleet_store::{CopyError, Engine, LifeChunks, NewChunk, copy};

use crate::db::TestDb;
use crate::world::{ALL, World, at, run_at, scheduled};

conformance! {
    a_copy_has_everything,
    a_copy_needs_an_empty_target,
    what_is_in_use_is_not_copied,
    every_table_is_copied,
}

async fn filled(w: &World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    for number in 1..=3 {
        let job = w
            .job(number, group, scheduled(&format!("Ünïcode {number}")))
            .await;
        let runs = (0..150)
            .map(|second| run_at(job, 1, at(60 + second), agent))
            .collect();
        w.plan(job, runs).await;
    }
    let run = w
        .store
        .runs(&ALL, &Default::default(), None, 1)
        .await
        .unwrap()
        .items[0]
        .id;
    let chunks = (0..10).map(|place| NewChunk {
        offset: place * 300,
        length: 300,
        is_compressed: false,
        data: vec![u8::try_from(place).unwrap(); 300],
    });
    let output = LifeChunks {
        life: LifeId::from(run),
        cap_bytes: 1 << 20,
        head_bytes: 0,
        chunks: chunks.collect(),
        end_offset: None,
    };
    w.store
        .append_output(agent, &[output], at(61))
        .await
        .unwrap();
    w.store.resign_lease(&w.lease).await.unwrap();
}

async fn a_copy_has_everything(w: World) {
    filled(&w).await;
    let there = TestDb::new(Engine::Sqlite).await;
    let back = TestDb::new(w.db.engine()).await;
    let first = copy(&w.db.url(), &there.url()).await.unwrap();
    let second = copy(&there.url(), &back.url()).await.unwrap();
    let rows = |table: &str| first.iter().find(|one| one.table == table).unwrap().rows;
    assert_eq!(
        (rows("runs"), rows("output_chunks"), rows("jobs")),
        (450, 10, 3)
    );
    assert_eq!(first, second);
    let store = back.open().await.unwrap();
    let runs = |store: cronfleet_store::Store| async move {
        store
            .runs(&ALL, &Default::default(), None, 500)
            .await
            .unwrap()
    };
    assert_eq!(runs(store.clone()).await, runs(w.store.clone()).await);
    store.close().await.unwrap();
}

async fn a_copy_needs_an_empty_target(w: World) {
    filled(&w).await;
    let source = TestDb::new(Engine::Sqlite).await;
    source.open().await.unwrap().close().await.unwrap();
    let refused = copy(&source.url(), &w.db.url()).await;
    assert!(
        matches!(refused, Err(CopyError::NotEmpty { table: "users" })),
        "{refused:?}"
    );
    let same = copy(&w.db.url(), &w.db.url()).await;
    assert!(matches!(same, Err(CopyError::Same)), "{same:?}");
}

async fn what_is_in_use_is_not_copied(w: World) {
    filled(&w).await;
    let now = jiff::Timestamp::now().as_microsecond();
    w.db.execute(&format!(
        "UPDATE agents SET center = 'c', last_seen_at = {now}"
    ))
    .await;
    let target = TestDb::new(Engine::Sqlite).await;
    let refused = copy(&w.db.url(), &target.url()).await;
    assert!(matches!(refused, Err(CopyError::InUse)), "{refused:?}");
}

async fn every_table_is_copied(w: World) {
    w.store.resign_lease(&w.lease).await.unwrap();
    let target = TestDb::new(Engine::Sqlite).await;
    let copied = copy(&w.db.url(), &target.url()).await.unwrap();
    let mut copied: Vec<&str> = copied.iter().map(|one| one.table).collect();
    copied.push("migrations");
    copied.sort_unstable();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    assert_eq!(target.texts(tables).await, copied);
}
