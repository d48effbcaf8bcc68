//! Voyage AI's embeddings (API reference, "Text embedding models"; contract section 16).

mod wire;

use std::{sync::Arc, time::Duration};

use reqwest::header::AUTHORIZATION;
use shared_core::{
    Secret,
    config::Env,
    embeddings::{EmbeddingWork, Embeddings},
    settings::ServiceName,
};

use crate::{
    ProviderError,
    endpoints::{checked_url, without},
    http::{Connection, Pool, Session},
};
use wire::{EmbeddingList, RequestBody};

/// The vendor's own address.
const DEFAULT_URL: &str = "https://api.voyageai.com";

/// Names another address, a gateway's for instance.
const VARIABLE: &str = "VOYAGEAI_BASE_URL";

/// Voyage AI. Clones share their connections, which are made at first use.
#[derive(Clone)]
pub struct VoyageAi {
    pool: Arc<Pool>,
    base_url: String,
    timeout: Duration,
}

impl VoyageAi {
    /// Reached at `base_url`, which may end in a slash or in `/v1`; `timeout` is how long one call may take altogether
    /// (defect EM-04).
    ///
    /// # Errors
    /// The rule that the URL breaks.
    pub fn new(base_url: &str, timeout: Duration) -> Result<Self, &'static str> {
        let base_url = without("/v1", &checked_url(base_url.trim())?).to_owned();
        Ok(Self { pool: Arc::default(), base_url, timeout })
    }

    /// Reads `VOYAGEAI_BASE_URL`, the vendor's own address unless set; see [`shared_core::config::load`].
    pub fn read(env: &mut Env, timeout: Duration) -> Option<Self> {
        let given = env.get(VARIABLE).filter(|value| !value.trim().is_empty());
        match Self::new(given.as_deref().unwrap_or(DEFAULT_URL), timeout) {
            Ok(client) => Some(client),
            Err(rule) => {
                env.report(format!("{VARIABLE} {rule}"));
                None
            }
        }
    }

    /// One vector for each text, in the order of the texts, all of the same length.
    pub async fn embed(&self, api_key: &Secret, work: &EmbeddingWork) -> Result<Embeddings, ProviderError> {
        let session = self.session(api_key)?;
        let body = RequestBody { input: &work.inputs, model: work.model, input_type: work.input_type };
        let model = work.model.as_str();
        let list = session.post::<EmbeddingList>("/v1/embeddings", model, &body).await?.body;
        let vectors = list.data.in_order(work.inputs.count()).map_err(|what| session.unusable(what))?;
        let answered_by = list.model.filter(|name| !name.trim().is_empty());
        Ok(Embeddings {
            model: answered_by.unwrap_or_else(|| model.to_owned()),
            total_tokens: list.usage.total_tokens,
            vectors,
        })
    }

    fn session(&self, api_key: &Secret) -> Result<Session<ServiceName>, ProviderError> {
        let (pool, base_url) = (Arc::clone(&self.pool), self.base_url.clone());
        let connection = Connection { pool, base_url, timeout: self.timeout };
        Session::with_key(connection, ServiceName::VoyageAi, AUTHORIZATION, "Bearer ", api_key)
    }
}
