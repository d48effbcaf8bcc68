//! Bodies and paths of `/api/v1/settings`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    Document, ProviderName, Revealed, Secret, Timestamp,
    secrets::Cipher,
    settings::{NewSetting, ServiceName, Setting, SettingEdit, SettingType},
};
use shared_http::{ApiError, Issue, Part, RequestBody, parse_body};
use utoipa::{
    IntoParams, ToSchema,
    openapi::schema::{Object, ObjectBuilder, Type},
};

use crate::masked;

/// The `type` member of the kinds, each with its one value.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) enum LlmApiKeyType {
    #[serde(rename = "llm-api-key")]
    LlmApiKey,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) enum WebhookDestinationType {
    #[serde(rename = "webhook-destination")]
    WebhookDestination,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) enum ServiceApiKeyType {
    #[serde(rename = "service-api-key")]
    ServiceApiKey,
}

#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) enum ProviderLimitsType {
    #[serde(rename = "provider-limits")]
    ProviderLimits,
}

/// Unknown members are dropped at every level.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum CreateSettingRequest {
    LlmApiKey(CreateLlmApiKeySetting),
    WebhookDestination(CreateWebhookDestinationSetting),
    ServiceApiKey(CreateServiceApiKeySetting),
    ProviderLimits(CreateProviderLimitsSetting),
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateLlmApiKeySetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: LlmApiKeyType,
    #[schema(inline)]
    data: NewLlmApiKey,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct NewLlmApiKey {
    provider: ProviderName,
    #[schema(value_type = String, min_length = 1)]
    api_key: Secret,
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateWebhookDestinationSetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: WebhookDestinationType,
    #[schema(inline)]
    data: NewWebhookDestination,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct NewWebhookDestination {
    #[schema(min_length = 1)]
    name: String,
    /// https:// only, and not into a private network, unless configuration allows more.
    #[schema(format = "uri")]
    url: String,
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateServiceApiKeySetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: ServiceApiKeyType,
    #[schema(inline)]
    data: NewServiceApiKey,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct NewServiceApiKey {
    provider: ServiceName,
    #[schema(value_type = String, min_length = 1)]
    api_key: Secret,
    #[serde(default = "yes")]
    #[schema(default = true)]
    active: bool,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateProviderLimitsSetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: ProviderLimitsType,
    #[schema(inline)]
    data: NewProviderLimits,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct NewProviderLimits {
    provider: ProviderName,
    /// How many executions of the provider run at once; 0 pauses it.
    #[schema(maximum = 1000)]
    max_running: u32,
}

fn yes() -> bool {
    true
}

impl RequestBody for CreateSettingRequest {
    /// The type decides which schema the rest must satisfy, so that issues name members instead of alternatives.
    fn read(value: Value) -> Result<Self, ApiError> {
        match kind_of(&value)? {
            SettingType::LlmApiKey => parse_body(value).map(Self::LlmApiKey),
            SettingType::ServiceApiKey => parse_body(value).map(Self::ServiceApiKey),
            SettingType::ProviderLimits => parse_body(value).map(Self::ProviderLimits),
            SettingType::WebhookDestination => parse_body(value).map(Self::WebhookDestination),
        }
    }
}

fn kind_of(body: &Value) -> Result<SettingType, ApiError> {
    if !body.is_object() {
        return Err(ApiError::invalid(Issue::whole(Part::Body, "must be object")));
    }
    let refused = |message: &str| ApiError::invalid(Issue::new(Part::Body, "type", message));
    let kind = body.get("type").ok_or_else(|| refused("is required"))?;
    SettingType::deserialize(kind)
        .map_err(|_| refused("must be one of llm-api-key, webhook-destination, service-api-key, provider-limits"))
}

impl From<CreateSettingRequest> for NewSetting {
    fn from(body: CreateSettingRequest) -> Self {
        match body {
            CreateSettingRequest::LlmApiKey(CreateLlmApiKeySetting { data, .. }) => {
                Self::LlmApiKey { provider: data.provider, api_key: data.api_key, active: data.active }
            }
            CreateSettingRequest::WebhookDestination(CreateWebhookDestinationSetting { data, .. }) => {
                Self::WebhookDestination { name: data.name, url: data.url.trim().to_owned(), active: data.active }
            }
            CreateSettingRequest::ServiceApiKey(CreateServiceApiKeySetting { data, .. }) => {
                Self::ServiceApiKey { provider: data.provider, api_key: data.api_key, active: data.active }
            }
            CreateSettingRequest::ProviderLimits(CreateProviderLimitsSetting { data, .. }) => {
                Self::ProviderLimits { provider: data.provider, max_running: data.max_running }
            }
        }
    }
}

/// `type` must equal the stored setting's type.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum UpdateSettingRequest {
    LlmApiKey(UpdateLlmApiKeySetting),
    WebhookDestination(UpdateWebhookDestinationSetting),
    ServiceApiKey(UpdateServiceApiKeySetting),
    ProviderLimits(UpdateProviderLimitsSetting),
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateLlmApiKeySetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: LlmApiKeyType,
    #[schema(inline)]
    data: KeyEdit,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateServiceApiKeySetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: ServiceApiKeyType,
    #[schema(inline)]
    data: KeyEdit,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct KeyEdit {
    #[schema(value_type = Option<String>, min_length = 1)]
    api_key: Option<Secret>,
    active: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateWebhookDestinationSetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: WebhookDestinationType,
    #[schema(inline)]
    data: WebhookDestinationEdit,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct WebhookDestinationEdit {
    #[schema(min_length = 1)]
    name: Option<String>,
    #[schema(format = "uri")]
    url: Option<String>,
    active: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateProviderLimitsSetting {
    #[serde(rename = "type")]
    #[schema(inline)]
    _kind: ProviderLimitsType,
    #[schema(inline)]
    data: ProviderLimitsEdit,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ProviderLimitsEdit {
    /// How many executions of the provider run at once; 0 pauses it.
    #[schema(maximum = 1000)]
    max_running: Option<u32>,
}

impl RequestBody for UpdateSettingRequest {
    fn read(value: Value) -> Result<Self, ApiError> {
        match kind_of(&value)? {
            SettingType::LlmApiKey => parse_body(value).map(Self::LlmApiKey),
            SettingType::ServiceApiKey => parse_body(value).map(Self::ServiceApiKey),
            SettingType::ProviderLimits => parse_body(value).map(Self::ProviderLimits),
            SettingType::WebhookDestination => parse_body(value).map(Self::WebhookDestination),
        }
    }
}

impl UpdateSettingRequest {
    pub(crate) fn into_edit(self) -> (SettingType, SettingEdit) {
        let of_key =
            |edit: KeyEdit| SettingEdit { api_key: edit.api_key, active: edit.active, ..SettingEdit::default() };
        match self {
            Self::LlmApiKey(body) => (SettingType::LlmApiKey, of_key(body.data)),
            Self::ServiceApiKey(body) => (SettingType::ServiceApiKey, of_key(body.data)),
            Self::WebhookDestination(UpdateWebhookDestinationSetting { data, .. }) => {
                let url = data.url.map(|url| url.trim().to_owned());
                let edit = SettingEdit { name: data.name, url, active: data.active, ..SettingEdit::default() };
                (SettingType::WebhookDestination, edit)
            }
            Self::ProviderLimits(UpdateProviderLimitsSetting { data, .. }) => {
                let edit = SettingEdit { max_running: data.max_running, ..SettingEdit::default() };
                (SettingType::ProviderLimits, edit)
            }
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct TypePath {
    #[serde(rename = "type")]
    #[param(inline)]
    pub(crate) kind: SettingType,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct IdentifierPath {
    #[serde(rename = "type")]
    #[param(inline)]
    pub(crate) kind: SettingType,
    #[param(min_length = 1)]
    pub(crate) identifier: String,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Setting)]
pub(crate) enum SettingResponse {
    LlmApiKey(LlmApiKeySetting),
    WebhookDestination(WebhookDestinationSetting),
    ServiceApiKey(ServiceApiKeySetting),
    ProviderLimits(ProviderLimitsSetting),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LlmApiKeySetting {
    id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: LlmApiKeyType,
    identifier: ProviderName,
    provider: ProviderName,
    /// A mask: first and last four characters, or eight dots for short keys.
    api_key: String,
    active: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookDestinationSetting {
    id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: WebhookDestinationType,
    /// Random UUID, independent of the name.
    identifier: String,
    name: String,
    #[schema(format = "uri")]
    url: String,
    active: bool,
    /// Signs the webhooks of this destination; shown only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    secret: Option<Revealed>,
    /// After a rotation: until when webhooks are signed with the secret before it, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_expires_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceApiKeySetting {
    id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: ServiceApiKeyType,
    /// The provider name.
    identifier: String,
    provider: ServiceName,
    /// A mask, as for provider keys.
    api_key: String,
    active: bool,
}

/// A provider without this setting runs its default: 2 executions at once for ollama, 10 for the others.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderLimitsSetting {
    id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(rename = "type")]
    #[schema(inline)]
    kind: ProviderLimitsType,
    /// The provider name.
    identifier: ProviderName,
    provider: ProviderName,
    /// How many executions of the provider run at once; 0 pauses it.
    #[schema(maximum = 1000)]
    max_running: u32,
}

impl SettingResponse {
    /// The setting as everybody may see it, keys masked.
    pub(crate) fn showing(found: Document<Setting>, cipher: &Cipher) -> Self {
        let Document { id, data, created_at, updated_at, .. } = found;
        match data {
            Setting::LlmApiKey { provider, api_key, active, .. } => Self::LlmApiKey(LlmApiKeySetting {
                id,
                created_at,
                updated_at,
                kind: LlmApiKeyType::LlmApiKey,
                identifier: provider,
                provider,
                api_key: masked(cipher, &api_key),
                active,
            }),
            Setting::WebhookDestination { identifier, name, url, previous_secret_expires_at, active, .. } => {
                Self::WebhookDestination(WebhookDestinationSetting {
                    id,
                    created_at,
                    updated_at,
                    kind: WebhookDestinationType::WebhookDestination,
                    identifier,
                    name,
                    url,
                    active,
                    secret: None,
                    previous_secret_expires_at,
                })
            }
            Setting::ServiceApiKey { identifier, provider, api_key, active } => {
                Self::ServiceApiKey(ServiceApiKeySetting {
                    id,
                    created_at,
                    updated_at,
                    kind: ServiceApiKeyType::ServiceApiKey,
                    identifier,
                    provider,
                    api_key: masked(cipher, &api_key),
                    active,
                })
            }
            Setting::ProviderLimits { provider, max_running, .. } => Self::ProviderLimits(ProviderLimitsSetting {
                id,
                created_at,
                updated_at,
                kind: ProviderLimitsType::ProviderLimits,
                identifier: provider,
                provider,
                max_running,
            }),
        }
    }

    /// The same with the signing secret of a webhook destination, where one was just made.
    pub(crate) fn with_secret(mut self, new_secret: impl Into<Option<Secret>>) -> Self {
        if let Self::WebhookDestination(destination) = &mut self {
            destination.secret = new_secret.into().map(Revealed);
        }
        self
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SettingList {
    /// Newest first.
    pub(crate) settings: Vec<SettingResponse>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsByTypeList {
    /// Newest first.
    pub(crate) settings: Vec<SettingResponse>,
    #[serde(rename = "type")]
    pub(crate) kind: SettingType,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeleteSettingResult {
    /// Always true.
    #[schema(schema_with = always_true)]
    pub(crate) success: bool,
}

fn always_true() -> Object {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).build()
}
