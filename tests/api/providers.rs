//! `/api/v1/executions/providers`: which vendors there are and what they offer (contract 11.1).

use serde_json::{Value, json};
use shared_core::{ProviderName, Timestamp, api_keys::Scope, db::Statement, params, users::Role};
use shared_testing::vendor::{Reply, anthropic, chat_completions, gemini, ollama, openai};
use tests::TestApp;

const LIST: &str = "/api/v1/executions/providers/list";
const HEALTH: &str = "/api/v1/executions/providers/health";
const MODELS: &str = "/api/v1/executions/providers/models";

async fn get(app: &TestApp, token: &str, path: &str) -> Value {
    app.get(path, token).send().await.data(200)
}

/// The path of a provider's key.
async fn key_of(app: &TestApp, token: &str, provider: &str) -> String {
    let path = format!("/api/v1/settings/type/llm-api-key/identifier/{provider}");
    format!("/api/v1/settings/{}", get(app, token, &path).await["id"].as_str().expect("an id"))
}

async fn change_key(app: &TestApp, token: &str, provider: &str, data: Value) {
    let body = json!({"type": "llm-api-key", "data": data});
    app.put(&key_of(app, token, provider).await, token, &body).send().await.data(200);
}

/// Replies of Anthropic and OpenAI at the path that they share.
fn model_lists(openai: Reply, anthropic: Reply) -> Reply {
    Reply::computed(move |request| {
        let is_anthropic = request.header("x-api-key").is_some();
        if is_anthropic { anthropic.clone() } else { openai.clone() }
    })
}

/// Lets time pass for what is remembered of the vendors' models.
async fn age_model_lists(app: &TestApp, seconds: i64) {
    let sql = "UPDATE model_lists SET expires_at = ?1 WHERE expires_at <= ?2";
    let now = Timestamp::now();
    let write = Statement::new(sql, params![now.plus_seconds(-1), now.plus_seconds(seconds)]);
    app.db.write(vec![write]).await.expect("the database answers");
}

#[tokio::test]
async fn an_installation_without_keys_has_no_providers() {
    let (app, token) = TestApp::with_admin().await;
    assert_eq!(get(&app, &token, LIST).await, json!([]));
    assert_eq!(get(&app, &token, HEALTH).await, json!({}));
    assert_eq!(get(&app, &token, MODELS).await, json!({}));
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn the_list_names_active_providers_without_asking_them() {
    let (app, token) = TestApp::with_providers().await;
    let names = async || {
        let mut names: Vec<String> = serde_json::from_value(get(&app, &token, LIST).await).unwrap();
        names.sort();
        names
    };
    assert_eq!(names().await, ["anthropic", "ollama", "openai"]);
    change_key(&app, &token, "openai", json!({"active": false})).await;
    assert_eq!(names().await, ["anthropic", "ollama"]);
    change_key(&app, &token, "openai", json!({"active": true})).await;
    app.delete(&key_of(&app, &token, "ollama").await, &token).send().await.data(200);
    assert_eq!(names().await, ["anthropic", "openai"]);
    assert!(app.vendor.requests().is_empty(), "reachable or not");
}

#[tokio::test]
async fn health_tells_of_every_provider_what_it_offers_or_why_not() {
    let (app, token) = TestApp::with_providers().await;
    app.vendor.on("GET", "/api/tags", Reply::close());
    let refused = anthropic::error(401, "authentication_error", "invalid x-api-key");
    app.vendor.on("GET", "/v1/models", model_lists(openai::models_page(["gpt-4.1", "o3"]), refused));
    change_key(&app, &token, "anthropic", json!({"api_key": "sk-another-0123456789", "active": false})).await;
    let health = get(&app, &token, HEALTH).await;
    let error = health["ollama"]["error"].as_str().unwrap();
    let expected = json!({
        "ollama": {"available": false, "models": [], "error": error, "supportsFileUpload": true},
        "openai": {"available": true, "models": ["gpt-4.1", "o3"], "supportsFileUpload": true}
    });
    assert_eq!(health, expected, "inactive ones do not appear");
    assert!(error.contains("Ollama") && !error.contains("Error: "), "{error}");

    change_key(&app, &token, "anthropic", json!({"active": true})).await;
    let health = get(&app, &token, HEALTH).await["anthropic"].take();
    let error = health["error"].as_str().unwrap();
    assert!(error.contains("invalid x-api-key") && !error.contains("sk-another"), "{error}");
    assert_eq!(health, json!({"available": false, "models": [], "error": error, "supportsFileUpload": true}));
}

#[tokio::test]
async fn a_vendor_that_does_not_answer_is_unavailable() {
    let (app, token) = TestApp::with_providers().await;
    app.vendor.on("GET", "/api/tags", Reply::hang());
    let health = get(&app, &token, HEALTH).await;
    assert_eq!(health["ollama"]["available"], false);
    assert!(health["ollama"]["error"].as_str().unwrap().contains("did not answer within"), "{health}");
    assert_eq!(health["openai"]["available"], true, "the others do not suffer");
}

#[tokio::test]
async fn models_are_those_of_available_providers() {
    let (app, token) = TestApp::with_providers().await;
    let every = json!({"ollama": ["demo:latest"], "openai": ["gpt-4.1"], "anthropic": ["claude-sonnet-4-5"]});
    assert_eq!(get(&app, &token, MODELS).await, every);
    assert_eq!(get(&app, &token, &format!("{MODELS}?supportsFileUpload=false")).await, every);
    let list = chat_completions::deepinfra_models(["Qwen/Qwen3"], []);
    app.vendor.on("GET", "/v1/openai/models", list);
    app.add_provider(ProviderName::DeepInfra, &token).await;
    assert_eq!(get(&app, &token, MODELS).await["deepinfra"], json!(["Qwen/Qwen3"]));
    assert_eq!(get(&app, &token, &format!("{MODELS}?supportsFileUpload=true")).await, every);

    app.vendor.on("GET", "/v1/models", model_lists(openai::models_page([]), Reply::status(503)));
    age_model_lists(&app, 600).await;
    let left = json!({"ollama": ["demo:latest"], "openai": [], "deepinfra": ["Qwen/Qwen3"]});
    assert_eq!(get(&app, &token, MODELS).await, left);
    let with_files = json!({"ollama": ["demo:latest"], "openai": []});
    assert_eq!(get(&app, &token, &format!("{MODELS}?supportsFileUpload=true")).await, with_files);
}

#[tokio::test]
async fn only_models_that_answer_text_are_shown_and_every_page_is_read() {
    let (app, token) = TestApp::with_providers().await;
    let listed = ["gpt-4.1", "gpt-image-1", "o3", "whisper-1", "text-embedding-3-small", "o4-mini", "gpt-4.1"];
    let pages = Reply::computed(|request| match request.query_value("after_id") {
        None => anthropic::models_page(["claude-a", "claude-b"], true),
        Some("claude-b") => anthropic::models_page(["claude-c"], false),
        Some(_) => Reply::status(400),
    });
    app.vendor.on("GET", "/v1/models", model_lists(openai::models_page(listed), pages));
    let models = get(&app, &token, MODELS).await;
    assert_eq!(models["openai"], json!(["gpt-4.1", "o3", "o4-mini"]));
    assert_eq!(models["anthropic"], json!(["claude-a", "claude-b", "claude-c"]));
}

#[tokio::test]
async fn model_lists_are_remembered_for_minutes_and_failures_for_seconds() {
    let (app, token) = TestApp::with_providers().await;
    app.vendor.on("GET", "/v1/models", model_lists(Reply::status(500), anthropic::models_page(["claude-a"], false)));
    let asked = async |path: &str| {
        app.vendor.forget_requests();
        get(&app, &token, path).await;
        app.vendor.requests().len()
    };
    assert_eq!(asked(MODELS).await, 3);
    assert_eq!(asked(MODELS).await, 0);
    assert_eq!(asked(HEALTH).await, 0);
    age_model_lists(&app, 60).await;
    assert_eq!(asked(HEALTH).await, 1, "the failed one is asked again");
    age_model_lists(&app, 600).await;
    assert_eq!(asked(MODELS).await, 3);
}

/// An installation with Gemini, DeepSeek and DeepInfra, whose keys the vendors accept.
async fn with_the_others() -> (TestApp, String) {
    let (app, token) = TestApp::with_admin().await;
    app.vendor.on("GET", "/v1beta/models", gemini::models_page(["gemini-2.5-flash"], None));
    app.vendor.on("GET", "/v1/models", chat_completions::deepseek_models(["deepseek-chat"]));
    app.vendor.on("GET", "/v1/openai/models", chat_completions::deepinfra_models(["Qwen/Qwen3"], ["BAAI/bge-m3"]));
    for provider in [ProviderName::Gemini, ProviderName::DeepSeek, ProviderName::DeepInfra] {
        app.add_provider(provider, &token).await;
    }
    (app, token)
}

#[tokio::test]
async fn gemini_deepseek_and_deepinfra_are_providers_like_any() {
    let (app, token) = with_the_others().await;
    let expected = json!({
        "gemini": {"available": true, "models": ["gemini-2.5-flash"], "supportsFileUpload": true},
        "deepseek": {"available": true, "models": ["deepseek-chat"], "supportsFileUpload": false},
        "deepinfra": {"available": true, "models": ["Qwen/Qwen3"], "supportsFileUpload": false}
    });
    assert_eq!(get(&app, &token, HEALTH).await, expected);
}

#[tokio::test]
async fn a_key_that_a_vendor_refuses_is_not_saved() {
    let (app, token) = TestApp::with_admin().await;
    app.vendor.on("GET", "/v1beta/models", gemini::error(400, "INVALID_ARGUMENT", "API key not valid."));
    app.vendor.on("GET", "/v1/models", chat_completions::error(401, "", "Authentication Fails"));
    app.vendor.on("GET", "/v1/openai/models", chat_completions::deepinfra_models([], []));
    app.vendor.on("GET", "/v1/me", Reply::status(401));
    for provider in ["gemini", "deepseek", "deepinfra"] {
        let data = json!({"provider": provider, "api_key": "sk-test-0123456789abcdef", "active": true});
        let body = json!({"type": "llm-api-key", "data": data});
        let answer = app.post("/api/v1/settings", &token, &body).send().await;
        assert_eq!(answer.status.as_u16(), 400, "{provider}: {}", answer.text);
    }
    assert_eq!(get(&app, &token, LIST).await, json!([]));
}

#[tokio::test]
async fn a_run_at_each_of_them_records_what_the_call_used() {
    let (app, token) = with_the_others().await;
    let mut gemini_answer = gemini::generated_body(&[gemini::text_part("hello")], "MAX_TOKENS");
    gemini_answer["usageMetadata"] = json!({
        "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 20, "thoughtsTokenCount": 30,
        "totalTokenCount": 150, "trafficType": null
    });
    app.vendor.on("POST", "/v1beta/models/gemini-2.5-flash:generateContent", Reply::json(&gemini_answer));
    app.vendor.on("POST", "/v1/chat/completions", chat_completions::completion("hello"));
    app.vendor.on("POST", "/v1/openai/chat/completions", chat_completions::completion("hello"));
    let run = async |provider: ProviderName, model: &str| {
        let target = format!("{provider}:{model}");
        let body = json!({"promptText": "Say hello", "userInput": "please", "providerModel": [target], "options": {
            "topK": 3, "schema": {"type": "array", "items": {}}
        }});
        let created: Value = app.post("/api/v1/executions", &token, &body).send().await.data(201);
        app.run_waiting(provider).await;
        let id = created["executionIds"][0].as_str().expect("an id").to_owned();
        get(&app, &token, &format!("/api/v1/executions/{id}")).await
    };
    let execution = run(ProviderName::Gemini, "gemini-2.5-flash").await;
    let mut call = execution["provider_call"].clone();
    assert!(call["duration_ms"].take().is_u64(), "{execution}");
    let expected = json!({
        "tokens": {"input": 40, "output": 20, "cached_read": 60, "cache_write": 0, "reasoning": 30},
        "usage": gemini_answer["usageMetadata"],
        "request_id": "gemini_response_1",
        "duration_ms": null,
        "truncated": true,
        "notes": ["The schema was sent as words since it lets a value be of any type."]
    });
    assert_eq!(call, expected);
    assert_eq!((&execution["input_tokens_used"], &execution["output_tokens_used"]), (&json!(100), &json!(50)));
    assert_eq!((&execution["attempts"], &execution["stop_reason"]), (&json!(1), &json!("MAX_TOKENS")));
    let columns = "SELECT tokens_input * 10000 + tokens_output * 100 + tokens_cached_read - tokens_cache_write AS a,
        tokens_reasoning AS b FROM executions";
    let row = app.db.read(columns, params![]).await.unwrap().rows.remove(0);
    assert_eq!((row.get::<u64>("a").unwrap(), row.get::<u64>("b").unwrap()), (402_060, 30));

    for (provider, model) in [(ProviderName::DeepSeek, "deepseek-chat"), (ProviderName::DeepInfra, "Qwen/Qwen3")] {
        let execution = run(provider, model).await;
        assert_eq!((&execution["status"], &execution["result"]), (&json!("completed"), &json!("hello")), "{execution}");
        assert_eq!(execution["ignored_options"], json!(["topK"]));
        assert_eq!(execution["provider_call"]["request_id"], "completion_1");
    }
}

#[tokio::test]
async fn a_change_of_the_key_makes_the_remembered_list_void() {
    let (app, token) = TestApp::with_providers().await;
    get(&app, &token, MODELS).await;
    app.vendor.on("GET", "/api/tags", ollama::tags(["new:latest"]));
    assert_eq!(get(&app, &token, MODELS).await["ollama"], json!(["demo:latest"]));
    change_key(&app, &token, "ollama", json!({"api_key": "another"})).await;
    assert_eq!(get(&app, &token, MODELS).await["ollama"], json!(["new:latest"]));

    app.vendor.on("GET", "/api/tags", ollama::tags(["newer:latest"]));
    app.delete(&key_of(&app, &token, "ollama").await, &token).send().await.data(200);
    assert_eq!(get(&app, &token, MODELS).await.get("ollama"), None);
    app.add_provider(ProviderName::Ollama, &token).await;
    assert_eq!(get(&app, &token, MODELS).await["ollama"], json!(["newer:latest"]));
}

#[tokio::test]
async fn the_filter_must_be_a_boolean() {
    let (app, token) = TestApp::with_admin().await;
    for (query, field) in [
        ("supportsFileUpload=1", "supportsFileUpload"),
        ("supportsFileUpload=", "supportsFileUpload"),
        ("supportsFileUpload=TRUE", "supportsFileUpload"),
        ("supportsFileUpload=true&supportsFileUpload=true", "supportsFileUpload"),
        ("supports_file_upload=true", "request"),
    ] {
        let answer = app.get(&format!("{MODELS}?{query}"), &token).send().await;
        assert_eq!(answer.issues("query"), [field], "{query}");
    }
    for path in [LIST, HEALTH] {
        get(&app, &token, &format!("{path}?supportsFileUpload=1")).await;
    }
}

#[tokio::test]
async fn everybody_signed_in_sees_the_providers_and_api_keys_do_not() {
    let (app, _) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let key = app.add_api_key("admin@example.com", &[Scope::ExecutionsRead, Scope::ExecutionsRun]).await;
    for path in [LIST, HEALTH, MODELS] {
        get(&app, &viewer, path).await;
        assert_eq!(app.call("GET", path).send().await.bare(401), "Unauthorized", "{path}");
        assert_eq!(app.call("GET", path).api_key(&key).send().await.bare(403), "Forbidden", "{path}");
    }
}
