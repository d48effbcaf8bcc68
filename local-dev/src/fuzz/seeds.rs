//! Something of every kind, so that made-up requests meet something that exists.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{api::Api, demo::MODELS};

/// Ids and names by what they name.
pub(super) type Seeds = BTreeMap<&'static str, Vec<String>>;

/// How many of each kind; some requests delete what they find.
const OF_EACH: usize = 6;

/// Makes everything.
pub(super) async fn plant(api: &Api) -> Result<Seeds> {
    let mut seeds = Planter { api, seeds: Seeds::new() };
    let target = format!("ollama:{}", MODELS[0]);
    seeds.seeds.insert("targets", vec![target.clone()]);
    let setting = json!({"type": "llm-api-key", "data": {"provider": "ollama", "api_key": "none"}});
    seeds.add("settings", "/api/v1/settings", &setting, "/id").await?;
    for number in 0..OF_EACH {
        let name = format!("seed-{number}");
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        let prompt = json!({"name": name, "prompt": "Greet {{name}}.", "json_schema_input": schema});
        let prompt_id = seeds.add("prompts", "/api/v1/prompts", &prompt, "/id").await?;
        let run = json!({"promptText": "Say hello", "providerModel": [target]});
        let execution_id = seeds.add("executions", "/api/v1/executions", &run, "/executionIds/0").await?;
        let user = json!({"email": format!("{name}@example.org"), "name": name, "role": "user"});
        seeds.add("users", "/api/v1/users/invite", &user, "/user/id").await?;
        let key = json!({"name": name, "scopes": ["executions:run"]});
        seeds.add("api_keys", "/api/v1/api-keys", &key, "/api_key/id").await?;
        let comment = json!({"text": name, "data": {"type": "generic"}, "prompt_id": prompt_id,
            "execution_id": execution_id});
        seeds.add("comments", "/api/v1/comments", &comment, "/id").await?;
        let group = json!({"name": name, "mode": "json"});
        let group_id = seeds.add("groups", "/api/v1/test-data/groups", &group, "/id").await?;
        let items = format!("/api/v1/test-data/groups/{group_id}/items");
        seeds.add("items", &items, &json!({"content": "{\"name\": \"Ada\"}"}), "/id").await?;
        let file = json!({"name": name, "originalName": "seed.txt", "mimeType": "text/plain", "size": 5,
            "data": "aGVsbG8="});
        seeds.add("files", "/api/v1/files", &file, "/id").await?;
        let deployment = json!({"name": name, "promptId": prompt_id, "promptVersion": 1, "provider": "ollama",
            "model": MODELS[0]});
        seeds.add("deployments", "/api/v1/deployments", &deployment, "/id").await?;
        seeds.note("deployment_names", &name);
        let embedding = json!({"name": name, "model": "voyage-3.5"});
        seeds.add("embeddings", "/api/v1/deployment-embeddings", &embedding, "/id").await?;
        seeds.note("embedding_names", &name);
        let run = format!("/api/v1/deployment-embeddings/run/{name}");
        seeds.add("jobs", &run, &json!({"inputs": "hello"}), "/jobId").await?;
    }
    Ok(seeds.seeds)
}

struct Planter<'a> {
    api: &'a Api,
    seeds: Seeds,
}

impl Planter<'_> {
    /// Makes something, and notes and gives the id in the answer.
    async fn add(&mut self, kind: &'static str, path: &str, body: &Value, id: &str) -> Result<String> {
        let answer = self.api.post(path, body).await?;
        let id = answer.pointer(id).and_then(Value::as_str).with_context(|| format!("no {id} in {answer}"))?.to_owned();
        self.note(kind, &id);
        Ok(id)
    }

    fn note(&mut self, kind: &'static str, value: &str) {
        self.seeds.entry(kind).or_default().push(value.to_owned());
    }
}
