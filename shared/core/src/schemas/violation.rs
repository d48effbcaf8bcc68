//! What is wrong with data, in the shape that clients of the API know.

use std::collections::HashSet;

use jsonschema::{ValidationError, error::ValidationErrorKind as Kind};
use serde::Serialize;
use serde_json::{Value, json};

use super::{budget::STEPS, wording};

/// How many violations are told: nobody reads more, and an answer has to stay small.
pub const MOST_VIOLATIONS: usize = 100;

/// One rule of a schema that data breaks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Where in the data, as a JSON pointer; empty for the data as a whole.
    pub instance_path: String,
    /// Where in the schema the rule stands, as a JSON pointer after `#`.
    pub schema_path: String,
    /// The schema keyword that makes the rule.
    pub keyword: String,
    /// What the rule asks for, or what breaks it; its members depend on the keyword.
    pub params: Value,
    /// The rule in words.
    pub message: String,
}

/// All violations in one line: the path and message of each, without repetitions.
pub fn summary(violations: &[Violation]) -> String {
    let lines = violations.iter().map(|violation| match violation.instance_path.as_str() {
        "" => violation.message.clone(),
        path => format!("{path} {}", violation.message),
    });
    let mut seen = HashSet::new();
    let distinct: Vec<String> = lines.filter(|line| seen.insert(line.clone())).collect();
    distinct.join("; ")
}

/// The validator's errors as violations: one for each unwanted member, and for a union those of its branches first.
pub(super) fn first<'e>(errors: impl IntoIterator<Item = ValidationError<'e>>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for error in errors {
        add(&error, &mut violations);
        if violations.len() >= MOST_VIOLATIONS {
            violations.truncate(MOST_VIOLATIONS);
            break;
        }
    }
    violations
}

/// What is told of data that could not be checked to the end.
pub(super) fn endless() -> Violation {
    Violation {
        instance_path: String::new(),
        schema_path: "#".to_owned(),
        keyword: "steps".to_owned(),
        params: json!({ "limit": STEPS }),
        message: "cannot be checked: with this data, the schema asks for too much work".to_owned(),
    }
}

fn add(error: &ValidationError<'_>, violations: &mut Vec<Violation>) {
    if violations.len() >= MOST_VIOLATIONS {
        return;
    }
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        context.iter().flatten().for_each(|error| add(error, violations));
    }
    violations.extend(wording::describe(error).into_iter().map(|(params, message)| Violation {
        instance_path: error.instance_path().to_string(),
        schema_path: format!("#{}", error.schema_path()),
        keyword: keyword(error).to_owned(),
        params,
        message,
    }));
}

fn keyword<'e>(error: &'e ValidationError<'_>) -> &'e str {
    match error.kind() {
        // Several keywords can require a member; the path's end is the one that did.
        Kind::Required { .. } => error.schema_path().as_str().rsplit('/').next().unwrap_or("required"),
        Kind::FalseSchema => "false schema",
        kind => kind.keyword(),
    }
}
