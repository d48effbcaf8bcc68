//! Makes every schema object of a document count its visits.
//!
//! References may lead anywhere, so what stands under unknown keywords counts too. Only literal data under `const` and
//! `enum` cannot be touched without changing what it means; no reference may lead on from there.

use serde_json::Value;

use super::{SchemaError, budget::KEYWORD};

/// A copy of the schema whose schema objects have the counting keyword.
pub(super) fn counted(schema: &Value) -> Result<Value, SchemaError> {
    let mut schema = schema.clone();
    visit(&mut schema)?;
    Ok(schema)
}

fn visit(value: &mut Value) -> Result<(), SchemaError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(visit),
        Value::Object(members) => {
            for (keyword, value) in members.iter_mut() {
                match (keyword.as_str(), value) {
                    ("const" | "enum", literal) if refers(literal) => return Err(SchemaError::LiteralReference),
                    ("const" | "enum" | "dependentRequired" | "$vocabulary", _) => {}
                    (
                        "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties"
                        | "properties",
                        Value::Object(named),
                    ) => named.values_mut().try_for_each(visit)?,
                    (_, value) => visit(value)?,
                }
            }
            members.insert(KEYWORD.to_owned(), Value::Bool(true));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether literal data would be a reference if somebody took it for a schema.
fn refers(literal: &Value) -> bool {
    match literal {
        Value::Array(items) => items.iter().any(refers),
        Value::Object(members) => members.iter().any(|(name, value)| {
            matches!(name.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef") && value.is_string() || refers(value)
        }),
        _ => false,
    }
}
