//! Good requests, each broken in one way that the judge must see.

use serde_json::{Value, json};
use shared_core::ProviderName;

/// Broken requests of a vendor, each named after its mistake.
pub(crate) fn of(name: ProviderName, requests: &[Value]) -> Vec<Value> {
    let mut mistakes = Vec::new();
    let with = |words: &[&str]| {
        let is_it = |request: &&Value| {
            let case = request["case"].as_str().unwrap_or_default();
            request["method"] == "POST"
                && request["path"] != "/api/show"
                && words.iter().all(|word| case.contains(word))
        };
        requests.iter().find(is_it).unwrap_or_else(|| panic!("a case with {words:?}")).clone()
    };
    let mut broken = |what: &str, request: Value, breaks: &dyn Fn(&mut Value)| {
        let mut request = request;
        breaks(&mut request);
        request["case"] = format!("mistake: {name}: {what}").into();
        mistakes.push(request);
    };
    let plain = with(&["default", "no-schema", "no-file"]);
    broken("unknown member", plain.clone(), &|request| request["body"]["colour"] = "red".into());
    broken("wrong path", plain.clone(), &|request| request["path"] = "/v1/elsewhere".into());
    broken("missing body", plain.clone(), &|request| request["body"] = json!({"options": {}, "generationConfig": {}}));
    if name != ProviderName::Ollama {
        broken("no key", plain.clone(), &|request| request["headers"] = json!({"content-type": "application/json"}));
    }
    match name {
        ProviderName::Ollama => {
            broken("text for a number", plain, &|request| request["body"]["options"]["top_k"] = "forty".into());
            let files = with(&["files"]);
            broken("an image of a path", files, &|request| request["body"]["images"] = json!(["photo.png"]));
        }
        ProviderName::OpenAi => {
            broken("text for a number", plain, &|request| request["body"]["max_output_tokens"] = "7".into());
            let schema = with(&["gpt-4.1 ", "person"]);
            broken("open strict schema", schema.clone(), &|request| {
                request["body"]["text"]["format"]["schema"]["additionalProperties"] = true.into();
            });
            broken("optional strict member", schema, &|request| {
                request["body"]["text"]["format"]["schema"]["required"] = json!(["name"]);
            });
            let files = with(&["gpt-4.1 ", "files"]);
            broken("odd part", files, &|request| request["body"]["input"][0]["content"][1]["type"] = "image".into());
            let reasoning = with(&["gpt-5.2", "default"]);
            broken("sampling", reasoning, &|request| request["body"]["temperature"] = 0.5.into());
        }
        ProviderName::Anthropic => {
            broken("text for a number", plain, &|request| request["body"]["max_tokens"] = "7".into());
            let schema = with(&["claude-haiku-4-5", "person", "default"]);
            broken("limit in a schema", schema, &|request| {
                request["body"]["output_config"]["format"]["schema"]["properties"]["name"]["minLength"] = 1.into();
            });
            let files = with(&["files"]);
            broken("odd image", files, &|request| {
                request["body"]["messages"][0]["content"][1]["source"]["media_type"] = "image/svg+xml".into();
            });
            let newer = with(&["claude-opus-4-7", "default"]);
            broken("sampling", newer, &|request| request["body"]["temperature"] = 0.5.into());
            let both = with(&["claude-haiku-4-5", "top_p"]);
            broken("both", both, &|request| request["body"]["temperature"] = 0.5.into());
        }
        ProviderName::Gemini => {
            broken("text for a number", plain, &|request| {
                request["body"]["generationConfig"]["maxOutputTokens"] = "many".into();
            });
            let schema = with(&["gemini-2.5-pro", "person", "default"]);
            broken("unknown keyword", schema, &|request| {
                request["body"]["generationConfig"]["responseJsonSchema"]["allOf"] = json!([]);
            });
            let files = with(&["files"]);
            broken("no base64", files, &|request| {
                request["body"]["contents"][0]["parts"][1]["inline_data"]["data"] = "%%%".into();
            });
            let newer = with(&["gemini-3.6-flash", "default"]);
            broken("sampling", newer, &|request| request["body"]["generationConfig"]["topK"] = 40.into());
        }
        ProviderName::DeepSeek | ProviderName::DeepInfra => {
            broken("text for a number", plain.clone(), &|request| request["body"]["max_tokens"] = "7".into());
            broken("empty user message", plain.clone(), &|request| {
                request["body"]["messages"][1]["content"] = "".into();
            });
            broken("odd role", plain, &|request| request["body"]["messages"][0]["role"] = "narrator".into());
        }
    }
    mistakes
}
