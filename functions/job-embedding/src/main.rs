//! Cold start of the function `job-embedding`.

use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared_jobs::serve(job_embedding::read).await
}
