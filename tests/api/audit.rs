//! The audit log: every operation that changes something leaves exactly one entry, all others none.

mod completeness;
mod reading;

use serde_json::Value;
use shared_core::{
    audit::{self, AuditEntry, AuditFilter},
    pagination::{Direction, PageRequest},
};
use tests::TestApp;

const MISSING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

/// Every entry, the oldest first.
async fn entries(app: &TestApp) -> Vec<AuditEntry> {
    let everything = PageRequest { page: 1, limit: 1000 };
    let found = audit::list(&app.db, &AuditFilter::default(), Direction::Ascending, everything).await;
    found.expect("the database answers").data
}

fn id(data: &Value) -> String {
    data["id"].as_str().expect("an id").to_owned()
}
