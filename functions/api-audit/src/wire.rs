//! Query and answer of `/api/v1/audit`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_core::{
    Timestamp,
    audit::{Action, AuditEntry, AuditFilter},
};
use shared_http::{DirectionParam, Moment, RequestQuery};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListAuditQuery {
    /// 1-based. An export has no pages.
    #[param(minimum = 1, default = 1)]
    pub(crate) page: Option<u32>,
    /// Page size.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) limit: Option<u32>,
    /// Only what this user or one of their API keys did.
    actor_id: Option<String>,
    /// Only this action.
    #[param(inline)]
    action: Option<Action>,
    /// Only things of this kind: what stands before the dot of an action.
    resource_type: Option<String>,
    /// Only this thing.
    resource_id: Option<String>,
    /// Inclusive lower bound; a day means its first instant.
    #[param(inline)]
    from: Option<Moment>,
    /// Inclusive upper bound; a day means its last instant.
    #[param(inline)]
    to: Option<Moment>,
    /// By time.
    #[serde(default)]
    #[param(inline)]
    pub(crate) order_direction: DirectionParam,
    /// `ndjson` gives up to 5,000 matching entries, one per line; the rest is had with `from` or `to` at the last one.
    #[serde(default)]
    #[param(inline)]
    pub(crate) format: Format,
}

impl RequestQuery for ListAuditQuery {}

impl ListAuditQuery {
    pub(crate) fn into_filter(self) -> AuditFilter {
        AuditFilter {
            user_id: self.actor_id,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            from: self.from.map(|moment| moment.first),
            to: self.to.map(|moment| moment.last),
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Json,
    Ndjson,
}

/// Who changed what.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryResponse {
    id: String,
    at: Timestamp,
    /// The type of the resource and a verb in the past tense.
    #[schema(examples("prompt.updated", "user.signed-in"))]
    action: String,
    actor: AuditActor,
    resource: AuditResource,
    /// Members that changed, as they were. Texts and secrets are withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// Members that changed, as they are since, and what else there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
    /// Network address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// What the answer had as `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditActor {
    /// `user`, `api-key`, `anonymous` (somebody who had not signed in) or `system` (maintenance).
    #[schema(examples("user"))]
    kind: String,
    /// The user, or the owner of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The user's present name; absent once the account is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The user's address; absent once the account is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The user's role at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<String>,
}

/// What it was done to.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditResource {
    #[serde(rename = "type")]
    kind: String,
    /// Absent when there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl From<AuditEntry> for AuditEntryResponse {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            action: entry.action,
            actor: AuditActor {
                kind: entry.actor,
                id: entry.user_id,
                name: entry.user_name,
                email: entry.user_email,
                role: entry.role,
                api_key_id: entry.api_key_id,
            },
            resource: AuditResource { kind: entry.resource_type, id: entry.resource_id },
            before: entry.before,
            after: entry.after,
            address: entry.address,
            request_id: entry.request_id,
        }
    }
}

impl AuditEntryResponse {
    /// The entry as a line of an export.
    pub(crate) fn line(&self) -> String {
        let json = serde_json::to_string(self).expect("an entry has text keys and no failing members");
        json + "\n"
    }
}
