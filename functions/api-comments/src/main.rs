//! Cold start of the function `api-comments`.

use shared_core::{config, logging};
use shared_http::{ApiConfig, App, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logging::init();
    let app = App::new(&config::load(ApiConfig::read)?);
    serve(api_comments::routes(app.clone()), &app).await
}
