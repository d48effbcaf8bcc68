//! Bodies of `/api/v1/api-keys`.

use serde::{Deserialize, Serialize};
use shared_core::{
    Revealed, Timestamp,
    api_keys::{ApiKeyEdit, ApiKeyStatus, KeyStats, NewApiKey, OwnedKey, Scope},
};
use shared_http::{Issue, Part, RequestBody};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateApiKeyRequest {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// May be empty; duplicates are kept as sent.
    scopes: Vec<Scope>,
    /// When the key stops working; never, when absent (defect A-19).
    #[schema(value_type = Option<String>, format = "date-time")]
    expires_at: Option<Timestamp>,
    /// How many requests the key may make in a minute; as the installation says, when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    requests_per_minute: Option<u32>,
}

impl RequestBody for CreateApiKeyRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        must_lie_in_the_future(self.expires_at)
    }
}

fn must_lie_in_the_future(expires_at: Option<Timestamp>) -> Vec<Issue> {
    match expires_at {
        Some(end) if end <= Timestamp::now() => {
            vec![Issue::new(Part::Body, "expires_at", "must lie in the future")]
        }
        _ => Vec::new(),
    }
}

impl From<CreateApiKeyRequest> for NewApiKey {
    fn from(body: CreateApiKeyRequest) -> Self {
        Self {
            name: body.name,
            scopes: body.scopes,
            expires_at: body.expires_at,
            requests_per_minute: body.requests_per_minute,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateApiKeyRequest {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// When the key stops working; stays as it is, when absent.
    #[schema(value_type = Option<String>, format = "date-time")]
    expires_at: Option<Timestamp>,
    /// How many requests the key may make in a minute from now on; as many as before, when absent.
    #[schema(minimum = 1, maximum = 100_000)]
    requests_per_minute: Option<u32>,
}

impl RequestBody for UpdateApiKeyRequest {
    fn cross_field_issues(&self) -> Vec<Issue> {
        must_lie_in_the_future(self.expires_at)
    }
}

impl From<UpdateApiKeyRequest> for ApiKeyEdit {
    fn from(body: UpdateApiKeyRequest) -> Self {
        Self { name: body.name, expires_at: body.expires_at, requests_per_minute: body.requests_per_minute }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateApiKeyRequest {
    /// For how many hours the secret in force still works beside the new one; 0 ends it at once.
    #[serde(default = "one_day")]
    #[schema(maximum = 720, default = 24)]
    pub(crate) grace_hours: u32,
}

impl RequestBody for RotateApiKeyRequest {}

impl Default for RotateApiKeyRequest {
    fn default() -> Self {
        Self { grace_hours: one_day() }
    }
}

fn one_day() -> u32 {
    24
}

/// API key as shown to its owner; the secret itself is never returned again.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyResponse {
    id: String,
    name: String,
    /// First 16 characters of the key.
    #[schema(pattern = "^api_[0-9a-f]{12}$")]
    key_prefix: String,
    #[schema(inline)]
    permissions: Permissions,
    #[schema(inline)]
    status: ApiKeyStatus,
    #[schema(inline)]
    usage_stats: UsageStats,
    /// When the key stops working, if ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// How many requests the key may make in a minute; as the installation says, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    requests_per_minute: Option<u32>,
    /// After a rotation: until when the secret before it works, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_key_expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Permissions {
    scopes: Vec<Scope>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UsageStats {
    #[schema(minimum = 0)]
    total_requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ip: Option<String>,
}

impl From<OwnedKey> for ApiKeyResponse {
    fn from(found: OwnedKey) -> Self {
        let OwnedKey { key, total_requests, last_used_at, last_ip } = found;
        Self {
            id: key.id,
            name: key.data.name,
            key_prefix: key.data.key_prefix,
            permissions: Permissions { scopes: key.data.scopes },
            status: key.data.status,
            usage_stats: UsageStats { total_requests, last_used_at, last_ip },
            expires_at: key.data.expires_at,
            requests_per_minute: key.data.requests_per_minute,
            previous_key_expires_at: key.data.previous_key.map(|previous| previous.expires_at),
            created_at: key.created_at,
            updated_at: key.updated_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyCreated {
    pub(crate) api_key: ApiKeyResponse,
    /// The secret, shown once.
    #[schema(value_type = String, pattern = "^api_[0-9a-f]{64}$")]
    pub(crate) plain_key: Revealed,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    /// The caller's own keys, newest first, revoked ones included.
    pub(crate) api_keys: Vec<ApiKeyResponse>,
}

/// Totals over the caller's own keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyStats {
    #[schema(minimum = 0)]
    total_keys: u64,
    #[schema(minimum = 0)]
    active_keys: u64,
    #[schema(minimum = 0)]
    revoked_keys: u64,
    #[schema(minimum = 0)]
    total_requests: u64,
}

impl From<KeyStats> for ApiKeyStats {
    fn from(stats: KeyStats) -> Self {
        Self {
            total_keys: stats.total_keys,
            active_keys: stats.active_keys,
            revoked_keys: stats.revoked_keys,
            total_requests: stats.total_requests,
        }
    }
}
