//! What every API function holds while it lives.

use shared_core::{
    Db,
    config::{DatabaseConfig, Env, SessionConfig},
    migrations,
};

use crate::session::Sessions;

/// Configuration that every API function needs.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where the data lives.
    pub database: DatabaseConfig,
    /// How session tokens are made.
    pub session: SessionConfig,
}

impl ApiConfig {
    /// Reads the configuration; see [`shared_core::config::load`].
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, session) = (env.database(), env.session());
        Some(Self { database: database?, session: session? })
    }
}

/// The shared state of an API function. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub db: Db,
    /// Session tokens.
    pub sessions: Sessions,
}

impl App {
    /// Prepares the state; nothing is connected yet.
    pub fn new(config: &ApiConfig) -> Self {
        Self { db: migrations::current_database(&config.database), sessions: Sessions::new(&config.session) }
    }
}
