//! `/api/v1/executions`: creation, lists, exports, cancellation, and runs from end to end (contract 9 and 11).

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{
    ProviderName, Timestamp, api_keys::Scope, db::Statement, executions::pipeline, ids, params, users::Role,
};
use shared_testing::vendor::{anthropic, chat_completions, ollama, openai};
use tests::{Answer, TestApp, redacted};

const EXECUTIONS: &str = "/api/v1/executions";
const STATS: &str = "/api/v1/executions/stats/all";
const PROMPTS: &str = "/api/v1/prompts";
const NOBODY: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
const OLLAMA: &str = "ollama:demo:latest";
const OPENAI: &str = "openai:gpt-4.1";
const ANTHROPIC: &str = "anthropic:claude-sonnet-4-5";

async fn send(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.post(EXECUTIONS, token, body).send().await
}

/// Creates executions and gives their ids.
async fn create(app: &TestApp, token: &str, body: &Value) -> Vec<String> {
    let data = send(app, token, body).await.data(201);
    assert_eq!(data.as_object().expect("an object").len(), 1, "{data}");
    data["executionIds"].as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

async fn create_one(app: &TestApp, token: &str, body: &Value) -> String {
    let mut ids = create(app, token, body).await;
    assert_eq!(ids.len(), 1);
    ids.remove(0)
}

async fn create_prompt(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(PROMPTS, token, body).send().await.data(201)
}

async fn update_prompt(app: &TestApp, token: &str, prompt: &Value, body: &Value) -> Value {
    let path = format!("{PROMPTS}/{}", prompt["id"].as_str().expect("an id"));
    app.put(&path, token, body).send().await.data(200)
}

/// A prompt whose input has a name.
fn greeting() -> Value {
    json!({
        "name": "greeting", "prompt": "Hello {{name}}",
        "json_schema_input": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    })
}

/// A run of a text by the local model.
fn text(prompt: &str) -> Value {
    json!({"promptText": prompt, "providerModel": [OLLAMA]})
}

/// A run of a prompt by the local model.
fn run(prompt: &Value, input: &str) -> Value {
    json!({"promptId": prompt["id"], "userInput": input, "providerModel": [OLLAMA]})
}

/// The same body with one member more.
fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

async fn read(app: &TestApp, token: &str, id: &str) -> Value {
    app.get(&format!("{EXECUTIONS}/{id}"), token).send().await.data(200)
}

async fn list(app: &TestApp, token: &str, query: &str) -> Value {
    let answer = app.get(&format!("{EXECUTIONS}?{query}"), token).send().await;
    assert!(!answer.headers.contains_key("content-disposition"), "JSON is never a download");
    answer.data(200)
}

fn ids_of(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("an id")).collect()
}

/// Creates the execution, runs it and reads it.
async fn run_to_the_end(app: &TestApp, token: &str, body: &Value) -> Value {
    let id = create_one(app, token, body).await;
    let created = read(app, token, &id).await;
    let provider = created["provider"].as_str().expect("a provider").parse().expect("a known provider");
    app.run_waiting(provider).await;
    read(app, token, &id).await
}

/// The body of the one request that a vendor got at this path since the last look.
fn asked(app: &TestApp, path: &str) -> Value {
    let requests = app.vendor.requests_to("POST", path);
    assert_eq!(requests.len(), 1, "{path}");
    app.vendor.forget_requests();
    requests[0].json()
}

/// Stores a file as an upload would.
async fn add_file(app: &TestApp, name: &str, mime_type: &str, base64: &str) -> String {
    let id = ids::new_id();
    let data = json!({"name": name, "originalName": name, "mimeType": mime_type, "size": 1}).to_string();
    let file = "INSERT INTO files (id, data, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)";
    let content = "INSERT INTO file_contents (file_id, base64) VALUES (?1, ?2)";
    let writes =
        vec![Statement::new(file, params![&id, data, Timestamp::now()]), Statement::new(content, params![&id, base64])];
    app.db.write(writes).await.expect("the file is new");
    id
}

/// Lets a worker take the execution, as if it were asking the vendor right now.
async fn start(app: &TestApp, id: &str) {
    pipeline::dispatch(&app.db, ProviderName::Ollama, Timestamp::now()).await.expect("the database answers");
    let lease = Duration::from_secs(30);
    let claim = pipeline::claim(&app.db, id, lease, 3, Timestamp::now()).await.expect("the database answers");
    assert!(claim.is_some(), "the execution waits");
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

// Creation.

#[tokio::test]
async fn a_run_of_a_text_is_recorded_as_pending_and_leaves_out_what_was_not_given() {
    let (app, token) = TestApp::with_providers().await;
    let answer = send(&app, &token, &text("Say hello")).await;
    assert!(!answer.headers.contains_key("content-disposition"));
    let data = answer.data(201);
    assert_eq!(redacted(&data), json!({"executionIds": ["<id>"]}));
    let mut expected = json!({
        "id": "<id>", "prompt_text": "Say hello", "user_input": "", "provider": "ollama", "model": "demo:latest",
        "status": "pending", "created_at": "<time>", "updated_at": "<time>", "origin": "app"
    });
    assert_eq!(redacted(&list(&app, &token, "").await["data"]), json!([expected]), "lists show what is stored");
    expected["result_valid"] = json!(false);
    let alone = read(&app, &token, data["executionIds"][0].as_str().unwrap()).await;
    assert_eq!(redacted(&alone), expected, "the single read always has result_valid");
    assert_eq!(alone["created_at"], alone["updated_at"]);
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn what_the_caller_sends_comes_back_as_it_was() {
    let (app, token) = TestApp::with_providers().await;
    let options = json!({
        "temperature": 0, "maxTokens": 1, "topP": 1, "topK": 1.5, "webSearch": false,
        "schema": {"type": "object", "properties": {"a": {"type": "object"}}},
        "last_name": "March 7", "made_at": "2001", "nothing": null, "nested": {"null": null, "list": [null, {}, []]},
        "big": 9_007_199_254_740_993_i64, "text": ""
    });
    let body = json!({
        "promptText": "  {{x}} \n", "userInput": " \u{1F600}\t", "traceId": "trace 1", "providerModel": [OLLAMA],
        "options": options
    });
    let id = create_one(&app, &token, &body).await;
    let before = read(&app, &token, &id).await;
    let star = format!("{EXECUTIONS}/update-fields/{id}");
    app.post(&star, &token, &json!({"starred": true})).send().await.data(201);
    app.run_waiting(ProviderName::Ollama).await;
    let after = read(&app, &token, &id).await;
    assert_eq!((&before["status"], &after["status"]), (&json!("pending"), &json!("completed")));
    for execution in [before, after, list(&app, &token, "").await["data"][0].clone()] {
        assert_eq!(execution["options"], options);
        assert_eq!(
            (&execution["prompt_text"], &execution["user_input"]),
            (&json!("  {{x}} \n"), &json!(" \u{1F600}\t"))
        );
        assert_eq!(execution["traceId"], "trace 1");
    }
}

#[tokio::test]
async fn a_run_of_a_prompt_names_the_version() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &json!({"name": "old name", "prompt": "Hi {{name}}"})).await;
    update_prompt(&app, &token, &prompt, &greeting()).await;
    let input = r#"{"name": "Ada"}"#;
    for (version, number, name) in [(json!(1), 1, "old name"), (json!(2), 2, "greeting")] {
        let id = create_one(&app, &token, &with(run(&prompt, input), "promptVersion", version)).await;
        let expected = json!({
            "id": id, "prompt_id": prompt["id"], "prompt_version": number, "prompt": {"name": name, "version": number},
            "user_input": input, "provider": "ollama", "model": "demo:latest", "status": "pending",
            "created_at": "<time>", "updated_at": "<time>", "origin": "app", "result_valid": false
        });
        let mut shown = redacted(&read(&app, &token, &id).await);
        (shown["id"], shown["prompt_id"]) = (json!(id), prompt["id"].clone());
        assert_eq!(shown, expected);
    }
    let current = create_one(&app, &token, &run(&prompt, input)).await;
    update_prompt(&app, &token, &prompt, &json!({"name": "new name"})).await;
    let shown = read(&app, &token, &current).await;
    assert_eq!(shown["prompt"], json!({"name": "greeting", "version": 2}), "recorded when it was created");
}

#[tokio::test]
async fn several_models_make_several_executions_in_their_order() {
    let (app, token) = TestApp::with_providers().await;
    let targets = [OPENAI, OLLAMA, ANTHROPIC, OLLAMA, "ollama:llama3:8b:q4", "openai:not-checked-yet"];
    let ids = create(&app, &token, &with(text("x"), "providerModel", json!(targets))).await;
    let mut made = Vec::new();
    for id in &ids {
        let execution = read(&app, &token, id).await;
        made.push(format!("{}:{}", execution["provider"].as_str().unwrap(), execution["model"].as_str().unwrap()));
    }
    assert_eq!(made, targets);
}

#[tokio::test]
async fn an_api_key_with_the_scope_runs_and_reads() {
    let (app, token) = TestApp::with_providers().await;
    let runner = app.add_api_key("admin@example.com", &[Scope::ExecutionsRun]).await;
    let reader = app.add_api_key("admin@example.com", &[Scope::ExecutionsRead]).await;
    let create = |key: &str| app.call("POST", EXECUTIONS).api_key(key).json(&text("x"));
    let data = create(&runner).send().await.data(201);
    let path = format!("{EXECUTIONS}/{}", data["executionIds"][0].as_str().unwrap());
    assert_eq!(app.call("GET", &path).api_key(&reader).send().await.data(200)["origin"], "api");
    assert_eq!(create(&reader).send().await.bare(403), "Forbidden");
    assert_eq!(app.call("GET", &path).api_key(&runner).send().await.bare(403), "Forbidden");
    for (method, path) in [("GET", EXECUTIONS), ("GET", STATS), ("DELETE", &path)] {
        assert_eq!(app.call(method, path).api_key(&runner).send().await.bare(403), "Forbidden", "{method} {path}");
    }
    assert_eq!(app.get(STATS, &token).send().await.data(200)["total"], 1);
}

#[tokio::test]
async fn a_new_execution_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_providers().await;
    let options = |options: Value| with(text("x"), "options", options);
    let targets = |targets: Value| with(text("x"), "providerModel", targets);
    let of_prompt = json!({"promptId": NOBODY, "userInput": "x", "providerModel": [OLLAMA]});
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({}), vec!["providerModel"]),
        (json!({"providerModel": [OLLAMA]}), vec!["request"]),
        (text(""), vec!["request"]),
        (with(of_prompt.clone(), "promptText", json!("x")), vec!["request"]),
        (with(of_prompt.clone(), "userInput", json!("")), vec!["request"]),
        (json!({"promptId": NOBODY, "providerModel": [OLLAMA]}), vec!["request"]),
        (with(of_prompt.clone(), "promptId", json!("x")), vec!["promptId"]),
        (with(of_prompt.clone(), "promptVersion", json!(0)), vec!["promptVersion"]),
        (with(of_prompt.clone(), "promptVersion", json!(-1)), vec!["promptVersion"]),
        (with(of_prompt.clone(), "promptVersion", json!(1.5)), vec!["promptVersion"]),
        (with(of_prompt, "promptVersion", json!("1")), vec!["promptVersion"]),
        (targets(json!(null)), vec!["providerModel"]),
        (targets(json!(OLLAMA)), vec!["providerModel"]),
        (targets(json!([])), vec!["providerModel"]),
        (
            targets(json!([OLLAMA, "ollama", ":x", "ollama:", "ol lama:x", 5, null])),
            vec![
                "providerModel.1",
                "providerModel.2",
                "providerModel.3",
                "providerModel.4",
                "providerModel.5",
                "providerModel.6",
            ],
        ),
        (options(json!(null)), vec!["options"]),
        (options(json!([])), vec!["options"]),
        (
            options(json!({"temperature": -0.1, "maxTokens": 0, "topP": 1.1, "topK": 0.9})),
            vec!["options.maxTokens", "options.temperature", "options.topK", "options.topP"],
        ),
        (
            options(json!({"temperature": 2.1, "topP": -1, "maxTokens": null, "webSearch": null})),
            vec!["options.maxTokens", "options.temperature", "options.topP", "options.webSearch"],
        ),
        (
            options(json!({"temperature": "0.5", "topK": " ", "webSearch": "", "schema": ""})),
            vec!["options.schema", "options.temperature", "options.topK", "options.webSearch"],
        ),
        (
            json!({
                "promptText": 1, "userInput": null, "traceId": null, "fileId": 7, "testDataGroupId": {}, "providerModel": [OLLAMA]
            }),
            vec!["fileId", "promptText", "testDataGroupId", "traceId", "userInput"],
        ),
        (
            json!({"model": "x", "provider": "y", "userInput": 1, "options": {"topP": 2}}),
            vec!["options.topP", "providerModel", "request", "userInput"],
        ),
    ] {
        let mut found = send(&app, &token, &body).await.issues("body");
        found.sort();
        assert_eq!(found, fields, "{body}");
    }
    let unknown =
        send(&app, &token, &json!({"promptText": "x", "providerModel": [OLLAMA], "one": 1, "two": 2})).await.json();
    let message = unknown["error"][0]["message"].as_str().unwrap();
    assert!(message.contains("one") && message.contains("two"), "one issue names all: {message}");
    assert_eq!(list(&app, &token, "").await["total"], 0);
}

#[tokio::test]
async fn an_emptied_number_field_counts_as_absent() {
    let (app, token) = TestApp::with_providers().await;
    let options = json!({"temperature": "", "maxTokens": "", "topP": "", "topK": "", "webSearch": true, "note": ""});
    let id = create_one(&app, &token, &with(text("x"), "options", options)).await;
    assert_eq!(read(&app, &token, &id).await["options"], json!({"webSearch": true, "note": ""}));
}

#[tokio::test]
async fn what_the_caller_got_wrong_is_explained() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &greeting()).await;
    let for_files = json!({"name": "files", "prompt": "x", "options": {"acceptFileUpload": true}});
    let for_files = create_prompt(&app, &token, &for_files).await;
    let for_anything = json!({"name": "anything", "prompt": "x", "json_schema_input": {}});
    let for_anything = create_prompt(&app, &token, &for_anything).await;
    let good = run(&prompt, r#"{"name": "Ada"}"#);
    let group = json!({"promptId": prompt["id"], "testDataGroupId": NOBODY, "providerModel": [OLLAMA]});
    for (body, status, label, reason) in [
        (with(good.clone(), "promptId", json!(NOBODY)), 404, "Not Found", "no prompt"),
        (with(good.clone(), "promptVersion", json!(2)), 404, "Not Found", "version 2"),
        (group, 404, "Not Found", "group"),
        (with(text("x"), "testDataGroupId", json!(NOBODY)), 400, "Validation error", "promptId"),
        (run(&prompt, "Ada"), 400, "Validation error", "not valid JSON"),
        (run(&prompt, r#"{"name": 1}"#), 400, "Validation error", "/name must be string"),
        (run(&prompt, "{}"), 400, "Validation error", "must have required property 'name'"),
        (run(&for_anything, "null"), 400, "Validation error", "null"),
        (run(&for_files, "x"), 400, "Validation error", "file"),
        (with(run(&for_files, "x"), "fileId", json!(NOBODY)), 400, "Validation error", NOBODY),
        (with(text("x"), "fileId", json!("no such file")), 400, "Validation error", "no such file"),
        (with(good.clone(), "providerModel", json!(["gemini:x"])), 400, "Validation error", "gemini"),
        (with(good.clone(), "providerModel", json!(["acme:x"])), 400, "Validation error", "acme"),
        (with(good.clone(), "providerModel", json!(["Ollama:x"])), 400, "Validation error", "Ollama"),
    ] {
        let data = send(&app, &token, &body).await.data(status);
        assert_eq!((&data["error"], data.get("details")), (&json!(label), None), "{body}");
        assert!(data["message"].as_str().unwrap().contains(reason), "{reason} in {data}");
    }
    assert_eq!(list(&app, &token, "").await["total"], 0);
    create_one(&app, &token, &good).await;
}

#[tokio::test]
async fn all_executions_of_a_request_are_created_or_none() {
    let (app, token) = TestApp::with_providers().await;
    for targets in [json!([OLLAMA, "gemini:x"]), json!([OLLAMA, OPENAI, "acme:x"])] {
        let body = with(text("x"), "providerModel", targets);
        assert_eq!(send(&app, &token, &body).await.refusal(400), "Validation error");
    }
    assert_eq!(list(&app, &token, "").await["total"], 0);
}

#[tokio::test]
async fn an_inactive_key_is_no_provider() {
    let (app, token) = TestApp::with_providers().await;
    let path = "/api/v1/settings/type/llm-api-key/identifier/ollama";
    let setting = app.get(path, &token).send().await.data(200);
    let path = format!("/api/v1/settings/{}", setting["id"].as_str().unwrap());
    let switch = async |active: bool| {
        let body = json!({"type": "llm-api-key", "data": {"active": active}});
        app.put(&path, &token, &body).send().await.data(200)
    };
    switch(false).await;
    assert_eq!(send(&app, &token, &text("x")).await.refusal(400), "Validation error");
    switch(true).await;
    create_one(&app, &token, &text("x")).await;
}

#[tokio::test]
async fn a_file_goes_with_texts_and_with_prompts_that_take_files() {
    let (app, token) = TestApp::with_providers().await;
    let file = add_file(&app, "a.txt", "text/plain", "aGVsbG8=").await;
    let with_files =
        create_prompt(&app, &token, &json!({"name": "a", "prompt": "x", "options": {"acceptFileUpload": true}})).await;
    let without =
        create_prompt(&app, &token, &json!({"name": "b", "prompt": "x", "options": {"acceptFileUpload": false}})).await;
    for (body, recorded) in [(text("x"), true), (run(&with_files, "y"), true), (run(&without, "y"), false)] {
        let id = create_one(&app, &token, &with(body, "fileId", json!(file))).await;
        let execution = read(&app, &token, &id).await;
        assert_eq!(execution.get("fileId"), recorded.then_some(&json!(file)), "{execution}");
    }
}

#[tokio::test]
async fn a_prompt_that_searches_the_web_says_so_in_the_options() {
    let (app, token) = TestApp::with_providers().await;
    let prompt =
        create_prompt(&app, &token, &json!({"name": "a", "prompt": "x", "options": {"webSearch": true}})).await;
    let body = run(&prompt, "y");
    for (body, options) in [
        (body.clone(), json!({"webSearch": true})),
        (with(body.clone(), "options", json!({"topK": 3})), json!({"topK": 3, "webSearch": true})),
        (with(body, "options", json!({"webSearch": false})), json!({"webSearch": true})),
    ] {
        let id = create_one(&app, &token, &body).await;
        assert_eq!(read(&app, &token, &id).await["options"], options);
    }
}

// Reading.

#[tokio::test]
async fn executions_of_a_deleted_prompt_stay_readable() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &greeting()).await;
    let execution = run_to_the_end(&app, &token, &run(&prompt, r#"{"name": "Ada"}"#)).await;
    assert_eq!(execution["prompt"], json!({"name": "greeting", "version": 1}));
    let path = format!("{PROMPTS}/{}", prompt["id"].as_str().unwrap());
    assert_eq!(app.delete(&path, &token).send().await.status.as_u16(), 204);
    let mut expected = execution.clone();
    expected.as_object_mut().unwrap().remove("prompt");
    assert_eq!(read(&app, &token, execution["id"].as_str().unwrap()).await, expected);
    let query = format!("promptId={}", prompt["id"].as_str().unwrap());
    assert_eq!(list(&app, &token, &query).await["data"], json!([expected]));
}

#[tokio::test]
async fn an_unknown_execution_is_missing_and_an_id_that_is_none_is_invalid() {
    let (app, token) = TestApp::with_providers().await;
    let calls = |id: &str| {
        let star = format!("{EXECUTIONS}/update-fields/{id}");
        [
            app.get(&format!("{EXECUTIONS}/{id}"), &token),
            app.delete(&format!("{EXECUTIONS}/{id}"), &token),
            app.post(&star, &token, &json!({"starred": true})),
            app.post(&star, &token, &json!({})),
        ]
    };
    for call in calls(NOBODY) {
        assert_eq!(call.send().await.refusal(404), "Execution not found");
    }
    for call in calls("0b9f8a52") {
        assert_eq!(call.send().await.issues("param"), ["id"]);
    }
}

#[tokio::test]
async fn the_list_has_pages_with_their_place_in_the_whole() {
    let (app, token) = TestApp::with_providers().await;
    let empty =
        json!({"data": [], "total": 0, "page": 1, "limit": 10, "totalPages": 0, "hasNext": false, "hasPrev": false});
    assert_eq!(list(&app, &token, "downloadCsv=false").await, empty);
    let mut newest_first = Vec::new();
    for _ in 0..11 {
        newest_first.insert(0, create_one(&app, &token, &text("x")).await);
        pause().await;
    }
    let first = list(&app, &token, "").await;
    assert_eq!(ids_of(&first), newest_first[..10]);
    let place =
        |page: &Value| ["total", "page", "limit", "totalPages", "hasNext", "hasPrev"].map(|name| page[name].clone());
    assert_eq!(json!(place(&first)), json!([11, 1, 10, 2, true, false]));
    let middle = list(&app, &token, "page=2&limit=4").await;
    assert_eq!(ids_of(&middle), newest_first[4..8]);
    assert_eq!(json!(place(&middle)), json!([11, 2, 4, 3, true, true]));
    let past_the_end = list(&app, &token, "page=9&limit=4").await;
    assert_eq!(json!(place(&past_the_end)), json!([11, 9, 4, 3, false, true]));
    assert!(ids_of(&past_the_end).is_empty());
    assert_eq!(ids_of(&list(&app, &token, "limit=1000").await), newest_first);
}

#[tokio::test]
async fn executions_created_at_the_same_instant_keep_their_places() {
    let (app, token) = TestApp::with_providers().await;
    create(&app, &token, &with(text("x"), "providerModel", json!([OLLAMA, OPENAI, ANTHROPIC, OLLAMA, OLLAMA]))).await;
    for key in ["created_at", "updated_at", "started_at", "completed_at"] {
        let whole = list(&app, &token, &format!("orderBy={key}")).await;
        let mut seen = Vec::new();
        for number in 1..=5 {
            let one = list(&app, &token, &format!("orderBy={key}&limit=1&page={number}")).await;
            seen.push(ids_of(&one)[0].to_owned());
        }
        assert_eq!(seen, ids_of(&whole), "{key}: no row repeats or vanishes between pages");
        let backwards = list(&app, &token, &format!("orderBy={key}&orderDirection=ASC")).await;
        seen.reverse();
        assert_eq!(seen, ids_of(&backwards), "{key}");
    }
}

#[tokio::test]
async fn the_list_sorts_by_each_key_and_puts_missing_values_last_descending() {
    let (app, token) = TestApp::with_providers().await;
    let mut created = Vec::new();
    for _ in 0..3 {
        created.push(create_one(&app, &token, &text("x")).await);
        pause().await;
    }
    let [a, b, c] = &created[..] else { panic!("three executions") };
    let cancel = async |id: &str| {
        pause().await;
        app.delete(&format!("{EXECUTIONS}/{id}"), &token).send().await
    };
    // `b` runs and ends first, `a` ends without having run, `c` waits.
    start(&app, b).await;
    assert_eq!(cancel(b).await.status.as_u16(), 204);
    assert_eq!(cancel(a).await.status.as_u16(), 204);
    for (key, descending) in [("created_at", [c, b, a]), ("updated_at", [a, b, c]), ("completed_at", [a, b, c])] {
        assert_eq!(
            ids_of(&list(&app, &token, &format!("orderBy={key}&orderDirection=DESC")).await),
            descending,
            "{key}"
        );
        let mut ascending = descending;
        ascending.reverse();
        assert_eq!(ids_of(&list(&app, &token, &format!("orderBy={key}&orderDirection=ASC")).await), ascending, "{key}");
    }
    assert_eq!(ids_of(&list(&app, &token, "orderBy=started_at").await)[0], b, "only this one was started");
    assert_eq!(ids_of(&list(&app, &token, "orderBy=started_at&orderDirection=ASC").await)[2], b);
}

#[tokio::test]
async fn filters_combine() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &json!({"name": "a", "prompt": "x"})).await;
    let prompt_id = prompt["id"].as_str().unwrap();
    let done = run_to_the_end(&app, &token, &run(&prompt, "y")).await["id"].as_str().unwrap().to_owned();
    let waiting = create_one(&app, &token, &with(run(&prompt, "y"), "providerModel", json!([OPENAI]))).await;
    let other = create_one(&app, &token, &text("x")).await;
    for (id, star) in [(&done, true), (&waiting, true), (&waiting, false)] {
        app.post(&format!("{EXECUTIONS}/update-fields/{id}"), &token, &json!({"starred": star})).send().await.data(201);
    }
    for (query, found) in [
        (String::new(), vec![&done, &waiting, &other]),
        ("status=completed".into(), vec![&done]),
        ("status=pending".into(), vec![&waiting, &other]),
        ("status=running".into(), vec![]),
        ("provider=ollama".into(), vec![&done, &other]),
        ("provider=gemini".into(), vec![]),
        (format!("promptId={prompt_id}"), vec![&done, &waiting]),
        (format!("promptId={NOBODY}"), vec![]),
        ("starred=true".into(), vec![&done]),
        ("starred=false".into(), vec![&waiting, &other]),
        (format!("starred=false&promptId={prompt_id}"), vec![&waiting]),
        ("provider=ollama&status=pending&starred=false".into(), vec![&other]),
        ("ids=".into(), vec![]),
        (format!("ids={done}"), vec![&done]),
        (format!("ids={other},{NOBODY},unknown,{done},{done}"), vec![&done, &other]),
        (format!("ids={other}%2C{done}&status=pending"), vec![&other]),
        (format!("ids={done}&starred=false"), vec![]),
    ] {
        let page = list(&app, &token, &format!("orderDirection=ASC&limit=50&{query}")).await;
        let mut shown = ids_of(&page);
        shown.sort_unstable();
        let mut expected: Vec<&str> = found.into_iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(shown, expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
    }
    let second = list(&app, &token, &format!("ids={other},{done}&limit=1&page=2&orderDirection=ASC")).await;
    assert_eq!(
        (ids_of(&second), &second["total"], &second["totalPages"]),
        (vec![other.as_str()], &json!(2), &json!(2))
    );
}

#[tokio::test]
async fn queries_of_the_list_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_providers().await;
    for (query, fields) in [
        ("page=0&limit=0&orderBy=name&orderDirection=desc", vec!["limit", "orderBy", "orderDirection", "page"]),
        (
            "status=done&provider=acme&promptId=x&starred=1&downloadCsv=yes",
            vec!["downloadCsv", "promptId", "provider", "starred", "status"],
        ),
        (
            "status=&provider=&promptId=&starred=&downloadCsv=",
            vec!["downloadCsv", "promptId", "provider", "starred", "status"],
        ),
        ("starred=True", vec!["starred"]),
        ("ids=a&ids=b", vec!["ids"]),
        ("search=x&prompt_id=y", vec!["request"]),
        ("downloadCsv=true&page=0", vec!["page"]),
    ] {
        let answer = app.get(&format!("{EXECUTIONS}?{query}"), &token).send().await;
        let mut found = answer.issues("query");
        found.sort();
        assert_eq!(found, fields, "{query}");
        assert!(!answer.headers.contains_key("content-disposition"), "{query}");
    }
}

// Exports.

const CSV_HEADER: &str =
    "id,prompt_id,prompt_version,prompt_text,model,prompt_name,prompt_value,user_input,status,result_valid,result";

async fn export(app: &TestApp, token: &str, query: &str) -> String {
    let answer = app.get(&format!("{EXECUTIONS}?downloadCsv=true&{query}"), token).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"executions.csv\"");
    answer.text
}

#[tokio::test]
async fn an_export_without_rows_is_the_header_line() {
    let (app, token) = TestApp::with_providers().await;
    assert_eq!(export(&app, &token, "").await, CSV_HEADER);
    create_one(&app, &token, &text("x")).await;
    assert_eq!(export(&app, &token, "ids=").await, CSV_HEADER);
}

#[tokio::test]
async fn an_export_quotes_every_cell_and_neutralises_formulas() {
    let (app, token) = TestApp::with_providers().await;
    app.vendor.enqueue("POST", "/api/generate", ollama::generated("+1,\n\"two\""));
    let prompt = create_prompt(&app, &token, &json!({"name": "=A1 \"x\"", "prompt": "Say, {{\"x\"}}\nnow"})).await;
    let prompt_id = prompt["id"].as_str().unwrap();
    let done = run_to_the_end(&app, &token, &run(&prompt, "-5")).await["id"].as_str().unwrap().to_owned();
    update_prompt(&app, &token, &prompt, &json!({"name": "renamed", "prompt": "other"})).await;
    pause().await;
    let waiting = create_one(&app, &token, &with(text("@SUM(A1) \"q\""), "userInput", json!("ümlaut;\ttab"))).await;
    pause().await;
    let failed = create_one(&app, &token, &text("plain")).await;
    app.delete(&format!("{EXECUTIONS}/{failed}"), &token).send().await;
    let expected = [
        CSV_HEADER.to_owned(),
        format!(
            "\"{done}\",\"{prompt_id}\",\"1\",\"\",\"demo:latest\",\"'=A1 \"\"x\"\"\",\"Say, {{{{\"\"x\"\"}}}}\nnow\",\"'-5\",\
             \"completed\",\"true\",\"'+1,\n\"\"two\"\"\""
        ),
        format!(
            "\"{waiting}\",\"\",\"\",\"'@SUM(A1) \"\"q\"\"\",\"demo:latest\",\"\",\"\",\"ümlaut;\ttab\",\"pending\",\"\",\"\""
        ),
        format!("\"{failed}\",\"\",\"\",\"plain\",\"demo:latest\",\"\",\"\",\"\",\"failed\",\"\",\"\""),
    ];
    assert_eq!(export(&app, &token, "orderDirection=ASC").await, expected.join("\n"));
    let newest_first = [&expected[0], &expected[3], &expected[2], &expected[1]].map(String::as_str);
    assert_eq!(export(&app, &token, "page=3&limit=1").await, newest_first.join("\n"), "page and limit do not count");
    let filtered = [&expected[0], &expected[2]].map(String::as_str);
    assert_eq!(export(&app, &token, "status=pending&starred=false").await, filtered.join("\n"));
}

#[tokio::test]
async fn an_export_holds_every_row_however_many() {
    let (app, token) = TestApp::with_providers().await;
    for count in [199, 1, 1] {
        create(&app, &token, &with(text("x"), "providerModel", json!(vec![OLLAMA; count]))).await;
        let csv = export(&app, &token, "").await;
        let page = list(&app, &token, "limit=1000").await;
        let in_csv: Vec<&str> = csv.lines().skip(1).map(|line| line.split('"').nth(1).unwrap()).collect();
        assert_eq!(in_csv, ids_of(&page), "around a full chunk");
        assert!(!csv.ends_with('\n'));
    }
}

#[tokio::test]
async fn a_large_export_comes_in_parts_that_make_the_whole() {
    let (app, token) = TestApp::with_providers().await;
    let long = "\"quoted\"\n".repeat(40_000);
    let mut ids = Vec::new();
    for count in [4, 3] {
        let body = with(text(&long), "providerModel", json!(vec![OLLAMA; count]));
        ids.extend(create(&app, &token, &body).await);
    }
    // Two have started: sorted by that, the others come behind them or before them.
    for id in &ids[2..4] {
        let sql = "UPDATE executions SET started_at = created_at WHERE id = ?1";
        app.db.write(vec![Statement::new(sql, params![id])]).await.unwrap();
    }
    let answer = app.get(&format!("{EXECUTIONS}?downloadCsv=true"), &token).send().await;
    assert_eq!(answer.refusal(400), "Export too large");
    assert!(!answer.headers.contains_key("content-disposition"));

    for order in [
        "orderBy=created_at&orderDirection=DESC",
        "orderBy=started_at&orderDirection=ASC",
        "orderBy=started_at&orderDirection=DESC",
        "orderBy=created_at&orderDirection=ASC&status=pending",
    ] {
        let (mut whole, mut cursor, mut parts) = (String::new(), Some(String::new()), 0);
        while let Some(place) = cursor {
            let path = format!("{EXECUTIONS}?downloadCsv=true&{order}&csvCursor={place}");
            let answer = app.get(&path, &token).send().await;
            assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
            assert!(serde_json::to_string(&answer.text).unwrap().len() < 4_000_000, "fits into an answer of Lambda");
            cursor = answer.headers.get("x-next-csv-cursor").map(|next| next.to_str().unwrap().to_owned());
            whole.push_str(&answer.text);
            parts += 1;
        }
        let page = list(&app, &token, &format!("{order}&limit=1000")).await;
        let rows: Vec<&str> = whole.split("\n\"").skip(1).filter_map(|row| row.split('"').next()).collect();
        let rows: Vec<&str> = rows.into_iter().filter(|id| ids.iter().any(|known| known == id)).collect();
        assert_eq!(rows, ids_of(&page), "{order}");
        assert!(whole.starts_with(CSV_HEADER) && parts > 1, "{parts} parts");
    }
    let answer = app.get(&format!("{EXECUTIONS}?downloadCsv=true&csvCursor=nonsense"), &token).send().await;
    assert_eq!(answer.issues("query"), ["csvCursor"]);
}

// Changing.

#[tokio::test]
async fn stars_are_set_in_any_status_and_move_the_time() {
    let (app, token) = TestApp::with_providers().await;
    let done = run_to_the_end(&app, &token, &text("x")).await["id"].as_str().unwrap().to_owned();
    let waiting = create_one(&app, &token, &text("x")).await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    for id in [&done, &waiting] {
        let path = format!("{EXECUTIONS}/update-fields/{id}");
        let mut expected = read(&app, &token, id).await;
        for (body, starred, moves) in [
            (json!({}), None, false),
            (json!({"userStatus": "seen"}), None, true),
            (json!({"starred": true, "userStatus": ""}), Some(true), true),
            (json!({}), Some(true), false),
            (json!({"starred": false}), Some(false), true),
            (json!({"starred": false}), Some(false), true),
        ] {
            pause().await;
            assert_eq!(app.post(&path, &viewer, &body).send().await.data(201), json!({}));
            let after = read(&app, &token, id).await;
            assert_eq!(after["updated_at"].as_str() > expected["updated_at"].as_str(), moves, "{body}");
            expected["updated_at"] = after["updated_at"].clone();
            if let Some(starred) = starred {
                expected["starred"] = json!(starred);
            }
            assert_eq!(after, expected, "userStatus is never shown: {body}");
        }
    }
    let rows =
        app.db.read("SELECT json_extract(data, '$.userStatus') AS s FROM executions", vec![]).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.get::<String>("s").unwrap().is_empty()), "stored");
}

#[tokio::test]
async fn fields_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_providers().await;
    let id = create_one(&app, &token, &text("x")).await;
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({"starred": null, "userStatus": null}), vec!["starred", "userStatus"]),
        (json!({"starred": "true", "userStatus": 1}), vec!["starred", "userStatus"]),
        (json!({"status": "completed", "result": "x"}), vec!["request"]),
    ] {
        let answer = app.post(&format!("{EXECUTIONS}/update-fields/{id}"), &token, &body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
}

#[tokio::test]
async fn a_waiting_or_running_execution_can_be_cancelled_once() {
    let (app, token) = TestApp::with_providers().await;
    for runs in [false, true] {
        let id = create_one(&app, &token, &text("x")).await;
        if runs {
            start(&app, &id).await;
            assert_eq!(read(&app, &token, &id).await["status"], "running");
        }
        let path = format!("{EXECUTIONS}/{id}");
        let answer = app.delete(&path, &token).send().await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        let mut expected = json!({
            "id": "<id>", "prompt_text": "x", "user_input": "", "provider": "ollama", "model": "demo:latest",
            "status": "failed", "error_message": "Execution cancelled by user", "completed_at": "<time>",
            "created_at": "<time>", "updated_at": "<time>", "origin": "app", "result_valid": false
        });
        if runs {
            expected["started_at"] = json!("<time>");
            expected["attempts"] = json!(1);
        }
        assert_eq!(redacted(&read(&app, &token, &id).await), expected);
        assert_eq!(app.delete(&path, &token).send().await.refusal(400), "Validation error", "cancelled already");
    }
    app.run_waiting(ProviderName::Ollama).await;
    assert!(app.vendor.requests().is_empty(), "what was cancelled never runs");
}

#[tokio::test]
async fn a_finished_execution_cannot_be_cancelled() {
    let (app, token) = TestApp::with_providers().await;
    let done = run_to_the_end(&app, &token, &text("x")).await;
    let path = format!("{EXECUTIONS}/{}", done["id"].as_str().unwrap());
    assert_eq!(app.delete(&path, &token).send().await.refusal(400), "Validation error");
    assert_eq!(app.get(&path, &token).send().await.data(200), done);
}

#[tokio::test]
async fn statistics_count_by_status_and_by_provider() {
    let (app, token) = TestApp::with_providers().await;
    let stats = async || app.get(STATS, &token).send().await.data(200);
    let nothing = json!({"total": 0, "pending": 0, "running": 0, "completed": 0, "failed": 0, "byProvider": {}});
    assert_eq!(stats().await, nothing);
    run_to_the_end(&app, &token, &text("x")).await;
    let ids = create(&app, &token, &with(text("x"), "providerModel", json!([OLLAMA, OLLAMA, OPENAI]))).await;
    start(&app, &ids[0]).await;
    app.delete(&format!("{EXECUTIONS}/{}", ids[1]), &token).send().await;
    let expected = json!({
        "total": 4, "pending": 1, "running": 1, "completed": 1, "failed": 1, "byProvider": {"ollama": 3, "openai": 1}
    });
    assert_eq!(stats().await, expected);
}

#[tokio::test]
async fn viewers_read_and_star_and_start_nothing() {
    let (app, admin) = TestApp::with_providers().await;
    let id = create_one(&app, &admin, &text("x")).await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let path = format!("{EXECUTIONS}/{id}");
    let star = format!("{EXECUTIONS}/update-fields/{id}");
    for read in [EXECUTIONS, STATS, &path] {
        app.get(read, &viewer).send().await.data(200);
        assert_eq!(app.call("GET", read).send().await.bare(401), "Unauthorized", "{read}");
    }
    app.post(&star, &viewer, &json!({"starred": true})).send().await.data(201);
    assert_eq!(send(&app, &viewer, &text("x")).await.bare(403), "Forbidden");
    assert_eq!(app.delete(&path, &viewer).send().await.bare(403), "Forbidden");
    for (method, path) in [("POST", EXECUTIONS), ("DELETE", &path), ("POST", &star)] {
        assert_eq!(app.call(method, path).json(&text("x")).send().await.bare(401), "Unauthorized", "{method} {path}");
    }
    let user = app.sign_up("user@example.com", Role::User).await;
    assert_eq!(app.delete(&path, &user).send().await.status.as_u16(), 204);
    create_one(&app, &user, &text("x")).await;
}

// Runs from end to end.

#[tokio::test]
async fn every_vendor_answers_a_text() {
    let (app, token) = TestApp::with_providers().await;
    for (target, path, stop_reason, wanted) in [
        (
            OLLAMA,
            "/api/generate",
            "stop",
            json!({
                "model": "demo:latest", "prompt": "Say hello", "stream": false,
                "options": {"temperature": 0.7, "top_p": 0.9, "top_k": 40}
            }),
        ),
        (
            OPENAI,
            "/v1/responses",
            "completed",
            json!({
                "model": "gpt-4.1", "input": "Say hello", "max_output_tokens": 4096
            }),
        ),
        (
            ANTHROPIC,
            "/v1/messages",
            "end_turn",
            json!({
                "model": "claude-sonnet-4-5", "max_tokens": 4096, "temperature": 0.9,
                "messages": [{"role": "user", "content": "Say hello"}]
            }),
        ),
    ] {
        let body = with(text("Say hello"), "providerModel", json!([target]));
        let execution = run_to_the_end(&app, &token, &body).await;
        let (provider, model) = target.split_once(':').unwrap();
        let call = &execution["provider_call"];
        let tokens = json!({"input": 12, "output": 7, "cached_read": 0, "cache_write": 0, "reasoning": 0});
        assert_eq!((&call["tokens"], &call["truncated"]), (&tokens, &json!(false)));
        assert!(call["duration_ms"].is_u64() && call["usage"].is_object(), "{call}");
        let expected = json!({
            "id": "<id>", "prompt_text": "Say hello", "user_input": "", "provider": provider, "model": model,
            "status": "completed", "result": "hello", "result_valid": true, "input_tokens_used": 12,
            "output_tokens_used": 7, "stop_reason": stop_reason, "provider_call": call, "attempts": 1,
            "started_at": "<time>", "completed_at": "<time>", "created_at": "<time>", "updated_at": "<time>",
            "origin": "app"
        });
        assert_eq!(redacted(&execution), expected);
        assert_eq!(execution["completed_at"], execution["updated_at"]);
        assert!(execution["created_at"].as_str() <= execution["started_at"].as_str());
        assert!(execution["started_at"].as_str() <= execution["completed_at"].as_str());
        assert_eq!(list(&app, &token, "limit=1").await["data"][0], execution, "lists show the same");
        assert_eq!(asked(&app, path), wanted, "{target}");
    }
}

#[tokio::test]
async fn a_prompt_with_an_input_schema_is_compiled_and_others_go_as_they_are() {
    let (app, token) = TestApp::with_providers().await;
    let compiled = create_prompt(&app, &token, &greeting()).await;
    let raw = create_prompt(&app, &token, &json!({"name": "raw", "prompt": "Keep {{braces}}"})).await;
    let input = r#"{"name": "<Ada> & \"Bob\""}"#;
    let by_openai = |body: Value| with(body, "providerModel", json!([OPENAI]));

    run_to_the_end(&app, &token, &by_openai(run(&compiled, input))).await;
    let sent = asked(&app, "/v1/responses");
    assert_eq!((&sent["input"], sent.get("instructions")), (&json!("Hello <Ada> & \"Bob\""), None));
    for (body, prompt) in
        [(run(&raw, "input"), "Keep {{braces}}"), (with(text("{{text}}"), "userInput", json!("input")), "{{text}}")]
    {
        run_to_the_end(&app, &token, &by_openai(body)).await;
        let sent = asked(&app, "/v1/responses");
        assert_eq!((&sent["input"], &sent["instructions"]), (&json!("input"), &json!(prompt)));
    }
}

#[tokio::test]
async fn known_options_reach_the_vendor_and_others_do_not() {
    let (app, token) = TestApp::with_providers().await;
    let options = json!({
        "temperature": 0.2, "topP": 0.3, "topK": 4, "maxTokens": 5, "webSearch": true, "colour": "red",
        "files": [{"data": "c211Z2dsZWQ="}]
    });
    let by = |target: &str| with(with(text("x"), "options", options.clone()), "providerModel", json!([target]));
    let execution = run_to_the_end(&app, &token, &by(OLLAMA)).await;
    assert_eq!(execution["ignored_options"], json!(["webSearch"]));
    let sent = asked(&app, "/api/generate");
    assert_eq!(sent["options"], json!({"temperature": 0.2, "top_p": 0.3, "top_k": 4, "num_predict": 5}));

    let execution = run_to_the_end(&app, &token, &by(OPENAI)).await;
    assert_eq!(execution["ignored_options"], json!(["topK"]));
    let sent = asked(&app, "/v1/responses");
    let expected = json!({
        "model": "gpt-4.1", "input": "x", "max_output_tokens": 5, "temperature": 0.2, "top_p": 0.3,
        "tools": [{"type": "web_search"}]
    });
    assert_eq!(sent, expected);

    let execution = run_to_the_end(&app, &token, &by(ANTHROPIC)).await;
    assert_eq!(execution["ignored_options"], json!(["topP", "topK"]));
    let sent = asked(&app, "/v1/messages");
    let expected = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 5, "temperature": 0.2, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}]
    });
    assert_eq!(sent, expected);
}

/// A prompt with this response schema.
async fn answering(app: &TestApp, token: &str, schema: Value) -> Value {
    create_prompt(app, token, &json!({"name": "answering", "prompt": "Answer", "json_schema_response": schema})).await
}

#[tokio::test]
async fn an_answer_is_held_to_the_response_schema() {
    let (app, token) = TestApp::with_providers().await;
    let schema = json!({
        "type": "object", "required": ["name", "list"],
        "properties": {
            "name": {"type": ["string", "null"]}, "list": {"type": "array"}, "map": {"type": "object"},
            "age": {"type": "integer"}
        }
    });
    let prompt = answering(&app, &token, schema).await;
    for (answer, result) in [
        (
            r#"{"name": "Ada", "list": [1, {"a": null}]}"#,
            "{\n\t\"name\": \"Ada\",\n\t\"list\": [\n\t\t1,\n\t\t{\n\t\t\t\"a\": null\n\t\t}\n\t]\n}",
        ),
        // What the schema wants stays, null or empty as it is (decision E-07).
        (r#"{"name":null,"list":[],"map":{}}"#, "{\n\t\"name\": null,\n\t\"list\": [],\n\t\"map\": {}\n}"),
        (
            r#"{"name":null,"list":[null],"age":null,"extra":null}"#,
            "{\n\t\"name\": null,\n\t\"list\": [\n\t\tnull\n\t]\n}",
        ),
    ] {
        app.vendor.enqueue("POST", "/api/generate", ollama::generated(answer));
        let execution = run_to_the_end(&app, &token, &run(&prompt, "x")).await;
        assert_eq!(
            (&execution["status"], &execution["result_valid"]),
            (&json!("completed"), &json!(true)),
            "{execution}"
        );
        assert_eq!((&execution["result"], execution.get("result_validation_message")), (&json!(result), None));
    }
    for (answer, reasons) in [
        ("hello", vec!["JSON"]),
        ("```json\n{\"name\": \"Ada\", \"list\": []}\n```", vec!["JSON"]),
        (r#"{"name": 1, "list": [], "age": "x"}"#, vec!["/name must be", "/age must be integer"]),
        (r#"{"name": "Ada", "list": null}"#, vec!["'list'"]),
        (r#"{"name": "Ada", "list": [], "other": 1}"#, vec!["other"]),
        ("[]", vec!["must be object"]),
        ("null", vec!["must be object"]),
    ] {
        app.vendor.enqueue("POST", "/api/generate", ollama::generated(answer));
        let execution = run_to_the_end(&app, &token, &run(&prompt, "x")).await;
        assert_eq!(
            (&execution["status"], &execution["result_valid"]),
            (&json!("completed"), &json!(false)),
            "{execution}"
        );
        assert_eq!(execution["result"], answer, "the raw text is kept");
        let message = execution["result_validation_message"].as_str().unwrap();
        for reason in reasons {
            assert!(message.contains(reason), "{reason} in {message}");
        }
        assert_eq!(execution["output_tokens_used"], 7);
    }
}

#[tokio::test]
async fn every_vendor_is_told_the_response_schema() {
    let (app, token) = TestApp::with_providers().await;
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let prompt = answering(&app, &token, schema.clone()).await;
    for (target, path) in [(OLLAMA, "/api/generate"), (OPENAI, "/v1/responses"), (ANTHROPIC, "/v1/messages")] {
        let answer = r#"{"a":"b"}"#;
        app.vendor.enqueue(
            "POST",
            path,
            match target {
                OLLAMA => ollama::generated(answer),
                OPENAI => openai::response_text(answer),
                _ => anthropic::message(answer),
            },
        );
        let own = json!({"schema": {"type": "object", "properties": {"smuggled": {}}}});
        let body = with(with(run(&prompt, "x"), "options", own.clone()), "providerModel", json!([target]));
        let execution = run_to_the_end(&app, &token, &body).await;
        assert_eq!((&execution["result"], &execution["result_valid"]), (&json!("{\n\t\"a\": \"b\"\n}"), &json!(true)));
        assert_eq!(execution["options"], own, "what the caller sent is kept");
        let sent = asked(&app, path);
        assert!(!sent.to_string().contains("smuggled"), "the version's schema replaces the caller's: {sent}");
        match target {
            OLLAMA => assert_eq!(sent["format"], schema),
            OPENAI => assert_eq!(
                sent["text"]["format"],
                json!({"type": "json_schema", "name": "schema-name", "schema": schema, "strict": true})
            ),
            _ => assert_eq!(sent["output_config"], json!({"format": {"type": "json_schema", "schema": schema}})),
        }
    }
}

#[tokio::test]
async fn a_schema_of_the_caller_reaches_the_vendor_and_is_not_checked() {
    let (app, token) = TestApp::with_providers().await;
    let schema = json!({"type": "object", "required": ["a"]});
    let body = with(text("x"), "options", json!({"schema": schema}));
    let execution = run_to_the_end(&app, &token, &body).await;
    assert_eq!((&execution["result"], &execution["result_valid"]), (&json!("hello"), &json!(true)));
    assert_eq!(asked(&app, "/api/generate")["format"], schema);
}

#[tokio::test]
async fn files_reach_vendors_that_take_them_and_fail_at_others() {
    let (app, token) = TestApp::with_providers().await;
    let file = add_file(&app, "pixel.png", "image/png", "aGVsbG8=").await;
    let prompt = json!({"name": "a", "prompt": "Look", "options": {"acceptFileUpload": true}});
    let prompt = create_prompt(&app, &token, &prompt).await;
    let by =
        |target: &str| with(with(run(&prompt, "What is it?"), "fileId", json!(file)), "providerModel", json!([target]));
    let execution = run_to_the_end(&app, &token, &by(ANTHROPIC)).await;
    assert_eq!((&execution["status"], &execution["fileId"]), (&json!("completed"), &json!(file)));
    let sent = asked(&app, "/v1/messages");
    assert_eq!(sent["system"], "Look");
    let expected = json!([
        {"type": "text", "text": "What is it?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
    ]);
    assert_eq!(sent["messages"][0]["content"], expected);

    app.vendor.on("POST", "/api/show", ollama::shown(&["vision"]));
    run_to_the_end(&app, &token, &by(OLLAMA)).await;
    assert_eq!(asked(&app, "/api/generate")["images"], json!(["aGVsbG8="]));
    run_to_the_end(&app, &token, &by(OPENAI)).await;
    assert_eq!(asked(&app, "/v1/responses")["input"][0]["content"][1]["image_url"], "data:image/png;base64,aGVsbG8=");

    let list = chat_completions::deepinfra_models(["Qwen/Qwen3"], []);
    app.vendor.on("GET", "/v1/openai/models", list);
    app.add_provider(ProviderName::DeepInfra, &token).await;
    let execution = run_to_the_end(&app, &token, &by("deepinfra:Qwen/Qwen3")).await;
    assert_eq!(execution["error_message"], "ProviderError: DeepInfra takes no files");
    let id = create_one(&app, &token, &by(ANTHROPIC)).await;
    app.db.write(vec![Statement::new("DELETE FROM files", vec![])]).await.unwrap();
    app.run_waiting(ProviderName::Anthropic).await;
    let execution = read(&app, &token, &id).await;
    assert_eq!(execution["status"], "failed");
    assert!(execution["error_message"].as_str().unwrap().contains(&file), "{execution}");
    assert!(app.vendor.requests_to("POST", "/v1/messages").is_empty());
}

#[tokio::test]
async fn a_failed_execution_has_a_reason_and_nothing_else() {
    let (app, token) = TestApp::with_providers().await;
    app.vendor.on("POST", "/v1/responses", openai::error(400, "bad", "no such thing"));
    app.vendor.on("POST", "/v1/messages", anthropic::error(401, "authentication_error", "invalid x-api-key"));
    for (target, class, reason) in [
        (OPENAI, "ProviderError", "no such thing"),
        (ANTHROPIC, "ProviderError", "invalid x-api-key"),
        ("openai:gpt-0", "ModelNotSupportedError", "gpt-0"),
        ("anthropic:claude-0", "ModelNotSupportedError", "claude-0"),
    ] {
        let body = with(text("x"), "providerModel", json!([target]));
        let execution = run_to_the_end(&app, &token, &body).await;
        let (provider, model) = target.split_once(':').unwrap();
        let message = execution["error_message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{class}: ")) && message.contains(reason), "{message}");
        let expected = json!({
            "id": "<id>", "prompt_text": "x", "user_input": "", "provider": provider, "model": model,
            "status": "failed", "error_message": message, "result_valid": false, "attempts": 1, "started_at": "<time>",
            "completed_at": "<time>", "created_at": "<time>", "updated_at": "<time>", "origin": "app"
        });
        assert_eq!(redacted(&execution), expected);
        let listed = list(&app, &token, "limit=1").await["data"][0].clone();
        assert_eq!(listed.get("result_valid"), None, "lists show it only when stored");
    }
}

#[tokio::test]
async fn what_vanished_before_the_run_fails_it() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &greeting()).await;
    let of_prompt = create_one(&app, &token, &run(&prompt, r#"{"name": "Ada"}"#)).await;
    let path = format!("{PROMPTS}/{}", prompt["id"].as_str().unwrap());
    assert_eq!(app.delete(&path, &token).send().await.status.as_u16(), 204);
    app.run_waiting(ProviderName::Ollama).await;
    let execution = read(&app, &token, &of_prompt).await;
    assert_eq!(execution["status"], "failed");
    let message = execution["error_message"].as_str().unwrap();
    assert!(message.contains("prompt") && !message.contains("Error: "), "only a text: {message}");

    let without_provider = create_one(&app, &token, &text("x")).await;
    let key = app.get("/api/v1/settings/type/llm-api-key/identifier/ollama", &token).send().await.data(200);
    let path = format!("/api/v1/settings/{}", key["id"].as_str().unwrap());
    app.delete(&path, &token).send().await.data(200);
    app.run_waiting(ProviderName::Ollama).await;
    let execution = read(&app, &token, &without_provider).await;
    assert_eq!(execution["status"], "failed");
    assert!(execution["error_message"].as_str().unwrap().starts_with("ProviderUnavailableError: "), "{execution}");
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn a_template_that_breaks_fails_the_run_with_its_reason() {
    let (app, token) = TestApp::with_providers().await;
    let prompt = create_prompt(&app, &token, &with(greeting(), "prompt", json!("Hello {{name"))).await;
    let execution = run_to_the_end(&app, &token, &run(&prompt, r#"{"name": "Ada"}"#)).await;
    assert_eq!(execution["status"], "failed");
    let message = execution["error_message"].as_str().unwrap();
    assert!(message.contains("line 1") && message.contains("never closed"), "{message}");
    assert!(app.vendor.requests().is_empty());
}
