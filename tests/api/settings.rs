//! `/api/v1/settings`: provider keys, service keys and webhook destinations (contract 17).

use std::time::Duration;

use serde_json::{Value, json};
use shared_core::{
    ProviderName, Timestamp,
    config::EncryptionKey,
    secrets::Cipher,
    users::Role,
    webhooks::{Recipient, SigningKeys, find_destination},
};
use shared_testing::vendor::{self, Reply};
use tests::{Answer, TestApp, redacted};

const SETTINGS: &str = "/api/v1/settings";
const KEY: &str = "sk-test-0123456789abcdef";
/// [`KEY`] as answers show it.
const MASK: &str = "sk-t…cdef";

/// An installation whose vendor accepts every key.
async fn with_open_vendor() -> (TestApp, String) {
    let (app, token) = TestApp::with_admin().await;
    app.vendor.on("GET", "/api/tags", vendor::ollama::tags(["demo:latest"]));
    app.vendor.on("GET", "/v1/models", vendor::openai::models_page(["gpt-4.1"]));
    (app, token)
}

fn llm_key(provider: &str, key: &str) -> Value {
    json!({"type": "llm-api-key", "data": {"provider": provider, "api_key": key}})
}

fn webhook(name: &str) -> Value {
    json!({"type": "webhook-destination", "data": {"name": name, "url": "https://example.com/hook"}})
}

fn service_key() -> Value {
    json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": KEY}})
}

async fn create(app: &TestApp, token: &str, body: &Value) -> Value {
    app.post(SETTINGS, token, body).send().await.data(201)
}

fn path_of(setting: &Value) -> String {
    format!("{SETTINGS}/{}", setting["id"].as_str().expect("an id"))
}

async fn update(app: &TestApp, token: &str, setting: &Value, data: Value) -> Answer {
    app.put(&path_of(setting), token, &json!({"type": setting["type"], "data": data})).send().await
}

/// Everything that the table holds, as text.
async fn stored(app: &TestApp) -> String {
    let rows = app.db.read("SELECT data FROM settings", vec![]).await.expect("the database answers").rows;
    rows.iter().map(|row| row.get::<String>("data").expect("a document")).collect()
}

#[tokio::test]
async fn a_provider_key_is_tried_at_its_vendor_then_kept_encrypted_and_shown_masked() {
    let (app, token) = with_open_vendor().await;
    for (provider, path, header, value) in [
        ("ollama", "/api/tags", "authorization", None),
        ("openai", "/v1/models", "authorization", Some(format!("Bearer {KEY}"))),
        ("anthropic", "/v1/models", "x-api-key", Some(KEY.to_owned())),
    ] {
        app.vendor.forget_requests();
        let data = create(&app, &token, &llm_key(provider, KEY)).await;
        let expected = json!({
            "id": "<id>", "created_at": "<time>", "updated_at": "<time>", "type": "llm-api-key",
            "identifier": provider, "provider": provider, "api_key": MASK, "active": true
        });
        assert_eq!(redacted(&data), expected);
        assert_eq!(data["created_at"], data["updated_at"]);
        let asked = app.vendor.requests();
        assert_eq!(asked.len(), 1, "{provider}");
        assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", path));
        assert_eq!(asked[0].header(header), value.as_deref(), "{provider}");
        assert_eq!(app.get(&path_of(&data), &token).send().await.data(200), data);
    }
    let stored = stored(&app).await;
    assert!(!stored.contains(KEY) && !stored.contains(&KEY[4..]), "ciphertext only: {stored}");
}

#[tokio::test]
async fn short_keys_are_masked_as_a_whole() {
    let (app, token) = with_open_vendor().await;
    let data = create(&app, &token, &llm_key("ollama", "placeholder")).await;
    assert_eq!(data["api_key"], "••••••••");
    for (key, mask) in
        [("fifteen letters", "••••••••"), ("sixteen lettters", "sixt…ters"), ("ключ-ключ-ключ-ключ", "ключ…ключ")]
    {
        let changed = update(&app, &token, &data, json!({"api_key": key})).await.data(200);
        assert_eq!(changed["api_key"], mask, "{key}");
    }
}

#[tokio::test]
async fn a_key_that_its_vendor_does_not_accept_is_refused_with_the_reason() {
    let (app, token) = TestApp::with_admin().await;
    let wrong_key = format!("Incorrect API key provided: {KEY}.");
    for (reply, reason) in [
        (vendor::openai::error(401, "invalid_api_key", &wrong_key), "Incorrect API key provided"),
        (vendor::openai::error(500, "", "oops"), "500"),
        (Reply::close(), "closed the connection"),
        (Reply::hang(), "did not answer within"),
    ] {
        app.vendor.on("GET", "/v1/models", reply);
        let answer = app.post(SETTINGS, &token, &llm_key("openai", KEY)).send().await;
        let data = answer.data(400);
        let label = data["error"].as_str().unwrap();
        assert!(label.contains("openai") && label.contains("not available"), "{label}");
        assert!(data["message"].as_str().unwrap().contains(reason), "{data}");
        assert!(!answer.text.contains(KEY), "the key is not repeated: {}", answer.text);
        assert_eq!(data.as_object().unwrap().len(), 2, "{data}");
    }
    assert_eq!(stored(&app).await, "");
}

#[tokio::test]
async fn an_inactive_key_is_stored_without_asking_its_vendor() {
    let (app, token) = TestApp::with_admin().await;
    for provider in ProviderName::ALL.map(ProviderName::as_str) {
        let mut body = llm_key(provider, KEY);
        body["data"]["active"] = json!(false);
        assert_eq!(create(&app, &token, &body).await["active"], false, "{provider}");
    }
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn a_provider_has_one_key() {
    let (app, token) = with_open_vendor().await;
    create(&app, &token, &llm_key("openai", KEY)).await;
    create(&app, &token, &llm_key("anthropic", KEY)).await;
    create(&app, &token, &service_key()).await;
    app.vendor.forget_requests();
    let mut inactive = llm_key("openai", "another key");
    inactive["data"]["active"] = json!(false);
    for body in [llm_key("openai", "another key"), inactive, service_key()] {
        assert_eq!(app.post(SETTINGS, &token, &body).send().await.refusal(409), "Conflict", "{body}");
    }
    assert!(app.vendor.requests().is_empty(), "a key that cannot be stored is not tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_equal_settings_created_at_once_one_is_kept() {
    let (app, token) = with_open_vendor().await;
    // Both find no setting and ask the vendor, who takes its time.
    app.vendor.on("GET", "/api/tags", vendor::ollama::tags([]).after(Duration::from_millis(5)));
    for body in [llm_key("ollama", KEY), service_key(), webhook("a")] {
        for round in 0..5 {
            let send = || app.post(SETTINGS, &token, &body).send();
            let (one, other) = tokio::join!(send(), send());
            let (winner, loser) = if one.status.as_u16() == 201 { (one, other) } else { (other, one) };
            let kept = winner.data(201);
            assert_eq!(loser.refusal(409), "Conflict", "{body} {round}");
            app.delete(&path_of(&kept), &token).send().await.data(200);
        }
    }
}

#[tokio::test]
async fn a_service_key_is_kept_encrypted_and_shown_masked() {
    let (app, token) = TestApp::with_admin().await;
    let data = create(&app, &token, &service_key()).await;
    let expected = json!({
        "id": "<id>", "created_at": "<time>", "updated_at": "<time>", "type": "service-api-key",
        "identifier": "voyageai", "provider": "voyageai", "api_key": MASK, "active": true
    });
    assert_eq!(redacted(&data), expected);
    assert!(!stored(&app).await.contains(&KEY[4..]));
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn the_secret_of_a_webhook_destination_is_shown_once() {
    let (app, token) = TestApp::with_admin().await;
    let data = create(&app, &token, &webhook("Orders")).await;
    let secret = data["secret"].as_str().unwrap();
    let expected = json!({
        "id": "<id>", "created_at": "<time>", "updated_at": "<time>", "type": "webhook-destination",
        "identifier": "<id>", "name": "Orders", "url": "https://example.com/hook", "active": true, "secret": secret
    });
    assert_eq!(redacted(&data), expected);
    assert_ne!(data["identifier"], data["id"]);
    let random = secret.strip_prefix("whsec_").unwrap();
    assert!(random.len() == 44 && random.ends_with('='), "base64 of 32 bytes: {secret}");
    assert!(!stored(&app).await.contains(random));

    let mut shown = data.clone();
    shown.as_object_mut().unwrap().remove("secret");
    let by_identifier =
        format!("{SETTINGS}/type/webhook-destination/identifier/{}", data["identifier"].as_str().unwrap());
    for path in [path_of(&data), by_identifier] {
        assert_eq!(app.get(&path, &token).send().await.data(200), shown, "{path}");
    }
    assert_eq!(app.get(SETTINGS, &token).send().await.data(200), json!({"settings": [shown]}));
    let other = create(&app, &token, &webhook("Others")).await;
    assert_ne!(other["secret"], data["secret"], "each destination has its own");
}

#[tokio::test]
async fn webhook_names_are_unique_at_creation_and_at_renaming() {
    let (app, token) = TestApp::with_admin().await;
    let orders = create(&app, &token, &webhook("Orders")).await;
    let others = create(&app, &token, &webhook("Others")).await;
    assert_eq!(app.post(SETTINGS, &token, &webhook("Orders")).send().await.refusal(409), "Conflict");
    assert_eq!(update(&app, &token, &others, json!({"name": "Orders"})).await.refusal(400), "Conflict");
    assert_eq!(app.get(&path_of(&others), &token).send().await.data(200)["name"], "Others");
    let same = update(&app, &token, &orders, json!({"name": "Orders"})).await.data(200);
    assert_eq!(same["name"], "Orders", "its own name is free for a destination");
    app.delete(&path_of(&orders), &token).send().await.data(200);
    update(&app, &token, &others, json!({"name": "Orders"})).await.data(200);
}

#[tokio::test]
async fn webhooks_go_to_public_addresses_over_https() {
    let (app, token) = TestApp::with_admin().await;
    let with_url = |name: &str, url: &str| {
        let mut body = webhook(name);
        body["data"]["url"] = json!(url);
        body
    };
    for url in [
        "",
        " ",
        "/hook",
        "example.com/hook",
        "https://",
        "https://exa mple.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@example.com",
        "data:text/plain,x",
        "http://example.com/hook",
        "https://localhost/hook",
        "https://10.0.0.1",
        "https://0x7f.1",
        "https://[::ffff:169.254.169.254]/latest/meta-data",
        "https://user:secret@example.com",
        "https://example.com:0/",
    ] {
        let answer = app.post(SETTINGS, &token, &with_url("a", url)).send().await;
        assert_eq!(answer.issues("body"), ["data.url"], "{url}");
    }
    for (name, url, kept) in [
        ("plain", "https://example.com:8080/x?y=1#z", "https://example.com:8080/x?y=1#z"),
        ("spaces", "  https://example.com ", "https://example.com"),
        ("capitals", "HTTPS://Example.com", "HTTPS://Example.com"),
    ] {
        let data = create(&app, &token, &with_url(name, url)).await;
        assert_eq!(data["url"], kept);
        for refused in ["ftp://example.com", "http://example.com", "https://127.0.0.1"] {
            assert_eq!(update(&app, &token, &data, json!({"url": refused})).await.issues("body"), ["data.url"]);
        }
        let moved = update(&app, &token, &data, json!({"url": " https://example.org "})).await.data(200);
        assert_eq!(moved["url"], "https://example.org");
    }
}

#[tokio::test]
async fn configuration_may_let_webhooks_go_to_private_addresses_and_over_http() {
    let (app, token) = TestApp::with_receiver().await;
    let mut body = webhook("mine");
    body["data"]["url"] = json!("http://127.0.0.1:8080/hook");
    let data = create(&app, &token, &body).await;
    assert_eq!(data["url"], "http://127.0.0.1:8080/hook");
    update(&app, &token, &data, json!({"url": "http://localhost"})).await.data(200);
    assert_eq!(update(&app, &token, &data, json!({"url": "ftp://localhost"})).await.issues("body"), ["data.url"]);
}

#[tokio::test]
async fn a_rotation_shows_the_new_secret_once_and_how_long_the_old_one_is_valid() {
    let (app, token) = TestApp::with_admin().await;
    let created = create(&app, &token, &webhook("Orders")).await;
    let rotate = format!("{}/rotate-secret", path_of(&created));
    let first = app.call("POST", &rotate).bearer(&token).send().await.data(200);
    let secret = first["secret"].as_str().expect("the new secret");
    assert!(secret.starts_with("whsec_") && secret != created["secret"], "{secret}");
    assert!(!stored(&app).await.contains(&secret[6..]));
    let instant = |setting: &Value, name: &str| -> Timestamp { setting[name].as_str().unwrap().parse().unwrap() };
    let (changed, expires) = (instant(&first, "updated_at"), instant(&first, "previous_secret_expires_at"));
    assert_eq!(expires.millis_since(changed), 24 * 3600 * 1000);

    let mut shown = first.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(app.get(&path_of(&created), &token).send().await.data(200), shown);
    for member in ["id", "identifier", "name", "url", "active", "created_at"] {
        assert_eq!(shown[member], created[member], "{member}");
    }
    let second = app.call("POST", &rotate).bearer(&token).send().await.data(200);
    assert_ne!(second["secret"], first["secret"]);
}

#[tokio::test]
async fn only_webhook_destinations_have_a_secret_to_rotate() {
    let (app, token) = TestApp::with_admin().await;
    let service = create(&app, &token, &service_key()).await;
    let before = stored(&app).await;
    let rotate =
        async |id: &str| app.call("POST", &format!("{SETTINGS}/{id}/rotate-secret")).bearer(&token).send().await;
    assert_eq!(rotate(service["id"].as_str().unwrap()).await.refusal(400), "Bad Request");
    assert_eq!(rotate("0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10").await.refusal(404), "Not Found");
    assert_eq!(rotate("x").await.refusal(404), "Not Found");
    assert_eq!(stored(&app).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rotations_at_once_each_shown_secret_is_valid() {
    let (app, token) = TestApp::with_admin().await;
    let created = create(&app, &token, &webhook("a")).await;
    let path = format!("{}/rotate-secret", path_of(&created));
    let rotate = || app.call("POST", &path).bearer(&token).send();
    let (key, cipher) =
        (SigningKeys::single("unused".into()), Cipher::new(&EncryptionKey::new(std::array::from_fn(|i| i as u8))));
    for _ in 0..5 {
        let answers: [Answer; 2] = tokio::join!(rotate(), rotate()).into();
        let id = created["id"].as_str().unwrap();
        let now = Timestamp::now();
        let found = find_destination(&app.db, &cipher, &key, Recipient::Saved(id), now).await.unwrap();
        let valid = [Some(found.keys.current), found.keys.previous].map(|secret| secret.unwrap().reveal().to_owned());
        // One after the other, or one met the other and was told so; never two from the same state.
        for answer in answers {
            match answer.status.as_u16() {
                200 => assert!(valid.contains(&answer.data(200)["secret"].as_str().unwrap().to_owned())),
                _ => assert_eq!(answer.refusal(400), "Bad Request"),
            }
        }
    }
}

#[tokio::test]
async fn a_new_setting_must_satisfy_the_rules_of_its_type() {
    let (app, token) = TestApp::with_admin().await;
    let (llm, hook, service) = ("llm-api-key", "webhook-destination", "service-api-key");
    for (body, fields) in [
        (json!([]), vec!["request"]),
        (json!({}), vec!["type"]),
        (json!({"type": null, "data": {}}), vec!["type"]),
        (json!({"type": "token-limit", "data": {}}), vec!["type"]),
        (json!({"type": "LLM-API-KEY", "data": {}}), vec!["type"]),
        (json!({"type": llm}), vec!["data"]),
        (json!({"type": llm, "data": null}), vec!["data"]),
        (json!({"type": llm, "data": [1]}), vec!["data"]),
        (json!({"type": llm, "data": {}}), vec!["data.provider", "data.api_key"]),
        (json!({"type": llm, "data": {"provider": "acme", "api_key": ""}}), vec!["data.provider", "data.api_key"]),
        (json!({"type": llm, "data": {"provider": "voyageai", "api_key": KEY}}), vec!["data.provider"]),
        (json!({"type": llm, "data": {"provider": "ollama", "api_key": KEY, "active": null}}), vec!["data.active"]),
        (
            json!({"type": llm, "data": {"provider": "ollama", "api_key": 1, "active": "yes"}}),
            vec!["data.api_key", "data.active"],
        ),
        (json!({"type": hook, "data": {}}), vec!["data.name", "data.url"]),
        (json!({"type": hook, "data": {"name": "", "url": "x"}}), vec!["data.name", "data.url"]),
        (
            json!({"type": hook, "data": {"name": null, "url": null, "active": 1}}),
            vec!["data.name", "data.url", "data.active"],
        ),
        (
            json!({"type": service, "data": {"provider": "openai", "api_key": ""}}),
            vec!["data.provider", "data.api_key"],
        ),
        (json!({"type": service, "data": {"provider": "voyageai"}}), vec!["data.api_key"]),
    ] {
        let answer = app.post(SETTINGS, &token, &body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
    assert_eq!(stored(&app).await, "");
    assert!(app.vendor.requests().is_empty());
}

#[tokio::test]
async fn unknown_members_of_settings_are_dropped_at_every_level() {
    let (app, token) = TestApp::with_admin().await;
    let mut body = webhook("a");
    body["colour"] = json!("red");
    body["data"]["identifier"] = json!("mine");
    body["data"]["secret"] = json!("whsec_mine");
    let data = create(&app, &token, &body).await;
    assert_ne!(data["identifier"], "mine");
    assert_ne!(data["secret"], "whsec_mine");
    assert!(data.get("colour").is_none());
    let edit = json!({"type": "webhook-destination", "colour": "red", "data": {"name": "b", "identifier": "mine", "secret": "x"}});
    let changed = app.put(&path_of(&data), &token, &edit).send().await.data(200);
    assert_eq!((&changed["name"], &changed["identifier"]), (&json!("b"), &data["identifier"]));
    assert!(!stored(&app).await.contains("mine"));
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let (app, token) = with_open_vendor().await;
    for body in [llm_key("openai", KEY), service_key(), webhook("a")] {
        let mut expected = create(&app, &token, &body).await;
        expected.as_object_mut().unwrap().remove("secret");
        tokio::time::sleep(Duration::from_millis(2)).await;
        let unchanged = update(&app, &token, &expected, json!({})).await.data(200);
        assert!(unchanged["updated_at"].as_str() > expected["updated_at"].as_str());
        expected["updated_at"] = unchanged["updated_at"].clone();
        assert_eq!(unchanged, expected);
        for active in [false, false, true] {
            let changed = update(&app, &token, &expected, json!({"active": active})).await.data(200);
            expected["active"] = json!(active);
            expected["updated_at"] = changed["updated_at"].clone();
            assert_eq!(changed, expected);
            assert_eq!(app.get(&path_of(&expected), &token).send().await.data(200), expected);
        }
    }
}

#[tokio::test]
async fn a_new_key_is_tried_before_it_replaces_the_old_one() {
    let (app, token) = with_open_vendor().await;
    let created = create(&app, &token, &llm_key("openai", KEY)).await;
    let before = stored(&app).await;
    app.vendor.forget_requests();
    let new_key = "sk-next-0123456789zyxwvu";

    app.vendor.enqueue("GET", "/v1/models", vendor::openai::error(401, "invalid_api_key", "no such key"));
    let refused = update(&app, &token, &created, json!({"api_key": new_key, "active": true})).await;
    assert!(refused.refusal(400).contains("not available"));
    assert_eq!(stored(&app).await, before, "the old key stays");

    let changed = update(&app, &token, &created, json!({"api_key": new_key})).await.data(200);
    assert_eq!((&changed["api_key"], &changed["active"]), (&json!("sk-n…xwvu"), &json!(true)));
    let sent: Vec<_> =
        app.vendor.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, vec![Some(format!("Bearer {new_key}")); 2]);
    let after = stored(&app).await;
    assert!(after != before && !after.contains(new_key));
}

#[tokio::test]
async fn a_new_key_of_an_inactive_setting_is_not_tried() {
    let (app, token) = with_open_vendor().await;
    let created = create(&app, &token, &llm_key("openai", KEY)).await;
    app.vendor.forget_requests();
    update(&app, &token, &created, json!({"api_key": "another key", "active": false})).await.data(200);
    update(&app, &token, &created, json!({"api_key": "yet another key"})).await.data(200);
    assert!(app.vendor.requests().is_empty());
    update(&app, &token, &created, json!({"api_key": KEY, "active": true})).await.data(200);
    assert_eq!(app.vendor.requests().len(), 1);
}

#[tokio::test]
async fn an_update_must_name_the_stored_type_and_satisfy_its_rules() {
    let (app, token) = with_open_vendor().await;
    let llm = create(&app, &token, &llm_key("openai", KEY)).await;
    let hook = create(&app, &token, &webhook("a")).await;
    let service = create(&app, &token, &service_key()).await;
    app.vendor.forget_requests();
    for (setting, body) in [
        (&llm, json!({"type": "service-api-key", "data": {"api_key": "another key"}})),
        (&llm, json!({"type": "webhook-destination", "data": {}})),
        (&service, json!({"type": "llm-api-key", "data": {"active": false}})),
        (&hook, json!({"type": "llm-api-key", "data": {}})),
    ] {
        assert_eq!(app.put(&path_of(setting), &token, &body).send().await.refusal(400), "Bad Request", "{body}");
    }
    assert!(app.vendor.requests().is_empty(), "no key is tried for another type");

    for (setting, body, fields) in [
        (&llm, json!([]), vec!["request"]),
        (&llm, json!({}), vec!["type"]),
        (&llm, json!({"type": "llm-api-key"}), vec!["data"]),
        (
            &llm,
            json!({"type": "llm-api-key", "data": {"api_key": "", "active": null}}),
            vec!["data.api_key", "data.active"],
        ),
        (&llm, json!({"type": "llm-api-key", "data": {"api_key": null}}), vec!["data.api_key"]),
        (
            &service,
            json!({"type": "service-api-key", "data": {"api_key": "", "active": "no"}}),
            vec!["data.api_key", "data.active"],
        ),
        (
            &hook,
            json!({"type": "webhook-destination", "data": {"name": "", "url": "x", "active": 0}}),
            vec!["data.name", "data.url", "data.active"],
        ),
        (
            &hook,
            json!({"type": "webhook-destination", "data": {"name": null, "url": null}}),
            vec!["data.name", "data.url"],
        ),
    ] {
        let answer = app.put(&path_of(setting), &token, &body).send().await;
        assert_eq!(answer.issues("body"), fields, "{body}");
    }
}

#[tokio::test]
async fn lists_show_the_newest_first_and_keep_types_apart() {
    let (app, token) = with_open_vendor().await;
    assert_eq!(app.get(SETTINGS, &token).send().await.data(200), json!({"settings": []}));
    let mut created = Vec::new();
    for body in [webhook("old"), llm_key("openai", KEY), service_key(), llm_key("ollama", KEY), webhook("new")] {
        let mut setting = create(&app, &token, &body).await;
        setting.as_object_mut().unwrap().remove("secret");
        created.insert(0, setting);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let viewer = app.sign_up("viewer@example.com", Role::Viewer).await;
    assert_eq!(app.get(SETTINGS, &viewer).send().await.data(200), json!({"settings": created}));
    for kind in ["llm-api-key", "webhook-destination", "service-api-key"] {
        let of_kind: Vec<&Value> = created.iter().filter(|setting| setting["type"] == kind).collect();
        let listed = app.get(&format!("{SETTINGS}/type/{kind}"), &viewer).send().await.data(200);
        assert_eq!(listed, json!({"settings": of_kind, "type": kind}));
    }
    assert_eq!(app.get(&format!("{SETTINGS}/type/other"), &token).send().await.issues("param"), ["type"]);
}

#[tokio::test]
async fn a_setting_is_found_by_type_and_identifier() {
    let (app, token) = with_open_vendor().await;
    let llm = create(&app, &token, &llm_key("openai", KEY)).await;
    let service = create(&app, &token, &service_key()).await;
    let find = async |rest: &str| app.get(&format!("{SETTINGS}/type/{rest}"), &token).send().await;
    assert_eq!(find("llm-api-key/identifier/openai").await.data(200), llm);
    assert_eq!(find("service-api-key/identifier/voyageai").await.data(200), service);
    for rest in
        ["llm-api-key/identifier/ollama", "service-api-key/identifier/openai", "webhook-destination/identifier/x"]
    {
        assert_eq!(find(rest).await.refusal(404), "Not Found", "{rest}");
    }
    assert_eq!(find("other/identifier/openai").await.issues("param"), ["type"]);
}

#[tokio::test]
async fn a_deleted_setting_is_gone_and_its_place_is_free() {
    let (app, token) = with_open_vendor().await;
    for body in [llm_key("openai", KEY), service_key(), webhook("a")] {
        let setting = create(&app, &token, &body).await;
        let path = path_of(&setting);
        assert_eq!(app.delete(&path, &token).send().await.data(200), json!({"success": true}));
        assert_eq!(app.delete(&path, &token).send().await.refusal(404), "Not Found");
        assert_eq!(app.get(&path, &token).send().await.refusal(404), "Not Found");
        assert_eq!(update(&app, &token, &setting, json!({})).await.refusal(404), "Not Found");
        create(&app, &token, &body).await;
    }
}

#[tokio::test]
async fn an_unknown_id_is_missing_and_never_invalid() {
    let (app, token) = TestApp::with_admin().await;
    for id in ["0b9f8a52-6f0e-4c83-9a55-2f4c3f6f2a10", "x", "type", "%20", "ü".repeat(200).as_str()] {
        let path = format!("{SETTINGS}/{}", id.replace('ü', "%C3%BC"));
        assert_eq!(app.get(&path, &token).send().await.refusal(404), "Not Found", "{id}");
        assert_eq!(app.delete(&path, &token).send().await.refusal(404), "Not Found", "{id}");
        assert_eq!(app.put(&path, &token, &webhook("a")).send().await.refusal(404), "Not Found", "{id}");
        assert_eq!(app.put(&path, &token, &json!({})).send().await.issues("body"), ["type"], "422 comes before 404");
    }
}

#[tokio::test]
async fn only_admins_change_settings_and_everybody_signed_in_reads_them() {
    let (app, admin) = TestApp::with_admin().await;
    let setting = create(&app, &admin, &webhook("a")).await;
    let path = path_of(&setting);
    for role in [Role::User, Role::Viewer] {
        let token = app.sign_up(&format!("{}@example.com", role.as_str()), role).await;
        assert_eq!(app.post(SETTINGS, &token, &webhook("b")).send().await.bare(403), "Forbidden");
        assert_eq!(update(&app, &token, &setting, json!({"active": false})).await.bare(403), "Forbidden");
        assert_eq!(app.delete(&path, &token).send().await.bare(403), "Forbidden");
        app.get(&path, &token).send().await.data(200);
    }
    for (method, path) in [("GET", SETTINGS), ("POST", SETTINGS), ("GET", &path), ("PUT", &path), ("DELETE", &path)] {
        assert_eq!(app.call(method, path).send().await.bare(401), "Unauthorized", "{method}");
    }
    assert_eq!(app.get(&path, &admin).send().await.data(200)["active"], true);
}
