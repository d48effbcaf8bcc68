//! `docs/providers.md` says what the code does: its first table is made by asking the clients, its second names the tests
//! that hold each cell.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};
use shared_core::{
    ProviderName::{self, Anthropic, DeepInfra, DeepSeek, Gemini, Ollama, OpenAi},
    executions::TokenUsage,
};
use shared_providers::{FailureKind, GenerationOptions, GenerationRequest};
use shared_testing::vendor::{FakeVendor, Reply, anthropic, chat_completions, gemini, ollama, openai};

use crate::support::{VENDORS, client, file, generate_path, models_path, question};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const CAPABILITIES: [&str; 7] = ["Models", "Options", "Schema", "Files", "Web search", "Usage", "Errors"];

/// Where the tests are whose names the document may give.
const TESTS: [&str; 4] = ["shared/providers/src", "shared/providers/tests", "tests/api", "tests/judge"];

fn title(name: ProviderName) -> &'static str {
    match name {
        Ollama => "Ollama",
        OpenAi => "OpenAI",
        Anthropic => "Anthropic",
        Gemini => "Gemini",
        DeepSeek => "DeepSeek",
        DeepInfra => "DeepInfra",
    }
}

/// A good answer whose usage block has everything that the vendor tells.
fn answer(name: ProviderName) -> Value {
    match name {
        Ollama => ollama::generated_body("A", "stop"),
        OpenAi => {
            let mut body = openai::response_body("completed", &[openai::message("A")]);
            body["usage"]["input_tokens_details"] = json!({"cached_tokens": 3, "cache_write_tokens": 2});
            body["usage"]["output_tokens_details"] = json!({"reasoning_tokens": 2});
            body
        }
        Anthropic => {
            let mut body = anthropic::message_body(&[anthropic::text_block("A")], "end_turn");
            body["usage"] = json!({
                "input_tokens": 12, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 2}
            });
            body
        }
        Gemini => {
            let mut body = gemini::generated_body(&[gemini::text_part("A")], "STOP");
            body["usageMetadata"]["cachedContentTokenCount"] = 3.into();
            body["usageMetadata"]["thoughtsTokenCount"] = 2.into();
            body
        }
        DeepSeek => {
            let mut body = chat_completions::completion_body("A", "stop");
            body["usage"]["prompt_cache_hit_tokens"] = 3.into();
            body["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 2});
            body
        }
        DeepInfra => {
            let mut body = chat_completions::completion_body("A", "stop");
            body["usage"]["prompt_tokens_details"] = json!({"cached_tokens": 3, "cache_write_tokens": 2});
            body["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 2});
            body
        }
    }
}

/// Error answers as the vendor gives them, one for each kind that it tells apart.
fn errors(name: ProviderName) -> Vec<Reply> {
    match name {
        Ollama => vec![ollama::error(503, "busy"), ollama::error(400, "bad"), ollama::error(404, "model not found")],
        OpenAi => vec![
            openai::error(503, "", "slow"),
            openai::error(429, "insufficient_quota", "empty"),
            openai::error(401, "invalid_api_key", "bad key"),
            openai::error(400, "", "bad"),
            openai::error(400, "content_policy_violation", "no"),
            openai::error(404, "model_not_found", "no model"),
        ],
        Anthropic => vec![
            anthropic::error(529, "overloaded_error", "slow"),
            anthropic::error(402, "billing_error", "empty"),
            anthropic::error(401, "authentication_error", "bad key"),
            anthropic::error(400, "invalid_request_error", "bad"),
            Reply::json(&anthropic::message_body(&[], "refusal")),
            anthropic::error(404, "not_found_error", "model: claude-0"),
        ],
        Gemini => vec![
            gemini::error(503, "UNAVAILABLE", "slow"),
            gemini::error(400, "FAILED_PRECONDITION", "Please enable billing."),
            gemini::error(400, "INVALID_ARGUMENT", "API key not valid."),
            gemini::error(400, "INVALID_ARGUMENT", "bad"),
            Reply::json(&gemini::blocked_body("SAFETY")),
            gemini::error(404, "NOT_FOUND", "models/x is not found"),
        ],
        DeepSeek => vec![
            chat_completions::error(503, "", "slow"),
            chat_completions::error(402, "", "Insufficient Balance"),
            chat_completions::error(401, "", "bad key"),
            chat_completions::error(422, "", "bad"),
            chat_completions::error(400, "", "Content Exists Risk"),
            chat_completions::error(400, "", "Model Not Exist"),
        ],
        DeepInfra => vec![
            chat_completions::error(429, "", "Model busy"),
            chat_completions::error(402, "", "empty"),
            chat_completions::error(401, "", "bad key"),
            chat_completions::error(422, "", "bad"),
            Reply::json(&chat_completions::completion_body("", "content_filter")),
            chat_completions::error(404, "model_not_found", "no model"),
        ],
    }
}

const fn kind_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Transient => "transient",
        FailureKind::Quota => "quota",
        FailureKind::Auth => "auth",
        FailureKind::Invalid => "invalid",
        FailureKind::ContentFilter => "content filter",
        FailureKind::UnknownModel => "unknown model",
        FailureKind::Other => "other",
    }
}

/// The cells of a vendor, found out by asking its client.
async fn cells(name: ProviderName, model: &str) -> Vec<String> {
    let vendor = FakeVendor::start().await;
    let path = generate_path(name);
    vendor.on("POST", path, Reply::json(&answer(name))).on("POST", "/api/show", ollama::shown(&["vision"]));
    let client = client(&vendor, name);
    let plain = question(model, "P", "I");

    let none = GenerationOptions::default();
    let mut taken = Vec::new();
    for (option, options) in [
        ("temperature", GenerationOptions { temperature: Some(0.5), ..none.clone() }),
        ("topP", GenerationOptions { top_p: Some(0.5), ..none.clone() }),
        ("topK", GenerationOptions { top_k: Some(5), ..none.clone() }),
        ("maxTokens", GenerationOptions { max_tokens: Some(5), ..none.clone() }),
        ("webSearch", GenerationOptions { web_search: true, ..none }),
    ] {
        let request = GenerationRequest { options, ..plain.clone() };
        if client.generate(&request).await.expect("an answer").ignored_options.is_empty() {
            taken.push(option);
        }
    }
    let searches = taken.last() == Some(&"webSearch");
    taken.retain(|option| *option != "webSearch");

    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    vendor.forget_requests();
    client.generate(&GenerationRequest { schema: Some(schema), ..plain.clone() }).await.expect("an answer");
    let sent = vendor.requests()[0].json();
    let is_in_words = sent.to_string().contains("JSON Schema");
    let has_json_mode = sent["response_format"]["type"] == "json_object";
    let schema = match (is_in_words, has_json_mode) {
        (false, _) => "native",
        (true, false) => "words",
        (true, true) => "words and JSON mode",
    };

    let mut files = Vec::new();
    for (kind, mime) in [("images", "image/png"), ("PDF", "application/pdf"), ("text", "text/plain")] {
        let request = GenerationRequest { files: vec![file("f", mime, b"x")], ..plain.clone() };
        if client.generate(&request).await.is_ok() {
            files.push(kind);
        }
    }
    assert_eq!(client.supports_files(), !files.is_empty());

    let TokenUsage { input, output, cached_read, cache_write, reasoning } =
        client.generate(&plain).await.expect("an answer").tokens;
    let counted: Vec<&str> = [
        ("input", input),
        ("output", output),
        ("cached_read", cached_read),
        ("cache_write", cache_write),
        ("reasoning", reasoning),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(bucket, _)| bucket)
    .collect();

    let mut kinds = Vec::new();
    for reply in errors(name) {
        vendor.on("POST", path, reply);
        kinds.push(kind_name(client.generate(&plain).await.expect_err("an error").kind()));
    }
    assert_eq!(kinds.iter().collect::<BTreeSet<_>>().len(), kinds.len(), "{name}: {kinds:?}");

    let or_none = |list: Vec<&str>| if list.is_empty() { "no".to_owned() } else { list.join(", ") };
    vec![
        format!("`GET {}`", models_path(name)),
        taken.join(", "),
        schema.to_owned(),
        or_none(files),
        if searches { "yes" } else { "no" }.to_owned(),
        counted.join(", "),
        kinds.join(", "),
    ]
}

/// The rows of the table after a heading: vendor, then the cells of its capabilities.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, after) = document.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = after.split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn document() -> String {
    fs::read_to_string(Path::new(ROOT).join("docs/providers.md")).expect("docs/providers.md")
}

fn header() -> Vec<String> {
    ["Vendor"].iter().chain(&CAPABILITIES).map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn the_table_says_what_the_clients_do() {
    let mut expected = vec![header()];
    for (name, model) in VENDORS {
        let mut row = vec![title(name).to_owned()];
        row.extend(cells(name, model).await);
        expected.push(row);
    }
    let lines: Vec<String> = expected.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    assert_eq!(table(&document(), "What each vendor takes"), expected, "it should be:\n{}", lines.join("\n"));
}

/// The names of all test functions in the sources below a folder.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            let mut is_test = false;
            for line in source.lines().map(str::trim) {
                if let Some(function) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))
                    && is_test
                {
                    names.insert(function.split(['(', '<']).next().unwrap_or_default().to_owned());
                }
                is_test = line == "#[test]" || line == "#[tokio::test]" || (is_test && line.starts_with("#["));
            }
        }
    }
}

#[test]
fn every_cell_names_tests_that_exist() {
    let mut known = BTreeSet::new();
    for folder in TESTS {
        tests_below(&Path::new(ROOT).join(folder), &mut known);
    }
    let rows = table(&document(), "What holds each cell");
    assert_eq!(rows[0], header());
    let vendors: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(vendors, VENDORS.map(|(name, _)| title(name)));
    for row in &rows[1..] {
        assert_eq!(row.len(), CAPABILITIES.len() + 1, "{row:?}");
        for (cell, capability) in row[1..].iter().zip(CAPABILITIES) {
            let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty(), "{} of {} is held by nothing", capability, row[0]);
            for test in tests {
                assert!(known.contains(test), "{} of {}: there is no test {test}", capability, row[0]);
            }
        }
    }
}
