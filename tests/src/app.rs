//! Every router and job of the project over one database file.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use api_deployments::DeploymentsState;
use api_executions::ExecutionsState;
use api_jobs::JobsState;
use api_settings::SettingsState;
use api_users::UsersState;
use job_embedding::Embedder;
use job_execution::Worker;
use job_maintenance::Maintenance;
use serde_json::{Value, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    api_keys::{self, ApiKey, ApiKeyStatus, Scope},
    config::{self, DatabaseConfig, Env},
    db::Statement,
    executions::pipeline,
    ids, migrations, passwords,
    secrets::digest,
    users::{self, Role, User, UserStatus},
};
use shared_http::{App, Edge, OpenApiRouter, openapi::document, service};
use shared_jobs::{Function, Invocation, JobFunction, JobMessage, JobType, Shutdown, types::WebhookDelivery};
use shared_testing::{
    hrana::HranaServer,
    vendor::{FakeVendor, Reply, anthropic, ollama, openai},
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{http::Call, queue::TestQueue};

/// The password of every account that tests make.
pub const PASSWORD: &str = "correct horse";
/// Hashing takes its time by design, so it is done once.
static PASSWORD_HASH: OnceCell<String> = OnceCell::const_new();
/// Signs the session tokens of test apps.
pub const KEY: &str = "a signing key that is long enough for tests";

/// Signs the webhooks of test apps that no secret of a destination signs.
pub const SIGNATURE_KEY: &str = "a webhook key that is long enough for tests";

/// The variables of a test installation, as a function would find them in its environment.
pub fn environment(database: &str, vendor_url: &str) -> Vec<(String, String)> {
    let variables = [
        ("DATABASE_URL", database),
        ("AUTH_SECRET_KEY", KEY),
        ("ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        // Nobody listens there.
        ("EXECUTIONS_QUEUE_URL", "http://127.0.0.1:9/000000000000/executions"),
        ("WEBHOOKS_QUEUE_URL", "http://127.0.0.1:9/000000000000/webhooks"),
        ("EMBEDDINGS_QUEUE_URL", "http://127.0.0.1:9/000000000000/embeddings"),
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("OLLAMA_BASE_URL", vendor_url),
        ("OPENAI_BASE_URL", vendor_url),
        ("ANTHROPIC_BASE_URL", vendor_url),
        ("GEMINI_BASE_URL", vendor_url),
        ("DEEPSEEK_BASE_URL", vendor_url),
        ("DEEPINFRA_BASE_URL", vendor_url),
        ("VOYAGEAI_BASE_URL", vendor_url),
        ("PROVIDER_TIMEOUT_MS", "2000"),
        ("EMBEDDING_TIMEOUT_MS", "20000"),
        ("EXECUTION_LEASE_SECONDS", "2"),
        ("EXECUTION_MAX_ATTEMPTS", "3"),
        ("EXECUTION_RETRY_BASE_MS", "1"),
        ("JOB_RETRY_BASE_MS", "1"),
        ("WEBHOOK_SIGNATURE_KEY", SIGNATURE_KEY),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// The one server that plays every vendor of a test installation.
pub type Vendors = FakeVendor;

/// A whole installation in this process.
pub struct TestApp {
    /// The store.
    pub db: Db,
    /// Plays every vendor.
    pub vendor: FakeVendor,
    /// Receives webhooks, where configuration lets them go there.
    pub receiver: FakeVendor,
    /// Runs executions.
    pub worker: Worker,
    /// Computes embeddings.
    pub embedder: JobFunction<Embedder>,
    /// Sends webhooks.
    pub webhooks: job_webhook::Worker,
    /// What time alone triggers.
    pub maintenance: Maintenance,
    edge: Edge,
    functions: Vec<(&'static str, OpenApiRouter)>,
    tokens: Mutex<BTreeMap<String, String>>,
    database: DatabaseConfig,
    folder: TempDir,
}

impl TestApp {
    /// An empty installation: migrated, without accounts.
    pub async fn empty() -> Self {
        Self::empty_with(&[]).await
    }

    /// The same with these variables in place of the usual ones.
    pub async fn empty_with(special: &[(&str, &str)]) -> Self {
        let app = Self::over("test.db", special).await;
        app.migrate().await;
        app
    }

    /// Applies every migration, as the function `migrate` does.
    async fn migrate(&self) {
        let db = Db::new(&self.database);
        migrations::migrate(&db).await.expect("migrations apply");
    }

    /// An installation with an admin whose token it gives, and with a queue that takes every message.
    pub async fn with_queue() -> (Self, String, TestQueue) {
        let queue = TestQueue::start().await;
        let (app, token) = Self::with_variables(&[("AWS_ENDPOINT_URL_SQS", queue.url().as_str())]).await;
        (app, token, queue)
    }

    /// The same as [`with_providers`](Self::with_providers), and webhooks may go to `receiver`, which answers
    /// `POST /hook` with 204 unless a test says otherwise.
    pub async fn with_receiver() -> (Self, String) {
        let allowed = [("WEBHOOK_ALLOW_HTTP", "true"), ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "true")];
        let (app, token) = Self::with_variables(&allowed).await;
        app.receiver.on("POST", "/hook", Reply::status(204));
        app.play_vendors(&token).await;
        (app, token)
    }

    /// An installation with an admin whose token it gives, and with these variables in place of the usual ones.
    pub async fn with_variables(special: &[(&str, &str)]) -> (Self, String) {
        let app = Self::empty_with(special).await;
        let token = app.sign_up("admin@example.com", Role::Admin).await;
        (app, token)
    }

    /// Another process over the same database, with these variables in place of the usual ones. The installation must
    /// outlive it.
    pub async fn another(&self, special: &[(&str, &str)]) -> Self {
        let DatabaseConfig::File(path) = &self.database else { panic!("only files can be shared") };
        let database = format!("file:{}", path.display());
        Self::over("unused.db", &[&[("DATABASE_URL", &*database)], special].concat()).await
    }

    /// The same as [`with_receiver`](Self::with_receiver), with its data at a server that speaks the remote protocol and a
    /// queue that takes every message.
    pub async fn at_server() -> (Self, String, TestQueue, HranaServer) {
        let (folder, queue) = (tempfile::tempdir().expect("a temporary folder"), TestQueue::start().await);
        let server = HranaServer::start(folder.path().join("served.db")).await;
        server.require_token(KEY);
        let special = [
            ("DATABASE_URL", &*server.url()),
            ("DATABASE_AUTH_TOKEN", KEY),
            ("AWS_ENDPOINT_URL_SQS", &*queue.url()),
            ("WEBHOOK_ALLOW_HTTP", "true"),
            ("WEBHOOK_ALLOW_PRIVATE_TARGETS", "true"),
        ];
        let (mut app, token) = Self::with_variables(&special).await;
        app.folder = folder;
        app.receiver.on("POST", "/hook", Reply::status(204));
        app.play_vendors(&token).await;
        (app, token, queue, server)
    }

    /// An installation whose newest migration has not been applied, and its database for who may work with it all the same.
    pub async fn before_the_newest_migration() -> (Self, Db) {
        let app = Self::over("test.db", &[]).await;
        app.migrate().await;
        let db = Db::new(&app.database);
        // The record is what counts; what the migration did stays.
        let forget = "DELETE FROM schema_migrations WHERE version = ?1";
        let newest = shared_core::params![migrations::NEEDED_VERSION];
        db.write(vec![Statement::new(forget, newest)]).await.expect("the database answers");
        (app, db)
    }

    /// An installation whose database cannot be reached.
    pub async fn without_database() -> Self {
        Self::over("no such folder/test.db", &[]).await
    }

    /// An installation over this file in a folder of its own; these variables take the place of the usual ones.
    async fn over(file: &str, special: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let vendor = FakeVendor::start().await;
        let database = format!("file:{}", folder.path().join(file).display());
        let mut variables = environment(&database, &vendor.url());
        variables.extend(special.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let env = || Env::new(variables.clone());
        let settings = config::load_from(env(), SettingsState::read).expect("a complete configuration");
        let executions = config::load_from(env(), ExecutionsState::read).expect("a complete configuration");
        let app = settings.app.clone();
        let jobs = config::load_from(env(), JobsState::read).expect("a complete configuration");
        let deployments = config::load_from(env(), DeploymentsState::read).expect("a complete configuration");
        let functions = routes(&app, settings, executions, deployments, jobs);
        Self {
            db: app.db.clone(),
            vendor,
            receiver: FakeVendor::start().await,
            worker: config::load_from(env(), Worker::read).expect("a complete configuration"),
            embedder: config::load_from(env(), job_embedding::read).expect("a complete configuration"),
            webhooks: config::load_from(env(), job_webhook::read).expect("a complete configuration"),
            maintenance: config::load_from(env(), Maintenance::read).expect("a complete configuration"),
            edge: service(merged(functions.clone()), &app),
            functions,
            tokens: Mutex::default(),
            database: config::load_from(env(), Env::database).expect("a complete configuration"),
            folder,
        }
    }

    /// An installation with an admin; also gives the admin's token.
    pub async fn with_admin() -> (Self, String) {
        Self::with_variables(&[]).await
    }

    /// The same, and it waits for vendors for a fraction of a second only.
    pub async fn impatient() -> (Self, String) {
        Self::with_variables(&[("PROVIDER_TIMEOUT_MS", "200"), ("EMBEDDING_TIMEOUT_MS", "200")]).await
    }

    /// An installation with an admin and an active key for each vendor that [`Vendors`] plays; also gives the admin's
    /// token. Every vendor has one model (`demo:latest`, `gpt-4.1`, `claude-sonnet-4-5`) and answers `hello`, unless a
    /// test says otherwise.
    pub async fn with_providers() -> (Self, String) {
        let (app, token) = Self::with_admin().await;
        app.play_vendors(&token).await;
        (app, token)
    }

    async fn play_vendors(&self, token: &str) {
        self.vendor.on("GET", "/api/tags", ollama::tags(["demo:latest"]));
        self.vendor.on("POST", "/api/generate", ollama::generated("hello"));
        // OpenAI and Anthropic list their models at the same path.
        self.vendor.on(
            "GET",
            "/v1/models",
            Reply::computed(|request| match request.header("x-api-key") {
                None => openai::models_page(["gpt-4.1"]),
                Some(_) => anthropic::models_page(["claude-sonnet-4-5"], false),
            }),
        );
        self.vendor.on("POST", "/v1/responses", openai::response_text("hello"));
        self.vendor.on("POST", "/v1/messages", anthropic::message("hello"));
        for provider in [ProviderName::Ollama, ProviderName::OpenAi, ProviderName::Anthropic] {
            self.add_provider(provider, token).await;
        }
        self.vendor.forget_requests();
    }

    /// What a function serves, with all that stands around the routes.
    pub fn edge(&self) -> Edge {
        self.edge.clone()
    }

    /// Everything that stands in the files of the database, what was not checkpointed yet included.
    pub fn stored_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let paths = files.map(|file| file.expect("a file").path()).filter(|path| path.is_file());
        paths.flat_map(|path| std::fs::read(path).expect("a readable file")).collect()
    }

    /// A request without credentials.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.edge.clone(), method, path)
    }

    /// A signed-in GET.
    pub fn get(&self, path: &str, token: &str) -> Call {
        self.call("GET", path).bearer(token)
    }

    /// A signed-in POST.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> Call {
        self.call("POST", path).bearer(token).json(body)
    }

    /// A signed-in PUT.
    pub fn put(&self, path: &str, token: &str, body: &Value) -> Call {
        self.call("PUT", path).bearer(token).json(body)
    }

    /// A signed-in DELETE.
    pub fn delete(&self, path: &str, token: &str) -> Call {
        self.call("DELETE", path).bearer(token)
    }

    /// Adds an active account with [`PASSWORD`] and signs it in.
    pub async fn sign_up(&self, email: &str, role: Role) -> String {
        let user = User {
            email: email.to_owned(),
            name: email.to_owned(),
            role,
            status: UserStatus::Active,
            password_hash: Some(PASSWORD_HASH.get_or_init(|| passwords::hash(PASSWORD.into())).await.clone()),
            session_version: 0,
            invitation: None,
            invited_by: None,
            profile: None,
        };
        let insert = users::insert(&ids::new_id(), &user, Timestamp::now());
        self.db.write(vec![insert]).await.expect("the account is new");
        let body = json!({"email": email, "password": PASSWORD});
        let data = self.call("POST", "/api/v1/auth/login").json(&body).send().await.data(200);
        let token = data["token"].as_str().expect("a token").to_owned();
        self.tokens.lock().expect("no test panicked").insert(email.to_owned(), token.clone());
        token
    }

    /// The token of an account that [`sign_up`](Self::sign_up) made.
    pub fn token_of(&self, email: &str) -> Option<String> {
        self.tokens.lock().expect("no test panicked").get(email).cloned()
    }

    /// The bytes of the database file and of those that SQLite keeps beside it.
    pub fn database_bytes(&self) -> Vec<u8> {
        let DatabaseConfig::File(path) = &self.database else { panic!("the database is no file") };
        let beside = |ending: &str| std::fs::read(format!("{}{ending}", path.display())).unwrap_or_default();
        ["", "-wal", "-shm"].map(beside).concat()
    }

    /// The OpenAPI document of every function.
    pub fn openapi(&self) -> Value {
        document([merged(self.functions.clone()).openapi()])
    }

    /// The paths of every API function, by the name of the function.
    pub fn paths(&self) -> Vec<(&'static str, Vec<String>)> {
        self.functions.iter().map(|(name, router)| (*name, router.paths().to_vec())).collect()
    }

    /// Adds an API key with these scopes for the account with this address.
    pub async fn add_api_key(&self, email: &str, scopes: &[Scope]) -> String {
        let sql = "SELECT id FROM users WHERE email = ?1";
        let rows = self.db.read(sql, shared_core::params![email]).await.expect("the database answers");
        let key = api_keys::new_key().reveal().to_owned();
        let row = ApiKey {
            user_id: rows.first().expect("the account exists").get("id").expect("an id"),
            name: "test".to_owned(),
            key_prefix: key[..api_keys::PREFIX_LENGTH].to_owned(),
            key_digest: Some(digest(&key)),
            key_hash: None,
            scopes: scopes.to_vec(),
            status: ApiKeyStatus::Active,
            expires_at: None,
            requests_per_minute: None,
            previous_key: None,
        };
        let insert = api_keys::insert(&ids::new_id(), &row, Timestamp::now());
        self.db.write(vec![insert]).await.expect("the key is new");
        key
    }

    /// Stores an active key for a provider, whose check the fake vendor must be ready to answer.
    pub async fn add_provider(&self, provider: ProviderName, token: &str) {
        let data = json!({"provider": provider.as_str(), "api_key": "sk-test-0123456789abcdef", "active": true});
        let body = json!({"type": "llm-api-key", "data": data});
        self.post("/api/v1/settings", token, &body).send().await.data(201);
    }

    /// Sets how many executions of a provider run at once.
    pub async fn limit(&self, provider: ProviderName, max_running: u32, token: &str) {
        let data = json!({"provider": provider.as_str(), "max_running": max_running});
        let body = json!({"type": "provider-limits", "data": data});
        let path = format!("/api/v1/settings/type/provider-limits/identifier/{provider}");
        let found = self.get(&path, token).send().await;
        match found.status.as_u16() {
            404 => self.post("/api/v1/settings", token, &body).send().await.data(201),
            _ => {
                let path = format!("/api/v1/settings/{}", found.data(200)["id"].as_str().expect("an id"));
                self.put(&path, token, &body).send().await.data(200)
            }
        };
    }

    /// Runs what waits at a provider once, as the queue would have it run.
    pub async fn run_waiting(&self, provider: ProviderName) {
        let ids = pipeline::dispatch(&self.db, provider, Timestamp::now()).await.expect("the database answers");
        for id in ids {
            self.work_on(&id, Duration::ZERO).await;
        }
    }

    /// Works on an embedding job as a message would have it done.
    pub async fn embed(&self, id: &str) {
        // On the heap: the compiler gives up on so many futures inside each other.
        let invocation = invocation();
        let handled = Box::pin(self.embedder.handle(JobMessage::new(id), &invocation));
        handled.await.expect("the database answers");
    }

    /// Sends the webhooks that are due, as the queue would have them sent.
    pub async fn run_webhooks(&self) {
        let sql = "SELECT id FROM jobs WHERE type = ?1 AND status IN ('pending', 'retrying')
            AND COALESCE(next_retry_at, scheduled_at) <= ?2 ORDER BY scheduled_at, id";
        let params = shared_core::params![WebhookDelivery::KIND.name, Timestamp::now()];
        for row in self.db.read(sql, params).await.expect("the database answers").rows {
            self.webhook_message(&row.get::<String>("id").expect("an id")).await;
        }
    }

    /// What a message about this delivery leads to.
    pub async fn webhook_message(&self, id: &str) {
        self.webhooks.handle(JobMessage::new(id), &invocation()).await.expect("the database answers");
    }

    /// Works on an execution as a message would have it done, and for `drain` on what waits behind it.
    pub async fn work_on(&self, id: &str, drain: Duration) {
        self.worker.work_off(id, Instant::now() + drain, &invocation()).await.expect("the database answers");
    }
}

/// A call of a function with time enough for a test.
pub fn invocation() -> Invocation {
    Invocation::new(Duration::from_secs(60), Shutdown::new(Duration::ZERO))
}

/// The routes of every API function, by the name of the function.
fn routes(
    app: &App,
    settings: SettingsState,
    executions: ExecutionsState,
    deployments: DeploymentsState,
    jobs: JobsState,
) -> Vec<(&'static str, OpenApiRouter)> {
    let users = UsersState { app: app.clone(), cipher: settings.cipher.clone() };
    vec![
        ("api-system", api_system::routes(app.clone())),
        ("api-auth", api_auth::routes(app.clone())),
        ("api-users", api_users::routes(users)),
        ("api-api-keys", api_api_keys::routes(app.clone())),
        ("api-comments", api_comments::routes(app.clone())),
        ("api-settings", api_settings::routes(settings)),
        ("api-prompts", api_prompts::routes(app.clone())),
        ("api-executions", api_executions::routes(executions)),
        ("api-deployments", api_deployments::routes(deployments)),
        ("api-jobs", api_jobs::routes(jobs)),
        ("api-audit", api_audit::routes(app.clone())),
        ("api-dashboard", api_dashboard::routes(app.clone())),
        ("api-test-data", api_test_data::routes(app.clone())),
        ("api-files", api_files::routes(app.clone())),
    ]
}

/// All routes in one router.
fn merged(functions: Vec<(&'static str, OpenApiRouter)>) -> OpenApiRouter {
    functions.into_iter().fold(OpenApiRouter::new(), |whole, (_, routes)| whole.merge(routes))
}
