//! API functions alone behind the gateway: no queue server, no pollers, no clock, so that nothing else uses the processor.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use shared_core::{Db, config::DatabaseConfig};
use tokio::net::TcpListener;

use super::system::cores;
use crate::{
    api::Api,
    build::{Profile, build_functions, workspace_root},
    demo::DemoProvider,
    gateway::Gateway,
    host::Host,
    invoke::Invoker,
    process::Usage,
    report::Reporter,
    stack::{DATABASE_FILE, Isolation, MIGRATE, functions_alone},
    template::Template,
};

/// Far above what a migration takes.
const MIGRATION_LIMIT: Duration = Duration::from_secs(60);

/// Running functions over a database of their own, and the first admin's session.
pub(super) struct Functions {
    pub(super) api: Api,
    pub(super) db: Db,
    pub(super) template: Arc<Template>,
    pub(super) host: Arc<Host>,
    _gateway: Gateway,
    _demo: DemoProvider,
}

impl Functions {
    /// Starts every API function in at most `instances` processes over `database`, or over a file, measures, and stops
    /// them. Their logs stay when that fails.
    pub(super) async fn run<T>(
        common: &CommonArgs,
        instances: usize,
        database: Option<DatabaseConfig>,
        measure: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir().context("no temporary directory")?;
        let database = database.unwrap_or_else(|| DatabaseConfig::File(dir.path().join(DATABASE_FILE)));
        let functions = Self::start(dir.path(), common.profile(), instances, &database).await?;
        let measured = measure(&functions).await;
        functions.host.shutdown().await;
        measured.map_err(|error| {
            let dir = dir.keep();
            error.context(format!("The benchmark failed; logs are in {}", dir.display()))
        })
    }

    async fn start(dir: &Path, profile: Profile, instances: usize, database: &DatabaseConfig) -> Result<Self> {
        let root = workspace_root()?;
        let template = Arc::new(Template::load(&root)?);
        let names: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| name.starts_with("api-") || *name == MIGRATE).collect();
        println!("Building the API functions with the {} profile", profile.name());
        let built = build_functions(&root, &names, profile, true).await?;
        let programs = names.iter().map(|name| ((*name).to_owned(), built.join(name))).collect();
        // Settings are refused when their provider cannot be reached.
        let demo = DemoProvider::start(None, Duration::ZERO).await?;
        let env = BTreeMap::from([("OLLAMA_BASE_URL".to_owned(), demo.url())]);
        let isolation = Isolation { data_dir: dir, database, programs: &programs, env: &env, max_instances: instances };
        let host = Arc::new(Host::new(functions_alone(&template, &isolation)?, dir, &Reporter::silent())?);
        host.invoke(MIGRATE, "{}".into(), MIGRATION_LIMIT).await.context("the migration failed")?;

        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let gateway = Gateway::start(listener, template.clone(), host.clone(), None, Reporter::silent())?;
        let api = Api::register(format!("http://{}", gateway.address())).await?;
        Ok(Self { api, db: Db::new(database), template, host, _gateway: gateway, _demo: demo })
    }

    /// Names of the API functions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.template.functions.iter().map(|function| function.name.as_str()).filter(|name| name.starts_with("api-"))
    }

    /// The function that serves an operation.
    pub(super) fn serving(&self, method: &str, path: &str) -> Result<String> {
        let path = path.split('?').next().unwrap_or_default();
        let found = self.template.route(method, path).with_context(|| format!("no route for {method} {path}"))?;
        Ok(found.route.function.clone())
    }

    /// Processor time of all processes of a function.
    pub(super) fn cpu(&self, function: &str) -> Duration {
        self.host.usage(function).iter().map(|usage| usage.cpu).sum()
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

/// Options of every benchmark of functions alone.
#[derive(Debug, Clone, Args)]
pub struct CommonArgs {
    /// Uses an unoptimised build
    #[arg(long)]
    pub debug: bool,
    /// Also writes the figures to FILE
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl CommonArgs {
    const fn profile(&self) -> Profile {
        if self.debug { Profile::Dev } else { Profile::Quick }
    }

    /// Writes the figures to the file that was asked for, if any.
    pub(super) fn write_json(&self, report: &Value) -> Result<()> {
        let Some(file) = &self.json else { return Ok(()) };
        fs::write(file, format!("{report:#}\n")).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What the figures depend on.
    pub(super) fn setting(&self, more: &[(&str, Value)]) -> Value {
        let mut setting = BTreeMap::from([
            ("cores", json!(cores())),
            ("build", json!(self.profile().name())),
            ("runtime", json!("host")),
        ]);
        setting.extend(more.iter().cloned());
        json!(setting)
    }
}

impl fmt::Display for CommonArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cores, {} build, runtime host", cores(), self.profile().name())
    }
}
