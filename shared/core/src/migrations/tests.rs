use super::*;
use crate::config::DatabaseConfig;

fn database() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Db::new(&DatabaseConfig::File(folder.path().join("test.db"))), folder)
}

const FIRST: Migration = Migration { name: "0001_first", sql: "CREATE TABLE a (x);\n-- why\nCREATE TABLE b (y);" };
const SECOND: Migration =
    Migration { name: "0002_second", sql: "INSERT INTO a VALUES (1);\nINSERT INTO gone VALUES (2);" };

#[test]
fn the_list_names_every_file_of_the_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str().and_then(|name| name.strip_suffix(".sql").map(str::to_owned))
        })
        .collect();
    files.sort();
    assert_eq!(files, MIGRATIONS.iter().map(|migration| migration.name).collect::<Vec<_>>());
    for (number, name) in (1..).zip(&files) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is out of order");
    }
}

#[tokio::test]
async fn applies_everything_once() {
    let (db, _folder) = database();
    assert_eq!(db.schema_version().await.unwrap(), 0);
    assert_eq!(migrate(&db).await.unwrap().len(), MIGRATIONS.len());
    assert!(migrate(&db).await.unwrap().is_empty());
    assert_eq!(db.schema_version().await.unwrap(), NEEDED_VERSION);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_processes_apply_each_file_once() {
    let (_, folder) = database();
    let racers = (0..8).map(|_| {
        // A `Db` of its own, as another process would have.
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        tokio::spawn(async move { migrate(&db).await.unwrap().len() })
    });
    let mut applied = 0;
    for racer in racers.collect::<Vec<_>>() {
        applied += racer.await.unwrap();
    }
    assert_eq!(applied, MIGRATIONS.len());
}

#[tokio::test]
async fn a_failing_file_leaves_nothing() {
    let (db, _folder) = database();
    let error = apply(&db, &[FIRST, SECOND]).await.unwrap_err();
    assert!(matches!(&error, MigrationError::Failed { name, .. } if name == "0002_second"), "{error}");
    assert_eq!(db.schema_version().await.unwrap(), 1);
    let rows = db.read("SELECT count(*) AS n FROM a", params![]).await.unwrap();
    assert_eq!(rows.first().unwrap().get::<i64>("n").unwrap(), 0);
}

#[tokio::test]
async fn a_changed_file_is_refused() {
    let (db, _folder) = database();
    apply(&db, &[FIRST]).await.unwrap();
    let changed = Migration { sql: "CREATE TABLE a (x, z);", ..FIRST };
    let error = apply(&db, &[changed]).await.unwrap_err();
    assert!(matches!(error, MigrationError::Changed { .. }), "{error}");
    assert!(error.to_string().contains("0001_first"));
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (db, _folder) = database();
    let second = Migration { sql: "CREATE TABLE c (z);", ..SECOND };
    apply(&db, &[FIRST, second]).await.unwrap();
    assert!(matches!(apply(&db, &[FIRST]).await, Err(MigrationError::FromTheFuture(name)) if name == "0002_second"));
}

#[test]
fn keeps_triggers_whole() {
    let sql = "CREATE TABLE a (x);\nCREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n    DELETE FROM a;\nEND;\nDROP TABLE a;";
    let statements = split_statements(sql);
    assert_eq!(statements.len(), 3, "{statements:?}");
    assert!(statements[1].contains("DELETE FROM a;\nEND;"));
}

#[tokio::test]
async fn provider_limits_of_before_become_settings() {
    let (db, _folder) = database();
    let at = MIGRATIONS.iter().position(|migration| migration.name == "0016_admission").unwrap();
    apply(&db, &MIGRATIONS[..at]).await.unwrap();
    let old = "INSERT INTO provider_limits (provider, max_running)
        VALUES ('ollama', 7), ('openai', 5000), ('closed down', 3)";
    db.write(vec![Statement::new(old, params![])]).await.unwrap();
    migrate(&db).await.unwrap();
    let found = crate::settings::list(&db, Some(crate::settings::SettingType::ProviderLimits)).await.unwrap();
    let mut limits: Vec<_> = found
        .into_iter()
        .map(|setting| match setting.data {
            crate::settings::Setting::ProviderLimits { identifier, provider, max_running } => {
                assert!(crate::ids::is_uuid(&setting.id) && identifier == provider.as_str());
                (identifier, max_running)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    limits.sort();
    assert_eq!(
        limits,
        [("ollama".to_owned(), 7), ("openai".to_owned(), 1000)],
        "capped; unknown providers are left out"
    );
}
