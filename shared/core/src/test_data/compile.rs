//! A prompt with an item put into it.

use super::{TestDataError, find_item};
use crate::{
    db::Db,
    prompts::{self, CompileError},
};

/// The text that the version makes of the item. The item must be JSON and satisfy the input schema, if the version has
/// one (defect T-03); problems with that are the inner result, because callers show them as an answer.
pub async fn compile_with_item(
    db: &Db,
    prompt_id: &str,
    version: Option<u32>,
    item_id: &str,
) -> Result<Result<String, CompileError>, TestDataError> {
    let prompt = prompts::find(db, prompt_id).await?.ok_or(TestDataError::PromptNotFound)?;
    let number = version.unwrap_or(prompt.data.current_version);
    let version = prompt.data.version(Some(number)).ok_or(TestDataError::VersionNotFound(number))?;
    let item = find_item(db, item_id).await?.ok_or(TestDataError::ItemNotFound)?;
    Ok(match version.json_schema_input {
        Some(_) => prompts::compile(version, &item.data.content),
        None => prompts::compile_text(&version.prompt, &item.data.content),
    })
}
