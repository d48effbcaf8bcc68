//! Cold start of the function `api-audit`.

use shared_core::{config, logging};
use shared_http::{ApiConfig, App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logging::init();
    let app = App::new(&config::load(ApiConfig::read)?);
    serve(api_audit::routes(app.clone()), &app).await
}
