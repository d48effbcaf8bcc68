//! Where the data of a run lives: in a file, or behind a server that speaks the remote protocol and wants a token.
//!
//! Some tests run at both places; all others in a file, or at a server with `E2E_DATABASE=remote`, which also leaves out what
//! would run in a file.

use local_dev::stack::StackOptions;
use shared_core::{
    Secret,
    config::{DatabaseConfig, Env},
};
use shared_testing::hrana::HranaServer;
use tempfile::TempDir;

/// Makes a test of each place out of each of the named functions, `async fn(Place)`.
macro_rules! at_both_places {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            use crate::place::Place;

            #[tokio::test(flavor = "multi_thread")]
            async fn in_a_file() {
                if Place::is_server_asked_for() {
                    return println!("skipped: E2E_DATABASE is remote");
                }
                super::$name(Place::file()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn at_a_server() {
                super::$name(Place::server().await).await;
            }
        }
    )* };
}
pub(crate) use at_both_places;

/// A place, and what keeps it there.
pub(crate) struct Place {
    server: Option<(HranaServer, TempDir)>,
}

const TOKEN: &str = "the-token-of-this-server";

impl Place {
    /// A file in the data directory of the system.
    pub(crate) fn file() -> Self {
        Self { server: None }
    }

    /// A server of its own.
    pub(crate) async fn server() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = HranaServer::start(folder.path().join("served.db")).await;
        server.require_token(TOKEN);
        Self { server: Some((server, folder)) }
    }

    /// What `E2E_DATABASE` asks for.
    pub(crate) async fn of_this_run() -> Self {
        if Self::is_server_asked_for() { Self::server().await } else { Self::file() }
    }

    pub(crate) fn is_server_asked_for() -> bool {
        match Env::of_process().get("E2E_DATABASE").as_deref() {
            None | Some("file") => false,
            Some("remote") => true,
            Some(other) => panic!("E2E_DATABASE is file or remote, not {other}"),
        }
    }

    /// The database, when it is none in the data directory.
    pub(crate) fn database(&self) -> Option<DatabaseConfig> {
        let (server, _) = self.server.as_ref()?;
        Some(DatabaseConfig::Remote { url: server.url(), token: Some(Secret::new(TOKEN)) })
    }

    /// Has the system keep its data here.
    pub(crate) fn apply(&self, options: &mut StackOptions) {
        options.database = self.database();
    }
}

impl Drop for Place {
    /// A server that nobody asked has tested nothing.
    fn drop(&mut self) {
        if let Some((server, _)) = &self.server
            && !std::thread::panicking()
        {
            assert!(server.requests() > 0, "the system did not use the server");
        }
    }
}
