//! Everything in one call: what `cargo dev`, end-to-end tests and benchmarks start.

mod environment;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use shared_core::config::DatabaseConfig;
use tokio::net::TcpListener;

use crate::{
    build::{self, Profile},
    clock::Clock,
    demo::DemoProvider,
    gateway::Gateway,
    host::{Host, HostedFunction},
    invoke::Invoker,
    poller::{Mapping, Poller},
    report::Reporter,
    secrets,
    sqs::{QueueServer, queue_arn},
    template::{Function, Template},
    tool_env::ToolEnv,
    ui::Ui,
    watch::{self, Watch, WatchOptions},
};
use environment::LocalValues;

pub(crate) use environment::database_at;

/// The database file in the data directory.
pub const DATABASE_FILE: &str = "local.db";
/// The logs' directory in the data directory.
pub const LOG_DIR: &str = "logs";
/// The function that is called once before traffic starts.
pub(crate) const MIGRATE: &str = "migrate";
/// Nobody listens on port 9.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What runs the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// `cargo lambda watch`: builds again when sources change.
    Watch,
    /// Our own runtime host with prebuilt binaries: quick, and can kill.
    Host,
}

/// A demo model server beside the stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DemoOptions {
    /// Its port; a free one if not given.
    pub port: Option<u16>,
    /// How long every answer takes.
    pub delay: Duration,
}

/// How to start a stack.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The workspace.
    pub root: PathBuf,
    /// Directory for the database, secrets and logs. One stack at a time uses it.
    pub data_dir: PathBuf,
    /// Where the data lives; a file in the data directory unless given. It is migrated at the start, so a database on
    /// another machine must be what somebody asked for.
    pub database: Option<DatabaseConfig>,
    /// What runs the functions.
    pub runtime: Runtime,
    /// Port of the gateway; 0 picks a free one.
    pub port: u16,
    /// Whether the functions are built with optimisation.
    pub release: bool,
    /// Starts a demo model server and points `OLLAMA_BASE_URL` and `VOYAGEAI_BASE_URL` to it.
    pub demo: Option<DemoOptions>,
    /// A built single-page application to serve beside the API.
    pub ui: Option<PathBuf>,
    /// Environment variables for all functions; they win over everything else.
    pub env: BTreeMap<String, String>,
    /// Whether functions also see chosen variables of our own environment, such as provider URLs.
    pub inherit_env: bool,
    /// Time between two calls of scheduled functions, in place of the schedule's own.
    pub maintenance_interval: Duration,
    /// Delivers every n-th message twice.
    pub redeliver_every: Option<u32>,
    /// Most processes of a function that no queue calls.
    pub api_instances: usize,
    /// Shows cargo's own output while building.
    pub show_build: bool,
    /// Receives what happens.
    pub reporter: Reporter,
}

impl StackOptions {
    /// Options for tests: the runtime host, a free port, nothing printed, nothing inherited.
    pub fn quiet(data_dir: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self {
            root: build::workspace_root()?,
            data_dir: data_dir.into(),
            database: None,
            runtime: Runtime::Host,
            port: 0,
            release: false,
            demo: Some(DemoOptions::default()),
            ui: None,
            env: BTreeMap::new(),
            inherit_env: false,
            maintenance_interval: Duration::from_secs(1),
            redeliver_every: None,
            api_instances: 8,
            show_build: false,
            reporter: Reporter::silent(),
        })
    }
}

impl StackOptions {
    /// Benchmarks start prebuilt binaries and can do without the slow last steps; `cargo lambda watch` builds releases.
    fn profile(&self) -> Profile {
        match (self.release, self.runtime) {
            (false, _) => Profile::Dev,
            (true, Runtime::Host) => Profile::Quick,
            (true, Runtime::Watch) => Profile::Release,
        }
    }
}

/// The running system. Dropping it stops everything, without waiting; [`Stack::shutdown`] waits.
#[derive(Debug)]
pub struct Stack {
    // In the order in which things stop.
    gateway: Gateway,
    clocks: Vec<Clock>,
    pollers: Vec<Poller>,
    functions: Functions,
    queues: Arc<QueueServer>,
    demo: Option<DemoProvider>,
    template: Arc<Template>,
    database: DatabaseConfig,
    log_dir: PathBuf,
    /// Held as long as the data directory is ours.
    _lock: File,
}

#[derive(Debug)]
enum Functions {
    Host(Arc<Host>),
    Watch(Arc<Watch>),
}

impl Functions {
    fn invoker(&self) -> Arc<dyn Invoker> {
        match self {
            Self::Host(host) => host.clone(),
            Self::Watch(watch) => watch.clone(),
        }
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        // Calls that are still running hold the invoker too, so it would not go away by itself.
        match self {
            Self::Host(host) => host.close(),
            Self::Watch(watch) => watch.close(),
        }
    }
}

impl Stack {
    /// Prepares the tools, builds, migrates, and starts everything.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let template = Arc::new(Template::load(&options.root)?);
        let reporter = options.reporter.clone();
        // What can fail at once comes before what takes minutes.
        let listener = listen(options.port).await?;
        let ui = options.ui.as_deref().map(Ui::open).transpose()?;
        let lock = lock(&options.data_dir)?;
        let log_dir = options.data_dir.join(LOG_DIR);
        let data_dir = options.data_dir.canonicalize().context("no data directory")?;
        let database = options.database.clone().unwrap_or_else(|| DatabaseConfig::File(data_dir.join(DATABASE_FILE)));

        let tools = prepare_tools(&options.root, &reporter).await?;
        reporter.step("Building the functions");
        let started = Instant::now();
        let names: Vec<&str> = template.functions.iter().map(|function| function.name.as_str()).collect();
        let (binaries, queues) = tokio::try_join!(
            build::build_functions(&options.root, &names, options.profile(), options.show_build),
            QueueServer::start(&tools, &template.queues, &log_dir),
        )?;
        reporter.step(format!("Built in {:.1} s", started.elapsed().as_secs_f64()));
        let queues = Arc::new(queues);
        let demo = match options.demo {
            Some(demo) => Some(DemoProvider::start(demo.port, demo.delay).await?),
            None => None,
        };

        let secrets = secrets::load_or_create(&options.data_dir)?;
        let given = given_variables(&options, demo.as_ref());
        let values = LocalValues {
            database: &database,
            secrets: &secrets,
            queue_endpoint: &queues.endpoint(),
            queue_urls: queues.queue_urls(),
            given: &given,
        };
        let hosted = template
            .functions
            .iter()
            .map(|function| {
                Ok(HostedFunction {
                    name: function.name.clone(),
                    binary: binaries.join(&function.name),
                    arguments: Vec::new(),
                    environment: values.environment(function)?,
                    memory_mb: function.memory_mb,
                    max_instances: max_instances(&template, function, options.api_instances),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let functions = match options.runtime {
            Runtime::Host => Functions::Host(Arc::new(Host::new(hosted, &log_dir, &reporter)?)),
            Runtime::Watch => {
                reporter.step("Starting cargo lambda watch");
                let watch = WatchOptions {
                    root: options.root.clone(),
                    release: options.release,
                    functions: hosted,
                    reporter: reporter.clone(),
                };
                Functions::Watch(Arc::new(Watch::start(&tools, watch, &log_dir).await?))
            }
        };
        let invoker = functions.invoker();
        migrate(&template, invoker.as_ref(), &database, &reporter).await?;

        let gateway = Gateway::start(listener, template.clone(), invoker.clone(), ui, reporter.clone())?;
        let pollers = start_pollers(&template, &queues, &invoker, &options)?;
        let clocks = start_clocks(&template, &invoker, &options)?;
        Ok(Self { gateway, clocks, pollers, functions, queues, demo, template, database, log_dir, _lock: lock })
    }

    /// Where the API answers, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.gateway.address())
    }

    /// Where the data lives.
    pub fn database(&self) -> &DatabaseConfig {
        &self.database
    }

    /// The directory of the log files.
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// The template behind the stack.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The demo model server, if one was asked for.
    pub fn demo(&self) -> Option<&DemoProvider> {
        self.demo.as_ref()
    }

    /// The queue server.
    pub fn queues(&self) -> &QueueServer {
        &self.queues
    }

    /// Calls a function directly.
    pub fn invoker(&self) -> Arc<dyn Invoker> {
        self.functions.invoker()
    }

    /// Kills every process of a function (SIGKILL) and says how many there were. Only the runtime
    /// host can do that; with `cargo lambda watch` it does nothing.
    pub fn kill(&self, function: &str) -> usize {
        match &self.functions {
            Functions::Host(host) => host.kill(function),
            Functions::Watch(_) => 0,
        }
    }

    /// The runtime host, if that is what runs the functions.
    pub fn host(&self) -> Option<Arc<Host>> {
        match &self.functions {
            Functions::Host(host) => Some(host.clone()),
            Functions::Watch(_) => None,
        }
    }

    /// Asks every process of a function to end in order (SIGTERM) and says how many there were. Only the runtime host can
    /// do that.
    pub fn terminate(&self, function: &str) -> usize {
        match &self.functions {
            Functions::Host(host) => host.terminate(function),
            Functions::Watch(_) => 0,
        }
    }

    /// Stops the queue server; queues and messages are gone.
    pub async fn stop_queue_server(&self) {
        self.queues.stop().await;
    }

    /// Starts the queue server again, with empty queues under the same URLs.
    pub async fn start_queue_server(&self) -> Result<()> {
        self.queues.restart().await
    }

    /// Stops everything and waits until every child process has ended.
    pub async fn shutdown(self) {
        drop(self.gateway);
        drop(self.clocks);
        for poller in self.pollers {
            poller.stop().await;
        }
        match &self.functions {
            Functions::Host(host) => host.shutdown().await,
            Functions::Watch(watch) => watch.shutdown().await,
        }
        self.queues.stop().await;
    }
}

/// How functions run that have nothing around them.
pub(crate) struct Isolation<'a> {
    /// Where they find their secrets.
    pub(crate) data_dir: &'a Path,
    /// Where the data lives.
    pub(crate) database: &'a DatabaseConfig,
    /// Those that may be called.
    pub(crate) programs: &'a BTreeMap<String, PathBuf>,
    /// Environment variables for all of them; they win over everything else.
    pub(crate) env: &'a BTreeMap<String, String>,
    /// Most processes of each.
    pub(crate) max_instances: usize,
}

/// The functions as a stack runs them, but nothing around them: for measuring them alone. At the addresses of their
/// queues nobody answers.
pub(crate) fn functions_alone(template: &Template, isolation: &Isolation<'_>) -> Result<Vec<HostedFunction>> {
    let queue_urls = template.queues.iter().map(|queue| (queue.name.clone(), format!("{NOWHERE}/{}", queue.name)));
    let values = LocalValues {
        database: isolation.database,
        secrets: &secrets::load_or_create(isolation.data_dir)?,
        queue_endpoint: NOWHERE,
        queue_urls: &queue_urls.collect(),
        given: isolation.env,
    };
    let functions = template.functions.iter();
    functions
        .filter_map(|function| Some((function, isolation.programs.get(&function.name)?)))
        .map(|(function, binary)| {
            Ok(HostedFunction {
                name: function.name.clone(),
                binary: binary.clone(),
                arguments: Vec::new(),
                environment: values.environment(function)?,
                memory_mb: function.memory_mb,
                max_instances: isolation.max_instances,
            })
        })
        .collect()
}

async fn listen(port: u16) -> Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!("Port {port} is in use: stop what listens there, or choose another one with --port.")
        }
        Err(error) => Err(error).with_context(|| format!("Port {port} cannot be used")),
    }
}

/// Creates the data directory and makes sure that no other stack uses it.
pub(crate) fn lock(data_dir: &Path) -> Result<File> {
    fs::create_dir_all(data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    let lock = File::create(data_dir.join("stack.lock")).context("cannot create a lock file")?;
    if lock.try_lock().is_err() {
        bail!(
            "Another local system uses {}: stop it first, or give this one its own --data directory.",
            data_dir.display()
        );
    }
    Ok(lock)
}

/// The tools are shared by all stacks of a workspace, wherever these keep their data.
async fn prepare_tools(root: &Path, reporter: &Reporter) -> Result<ToolEnv> {
    let (dir, reporter) = (root.join(".dev"), reporter.clone());
    tokio::task::spawn_blocking(move || ToolEnv::prepare(&dir, &|line| reporter.step(line))).await?
}

fn given_variables(options: &StackOptions, demo: Option<&DemoProvider>) -> BTreeMap<String, String> {
    let mut given = if options.inherit_env { environment::inherited() } else { BTreeMap::new() };
    if let Some(demo) = demo {
        let vendors = ["OLLAMA_BASE_URL", "VOYAGEAI_BASE_URL"];
        given.extend(vendors.map(|name| (name.to_owned(), demo.url())));
    }
    given.extend(options.env.clone());
    given
}

/// As many processes as can be called at once.
fn max_instances(template: &Template, function: &Function, api_instances: usize) -> usize {
    let mapped = template.mappings.iter().filter(|mapping| mapping.function == function.name);
    match mapped.map(|mapping| mapping.max_concurrency as usize).sum() {
        0 => api_instances.max(1),
        sum => sum,
    }
}

async fn migrate(
    template: &Template,
    invoker: &dyn Invoker,
    database: &DatabaseConfig,
    reporter: &Reporter,
) -> Result<()> {
    let Some(function) = template.function(MIGRATE) else { return Ok(()) };
    reporter.step("Migrating the database");
    match invoker.invoke(MIGRATE, "{}".into(), function.timeout).await {
        Ok(_) => Ok(()),
        Err(error) => match database {
            DatabaseConfig::File(_) => {
                bail!("The migration failed ({error}): see {MIGRATE}.log, or start afresh with --reset.")
            }
            DatabaseConfig::Remote { url, .. } => {
                bail!("The migration of {url} failed ({error}): see {MIGRATE}.log.")
            }
        },
    }
}

fn start_pollers(
    template: &Template,
    queues: &QueueServer,
    invoker: &Arc<dyn Invoker>,
    options: &StackOptions,
) -> Result<Vec<Poller>> {
    let mut pollers = vec![];
    for mapping in &template.mappings {
        let function = template.function(&mapping.function).context("a mapping of an unknown function")?;
        let mapping = Mapping {
            queue_url: queues.queue_url(&mapping.queue).context("a mapping of an unknown queue")?.to_owned(),
            queue_arn: queue_arn(&mapping.queue),
            function: mapping.function.clone(),
            timeout: function.timeout,
            batch_size: mapping.batch_size,
            // A call beyond that would wait where its time is running already.
            max_concurrency: match options.runtime {
                Runtime::Host => mapping.max_concurrency,
                Runtime::Watch => mapping.max_concurrency.min(watch::PROCESSES as u32),
            },
            reports_item_failures: mapping.reports_item_failures,
            redeliver_every: options.redeliver_every,
        };
        pollers.push(Poller::start(mapping, queues.client().clone(), invoker.clone(), options.reporter.clone()));
    }
    Ok(pollers)
}

fn start_clocks(template: &Template, invoker: &Arc<dyn Invoker>, options: &StackOptions) -> Result<Vec<Clock>> {
    let mut clocks = vec![];
    for schedule in &template.schedules {
        let function = template.function(&schedule.function).context("a schedule of an unknown function")?;
        let interval = options.maintenance_interval.min(schedule.every);
        let (timeout, reporter) = (function.timeout, options.reporter.clone());
        clocks.push(Clock::start(schedule.clone(), interval, timeout, invoker.clone(), reporter));
    }
    Ok(clocks)
}
