//! A migrated database for the tests of this crate.

use tempfile::TempDir;

use crate::{config::DatabaseConfig, db::Db, migrations};

/// A fresh migrated database file; it lives as long as the folder handle.
pub(crate) async fn database() -> (Db, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
    migrations::migrate(&db).await.unwrap();
    (db, folder)
}
