//! The AWS SDK over the HTTP client that everything else uses too, instead of one with a TLS stack of its own.

use std::time::Duration;

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use reqwest::Client;
use shared_core::outbound::{self, OutboundError};

/// How long connecting may take, the TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a client of the AWS SDK sends its requests with.
///
/// # Errors
/// This machine cannot use TLS.
pub(crate) fn aws_transport() -> Result<SharedHttpClient, OutboundError> {
    let client = outbound::client(|builder| builder.connect_timeout(CONNECT_TIMEOUT))?;
    let connector = SharedHttpConnector::new(Transport(client));
    Ok(http_client_fn(move |_, _| connector.clone()))
}

#[derive(Debug)]
struct Transport(Client);

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&client, request).await })
    }
}

async fn exchange(client: &Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // What is sent to queues is in memory.
    let request = request.map(|body| body.bytes().unwrap_or_default().to_vec());
    let request = request.try_into().map_err(|error: reqwest::Error| ConnectorError::user(error.into()))?;
    let answer = client.execute(request).await.map_err(failure)?;
    let mut response = HttpResponse::new(StatusCode::from(answer.status()), SdkBody::taken());
    for (name, value) in answer.headers() {
        let value = value.to_str().map_err(|error| ConnectorError::other(error.into(), None))?;
        response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
    }
    *response.body_mut() = SdkBody::from(answer.bytes().await.map_err(failure)?);
    Ok(response)
}

fn failure(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}
