//! What embedding jobs computed: a summary in the job, the vectors beside it for some days (defect EM-02).
//!
//! A thousand vectors are some twenty megabytes, more than a database server takes in one value and more than a function
//! may answer. So they are stored and read in parts, shown with their job while that is small enough, and sent to webhook
//! destinations as a whole.

use serde_json::{Value, json};

use super::{JOB_TYPE, store};
use crate::{
    db::{Db, DbError, Statement},
    documents::to_json,
    instant::Timestamp,
    jobs::{JobStatus, JobView},
};

/// How many vectors one row holds; of 1024 dimensions, some two megabytes.
const VECTORS_PER_PART: usize = 100;

/// The longest list of vectors that is shown with its job, in bytes of JSON.
const MAX_SHOWN_BYTES: u64 = 4 << 20;

/// How much the vectors and the job's own texts may take together: a function answers six megabytes at most.
const MAX_JOB_BYTES: u64 = 5 << 20;

/// What the vendor computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// The model that computed, by the vendor's word.
    pub model: String,
    /// What the vendor counted.
    pub total_tokens: u64,
    /// One vector for each text, in the order of the texts.
    pub vectors: Vec<Vec<f64>>,
}

impl Embeddings {
    /// What the job itself keeps as its result: everything but the vectors.
    pub fn summary(&self, expires_at: Timestamp) -> Value {
        json!({
            "model": self.model,
            "totalTokens": self.total_tokens,
            "count": self.vectors.len(),
            "dimensions": self.vectors.first().map_or(0, Vec::len),
            "expiresAt": expires_at,
        })
    }

    /// Writes the vectors of a job, for the write that ends it; what an earlier run of the same job left goes.
    pub fn store(&self, job_id: &str, expires_at: Timestamp) -> Vec<Statement> {
        let mut statements = vec![store::delete_result(job_id)];
        let parts = self.vectors.chunks(VECTORS_PER_PART).zip(0..);
        statements
            .extend(parts.map(|(vectors, part)| store::insert_part(job_id, part, &to_json(&vectors), expires_at)));
        statements
    }
}

/// The vectors of a job that has completed, whatever their size; `None` when they are not stored any more. Read part by
/// part, so that no single answer of the database is too large.
pub async fn find_result(db: &Db, job_id: &str) -> Result<Option<Vec<Vec<f64>>>, DbError> {
    let parts = store::list_parts(db, job_id, None).await?;
    read_parts(db, job_id, &parts).await
}

/// Deletes the vectors of at most `limit` jobs whose time is over; tells of how many jobs.
pub async fn delete_expired_results(db: &Db, limit: u32, now: Timestamp) -> Result<u64, DbError> {
    store::delete_expired_results(db, limit, now).await
}

/// The job as its reader sees it: with its vectors, or with the reason why they are left out. Other jobs stay as they are.
pub async fn with_vectors(db: &Db, mut job: JobView, now: Timestamp) -> Result<JobView, DbError> {
    if job.data.kind != JOB_TYPE || job.status != JobStatus::Completed {
        return Ok(job);
    }
    let texts = to_json(&job.data.data).len() as u64;
    let room = MAX_SHOWN_BYTES.min(MAX_JOB_BYTES.saturating_sub(texts));
    let shown = shown_vectors(db, &job.id, room, now).await?;
    if let Some(Value::Object(result)) = &mut job.data.result {
        match shown {
            Ok(vectors) => result.insert("embeddings".to_owned(), json!(vectors)),
            Err(reason) => result.insert("embeddingsOmitted".to_owned(), json!(reason)),
        };
    }
    Ok(job)
}

/// The vectors as far as they fit, or why they are left out.
async fn shown_vectors(
    db: &Db,
    job_id: &str,
    room: u64,
    now: Timestamp,
) -> Result<Result<Vec<Vec<f64>>, &'static str>, DbError> {
    let parts = store::list_parts(db, job_id, Some(now)).await?;
    if parts.iter().sum::<u64>() > room {
        return Ok(Err("too-large"));
    }
    Ok(read_parts(db, job_id, &parts).await?.ok_or("expired"))
}

/// Reads the parts of these sizes. One that is missing was deleted while they were read, and the others with it.
async fn read_parts(db: &Db, job_id: &str, sizes: &[u64]) -> Result<Option<Vec<Vec<f64>>>, DbError> {
    if sizes.is_empty() {
        return Ok(None);
    }
    let mut vectors = Vec::with_capacity(sizes.len() * VECTORS_PER_PART);
    for (part, _) in (0..).zip(sizes) {
        match store::find_part(db, job_id, part).await? {
            Some(found) => vectors.extend(found),
            None => return Ok(None),
        }
    }
    Ok(Some(vectors))
}
