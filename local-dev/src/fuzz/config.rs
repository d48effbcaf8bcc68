//! The configuration that a run gets.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{FuzzArgs, seeds::Seeds};
use crate::api::{EMAIL, PASSWORD};

/// What is checked of every answer: that it is declared, that what violates the document was refused, that credentials
/// were needed where the document says so, and that no other method works.
const CHECKS: [&str; 9] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "unsupported_method",
    "allow_header_conformance",
];

/// Members of bodies and queries that name something, by what they name.
const MEMBERS: [(&str, &str); 11] = [
    ("query.promptId", "prompts"),
    ("query.prompt_id", "prompts"),
    ("query.execution_id", "executions"),
    ("query.test_group_id", "groups"),
    ("body.promptId", "prompts"),
    ("body.prompt_id", "prompts"),
    ("body.execution_id", "executions"),
    ("body.testDataGroupId", "groups"),
    ("body.testDataItemId", "items"),
    ("body.fileId", "files"),
    ("body.providerModel[*]", "targets"),
];

/// How often a made-up value gives way to one that exists.
const PROBABILITY: f64 = 0.5;

/// TOML. Its texts, lists and inline tables of texts are written as JSON, which TOML reads too.
pub(super) fn config(document: &Value, seeds: &Seeds, args: FuzzArgs) -> String {
    let mut text = format!(
        "seed = {seed}\nworkers = 2\ncontinue-on-failure = true\nrequest-timeout = 60\nwarnings = false\n\
         suppress-health-check = [\"all\"]\n\
         generation = {{ max-examples = {examples}, database = \"none\", with-security-parameters = false }}\n\n\
         [auth.dynamic.openapi.bearerAuth]\npath = \"/api/v1/auth/login\"\nextract_selector = \"/data/token\"\n\
         payload = {{ email = {email}, password = {password} }}\n\n[checks]\nenabled = false\n",
        seed = args.seed,
        examples = args.examples,
        email = json!(EMAIL),
        password = json!(PASSWORD),
    );
    for check in CHECKS {
        line(&mut text, format_args!("{check}.enabled = true"));
    }
    for (name, values) in seeds {
        line(&mut text, format_args!("\n[dictionaries.{name}]\nvalues = {}", json!(values)));
    }
    line(&mut text, format_args!("\n[parameters]"));
    for (member, name) in MEMBERS {
        line(&mut text, format_args!("{} = {}", json!(member), binding(name)));
    }
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for operation in operations.as_object().into_iter().flat_map(|map| map.values()) {
            operation_config(&mut text, path, operation);
        }
    }
    text
}

/// Leads an operation on one thing to those that exist.
fn operation_config(text: &mut String, path: &str, operation: &Value) {
    let Some((name, parameter)) = named_by(path) else { return };
    let id = &operation["operationId"];
    line(text, format_args!("\n[[operations]]\ninclude-operation-id = {id}"));
    line(text, format_args!("parameters = {{ \"path.{parameter}\" = {} }}", binding(name)));
}

/// What the parameter of a path names, and the parameter.
fn named_by(path: &str) -> Option<(&'static str, &'static str)> {
    let path = path.strip_prefix("/api/v1/")?;
    let found = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["test-data", "groups", "{id}"] => ("groups", "id"),
        ["test-data", "groups", "{groupId}", ..] => ("groups", "groupId"),
        ["test-data", "items", "{id}"] => ("items", "id"),
        ["deployments", _, "{name}"] => ("deployment_names", "name"),
        ["deployment-embeddings", _, "{name}"] => ("embedding_names", "name"),
        ["deployment-embeddings", "{id}"] => ("embeddings", "id"),
        ["executions", "update-fields", "{id}"] => ("executions", "id"),
        ["api-keys", "{id}"] => ("api_keys", "id"),
        [family, "{id}", ..] => {
            let known = ["prompts", "executions", "users", "comments", "files", "deployments", "jobs", "settings"];
            (known.into_iter().find(|name| name == family)?, "id")
        }
        _ => return None,
    };
    Some(found)
}

fn binding(name: &str) -> String {
    format!("{{ dictionary = \"{name}\", probability = {PROBABILITY} }}")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_on_one_thing_are_led_to_those_that_exist() {
        let document = json!({"paths": {
            "/api/v1/prompts/{id}/generate-adjustment": {"post": {"operationId": "generateAdjustment"}},
            "/api/v1/prompts/search/{pattern}": {"get": {"operationId": "searchPrompts"}},
        }});
        let seeds = Seeds::from([("prompts", vec!["p".to_owned()])]);
        let text = config(&document, &seeds, FuzzArgs { seed: 7, examples: 3, release: false });
        for expected in ["seed = 7\n", "max-examples = 3,", "[dictionaries.prompts]\nvalues = [\"p\"]"] {
            assert!(text.contains(expected), "{text}");
        }
        let expected = "include-operation-id = \"generateAdjustment\"\n\
            parameters = { \"path.id\" = { dictionary = \"prompts\", probability = 0.5 } }";
        assert!(text.contains(expected) && !text.contains("searchPrompts"), "{text}");
    }
}
