//! Functions over a fresh database and nothing around them: no gateway, no queues, no clock. For benchmarks of single
//! requests, which call a function as the gateway does.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::{
    body::Bytes,
    http::{Request, request::Builder},
};
use serde_json::{Value, json};

use crate::{
    api::{EMAIL, PASSWORD},
    gateway::event_for,
    host::Host,
    invoke::Invoker,
    stack::MIGRATE,
    template::Template,
};

/// Makes the first account, whose token the measured requests carry.
pub(super) const REGISTER: &str = "/api/v1/auth/register-first-admin";
/// Far above what any call takes.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(120);

/// The functions and their runtime host.
pub(super) struct Alone<'a> {
    pub(super) template: &'a Template,
    pub(super) host: &'a Host,
}

impl Alone<'_> {
    /// Migrates the database and makes the first account; gives its token.
    pub(super) async fn set_up(&self) -> Result<String> {
        self.host.invoke(MIGRATE, "{}".into(), CALL_LIMIT).await.context("the migration failed")?;
        let admin = json!({ "email": EMAIL, "name": "Admin", "password": PASSWORD });
        let request = Request::post(REGISTER).header("content-type", "application/json");
        let body = self.call(request, admin.to_string().as_bytes()).await.context("no account could be made")?.1;
        let token = body["data"]["token"].as_str().with_context(|| format!("no token in the answer {body}"))?;
        Ok(token.to_owned())
    }

    /// The event of a request, and the function that gets it.
    pub(super) fn event(&self, request: Builder, body: &[u8]) -> Result<(String, Bytes)> {
        let (parts, ()) = request.header("host", "localhost").body(())?.into_parts();
        let path = parts.uri.path().to_owned();
        let event = event_for(self.template, &parts, &path, body, 80);
        let (function, event) = event.with_context(|| format!("the template has no route for {path}"))?;
        Ok((function, event.into()))
    }

    /// Sends a request to its function; gives status and body.
    pub(super) async fn call(&self, request: Builder, body: &[u8]) -> Result<(u64, Value)> {
        let (function, event) = self.event(request, body)?;
        let answer =
            self.host.invoke(&function, event, CALL_LIMIT).await.with_context(|| format!("{function} failed"))?;
        read(&answer)
    }
}

/// Status and body in the answer of a function.
pub(super) fn read(answer: &[u8]) -> Result<(u64, Value)> {
    let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
    let status = answer["statusCode"].as_u64().with_context(|| format!("no status in {answer}"))?;
    let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    Ok((status, body))
}
