//! The audit log: who changed what, from where, and when.
//!
//! An operation adds [`Entry::record`] to its own atomic write, so that an entry is there exactly if the change is. What
//! the change depends on is guarded ([`Statement::expecting_one`]): no change, no entry. Who acts comes with the task that
//! works ([`scope`]), not through signatures.
//!
//! Of documents an entry keeps flags, numbers, ids and names out of fixed sets, only where they differ; of texts and
//! secrets it says that they changed ([`View`]). People are named by id. So nothing has to be taken out of the log when
//! somebody or something is deleted.

mod action;
mod caller;
mod store;
mod view;

pub use action::Action;
pub use caller::{Actor, Caller, scope};
pub use store::{AuditEntry, AuditFilter, Position, delete_before, list, list_from};
pub use view::{Plain, View};

use crate::{
    db::{Statement, Value},
    ids,
    instant::Timestamp,
    params,
};

/// An entry in the making.
#[derive(Debug)]
#[must_use = "an entry is recorded by the statement that `record` gives"]
pub struct Entry {
    action: Action,
    actor: Option<Actor>,
    resource_id: Option<String>,
    before: Option<View>,
    after: Option<View>,
}

/// Begins an entry about what the present caller does.
pub fn entry(action: Action) -> Entry {
    Entry { action, actor: None, resource_id: None, before: None, after: None }
}

impl Entry {
    /// Says what it is about. An action that concerns several resources leaves this out and lists them in `after`.
    pub fn on(self, resource_id: &str) -> Self {
        Self { resource_id: Some(resource_id.to_owned()), ..self }
    }

    /// Says who acts, where that is not the caller that [`scope`] tells of.
    pub fn by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Says how it was. Members that are the same afterwards are left out.
    pub fn before(self, view: View) -> Self {
        Self { before: Some(view), ..self }
    }

    /// Says how it is now, or what else is to be known.
    pub fn after(self, view: View) -> Self {
        Self { after: Some(view), ..self }
    }

    /// The statement that records it. Its id is made up here, so it also proves a write whose answer was lost.
    pub fn record(self) -> Statement {
        let sql = format!(
            "INSERT INTO audit_log ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            store::COLUMNS
        );
        Statement::new(sql, self.params())
    }

    /// The same for what only the database knows: `after` is the column `details` of the row that `select` gives, and
    /// without a row there is no entry. Its parameters begin with `?14`.
    pub fn record_from(self, select: &str, more: Vec<Value>) -> Statement {
        let sql = format!(
            "INSERT INTO audit_log ({}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, COALESCE(?11, found.details), ?12, ?13
            FROM ({select}) AS found",
            store::COLUMNS
        );
        let mut params = self.params();
        params.extend(more);
        Statement::new(sql, params)
    }

    fn params(self) -> Vec<Value> {
        let Caller { actor, address, request_id } = caller::current();
        let actor = self.actor.unwrap_or(actor);
        let (before, after) = view::differences(self.before, self.after);
        params![
            ids::new_id(),
            Timestamp::now(),
            self.action.as_str(),
            actor.kind(),
            actor.user_id(),
            actor.role(),
            actor.api_key_id(),
            self.action.resource_type(),
            self.resource_id,
            before,
            after,
            address,
            request_id,
        ]
    }
}

#[cfg(test)]
mod tests;
