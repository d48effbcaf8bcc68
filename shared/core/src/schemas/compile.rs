//! Prepares schemas, without ever looking outside them.

use jsonschema::{
    PatternOptions, ReferencingError, ValidationError, ValidationOptions, Validator, error::ValidationErrorKind,
};
use serde_json::Value;

use super::{
    budget::{KEYWORD, Visit},
    counted::counted,
    formats,
    patterns::{MOST_PARTS, parts_of_all},
    violation,
};

/// How often a pattern that needs backtracking may turn back before it counts as undecidable.
const BACKTRACK_LIMIT: usize = 1_000;

/// How many parts such a pattern counts as: every return costs as much as the text is long.
const BACKTRACKING_PARTS: usize = 20 * BACKTRACK_LIMIT;

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

    /// Literal data in the schema refers to something.
    #[error("schema has a reference inside \"const\" or \"enum\", which hold literal data")]
    LiteralReference,

    /// The patterns of the schema would take too long.
    #[error(
        "schema has patterns that are too large: together more than {MOST_PARTS} letters and classes, repetitions counted"
    )]
    LargePatterns,
}

/// Prepares a schema that somebody sent: what it asks for is counted and bounded.
pub(super) fn compile_foreign(schema: &Value) -> Result<Validator, SchemaError> {
    if parts_of_all(schema) > MOST_PARTS {
        return Err(SchemaError::LargePatterns);
    }
    let schema = counted(schema)?;
    let counting = |backtracking: Option<usize>| {
        options().with_keyword(KEYWORD, move |parent, _, _| Ok(Box::new(Visit::of(parent, backtracking))))
    };
    // An engine that takes linear time wherever the patterns allow it.
    let linear = counting(None).with_pattern_options(PatternOptions::regex()).build(&schema);
    // Look-around is common in generated schemas, e.g. for e-mail addresses, and beyond the linear engine.
    let fancy = PatternOptions::fancy_regex().backtrack_limit(BACKTRACK_LIMIT);
    let validator = linear.or_else(|_| counting(Some(BACKTRACKING_PARTS)).with_pattern_options(fancy).build(&schema));
    validator.map_err(explain)
}

/// Prepares a schema of our own. `own_formats` replace the usual meaning of formats of the same name.
pub(super) fn compile_own(schema: &Value, own_formats: &[FormatCheck]) -> Result<Validator, SchemaError> {
    let with_own =
        |options: ValidationOptions<'static>, (name, check): &FormatCheck| options.with_format(*name, *check);
    let options = own_formats.iter().fold(options(), with_own).with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(explain)
}

fn options() -> ValidationOptions<'static> {
    formats::check(jsonschema::options().offline().should_ignore_unknown_formats(true))
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
        _ => SchemaError::Invalid(violation::summary(&violation::first([error]))),
    }
}
