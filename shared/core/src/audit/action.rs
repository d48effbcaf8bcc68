//! Everything that is recorded.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! actions {
    // `tt`, since the derive of the schema does not see a literal that a macro hands on as such.
    ($($(#[$doc:meta])* $variant:ident = $name:tt),* $(,)?) => {
        /// What was done: the type of the resource and a verb in the past tense.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[schema(as = AuditAction)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $variant),*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }
        }
    };
}

actions! {
    /// The first admin registered.
    UserRegistered = "user.registered",
    /// Somebody signed in.
    UserSignedIn = "user.signed-in",
    /// Somebody tried to; the resource is the account, if there is one with that address.
    UserSignInFailed = "user.sign-in-failed",
    /// All sessions of an account were ended.
    UserSessionsEnded = "user.sessions-ended",
    /// An admin invited somebody.
    UserInvited = "user.invited",
    /// Somebody accepted an invitation.
    UserActivated = "user.activated",
    /// An admin changed an account.
    UserUpdated = "user.updated",
    /// An admin changed a profile.
    UserProfileUpdated = "user.profile-updated",
    /// An admin deleted an account.
    UserDeleted = "user.deleted",
    /// Accounts were deleted whose invitation had expired.
    UserInvitationsExpired = "user.invitations-expired",
    /// An API key was made.
    ApiKeyCreated = "api-key.created",
    /// An API key got another name.
    ApiKeyRenamed = "api-key.renamed",
    /// An API key was taken back.
    ApiKeyRevoked = "api-key.revoked",
    /// A setting was made.
    SettingCreated = "setting.created",
    /// A setting was changed.
    SettingUpdated = "setting.updated",
    /// A setting was deleted.
    SettingDeleted = "setting.deleted",
    /// A webhook destination got a new secret.
    SettingSecretRotated = "setting.secret-rotated",
    /// A prompt was made.
    PromptCreated = "prompt.created",
    /// A prompt was saved.
    PromptUpdated = "prompt.updated",
    /// A prompt was deleted.
    PromptDeleted = "prompt.deleted",
    /// A comment was written.
    CommentCreated = "comment.created",
    /// A comment was deleted.
    CommentDeleted = "comment.deleted",
    /// One or several executions were asked for.
    ExecutionCreated = "execution.created",
    /// An execution was starred or marked.
    ExecutionUpdated = "execution.updated",
    /// An execution was cancelled.
    ExecutionCancelled = "execution.cancelled",
    /// An execution was erased for good.
    ExecutionErased = "execution.erased",
    /// A prompt was run over a test data group.
    ExecutionBundleCreated = "execution-bundle.created",
    /// A test data group was made.
    TestDataGroupCreated = "test-data-group.created",
    /// A test data group was changed.
    TestDataGroupUpdated = "test-data-group.updated",
    /// A test data group was deleted with its items.
    TestDataGroupDeleted = "test-data-group.deleted",
    /// One or several test data items were made.
    TestDataItemCreated = "test-data-item.created",
    /// A test data item was changed.
    TestDataItemUpdated = "test-data-item.updated",
    /// A test data item was deleted.
    TestDataItemDeleted = "test-data-item.deleted",
    /// A file was uploaded.
    FileCreated = "file.created",
    /// A file was deleted.
    FileDeleted = "file.deleted",
    /// A deployment was made.
    DeploymentCreated = "deployment.created",
    /// A deployment was changed.
    DeploymentUpdated = "deployment.updated",
    /// A deployment was deleted.
    DeploymentDeleted = "deployment.deleted",
    /// An embedding deployment was made.
    DeploymentEmbeddingCreated = "deployment-embedding.created",
    /// An embedding deployment was changed.
    DeploymentEmbeddingUpdated = "deployment-embedding.updated",
    /// An embedding deployment was deleted.
    DeploymentEmbeddingDeleted = "deployment-embedding.deleted",
    /// Somebody asked for embeddings or for a test webhook.
    JobCreated = "job.created",
    /// Somebody had a webhook sent again.
    JobRedelivered = "job.redelivered",
}

impl Action {
    /// The type of the resource: what stands before the dot.
    pub fn resource_type(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(resource, _)| resource)
    }
}
