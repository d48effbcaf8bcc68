//! What a type of job is.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use shared_core::{jobs::Job, retries::RetryPolicy};

/// The facts about a type of job that those need who only announce it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobKind {
    /// Its name in rows, in the API and in logs.
    pub name: &'static str,
    /// The environment variable that holds the address of its queue.
    pub queue: &'static str,
}

/// A type of job: the struct is what a job of this type is to do, as it stands in `data` of its row.
///
/// A new type is such a struct in [`types`](crate::types), an implementation of [`Work`](crate::Work) in a function crate
/// of its own, and a queue with a mapping in the template.
pub trait JobType: Serialize + DeserializeOwned + Send + Sync {
    /// Name and queue.
    const KIND: JobKind;
    /// How long a claim holds without a sign of life from its worker.
    const LEASE: Duration;

    /// How often this job is tried. A row keeps the policy that it was recorded with.
    fn retries(&self) -> RetryPolicy;

    /// The row's document for this job.
    fn to_job(&self) -> Job {
        let data = serde_json::to_value(self).expect("jobs have text keys and no failing members");
        Job::new(Self::KIND.name, data, &self.retries())
    }
}
