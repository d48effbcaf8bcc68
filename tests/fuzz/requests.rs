//! Whole requests to every operation, in process and over a real database. Every answer is one that `docs/openapi.json`
//! knows: the client of these tests sees to that.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shared_core::api_keys::Scope;
use shared_http::access::{Access, RULES, Rule};
use tests::{Answer, Call, TestApp};
use tokio::runtime::{Builder, Runtime};

use crate::{described::described, harness::Target, hostile};

/// What the published document says.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(api_system::OPENAPI_DOCUMENT).expect("the document is JSON"));

/// An installation with something of every kind.
pub(crate) struct Installation {
    pub(crate) app: TestApp,
    pub(crate) token: String,
    key: String,
    /// Ids and names of what exists.
    known: Vec<String>,
    pub(crate) runtime: Runtime,
}

impl Installation {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (app, token, key, known) = runtime.block_on(async {
            let (app, token) = TestApp::with_providers().await;
            let key = app.add_api_key("admin@example.com", &[Scope::ExecutionsRun, Scope::FilesUpload]).await;
            let known = planted(&app, &token).await;
            (app, token, key, known)
        });
        Self { app, token, key, known, runtime }
    }

    fn send(&self, call: Call) -> Answer {
        let answer = self.runtime.block_on(call.send());
        assert!(!answer.status.is_server_error(), "{}: {}", answer.status, answer.text);
        answer
    }

    /// The rule's path with something in place of its parameters.
    fn path(&self, u: &mut Unstructured<'_>, rule: &Rule) -> Result<String> {
        let segments = rule.path.split('/').map(|segment| {
            if !segment.starts_with('{') {
                return Ok(segment.to_owned());
            }
            let given = if u.ratio(2, 3)? { u.choose(&self.known)?.clone() } else { hostile::text(u)? };
            Ok(if u.ratio(1, 8)? { given } else { utf8_percent_encode(&given, NON_ALPHANUMERIC).to_string() })
        });
        Ok(segments.collect::<Result<Vec<_>>>()?.join("/"))
    }
}

async fn planted(app: &TestApp, token: &str) -> Vec<String> {
    let mut known = Vec::new();
    let add = async |path: &str, body: Value, id: &str| {
        let answer = app.post(path, token, &body).send().await;
        let found = answer.json().pointer(id).and_then(Value::as_str).map(str::to_owned);
        found.unwrap_or_else(|| panic!("{path}: {}", answer.text))
    };
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let prompt = json!({"name": "seed", "prompt": "Greet {{name}}.", "json_schema_input": schema});
    let prompt = add("/api/v1/prompts", prompt, "/data/id").await;
    let run = json!({"promptText": "Say hello", "providerModel": ["ollama:demo:latest"]});
    let execution = add("/api/v1/executions", run, "/data/executionIds/0").await;
    let user = json!({"email": "seed@example.org", "name": "Seed", "role": "user"});
    known.push(add("/api/v1/users/invite", user, "/data/user/id").await);
    let key = json!({"name": "seed", "scopes": ["executions:run"]});
    known.push(add("/api/v1/api-keys", key, "/data/api_key/id").await);
    let comment = json!({"text": "seed", "data": {"type": "generic"}, "prompt_id": prompt, "execution_id": execution});
    known.push(add("/api/v1/comments", comment, "/data/id").await);
    let group = add("/api/v1/test-data/groups", json!({"name": "seed", "mode": "json"}), "/data/id").await;
    let items = format!("/api/v1/test-data/groups/{group}/items");
    known.push(add(&items, json!({"content": "{\"name\": \"Ada\"}"}), "/data/id").await);
    let file =
        json!({"name": "seed", "originalName": "s.txt", "mimeType": "text/plain", "size": 5, "data": "aGVsbG8="});
    known.push(add("/api/v1/files", file, "/data/id").await);
    let deployment =
        json!({"name": "seed", "promptId": prompt, "promptVersion": 1, "provider": "ollama", "model": "demo:latest"});
    known.push(add("/api/v1/deployments", deployment, "/data/id").await);
    let embedding = json!({"name": "seed", "model": "voyage-3.5"});
    known.push(add("/api/v1/deployment-embeddings", embedding, "/data/id").await);
    known.extend([prompt, execution, group, "seed".to_owned(), "llm-api-key".to_owned(), "ollama".to_owned()]);
    known
}

/// Every operation but the one that ends the session that the others need.
fn rules() -> Vec<&'static Rule> {
    RULES.iter().filter(|rule| !rule.path.ends_with("logout-all")).collect()
}

fn operation(rule: &Rule) -> &'static Value {
    &DOCUMENT["paths"][rule.path][rule.method.to_lowercase()]
}

/// JSON bodies, valid by the document and then changed, through every extractor.
pub(crate) struct Bodies {
    at: Installation,
    with_body: Vec<&'static Rule>,
}

impl Target for Bodies {
    const NAME: &'static str = "bodies";
    const CASES: u32 = 300;

    fn new() -> Self {
        let with_body = rules().into_iter().filter(|rule| operation(rule).get("requestBody").is_some()).collect();
        Self { at: Installation::new(), with_body }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rule = u.choose(&self.with_body)?;
        let path = self.at.path(u, rule)?;
        if path.parse::<Uri>().is_err() {
            return Ok(());
        }
        let schema = &operation(rule)["requestBody"]["content"]["application/json"]["schema"];
        let mut body = described(u, &DOCUMENT, schema, &self.at.known, 8)?;
        if u.ratio(2, 3)? {
            hostile::mutate(u, &mut body)?;
        }
        let mut bytes = body.to_string().into_bytes();
        if u.ratio(1, 6)? {
            hostile::mutate_bytes(u, &mut bytes)?;
        }
        const TYPES: &[&str] =
            &["application/json", "Application/JSON; charset=utf-8", "application/a+json", "text/plain", ""];
        let content_type = if u.ratio(1, 10)? { u.choose(TYPES)? } else { TYPES[0] };
        let call = self.at.app.call(rule.method, &path).bearer(&self.at.token).text(content_type, bytes);
        self.at.send(call);
        Ok(())
    }
}

/// Paths and query strings of every operation.
pub(crate) struct PathsAndQueries {
    at: Installation,
}

impl Target for PathsAndQueries {
    const NAME: &'static str = "paths-and-queries";
    const CASES: u32 = 400;

    fn new() -> Self {
        Self { at: Installation::new() }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rules = rules();
        let rule = u.choose(&rules)?;
        let mut path = self.at.path(u, rule)?;
        match u.int_in_range(0..=11)? {
            0 => path.push('/'),
            1 => path.make_ascii_uppercase(),
            2 => path = hostile::mutated_text(u, &path)?,
            _ => {}
        }
        let mut names: Vec<&str> = vec!["page", "limit", "unknown"];
        let parameters = operation(rule)["parameters"].as_array();
        names.extend(parameters.into_iter().flatten().filter_map(|parameter| parameter["name"].as_str()));
        let mut query = String::new();
        for _ in 0..u.int_in_range(0..=4)? {
            let value = match u.int_in_range(0..=3)? {
                0 => hostile::number(u)?.to_string(),
                1 => u.choose(&self.at.known)?.clone(),
                _ => hostile::text(u)?,
            };
            let value = if u.ratio(1, 8)? { value } else { utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string() };
            query.push_str(&format!("{}{}={value}", if query.is_empty() { "?" } else { "&" }, u.choose(&names)?));
        }
        let asked = format!("{path}{query}");
        if asked.parse::<Uri>().is_err() || !asked.starts_with('/') {
            return Ok(());
        }
        let method =
            if u.ratio(1, 12)? { *u.choose(&["GET", "HEAD", "PATCH", "OPTIONS", "X-ODD"])? } else { rule.method };
        self.at.send(self.at.app.call(method, &asked).bearer(&self.at.token));
        Ok(())
    }
}

/// Session tokens, cookies and API keys that are nearly right.
pub(crate) struct Credentials {
    at: Installation,
    closed: Vec<&'static Rule>,
}

impl Target for Credentials {
    const NAME: &'static str = "credentials";
    const CASES: u32 = 500;

    fn new() -> Self {
        let closed = rules().into_iter().filter(|rule| rule.access != Access::Public).collect();
        Self { at: Installation::new(), closed }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let rule = u.choose(&self.closed)?;
        let (token, key) = (&self.at.token, &self.at.key);
        let (name, right) = match u.int_in_range(0..=3)? {
            0 => ("authorization", format!("Bearer {token}")),
            1 => ("cookie", format!("auth-token={token}")),
            2 => ("x-api-key", key.clone()),
            _ => ("authorization", hostile::text(u)?),
        };
        let given = hostile::mutated_text(u, &right)?;
        let holds_the_token = given.split([';', ' ', '=']).any(|part| part == token);
        if given.contains(key.as_str()) || holds_the_token || HeaderValue::from_str(&given).is_err() {
            return Ok(());
        }
        let path = rule.path.replace("{id}", &self.at.known[0]).replace(['{', '}'], "");
        let answer = self.at.send(self.at.app.call(rule.method, &path).header(name, &given));
        assert_eq!(answer.status.as_u16(), 401, "{name}: {given:?} at {rule:?}: {}", answer.text);
        Ok(())
    }
}

/// Files from upload to download.
pub(crate) struct Uploads {
    at: Installation,
}

impl Target for Uploads {
    const NAME: &'static str = "uploads";
    const CASES: u32 = 150;

    fn new() -> Self {
        Self { at: Installation::new() }
    }

    fn case(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let length = u.int_in_range(0..=200)?.min(u.len());
        let bytes = u.bytes(length)?.to_vec();
        let good = BASE64.encode(&bytes);
        let data = if u.ratio(1, 2)? { good.clone() } else { hostile::mutated_text(u, &good)? };
        let name = if u.ratio(1, 2)? { "a.txt".to_owned() } else { hostile::text(u)? };
        let mime_type = if u.ratio(1, 2)? { "text/plain".to_owned() } else { hostile::text(u)? };
        let file = json!({"name": "n", "originalName": name, "mimeType": mime_type, "size": bytes.len(), "data": data});
        let answer = self.at.send(self.at.app.post("/api/v1/files", &self.at.token, &file));
        if answer.status == 422 {
            return Ok(());
        }
        let id = answer.data(201)["id"].as_str().expect("an id").to_owned();
        let stored = BASE64.decode(&data).expect("what was taken is base64");
        let download = self.at.send(self.at.app.get(&format!("/api/v1/files/{id}/download"), &self.at.token));
        assert_eq!((download.status.as_u16(), &download.bytes), (200, &stored), "{data:?}");
        let header = |name: &str| download.headers[name].to_str().expect("visible ASCII").to_owned();
        assert!(header("content-disposition").starts_with("attachment; "), "never shown in place");
        assert_eq!(header("x-content-type-options"), "nosniff");
        Ok(())
    }
}
