//! Calls every operation at least once, with each filter and order that changes its SQL, and lets every job run.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use shared_core::{
    ProviderName, Timestamp,
    api_keys::Scope,
    db::Statement,
    executions::{Outcome, pipeline},
    jobs, params,
};
use shared_http::access::RULES;
use shared_jobs::{JobType, types::GenerateEmbedding};
use shared_testing::vendor::voyageai;
use tests::{PASSWORD, TestApp};

const LEASE: Duration = Duration::from_secs(1);
const DIRECTIONS: [&str; 2] = ["ASC", "DESC"];

struct Walk<'a> {
    app: &'a TestApp,
    token: String,
    walked: BTreeSet<(String, String)>,
}

/// Walks everywhere; tells which operations it called, as method and path of the document.
pub(super) async fn everything(app: &TestApp, token: String) -> BTreeSet<(String, String)> {
    let mut walk = Walk { app, token, walked: BTreeSet::new() };
    // On the heap: the compiler gives up on so many futures inside each other.
    Box::pin(walk.accounts()).await;
    Box::pin(walk.keys()).await;
    Box::pin(walk.settings()).await;
    let prompt = Box::pin(walk.prompts()).await;
    Box::pin(walk.files()).await;
    let group = Box::pin(walk.test_data(&prompt)).await;
    Box::pin(walk.executions(&prompt, &group)).await;
    Box::pin(walk.execution_lists(&prompt)).await;
    Box::pin(walk.deployments(&prompt)).await;
    Box::pin(walk.embeddings()).await;
    Box::pin(walk.pipelines()).await;
    Box::pin(walk.jobs()).await;
    Box::pin(walk.dashboard()).await;
    Box::pin(walk.audit()).await;
    Box::pin(walk.maintenance()).await;
    Box::pin(walk.remove(&prompt, &group)).await;
    walk.walked
}

/// The operation that a path belongs to: as many literal segments as possible.
fn operation(method: &str, path: &str) -> (String, String) {
    let bare = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = bare.split('/').collect();
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('/').collect();
        let literal = parts.iter().filter(|part| !part.starts_with('{')).count();
        let fits = parts.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment);
        (parts.len() == segments.len() && fits).then_some(literal)
    };
    let candidates = RULES.iter().filter(|rule| rule.method == method);
    let best = candidates.filter_map(|rule| Some((fits(rule.path)?, rule))).max_by_key(|(literal, _)| *literal);
    let (_, rule) = best.unwrap_or_else(|| panic!("{method} {path} is no operation"));
    (rule.method.to_owned(), rule.path.to_owned())
}

fn id_of(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_else(|| panic!("no id in {resource}")).to_owned()
}

impl Walk<'_> {
    async fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.walked.insert(operation(method, path));
        let call = self.app.call(method, path).bearer(&self.token);
        let call = match body {
            Some(body) => call.json(&body),
            None => call,
        };
        let answer = call.send().await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        match serde_json::from_str::<Value>(&answer.text) {
            Ok(body) => body["data"].clone(),
            Err(_) => Value::Null,
        }
    }

    async fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await
    }

    async fn put(&mut self, path: &str, body: Value) -> Value {
        self.call("PUT", path, Some(body)).await
    }

    async fn delete(&mut self, path: &str) {
        self.call("DELETE", path, None).await;
    }

    /// Works on these executions, and on what waits behind them.
    async fn work_on(&self, ids: &Value) {
        for id in ids.as_array().expect("a list of ids") {
            self.app.work_on(id.as_str().expect("an id"), Duration::from_secs(60)).await;
        }
    }

    /// A list in each order, from its beginning and far inside, and a search in it.
    async fn list(&mut self, path: &str, orders: &[&str]) {
        for order in orders {
            for direction in DIRECTIONS {
                self.get(&format!("{path}orderBy={order}&orderDirection={direction}")).await;
                self.get(&format!("{path}orderBy={order}&orderDirection={direction}&page=2000")).await;
            }
        }
        self.get(&format!("{path}search=x")).await;
    }

    async fn accounts(&mut self) {
        for path in ["/api/health", "/api/json-schema", "/api/v1/common/onboarding-status"] {
            self.get(path).await;
        }
        // It is not the first one any more; that is known by asking the database.
        let first = json!({"email": "late@example.com", "name": "Late", "password": PASSWORD});
        let path = "/api/v1/auth/register-first-admin";
        self.walked.insert(operation("POST", path));
        let refused = self.app.call("POST", path).json(&first).send().await;
        assert!(refused.status.is_client_error(), "{}", refused.text);
        self.get("/api/v1/auth/check").await;

        let invitation = json!({"email": "new@example.com", "name": "New", "role": "admin"});
        let invited = self.post("/api/v1/users/invite", invitation).await;
        let activation = json!({"invitation_token": invited["invitation_token"], "password": PASSWORD});
        self.post("/api/v1/auth/activate", activation).await;
        self.walked.insert(operation("POST", "/api/v1/auth/login"));
        for (password, is_right) in [("wrong password", false), (PASSWORD, true)] {
            let body = json!({"email": "new@example.com", "password": password});
            let answer = self.app.call("POST", "/api/v1/auth/login").json(&body).send().await;
            assert_eq!(answer.status.is_success(), is_right, "{}", answer.text);
        }

        for query in ["", "?role=admin", "?status=active", "?role=admin&status=active", "?search=x", "?page=2000"] {
            self.get(&format!("/api/v1/users{query}")).await;
        }
        self.get("/api/v1/users/profile/me").await;
        let path = format!("/api/v1/users/{}", id_of(&invited["user"]));
        self.get(&path).await;
        self.put(&path, json!({"name": "Other", "role": "user"})).await;
        self.put(&format!("{path}/profile"), json!({"timezone": "UTC"})).await;
        self.passwords(&path).await;
        self.delete(&path).await;
        self.call("POST", "/api/v1/users/cleanup", None).await;
        self.call("POST", "/api/v1/auth/logout-all", None).await;
        let body = json!({"email": "admin@example.com", "password": PASSWORD});
        let data = self.app.call("POST", "/api/v1/auth/login").json(&body).send().await.data(200);
        self.token = data["token"].as_str().expect("a token").to_owned();
    }

    /// Of the account that was invited.
    async fn passwords(&mut self, path: &str) {
        let link = self.call("POST", &format!("{path}/reset-link"), None).await;
        let reset = json!({"token": link["reset_token"], "password": "another password"});
        self.post("/api/v1/auth/reset-password", reset).await;
        let body = json!({"email": "new@example.com", "password": "another password"});
        let data = self.app.call("POST", "/api/v1/auth/login").json(&body).send().await.data(200);
        let own = data["token"].as_str().expect("a token").to_owned();
        let admin = std::mem::replace(&mut self.token, own);
        let change = json!({"current_password": "another password", "new_password": "yet another password"});
        self.post("/api/v1/auth/change-password", change).await;
        self.token = admin;
    }

    async fn keys(&mut self) {
        let created = self.post("/api/v1/api-keys", json!({"name": "ci", "scopes": ["executions:read"]})).await;
        let path = format!("/api/v1/api-keys/{}", id_of(&created["api_key"]));
        for path in ["/api/v1/api-keys", "/api/v1/api-keys/stats", &path] {
            self.get(path).await;
        }
        self.put(&path, json!({"name": "other"})).await;
        self.post(&format!("{path}/rotate"), json!({})).await;
        let key = self.app.add_api_key("admin@example.com", &[Scope::PromptsRead]).await;
        for key in [key.as_str(), "api_0000000000000000000000000000000000000000000000000000000000000000"] {
            self.app.call("GET", "/api/v1/users/profile/me").api_key(key).send().await;
        }
        self.delete(&path).await;
    }

    async fn settings(&mut self) {
        let hook = json!({"name": "hook", "url": format!("{}/hook", self.app.receiver.url())});
        let hook = self.post("/api/v1/settings", json!({"type": "webhook-destination", "data": hook})).await;
        let key = json!({"type": "service-api-key", "data": {"provider": "voyageai", "api_key": "x"}});
        self.post("/api/v1/settings", key).await;
        for path in [
            "/api/v1/settings",
            "/api/v1/settings/type/llm-api-key",
            "/api/v1/settings/type/llm-api-key/identifier/ollama",
        ] {
            self.get(path).await;
        }
        let path = format!("/api/v1/settings/{}", id_of(&hook));
        self.get(&path).await;
        self.put(&path, json!({"type": "webhook-destination", "data": {"name": "other"}})).await;
        self.call("POST", &format!("{path}/rotate-secret"), None).await;
        self.delete(&path).await;
    }

    async fn prompts(&mut self) -> String {
        let prompt = id_of(&self.post("/api/v1/prompts", json!({"name": "walk", "prompt": "Say hello"})).await);
        self.list("/api/v1/prompts?", &["name", "created_at", "updated_at"]).await;
        for path in ["select-list", "recent", "search/x", &prompt] {
            self.get(&format!("/api/v1/prompts/{path}")).await;
        }
        self.put(&format!("/api/v1/prompts/{prompt}"), json!({"name": "walk", "prompt": "Say hello twice"})).await;
        self.post("/api/v1/prompts/preview", json!({"promptId": prompt, "userInput": "{}"})).await;
        let comment = json!({"text": "good", "data": {"type": "generic"}, "prompt_id": prompt});
        let comment = id_of(&self.post("/api/v1/comments", comment).await);
        let body = json!({"commentIds": [comment], "summarize": false});
        self.post(&format!("/api/v1/prompts/{prompt}/generate-adjustment"), body).await;
        self.get(&format!("/api/v1/comments?prompt_id={prompt}")).await;
        self.delete(&format!("/api/v1/comments/{comment}")).await;
        prompt
    }

    async fn files(&mut self) {
        let file =
            json!({"name": "a", "originalName": "a.png", "mimeType": "image/png", "size": 1, "data": "iVBORw0KGgo="});
        let file = id_of(&self.post("/api/v1/files", file).await);
        self.list("/api/v1/files?", &["name", "originalName", "size", "created_at", "updated_at"]).await;
        self.get("/api/v1/files?mimeType=image/png").await;
        self.get("/api/v1/files?mimeType=image/png&search=x").await;
        for path in ["select-list", "search/x", &file, &format!("{file}/download")] {
            self.get(&format!("/api/v1/files/{path}")).await;
        }
        let run = json!({"promptText": "Say hello", "userInput": "", "fileId": file,
            "providerModel": ["ollama:demo:latest"]});
        let created = self.post("/api/v1/executions", run).await;
        self.work_on(&created["executionIds"]).await;
        self.delete(&format!("/api/v1/files/{file}")).await;
    }

    async fn test_data(&mut self, prompt: &str) -> String {
        let group = id_of(&self.post("/api/v1/test-data/groups", json!({"name": "cases", "mode": "raw"})).await);
        let path = format!("/api/v1/test-data/groups/{group}");
        self.put(&path, json!({"name": "Cases", "mode": "json"})).await;
        self.put(&path, json!({"name": "Cases", "mode": "raw"})).await;
        let items = format!("{path}/items");
        let item = id_of(&self.post(&items, json!({"name": "one", "content": "x"})).await);
        self.post(&format!("{items}/bulk"), json!({"items": [{"content": "y"}, {"content": "z"}]})).await;
        self.list("/api/v1/test-data/groups?", &["name", "created_at", "updated_at"]).await;
        self.list(&format!("{items}?"), &["name", "created_at", "updated_at"]).await;
        self.get("/api/v1/test-data/select-list").await;
        self.get(&path).await;
        let item_path = format!("/api/v1/test-data/items/{item}");
        self.get(&item_path).await;
        self.put(&item_path, json!({"content": "w"})).await;
        self.post("/api/v1/test-data/compile-prompt", json!({"promptId": prompt, "testDataItemId": item})).await;
        group
    }

    async fn executions(&mut self, prompt: &str, group: &str) {
        let path = "/api/v1/executions";
        let run = json!({"promptId": prompt, "userInput": "{}", "providerModel": ["ollama:demo:latest"]});
        let created = self.post(path, run).await;
        let id = created["executionIds"][0].as_str().expect("an id").to_owned();
        let group_run = json!({"promptId": prompt, "testDataGroupId": group, "providerModel": ["openai:gpt-4.1"]});
        let group_run = self.post(path, group_run).await;
        self.work_on(&created["executionIds"]).await;
        self.work_on(&group_run["executionIds"]).await;
        self.get(&format!("{path}/{id}")).await;
        self.post(&format!("{path}/update-fields/{id}"), json!({"starred": true})).await;
        self.post(&format!("{path}/update-fields/{id}"), json!({})).await;
        for path in ["stats/all", "providers/health", "providers/list", "providers/models"] {
            self.get(&format!("/api/v1/executions/{path}")).await;
        }
        for query in [format!("test_group_id={group}"), format!("prompt_id={prompt}")] {
            self.get(&format!("/api/v1/execution-bundles?{query}")).await;
        }
        self.get(&format!("/api/v1/execution-bundles?test_group_id={group}&prompt_id={prompt}")).await;
        let comment = json!({"text": "good", "data": {"type": "generic"}, "execution_id": id, "prompt_id": prompt});
        self.post("/api/v1/comments", comment).await;
        self.get(&format!("/api/v1/comments?execution_id={id}")).await;
        let run = json!({"promptText": "x", "userInput": "", "providerModel": ["ollama:demo:latest"]});
        let created = self.post(path, run).await;
        let cancelled = format!("{path}/{}", created["executionIds"][0].as_str().expect("an id"));
        self.delete(&cancelled).await;
        self.call("POST", &format!("{cancelled}/erase"), None).await;
    }

    async fn audit(&mut self) {
        let filters = [
            "",
            "actorId=x",
            "action=prompt.updated",
            "resourceType=prompt",
            "resourceId=x",
            "from=2026-01-01T00:00:00Z",
            "actorId=x&from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z",
        ];
        for filter in filters {
            for query in ["", "&page=2000", "&format=ndjson"] {
                self.get(&format!("/api/v1/audit?{filter}{query}")).await;
            }
        }
    }

    /// Every combination of filters, in every order.
    async fn execution_lists(&mut self, prompt: &str) {
        let choices: [&[&str]; 4] = [
            &["", "&status=completed", "&status=failed", "&status=pending"],
            &["", "&provider=ollama"],
            &["", &format!("&promptId={prompt}")],
            &["", "&starred=true", "&starred=false"],
        ];
        let mut filters = vec![String::new()];
        for choice in choices {
            filters = filters.iter().flat_map(|one| choice.iter().map(move |more| format!("{one}{more}"))).collect();
        }
        for order in ["created_at", "updated_at", "started_at", "completed_at"] {
            for filter in &filters {
                self.get(&format!("/api/v1/executions?orderBy={order}{filter}")).await;
            }
            self.get(&format!("/api/v1/executions?orderBy={order}&orderDirection=ASC")).await;
        }
        self.get(&format!("/api/v1/executions?ids={prompt}&status=completed&starred=true")).await;
        self.get("/api/v1/executions?page=2000").await;
        self.get("/api/v1/executions?downloadCsv=true").await;
    }

    async fn deployments(&mut self, prompt: &str) {
        let body = json!({"name": "service", "promptId": prompt, "promptVersion": 1, "provider": "ollama",
            "model": "demo:latest"});
        let path = format!("/api/v1/deployments/{}", id_of(&self.post("/api/v1/deployments", body).await));
        self.list("/api/v1/deployments?", &["name", "provider", "model", "created_at", "updated_at"]).await;
        self.get("/api/v1/deployments/name/service").await;
        self.get(&path).await;
        let hook = json!({"name": "hook", "url": format!("{}/hook", self.app.receiver.url())});
        let hook = self.post("/api/v1/settings", json!({"type": "webhook-destination", "data": hook})).await;
        self.put(&path, json!({"promptVersion": 1, "webhookDestinationIds": [hook["id"]]})).await;
        let created = self.post("/api/v1/deployments/run/service", json!({"userInput": "{}"})).await;
        self.work_on(&json!([created["executionId"]])).await;
        self.app.run_webhooks().await;
        self.delete(&path).await;
    }

    async fn embeddings(&mut self) {
        self.app.vendor.on("POST", "/v1/embeddings", voyageai::embedded(&[vec![0.25, -0.5]]));
        let path = "/api/v1/deployment-embeddings";
        let created = self.post(path, json!({"name": "texts", "model": "voyage-3-large"})).await;
        let own = format!("{path}/{}", id_of(&created));
        self.list(&format!("{path}?"), &["name", "model", "created_at", "updated_at"]).await;
        self.get(&format!("{path}/name/texts")).await;
        self.get(&own).await;
        self.put(&own, json!({"model": "voyage-3.5"})).await;
        self.post(&format!("{path}/run/texts"), json!({"inputs": ["hello"]})).await;
        let sql = "SELECT id FROM jobs WHERE type = ?1";
        let rows = self.app.db.read(sql, params![GenerateEmbedding::KIND.name]).await.expect("the database answers");
        let job: String = rows.first().expect("a job").get("id").expect("an id");
        self.app.embed(&job).await;
        self.get(&format!("/api/v1/jobs/{job}")).await;
        self.delete(&own).await;
    }

    /// The steps of both pipelines that the good way does not take.
    async fn pipelines(&mut self) {
        let (db, now) = (&self.app.db, Timestamp::now());
        let run = json!({"promptText": "x", "userInput": "", "providerModel": ["ollama:demo:latest"]});
        let data = self.app.post("/api/v1/executions", &self.token, &run).send().await.data(201);
        let id = data["executionIds"][0].as_str().expect("an id").to_owned();
        pipeline::undispatch(db, std::slice::from_ref(&id)).await.expect("the database answers");
        pipeline::find_waiting_provider(db, &id).await.expect("the database answers");
        let next =
            async || pipeline::claim_next(db, ProviderName::Ollama, LEASE, now).await.expect("the database answers");
        let claim = next().await.expect("it waits");
        pipeline::extend(db, &claim, LEASE, now).await.expect("the database answers");
        pipeline::retry_at(db, &claim, "busy", now, now).await.expect("the database answers");
        let claim = next().await.expect("it waits again");
        pipeline::hand_back(db, &claim, now).await.expect("the database answers");
        let claim = next().await.expect("it waits again");
        pipeline::release(db, &claim).await.expect("the database answers");
        let outcome = Outcome::Failed("no".to_owned());
        pipeline::finish(db, &claim, &outcome, now).await.expect("the database answers");
        jobs::pipeline::unannounce(db, &[id]).await.expect("the database answers");
    }

    async fn jobs(&mut self) {
        let trigger = json!({"job": {"type": "webhook-delivery",
            "data": {"url": format!("{}/hook", self.app.receiver.url())}}});
        self.post("/api/v1/jobs/single/trigger", trigger).await;
        self.app.run_webhooks().await;
        let mut ended = None;
        for filter in [
            "",
            "&status=completed",
            "&status=failed",
            "&jobName=webhook-delivery",
            "&jobName=webhook-delivery&status=completed",
            "&jobName=webhook-delivery&status=failed",
        ] {
            for order in ["created_at", "updated_at", "scheduledAt", "startedAt", "completedAt"] {
                for direction in DIRECTIONS {
                    let query = format!("orderBy={order}&orderDirection={direction}{filter}");
                    let page = self.get(&format!("/api/v1/jobs?{query}")).await;
                    if filter == "&jobName=webhook-delivery&status=completed" {
                        ended = page["data"][0]["id"].as_str().map(str::to_owned);
                    }
                }
            }
        }
        self.get("/api/v1/jobs?search=x").await;
        self.get("/api/v1/jobs?page=2000").await;
        let ended = ended.expect("a delivery has ended");
        self.get(&format!("/api/v1/jobs/{ended}")).await;
        self.call("POST", &format!("/api/v1/jobs/{ended}/redeliver"), None).await;
    }

    async fn dashboard(&mut self) {
        for path in [
            "stats",
            "token-usage/summary",
            "token-usage/daily",
            "token-usage/hourly",
            "token-usage/daily/grouped",
            "token-usage/hourly/grouped",
        ] {
            self.get(&format!("/api/v1/dashboard/{path}")).await;
            self.get(&format!("/api/v1/dashboard/{path}?startDate=2026-01-01T09:15:00Z")).await;
        }
    }

    /// Rounds that find something to do, and retention at work.
    async fn maintenance(&mut self) {
        let db = &self.app.db;
        // The semicolons keep these two out of what is looked at.
        for spoil in [
            "UPDATE execution_counts SET n = n + 1;",
            "UPDATE execution_totals SET n = n + 1;",
            "UPDATE job_counts SET n = n + 1;",
            "UPDATE usage_sums SET executions = executions + 1;",
        ] {
            db.write(vec![Statement::new(spoil, params![])]).await.expect("the database answers");
        }
        let now = Timestamp::now();
        for later in [0, 3600, 400 * 86_400] {
            self.app.maintenance.run(now.plus_seconds(later), None).await.expect("the database answers");
        }
        let before = now.plus_seconds(-86_400);
        shared_core::executions::delete_ended(db, before, 10).await.expect("the database answers");
    }

    async fn remove(&mut self, prompt: &str, group: &str) {
        let items = self.get(&format!("/api/v1/test-data/groups/{group}/items")).await;
        self.delete(&format!("/api/v1/test-data/items/{}", id_of(&items["data"][0]))).await;
        self.delete(&format!("/api/v1/test-data/groups/{group}")).await;
        self.delete(&format!("/api/v1/prompts/{prompt}")).await;
    }
}
