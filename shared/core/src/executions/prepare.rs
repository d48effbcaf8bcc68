//! What an execution sends to its model (contract 9.3).

use serde_json::Value;

use super::Execution;
use crate::{
    db::{Db, DbError},
    files::{self, FileContent},
    prompts::{self, CompileError},
};

/// Everything a provider call needs besides the model.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The prompt text.
    pub prompt: String,
    /// The input; empty when it went into the template.
    pub user_input: String,
    /// Generation options as stored.
    pub options: Value,
    /// Schema that the provider is asked to follow.
    pub schema: Option<Value>,
    /// Whether the answer is checked against `schema`: only the version's own schema is (contract 9.4).
    pub checks_result: bool,
    /// The file that goes with the input.
    pub file: Option<FileContent>,
}

/// Why an execution cannot be sent. Trying again would not help, except after a failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The prompt was deleted meanwhile.
    #[error("the prompt does not exist any more")]
    PromptGone,
    /// The version does not exist.
    #[error("the prompt has no version {0}")]
    VersionGone(u32),
    /// The file was deleted meanwhile.
    #[error("the file {0} does not exist any more")]
    FileGone(String),
    /// The input does not fit the template.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Reads prompt and file and compiles the template.
pub async fn prepare(db: &Db, execution: &Execution) -> Result<Prepared, PrepareError> {
    let file = match &execution.file_id {
        Some(id) => Some(files::find_content(db, id).await?.ok_or_else(|| PrepareError::FileGone(id.clone()))?),
        None => None,
    };
    let options = execution.options.clone().unwrap_or_default();
    let own_schema = options.get("schema").filter(|schema| schema.is_object()).cloned();
    if let Some(text) = &execution.prompt_text {
        return Ok(Prepared {
            prompt: text.clone(),
            user_input: execution.user_input.clone(),
            options,
            schema: own_schema,
            checks_result: false,
            file,
        });
    }
    let id = execution.prompt_id.as_deref().unwrap_or_default();
    let prompt = prompts::find(db, id).await?.ok_or(PrepareError::PromptGone)?;
    let number = execution.prompt_version.unwrap_or(prompt.data.current_version);
    let version = prompt.data.version(Some(number)).ok_or(PrepareError::VersionGone(number))?;
    let user_input = if version.json_schema_input.is_some() { String::new() } else { execution.user_input.clone() };
    Ok(Prepared {
        prompt: prompts::compile(version, &execution.user_input)?,
        user_input,
        options,
        checks_result: version.json_schema_response.is_some(),
        schema: version.json_schema_response.clone().or(own_schema),
        file,
    })
}
