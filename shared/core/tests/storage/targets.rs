//! Where the suite runs.

use std::fs::File;

use shared_core::{
    Secret,
    config::{DatabaseConfig, Env},
    db::{Db, Statement},
    params,
};
use shared_testing::hrana::HranaServer;
use tempfile::TempDir;

/// Runs each of the named functions, `async fn(&Target)`, on every target.
macro_rules! on_every_target {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use crate::targets::Target;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_a_local_file() {
                super::$name(&Target::local()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_a_remote_server() {
                super::$name(&Target::remote().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_the_configured_server() {
                if let Some(target) = Target::configured().await {
                    super::$name(&target).await;
                }
            }
        }
    )* };
}
pub(crate) use on_every_target;

/// An empty database and what keeps it alive.
pub(crate) struct Target {
    config: DatabaseConfig,
    pub(crate) db: Db,
    _keep: Keep,
}

/// Held only so that it is dropped with the target.
enum Keep {
    Folder { _folder: TempDir },
    Server { _server: HranaServer, _folder: TempDir },
    Turn { _lock: File },
}

/// The suite wipes only what is empty or bears this mark.
const MARK: &str = "storage_suite_may_wipe_this";

impl Target {
    pub(crate) fn local() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = DatabaseConfig::File(folder.path().join("test.db"));
        Self::new(config, Keep::Folder { _folder: folder })
    }

    pub(crate) async fn remote() -> Self {
        let (server, folder) = serve().await;
        let config = DatabaseConfig::Remote { url: server.url(), token: None };
        Self::new(config, Keep::Server { _server: server, _folder: folder })
    }

    /// `None`, and a line that says so, when no server is configured.
    pub(crate) async fn configured() -> Option<Self> {
        let env = Env::of_process();
        let Some(url) = env.get("REMOTE_DATABASE_URL") else {
            println!("skipped: REMOTE_DATABASE_URL is not set");
            return None;
        };
        let config = DatabaseConfig::Remote { url, token: env.get("REMOTE_DATABASE_TOKEN").map(Secret::new) };
        let target = Self::new(config, Keep::Turn { _lock: take_turn().await });
        wipe(&target.db).await;
        Some(target)
    }

    fn new(config: DatabaseConfig, keep: Keep) -> Self {
        Self { db: Db::new(&config), config, _keep: keep }
    }

    /// A `Db` with connections of its own, as another process would have.
    pub(crate) fn another_process(&self) -> Db {
        Db::new(&self.config)
    }
}

/// The configured server has one database for all tests, so they take turns, also when each is a process of its own.
async fn take_turn() -> File {
    let taking = tokio::task::spawn_blocking(|| {
        let path = std::env::temp_dir().join("storage-suite.lock");
        let file = File::create(path).expect("the temporary folder takes a lock file");
        file.lock().expect("a file on this machine can be locked");
        file
    });
    taking.await.expect("waiting for a lock does not panic")
}

/// A server over a fresh database file.
pub(crate) async fn serve() -> (HranaServer, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (HranaServer::start(folder.path().join("test.db")).await, folder)
}

/// Access to a test server.
pub(crate) fn client(server: &HranaServer) -> Db {
    Db::new(&DatabaseConfig::Remote { url: server.url(), token: None })
}

async fn wipe(db: &Db) {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'
        AND name NOT GLOB 'libsql_*' AND name NOT GLOB '_litestream*' ORDER BY name = 'files'";
    let rows = db.read(sql, params![]).await.expect("the configured server answers").rows;
    let names: Vec<String> = rows.iter().map(|row| row.get("name").expect("tables have names")).collect();
    let is_ours = names.is_empty() || names.iter().any(|name| name == MARK);
    assert!(is_ours, "REMOTE_DATABASE_URL names a database with data of others; the suite would delete it");
    let mut writes = vec![Statement::new(format!("CREATE TABLE IF NOT EXISTS {MARK} (x)"), params![])];
    let others = names.iter().filter(|name| *name != MARK);
    writes.extend(others.map(|name| Statement::new(format!("DROP TABLE \"{name}\""), params![])));
    db.write(writes).await.expect("the configured database can be wiped");
}

/// Makes a table `items` for tests of the store alone, with the table that guards write to.
pub(crate) async fn create_items(db: &Db) {
    let guards = "CREATE TABLE guards (holds INTEGER NOT NULL CONSTRAINT guard_failed CHECK (holds))";
    let items = "CREATE TABLE items (id TEXT PRIMARY KEY, data TEXT NOT NULL, n INTEGER NOT NULL DEFAULT 0,
        name TEXT GENERATED ALWAYS AS (json_extract(data, '$.name')) VIRTUAL)";
    let names = "CREATE UNIQUE INDEX items_name ON items (name)";
    let writes = [guards, items, names].map(|sql| Statement::new(sql, params![]));
    db.write(writes.to_vec()).await.expect("an empty database takes tables");
}

/// Inserts an item the way collections do.
pub(crate) fn insert_item(id: &str, name: &str) -> Statement {
    Statement::new("INSERT INTO items (id, data) VALUES (?1, json_object('name', ?2))", params![id, name])
}

/// The single number that a query answers as `n`.
pub(crate) async fn number(db: &Db, sql: &'static str) -> i64 {
    let rows = db.read(sql, params![]).await.expect("the query works");
    rows.first().expect("the query answers one row").get("n").expect("the row has a number n")
}
