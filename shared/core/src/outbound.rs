//! HTTP to others. Every client of a process is made here, so that there is one TLS stack and one list of trusted
//! certificates.

use std::{
    error::Error,
    io,
    sync::{Arc, LazyLock},
};

use reqwest::{Client, ClientBuilder};
use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;

/// A client could not be made, or its request failed.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// TLS is not possible on this machine: it has no certificates to trust.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// What the HTTP client says.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

/// Set up when the first client is made, because the machine's certificates are read then: a cold start must not pay for
/// that.
static TLS: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(config.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth())
});

/// A client with the settings that `configure` makes. It speaks HTTP/1.1.
pub fn client(configure: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Client, OutboundError> {
    Ok(configure(builder().tls_backend_preconfigured(TLS.clone()?)).build()?)
}

/// An error and everything behind it.
pub fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| next_cause(*cause))
}

/// An I/O error does not count its content among its sources.
fn next_cause<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(content) => Some(content),
        None => cause.source(),
    }
}

/// What lies at the bottom of an error, in words.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the one place that may")]
fn builder() -> ClientBuilder {
    Client::builder()
}
