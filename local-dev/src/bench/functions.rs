//! Functions alone, over a database of their own: no queue server, no pollers, no clock, so that nothing else uses the
//! processor. They are called through the gateway, or as the gateway calls them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    body::Bytes,
    http::{Request, request::Builder},
};
use serde_json::Value;
use shared_core::{Db, config::DatabaseConfig};
use tokio::net::TcpListener;

use super::common::CommonArgs;
use crate::{
    api::Api,
    build::{build_functions, workspace_root},
    demo::DemoProvider,
    gateway::{Gateway, event_for},
    host::Host,
    invoke::Invoker,
    process::Usage,
    report::Reporter,
    stack::{DATABASE_FILE, Isolation, MIGRATE, functions_alone},
    template::Template,
};

/// Makes the first account.
const ACCOUNTS: &str = "api-auth";
/// Limits that are counted, and that no benchmark reaches.
const UNREACHED_LIMITS: [&str; 3] = ["INVITATIONS_PER_HOUR", "UPLOADS_PER_HOUR", "UPLOAD_MIB_PER_HOUR"];
/// Far above what any call takes.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(120);

/// The functions that can be started.
pub(super) struct Programs {
    pub(super) template: Arc<Template>,
    pub(super) files: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// None yet.
    pub(super) fn none() -> Result<Self> {
        Ok(Self { template: Arc::new(Template::load(&workspace_root()?)?), files: BTreeMap::new() })
    }

    /// The API functions, built here: always all of them, because cargo builds what they share for each choice anew.
    pub(super) async fn build(common: &CommonArgs) -> Result<Self> {
        Self::none()?.with_built(common, is_api).await
    }

    /// With those that are wanted or set the system up, and are not there yet.
    pub(super) async fn with_built(mut self, common: &CommonArgs, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let names = self.template.functions.iter().map(|function| function.name.as_str());
        let missing: Vec<&str> = names
            .filter(|name| wanted(name) || [MIGRATE, ACCOUNTS].contains(name))
            .filter(|name| !self.files.contains_key(*name))
            .collect();
        if !missing.is_empty() {
            let profile = common.profile();
            println!("Building with the {} profile: {}", profile.name(), missing.join(", "));
            let built = build_functions(&workspace_root()?, &missing, profile, true).await?;
            self.files.extend(missing.into_iter().map(|name| (name.to_owned(), built.join(name))));
        }
        Ok(self)
    }
}

/// Whether a function answers requests.
pub(super) fn is_api(name: &str) -> bool {
    name.starts_with("api-")
}

/// Running functions, and the first admin's session.
pub(super) struct Functions {
    pub(super) api: Api,
    pub(super) db: Db,
    pub(super) database: DatabaseConfig,
    pub(super) template: Arc<Template>,
    pub(super) host: Arc<Host>,
    /// Where its files are.
    pub(super) dir: PathBuf,
    _gateway: Gateway,
    _demo: DemoProvider,
}

impl Functions {
    /// Starts functions in at most `instances` processes each, over `database` or over a file, measures, and stops them.
    /// Their logs stay when that fails.
    pub(super) async fn run<T>(
        programs: &Programs,
        instances: usize,
        database: Option<DatabaseConfig>,
        measure: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
        let database = database.unwrap_or_else(|| DatabaseConfig::File(dir.path().join(DATABASE_FILE)));
        let functions = Self::start(dir.path(), programs, instances, database).await?;
        let measured = measure(&functions).await;
        functions.host.shutdown().await;
        measured.map_err(|error| {
            let dir = dir.keep();
            error.context(format!("The benchmark failed; logs are in {}", dir.display()))
        })
    }

    async fn start(dir: &Path, programs: &Programs, instances: usize, database: DatabaseConfig) -> Result<Self> {
        let (template, programs) = (programs.template.clone(), &programs.files);
        // Settings are refused when their provider cannot be reached.
        let demo = DemoProvider::start(None, Duration::ZERO).await?;
        let addresses = ["OLLAMA_BASE_URL", "VOYAGEAI_BASE_URL"].map(|name| (name.to_owned(), demo.url()));
        let limits = UNREACHED_LIMITS.map(|name| (name.to_owned(), u32::MAX.to_string()));
        let env = addresses.into_iter().chain(limits).collect();
        let isolation = Isolation { data_dir: dir, database: &database, programs, env: &env, max_instances: instances };
        let host = Arc::new(Host::new(functions_alone(&template, &isolation)?, dir, &Reporter::silent())?);
        host.invoke(MIGRATE, "{}".into(), CALL_LIMIT).await.context("the migration failed")?;

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let gateway = Gateway::start(listener, template.clone(), host.clone(), None, Reporter::silent())?;
        let api = Api::register(format!("http://{}", gateway.address())).await?;
        let (db, dir) = (Db::new(&database), dir.to_owned());
        Ok(Self { api, db, database, template, host, dir, _gateway: gateway, _demo: demo })
    }

    /// Names of the API functions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.template.functions.iter().map(|function| function.name.as_str()).filter(|name| is_api(name))
    }

    /// The event of a request, and the function that gets it.
    pub(super) fn event(&self, request: Builder, body: &[u8]) -> Result<(String, Bytes)> {
        let (parts, ()) = request.header("host", "localhost").body(())?.into_parts();
        let path = parts.uri.path();
        let event = event_for(&self.template, &parts, path, body, 80);
        let (function, event) = event.with_context(|| format!("the template has no route for {path}"))?;
        Ok((function, event.into()))
    }

    /// The event of a GET request with the admin's session.
    pub(super) fn reading(&self, path: &str) -> Result<(String, Bytes)> {
        self.event(Request::get(path).header("authorization", format!("Bearer {}", self.api.token())), b"")
    }

    /// The only process of a function.
    pub(super) fn only_process(&self, function: &str) -> Result<Usage> {
        self.host.usage(function).pop().with_context(|| format!("{function} has no process"))
    }

    /// Ends every process of a function and waits for that.
    pub(super) async fn renew(&self, function: &str) {
        self.host.kill(function);
        while self.host.instances(function) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Status and body in the answer of a function.
pub(super) fn read(answer: &[u8]) -> Result<(u64, Value)> {
    let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
    let status = answer["statusCode"].as_u64().with_context(|| format!("no status in {answer}"))?;
    let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    Ok((status, body))
}
