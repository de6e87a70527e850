//! What the catalogs of servers say about tables, columns and keys: as text on record, and in a form that is the same for all
//! engines.

use cronfleet_store::Engine;

use crate::db::TestDb;

/// The schema of a PostgreSQL database, a line per column, key and rule.
pub(crate) async fn postgres(db: &TestDb) -> String {
    lines(
        db,
        "SELECT table_name || '.' || column_name || ' ' || data_type || \
         COALESCE('(' || character_maximum_length || ')', '') || COALESCE(' COLLATE ' || collation_name, '') || \
         CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END FROM information_schema.columns \
         WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        &[
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY tablename, indexname",
            "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c') ORDER BY 1",
        ],
    )
    .await
}

/// The schema of a MySQL or MariaDB database, a line per column, key and rule. The text of rules differs between servers; it is
/// left to the migrations.
pub(crate) async fn mysql(db: &TestDb) -> String {
    lines(
        db,
        "SELECT CONCAT(table_name, '.', column_name, ' ', data_type, \
         COALESCE(IF(data_type = 'varchar', CONCAT('(', character_maximum_length, ')'), NULL), ''), \
         COALESCE(CONCAT(' COLLATE ', collation_name), ''), IF(is_nullable = 'NO', ' NOT NULL', '')) \
         FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name <> 'migrations' \
         ORDER BY table_name, ordinal_position",
        &[
            "SELECT CONCAT(IF(MAX(non_unique) = 0, 'UNIQUE ', ''), 'INDEX ', index_name, ' ON ', table_name, ' (', \
             GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') FROM information_schema.statistics \
             WHERE table_schema = DATABASE() GROUP BY table_name, index_name ORDER BY table_name, index_name",
            "SELECT CONCAT(table_name, ' FOREIGN KEY (', column_name, ') REFERENCES ', referenced_table_name, '(', \
             referenced_column_name, ')') FROM information_schema.key_column_usage WHERE table_schema = DATABASE() \
             AND referenced_table_name IS NOT NULL ORDER BY 1",
            "SELECT CONCAT(table_name, ': ', COUNT(*), ' checks') FROM information_schema.table_constraints \
             WHERE table_schema = DATABASE() AND constraint_type = 'CHECK' GROUP BY table_name ORDER BY table_name",
        ],
    )
    .await
}

async fn lines(db: &TestDb, columns: &str, more: &[&str]) -> String {
    let mut parts = vec![db.texts(columns).await.join("\n")];
    for sql in more {
        parts.push(db.texts(sql).await.join("\n"));
    }
    parts.join("\n\n") + "\n"
}

/// Columns (`table.column null`) and keys (`table (columns) unique`) in words that mean the same on every engine.
pub(crate) async fn portable(db: &TestDb) -> Vec<String> {
    let (columns, keys) = match db.engine() {
        Engine::Sqlite => (
            "SELECT m.name || '.' || c.name || CASE WHEN c.\"notnull\" = 1 THEN '' ELSE ' NULL' END \
             FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
            "SELECT m.name || ' (' || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) \
             ORDER BY seqno)) || ')' || CASE WHEN i.\"unique\" = 1 THEN ' unique' ELSE '' END \
             FROM sqlite_schema m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
        ),
        Engine::Postgres => (
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '' ELSE ' NULL' END \
             FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT i.indrelid::regclass || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.place) \
             FROM unnest(i.indkey) WITH ORDINALITY AS k(number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid \
             AND a.attnum = k.number) || ')' || CASE WHEN i.indisunique THEN ' unique' ELSE '' END FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace",
        ),
        // A foreign key without an index gets one of its own name.
        Engine::Mysql => (
            "SELECT CONCAT(table_name, '.', column_name, IF(is_nullable = 'NO', '', ' NULL')) \
             FROM information_schema.columns WHERE table_schema = DATABASE()",
            "SELECT CONCAT(table_name, ' (', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')', \
             IF(MAX(non_unique) = 0, ' unique', '')) FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND index_name NOT LIKE '%\\_fk' GROUP BY table_name, index_name",
        ),
    };
    let mut all = db.texts(columns).await;
    all.extend(db.texts(keys).await);
    all.sort_unstable();
    all
}
