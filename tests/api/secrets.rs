//! Secrets are planted wherever one can enter, everything is made to succeed and to fail, and then they are looked for in
//! all log lines, all answers, all webhooks and the bytes of the database.
//!
//! Texts of people and models are private in another way: they are stored and shown, but never logged. The same holds for
//! the address of a webhook, which the contract shows to every user and which may hold a token of the receiver.

mod hostile;
mod planted;

use serde_json::{Value, json};
use shared_core::{ProviderName, Timestamp, users::Role};
use shared_testing::vendor::{FakeVendor, ReceivedRequest, Reply, ollama, openai, voyageai};
use tests::{KEY, SIGNATURE_KEY, TestApp};

use planted::{Kind, Planted, marker};

const SETTINGS: &str = "/api/v1/settings";
const LOGIN: &str = "/api/v1/auth/login";
/// Where the vendors are asked for their models and for answers.
const VENDOR_PATHS: [(&str, &str); 10] = [
    ("GET", "/v1/models"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("GET", "/v1beta/models"),
    ("POST", "/v1beta/models/m:generateContent"),
    ("GET", "/v1/me"),
    ("GET", "/v1/openai/models"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/openai/chat/completions"),
    ("POST", "/v1/embeddings"),
];

/// A vendor, gateway or receiver that repeats all that it was sent.
fn echo(request: &ReceivedRequest) -> String {
    let headers: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
    format!(
        "not with {} {} {} {}",
        request.path,
        request.query,
        headers.join(", "),
        String::from_utf8_lossy(&request.body)
    )
}

fn echoing(status: u16) -> Reply {
    Reply::computed(move |request| {
        Reply::json(&json!({"error": {"message": echo(request), "code": echo(request)}})).with_status(status)
    })
}

fn echo_everywhere(vendor: &FakeVendor, reply: impl Fn() -> Reply) {
    for (method, path) in VENDOR_PATHS {
        vendor.on(method, path, reply());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

async fn installation() -> (Planted, String) {
    let queue = FakeVendor::start().await;
    // As SQS does with a signature that it does not accept.
    queue.on(
        "POST",
        "/",
        Reply::computed(|request| {
            let message = json!({"__type": "com.amazonaws.sqs#InvalidSecurity", "message": echo(request)});
            Reply::json(&message).with_status(403).with_header("content-type", "application/x-amz-json-1.0")
        }),
    );
    let (aws_key, aws_token) = (marker("AWS_SECRET_ACCESS_KEY"), marker("AWS_SESSION_TOKEN"));
    let variables = [
        ("AWS_ENDPOINT_URL_SQS", queue.url()),
        ("AWS_SECRET_ACCESS_KEY", aws_key.clone()),
        ("AWS_SESSION_TOKEN", aws_token.clone()),
        ("WEBHOOK_ALLOW_HTTP", "true".to_owned()),
        ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "true".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut planted = Planted::new(TestApp::empty_with(&variables).await);
    planted.keep(queue);
    for (name, text) in [
        ("AWS_SECRET_ACCESS_KEY", aws_key),
        ("AWS_SESSION_TOKEN", aws_token),
        ("AUTH_SECRET_KEY", KEY.to_owned()),
        ("WEBHOOK_SIGNATURE_KEY", SIGNATURE_KEY.to_owned()),
        ("ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()),
    ] {
        planted.plant(name, Kind::Secret, text);
    }
    let password = planted.secret("password of the first admin");
    let body = json!({"email": "admin@example.com", "name": "Ada", "password": password});
    let register = planted.app.call("POST", "/api/v1/auth/register-first-admin").json(&body);
    let (_, tokens) = planted.send_for("registration", register, &["/token"]).await;
    let token = tokens.into_iter().next().expect("a token");
    let again = planted.app.call("POST", "/api/v1/auth/register-first-admin").json(&body);
    assert_eq!(planted.send("registration once more", again).await.refusal(409), "Conflict");
    (planted, token)
}

#[tokio::test]
async fn what_is_planted_comes_out_nowhere() {
    let (mut planted, admin) = installation().await;
    Box::pin(sign_in_and_invite(&mut planted, &admin)).await;
    Box::pin(api_keys(&mut planted, &admin)).await;
    Box::pin(provider_keys(&mut planted, &admin)).await;
    Box::pin(executions(&mut planted, &admin)).await;
    Box::pin(webhooks(&mut planted, &admin)).await;
    Box::pin(embeddings(&mut planted, &admin)).await;
    Box::pin(texts(&mut planted, &admin)).await;
    Box::pin(hostile::credentials(&mut planted)).await;
    Box::pin(hostile::bodies(&mut planted, &admin)).await;
    Box::pin(hostile::panics(&mut planted)).await;
    Box::pin(hostile::damaged_rows(&mut planted, &admin)).await;
    // Some of it fails, of course.
    let _ = planted.app.maintenance.run(Timestamp::now().plus_seconds(30 * 86_400), None).await;
    let outcome = planted.outcome();
    assert!(outcome.lines > 500 && outcome.stored > 100_000, "{} lines, {} bytes", outcome.lines, outcome.stored);
    outcome.assert_clean();
}

#[tokio::test]
async fn nothing_comes_out_while_the_database_is_away_or_outdated() {
    let old = TestApp::before_the_newest_migration().await.0;
    for (name, app, status) in [("an old schema", old, 503), ("no database", TestApp::without_database().await, 500)] {
        let mut planted = Planted::new(app);
        calls_that_fail(&mut planted, name, status).await;
        planted.outcome().assert_clean();
    }
}

#[tokio::test]
async fn nothing_comes_out_while_the_database_server_refuses() {
    let (app, _token, _queue, server) = TestApp::at_server().await;
    let mut planted = Planted::new(app);
    planted.plant("DATABASE_AUTH_TOKEN", Kind::Secret, KEY.to_owned());
    // It repeats what it was sent.
    server.require_token("another token");
    calls_that_fail(&mut planted, "a server that does not accept the token", 500).await;
    server.require_token(KEY);
    server.refuse_next(100);
    calls_that_fail(&mut planted, "a busy server", 500).await;
    planted.outcome().assert_clean();
}

/// Calls with secrets that need the database.
async fn calls_that_fail(planted: &mut Planted, name: &str, status: u16) {
    let (password, api_key) = (planted.secret("password"), planted.secret("API key"));
    let (session, invitation) = (planted.secret("session token"), planted.secret("invitation"));
    let registration = json!({"email": "a@example.com", "name": "A", "password": password});
    let login = json!({"email": "a@example.com", "password": password});
    let activation = json!({"invitation_token": invitation, "password": password});
    for (path, body) in [("register-first-admin", registration), ("login", login), ("activate", activation)] {
        let call = planted.app.call("POST", &format!("/api/v1/auth/{path}")).json(&body);
        assert_eq!(planted.send(name, call).await.status.as_u16(), status, "{path} with {name}");
    }
    let call = planted.app.call("GET", "/api/v1/prompts/recent").api_key(&format!("api_{}", &api_key[4..]));
    assert_eq!(planted.send(name, call).await.status.as_u16(), status, "{name}");
    let call = planted.app.call("GET", "/api/v1/prompts/recent").bearer(&session);
    assert_eq!(planted.send(name, call).await.status.as_u16(), 401, "{name}");
}

async fn sign_in_and_invite(planted: &mut Planted, admin: &str) {
    let (wrong, password) = (planted.secret("a wrong password"), marker("password of the first admin"));
    let login = |password: &str| json!({"email": "admin@example.com", "password": password});
    let call = planted.app.call("POST", LOGIN).json(&login(&wrong));
    assert_eq!(planted.send("a wrong sign-in", call).await.refusal(401), "Unauthorized");
    let call = planted.app.call("POST", LOGIN).json(&login(&password));
    planted.send_for("a sign-in", call, &["/token"]).await;
    // A password where the address belongs, as it happens.
    let call = planted.app.call("POST", LOGIN).json(&json!({"email": wrong, "password": wrong}));
    planted.send("a password as address", call).await.issues("body");

    let body = json!({"email": "grace@example.com", "name": "Grace", "role": "user"});
    let call = planted.app.post("/api/v1/users/invite", admin, &body);
    let (invited, tokens) =
        planted.send_for("an invitation", call, &["/user/invitation/token", "/invitation_token"]).await;
    let path = format!("/api/v1/users/{}", text(&invited["user"]["id"]));
    let call = planted.app.get(&path, admin);
    planted.send_for("the invitation once more, to an admin", call, &["/invitation/token"]).await;
    let call = planted.app.get("/api/v1/users", admin);
    planted.send("users", call).await.data(200);
    let viewer = planted.app.sign_up("viewer@example.com", Role::Viewer).await;
    let call = planted.app.get(&path, &viewer);
    planted.send("an invited user, to a viewer", call).await.data(200);

    let password = planted.secret("password of somebody invited");
    let guess = planted.secret("a wrong invitation");
    for token in [&guess, &tokens[0], &tokens[0]] {
        let body = json!({"invitation_token": token, "password": password});
        let call = planted.app.call("POST", "/api/v1/auth/activate").json(&body);
        planted.send("an activation", call).await;
    }
    let call = planted.app.call("POST", LOGIN).json(&json!({"email": "grace@example.com", "password": password}));
    let (_, session) = planted.send_for("the sign-in of somebody invited", call, &["/token"]).await;
    let call = planted.app.call("POST", "/api/v1/auth/logout-all").bearer(&session[0]);
    planted.send("the end of all sessions", call).await;
    let call = planted.app.get("/api/v1/users/profile/me", &session[0]);
    assert_eq!(planted.send("an ended session", call).await.bare(401), "Unauthorized");
}

async fn api_keys(planted: &mut Planted, admin: &str) {
    let call = planted.app.post("/api/v1/api-keys", admin, &json!({"name": "ci", "scopes": ["prompts:read"]}));
    let (created, first) = planted.send_for("an API key", call, &["/plain_key"]).await;
    let path = format!("/api/v1/api-keys/{}", text(&created["api_key"]["id"]));
    let call = planted.app.post(&format!("{path}/rotate"), admin, &json!({}));
    let (_, second) = planted.send_for("a rotated API key", call, &["/plain_key"]).await;
    for key in [&first[0], &second[0]] {
        for path in ["/api/v1/users/profile/me", "/api/v1/prompts", SETTINGS] {
            let call = planted.app.call("GET", path).api_key(key);
            planted.send("a call with an API key", call).await;
        }
    }
    for path in [path.as_str(), "/api/v1/api-keys", "/api/v1/api-keys/stats"] {
        let call = planted.app.get(path, admin);
        planted.send("API keys", call).await.data(200);
    }
    let call = planted.app.put(&path, admin, &json!({"name": "other"}));
    planted.send("another name of an API key", call).await.data(200);
    let call = planted.app.delete(&path, admin);
    planted.send("the end of an API key", call).await.data(200);
    let call = planted.app.call("GET", "/api/v1/users/profile/me").api_key(&second[0]);
    assert_eq!(planted.send("a revoked API key", call).await.bare(401), "Unauthorized");
}

/// Keys that their vendor refuses while repeating them, and then keys that it accepts.
async fn provider_keys(planted: &mut Planted, admin: &str) {
    let hosted = [
        ProviderName::OpenAi,
        ProviderName::Anthropic,
        ProviderName::Gemini,
        ProviderName::DeepSeek,
        ProviderName::DeepInfra,
    ];
    for provider in hosted {
        let key = planted.secret(&format!("key of {provider}"));
        let body = json!({"type": "llm-api-key", "data": {"provider": provider.as_str(), "api_key": key}});
        for reply in [
            echoing(401),
            echoing(429),
            Reply::computed(|request| Reply::text(&echo(request)).with_status(500)),
            Reply::computed(|request| Reply::text(&echo(request)).with_status(302)),
            Reply::close(),
        ] {
            echo_everywhere(&planted.app.vendor, || reply.clone());
            let call = planted.app.post(SETTINGS, admin, &body);
            let refusal = planted.send(&format!("a refused key of {provider}"), call).await;
            assert!(refusal.refusal(400).contains("is not available"), "{}", refusal.text);
        }
        echo_everywhere(&planted.app.vendor, || Reply::json(&json!({"data": [], "models": []})));
        let call = planted.app.post(SETTINGS, admin, &body);
        let stored = planted.send(&format!("a key of {provider}"), call).await.data(201);
        let path = format!("{SETTINGS}/{}", text(&stored["id"]));
        let call = planted.app.post(SETTINGS, admin, &body);
        planted.send("a second key", call).await;
        let key = planted.secret(&format!("second key of {provider}"));
        let edit = json!({"type": "llm-api-key", "data": {"api_key": key}});
        echo_everywhere(&planted.app.vendor, || echoing(403));
        let call = planted.app.put(&path, admin, &edit);
        planted.send("a refused second key", call).await.refusal(400);
        let call = planted.app.put(&path, admin, &json!({"type": "service-api-key", "data": {"api_key": key}}));
        planted.send("a key of another type", call).await.refusal(400);
        echo_everywhere(&planted.app.vendor, || Reply::json(&json!({"data": [], "models": []})));
        let call = planted.app.put(&path, admin, &edit);
        planted.send("a second key", call).await.data(200);
        let unsendable = format!("{}\n{}", planted.secret("a key that no header holds"), "x");
        let call = planted.app.put(&path, admin, &json!({"type": "llm-api-key", "data": {"api_key": unsendable}}));
        planted.send("a key that cannot be sent", call).await.refusal(400);
        let call = planted.app.get(&path, admin);
        planted.send("a stored key", call).await.data(200);
    }
    for path in [SETTINGS, "/api/v1/settings/type/llm-api-key", "/api/v1/settings/type/llm-api-key/identifier/openai"] {
        let call = planted.app.get(path, admin);
        planted.send("stored keys", call).await.data(200);
    }
    echo_everywhere(&planted.app.vendor, || echoing(401));
    for what in ["health", "list", "models"] {
        let call = planted.app.get(&format!("/api/v1/executions/providers/{what}"), admin);
        planted.send(what, call).await;
    }
}

/// Runs that fail in every way, at vendors that repeat the key and the question.
async fn executions(planted: &mut Planted, admin: &str) {
    let question = planted.text("a prompt");
    let input = planted.text("an input");
    let answer = planted.text("the answer of a model");
    let openai_models = || openai::models_page(["gpt-4.1"]);
    let run = json!({"promptText": question, "userInput": input, "providerModel": ["openai:gpt-4.1"]});
    planted.app.vendor.on("GET", "/v1/models", openai_models());
    // What was kept of the model list is void when the key is switched off and on.
    let stored = planted.app.get("/api/v1/settings/type/llm-api-key/identifier/openai", admin).send().await.data(200);
    let path = format!("{SETTINGS}/{}", text(&stored["id"]));
    planted.app.put(&path, admin, &json!({"type": "llm-api-key", "data": {"active": true}})).send().await.data(200);

    let garbage = || Reply::computed(|request| Reply::text(&echo(request)));
    let other_shape =
        || Reply::computed(|request| Reply::json(&json!({"output": echo(request), "id": [echo(request)]})));
    let with_id = {
        let answer = answer.clone();
        move || {
            let answer = answer.clone();
            Reply::computed(move |request| {
                let reply = Reply::json(&openai::response_body("completed", &[openai::message(&answer)]));
                reply.with_header("x-request-id", request.header("authorization").unwrap_or_default())
            })
        }
    };
    let replies = [
        echoing(400),
        echoing(401),
        echoing(404),
        echoing(429),
        echoing(500),
        garbage(),
        other_shape(),
        Reply::close(),
        with_id(),
    ];
    for reply in replies {
        planted.app.vendor.on("POST", "/v1/responses", reply);
        let call = planted.app.post("/api/v1/executions", admin, &run);
        let id = text(&planted.send("an execution", call).await.data(201)["executionIds"][0]);
        for _ in 0..4 {
            planted.app.run_waiting(ProviderName::OpenAi).await;
        }
        let call = planted.app.get(&format!("/api/v1/executions/{id}"), admin);
        planted.send("the execution", call).await.data(200);
        let call = planted.app.delete(&format!("/api/v1/executions/{id}"), admin);
        planted.send("the end of the execution", call).await;
    }
    assert!(planted.app.vendor.requests_to("POST", "/v1/responses").len() >= 9, "the vendor was asked");
    for path in ["/api/v1/executions", "/api/v1/executions?downloadCsv=true", "/api/v1/executions/stats/all"] {
        let call = planted.app.get(path, admin);
        planted.send("executions", call).await;
    }
    let broken = json!({"promptText": question, "userInput": [input], "providerModel": ["nobody:m"]});
    let call = planted.app.post("/api/v1/executions", admin, &broken);
    planted.send("a broken run", call).await.issues("body");
}

/// A receiver that repeats what it gets, and addresses that hold secrets of their own.
async fn webhooks(planted: &mut Planted, admin: &str) {
    let (userinfo, query) = (planted.secret("a password in an address"), planted.text("a token in an address"));
    let receiver = planted.app.receiver.url();
    let address = format!("{receiver}/hook?token={query}");
    let with_password = [
        format!("https://user:{userinfo}@example.com/hook"),
        format!("https://{userinfo}@example.com/hook"),
        format!("https://user:{userinfo}@exa mple"),
    ];
    let destination =
        |name: &str, url: &str| json!({"type": "webhook-destination", "data": {"name": name, "url": url}});
    let trigger = |url: &str| json!({"job": {"type": "webhook-delivery", "data": {"url": url}}});
    for url in &with_password {
        let call = planted.app.post(SETTINGS, admin, &destination("x", url));
        planted.send("a destination with a password", call).await.issues("body");
        let call = planted.app.post("/api/v1/jobs/single/trigger", admin, &trigger(url));
        planted.send("a test with a password", call).await.issues("body");
    }
    let call = planted.app.post(SETTINGS, admin, &destination("mine", &address));
    let (setting, _) = planted.send_for("a destination", call, &["/secret"]).await;
    let path = format!("{SETTINGS}/{}", text(&setting["id"]));
    let call = planted.app.post(&format!("{path}/rotate-secret"), admin, &json!({}));
    planted.send_for("a rotated destination", call, &["/secret"]).await;
    let call =
        planted.app.put(&path, admin, &json!({"type": "webhook-destination", "data": {"url": with_password[0]}}));
    planted.send("a change to an address with a password", call).await.issues("body");

    let prompt = json!({"name": "for webhooks", "prompt": planted.text("a prompt of a deployment")});
    let call = planted.app.post("/api/v1/prompts", admin, &prompt);
    let prompt = planted.send("a prompt", call).await.data(201);
    planted.app.vendor.on("GET", "/api/tags", ollama::tags(["demo:latest"]));
    planted.app.add_provider(ProviderName::Ollama, admin).await;
    let deployment = json!({"name": "d", "promptId": prompt["id"], "promptVersion": 1, "provider": "ollama",
        "model": "demo:latest", "webhookDestinationIds": [setting["id"]]});
    let call = planted.app.post("/api/v1/deployments", admin, &deployment);
    planted.send("a deployment", call).await.data(201);
    for reply in [
        Reply::computed(|request| Reply::text(&echo(request)).with_status(400)),
        Reply::computed(|request| Reply::text(&echo(request)).with_status(503)),
        Reply::computed(|request| {
            Reply::status(302).with_header("location", &echo(request).replace(['\n', '\r'], " "))
        }),
        Reply::close(),
        Reply::status(204),
    ] {
        planted.app.receiver.on("POST", "/hook", reply);
        planted.app.vendor.on("POST", "/api/generate", ollama::generated("hello"));
        let input = planted.text("an input of a deployment");
        let call = planted.app.post("/api/v1/deployments/run/d", admin, &json!({"userInput": input}));
        planted.send("a run of a deployment", call).await.data(201);
        planted.app.run_waiting(ProviderName::Ollama).await;
        let call = planted.app.post("/api/v1/jobs/single/trigger", admin, &trigger(&address));
        planted.send("a test", call).await.data(201);
        planted.app.run_webhooks().await;
    }
    let call = planted.app.get("/api/v1/jobs?limit=100", admin);
    let jobs = planted.send("jobs", call).await.data(200);
    for job in jobs["data"].as_array().expect("a list") {
        let call = planted.app.get(&format!("/api/v1/jobs/{}", text(&job["id"])), admin);
        planted.send("a job", call).await.data(200);
        let call = planted.app.post(&format!("/api/v1/jobs/{}/redeliver", text(&job["id"])), admin, &json!({}));
        planted.send("a repetition", call).await;
    }
    assert!(planted.app.receiver.requests().len() >= 8, "the receiver was reached");
    let call = planted.app.delete(&path, admin);
    planted.send("the end of a destination", call).await.data(200);
}

async fn embeddings(planted: &mut Planted, admin: &str) {
    let key = planted.secret("a service key");
    let body = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": key}});
    for _ in 0..2 {
        let call = planted.app.post(SETTINGS, admin, &body);
        planted.send("a service key", call).await;
    }
    let call = planted.app.post("/api/v1/deployment-embeddings", admin, &json!({"name": "e", "model": "voyage-3.5"}));
    planted.send("an embedding deployment", call).await.data(201);
    let garbage = Reply::computed(|request| Reply::text(&echo(request)));
    for reply in [echoing(401), echoing(429), garbage, voyageai::embedded(&[vec![1.0]])] {
        planted.app.vendor.on("POST", "/v1/embeddings", reply);
        let input = planted.text("a text to embed");
        let call = planted.app.post("/api/v1/deployment-embeddings/run/e", admin, &json!({"inputs": [input]}));
        let id = text(&planted.send("an embedding", call).await.data(201)["jobId"]);
        planted.app.embed(&id).await;
        let call = planted.app.get(&format!("/api/v1/jobs/{id}"), admin);
        planted.send("an embedding job", call).await.data(200);
    }
    assert!(planted.app.vendor.requests_to("POST", "/v1/embeddings").len() >= 4, "the vendor was asked");
}

/// What people write down everywhere else.
async fn texts(planted: &mut Planted, admin: &str) {
    let written = planted.text("what people write");
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "description": written}}});
    let prompt = json!({"name": "texts", "prompt": format!("{written} {{{{a}}}}"), "json_schema_input": schema});
    let call = planted.app.post("/api/v1/prompts", admin, &prompt);
    let id = text(&planted.send("a prompt", call).await.data(201)["id"]);
    let group = json!({"name": "texts", "mode": "json", "description": written});
    let call = planted.app.post("/api/v1/test-data/groups", admin, &group);
    let group = text(&planted.send("a group", call).await.data(201)["id"]);
    let item = json!({"content": json!({"a": written}).to_string()});
    let file = json!({"name": "f", "originalName": "f.txt", "mimeType": "text/plain", "size": 1, "data": written,
        "description": written});
    let comment = json!({"text": written, "data": {"type": "generic"}, "prompt_id": id});
    for (path, body) in [
        ("/api/v1/prompts/preview".to_owned(), json!({"promptText": written, "userInput": written})),
        ("/api/v1/prompts/preview".to_owned(), json!({"promptText": format!("{{{{{written}"), "userInput": "{}"})),
        ("/api/v1/prompts".to_owned(), json!({"name": "texts", "prompt": written})),
        (format!("/api/v1/test-data/groups/{group}/items"), item.clone()),
        (format!("/api/v1/test-data/groups/{group}/items"), json!({"content": written})),
        (format!("/api/v1/test-data/groups/{group}/items/bulk"), json!({"items": [item, {"content": written}]})),
        ("/api/v1/files".to_owned(), file),
        ("/api/v1/comments".to_owned(), comment),
        (format!("/api/v1/prompts/{id}/generate-adjustment"), json!({"commentIds": [], "summarize": true})),
        (
            "/api/v1/executions".to_owned(),
            json!({"promptId": id, "testDataGroupId": group, "providerModel": ["ollama:m"]}),
        ),
        ("/api/v1/executions".to_owned(), json!({"promptId": id, "userInput": written, "providerModel": ["ollama:m"]})),
    ] {
        let call = planted.app.post(&path, admin, &body);
        planted.send(&path, call).await;
    }
    for path in [format!("/api/v1/prompts/search/{written}"), format!("/api/v1/files/search/{written}")] {
        let call = planted.app.get(&path, admin);
        planted.send("a search", call).await;
    }
    let call = planted.app.get(&format!("/api/v1/prompts?search={written}&nothing={written}"), admin);
    planted.send("a broken search", call).await;
}
