//! DeepInfra (its documentation, "OpenAI-compatible API" and "JSON mode"; API reference, "Models" and "Me").

use serde_json::Value;
use shared_core::ProviderName;

use crate::{
    chat_completions::{Dialect, Model},
    request::Sampling,
};

pub(crate) const DIALECT: Dialect = Dialect {
    provider: ProviderName::DeepInfra,
    completions_path: "/v1/openai/chat/completions",
    models_path: "/v1/openai/models",
    account_path: Some("/v1/me"),
    // Open models of many makers, which all take both.
    sampling: |_| (Sampling::WithDefault, Sampling::WithDefault),
    answering,
};

/// The models that have a price for written tokens; those that draw, speak or embed have none (defect V-12). A list
/// without any prices is a gateway's and stays whole.
fn answering(models: Vec<Model>) -> Vec<Model> {
    let writes = |model: &Model| model.metadata.pointer("/pricing/output_tokens").is_some_and(Value::is_number);
    if models.iter().any(writes) { models.into_iter().filter(writes).collect() } else { models }
}
