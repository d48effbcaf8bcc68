//! Executions: one run of a prompt or text by one model (contract 9).
//!
//! `create` records what shall run and `group_run` the same for a whole group of test data, `pipeline` moves it along,
//! `prepare` says what is sent, `outcome` what became of it, `provider_call` what the vendor told about it, `store` reads for
//! the screens. `erase` deletes for good, `counters` says what is counted.

mod counters;
mod create;
mod erase;
mod export;
mod group_run;
mod list;
mod outcome;
pub mod pipeline;
mod prepare;
mod provider_call;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use counters::{COUNTERS, sum_up_totals, total_differences};
pub use create::{CreateError, CreatedExecutions, NewExecutions, Source, Target, create};
pub use erase::{EraseError, erase};
pub use export::{ExportPlace, ExportedExecution, export};
pub use group_run::create_group_run;
pub use list::{ExecutionFilter, ExecutionOrder, list};
pub use outcome::{ModelAnswer, Outcome};
pub use prepare::{PrepareError, Prepared, prepare};
pub use provider_call::{ProviderCall, TokenUsage};
pub use store::{Stats, delete_ended, find, stats, update_fields};

use crate::{instant::Timestamp, provider_name::ProviderName};

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionStatus {
    /// Waiting for a place at its provider.
    Pending,
    /// A worker holds it.
    Running,
    /// It has a result.
    Completed,
    /// It ended without one.
    Failed,
}

impl ExecutionStatus {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing will happen to it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Running, Self::Completed, Self::Failed].into_iter().find(|status| status.as_str() == name)
    }
}

/// Who created an execution: `api` for an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A signed-in person.
    App,
    /// An API key.
    Api,
}

/// The stored document: what was asked for, and in the end what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The prompt that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<u32>,
    /// Text that runs instead of a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_text: Option<String>,
    /// Input; empty when none was given (defect E-03).
    #[serde(default)]
    pub user_input: String,
    /// Who answers.
    pub provider: ProviderName,
    /// Which model answers.
    pub model: String,
    /// Who asked.
    pub origin: Origin,
    /// The caller's own reference.
    #[serde(rename = "traceId", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// An uploaded file that goes with the input.
    #[serde(rename = "fileId", skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// Generation options exactly as given, and `webSearch` when the prompt asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Value>,
    /// Who is told when it ends: settings of type webhook-destination, each once. The database writes their jobs.
    #[serde(rename = "webhookDestinationIds", skip_serializing_if = "Option::is_none")]
    pub webhook_destination_ids: Option<Vec<String>>,
    /// Group of a group run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_data_group_id: Option<String>,
    /// Item of a group run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_data_item_id: Option<String>,
    /// Marked by a reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starred: Option<bool>,
    /// Free text of a reader.
    #[serde(rename = "userStatus", skip_serializing_if = "Option::is_none")]
    pub user_status: Option<String>,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Whether the answer satisfies the response schema; true without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_valid: Option<bool>,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_validation_message: Option<String>,
    /// Tokens that went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens_used: Option<u64>,
    /// Tokens that came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens_used: Option<u64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Why the model stopped, in the vendor's words (defect E-20).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Options that the vendor does not take (defect V-14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored_options: Option<Vec<String>>,
    /// What the vendor told about the call that answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_call: Option<ProviderCall>,
}

/// Name and number of the version that ran.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ExecutedPrompt {
    /// Name recorded in that version.
    pub name: String,
    /// Its number.
    pub version: u32,
}

/// An execution as a reader sees it: the document, its progress and the version that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionView {
    /// Primary key.
    pub id: String,
    /// The document.
    pub data: Execution,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// How often it was tried so far.
    pub attempts: u32,
    /// Absent for direct text, and when prompt or version are gone.
    pub prompt: Option<ExecutedPrompt>,
    /// When the latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests;
