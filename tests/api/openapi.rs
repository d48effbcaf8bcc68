//! The published OpenAPI document.

use std::path::Path;

use local_dev::openapi::{COMPARED_PATH, accepted::Accepted, fingerprint};
use serde_json::Value;
use tests::TestApp;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
const DIFFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi-differences.yaml");

/// `UPDATE_OPENAPI=1 cargo test -p tests openapi` writes the file anew.
#[tokio::test]
async fn the_published_document_is_the_one_that_the_code_makes() {
    let made = format!("{}\n", serde_json::to_string_pretty(&TestApp::empty().await.openapi()).unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(FILE, &made).unwrap();
    }
    let published = std::fs::read_to_string(FILE).unwrap();
    assert!(published == made, "docs/openapi.json is not current: run UPDATE_OPENAPI=1 cargo test -p tests openapi");
}

#[tokio::test]
async fn the_document_is_complete_in_itself() {
    let document = TestApp::empty().await.openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    collect(&document, "$ref", &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.as_str().unwrap().trim_start_matches('#').to_owned();
        assert!(document.pointer(&pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = Vec::new();
    collect(&document["paths"], "operationId", &mut ids);
    let mut names: Vec<&str> = ids.iter().filter_map(Value::as_str).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "operation ids are unique");
    let nullable: Vec<&str> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, schema)| schema.to_string().contains("\"null\""))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(nullable, ["EmbeddingInputType"], "nothing else is nullable");
    assert!(!document["paths"].to_string().contains("\"null\""));
}

/// The contract itself is not part of the repository; `cargo dev openapi compare` needs it and judges by this list.
#[tokio::test]
async fn the_accepted_differences_are_well_formed_and_about_what_exists() {
    let accepted = Accepted::load(Path::new(DIFFERENCES)).unwrap();
    let lost = accepted.lost(&TestApp::empty().await.openapi());
    assert!(lost.is_empty(), "about what the document does not have (any more): {lost:?}");
}

/// A document that differs in any new way cannot land without a look at it.
#[test]
fn the_present_document_has_been_compared_with_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let compared = std::fs::read_to_string(root.join(COMPARED_PATH)).unwrap_or_default();
    let present = fingerprint(&root).unwrap();
    assert!(compared == present, "run `cargo dev openapi compare --contract FILE` with the contract's document");
}

fn collect(value: &Value, name: &str, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        Value::Object(members) => {
            found.extend(members.get(name).filter(|member| member.is_string()).cloned());
            members.values().for_each(|member| collect(member, name, found));
        }
        _ => {}
    }
}
