//! Cold start of the function `job-webhook`.

use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    shared_jobs::serve(job_webhook::read).await
}
