//! Settings: provider keys, service keys, webhook destinations (contract 17) and provider limits (decision E-09).

mod rotation;
mod store;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use rotation::{PREVIOUS_SECRET_HOURS, RotatedSecret, rotate_secret};
pub use store::{
    active_providers, any_active_llm_key, find, find_active_destination, find_active_llm_key, find_active_service_key,
    find_by_identifier, list,
};
pub(crate) use store::{active_providers_of, active_providers_query};

use crate::{
    audit::{self, Action, Entry},
    db::{Db, DbError, Statement},
    deployments,
    documents::Document,
    embeddings, ids,
    instant::Timestamp,
    model_lists,
    provider_name::ProviderName,
    secret::Secret,
    secrets::Cipher,
};

/// The kinds of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SettingType {
    /// A key of a language-model provider.
    LlmApiKey,
    /// Where webhooks are sent.
    WebhookDestination,
    /// A key of another service.
    ServiceApiKey,
    /// How many executions of a provider run at once.
    ProviderLimits,
}

impl SettingType {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LlmApiKey => "llm-api-key",
            Self::WebhookDestination => "webhook-destination",
            Self::ServiceApiKey => "service-api-key",
            Self::ProviderLimits => "provider-limits",
        }
    }
}

impl fmt::Display for SettingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Services other than language models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ServiceApiProviderName)]
pub enum ServiceName {
    /// Embeddings by Voyage AI.
    VoyageAi,
}

impl ServiceName {
    /// The name on the wire, and the identifier of its setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VoyageAi => "voyageai",
        }
    }
}

/// A stored setting; keys and secrets are ciphertext.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Setting {
    /// A key of a language-model provider; one per provider.
    LlmApiKey {
        /// The provider's name.
        identifier: String,
        /// The provider.
        provider: ProviderName,
        /// Ciphertext of the key.
        api_key: String,
        /// Whether executions may use it.
        active: bool,
    },
    /// Where webhooks are sent; names are unique (defect S-03).
    WebhookDestination {
        /// Random UUID.
        identifier: String,
        /// Name to show.
        name: String,
        /// Where to send.
        url: String,
        /// Ciphertext of the signing secret (decision W-04). Imported rows have none.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
        /// Ciphertext of the secret before it; absent when that was the installation's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_secret: Option<String>,
        /// Until when webhooks are signed with the secret before it, too. Absent when there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_secret_expires_at: Option<Timestamp>,
        /// Whether webhooks are sent.
        active: bool,
    },
    /// A key of another service; one per service.
    ServiceApiKey {
        /// The service's name.
        identifier: String,
        /// The service.
        provider: ServiceName,
        /// Ciphertext of the key.
        api_key: String,
        /// Whether jobs may use it.
        active: bool,
    },
    /// How many executions of a provider run at once; one per provider, and without one its default holds. Dispatch
    /// reads it from the row.
    ProviderLimits {
        /// The provider's name.
        identifier: String,
        /// The provider.
        provider: ProviderName,
        /// 0 to 1000, as the API checks; 0 pauses the provider.
        max_running: u32,
    },
}

impl Setting {
    /// Which kind this is.
    pub const fn kind(&self) -> SettingType {
        match self {
            Self::LlmApiKey { .. } => SettingType::LlmApiKey,
            Self::WebhookDestination { .. } => SettingType::WebhookDestination,
            Self::ServiceApiKey { .. } => SettingType::ServiceApiKey,
            Self::ProviderLimits { .. } => SettingType::ProviderLimits,
        }
    }

    fn audited(&self) -> audit::View {
        let view = audit::View::new().keep("type", self.kind().as_str());
        match self {
            Self::LlmApiKey { provider, api_key, active, .. } => {
                view.keep("provider", provider.as_str()).keep("active", *active).withhold("apiKey", api_key)
            }
            Self::ServiceApiKey { provider, api_key, active, .. } => {
                view.keep("provider", provider.as_str()).keep("active", *active).withhold("apiKey", api_key)
            }
            Self::WebhookDestination { name, url, secret, active, .. } => {
                view.keep("active", *active).withhold("name", name).withhold("url", url).withhold("secret", secret)
            }
            Self::ProviderLimits { provider, max_running, .. } => {
                view.keep("provider", provider.as_str()).keep("maxRunning", *max_running)
            }
        }
    }
}

/// A setting to be created, keys in clear.
#[derive(Debug, Clone)]
pub enum NewSetting {
    /// A key of a language-model provider.
    LlmApiKey {
        /// The provider.
        provider: ProviderName,
        /// The key.
        api_key: Secret,
        /// Whether executions may use it.
        active: bool,
    },
    /// A webhook destination.
    WebhookDestination {
        /// Name to show.
        name: String,
        /// Where to send.
        url: String,
        /// Whether webhooks are sent.
        active: bool,
    },
    /// A key of another service.
    ServiceApiKey {
        /// The service.
        provider: ServiceName,
        /// The key.
        api_key: Secret,
        /// Whether jobs may use it.
        active: bool,
    },
    /// How many executions of a provider run at once.
    ProviderLimits {
        /// The provider.
        provider: ProviderName,
        /// 0 to 1000, as the API checks; 0 pauses the provider.
        max_running: u32,
    },
}

/// Members to change; absent ones stay.
#[derive(Debug, Clone, Default)]
pub struct SettingEdit {
    /// A new key (keys only).
    pub api_key: Option<Secret>,
    /// A new name (webhook destinations only).
    pub name: Option<String>,
    /// A new address (webhook destinations only).
    pub url: Option<String>,
    /// Switch on or off (keys and webhook destinations).
    pub active: Option<bool>,
    /// A new limit (provider limits only).
    pub max_running: Option<u32>,
}

/// Why a setting could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// No setting with this id.
    #[error("there is no such setting")]
    NotFound,
    /// The provider has a key or limits already, or a destination with this name exists.
    #[error("{0}")]
    Taken(String),
    /// The stored setting is of another type than the request says.
    #[error("the setting is of type {stored}, not {given}")]
    TypeMismatch {
        /// Type of the stored setting.
        stored: SettingType,
        /// Type in the request.
        given: SettingType,
    },
    /// The setting has no signing secret that could be replaced.
    #[error("only webhook destinations have a secret, and this is a setting of type {0}")]
    NoSecret(SettingType),
    /// Somebody else changed the setting at the same time.
    #[error("the setting was changed by somebody else at the same time; try again")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Db(DbError),
}

impl SettingError {
    fn from_write(error: DbError, setting: &Setting) -> Self {
        if error.is_unique_violation("settings.") {
            return Self::Taken(match setting {
                Setting::WebhookDestination { name, .. } => {
                    format!("a webhook destination named \"{name}\" exists already")
                }
                Setting::LlmApiKey { identifier, .. } | Setting::ServiceApiKey { identifier, .. } => {
                    format!("a key for {identifier} exists already")
                }
                Setting::ProviderLimits { identifier, .. } => {
                    format!("limits for {identifier} exist already; change them instead")
                }
            });
        }
        match error {
            DbError::Guard => Self::Stale,
            other => Self::Db(other),
        }
    }
}

impl From<DbError> for SettingError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// A created setting and, for a webhook destination, its signing secret, which is shown only now.
#[derive(Debug)]
pub struct Created {
    /// The stored setting.
    pub setting: Document<Setting>,
    /// `whsec_` and base64 of 32 random bytes, the form of the Standard Webhooks specification.
    pub secret: Option<Secret>,
}

/// Encrypts and stores a new setting.
pub async fn create(db: &Db, cipher: &Cipher, new: NewSetting, now: Timestamp) -> Result<Created, SettingError> {
    let mut shown = None;
    let data = match new {
        NewSetting::LlmApiKey { provider, api_key, active } => {
            Setting::LlmApiKey { identifier: provider.to_string(), provider, api_key: cipher.encrypt(&api_key), active }
        }
        NewSetting::ServiceApiKey { provider, api_key, active } => Setting::ServiceApiKey {
            identifier: provider.as_str().to_owned(),
            provider,
            api_key: cipher.encrypt(&api_key),
            active,
        },
        NewSetting::WebhookDestination { name, url, active } => {
            let secret = rotation::new_secret();
            let encrypted = cipher.encrypt(&secret);
            shown = Some(secret);
            Setting::WebhookDestination {
                identifier: ids::new_id(),
                name,
                url,
                secret: Some(encrypted),
                previous_secret: None,
                previous_secret_expires_at: None,
                active,
            }
        }
        NewSetting::ProviderLimits { provider, max_running } => {
            Setting::ProviderLimits { identifier: provider.to_string(), provider, max_running }
        }
    };
    let id = ids::new_id();
    let entry = audit::entry(Action::SettingCreated).on(&id).after(data.audited());
    let writes = with_side_effects(store::insert(&id, &data, now), entry, &data);
    db.write(writes).await.map_err(|error| SettingError::from_write(error, &data))?;
    let setting = Document { id, data, revision: 0, created_at: now, updated_at: now };
    Ok(Created { setting, secret: shown })
}

/// Applies an edit to a setting of the given type.
pub async fn update(
    db: &Db,
    cipher: &Cipher,
    found: Document<Setting>,
    given: SettingType,
    edit: SettingEdit,
    now: Timestamp,
) -> Result<Document<Setting>, SettingError> {
    let stored = found.data.kind();
    if stored != given {
        return Err(SettingError::TypeMismatch { stored, given });
    }
    let before = found.data.audited();
    let mut data = found.data;
    match &mut data {
        Setting::LlmApiKey { api_key, active, .. } | Setting::ServiceApiKey { api_key, active, .. } => {
            if let Some(key) = &edit.api_key {
                *api_key = cipher.encrypt(key);
            }
            *active = edit.active.unwrap_or(*active);
        }
        Setting::WebhookDestination { name, url, active, .. } => {
            if let Some(new_name) = edit.name {
                *name = new_name;
            }
            if let Some(new_url) = edit.url {
                *url = new_url;
            }
            *active = edit.active.unwrap_or(*active);
        }
        Setting::ProviderLimits { max_running, .. } => *max_running = edit.max_running.unwrap_or(*max_running),
    }
    let entry = audit::entry(Action::SettingUpdated).on(&found.id).before(before).after(data.audited());
    let writes = with_side_effects(store::replace(&found.id, &data, found.revision, now), entry, &data);
    db.write(writes).await.map_err(|error| SettingError::from_write(error, &data))?;
    Ok(Document { data, revision: found.revision + 1, updated_at: now, ..found })
}

/// Deletes a setting and tells which.
pub async fn delete(db: &Db, id: &str) -> Result<Setting, SettingError> {
    let found = find(db, id).await?.ok_or(SettingError::NotFound)?;
    let entry = audit::entry(Action::SettingDeleted).on(id).before(found.data.audited());
    let mut writes = with_side_effects(store::delete(id), entry, &found.data);
    if found.data.kind() == SettingType::WebhookDestination {
        // Nothing may lead to a destination that is gone (defect W-05).
        writes.extend([deployments::forget_destination(id), embeddings::forget_destination(id)]);
    }
    match db.write(writes).await {
        Ok(_) => Ok(found.data),
        Err(DbError::Guard) => Err(SettingError::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Why ids are no list of webhook destinations.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// Some of them do not exist.
    #[error("there is no webhook destination with id {}", .0.join(", "))]
    Unknown(Vec<String>),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The given ids, each once, if all of them are webhook destinations, active or not.
pub async fn known_destinations(db: &Db, given: Vec<String>) -> Result<Vec<String>, DestinationError> {
    let unknown = store::unknown_destinations(db, &given).await?;
    if !unknown.is_empty() {
        return Err(DestinationError::Unknown(unknown));
    }
    let mut seen = BTreeSet::new();
    Ok(given.into_iter().filter(|id| seen.insert(id.clone())).collect())
}

/// A change with its entry. That of a provider key makes what is known of its models void.
fn with_side_effects(change: Statement, entry: Entry, setting: &Setting) -> Vec<Statement> {
    let mut writes = vec![change, entry.record()];
    match setting {
        Setting::LlmApiKey { provider, .. } => writes.push(model_lists::forget(*provider)),
        Setting::WebhookDestination { .. } | Setting::ServiceApiKey { .. } | Setting::ProviderLimits { .. } => {}
    }
    writes
}
