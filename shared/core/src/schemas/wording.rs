//! The parameters and the words for each kind of violation.

use std::fmt::Display;

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::{Value, json};

/// What to say about an error: usually one thing, for unwanted members one thing each.
pub(super) fn describe(error: &ValidationError<'_>) -> Vec<(Value, String)> {
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|name| (json!({ "additionalProperty": name }), format!("must not have property '{name}'")))
            .collect(),
        Kind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|name| (json!({ "unevaluatedProperty": name }), format!("must not have property '{name}'")))
            .collect(),
        Kind::PropertyNames { error: of_name } => {
            let name = of_name.instance().as_str().unwrap_or_default();
            let rules = describe(of_name).into_iter().map(|(_, rule)| rule);
            rules.map(|rule| (json!({ "propertyName": name }), format!("property name '{name}' {rule}"))).collect()
        }
        kind => vec![(params(kind), message(kind))],
    }
}

fn params(kind: &Kind) -> Value {
    match kind {
        Kind::Type { kind: TypeKind::Single(name) } => json!({ "type": name.to_string() }),
        Kind::Type { kind: TypeKind::Multiple(names) } => json!({ "type": names_of(names.iter()) }),
        Kind::Required { property } => json!({ "missingProperty": property }),
        Kind::Enum { options } => json!({ "allowedValues": **options }),
        Kind::Constant { expected_value } => json!({ "allowedValue": **expected_value }),
        Kind::Minimum { limit } => json!({ "comparison": ">=", "limit": limit }),
        Kind::Maximum { limit } => json!({ "comparison": "<=", "limit": limit }),
        Kind::ExclusiveMinimum { limit } => json!({ "comparison": ">", "limit": limit }),
        Kind::ExclusiveMaximum { limit } => json!({ "comparison": "<", "limit": limit }),
        Kind::MinLength { limit }
        | Kind::MaxLength { limit }
        | Kind::MinItems { limit }
        | Kind::MaxItems { limit }
        | Kind::MinProperties { limit }
        | Kind::MaxProperties { limit } => json!({ "limit": limit }),
        Kind::AdditionalItems { limit } => json!({ "limit": limit }),
        Kind::MultipleOf { multiple_of } => json!({ "multipleOf": multiple_of }),
        Kind::Pattern { pattern } => json!({ "pattern": pattern }),
        Kind::Format { format } => json!({ "format": format }),
        Kind::OneOfNotValid { .. } => json!({ "passingSchemas": null }),
        Kind::OneOfMultipleValid { context } => {
            let passing = context.iter().enumerate().filter(|(_, errors)| errors.is_empty()).map(|(index, _)| index);
            json!({ "passingSchemas": passing.collect::<Vec<_>>() })
        }
        _ => json!({}),
    }
}

fn message(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(name) } => format!("must be {name}"),
        Kind::Type { kind: TypeKind::Multiple(names) } => format!("must be {}", names_of(names.iter()).join(" or ")),
        Kind::Required { property } => format!("must have required property '{}'", property.as_str().unwrap_or("?")),
        Kind::Enum { .. } => "must be one of the allowed values".to_owned(),
        Kind::Constant { .. } => "must be the one allowed value".to_owned(),
        Kind::Minimum { limit } => format!("must be >= {limit}"),
        Kind::Maximum { limit } => format!("must be <= {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be > {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be < {limit}"),
        Kind::MinLength { limit } => format!("must be at least {} long", count(limit, "character", "characters")),
        Kind::MaxLength { limit } => format!("must be at most {} long", count(limit, "character", "characters")),
        Kind::MinItems { limit } => format!("must have at least {}", count(limit, "item", "items")),
        Kind::MaxItems { limit } => format!("must have at most {}", count(limit, "item", "items")),
        Kind::AdditionalItems { limit } => format!("must have at most {}", count(limit, "item", "items")),
        Kind::MinProperties { limit } => format!("must have at least {}", count(limit, "property", "properties")),
        Kind::MaxProperties { limit } => format!("must have at most {}", count(limit, "property", "properties")),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::Pattern { pattern } => format!("must match pattern \"{pattern}\""),
        Kind::Format { format } => format!("must match format \"{format}\""),
        Kind::UniqueItems => "must not have two equal items".to_owned(),
        Kind::Contains => "must have the right number of matching items".to_owned(),
        Kind::UnevaluatedItems { .. } => "must not have further items".to_owned(),
        Kind::AnyOf { .. } => "must match at least one schema in anyOf".to_owned(),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => {
            "must match exactly one schema in oneOf".to_owned()
        }
        Kind::Not { .. } => "must not match the schema in not".to_owned(),
        Kind::FalseSchema => "must not be present".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "cannot be matched: the pattern takes too long".to_owned()
        }
        other => format!("must be valid for {}", other.keyword()),
    }
}

fn names_of(types: impl Iterator<Item = JsonType>) -> Vec<String> {
    types.map(|name| name.to_string()).collect()
}

fn count(limit: impl Display, one: &str, many: &str) -> String {
    let limit = limit.to_string();
    let noun = if limit == "1" { one } else { many };
    format!("{limit} {noun}")
}
