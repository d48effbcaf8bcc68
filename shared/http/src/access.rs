//! Who may call what: one table for every operation (contract 2.4 and 2.5, decision A-03).
//!
//! The layer in `auth` enforces it, the OpenAPI document shows it, and a test compares it with the routers: an operation
//! without a row here cannot be called.

use shared_core::{api_keys::Scope, users::Role};

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; credentials are ignored.
    Public,
    /// Signed-in people from this role on, and API keys as `keys` says.
    SignedIn {
        /// The least role.
        least: Role,
        /// What an `X-API-Key` header means here.
        keys: Keys,
    },
}

/// What an `X-API-Key` header means for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Its family does not look at the header.
    Ignored,
    /// Its family does, and this operation is closed to keys.
    Refused,
    /// Keys with this scope may call it.
    Scope(Scope),
    /// Every working key may call it, whatever its scopes.
    AnyScope,
}

/// One operation and who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// HTTP method in capitals. A GET operation answers HEAD too.
    pub method: &'static str,
    /// Path with parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

const fn public(method: &'static str, path: &'static str) -> Rule {
    Rule { method, path, access: Access::Public }
}

const fn from_role(least: Role, keys: Keys, method: &'static str, path: &'static str) -> Rule {
    Rule { method, path, access: Access::SignedIn { least, keys } }
}

/// Every operation. Grouped by family, in the order of the contract.
pub const RULES: &[Rule] = {
    use Keys::{Ignored, Refused};
    use Role::{Admin, User, Viewer};
    &[
        public("GET", "/api/health"),
        public("GET", "/api/json-schema"),
        from_role(Viewer, Ignored, "GET", "/api/v1/common/onboarding-status"),
        public("POST", "/api/v1/auth/register-first-admin"),
        public("POST", "/api/v1/auth/login"),
        public("GET", "/api/v1/auth/check"),
        public("POST", "/api/v1/auth/activate"),
        from_role(Viewer, Ignored, "POST", "/api/v1/auth/logout-all"),
        from_role(Viewer, Refused, "GET", "/api/v1/users"),
        from_role(Viewer, Keys::AnyScope, "GET", "/api/v1/users/profile/me"),
        from_role(Admin, Refused, "POST", "/api/v1/users/invite"),
        from_role(Admin, Refused, "POST", "/api/v1/users/cleanup"),
        from_role(Viewer, Refused, "GET", "/api/v1/users/{id}"),
        from_role(Admin, Refused, "PUT", "/api/v1/users/{id}"),
        from_role(Admin, Refused, "DELETE", "/api/v1/users/{id}"),
        from_role(Admin, Refused, "PUT", "/api/v1/users/{id}/profile"),
        from_role(Viewer, Ignored, "GET", "/api/v1/api-keys"),
        from_role(User, Ignored, "POST", "/api/v1/api-keys"),
        from_role(Viewer, Ignored, "GET", "/api/v1/api-keys/stats"),
        from_role(Viewer, Ignored, "GET", "/api/v1/api-keys/{id}"),
        from_role(User, Ignored, "PUT", "/api/v1/api-keys/{id}"),
        from_role(User, Ignored, "DELETE", "/api/v1/api-keys/{id}"),
        from_role(Viewer, Ignored, "GET", "/api/v1/settings"),
        from_role(Admin, Ignored, "POST", "/api/v1/settings"),
        from_role(Viewer, Ignored, "GET", "/api/v1/settings/type/{type}"),
        from_role(Viewer, Ignored, "GET", "/api/v1/settings/type/{type}/identifier/{identifier}"),
        from_role(Viewer, Ignored, "GET", "/api/v1/settings/{id}"),
        from_role(Admin, Ignored, "PUT", "/api/v1/settings/{id}"),
        from_role(Admin, Ignored, "DELETE", "/api/v1/settings/{id}"),
        from_role(Admin, Ignored, "POST", "/api/v1/settings/{id}/rotate-secret"),
        from_role(Viewer, Refused, "GET", "/api/v1/prompts/select-list"),
        from_role(Viewer, Refused, "GET", "/api/v1/prompts"),
        from_role(User, Refused, "POST", "/api/v1/prompts"),
        from_role(Viewer, Refused, "GET", "/api/v1/prompts/recent"),
        from_role(Viewer, Refused, "GET", "/api/v1/prompts/search/{pattern}"),
        from_role(Viewer, Keys::Scope(Scope::PromptsPreview), "POST", "/api/v1/prompts/preview"),
        from_role(Viewer, Keys::Scope(Scope::PromptsRead), "GET", "/api/v1/prompts/{id}"),
        from_role(User, Refused, "PUT", "/api/v1/prompts/{id}"),
        from_role(User, Refused, "DELETE", "/api/v1/prompts/{id}"),
        from_role(Viewer, Refused, "POST", "/api/v1/prompts/{id}/generate-adjustment"),
        from_role(Viewer, Ignored, "GET", "/api/v1/comments"),
        from_role(Viewer, Ignored, "POST", "/api/v1/comments"),
        from_role(Viewer, Ignored, "DELETE", "/api/v1/comments/{id}"),
        from_role(User, Keys::Scope(Scope::ExecutionsRun), "POST", "/api/v1/executions"),
        from_role(Viewer, Refused, "GET", "/api/v1/executions"),
        from_role(Viewer, Refused, "GET", "/api/v1/executions/stats/all"),
        from_role(Viewer, Refused, "GET", "/api/v1/executions/providers/health"),
        from_role(Viewer, Refused, "GET", "/api/v1/executions/providers/list"),
        from_role(Viewer, Refused, "GET", "/api/v1/executions/providers/models"),
        from_role(Viewer, Refused, "POST", "/api/v1/executions/update-fields/{id}"),
        from_role(Viewer, Keys::Scope(Scope::ExecutionsRead), "GET", "/api/v1/executions/{id}"),
        from_role(User, Refused, "DELETE", "/api/v1/executions/{id}"),
        from_role(Admin, Refused, "POST", "/api/v1/executions/{id}/erase"),
        from_role(Viewer, Ignored, "GET", "/api/v1/execution-bundles"),
        from_role(Viewer, Ignored, "GET", "/api/v1/test-data/select-list"),
        from_role(Viewer, Ignored, "GET", "/api/v1/test-data/groups"),
        from_role(User, Ignored, "POST", "/api/v1/test-data/groups"),
        from_role(Viewer, Ignored, "GET", "/api/v1/test-data/groups/{id}"),
        from_role(User, Ignored, "PUT", "/api/v1/test-data/groups/{id}"),
        from_role(User, Ignored, "DELETE", "/api/v1/test-data/groups/{id}"),
        from_role(Viewer, Ignored, "GET", "/api/v1/test-data/groups/{groupId}/items"),
        from_role(User, Ignored, "POST", "/api/v1/test-data/groups/{groupId}/items"),
        from_role(User, Ignored, "POST", "/api/v1/test-data/groups/{groupId}/items/bulk"),
        from_role(Viewer, Ignored, "GET", "/api/v1/test-data/items/{id}"),
        from_role(User, Ignored, "PUT", "/api/v1/test-data/items/{id}"),
        from_role(User, Ignored, "DELETE", "/api/v1/test-data/items/{id}"),
        from_role(Viewer, Ignored, "POST", "/api/v1/test-data/compile-prompt"),
        from_role(Viewer, Refused, "GET", "/api/v1/files/select-list"),
        from_role(Viewer, Refused, "GET", "/api/v1/files"),
        from_role(User, Keys::Scope(Scope::FilesUpload), "POST", "/api/v1/files"),
        from_role(Viewer, Refused, "GET", "/api/v1/files/search/{pattern}"),
        from_role(Viewer, Refused, "GET", "/api/v1/files/{id}"),
        from_role(User, Refused, "DELETE", "/api/v1/files/{id}"),
        from_role(Viewer, Refused, "GET", "/api/v1/files/{id}/download"),
        from_role(Viewer, Refused, "GET", "/api/v1/deployments"),
        from_role(User, Refused, "POST", "/api/v1/deployments"),
        from_role(Viewer, Refused, "GET", "/api/v1/deployments/name/{name}"),
        from_role(User, Keys::Scope(Scope::DeploymentsRun), "POST", "/api/v1/deployments/run/{name}"),
        from_role(Viewer, Refused, "GET", "/api/v1/deployments/{id}"),
        from_role(User, Refused, "PUT", "/api/v1/deployments/{id}"),
        from_role(User, Refused, "DELETE", "/api/v1/deployments/{id}"),
        from_role(Viewer, Refused, "GET", "/api/v1/deployment-embeddings"),
        from_role(User, Refused, "POST", "/api/v1/deployment-embeddings"),
        from_role(Viewer, Refused, "GET", "/api/v1/deployment-embeddings/name/{name}"),
        from_role(
            User,
            Keys::Scope(Scope::DeploymentEmbeddingsRun),
            "POST",
            "/api/v1/deployment-embeddings/run/{name}",
        ),
        from_role(Viewer, Refused, "GET", "/api/v1/deployment-embeddings/{id}"),
        from_role(User, Refused, "PUT", "/api/v1/deployment-embeddings/{id}"),
        from_role(User, Refused, "DELETE", "/api/v1/deployment-embeddings/{id}"),
        from_role(Viewer, Ignored, "GET", "/api/v1/jobs"),
        from_role(Admin, Ignored, "POST", "/api/v1/jobs/single/trigger"),
        from_role(Viewer, Ignored, "GET", "/api/v1/jobs/{id}"),
        from_role(Admin, Ignored, "POST", "/api/v1/jobs/{id}/redeliver"),
        from_role(Admin, Refused, "GET", "/api/v1/audit"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/stats"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/token-usage/summary"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/token-usage/daily"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/token-usage/hourly"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/token-usage/daily/grouped"),
        from_role(Viewer, Ignored, "GET", "/api/v1/dashboard/token-usage/hourly/grouped"),
    ]
};

/// Who may call this operation; `None` when the table does not know it.
pub fn access(method: &str, path: &str) -> Option<Access> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.method == method && rule.path == path).map(|rule| rule.access)
}
