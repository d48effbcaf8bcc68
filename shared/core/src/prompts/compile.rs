//! From a version and its input to the text that a model gets (contract 6.5 and 9.3, decision P-07).

use serde_json::Value;

use super::PromptVersion;
use crate::{
    schemas::{Schema, SchemaError, Violation, summary},
    templates::{self, TemplateError},
};

/// Why input and template do not make a text.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The input is not JSON.
    #[error("the input is not valid JSON: {0}")]
    NotJson(String),
    /// The input is null (defect P-06).
    #[error("the input is null, and a template cannot be filled with nothing")]
    NullInput,
    /// The input violates the input schema.
    #[error("the input does not satisfy the input schema: {}", summary(.0))]
    Violations(Vec<Violation>),
    /// The input schema itself is broken.
    #[error("the input schema cannot be used: {0}")]
    BrokenSchema(#[from] SchemaError),
    /// The template is broken.
    #[error("the template cannot be compiled: {0}")]
    BrokenTemplate(#[from] TemplateError),
}

/// The text that an execution of this version sends: as it stands without an input schema, else compiled with the
/// checked input.
pub fn compile(version: &PromptVersion, user_input: &str) -> Result<String, CompileError> {
    match &version.json_schema_input {
        None => Ok(version.prompt.clone()),
        Some(schema) => {
            let data = check_input(schema, user_input)?;
            Ok(templates::render(&version.prompt, &data)?)
        }
    }
}

/// Compiles a text that belongs to no stored prompt.
pub fn compile_text(template: &str, user_input: &str) -> Result<String, CompileError> {
    let data = something(parse(user_input)?)?;
    Ok(templates::render(template, &data)?)
}

/// The input as JSON, if it satisfies the schema and can fill a template.
pub fn check_input(schema: &Value, user_input: &str) -> Result<Value, CompileError> {
    InputCheck::new(schema)?.check(user_input)
}

/// An input schema that is ready to check many inputs.
#[derive(Debug)]
pub struct InputCheck(Schema);

impl InputCheck {
    /// Prepares the schema.
    pub fn new(schema: &Value) -> Result<Self, CompileError> {
        Ok(Self(Schema::compile(schema)?))
    }

    /// The input as JSON, if it satisfies the schema and can fill a template.
    pub fn check(&self, user_input: &str) -> Result<Value, CompileError> {
        let data = parse(user_input)?;
        let violations = self.0.violations(&data);
        if violations.is_empty() { something(data) } else { Err(CompileError::Violations(violations)) }
    }
}

fn something(data: Value) -> Result<Value, CompileError> {
    if data.is_null() { Err(CompileError::NullInput) } else { Ok(data) }
}

fn parse(user_input: &str) -> Result<Value, CompileError> {
    serde_json::from_str(user_input).map_err(|error| CompileError::NotJson(error.to_string()))
}
