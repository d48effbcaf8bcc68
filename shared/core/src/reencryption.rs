//! Moves what is stored encrypted to the first of the keys in `ENCRYPTION_KEY`, and tells which key is still needed.
//!
//! `migrate` runs it in the cloud (`{"command": "re-encrypt"}`), `cargo dev reencrypt` on a laptop. It may be stopped
//! anywhere and run again: what has been done stays done, and what is under the first key already costs one look.
//!
//! It goes through the rows in portions, and each portion is one atomic write whose statements are fenced by the revision
//! of their row. What somebody changes at the same time is looked at again. The revision moves on, so that whoever read
//! the row before cannot write the old ciphertext back.

use std::{fmt::Write, time::Instant};

use serde::Serialize;

use crate::{
    db::{Db, DbError, Row, Statement, Value},
    params,
    secrets::Cipher,
};

/// A table of documents, and the members that hold ciphertext. Whoever stores another one adds it here.
#[derive(Debug, Clone, Copy)]
struct Place {
    table: &'static str,
    members: &'static [&'static str],
}

const PLACES: [Place; 2] = [
    Place { table: "settings", members: &["$.api_key", "$.secret", "$.previous_secret"] },
    Place { table: "users", members: &["$.invitation.token_encrypted"] },
];

/// Rows of one portion.
const PORTION: u32 = 100;
/// How often a portion is looked at when others keep changing it.
const TRIES: u32 = 5;
/// How many unreadable rows are named.
const MOST_NAMED: usize = 20;

/// What is done with what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: it is only counted.
    Count,
    /// What another key wrote is encrypted with the first one.
    Reencrypt,
}

/// A key, and how much of what is stored needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// See [`Cipher::key_ids`].
    pub id: String,
    /// Stored values that only this key reads.
    pub values: u64,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything was looked at; otherwise the time was over, and another run goes on.
    pub complete: bool,
    /// Values that were encrypted anew in this run.
    pub reencrypted: u64,
    /// The keys in the order of `ENCRYPTION_KEY`, with what was found under each. A key after the first that needs to
    /// read nothing can go.
    pub keys: Vec<KeyUse>,
    /// Values that no key reads: damaged, or written with a key that is missing. They are left alone.
    pub unreadable: u64,
    /// Some of the rows that hold them, as `table/id`.
    pub unreadable_rows: Vec<String>,
}

impl Report {
    fn new(cipher: &Cipher) -> Self {
        let keys = cipher.key_ids().map(|id| KeyUse { id: id.to_owned(), values: 0 }).collect();
        Self { complete: false, reencrypted: 0, keys, unreadable: 0, unreadable_rows: Vec::new() }
    }
}

/// Goes through everything that is stored encrypted; begins no portion after `until`, and calls `progress` after each.
pub async fn run(
    db: &Db,
    cipher: &Cipher,
    mode: Mode,
    until: Option<Instant>,
    mut progress: impl FnMut(&Report),
) -> Result<Report, DbError> {
    let mut report = Report::new(cipher);
    for place in PLACES {
        let mut last = String::new();
        loop {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(report);
            }
            let worked = Box::pin(portion(db, cipher, mode, place, &last, &mut report));
            let Some(reached) = worked.await? else { break };
            last = reached;
            progress(&report);
        }
    }
    report.complete = true;
    Ok(report)
}

/// Works on the rows behind `after`; gives the id of the last one.
async fn portion(
    db: &Db,
    cipher: &Cipher,
    mode: Mode,
    place: Place,
    after: &str,
    report: &mut Report,
) -> Result<Option<String>, DbError> {
    let mut rows = read(db, place, after).await?;
    if mode == Mode::Reencrypt {
        for _ in 0..TRIES {
            let renewals: Vec<Renewal> = rows.iter().filter_map(|row| row.renewal(cipher, place)).collect();
            if renewals.is_empty() {
                break;
            }
            let (counts, writes): (Vec<u64>, Vec<Statement>) =
                renewals.into_iter().map(|renewal| (renewal.values, renewal.write)).unzip();
            let answers = db.write(writes).await?;
            report.reencrypted +=
                counts.iter().zip(&answers).map(|(values, answer)| values * answer.affected).sum::<u64>();
            // As it is now: what others changed meanwhile is looked at again.
            rows = read(db, place, after).await?;
        }
    }
    for row in &rows {
        row.count(cipher, place, report);
    }
    Ok(rows.pop().map(|row| row.id))
}

/// A row with what it holds encrypted.
struct Encrypted {
    id: String,
    revision: i64,
    /// As many as the place has members.
    stored: Vec<Option<String>>,
}

/// New ciphertext for a row.
struct Renewal {
    values: u64,
    write: Statement,
}

async fn read(db: &Db, place: Place, after: &str) -> Result<Vec<Encrypted>, DbError> {
    let members: Vec<String> = place.members.iter().map(|path| format!("json_extract(data, '{path}')")).collect();
    let members = members.join(", ");
    let sql = format!(
        "SELECT id, revision, json_array({members}) AS stored FROM {}
        WHERE id > ?1 AND COALESCE({members}, NULL) IS NOT NULL ORDER BY id LIMIT +?2",
        place.table
    );
    db.read(sql, params![after, PORTION]).await?.rows.iter().map(Encrypted::of).collect()
}

impl Encrypted {
    fn of(row: &Row) -> Result<Self, DbError> {
        Ok(Self { id: row.get("id")?, revision: row.get("revision")?, stored: row.json("stored")? })
    }

    /// What has to be written, if another key than the first wrote something here.
    fn renewal(&self, cipher: &Cipher, place: Place) -> Option<Renewal> {
        let mut params = params![&self.id, self.revision];
        let mut changes = String::new();
        for (path, stored) in place.members.iter().zip(&self.stored) {
            if let Some(Ok((1.., secret))) = stored.as_deref().map(|stored| cipher.find_key(stored)) {
                params.push(Value::from(cipher.encrypt(&secret)));
                write!(changes, ", '{path}', ?{}", params.len()).expect("a String takes everything");
            }
        }
        let values = params.len() as u64 - 2;
        let sql = format!(
            "UPDATE {} SET data = json_set(data{changes}), revision = revision + 1 WHERE id = ?1 AND revision = ?2",
            place.table
        );
        (values > 0).then(|| Renewal { values, write: Statement::new(sql, params) })
    }

    fn count(&self, cipher: &Cipher, place: Place, report: &mut Report) {
        for stored in self.stored.iter().flatten() {
            match cipher.find_key(stored) {
                Ok((index, _)) => report.keys[index].values += 1,
                Err(_) => {
                    report.unreadable += 1;
                    let row = format!("{}/{}", place.table, self.id);
                    if report.unreadable_rows.len() < MOST_NAMED && !report.unreadable_rows.contains(&row) {
                        report.unreadable_rows.push(row);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
