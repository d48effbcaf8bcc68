//! Cold start of the function `job-embedding`.

// The futures of a whole batch lie within each other; laying them out goes deeper than the compiler allows by itself.
#![recursion_limit = "256"]

use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared_jobs::serve(job_embedding::read).await
}
