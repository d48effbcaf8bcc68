//! The vendors that the settings name: which exist, how to reach them, what they offer (contract 11.1).
//!
//! A provider exists when an active key for it is stored, whether it can be reached or not (defect V-15).

use futures::future::join_all;
use shared_core::{
    Db, ProviderName, Secret, Timestamp,
    config::{Env, ExecutionConfig},
    db::DbError,
    model_lists::{self, ModelList},
    secrets::Cipher,
    settings,
};

use crate::{ChatProvider, Endpoints, ProviderError, Providers};

/// The vendors of this installation.
#[derive(Clone)]
pub struct Registry {
    db: Db,
    cipher: Cipher,
    providers: Providers,
}

/// Why a vendor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The vendor's side of it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Our own store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// How a vendor does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Which vendor.
    pub provider: ProviderName,
    /// Its models, or why they could not be read.
    pub models: ModelList,
    /// Whether it takes files.
    pub supports_file_upload: bool,
}

impl Registry {
    /// The vendors whose keys `db` holds.
    pub fn new(db: Db, cipher: Cipher, providers: Providers) -> Self {
        Self { db, cipher, providers }
    }

    /// A vendor by its stored key; fails with `ProviderUnavailableError` when there is no active one.
    pub async fn connect(&self, name: ProviderName) -> Result<Box<dyn ChatProvider>, RegistryError> {
        let stored = settings::find_active_llm_key(&self.db, name).await?;
        let stored = stored.ok_or_else(|| ProviderError::not_configured(name))?;
        Ok(self.client(name, &stored)?)
    }

    /// Asks the vendor whether it accepts this key, before it is stored.
    pub async fn check_key(&self, name: ProviderName, key: &Secret) -> Result<(), ProviderError> {
        self.providers.connect(name, key)?.check().await
    }

    /// Fails with `ModelNotSupportedError` when the vendor's list is known and lacks the model, and with
    /// `ProviderUnavailableError` when a hosted vendor's list cannot be read. Ollama is asked directly: its own answer
    /// says best what it lacks.
    pub async fn require_model(&self, client: &dyn ChatProvider, model: &str) -> Result<(), RegistryError> {
        if client.name() == ProviderName::Ollama {
            return Ok(());
        }
        if self.models(client).await??.iter().any(|name| name == model) {
            return Ok(());
        }
        Err(ProviderError::model_not_supported(client.name(), model).into())
    }

    /// The models of a vendor, when its list can be read; `None` when it is away or has no active key.
    pub async fn known_models(&self, name: ProviderName) -> Result<Option<Vec<String>>, DbError> {
        let Some(key) = settings::find_active_llm_key(&self.db, name).await? else {
            return Ok(None);
        };
        match self.client(name, &key) {
            Ok(client) => Ok(self.models(client.as_ref()).await?.ok()),
            Err(_) => Ok(None),
        }
    }

    /// How every configured vendor does, all asked at the same time.
    pub async fn health(&self) -> Result<Vec<Health>, DbError> {
        let configured = settings::active_providers(&self.db).await?;
        let asked = configured.iter().map(async |(provider, key)| match self.client(*provider, key) {
            Ok(client) => Ok(Health {
                provider: *provider,
                models: self.models(client.as_ref()).await?.map_err(|error| error.message().to_owned()),
                supports_file_upload: client.supports_files(),
            }),
            Err(error) => {
                Ok(Health { provider: *provider, models: Err(error.message().to_owned()), supports_file_upload: false })
            }
        });
        join_all(asked).await.into_iter().collect()
    }

    /// The vendor's models, from the shared cache while it is fresh.
    async fn models(&self, client: &dyn ChatProvider) -> Result<Result<Vec<String>, ProviderError>, DbError> {
        let now = Timestamp::now();
        if let Some(list) = model_lists::find_fresh(&self.db, client.name(), now).await? {
            // A failure is remembered for seconds only, so another try is worth it.
            return Ok(list.map_err(|reason| ProviderError::unavailable(reason).transient()));
        }
        let list = client.models().await;
        let kept = list.clone().map_err(|error| error.message().to_owned());
        model_lists::keep(&self.db, client.name(), &kept, now).await?;
        Ok(list)
    }

    fn client(&self, name: ProviderName, stored_key: &str) -> Result<Box<dyn ChatProvider>, ProviderError> {
        let key = self.cipher.decrypt(stored_key).map_err(|error| ProviderError::unavailable(error.to_string()))?;
        self.providers.connect(name, &key)
    }
}

/// Reads the vendors' addresses and the time limit of a call; see [`shared_core::config::load`].
pub fn read_providers(env: &mut Env, execution: &ExecutionConfig) -> Option<Providers> {
    match Endpoints::from_lookup(|name| env.get(name)) {
        Ok(endpoints) => Some(Providers::new(endpoints, execution.provider_timeout)),
        Err(problem) => {
            env.report(problem);
            None
        }
    }
}
