//! What a small installation holds, made through its public API.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    executions::{Outcome, pipeline},
};

use super::functions::Functions;
use crate::demo::MODELS;

/// The API takes so many targets in one request.
const PER_REQUEST: usize = 100;
const LEASE: Duration = Duration::from_secs(3600);
const PROMPTS: u32 = 20;
const EXECUTIONS: usize = 200;

/// Ids and names to ask for.
#[derive(Debug, Default)]
pub(super) struct Stock {
    /// The admin.
    pub(super) user: String,
    pub(super) prompt: String,
    pub(super) comment: String,
    /// An execution that was completed.
    pub(super) execution: String,
    /// The name of the deployment.
    pub(super) deployment: &'static str,
    pub(super) deployment_id: String,
    pub(super) model: &'static str,
    /// A key with all scopes that the benchmarks use.
    pub(super) api_key: String,
    pub(super) api_key_id: String,
    /// The key of the provider.
    pub(super) setting: String,
    pub(super) group: String,
    pub(super) item: String,
    pub(super) file: String,
    /// The body that made the file.
    pub(super) upload: Value,
}

impl Stock {
    /// Twenty prompts of two versions, two hundred completed executions, and one of everything else. The one place that
    /// the provider has is taken in the end: what comes then waits, and no message is sent to queues that are not there.
    pub(super) async fn fill(functions: &Functions) -> Result<Self> {
        let (api, db, model) = (&functions.api, &functions.db, MODELS[0]);
        let add = async |path: &str, body: Value| id(&api.post(path, &body).await?);
        let limit = json!({"type": "provider-limits", "data": {"provider": "ollama", "max_running": 1}});
        add("/api/v1/settings", limit).await?;
        let provider_key = json!({"type": "llm-api-key", "data": {"provider": "ollama", "api_key": "local"}});
        let setting = add("/api/v1/settings", provider_key).await?;

        let mut prompt = String::new();
        for number in 1..=PROMPTS {
            let name = format!("greeting {number}");
            prompt = add("/api/v1/prompts", prompt_body(&name, "friendly")).await?;
            api.put(&format!("/api/v1/prompts/{prompt}"), &prompt_body(&name, "kind")).await?;
        }
        let body =
            json!({"name": "bench", "promptId": prompt, "promptVersion": 2, "provider": "ollama", "model": model});
        let deployment_id = add("/api/v1/deployments", body).await?;
        let scopes = ["deployments:run", "prompts:read", "executions:read"];
        // The highest limit there is: it is counted, and not reached.
        let body = json!({"name": "bench", "scopes": scopes, "requests_per_minute": 100_000});
        let key = api.post("/api/v1/api-keys", &body).await?;
        let api_key = key["plain_key"].as_str().context("no API key in the answer")?.to_owned();
        let api_key_id = id(&key["api_key"])?;

        let comment = json!({"text": "too long", "data": {"type": "generic"}, "prompt_id": prompt});
        let comment = add("/api/v1/comments", comment).await?;
        let group = add("/api/v1/test-data/groups", json!({"name": "cases", "mode": "raw"})).await?;
        let item = json!({"name": "one", "content": input()});
        let item = add(&format!("/api/v1/test-data/groups/{group}/items"), item).await?;
        let upload = upload();
        let file = add("/api/v1/files", upload.clone()).await?;
        let users = api.get("/api/v1/users").await?;
        let user = id(&users["data"][0])?;

        let mut executions = Vec::new();
        while executions.len() < EXECUTIONS {
            let body = execution_body(&prompt, PER_REQUEST);
            let created = api.post("/api/v1/executions", &body).await?;
            let ids = created["executionIds"].as_array().context("no execution ids")?;
            executions.extend(ids.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        for _ in &executions {
            complete_next(db).await?;
        }
        let execution = executions.pop().context("no execution")?;
        api.post("/api/v1/executions", &execution_body(&prompt, 1)).await?;
        let last = pipeline::claim_next(db, ProviderName::Ollama, LEASE, Timestamp::now()).await?;
        last.context("the last execution does not run")?;
        let deployment = "bench";
        Ok(Self {
            user,
            prompt,
            comment,
            execution,
            deployment,
            deployment_id,
            model,
            api_key,
            api_key_id,
            setting,
            group,
            item,
            file,
            upload,
        })
    }
}

/// Runs the next execution in line to its end, without a model.
async fn complete_next(db: &Db) -> Result<()> {
    let claim = pipeline::claim_next(db, ProviderName::Ollama, LEASE, Timestamp::now()).await?;
    let claim = claim.context("nothing is in line")?;
    if !pipeline::finish(db, &claim, &answer(), Timestamp::now()).await? {
        bail!("an execution was not finished");
    }
    Ok(())
}

/// An answer of a kilobyte.
pub(super) fn answer() -> Outcome {
    let members: [(&str, Value); 4] = [
        ("result", "A friendly sentence. ".repeat(48).into()),
        ("result_valid", true.into()),
        ("input_tokens_used", 250.into()),
        ("output_tokens_used", 200.into()),
    ];
    Outcome::Completed(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<Map<_, _>>())
}

/// Executions of a prompt, with a short input.
pub(super) fn execution_body(prompt: &str, count: usize) -> Value {
    let target = format!("ollama:{}", MODELS[0]);
    json!({"promptId": prompt, "userInput": input(), "providerModel": vec![target; count]})
}

/// Input for the prompts of the stock.
pub(super) fn input() -> String {
    json!({"name": "Grace", "city": "Arlington", "notes": "likes ships. ".repeat(20)}).to_string()
}

/// A template of half a kilobyte with schemas for input and answer.
pub(super) fn prompt_body(name: &str, tone: &str) -> Value {
    let rules = "Keep to what you were told, and say when something is missing. ".repeat(6);
    json!({
        "name": name,
        "prompt": format!("Write one {tone} sentence to {{{{name}}}}, who lives in {{{{city}}}}: {{{{notes}}}}.\n{rules}"),
        "json_schema_input": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "city": {"type": "string", "description": "where the person lives"},
                "notes": {"type": "string"},
            },
            "required": ["name", "city"],
        },
        "json_schema_response": {"type": "object", "properties": {"sentence": {"type": "string"}}},
    })
}

/// A picture of 32 KiB.
fn upload() -> Value {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.resize(32 * 1024, 0);
    json!({
        "name": "drawing {number}", "originalName": "drawing.png", "mimeType": "image/png", "size": bytes.len(),
        "data": BASE64.encode(bytes),
    })
}

fn id(created: &Value) -> Result<String> {
    Ok(created["id"].as_str().with_context(|| format!("no id in {created}"))?.to_owned())
}
