//! JSON Schema: what becomes of schemas when a prompt is saved, and how data and answers are checked against them.
//!
//! Saving a prompt hardens its schemas ([`harden`]), preview and execution validate input data ([`Schema`]), and an
//! execution checks the provider's answer ([`check_result`]). Nothing here reads a file or the network.

mod compile;
mod formats;
mod harden;
mod nulls;
mod result;
mod violation;
mod wording;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub use compile::{FormatCheck, SchemaError};
pub use harden::harden;
pub use result::{CheckedResult, check_result};
pub use violation::{Violation, summary};

/// A schema that is ready to check data.
#[derive(Debug, Clone)]
pub struct Schema {
    validator: jsonschema::Validator,
}

impl Schema {
    /// Prepares a schema: draft 2020-12, unless its `$schema` names another one.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        Self::compile_with_formats(schema, &[])
    }

    /// Prepares a schema whose named formats mean what the given checks say.
    pub fn compile_with_formats(schema: &Value, formats: &[FormatCheck]) -> Result<Self, SchemaError> {
        let validator = compile::compile(schema, formats)?;
        Ok(Self { validator })
    }

    /// Everything about the data that the schema does not allow.
    pub fn violations(&self, data: &Value) -> Vec<Violation> {
        violation::all(self.validator.iter_errors(data))
    }

    /// The data without the null members that the schema does not allow, if it has any.
    fn without_forbidden_nulls(&self, data: &Value) -> Option<Value> {
        nulls::without_forbidden(&self.validator, data)
    }
}
