//! Uploaded files (contract 14, defects F-01 to F-07).

use serde_json::{Value, json};
use shared_core::{api_keys::Scope, users::Role};
use tests::TestApp;

const FILES: &str = "/api/v1/files";
const MISSING: &str = "/api/v1/files/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";

fn body(name: &str, mime_type: &str, base64: &str) -> Value {
    json!({"name": name, "originalName": format!("{name}.bin"), "mimeType": mime_type, "size": 1, "data": base64})
}

async fn upload(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(FILES, token, body).send().await.data(201)
}

fn path_of(file: &Value) -> String {
    format!("{FILES}/{}", file["id"].as_str().expect("an id"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|file| file["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_file_is_uploaded_read_and_deleted() {
    let (app, token) = TestApp::with_admin().await;
    let sent = json!({
        "name": "greeting", "originalName": "Grüße.txt", "mimeType": "text/plain; charset=utf-8", "size": 999,
        "data": "aGVsbG8=", "uploadedBy": "somebody else", "description": "", "tags": ["a", "b"],
    });
    let file = upload(&app, &token, &sent).await;
    for member in ["name", "originalName", "mimeType", "data", "description", "tags"] {
        assert_eq!(file[member], sent[member], "{member}");
    }
    assert_eq!(file["size"], 5, "counted, not believed (F-02)");
    let me = app.db.read("SELECT id FROM users", vec![]).await.unwrap().first().unwrap().get::<String>("id").unwrap();
    assert_eq!(file["uploadedBy"], json!(me));
    assert_eq!(app.get(&path_of(&file), &token).send().await.data(200), file);

    let gone = app.delete(&path_of(&file), &token).send().await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(app.get(&path_of(&file), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.delete(&path_of(&file), &token).send().await.refusal(404), "Not Found");
    assert_eq!(app.get(&format!("{FILES}/x"), &token).send().await.issues("param"), ["id"]);
    let rest = app.db.read("SELECT count(*) AS n FROM file_contents", vec![]).await.unwrap();
    assert_eq!(rest.first().unwrap().get::<i64>("n").unwrap(), 0);
}

#[tokio::test]
async fn names_repeat_and_optional_members_stay_away() {
    let (app, token) = TestApp::with_admin().await;
    let bare = upload(&app, &token, &body("same", "a/b", "YQ==")).await;
    assert!(bare.get("description").is_none() && bare.get("tags").is_none(), "{bare}");
    upload(&app, &token, &body("same", "a/b", "YQ==")).await;
}

#[tokio::test]
async fn everything_wrong_about_an_upload_is_said_at_once() {
    let (app, token) = TestApp::with_admin().await;
    let wrong = json!({
        "name": "", "originalName": "x".repeat(256), "mimeType": "text", "size": -1, "data": "no base64",
        "tags": ["", "ok", "x".repeat(26)], "description": null, "colour": "red",
    });
    let mut fields = app.post(FILES, &token, &wrong).send().await.issues("body");
    fields.sort();
    let expected = ["data", "description", "mimeType", "name", "originalName", "request", "size", "tags.0", "tags.2"];
    assert_eq!(fields, expected);
    assert_eq!(app.post(FILES, &token, &json!({})).send().await.issues("body").len(), 5);
}

#[tokio::test]
async fn content_must_be_base64() {
    let (app, token) = TestApp::with_admin().await;
    for data in ["", "aGk", "a", "-_-_", "aGk=\n", "data:text/plain;base64,aGk=", "YR=="] {
        let answer = app.post(FILES, &token, &body("x", "a/b", data)).send().await;
        assert!(answer.issues("body").iter().all(|field| field == "data"), "{data}");
        assert!(data.is_empty() || answer.text.contains("base64"), "{}", answer.text);
    }
}

#[tokio::test]
async fn mime_types_must_look_like_one() {
    let (app, token) = TestApp::with_admin().await;
    for good in [
        "application/octet-stream",
        "image/svg+xml",
        "text/plain; charset=utf-8",
        "text/csv;header=present;charset=\"utf-8\"",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ] {
        upload(&app, &token, &body("x", good, "YQ==")).await;
    }
    for bad in
        ["", "text", "text/", "/plain", "text/plain\r\nX-Evil: 1", "text/plain\n", "text/plain;", "a b/c", "täxt/x"]
    {
        let answer = app.post(FILES, &token, &body("x", bad, "YQ==")).send().await;
        assert!(answer.issues("body").iter().all(|field| field == "mimeType"), "{bad:?}");
    }
}

#[tokio::test]
async fn an_upload_beyond_the_limit_is_refused_in_words() {
    let (app, token) = TestApp::with_admin().await;
    let answer = app.post(FILES, &token, &body("x", "a/b", &"A".repeat(10 * 1024 * 1024))).send().await;
    assert_eq!(answer.issues("body"), ["request"]);
    assert!(answer.text.contains("larger than 10485760 bytes"), "{}", answer.text);
    let just_below = upload(&app, &token, &body("x", "a/b", &"A".repeat(10 * 1024 * 1024 - 1024))).await;
    assert_eq!(just_below["size"], (10 * 1024 * 1024 - 1024) / 4 * 3);
}

#[tokio::test]
async fn lists_and_searches_carry_no_content() {
    let (app, token) = TestApp::with_admin().await;
    for (name, mime_type) in [("b 100%", "text/plain"), ("a_b", "text/plain"), ("C", "image/png")] {
        let mut file = body(name, mime_type, &"YWFh".repeat(name.len()));
        file["description"] = json!(format!("about {name}"));
        upload(&app, &token, &file).await;
    }
    let list = async |query: &str| app.get(&format!("{FILES}?{query}"), &token).send().await.data(200);
    let page = list("limit=2").await;
    assert_eq!((&page["total"], &page["totalPages"], &page["hasNext"]), (&json!(3), &json!(2), &json!(true)));
    assert!(page["data"].as_array().unwrap().iter().all(|file| file["data"] == ""), "{page}");
    for (query, expected) in [
        ("orderBy=name&orderDirection=ASC", vec!["C", "a_b", "b 100%"]),
        ("orderBy=originalName", vec!["b 100%", "a_b", "C"]),
        ("orderBy=size&orderDirection=ASC", vec!["C", "a_b", "b 100%"]),
        ("orderBy=updated_at&mimeType=image/png", vec!["C"]),
        ("mimeType=text/plain&orderBy=name", vec!["b 100%", "a_b"]),
        ("mimeType=text", vec![]),
        ("search=ABOUT%20c", vec!["C"]),
        ("search=%25", vec!["b 100%"]),
        ("search=_&mimeType=text/plain", vec!["a_b"]),
        ("search=.BIN&orderBy=name&orderDirection=ASC", vec!["C", "a_b", "b 100%"]),
    ] {
        assert_eq!(names(&list(query).await["data"]), expected, "{query}");
    }
    let id = page["data"][0]["id"].as_str().unwrap();
    assert_eq!(list(&format!("search={id}")).await["total"], 1, "the whole id");
    assert_eq!(list(&format!("search={}", &id[..12])).await["total"], 0, "not a part of it");
    assert_eq!(app.get(&format!("{FILES}?orderBy=tags&x=1"), &token).send().await.issues("query").len(), 2);

    let found = app.get(&format!("{FILES}/search/%25?any=thing"), &token).send().await.data(200);
    assert_eq!((names(&found), &found[0]["data"]), (vec!["b 100%"], &json!("")));
    assert_eq!(app.get(&format!("{FILES}/search/about"), &token).send().await.data(200), json!([]), "names only");
}

#[tokio::test]
async fn the_select_list_is_sorted_by_lower_cased_name() {
    let (app, token) = TestApp::with_admin().await;
    for name in ["b", "A", "ä", "Z", "Ä"] {
        upload(&app, &token, &body(name, "a/b", "YQ==")).await;
    }
    let mut tagged = body("c", "a/b", "YQ==");
    tagged["tags"] = json!(["x"]);
    upload(&app, &token, &tagged).await;
    let list = app.get(&format!("{FILES}/select-list"), &token).send().await.data(200);
    assert_eq!(names(&list["items"]), ["A", "b", "c", "Z", "Ä", "ä"]);
    let members = |index: usize| list["items"][index].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(0), ["id", "name", "originalName", "mimeType", "size"]);
    assert_eq!(list["items"][2]["tags"], json!(["x"]));
}

#[tokio::test]
async fn a_download_opens_with_the_cookie_and_keeps_bytes_and_name() {
    let (app, token) = TestApp::with_admin().await;
    let mut file = body("x", "text/html", "7/v/PGI+gA==");
    file["originalName"] = json!("Übung \"1\".html");
    let path = format!("{}/download", path_of(&upload(&app, &token, &file).await));
    let answer = app.call("GET", &path).header("cookie", &format!("auth-token={token}")).send().await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.bytes, [0xef, 0xfb, 0xff, 0x3c, 0x62, 0x3e, 0x80]);
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-length", "7"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment; filename=\"_bung _1_.html\"; filename*=UTF-8''%C3%9Cbung%20%221%22.html"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let head = app.call("HEAD", &path).bearer(&token).send().await;
    assert_eq!(
        (head.status.as_u16(), head.bytes.len(), &head.headers["content-length"]),
        (200, 0, &"7".parse().unwrap())
    );
    assert_eq!(app.call("GET", &path).send().await.bare(401), "Unauthorized");
    let missing = app.get(&format!("{MISSING}/download"), &token).send().await;
    assert_eq!(missing.refusal(404), "Not Found");
    assert!(!missing.headers.contains_key("content-disposition"));
}

#[tokio::test]
async fn keys_upload_and_do_nothing_else() {
    let (app, token) = TestApp::with_admin().await;
    let key = app.add_api_key("admin@example.com", &[Scope::FilesUpload]).await;
    let call = app.call("POST", FILES).api_key(&key).json(&body("x", "a/b", "YQ=="));
    let file = call.send().await.data(201);
    let mine = upload(&app, &token, &body("y", "a/b", "YQ==")).await;
    assert_eq!(file["uploadedBy"], mine["uploadedBy"], "a key acts as its owner");
    assert_eq!(app.call("GET", &path_of(&file)).api_key(&key).send().await.bare(403), "Forbidden");

    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    app.get(&path_of(&file), &viewer).send().await.data(200);
    assert_eq!(app.post(FILES, &viewer, &body("x", "a/b", "YQ==")).send().await.bare(403), "Forbidden");
    assert_eq!(app.delete(&path_of(&file), &viewer).send().await.bare(403), "Forbidden");
}
