//! Cold start of the function `api-deployments`.

use api_deployments::{DeploymentsState, routes};
use shared_core::{config, logging};
use shared_http::serve;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    logging::init();
    let state = config::load(DeploymentsState::read)?;
    serve(routes(state.clone()), &state.app).await
}
