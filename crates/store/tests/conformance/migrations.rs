use std::path::Path;

use cronfleet_store::StoreError;

use crate::db::TestDb;
use crate::world::{ADMIN, World, scheduled};

conformance! {
    opening_again_changes_nothing,
    a_newer_schema_is_refused,
    an_interrupted_step_is_run_again,
    migrating_from_empty_gives_the_schema_on_record,
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
    for lost in [
        "DELETE FROM migrations",
        "DROP INDEX runs_job",
        "DROP TABLE output_chunks",
    ] {
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
