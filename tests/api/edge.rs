//! What holds for every operation (contract 1 and 2).

use serde_json::json;
use shared_core::{api_keys::Scope, users::Role};
use tests::TestApp;

#[tokio::test]
async fn a_malformed_body_fails_even_without_credentials() {
    let app = TestApp::empty().await;
    for (body, what) in [
        ("{\"name\":", "cut short"),
        ("\"text\"", "a scalar"),
        ("1", "a scalar"),
        ("null", "a scalar"),
        ("{'a':1}", "not JSON"),
        ("[[[[[[", "not JSON"),
    ] {
        let answer = app.call("POST", "/api/v1/prompts").text("application/json", body).send().await;
        assert_eq!(answer.issues("body"), ["request"], "{what}");
    }
    let deep = "[".repeat(100_000);
    let answer = app.call("POST", "/api/v1/prompts").text("application/json", deep).send().await;
    assert_eq!(answer.issues("body"), ["request"], "nesting without end");
    let not_utf8 = vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'];
    let answer = app.call("POST", "/api/v1/prompts").text("application/json", not_utf8).send().await;
    assert_eq!(answer.issues("body"), ["request"], "not UTF-8");
}

#[tokio::test]
async fn bodies_are_limited_to_ten_mebibytes() {
    let (app, token) = TestApp::with_admin().await;
    let body = |size: usize| {
        let frame = json!({"name": "big", "prompt": ""}).to_string().len();
        json!({"name": "big", "prompt": "x".repeat(size - frame)}).to_string()
    };
    let send = async |size| {
        let call = app.call("POST", "/api/v1/prompts").bearer(&token);
        call.text("application/json", body(size)).send().await
    };
    assert_eq!(send(10 * 1024 * 1024 + 1).await.issues("body"), ["request"]);
    send(10 * 1024 * 1024).await.data(201);
}

#[tokio::test]
async fn checks_come_in_order() {
    let (app, token) = TestApp::with_admin().await;
    let wrong_everything = |method| app.call(method, "/api/v1/prompts/not-a-uuid").json(&json!({"name": 1}));
    assert_eq!(wrong_everything("PUT").send().await.bare(401), "Unauthorized");
    assert_eq!(wrong_everything("PUT").bearer(&token).send().await.issues("param"), ["id"]);
    let missing = "/api/v1/prompts/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    let answer = app.put(missing, &token, &json!({"name": 1, "prompt": 2, "extra": 3})).send().await;
    assert_eq!(answer.issues("body"), ["name", "prompt", "request"], "all issues of one part at once");
    assert_eq!(app.put(missing, &token, &json!({})).send().await.refusal(404), "Not Found");
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    assert_eq!(wrong_everything("PUT").bearer(&viewer).send().await.bare(403), "Forbidden");
}

#[tokio::test]
async fn a_body_is_read_only_when_it_says_it_is_json() {
    let (app, token) = TestApp::with_admin().await;
    let call = || app.call("POST", "/api/v1/prompts").bearer(&token);
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"] {
        let answer = call().text(content_type, "name=a&prompt=b").send().await;
        assert_eq!(answer.issues("body"), ["request"], "{content_type}");
    }
    assert_eq!(call().send().await.issues("body"), ["request"], "no body");
    let answer =
        call().text("application/json; charset=utf-8", "\u{feff}{\"name\":\"a\",\"prompt\":\"b\"}").send().await;
    answer.data(201);
    let get = app.get("/api/v1/prompts/", &token).header("content-type", "application/json").send().await;
    get.data(200);
}

#[tokio::test]
async fn paths_match_in_any_case_and_with_a_trailing_slash() {
    let (app, token) = TestApp::with_admin().await;
    for path in [
        "/api/v1/prompts",
        "/api/v1/prompts/",
        "/API/v1/PROMPTS",
        "/api/v1/Prompts/Recent/",
        "/api/V1/prompts/select-list",
    ] {
        app.get(path, &token).send().await.data(200);
    }
    for path in ["/", "/api", "/api/v1/unknown", "/api/v1/prompts/recent/more", "/favicon.ico"] {
        assert_eq!(app.get(path, &token).send().await.bare(404), "Not Found", "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_which_are_right() {
    let app = TestApp::empty().await;
    let answer = app.call("PATCH", "/api/v1/prompts").send().await;
    assert_eq!(answer.bare(405), "Method Not Allowed");
    let allow = answer.headers["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let (app, token) = TestApp::with_admin().await;
    let answer = app.call("HEAD", "/api/v1/prompts").bearer(&token).send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
    assert_eq!(app.call("HEAD", "/api/v1/prompts").send().await.status.as_u16(), 401);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let (app, token) = TestApp::with_admin().await;
    for answer in [
        app.get("/api/v1/prompts", &token).send().await,
        app.call("GET", "/api/v1/prompts").send().await,
        app.call("GET", "/nowhere").send().await,
        app.call("PATCH", "/api/v1/prompts").send().await,
    ] {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'self'"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers[name], value, "{}", answer.text);
        }
        assert!(!answer.headers["x-request-id"].is_empty());
        assert!(!answer.headers.contains_key("content-disposition"));
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "no CORS");
    }
    let id =
        app.post("/api/v1/prompts", &token, &json!({"name": "a", "prompt": "b"})).send().await.data(201)["id"].clone();
    let gone = app.delete(&format!("/api/v1/prompts/{}", id.as_str().unwrap()), &token).send().await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert!(!gone.headers.contains_key("content-type") && !gone.headers.contains_key("content-length"));
}

#[tokio::test]
async fn queries_are_checked_as_a_whole() {
    let (app, token) = TestApp::with_admin().await;
    let issues =
        async |query: &str| app.get(&format!("/api/v1/executions?{query}"), &token).send().await.issues("query");
    assert_eq!(issues("page=0&limit=1001&orderBy=name").await, ["page", "limit", "orderBy"]);
    for limit in ["", "2abc", "1.9", "1e3", "-1", "0", "+1", "99999999999999999999999"] {
        assert_eq!(issues(&format!("limit={limit}")).await, ["limit"], "{limit}");
    }
    assert_eq!(issues("page=1&page=2").await, ["page"], "repeated");
    assert_eq!(issues("starred=yes&downloadCsv=1").await, ["starred", "downloadCsv"]);
    assert_eq!(issues("colour=red&size=1").await, ["request"], "unknown ones in one issue");
    assert_eq!(issues("promptId=123").await, ["promptId"]);
    app.get("/api/v1/executions?limit=1000&downloadCsv=false", &token).send().await.data(200);
    app.get("/api/v1/prompts/select-list?anything=goes", &token).send().await.data(200);
    let ids = vec!["0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10"; 1750].join(",");
    assert!(ids.len() > 64 * 1024 - 1000);
    app.get(&format!("/api/v1/executions?ids={ids}"), &token).send().await.data(200);
}

#[tokio::test]
async fn text_with_a_nul_is_refused_where_it_stands() {
    let (app, token) = TestApp::with_admin().await;
    let body = json!({"name": "a", "prompt": "cut\u{0}here"});
    assert_eq!(app.post("/api/v1/prompts", &token, &body).send().await.issues("body"), ["prompt"]);
}

#[tokio::test]
async fn the_bearer_header_decides_and_the_cookie_only_reads() {
    let (app, token) = TestApp::with_admin().await;
    let cookie = format!("theme=dark; auth-token={token}");
    let with_cookie = |method, path| app.call(method, path).header("cookie", &cookie);
    with_cookie("GET", "/api/v1/prompts").send().await.data(200);
    assert_eq!(with_cookie("HEAD", "/api/v1/prompts").send().await.status.as_u16(), 200);
    let create = with_cookie("POST", "/api/v1/prompts").json(&json!({"name": "a", "prompt": "b"})).send().await;
    assert_eq!(create.bare(401), "Unauthorized");
    let foreign = with_cookie("GET", "/api/v1/prompts").header("sec-fetch-site", "cross-site").send().await;
    assert_eq!(foreign.bare(401), "Unauthorized");
    for header in ["bearer x", "Basic abc", "Bearer", "Bearer garbage", &format!("bearer {token}"), ""] {
        let answer = with_cookie("GET", "/api/v1/prompts").header("authorization", header).send().await;
        assert_eq!(answer.bare(401), "Unauthorized", "{header}");
    }
}

#[tokio::test]
async fn a_wrong_key_fails_beside_a_good_session_and_other_families_ignore_keys() {
    let (app, token) = TestApp::with_admin().await;
    let key = app.add_api_key("admin@example.com", &[Scope::PromptsRead]).await;
    let wrong = "api_0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(app.get("/api/v1/prompts", &token).api_key(wrong).send().await.bare(401), "Unauthorized");
    app.get("/api/v1/prompts", &token).api_key("").send().await.data(200);
    app.get("/api/v1/settings", &token).api_key(wrong).send().await.data(200);
    assert_eq!(app.call("GET", "/api/v1/settings").api_key(&key).send().await.bare(401), "Unauthorized");
    assert_eq!(app.call("GET", "/api/v1/prompts").api_key(&key).send().await.bare(403), "Forbidden");
    let missing = "/api/v1/prompts/0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10";
    assert_eq!(app.call("GET", missing).api_key(&key).send().await.refusal(404), "Not Found");
    let preview = app.call("POST", "/api/v1/prompts/preview").api_key(&key);
    let answer = preview.json(&json!({"promptText": "x", "userInput": "{}"})).send().await;
    assert_eq!(answer.bare(403), "Forbidden", "the scope is missing");

    let sql = "SELECT total_requests AS n FROM api_keys";
    let used = app.db.read(sql, vec![]).await.unwrap().first().unwrap().get::<i64>("n").unwrap();
    assert_eq!(used, 1, "refused calls do not count");
}
