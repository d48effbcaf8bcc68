//! Which `format`s and content keywords are checked, so that both drafts check the same.

use std::sync::LazyLock;

use jsonschema::{ValidationOptions, Validator};
use serde_json::{Value, json};

/// Formats that draft-07 does not define, but schemas in that draft use.
static UUID: LazyLock<Validator> = LazyLock::new(|| alone("uuid"));
static DURATION: LazyLock<Validator> = LazyLock::new(|| alone("duration"));

/// What the newer drafts only describe and draft-07 would check.
const CONTENT_ENCODINGS: [&str; 5] = ["base16", "base32", "base32hex", "base64", "base64url"];

/// Turns the checks on (formats) and off (encoded content).
pub(super) fn check(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    let options = options
        .should_validate_formats(true)
        .with_format("uuid", |text: &str| UUID.is_valid(&Value::from(text)))
        .with_format("duration", |text: &str| DURATION.is_valid(&Value::from(text)))
        .without_content_media_type_support("application/json");
    CONTENT_ENCODINGS.into_iter().fold(options, ValidationOptions::without_content_encoding_support)
}

/// A check of one format by draft 2020-12.
fn alone(format: &str) -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&json!({ "format": format }))
        .expect("a schema of one format is valid")
}
