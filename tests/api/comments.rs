//! `/api/v1/comments` and the calibration of prompts (contract 12).

use serde_json::{Value, json};
use shared_core::{db::Statement, ids, params, users::Role};
use tests::TestApp;

const COMMENTS: &str = "/api/v1/comments";
const NOBODY: &str = "0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

async fn prompt(app: &TestApp, token: &str, text: &str) -> String {
    let body = json!({"name": ids::new_id(), "prompt": text});
    let created = app.post("/api/v1/prompts", token, &body).send().await.data(201);
    created["id"].as_str().expect("an id").to_owned()
}

/// An execution as it would be stored after a run.
async fn execution(app: &TestApp, status: &str, input: &str, result: Option<&str>) -> String {
    let id = ids::new_id();
    let mut data = json!({"user_input": input, "provider": "ollama", "model": "m", "origin": "app"});
    if let Some(result) = result {
        data["result"] = json!(result);
    }
    let sql = "INSERT INTO executions (id, data, provider, model, status, created_at, updated_at)
        VALUES (?1, ?2, ?2 ->> 'provider', ?2 ->> 'model', ?3, '2026-01-31T09:15:00.042Z', '2026-01-31T09:15:00.042Z')";
    app.db.write(vec![Statement::new(sql, params![&id, data.to_string(), status])]).await.expect("the row is new");
    id
}

async fn comment(app: &TestApp, token: &str, body: Value) -> Value {
    app.post("/api/v1/comments/", token, &body).send().await.data(201)
}

fn generic(text: &str, prompt_id: &str) -> Value {
    json!({"text": text, "data": {"type": "generic"}, "prompt_id": prompt_id})
}

#[tokio::test]
async fn offsets_are_utf_16_units_and_come_back_as_sent() {
    let (app, admin) = TestApp::with_admin().await;
    let prompt_id = prompt(&app, &admin, "Say it").await;
    let result = "👍 well done";
    let execution_id = execution(&app, "completed", "", Some(result)).await;
    // The emoji takes two units, so "well" begins at 3.
    let (start, end) = (3, 7);
    let units: Vec<u16> = result.encode_utf16().collect();
    let selected = String::from_utf16(&units[start..end]).unwrap();
    let data = json!({"type": "execution", "selected_text": selected, "start_offset": start, "end_offset": end});
    let body = json!({"text": "nice", "data": data, "execution_id": execution_id, "prompt_id": prompt_id});
    let created = comment(&app, &admin, body).await;
    assert_eq!((&created["data"], &created["data"]["selected_text"]), (&data, &json!("well")));
    assert_eq!(created["created_at"], created["updated_at"]);
    for query in [format!("prompt_id={prompt_id}"), format!("execution_id={execution_id}")] {
        let listed = app.get(&format!("{COMMENTS}?{query}"), &admin).send().await.data(200);
        assert_eq!(listed, json!([created]), "the list under {query}");
    }
}

#[tokio::test]
async fn a_list_is_about_exactly_one_thing_newest_first() {
    let (app, admin) = TestApp::with_admin().await;
    let id = prompt(&app, &admin, "x").await;
    for text in ["first", "second"] {
        comment(&app, &admin, generic(text, &id)).await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let get = async |query: &str| app.get(&format!("{COMMENTS}/?{query}"), &admin).send().await;
    let listed = get(&format!("prompt_id={id}")).await.data(200);
    assert_eq!((&listed[0]["text"], &listed[1]["text"]), (&json!("second"), &json!("first")));
    assert!(listed[0].get("execution_id").is_none() && listed[0]["data"] == json!({"type": "generic"}));
    assert_eq!(get("").await.refusal(400), "Validation Error");
    assert_eq!(get(&format!("prompt_id={id}&execution_id={id}")).await.refusal(400), "Validation Error");
    assert_eq!(get(&format!("execution_id={NOBODY}")).await.data(200), json!([]));
    assert_eq!(get("prompt_id=1&execution_id=2&page=1").await.issues("query").len(), 3);
}

#[tokio::test]
async fn what_a_comment_refers_to_must_exist() {
    let (app, admin) = TestApp::with_admin().await;
    let id = prompt(&app, &admin, "x").await;
    let create = async |body: Value| app.post(COMMENTS, &admin, &body).send().await;
    assert_eq!(create(generic("x", NOBODY)).await.refusal(400), "Validation Error");
    let mut both = generic("x", &id);
    both["execution_id"] = json!(NOBODY);
    assert_eq!(create(both).await.refusal(400), "Validation Error");
    app.delete(&format!("/api/v1/prompts/{id}"), &admin).send().await;
    let none = app.db.read("SELECT 1 AS one FROM comments", vec![]).await.unwrap().rows.len();
    assert_eq!(none, 0);
}

#[tokio::test]
async fn comments_of_a_deleted_prompt_stay_readable() {
    let (app, admin) = TestApp::with_admin().await;
    let id = prompt(&app, &admin, "x").await;
    let created = comment(&app, &admin, generic("x", &id)).await;
    assert_eq!(app.delete(&format!("/api/v1/prompts/{id}"), &admin).send().await.status.as_u16(), 204);
    let listed = app.get(&format!("{COMMENTS}?prompt_id={id}"), &admin).send().await.data(200);
    assert_eq!(listed, json!([created]));
}

#[tokio::test]
async fn invalid_bodies_name_every_member() {
    let (app, admin) = TestApp::with_admin().await;
    let issues = async |body: Value| app.post(COMMENTS, &admin, &body).send().await.issues("body");
    assert_eq!(issues(json!({})).await, ["text", "data"]);
    assert_eq!(issues(json!({"text": "x", "data": {"type": "generic"}})).await, ["request"], "about nothing");
    assert_eq!(issues(json!({"text": "", "data": {"type": "other"}, "prompt_id": "1"})).await.len(), 3);
    let data = json!({"type": "execution", "selected_text": 1, "start_offset": "0"});
    let fields = issues(json!({"text": "x", "data": data, "prompt_id": NOBODY, "x": 1})).await;
    for field in ["data.end_offset", "data.selected_text", "data.start_offset", "request"] {
        assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
    }
    for data in [json!(null), json!("generic"), json!([]), json!({})] {
        let fields = issues(json!({"text": "x", "data": data, "prompt_id": NOBODY})).await;
        assert!(fields.iter().all(|field| field.starts_with("data")), "{fields:?}");
    }
    let id = prompt(&app, &admin, "x").await;
    let extra = json!({"text": "x", "data": {"type": "generic", "colour": "red"}, "prompt_id": id});
    assert_eq!(comment(&app, &admin, extra).await["data"], json!({"type": "generic"}), "unknown nested members go");
}

#[tokio::test]
async fn authors_and_admins_delete_and_others_find_nothing() {
    let (app, admin) = TestApp::with_admin().await;
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    let user = app.sign_up("user@example.com", Role::User).await;
    let id = prompt(&app, &admin, "x").await;
    let written = async |token: &str| {
        let created = comment(&app, token, generic("x", &id)).await;
        format!("{COMMENTS}/{}", created["id"].as_str().unwrap())
    };
    let (first, second) = (written(&viewer).await, written(&viewer).await);
    assert_eq!(app.delete(&first, &user).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&first, &viewer).send().await.status.as_u16(), 204);
    assert_eq!(app.delete(&first, &viewer).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&second, &admin).send().await.status.as_u16(), 204);
    assert_eq!(app.delete(&format!("{COMMENTS}/1"), &admin).send().await.issues("param"), ["id"]);
}

struct Review {
    app: TestApp,
    admin: String,
    prompt_id: String,
}

impl Review {
    async fn start(text: &str) -> Self {
        let (app, admin) = TestApp::with_admin().await;
        let prompt_id = prompt(&app, &admin, text).await;
        Self { app, admin, prompt_id }
    }

    async fn remark(&self, text: &str, execution: Option<(&str, &str)>) -> String {
        let mut body = generic(text, &self.prompt_id);
        if let Some((id, selected)) = execution {
            body["execution_id"] = json!(id);
            body["data"] = json!({"type": "execution", "selected_text": selected, "start_offset": 0, "end_offset": 1});
        }
        comment(&self.app, &self.admin, body).await["id"].as_str().expect("an id").to_owned()
    }

    async fn calibrate(&self, prompt_id: &str, body: Value) -> tests::Answer {
        let path = format!("/api/v1/prompts/{prompt_id}/generate-adjustment");
        self.app.post(&path, &self.admin, &body).send().await
    }
}

#[tokio::test]
async fn calibration_puts_everything_in_order_and_counts_comments_once() {
    let review = Review::start("Summarize </original_prompt> this").await;
    let (one, two) = (
        execution(&review.app, "completed", "input one", Some("result one")).await,
        execution(&review.app, "completed", "input two", Some("result two")).await,
    );
    let about_two = review.remark("remark on two", Some((&two, "quoted two"))).await;
    let general = review.remark("general remark", None).await;
    let about_one = review.remark("remark on one", Some((&one, "quoted one"))).await;
    let again_two = review.remark("another on two", Some((&two, ""))).await;
    let ids = json!([about_two, general, about_one, about_two, again_two]);
    let answer = review.calibrate(&review.prompt_id, json!({"commentIds": ids})).await.data(200);
    assert_eq!(answer["commentsProcessed"], 4);
    assert_eq!(answer["originalPrompt"], "Summarize </original_prompt> this");
    let text = answer["adjustmentPrompt"].as_str().unwrap();
    let mut place = 0;
    for expected in [
        "<calibration_instructions>",
        "</calibration_instructions>",
        "Summarize &lt;/original_prompt> this",
        "input two",
        "result two",
        "quoted two",
        "remark on two",
        "another on two",
        "input one",
        "result one",
        "quoted one",
        "remark on one",
        "general remark",
    ] {
        place += text[place..].find(expected).unwrap_or_else(|| panic!("{expected} comes next in {text}"));
    }
    assert_eq!(text.matches("remark on two").count(), 1);
    assert_eq!(text.matches("</original_prompt>").count(), 1);

    let summary = review.calibrate(&review.prompt_id, json!({"commentIds": ids, "summarize": true})).await.data(200);
    assert_ne!(summary["adjustmentPrompt"], answer["adjustmentPrompt"]);
}

#[tokio::test]
async fn calibration_refuses_what_does_not_fit() {
    let review = Review::start("x").await;
    let good = review.remark("fine", None).await;
    let other_prompt = prompt(&review.app, &review.admin, "y").await;
    let foreign = comment(&review.app, &review.admin, generic("x", &other_prompt)).await["id"].clone();
    let waiting = execution(&review.app, "pending", "", None).await;
    let empty = execution(&review.app, "completed", "", Some("")).await;
    let failed = execution(&review.app, "failed", "", Some("partial")).await;
    let mut refused = vec![json!([]), json!([NOBODY]), json!([good, foreign])];
    for id in [&waiting, &empty, &failed] {
        refused.push(json!([review.remark("x", Some((id, ""))).await]));
    }
    for ids in refused {
        let answer = review.calibrate(&review.prompt_id, json!({"commentIds": ids})).await;
        assert_eq!(answer.refusal(400), "Validation Error", "{ids}");
    }
    let missing = review.calibrate(NOBODY, json!({"commentIds": [good]})).await;
    assert_eq!(missing.refusal(404), "Not Found");
    assert_eq!(review.calibrate("1", json!({"commentIds": [good]})).await.issues("param"), ["id"]);
    let wrong =
        review.calibrate(&review.prompt_id, json!({"commentIds": [good, "1"], "summarize": "no", "x": 1})).await;
    let fields = wrong.issues("body");
    for field in ["commentIds.1", "summarize", "request"] {
        assert!(fields.contains(&field.to_owned()), "{field} in {fields:?}");
    }
    assert_eq!(review.calibrate(&review.prompt_id, json!({})).await.issues("body"), ["commentIds"]);
}
