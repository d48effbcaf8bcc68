//! The requests that are judged: models of every family, with every combination of what a caller may ask for.

use serde_json::{Value, json};
use shared_core::ProviderName::{self, Anthropic, DeepInfra, DeepSeek, Gemini, Ollama, OpenAi};
use shared_providers::{Attachment, GenerationOptions, GenerationRequest};

/// A vendor's models, one or more of each family that is treated differently.
pub(crate) fn models(name: ProviderName) -> &'static [&'static str] {
    match name {
        Ollama => &["llama3.2", "llava:7b"],
        OpenAi => &[
            "gpt-3.5-turbo",
            "gpt-4-turbo",
            "gpt-4.1",
            "gpt-4.1-nano",
            "o3-mini",
            "gpt-5.2",
            "gpt-6-sol",
            "ft:gpt-4o-mini-2024-07-18:acme::AbC123",
        ],
        Anthropic => &[
            "claude-3-5-haiku-latest",
            "claude-sonnet-4-20250514",
            "claude-haiku-4-5",
            "claude-opus-4-6",
            "claude-opus-4-7",
            "claude-sonnet-5",
        ],
        Gemini => {
            &["gemini-2.0-flash", "gemini-2.5-pro", "gemini-3-flash-preview", "gemini-3.6-flash", "gemini-flash-latest"]
        }
        DeepSeek => &["deepseek-chat", "deepseek-reasoner", "deepseek-flash", "deepseek-v4-pro"],
        DeepInfra => &["Qwen/Qwen3-235B-A22B-Instruct-2507", "openai/gpt-oss-120b"],
    }
}

/// Every request to a vendor, each with a name that says what is in it.
pub(crate) fn requests(name: ProviderName) -> Vec<(String, GenerationRequest)> {
    let mut requests = Vec::new();
    for model in models(name) {
        for (options_name, options) in options() {
            for (schema_name, schema) in schemas() {
                for (files_name, files) in files(name) {
                    for (input_name, user_input) in [("input", "I"), ("compiled", "")] {
                        let case = format!("{name} {model} {options_name} {schema_name} {files_name} {input_name}");
                        let request = GenerationRequest {
                            model: (*model).to_owned(),
                            prompt: "P".to_owned(),
                            user_input: user_input.to_owned(),
                            options: options.clone(),
                            schema: schema.clone(),
                            files: files.clone(),
                        };
                        requests.push((case, request));
                    }
                }
            }
        }
    }
    requests
}

fn options() -> Vec<(&'static str, GenerationOptions)> {
    let none = GenerationOptions::default();
    let top_p = GenerationOptions { top_p: Some(0.5), ..none.clone() };
    let all = GenerationOptions {
        temperature: Some(0.25),
        max_tokens: Some(321),
        top_p: Some(0.5),
        top_k: Some(7),
        web_search: true,
    };
    vec![("default", none), ("top_p", top_p), ("everything", all)]
}

fn schemas() -> Vec<(&'static str, Option<Value>)> {
    let person = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Person",
        "type": "object",
        "required": ["name", "kind"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^\\S"},
            "kind": {"enum": ["human", "robot", null]},
            "version": {"const": 2},
            "born": {"type": "string", "format": "date", "description": "Day of birth"},
            "size": {"type": "number", "minimum": 0, "exclusiveMaximum": 3, "multipleOf": 0.01, "default": 1.8},
            "nickname": {"type": ["string", "null"]},
            "address": {"$ref": "#/definitions/address"},
            "friends": {"type": "array", "items": {"$ref": "#/definitions/address"}, "minItems": 2, "uniqueItems": true},
            "contact": {"oneOf": [
                {"type": "object", "required": ["mail"], "properties": {"mail": {"type": "string", "format": "email"}}},
                {"type": "object", "required": ["phone"], "properties": {"phone": {"type": "string"}}}
            ]},
            "job": {"allOf": [
                {"type": "object", "properties": {"title": {"type": "string"}}}, {"required": ["title"]}
            ]}
        },
        "definitions": {"address": {
            "type": "object", "properties": {"street": {"type": "string"}, "zip": {"type": "integer"}},
            "additionalProperties": false
        }}
    });
    let tree = json!({
        "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}}
    });
    let pair = json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false});
    let map = json!({"type": "object", "additionalProperties": {"type": "number"}});
    let anything = json!({"type": "object", "properties": {"any": {}}});
    vec![
        ("no-schema", None),
        ("person", Some(person)),
        ("tree", Some(tree)),
        ("pair", Some(pair)),
        ("map", Some(map)),
        ("anything", Some(anything)),
    ]
}

fn files(name: ProviderName) -> Vec<(&'static str, Vec<Attachment>)> {
    let file = |file_name: &str, mime_type: &str, data: &[u8]| Attachment {
        file_name: file_name.to_owned(),
        mime_type: mime_type.to_owned(),
        data: data.to_vec(),
    };
    let image = file("photo.png", "image/png", &[137, 80, 78, 71]);
    let pdf = file("paper.pdf", "application/pdf", b"%PDF-1.7");
    let text = file("notes.csv", "text/csv; charset=utf-8", "a,grün".as_bytes());
    match name {
        DeepSeek | DeepInfra => vec![("no-file", Vec::new())],
        Ollama => vec![("no-file", Vec::new()), ("files", vec![image, text])],
        _ => vec![("no-file", Vec::new()), ("files", vec![image, pdf, text])],
    }
}
