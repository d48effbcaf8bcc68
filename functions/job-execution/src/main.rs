//! Cold start of the function `job-execution`.

use job_execution::Worker;
use lambda_runtime::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    shared_jobs::serve(Worker::read).await
}
