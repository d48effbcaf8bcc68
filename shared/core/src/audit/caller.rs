//! Who acts. It travels with the task that works, as the trace does.

use std::future::Future;

use crate::users::Role;

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The system by itself, such as maintenance.
    System,
    /// Somebody who has not signed in.
    Anonymous,
    /// A person with a session.
    User {
        /// Id of the account.
        id: String,
        /// The role at that time.
        role: Role,
    },
    /// A program.
    ApiKey {
        /// Id of the key.
        id: String,
        /// Id of the account that owns it.
        owner_id: String,
        /// The owner's role at that time.
        role: Role,
    },
}

impl Actor {
    /// The name on the wire and in the database.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Anonymous => "anonymous",
            Self::User { .. } => "user",
            Self::ApiKey { .. } => "api-key",
        }
    }

    pub(super) fn user_id(&self) -> Option<&str> {
        match self {
            Self::System | Self::Anonymous => None,
            Self::User { id, .. } | Self::ApiKey { owner_id: id, .. } => Some(id),
        }
    }

    pub(super) fn api_key_id(&self) -> Option<&str> {
        match self {
            Self::ApiKey { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(super) fn role(&self) -> Option<&'static str> {
        match self {
            Self::System | Self::Anonymous => None,
            Self::User { role, .. } | Self::ApiKey { role, .. } => Some(role.as_str()),
        }
    }
}

/// Who acts, from where, and in which request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who acts.
    pub actor: Actor,
    /// Network address, where known.
    pub address: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
}

tokio::task_local! {
    static CURRENT: Caller;
}

/// Runs a future on behalf of a caller.
pub async fn scope<F: Future>(caller: Caller, future: F) -> F::Output {
    CURRENT.scope(caller, future).await
}

/// Who acts here; the system where nobody was named.
pub(super) fn current() -> Caller {
    let named = CURRENT.try_with(Clone::clone);
    named.unwrap_or(Caller { actor: Actor::System, address: None, request_id: None })
}
