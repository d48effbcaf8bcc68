//! The export: an entry per line, read in portions and streamed. A function answers six megabytes at most, so whoever
//! wants more asks again from where the answer ends.

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use futures::stream;
use shared_core::{
    Db,
    audit::{AuditFilter, Position, list_from},
    db::DbError,
    pagination::Direction,
};

use crate::wire::AuditEntryResponse;

/// Entries that are read at once.
const PORTION: u32 = 500;
/// Entries of one answer.
const MOST_ENTRIES: usize = 5_000;
/// No further portion is read once the answer is as long as this.
const ENOUGH_BYTES: usize = 4 << 20;

/// How far an export has come.
struct Progress {
    position: Option<Position>,
    entries: usize,
    bytes: usize,
    is_over: bool,
}

/// The matching entries as an attachment.
pub(crate) fn lines(db: Db, filter: AuditFilter, direction: Direction) -> Response {
    let begin = Progress { position: None, entries: 0, bytes: 0, is_over: false };
    let portions = stream::try_unfold(begin, move |so_far| {
        let (db, filter) = (db.clone(), filter.clone());
        async move {
            if so_far.is_over || so_far.entries >= MOST_ENTRIES || so_far.bytes >= ENOUGH_BYTES {
                return Ok::<_, DbError>(None);
            }
            let found = list_from(&db, &filter, direction, so_far.position.as_ref(), PORTION).await?;
            let (count, position) =
                (found.len(), found.last().map(|last| Position { at: last.at, id: last.id.clone() }));
            let text: String = found.into_iter().map(|entry| AuditEntryResponse::from(entry).line()).collect();
            let next = Progress {
                position,
                entries: so_far.entries + count,
                bytes: so_far.bytes + text.len(),
                is_over: count < PORTION as usize,
            };
            Ok(Some((text, next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""),
    ];
    (headers, Body::from_stream(portions)).into_response()
}
