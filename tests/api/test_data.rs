//! Groups of test data and their items (contract 13, defects T-01 to T-05).

use serde_json::{Value, json};
use shared_core::users::Role;
use tests::TestApp;

const GROUPS: &str = "/api/v1/test-data/groups";
const MISSING: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

async fn group(app: &TestApp, token: &str, name: &str, mode: &str) -> String {
    let data = app.post(GROUPS, token, &json!({"name": name, "mode": mode})).send().await.data(201);
    data["id"].as_str().expect("an id").to_owned()
}

async fn item(app: &TestApp, token: &str, group: &str, body: Value) -> Value {
    app.post(&format!("{GROUPS}/{group}/items"), token, &body).send().await.data(201)
}

fn values<'a>(page: &'a Value, member: &str) -> Vec<&'a str> {
    let entries = page["data"].as_array().expect("a list");
    entries.iter().map(|entry| entry[member].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_group_is_created_read_changed_and_deleted() {
    let (app, token) = TestApp::with_admin().await;
    let body = json!({"name": "Cases", "description": "", "mode": "raw"});
    let created = app.post(&format!("{GROUPS}/"), &token, &body).send().await.data(201);
    assert_eq!(
        (&created["name"], &created["description"], &created["mode"]),
        (&json!("Cases"), &json!(""), &json!("raw"))
    );
    let path = format!("{GROUPS}/{}", created["id"].as_str().unwrap());
    assert_eq!(app.get(&path, &token).send().await.data(200), created);

    let changed = app.put(&path, &token, &json!({"name": "Other", "mode": "json"})).send().await.data(200);
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["mode"]),
        (&json!("Other"), &json!(""), &json!("json"))
    );
    assert_eq!(app.get(&path, &token).send().await.data(200), changed, "the mode is applied (T-01)");

    let gone = app.delete(&path, &token).send().await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(app.get(&path, &token).send().await.refusal(404), "Not found");
    assert_eq!(app.put(&path, &token, &json!({"mode": "raw"})).send().await.refusal(404), "Not found");
    assert_eq!(app.delete(&path, &token).send().await.refusal(404), "Not found");
}

#[tokio::test]
async fn group_names_are_unique_case_sensitively() {
    let (app, token) = TestApp::with_admin().await;
    group(&app, &token, "cases", "raw").await;
    let other = group(&app, &token, "Cases", "raw").await;
    let again = app.post(GROUPS, &token, &json!({"name": "cases", "mode": "json"})).send().await;
    assert_eq!(again.refusal(400), "Validation error");
    let path = format!("{GROUPS}/{other}");
    let renamed = app.put(&path, &token, &json!({"name": "cases", "mode": "raw"})).send().await;
    assert_eq!(renamed.refusal(400), "Validation error");
    app.put(&path, &token, &json!({"name": "Cases", "mode": "raw"})).send().await.data(200);
}

#[tokio::test]
async fn bodies_are_checked_as_a_whole() {
    let (app, token) = TestApp::with_admin().await;
    let id = group(&app, &token, "cases", "raw").await;
    let issues = async |path: &str, body: Value| app.post(path, &token, &body).send().await.issues("body");
    let long = "x".repeat(256);
    let wrong = json!({"name": long, "mode": "xml", "description": null, "colour": "red"});
    let mut fields = issues(GROUPS, wrong).await;
    fields.sort();
    assert_eq!(fields, ["description", "mode", "name", "request"]);
    assert_eq!(issues(GROUPS, json!({"name": ""})).await.len(), 2);
    let items = format!("{GROUPS}/{id}/items");
    assert_eq!(issues(&items, json!({"content": ""})).await, ["content"]);
    assert_eq!(issues(&items, json!({"name": "a"})).await, ["content"]);
    let bulk = format!("{items}/bulk");
    assert_eq!(issues(&bulk, json!({"items": []})).await, ["items"]);
    assert_eq!(issues(&bulk, json!({"items": vec![json!({"content": "x"}); 1001]})).await, ["items"]);
    let mixed = json!({"items": [{"content": "x", "colour": "dropped"}, {"name": 1, "content": ""}]});
    let mut fields = issues(&bulk, mixed).await;
    fields.sort();
    assert_eq!(fields, ["items.1.content", "items.1.name"]);
    let path = format!("{GROUPS}/{id}");
    assert_eq!(app.put(&path, &token, &json!({"name": "x"})).send().await.issues("body"), ["mode"]);
    let compile = "/api/v1/test-data/compile-prompt";
    let wrong = json!({"promptId": "x", "testDataItemId": MISSING, "promptVersion": 0});
    let mut fields = issues(compile, wrong).await;
    fields.sort();
    assert_eq!(fields, ["promptId", "promptVersion"]);
}

#[tokio::test]
async fn unknown_query_parameters_are_refused_except_by_the_select_list() {
    let (app, token) = TestApp::with_admin().await;
    for (method, path) in [
        ("GET", GROUPS.to_owned()),
        ("POST", GROUPS.to_owned()),
        ("GET", format!("{GROUPS}/{MISSING}")),
        ("PUT", format!("{GROUPS}/{MISSING}")),
        ("DELETE", format!("{GROUPS}/{MISSING}")),
        ("GET", format!("{GROUPS}/{MISSING}/items")),
        ("POST", format!("{GROUPS}/{MISSING}/items")),
        ("POST", format!("{GROUPS}/{MISSING}/items/bulk")),
        ("GET", format!("/api/v1/test-data/items/{MISSING}")),
        ("PUT", format!("/api/v1/test-data/items/{MISSING}")),
        ("DELETE", format!("/api/v1/test-data/items/{MISSING}")),
        ("POST", "/api/v1/test-data/compile-prompt".to_owned()),
    ] {
        let answer = app.call(method, &format!("{path}?colour=red")).bearer(&token).send().await;
        assert_eq!(answer.issues("query"), ["request"], "{method} {path}");
    }
    app.get("/api/v1/test-data/select-list?colour=red", &token).send().await.data(200);
    for path in [format!("{GROUPS}/x"), format!("{GROUPS}/x/items"), "/api/v1/test-data/items/x".to_owned()] {
        assert_eq!(app.get(&path, &token).send().await.issues("param").len(), 1, "{path}");
    }
}

#[tokio::test]
async fn groups_are_searched_sorted_and_paged() {
    let (app, token) = TestApp::with_admin().await;
    for (name, description) in [("b 100%", "x"), ("a_b", "Find ME"), ("C", "x")] {
        let body = json!({"name": name, "description": description, "mode": "raw"});
        app.post(GROUPS, &token, &body).send().await.data(201);
    }
    group(&app, &token, "d", "raw").await;
    let list = async |query: &str| app.get(&format!("{GROUPS}?{query}"), &token).send().await.data(200);
    assert_eq!(values(&list("orderBy=name&orderDirection=ASC").await, "name"), ["C", "a_b", "b 100%", "d"]);
    assert_eq!(values(&list("search=find%20me").await, "name"), ["a_b"], "in the description");
    assert_eq!(values(&list("search=%25").await, "name"), ["b 100%"], "literally");
    assert_eq!(values(&list("search=_").await, "name"), ["a_b"], "literally");
    assert_eq!(list("search=").await["total"], 4);
    let page = list("orderBy=updated_at&limit=3&page=2").await;
    assert_eq!(
        (&page["total"], &page["totalPages"], &page["hasNext"], &page["hasPrev"]),
        (&json!(4), &json!(2), &json!(false), &json!(true))
    );
    assert_eq!(app.get(&format!("{GROUPS}?orderBy=mode"), &token).send().await.issues("query"), ["orderBy"]);

    let choices = app.get("/api/v1/test-data/select-list", &token).send().await.data(200);
    let newest = choices["items"][0].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((newest, choices["items"].as_array().unwrap().len()), (vec!["id", "name"], 4));
}

#[tokio::test]
async fn an_item_is_created_read_changed_and_deleted() {
    let (app, token) = TestApp::with_admin().await;
    let group = group(&app, &token, "cases", "raw").await;
    let created = item(&app, &token, &group, json!({"name": "", "content": "no JSON"})).await;
    assert_eq!(
        (&created["group_id"], &created["name"], &created["content"]),
        (&json!(group), &json!(""), &json!("no JSON"))
    );
    let path = format!("/api/v1/test-data/items/{}", created["id"].as_str().unwrap());
    assert_eq!(app.get(&path, &token).send().await.data(200), created);
    let changed = app.put(&path, &token, &json!({"content": "other"})).send().await.data(200);
    assert_eq!((&changed["name"], &changed["content"]), (&json!(""), &json!("other")));
    let unnamed = item(&app, &token, &group, json!({"content": "x"})).await;
    assert!(unnamed.get("name").is_none());

    assert_eq!(app.delete(&path, &token).send().await.status.as_u16(), 204);
    for answer in [
        app.get(&path, &token).send().await,
        app.put(&path, &token, &json!({})).send().await,
        app.delete(&path, &token).send().await,
        app.get(&format!("{GROUPS}/{MISSING}/items"), &token).send().await,
        app.post(&format!("{GROUPS}/{MISSING}/items"), &token, &json!({"content": "x"})).send().await,
        app.post(&format!("{GROUPS}/{MISSING}/items/bulk"), &token, &json!({"items": [{"content": "x"}]})).send().await,
    ] {
        assert_eq!(answer.refusal(404), "Not found");
    }
}

#[tokio::test]
async fn items_are_listed_within_their_group() {
    let (app, token) = TestApp::with_admin().await;
    let (one, two) = (group(&app, &token, "one", "raw").await, group(&app, &token, "two", "raw").await);
    item(&app, &token, &two, json!({"name": "elsewhere", "content": "x"})).await;
    for (name, content) in [(Some("b"), "1"), (None, "2 NEEDLE"), (Some("a needle"), "3")] {
        let body = match name {
            Some(name) => json!({"name": name, "content": content}),
            None => json!({"content": content}),
        };
        item(&app, &token, &one, body).await;
    }
    let path = format!("{GROUPS}/{one}/items");
    let list = async |query: &str| app.get(&format!("{path}?{query}"), &token).send().await.data(200);
    assert_eq!(values(&list("limit=1000&orderBy=name&orderDirection=ASC").await, "name"), ["", "a needle", "b"]);
    assert_eq!(values(&list("orderBy=name").await, "name"), ["b", "a needle", ""]);
    assert_eq!(values(&list("search=Needle&orderBy=name&orderDirection=ASC").await, "content"), ["2 NEEDLE", "3"]);
    assert_eq!(list("").await["total"], 3);
}

#[tokio::test]
async fn json_groups_hold_json_of_any_kind_only() {
    let (app, token) = TestApp::with_admin().await;
    let group = group(&app, &token, "cases", "json").await;
    let items = format!("{GROUPS}/{group}/items");
    for content in ["{}", "[1]", "null", "\"text\"", " 1.5 "] {
        item(&app, &token, &group, json!({"content": content})).await;
    }
    for content in ["{", "text", "{'a': 1}", " "] {
        let answer = app.post(&items, &token, &json!({"content": content})).send().await;
        assert_eq!(answer.refusal(400), "Invalid format", "{content}");
    }
    let id = item(&app, &token, &group, json!({"content": "{}"})).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/test-data/items/{id}");
    let answer = app.put(&path, &token, &json!({"content": "text"})).send().await;
    assert_eq!(answer.refusal(400), "Invalid format", "T-02");
    app.put(&path, &token, &json!({"name": "only the name"})).send().await.data(200);

    let bulk = format!("{items}/bulk");
    let body = json!({"items": [{"content": "1"}, {"content": "2"}, {"content": "three"}, {"content": "four"}]});
    let answer = app.post(&bulk, &token, &body).send().await;
    assert_eq!(answer.refusal(400), "Invalid format");
    assert!(answer.json()["data"]["message"].as_str().unwrap().starts_with("items.2: "), "{}", answer.text);
    let total = app.get(&items, &token).send().await.data(200)["total"].clone();
    assert_eq!(total, 6, "all or nothing");
}

#[tokio::test]
async fn a_group_becomes_json_only_with_json_inside() {
    let (app, token) = TestApp::with_admin().await;
    let group = group(&app, &token, "cases", "raw").await;
    let path = format!("{GROUPS}/{group}");
    let broken = item(&app, &token, &group, json!({"name": "odd one", "content": "text"})).await;
    item(&app, &token, &group, json!({"content": "{}"})).await;
    let answer = app.put(&path, &token, &json!({"mode": "json", "name": "renamed"})).send().await;
    assert_eq!(answer.refusal(400), "Invalid format");
    assert!(answer.text.contains("odd one"), "{}", answer.text);
    let unchanged = app.get(&path, &token).send().await.data(200);
    assert_eq!((&unchanged["name"], &unchanged["mode"]), (&json!("cases"), &json!("raw")));
    let item = format!("/api/v1/test-data/items/{}", broken["id"].as_str().unwrap());
    app.put(&item, &token, &json!({"content": "1"})).send().await.data(200);
    assert_eq!(app.put(&path, &token, &json!({"mode": "json"})).send().await.data(200)["mode"], "json");
    assert_eq!(app.put(&path, &token, &json!({"mode": "raw"})).send().await.data(200)["mode"], "raw");
}

#[tokio::test]
async fn a_thousand_items_come_in_one_request_and_leave_with_their_group() {
    let (app, token) = TestApp::with_admin().await;
    let group = group(&app, &token, "cases", "json").await;
    let items: Vec<Value> = (0..1000).map(|number| json!({"content": json!({"n": number}).to_string()})).collect();
    let path = format!("{GROUPS}/{group}/items");
    let created = app.post(&format!("{path}/bulk"), &token, &json!({"items": items})).send().await.data(201);
    assert_eq!(created["errors"], json!([]));
    let contents: Vec<&Value> = created["created"].as_array().unwrap().iter().map(|item| &item["content"]).collect();
    assert!(contents.iter().zip(&items).all(|(made, sent)| **made == sent["content"]), "in request order");
    let page = app.get(&format!("{path}?limit=1000"), &token).send().await.data(200);
    assert_eq!((&page["total"], &page["data"][0]["content"]), (&json!(1000), &items[999]["content"]), "newest first");

    app.delete(&format!("{GROUPS}/{group}"), &token).send().await;
    let id = created["created"][0]["id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/api/v1/test-data/items/{id}"), &token).send().await.refusal(404), "Not found");
}

#[tokio::test]
async fn compiling_with_an_item_says_what_does_not_fit() {
    let (app, token) = TestApp::with_admin().await;
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    let prompt = json!({"name": "greeting", "prompt": "Hello {{name}}"});
    let prompt = app.post("/api/v1/prompts", &token, &prompt).send().await.data(201)["id"].clone();
    let update = json!({"prompt": "Bye {{name}}", "json_schema_input": schema});
    app.put(&format!("/api/v1/prompts/{}", prompt.as_str().unwrap()), &token, &update).send().await.data(200);
    let group = group(&app, &token, "cases", "raw").await;
    let mut ids = Vec::new();
    for content in ["{\"name\": \"A&B\"}", "{\"name\": 1}", "text"] {
        ids.push(item(&app, &token, &group, json!({"content": content})).await["id"].clone());
    }
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let compile = async |item: &Value, version: Option<u32>| {
        let mut body = json!({"promptId": prompt, "testDataItemId": item});
        if let Some(version) = version {
            body["promptVersion"] = json!(version);
        }
        app.post("/api/v1/test-data/compile-prompt", &viewer, &body).send().await
    };
    let current = compile(&ids[0], None).await.data(200);
    assert_eq!(current, json!({"success": true, "compiledPrompt": "Bye A&B"}));
    let first = compile(&ids[1], Some(1)).await.data(200);
    assert_eq!(first, json!({"success": true, "compiledPrompt": "Hello 1"}), "version 1 has no schema");
    for (item, version) in [(&ids[1], None), (&ids[2], None), (&ids[2], Some(1))] {
        let failed = compile(item, version).await.data(200);
        assert_eq!(failed["success"], false);
        assert!(failed["error"].is_string() && failed.get("compiledPrompt").is_none(), "{failed}");
    }
    assert_eq!(compile(&ids[0], Some(3)).await.refusal(404), "Not found");
    assert_eq!(compile(&json!(MISSING), None).await.refusal(404), "Not found");
    let body = json!({"promptId": MISSING, "testDataItemId": ids[0]});
    assert_eq!(app.post("/api/v1/test-data/compile-prompt", &token, &body).send().await.refusal(404), "Not found");
}

#[tokio::test]
async fn viewers_read_and_change_nothing() {
    let (app, token) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let group = group(&app, &token, "cases", "raw").await;
    let path = format!("{GROUPS}/{group}");
    app.get(&path, &viewer).send().await.data(200);
    assert_eq!(app.put(&path, &viewer, &json!({"mode": "raw"})).send().await.bare(403), "Forbidden");
    assert_eq!(app.delete(&path, &viewer).send().await.bare(403), "Forbidden");
    let items = format!("{path}/items");
    assert_eq!(app.post(&items, &viewer, &json!({"content": "x"})).send().await.bare(403), "Forbidden");
    assert_eq!(app.call("GET", &items).send().await.bare(401), "Unauthorized");
}
