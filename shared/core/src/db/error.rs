//! What can go wrong in the store, told apart by what a caller does about it.

use crate::secret::without_values;

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique or primary key constraint refused the write; nothing was written.
    #[error("unique constraint violated: {0}")]
    Unique(String),
    /// A statement marked [`expecting_one`](super::Statement::expecting_one) changed no row; nothing was written.
    #[error("a guarded statement changed no row")]
    Guard,
    /// The database is busy, locked or out of reach; a later try may succeed.
    #[error("database not available: {0}")]
    Unavailable(String),
    /// Fewer migrations are applied than this build needs; nothing was read or written.
    #[error("the database has schema version {found}, and this build needs {needed}: run the migrations")]
    OldSchema {
        /// The newest applied migration.
        found: i64,
        /// The newest one that this build knows.
        needed: i64,
    },
    /// The row has no such column, or it holds another type.
    #[error("column \"{0}\" is missing or of another type")]
    Column(&'static str),
    /// A stored JSON document does not have the expected shape.
    #[error("stored document in column \"{column}\" cannot be read: {}", without_values(.source))]
    Document {
        /// The column that holds the document.
        column: &'static str,
        /// What the decoder complained about.
        source: serde_json::Error,
    },
    /// Anything else: a broken statement, a full disk, a corrupt file.
    #[error("database error: {0}")]
    Other(String),
}

impl DbError {
    /// Sorts a driver's message into a variant.
    ///
    /// A local file reports an extended code beside the message, a remote server only the message, so the message
    /// decides for both.
    pub(super) fn from_message(message: String) -> Self {
        if message.contains("UNIQUE constraint failed") || message.contains("PRIMARY KEY must be unique") {
            Self::Unique(message)
        } else if message.contains("guard_failed") {
            Self::Guard
        } else if is_transient(&message) {
            Self::Unavailable(message)
        } else {
            Self::Other(message)
        }
    }

    /// Whether the write was refused because `column` (as `table.column`) must be unique.
    pub fn is_unique_violation(&self, column: &str) -> bool {
        matches!(self, Self::Unique(message) if message.contains(column))
    }
}

fn is_transient(message: &str) -> bool {
    const SIGNS: [&str; 5] = [
        "database is locked",
        "database table is locked",
        "unable to open database file",
        // A server gives up a transaction that holds up others, or refuses one more; nothing of it took effect.
        "Transaction timed out",
        "Server cannot handle additional transactions",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}
