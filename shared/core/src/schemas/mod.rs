//! JSON Schema: what becomes of schemas when a prompt is saved, and how data and answers are checked against them.
//!
//! Saving a prompt hardens its schemas ([`harden`]), preview and execution validate input data ([`Schema`]), and an
//! execution checks the provider's answer ([`check_result`]). Nothing here reads a file or the network.

mod budget;
mod compile;
mod counted;
mod formats;
mod harden;
mod nulls;
mod patterns;
mod result;
mod violation;
mod wording;

#[cfg(test)]
mod tests;

use serde_json::Value;

use budget::within_steps;

pub use budget::STEPS;
pub use compile::{FormatCheck, SchemaError};
pub use harden::harden;
pub use result::{CheckedResult, check_result};
pub use violation::{MOST_VIOLATIONS, Violation, summary};

/// A schema that is ready to check data.
#[derive(Debug, Clone)]
pub struct Schema {
    validator: jsonschema::Validator,
}

impl Schema {
    /// Prepares a schema that somebody sent: draft 2020-12, unless its `$schema` names another one. Checks with it take
    /// [`STEPS`] at most.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let validator = compile::compile_foreign(schema)?;
        Ok(Self { validator })
    }

    /// Prepares a schema of our own, whose named formats mean what the given checks say.
    pub fn compile_with_formats(schema: &Value, formats: &[FormatCheck]) -> Result<Self, SchemaError> {
        let validator = compile::compile_own(schema, formats)?;
        Ok(Self { validator })
    }

    /// What about the data the schema does not allow, up to [`MOST_VIOLATIONS`].
    pub fn violations(&self, data: &Value) -> Vec<Violation> {
        within_steps(|| violation::first(self.validator.iter_errors(data)))
            .unwrap_or_else(|| vec![violation::endless()])
    }

    /// The data without the null members that the schema does not allow, if it has any.
    fn without_forbidden_nulls(&self, data: &Value) -> Option<Value> {
        within_steps(|| nulls::without_forbidden(&self.validator, data)).flatten()
    }
}
