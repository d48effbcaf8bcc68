//! A minimal client of the public API.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Far above what any call takes.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// The admin that [`Api::register`] makes.
pub(crate) const EMAIL: &str = "admin@example.org";
/// The admin's password.
pub(crate) const PASSWORD: &str = "a local password";

/// A signed-in client.
#[derive(Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    base_url: String,
    token: String,
}

impl Api {
    /// Registers the first admin of a fresh system.
    pub(crate) async fn register(base_url: String) -> Result<Self> {
        let http = shared_core::outbound::client(|builder| builder.no_proxy().tcp_nodelay(true).timeout(CALL_LIMIT))?;
        let mut api = Self { http, base_url, token: String::new() };
        let admin = json!({ "email": EMAIL, "name": "Admin", "password": PASSWORD });
        let session = api.post("/api/v1/auth/register-first-admin", &admin).await?;
        api.token = session["token"].as_str().context("no token in the answer")?.to_owned();
        Ok(api)
    }

    /// The token of the session.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Where the API answers, without a trailing slash.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// POST; the `data` of a 201 answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base_url)).json(body);
        self.data(request, path, 201).await
    }

    /// PUT; the `data` of a 200 answer.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.http.put(format!("{}{path}", self.base_url)).json(body);
        self.data(request, path, 200).await
    }

    /// GET; the `data` of a 200 answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.data(self.http.get(format!("{}{path}", self.base_url)), path, 200).await
    }

    /// DELETE; the status of the answer.
    pub(crate) async fn delete(&self, path: &str) -> Result<u16> {
        let request = self.http.delete(format!("{}{path}", self.base_url)).bearer_auth(&self.token);
        Ok(request.send().await.with_context(|| format!("no answer from {path}"))?.status().as_u16())
    }

    async fn data(&self, request: reqwest::RequestBuilder, path: &str, expected: u16) -> Result<Value> {
        let answer = request.bearer_auth(&self.token).send().await.with_context(|| format!("no answer from {path}"))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.with_context(|| format!("no answer from {path}"))?;
        if status != expected {
            bail!("{path} answered {status}: {text}");
        }
        let mut answer: Value = serde_json::from_str(&text).with_context(|| format!("{path} answered no JSON"))?;
        Ok(answer["data"].take())
    }
}
