//! The export: an entry per line, read in portions and streamed. Whoever wants more than one answer holds asks again from
//! where it ends.

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
/// Bytes of one answer. A function answers six megabytes at most, and this travels within JSON, where each of its many quotation
/// marks takes two.
const MOST_BYTES: usize = 4 << 20;

/// How far an export has come.
#[derive(Default)]
struct Progress {
    position: Option<Position>,
    entries: usize,
    bytes: usize,
    is_over: bool,
}

impl Progress {
    /// The lines of a portion, as far as the answer takes them.
    fn take(&mut self, portion: impl ExactSizeIterator<Item = (Position, String)>) -> String {
        self.is_over = portion.len() < PORTION as usize;
        let mut text = String::new();
        for (position, line) in portion {
            if self.entries == MOST_ENTRIES || self.bytes + line.len() > MOST_BYTES {
                self.is_over = true;
                break;
            }
            self.position = Some(position);
            self.entries += 1;
            self.bytes += line.len();
            text.push_str(&line);
        }
        text
    }
}

/// The matching entries as an attachment.
pub(crate) fn lines(db: Db, filter: AuditFilter, direction: Direction) -> Response {
    let portions = stream::try_unfold(Progress::default(), move |mut progress| {
        let (db, filter) = (db.clone(), filter.clone());
        async move {
            if progress.is_over {
                return Ok::<_, DbError>(None);
            }
            let found = list_from(&db, &filter, direction, progress.position.as_ref(), PORTION).await?;
            let text = progress.take(found.into_iter().map(|entry| {
                let position = Position { at: entry.at, id: entry.id.clone() };
                (position, AuditEntryResponse::from(entry).line())
            }));
            Ok(Some((text, progress)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""),
    ];
    (headers, Body::from_stream(portions)).into_response()
}
