//! `/api/v1/prompts`: versions, lists and previews (contract 6 to 8).

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{api_keys::Scope, db::Statement, params, users::Role};
use tests::{Answer, TestApp, redacted};

const PROMPTS: &str = "/api/v1/prompts";
const PREVIEW: &str = "/api/v1/prompts/preview";
const NOBODY: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

async fn create(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(PROMPTS, token, body).send().await.data(201)
}

/// Prompts with these names, oldest first, created at different instants.
async fn create_named(app: &TestApp, token: &str, names: &[&str]) -> Vec<Value> {
    let mut created = Vec::new();
    for name in names {
        created.push(create(app, token, &json!({"name": name, "prompt": format!("Text of {name}")})).await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    created
}

fn path_of(prompt: &Value) -> String {
    format!("{PROMPTS}/{}", prompt["id"].as_str().expect("an id"))
}

async fn update(app: &TestApp, token: &str, prompt: &Value, body: &Value) -> Value {
    app.put(&path_of(prompt), token, body).send().await.data(200)
}

async fn page(app: &TestApp, token: &str, query: &str) -> Value {
    app.get(&format!("{PROMPTS}?{query}"), token).send().await.data(200)
}

fn names(prompts: &Value) -> Vec<&str> {
    prompts.as_array().expect("a list").iter().map(|prompt| prompt["name"].as_str().expect("a name")).collect()
}

/// A prompt whose input has a name.
fn greeting() -> Value {
    json!({
        "name": "greeting", "prompt": "Hello {{name}}",
        "json_schema_input": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    })
}

#[tokio::test]
async fn a_prompt_starts_with_version_one_and_leaves_out_what_was_not_given() {
    let (app, token) = TestApp::with_admin().await;
    let created = create(&app, &token, &json!({"name": "plain", "prompt": "Say {{what}}"})).await;
    let expected = json!({
        "id": "<id>", "name": "plain", "prompt": "Say {{what}}", "current_version": 1,
        "versions": [{"version": 1, "name": "plain", "prompt": "Say {{what}}", "created_at": "<time>"}],
        "created_at": "<time>", "updated_at": "<time>"
    });
    assert_eq!(redacted(&created), expected);
    assert_eq!(created["versions"][0]["created_at"], created["created_at"]);
    assert_eq!(app.get(&path_of(&created), &token).send().await.data(200), created);
}

#[tokio::test]
async fn a_prompt_keeps_its_hardened_schemas_and_its_known_options() {
    let (app, token) = TestApp::with_admin().await;
    let input = json!({
        "type": "object",
        "properties": {
            "a": {"type": ["object", "null"], "default": {"type": "object"}},
            "b": {"type": "array", "items": {"type": "object", "additionalProperties": true}},
            "c": {"const": {"type": "object"}, "examples": [{"type": "object"}]},
            "type": {"type": "string", "enum": ["object"]}
        },
        "example": {"last_name": "March 7", "made_at": "2001"}, "x-unknown": null
    });
    let response =
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "format": "no-such-format"});
    let body = json!({
        "name": "full", "prompt": "x", "json_schema_input": input, "json_schema_response": response,
        "options": {"acceptFileUpload": false, "webSearch": true, "colour": "red"}
    });
    let created = create(&app, &token, &body).await;
    let mut hardened = input;
    hardened["additionalProperties"] = json!(false);
    hardened["properties"]["a"]["additionalProperties"] = json!(false);
    let content = json!({
        "name": "full", "prompt": "x", "json_schema_input": hardened, "json_schema_response": response,
        "options": {"acceptFileUpload": false, "webSearch": true}
    });
    for (member, value) in content.as_object().unwrap() {
        assert_eq!(&created[member], value);
        assert_eq!(&created["versions"][0][member], value, "the version holds the same");
    }
    assert_eq!(app.get(&path_of(&created), &token).send().await.data(200), created);
}

#[tokio::test]
async fn a_new_prompt_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_admin().await;
    let with = |member: &str, value: Value| {
        let mut body = json!({"name": "a", "prompt": "b"});
        body[member] = value;
        body
    };
    let (input, response) = ("json_schema_input", "json_schema_response");
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({}), vec!["name", "prompt"]),
        (json!({"name": "", "prompt": ""}), vec!["name", "prompt"]),
        (json!({"name": null, "prompt": 1}), vec!["name", "prompt"]),
        (with("name", json!("ü".repeat(256))), vec!["name"]),
        (with(input, json!(null)), vec![input]),
        (with(input, json!("{}")), vec![input]),
        (with(response, json!([])), vec![response]),
        (with(response, json!(true)), vec![response]),
        (with("options", json!(null)), vec!["options"]),
        (with("options", json!([])), vec!["options"]),
        (
            with("options", json!({"acceptFileUpload": "yes", "webSearch": null})),
            vec!["options.acceptFileUpload", "options.webSearch"],
        ),
        (with("id", json!(NOBODY)), vec!["request"]),
        (
            json!({"name": "", "options": {"webSearch": 1}, "b": 1, "a": 2}),
            vec!["name", "options.webSearch", "prompt", "request"],
        ),
    ] {
        let mut found = app.post(PROMPTS, &token, &body).send().await.issues("body");
        found.sort();
        assert_eq!(found, fields, "{body}");
    }
    let unknown =
        app.post(PROMPTS, &token, &json!({"name": "a", "prompt": "b", "one": 1, "two": 2})).send().await.json();
    let message = unknown["error"][0]["message"].as_str().unwrap();
    assert!(message.contains("one") && message.contains("two"), "one issue names all: {message}");
    create(&app, &token, &with("name", json!("ü".repeat(255)))).await;
}

#[tokio::test]
async fn a_broken_schema_is_refused_when_the_prompt_is_saved() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = create(&app, &token, &json!({"name": "good", "prompt": "b"})).await;
    for broken in [
        json!({"type": "objekt"}),
        json!({"properties": []}),
        json!({"minLength": -1}),
        json!({"required": "name"}),
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"$ref": "#/$defs/nowhere"}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"$schema": "https://example.com/own-draft"}),
    ] {
        let body = json!({"name": "bad", "prompt": "b", "json_schema_input": broken, "json_schema_response": broken});
        let fields = ["json_schema_input", "json_schema_response"];
        assert_eq!(app.post(PROMPTS, &token, &body).send().await.issues("body"), fields, "{broken}");
        let body = json!({"json_schema_response": broken});
        let answer = app.put(&path_of(&prompt), &token, &body).send().await;
        assert_eq!(answer.issues("body"), ["json_schema_response"], "{broken}");
    }
    assert_eq!(app.get(&path_of(&prompt), &token).send().await.data(200), prompt);
}

#[tokio::test]
async fn a_name_is_taken_while_it_is_some_prompts_current_name() {
    let (app, token) = TestApp::with_admin().await;
    let first = create(&app, &token, &json!({"name": "one", "prompt": "x"})).await;
    let second = create(&app, &token, &json!({"name": "One", "prompt": "x"})).await;
    let taken = json!({"name": "one", "prompt": "y"});
    assert_eq!(app.post(PROMPTS, &token, &taken).send().await.refusal(400), "Validation Error");
    assert_eq!(app.put(&path_of(&second), &token, &taken).send().await.refusal(400), "Validation Error");
    assert_eq!(app.get(&path_of(&second), &token).send().await.data(200), second, "nothing was saved");
    update(&app, &token, &first, &json!({"name": "one"})).await;
    update(&app, &token, &first, &json!({"name": "first"})).await;
    update(&app, &token, &second, &json!({"name": "one"})).await;
    assert_eq!(update(&app, &token, &first, &json!({"prompt": "z"})).await["name"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_prompts_with_one_name_created_at_once_one_is_kept() {
    let (app, token) = TestApp::with_admin().await;
    for round in 0..5 {
        let body = json!({"name": format!("prompt {round}"), "prompt": "x"});
        let send = || app.post(PROMPTS, &token, &body).send();
        let (one, other) = tokio::join!(send(), send());
        let (winner, loser) = if one.status.as_u16() == 201 { (one, other) } else { (other, one) };
        winner.data(201);
        assert_eq!(loser.refusal(400), "Validation Error");
    }
}

#[tokio::test]
async fn only_different_content_makes_a_version_and_every_update_moves_the_time() {
    let (app, token) = TestApp::with_admin().await;
    let mut body = greeting();
    body["options"] = json!({"webSearch": true});
    let prompt = create(&app, &token, &body).await;
    let in_other_order = json!({"required": ["name"], "properties": {"name": {"type": "string"}}, "type": "object"});
    let hardened = prompt["json_schema_input"].clone();
    for (what, edit, version) in [
        ("nothing", json!({}), 1),
        ("equal values", body.clone(), 1),
        ("the schema as it came back", json!({"prompt": "Hello {{name}}", "json_schema_input": hardened}), 1),
        ("the schema in another order", json!({"json_schema_input": in_other_order}), 1),
        ("equal options with an unknown one", json!({"options": {"webSearch": true, "colour": 1}}), 1),
        ("another name", json!({"name": "other"}), 2),
        ("another text", json!({"prompt": "Bye {{name}}", "json_schema_input": hardened}), 3),
        ("another schema", json!({"json_schema_input": {"type": "object"}}), 4),
        ("an empty schema", json!({"json_schema_response": {}}), 5),
        ("other options", json!({"options": {"acceptFileUpload": false}}), 6),
        ("no options", json!({"options": {}}), 7),
    ] {
        let before = app.get(&path_of(&prompt), &token).send().await.data(200);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let after = update(&app, &token, &prompt, &edit).await;
        assert_eq!(after["current_version"], version, "{what}");
        assert_eq!(after["versions"].as_array().unwrap().len(), version, "{what}");
        assert!(after["updated_at"].as_str() > before["updated_at"].as_str(), "{what}");
        assert_eq!(after["created_at"], before["created_at"], "{what}");
        assert_eq!(app.get(&path_of(&prompt), &token).send().await.data(200), after);
    }
}

#[tokio::test]
async fn an_update_with_a_text_replaces_both_schemas_and_one_without_keeps_them() {
    let (app, token) = TestApp::with_admin().await;
    let mut body = greeting();
    body["json_schema_response"] = json!({"type": "string"});
    let prompt = create(&app, &token, &body).await;
    let (input, response) = ("json_schema_input", "json_schema_response");

    let renamed = update(&app, &token, &prompt, &json!({"name": "other"})).await;
    assert_eq!((&renamed[input], &renamed[response]), (&prompt[input], &prompt[response]));
    let with_options = update(&app, &token, &prompt, &json!({"options": {"webSearch": true}})).await;
    assert_eq!((&with_options[input], &with_options[response]), (&prompt[input], &prompt[response]));

    let removed = update(&app, &token, &prompt, &json!({"prompt": "Hello {{name}}", input: body[input]})).await;
    assert_eq!(removed["current_version"], 4, "a removal alone is a change");
    assert_eq!((&removed[input], removed.get(response)), (&prompt[input], None));
    assert_eq!(removed["options"], json!({"webSearch": true}), "options stay");
    let removed = update(&app, &token, &prompt, &json!({"prompt": "Hello {{name}}"})).await;
    assert_eq!((removed.get(input), removed.get(response)), (None, None));

    let versions = removed["versions"].as_array().unwrap();
    let numbers: Vec<_> = versions.iter().map(|version| version["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5], "oldest first");
    assert_eq!(versions[0], prompt["versions"][0], "old versions keep what they had");
    assert_eq!((&versions[3][input], versions[3].get(response)), (&prompt[input], None));
    assert!(versions[4].get(input).is_none());
    let shown = json!({"version": 5, "name": "other", "prompt": "Hello {{name}}", "options": {"webSearch": true}, "created_at": "<time>"});
    assert_eq!(redacted(&versions[4]), shown);
}

#[tokio::test]
async fn an_update_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = create(&app, &token, &greeting()).await;
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({"name": "", "prompt": ""}), vec!["name", "prompt"]),
        (json!({"name": null, "prompt": null, "options": null}), vec!["name", "options", "prompt"]),
        (json!({"name": "ü".repeat(256)}), vec!["name"]),
        (
            json!({"json_schema_input": null, "json_schema_response": 1}),
            vec!["json_schema_input", "json_schema_response"],
        ),
        (json!({"options": {"webSearch": "yes"}}), vec!["options.webSearch"]),
        (json!({"current_version": 1, "versions": []}), vec!["request"]),
    ] {
        let mut found = app.put(&path_of(&prompt), &token, &body).send().await.issues("body");
        found.sort();
        assert_eq!(found, fields, "{body}");
    }
    assert_eq!(app.get(&path_of(&prompt), &token).send().await.data(200), prompt);
}

#[tokio::test]
async fn an_unknown_prompt_is_missing_and_an_id_that_is_none_is_invalid() {
    let (app, token) = TestApp::with_admin().await;
    let missing = format!("{PROMPTS}/{NOBODY}");
    assert_eq!(app.get(&missing, &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.put(&missing, &token, &greeting()).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&missing, &token).send().await.refusal(404), "Not Found");
    for id in ["x", "123", "0b9f8a52-6f0e-9c83-9a55-2f4c3f6f2a10", "0b9f8a526f0e4c839a552f4c3f6f2a10", "%20"] {
        let path = format!("{PROMPTS}/{id}");
        assert_eq!(app.get(&path, &token).send().await.issues("param"), ["id"], "{id}");
        assert_eq!(app.put(&path, &token, &json!({})).send().await.issues("param"), ["id"], "{id}");
        assert_eq!(app.delete(&path, &token).send().await.issues("param"), ["id"], "{id}");
    }
    for id in ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        assert_eq!(app.get(&format!("{PROMPTS}/{id}"), &token).send().await.refusal(404), "Not Found", "{id}");
    }
}

#[tokio::test]
async fn a_deleted_prompt_is_gone_and_its_name_is_free() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = create(&app, &token, &greeting()).await;
    let answer = app.delete(&path_of(&prompt), &token).send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(app.get(&path_of(&prompt), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&path_of(&prompt), &token).send().await.refusal(404), "Not Found");
    assert_eq!(page(&app, &token, "").await["total"], 0);
    create(&app, &token, &greeting()).await;
}

#[tokio::test]
async fn the_list_has_pages_with_their_place_in_the_whole() {
    let (app, token) = TestApp::with_admin().await;
    let empty =
        json!({"data": [], "total": 0, "page": 1, "limit": 10, "totalPages": 0, "hasNext": false, "hasPrev": false});
    assert_eq!(app.get(PROMPTS, &token).send().await.data(200), empty);
    let named: Vec<String> = (1..=11).map(|number| format!("p{number:02}")).collect();
    let created = create_named(&app, &token, &named.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let first = app.get(PROMPTS, &token).send().await.data(200);
    let mut newest_first: Vec<Value> = created.into_iter().rev().collect();
    assert_eq!(first["data"], json!(newest_first[..10]), "complete prompts, newest first, ten at a time");
    newest_first.drain(..10);
    let second = page(&app, &token, "page=2").await;
    let expected = json!({
        "data": newest_first, "total": 11, "page": 2, "limit": 10, "totalPages": 2, "hasNext": false, "hasPrev": true
    });
    assert_eq!(second, expected);
    let middle = page(&app, &token, "page=2&limit=4").await;
    assert_eq!(names(&middle["data"]), ["p07", "p06", "p05", "p04"]);
    assert_eq!(
        (&middle["totalPages"], &middle["hasNext"], &middle["hasPrev"]),
        (&json!(3), &json!(true), &json!(true))
    );
    let past_the_end = page(&app, &token, "page=9&limit=4").await;
    let expected =
        json!({"data": [], "total": 11, "page": 9, "limit": 4, "totalPages": 3, "hasNext": false, "hasPrev": true});
    assert_eq!(past_the_end, expected);
    assert_eq!(page(&app, &token, "limit=1000&page=0001").await["data"].as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn the_list_sorts_by_each_key_and_keeps_ties_in_place() {
    let (app, token) = TestApp::with_admin().await;
    let created = create_named(&app, &token, &["b", "Z", "a", "é"]).await;
    update(&app, &token, &created[1], &json!({})).await;
    for (query, order) in [
        ("", ["é", "a", "Z", "b"]),
        ("orderDirection=ASC", ["b", "Z", "a", "é"]),
        ("orderBy=created_at&orderDirection=DESC", ["é", "a", "Z", "b"]),
        ("orderBy=name", ["é", "b", "a", "Z"]),
        ("orderBy=name&orderDirection=ASC", ["Z", "a", "b", "é"]),
        ("orderBy=updated_at", ["Z", "é", "a", "b"]),
        ("orderBy=updated_at&orderDirection=ASC", ["b", "a", "é", "Z"]),
    ] {
        assert_eq!(names(&page(&app, &token, query).await["data"]), order, "{query}");
    }
    let same = Statement::new("UPDATE prompts SET created_at = ?1", params!["2026-01-31T09:15:00.000Z"]);
    app.db.write(vec![same]).await.unwrap();
    let mut seen = Vec::new();
    for number in 1..=4 {
        let one = page(&app, &token, &format!("limit=1&page={number}")).await;
        seen.push(names(&one["data"])[0].to_owned());
    }
    let whole = page(&app, &token, "").await;
    assert_eq!(seen, names(&whole["data"]), "no row repeats or vanishes between pages");
    let mut backwards = page(&app, &token, "orderDirection=ASC").await;
    backwards["data"].as_array_mut().unwrap().reverse();
    assert_eq!(backwards["data"], whole["data"]);
}

#[tokio::test]
async fn search_finds_literal_text_in_name_and_prompt() {
    let (app, token) = TestApp::with_admin().await;
    for (name, text) in
        [("100% sure", "x"), ("100 apples", "like_this"), ("ÄRGER", "likeXthis"), ("plain", "Say \"100%\"")]
    {
        create(&app, &token, &json!({"name": name, "prompt": text})).await;
    }
    for (search, found) in [
        ("100%25", vec!["100% sure", "plain"]),
        ("LIKE_", vec!["100 apples"]),
        ("%25", vec!["100% sure", "plain"]),
        ("_", vec!["100 apples"]),
        ("APPLES", vec!["100 apples"]),
        ("%C3%A4rger", vec![]),
        ("%C3%84rger", vec!["ÄRGER"]),
        ("say+%22", vec!["plain"]),
        ("%5C", vec![]),
        ("'", vec![]),
        ("nothing", vec![]),
        ("", vec!["100 apples", "100% sure", "plain", "ÄRGER"]),
    ] {
        let data = page(&app, &token, &format!("orderBy=name&orderDirection=ASC&search={search}")).await;
        assert_eq!(names(&data["data"]), found, "{search}");
        assert_eq!(data["total"], found.len(), "{search}");
    }
    let data = page(&app, &token, "search=100&limit=1&page=2&orderBy=name&orderDirection=ASC").await;
    assert_eq!((names(&data["data"]), &data["total"], &data["totalPages"]), (vec!["100% sure"], &json!(3), &json!(3)));
}

#[tokio::test]
async fn queries_of_lists_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_admin().await;
    for (query, fields) in [
        ("?page=0&limit=0&orderBy=id&orderDirection=asc", vec!["limit", "orderBy", "orderDirection", "page"]),
        ("?limit=1001", vec!["limit"]),
        ("?page=4294967296", vec!["page"]),
        ("?page=1.5&limit=ten", vec!["limit", "page"]),
        ("?orderBy=&orderDirection=", vec!["orderBy", "orderDirection"]),
        ("?orderBy=name&orderBy=name", vec!["orderBy"]),
        ("?colour=red&Page=1", vec!["request"]),
        ("/recent?limit=0", vec!["limit"]),
        ("/recent?limit=51", vec!["limit"]),
        ("/recent?limit=", vec!["limit"]),
        ("/recent?limit=5x", vec!["limit"]),
        ("/recent?limit=1&limit=2", vec!["limit"]),
        ("/recent?page=1", vec!["request"]),
    ] {
        let mut found = app.get(&format!("{PROMPTS}{query}"), &token).send().await.issues("query");
        found.sort();
        assert_eq!(found, fields, "{query}");
    }
}

#[tokio::test]
async fn recent_prompts_are_the_newest_ten_or_as_many_as_asked_for() {
    let (app, token) = TestApp::with_admin().await;
    let recent = async |query: &str| app.get(&format!("{PROMPTS}/recent{query}"), &token).send().await.data(200);
    assert_eq!(recent("").await, json!([]), "the literal segment wins over an id");
    let named: Vec<String> = (1..=12).map(|number| format!("p{number:02}")).collect();
    let mut created = create_named(&app, &token, &named.iter().map(String::as_str).collect::<Vec<_>>()).await;
    created.reverse();
    assert_eq!(recent("").await, json!(created[..10]));
    assert_eq!(recent("?limit=1").await, json!(created[..1]));
    assert_eq!(recent("?limit=50").await, json!(created));
}

#[tokio::test]
async fn search_by_name_finds_literal_text_newest_first() {
    let (app, token) = TestApp::with_admin().await;
    let created = create_named(&app, &token, &["100% sure", "a/b_c", "SURE thing"]).await;
    let search = async |pattern: &str| app.get(&format!("{PROMPTS}/search/{pattern}"), &token).send().await.data(200);
    assert_eq!(search("sure").await, json!([created[2], created[0]]), "complete prompts");
    for (pattern, found) in [
        ("%25", vec!["100% sure"]),
        ("_", vec!["a/b_c"]),
        ("A%2FB", vec!["a/b_c"]),
        ("text", vec![]),
        ("recent", vec![]),
        ("%20", vec!["SURE thing", "100% sure"]),
        ("sure?colour=red", vec!["SURE thing", "100% sure"]),
    ] {
        assert_eq!(names(&search(pattern).await), found, "{pattern}");
    }
    let broken = app.get(&format!("{PROMPTS}/search/%ff"), &token).send().await;
    assert_eq!(broken.bare(400), "Bad Request", "no text");
}

#[tokio::test]
async fn the_select_list_names_prompts_and_versions_newest_first() {
    let (app, token) = TestApp::with_admin().await;
    let list = async || app.get(&format!("{PROMPTS}/select-list?page=0&x=y"), &token).send().await.data(200);
    assert_eq!(list().await, json!({"items": []}));
    let created = create_named(&app, &token, &["old", "new"]).await;
    let changed = update(&app, &token, &created[0], &json!({"name": "renamed"})).await;
    let versions = &changed["versions"];
    let expected = json!({"items": [
        {"id": created[1]["id"], "name": "new", "versions": [
            {"version": 1, "date": created[1]["versions"][0]["created_at"], "name": "new"}
        ]},
        {"id": created[0]["id"], "name": "renamed", "versions": [
            {"version": 2, "date": versions[1]["created_at"], "name": "renamed"},
            {"version": 1, "date": versions[0]["created_at"], "name": "old"}
        ]}
    ]});
    assert_eq!(list().await, expected);
}

async fn preview(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.post(PREVIEW, token, body).send().await
}

#[tokio::test]
async fn a_preview_of_a_text_is_compiled_without_escaping() {
    let (app, token) = TestApp::with_admin().await;
    for (text, input, compiled) in [
        (
            "Hello {{name}}, {{{name}}}, {{&name}}",
            r#"{"name": "A&B <\"'/`="}"#,
            "Hello A&B <\"'/`=, A&B <\"'/`=, A&B <\"'/`=",
        ),
        ("{{#list}}{{.}};{{/list}}{{^none}}none{{/none}}", r#"{"list": [1, 2.5, true]}"#, "1;2.5;true;none"),
        (
            "{{o}} {{l}} {{constructor}}{{missing}}{{null}}",
            r#"{"o": {"a": 1}, "l": [1, "x"], "null": null}"#,
            r#"{"a":1} [1,"x"] "#,
        ),
        ("{{a.b}}{{> partial}}", r#"{"a": {"b": "deep"}}"#, "deep"),
        ("{{.}}", "7", "7"),
        ("{{0}}{{length}}", r#"["first", "second"]"#, "first2"),
        ("no tags", "{}", "no tags"),
    ] {
        let body = json!({"promptText": text, "userInput": input});
        assert_eq!(preview(&app, &token, &body).await.data(200), json!({"compiledPrompt": compiled}), "{text}");
    }
}

#[tokio::test]
async fn a_preview_that_cannot_be_compiled_says_why() {
    let (app, token) = TestApp::with_admin().await;
    for (text, input, reason) in [
        ("{{name", "{}", "never closed"),
        ("a\n{{#list}}", "{}", "line 2"),
        ("{{/list}}", "{}", "never opened"),
        ("{{=x}}", "{}", "delimiter"),
        ("fine", "plain", "JSON"),
        ("fine", "{'a': 1}", "JSON"),
        ("fine", " ", "JSON"),
        ("fine", "null", "null"),
    ] {
        let body = json!({"promptText": text, "userInput": input});
        let data = preview(&app, &token, &body).await.data(400);
        assert_eq!((&data["error"], data.get("details")), (&json!("Compilation Error"), None), "{text} {input}");
        let message = data["message"].as_str().unwrap();
        assert!(message.contains(reason) && !message.contains("test data"), "{message}");
    }
}

#[tokio::test]
async fn a_preview_of_a_stored_prompt_shows_what_an_execution_would_send() {
    let (app, token) = TestApp::with_admin().await;
    let prompt = create(&app, &token, &json!({"name": "greeting", "prompt": "Hi {{name}}"})).await;
    update(&app, &token, &prompt, &greeting()).await;
    let of = |version: Option<u32>, input: &str| {
        let mut body = json!({"promptId": prompt["id"], "userInput": input});
        body.as_object_mut().unwrap().extend(version.map(|version| ("version".to_owned(), json!(version))));
        body
    };
    let ada = r#"{"name": "Ada"}"#;
    for (version, compiled) in [(None, "Hello Ada"), (Some(2), "Hello Ada"), (Some(1), "Hi {{name}}")] {
        let data = preview(&app, &token, &of(version, ada)).await.data(200);
        assert_eq!(data, json!({"compiledPrompt": compiled}), "{version:?}");
    }
    assert_eq!(preview(&app, &token, &of(Some(3), ada)).await.refusal(404), "Not Found");
    let unknown = json!({"promptId": NOBODY, "userInput": ada});
    assert_eq!(preview(&app, &token, &unknown).await.refusal(404), "Not Found");
    let mut with_empty_text = of(None, ada);
    with_empty_text["promptText"] = json!("");
    assert_eq!(preview(&app, &token, &with_empty_text).await.data(200)["compiledPrompt"], "Hello Ada");
    update(&app, &token, &prompt, &json!({"prompt": "Anything", "json_schema_input": {}})).await;
    for (input, reason) in [("plain", "JSON"), ("null", "null")] {
        let data = preview(&app, &token, &of(None, input)).await.data(400);
        assert_eq!((&data["error"], data.get("details")), (&json!("Compilation Error"), None), "{input}");
        assert!(data["message"].as_str().unwrap().contains(reason), "{data}");
    }
}

#[tokio::test]
async fn a_preview_lists_how_the_input_violates_the_schema() {
    let (app, token) = TestApp::with_admin().await;
    let mut body = greeting();
    body["json_schema_input"] = json!({
        "type": "object", "required": ["name", "tags"],
        "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string", "minLength": 2}}}
    });
    let prompt = create(&app, &token, &body).await;
    let violate = async |input: Value| {
        let body = json!({"promptId": prompt["id"], "userInput": input.to_string()});
        let data = preview(&app, &token, &body).await.data(400);
        assert_eq!(data["error"], "Compilation Error");
        let mut details = data["details"].as_array().expect("a list").clone();
        details.sort_by_key(|detail| detail["schemaPath"].to_string());
        for detail in &details {
            let line = format!(
                "{} {}",
                detail["instancePath"].as_str().expect("a path"),
                detail["message"].as_str().expect("a text")
            );
            let message = data["message"].as_str().expect("a text");
            assert!(message.contains(line.trim_start()), "{line} in {message}");
        }
        details
    };
    let expected = [
        json!({
            "instancePath": "", "schemaPath": "#/additionalProperties", "keyword": "additionalProperties",
            "params": {"additionalProperty": "age"}, "message": "must not have property 'age'"
        }),
        json!({
            "instancePath": "/name", "schemaPath": "#/properties/name/type", "keyword": "type",
            "params": {"type": "string"}, "message": "must be string"
        }),
        json!({
            "instancePath": "", "schemaPath": "#/required", "keyword": "required",
            "params": {"missingProperty": "tags"}, "message": "must have required property 'tags'"
        }),
    ];
    assert_eq!(violate(json!({"name": 1, "age": 7})).await, expected);
    let expected = [json!({
        "instancePath": "/tags/1", "schemaPath": "#/properties/tags/items/minLength", "keyword": "minLength",
        "params": {"limit": 2}, "message": "must be at least 2 characters long"
    })];
    assert_eq!(violate(json!({"name": "a", "tags": ["bb", "c"]})).await, expected);
}

#[tokio::test]
async fn a_preview_request_must_satisfy_every_rule() {
    let (app, token) = TestApp::with_admin().await;
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({}), vec!["userInput"]),
        (json!({"userInput": "{}"}), vec!["promptId.promptText"]),
        (json!({"userInput": "{}", "promptText": ""}), vec!["promptId.promptText"]),
        (json!({"userInput": "{}", "promptText": "x", "promptId": NOBODY}), vec!["promptId.promptText"]),
        (json!({"userInput": "", "promptText": "x"}), vec!["userInput"]),
        (
            json!({"userInput": null, "promptText": null, "promptId": null, "version": null}),
            vec!["promptId", "promptText", "userInput", "version"],
        ),
        (json!({"userInput": {"a": 1}, "promptText": 1}), vec!["promptText", "userInput"]),
        (json!({"userInput": "{}", "promptId": "x"}), vec!["promptId"]),
        (json!({"userInput": "{}", "promptId": NOBODY, "version": 0}), vec!["version"]),
        (json!({"userInput": "{}", "promptId": NOBODY, "version": -1}), vec!["version"]),
        (json!({"userInput": "{}", "promptId": NOBODY, "version": 1.5}), vec!["version"]),
        (json!({"userInput": "{}", "promptId": NOBODY, "version": "1"}), vec!["version"]),
        (json!({"userInput": "{}", "promptText": "x", "promptVersion": 1}), vec!["request"]),
    ] {
        let mut found = preview(&app, &token, &body).await.issues("body");
        found.sort();
        assert_eq!(found, fields, "{body}");
    }
}

#[tokio::test]
async fn viewers_read_and_preview_and_change_nothing() {
    let (app, admin) = TestApp::with_admin().await;
    let prompt = create(&app, &admin, &greeting()).await;
    let path = path_of(&prompt);
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let reads = [PROMPTS, &path, "/api/v1/prompts/select-list", "/api/v1/prompts/recent", "/api/v1/prompts/search/x"];
    for read in reads {
        app.get(read, &viewer).send().await.data(200);
        assert_eq!(app.call("GET", read).send().await.bare(401), "Unauthorized", "{read}");
    }
    let body = json!({"promptText": "x", "userInput": "{}"});
    preview(&app, &viewer, &body).await.data(200);
    assert_eq!(app.call("POST", PREVIEW).json(&body).send().await.bare(401), "Unauthorized");
    for (method, path) in [("POST", PROMPTS), ("PUT", &path), ("DELETE", &path)] {
        let call = || app.call(method, path).json(&json!({"name": "b", "prompt": "c"}));
        assert_eq!(call().bearer(&viewer).send().await.bare(403), "Forbidden", "{method}");
        assert_eq!(call().send().await.bare(401), "Unauthorized", "{method}");
    }
    let user = app.sign_up("user@example.com", Role::User).await;
    update(&app, &user, &prompt, &json!({"name": "b"})).await;
    assert_eq!(app.delete(&path, &user).send().await.status.as_u16(), 204);
}

#[tokio::test]
async fn api_keys_read_and_preview_as_their_scopes_say() {
    let (app, token) = TestApp::with_admin().await;
    let path = path_of(&create(&app, &token, &greeting()).await);
    let reader = app.add_api_key("admin@example.com", &[Scope::PromptsRead]).await;
    let previewer = app.add_api_key("admin@example.com", &[Scope::PromptsPreview]).await;
    let body = json!({"promptText": "x", "userInput": "{}"});
    let preview = |key: &str| app.call("POST", PREVIEW).api_key(key).json(&body);
    let read = |key: &str| app.call("GET", &path).api_key(key);
    read(&reader).send().await.data(200);
    preview(&previewer).send().await.data(200);
    assert_eq!(read(&previewer).send().await.bare(403), "Forbidden");
    assert_eq!(preview(&reader).send().await.bare(403), "Forbidden");
    assert_eq!(app.call("GET", PROMPTS).api_key(&reader).send().await.bare(403), "Forbidden");
}

#[tokio::test]
async fn what_is_nested_too_deeply_to_be_read_again_is_refused() {
    let (app, token) = TestApp::with_admin().await;
    let nested = |levels: usize| {
        let schema = (1..levels).fold(json!({}), |inner, _| json!({"not": inner}));
        json!({"name": "nested", "prompt": "x", "json_schema_input": schema})
    };
    for levels in [100, 125, 126, 127] {
        assert_eq!(app.post(PROMPTS, &token, &nested(levels)).send().await.issues("body"), ["request"], "{levels}");
    }
    let created = create(&app, &token, &nested(99)).await;
    assert_eq!(page(&app, &token, "").await["data"], json!([created]));
}

#[tokio::test]
async fn control_characters_in_a_search_are_no_failure() {
    let (app, token) = TestApp::with_admin().await;
    create(&app, &token, &greeting()).await;
    for path in ["?search=%00", "?search=a%00b", "/search/%00", "/search/a%0Ab"] {
        let answer = app.get(&format!("{PROMPTS}{path}"), &token).send().await;
        assert!(matches!(answer.status.as_u16(), 200 | 422), "{path}: {}", answer.text);
    }
}
