//! Prepares schemas, without ever looking outside them.

use jsonschema::{PatternOptions, ReferencingError, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

use super::{formats, violation};

/// How often a pattern that needs backtracking may turn back before it counts as undecidable.
const BACKTRACK_LIMIT: usize = 10_000;

/// The name of a format and what it accepts.
pub type FormatCheck = (&'static str, fn(&str) -> bool);

/// Why a schema cannot be used; the text is meant for the schema's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The schema breaks the rules that its draft has for schemas.
    #[error("schema is invalid: {0}")]
    Invalid(String),

    /// The schema refers to something that is not part of it.
    #[error("schema refers to \"{0}\", which is not part of it")]
    OutsideReference(String),

    /// The schema's `$schema` names a draft that we do not know.
    #[error("schema is written in an unknown draft: {0}")]
    UnknownDraft(String),

    /// A reference or an identifier in the schema cannot be read.
    #[error("schema has a broken reference: {0}")]
    BrokenReference(String),
}

/// Prepares a schema, with an engine for patterns that takes linear time wherever the pattern allows it.
///
/// `own_formats` replace the usual meaning of formats of the same name.
pub(super) fn compile(schema: &Value, own_formats: &[FormatCheck]) -> Result<Validator, SchemaError> {
    let linear = build(schema, PatternOptions::regex(), own_formats);
    // Look-around is common in generated schemas, e.g. for e-mail addresses, and beyond the linear engine.
    let validator =
        linear.or_else(|_| build(schema, PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT), own_formats));
    validator.map_err(explain)
}

fn build<E>(
    schema: &Value,
    patterns: PatternOptions<E>,
    own_formats: &[FormatCheck],
) -> Result<Validator, ValidationError<'static>> {
    let options = jsonschema::options().offline().should_ignore_unknown_formats(true).with_pattern_options(patterns);
    let with_own = |options: jsonschema::ValidationOptions<'static>, (name, check): &FormatCheck| {
        options.with_format(*name, *check)
    };
    own_formats.iter().fold(formats::check(options), with_own).build(schema)
}

fn explain(error: ValidationError<'static>) -> SchemaError {
    match error.kind() {
        ValidationErrorKind::Referencing(reference) => match reference {
            ReferencingError::Unretrievable { uri, .. } => SchemaError::OutsideReference(uri.clone()),
            ReferencingError::PointerToNowhere { pointer } => SchemaError::OutsideReference(format!("#{pointer}")),
            ReferencingError::NoSuchAnchor { anchor } => SchemaError::OutsideReference(format!("#{anchor}")),
            ReferencingError::UnknownSpecification { specification } => {
                SchemaError::UnknownDraft(specification.clone())
            }
            other => SchemaError::BrokenReference(other.to_string()),
        },
        _ => SchemaError::Invalid(violation::summary(&violation::all([error]))),
    }
}
