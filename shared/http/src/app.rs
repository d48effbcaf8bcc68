//! What every API function holds while it lives.

use std::sync::Arc;

use shared_core::{
    Db,
    config::{DatabaseConfig, Env, LimitConfig, SessionConfig},
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
    /// How often callers may do what costs something.
    pub limits: LimitConfig,
    /// How many proxies of one's own stand in front of the gateway.
    pub trusted_proxies: usize,
}

impl ApiConfig {
    /// Reads the configuration; see [`shared_core::config::load`].
    pub fn read(env: &mut Env) -> Option<Self> {
        let (database, session) = (env.database(), env.session());
        let (limits, trusted_proxies) = (env.limits(), env.trusted_proxies());
        Some(Self { database: database?, session: session?, limits: limits?, trusted_proxies: trusted_proxies? })
    }
}

/// The shared state of an API function. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub db: Db,
    /// Session tokens.
    pub sessions: Arc<Sessions>,
    /// How often callers may do what costs something.
    pub limits: LimitConfig,
    /// How many proxies of one's own stand in front of the gateway.
    pub trusted_proxies: usize,
}

impl App {
    /// Prepares the state; nothing is connected yet.
    pub fn new(config: &ApiConfig) -> Self {
        Self {
            db: migrations::current_database(&config.database),
            sessions: Arc::new(Sessions::new(&config.session)),
            limits: config.limits,
            trusted_proxies: config.trusted_proxies,
        }
    }
}
