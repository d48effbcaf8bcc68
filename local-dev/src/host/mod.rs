//! Our own Lambda Runtime API: runs prebuilt function binaries.
//!
//! End-to-end tests, fault injection and benchmarks use it. Each function has a pool of processes
//! (`instance.rs`); each process has a listener of its own, so the address in
//! `AWS_LAMBDA_RUNTIME_API` says which process is talking. Processes start when they are needed,
//! stay warm, are killed when they exceed their time, and are replaced when they die. They end by
//! themselves when we do, because their next request for work then fails.

mod instance;
mod runtime_api;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use async_trait::async_trait;
use axum::body::Bytes;
use tokio::sync::Semaphore;

use crate::{
    child::{LineSink, LogFile},
    invoke::{InvokeError, Invoker},
    process::Usage,
    report::{Event, Reporter},
};
use instance::{Instance, Outcome};
pub(crate) use runtime_api::error_text;

/// How often a call moves on to another instance because the one it got died before it took the work.
const MAX_HANDOVERS: u32 = 3;

/// In the value of an environment variable: stands for the id of the process that gets it. An address with it tells
/// whoever is called which process calls.
pub const PROCESS_ID: &str = "{process}";

/// How long processes may take to end in order.
const PATIENCE: Duration = Duration::from_secs(5);

/// One function to run.
#[derive(Debug, Clone)]
pub struct HostedFunction {
    /// Its name.
    pub name: String,
    /// The prebuilt program.
    pub binary: PathBuf,
    /// What it is started with; functions for Lambda take nothing.
    pub arguments: Vec<OsString>,
    /// Its environment, in which [`PROCESS_ID`] is replaced; nothing else is inherited.
    pub environment: BTreeMap<String, String>,
    /// Memory size that the function is told.
    pub memory_mb: u32,
    /// How many calls may run at once.
    pub max_instances: usize,
}

/// Runs functions from prebuilt binaries.
#[derive(Debug)]
pub struct Host {
    pools: BTreeMap<String, Arc<Pool>>,
}

/// A living process of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Never used again for another process of the function.
    pub id: u64,
    /// Whether it works on a call.
    pub is_busy: bool,
}

/// One start of a process, measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdStart {
    /// From the start to the first request for work.
    pub to_first_poll: Duration,
    /// Memory in use at that moment.
    pub resident_bytes: u64,
    /// From the start to the first answer, and the answer, if there was something to answer.
    pub first_answer: Option<(Duration, Bytes)>,
}

/// The processes of one function.
struct Pool {
    function: HostedFunction,
    /// One permit for each call that may run; whoever holds one has or may start an instance.
    permits: Semaphore,
    instances: Mutex<Instances>,
    next_id: AtomicU64,
    closed: AtomicBool,
    sink: LineSink,
    reporter: Reporter,
}

/// Every living instance, and which of them wait for work: the one used last comes first, so that
/// a quiet function keeps few processes busy.
#[derive(Default)]
struct Instances {
    all: BTreeMap<u64, Arc<Instance>>,
    idle: Vec<u64>,
}

impl Host {
    /// Prepares to run `functions`; no process starts before the first call.
    ///
    /// What a function prints goes to `<name>.log` in `log_dir` and to `reporter`.
    pub fn new(functions: Vec<HostedFunction>, log_dir: &Path, reporter: &Reporter) -> Result<Self> {
        let mut pools = BTreeMap::new();
        for function in functions {
            let log = LogFile::open(log_dir, &format!("{}.log", function.name))?;
            let (name, lines_to) = (function.name.clone(), reporter.clone());
            let sink: LineSink = Arc::new(move |line: &str| {
                log.write_line(line);
                lines_to.report(&Event::Log { function: name.clone(), line: line.to_owned() });
            });
            let pool = Pool {
                permits: Semaphore::new(function.max_instances),
                instances: Mutex::default(),
                next_id: AtomicU64::new(1),
                closed: AtomicBool::new(false),
                sink,
                reporter: reporter.clone(),
                function,
            };
            pools.insert(pool.function.name.clone(), Arc::new(pool));
        }
        Ok(Self { pools })
    }

    /// How a function is run.
    pub fn function(&self, name: &str) -> Option<&HostedFunction> {
        self.pools.get(name).map(|pool| &pool.function)
    }

    /// Kills every process of `function` at once (SIGKILL) and says how many there were.
    ///
    /// Running calls fail; calls that no process has taken yet go to new ones.
    pub fn kill(&self, function: &str) -> usize {
        let Some(pool) = self.pools.get(function) else { return 0 };
        let instances: Vec<Arc<Instance>> = pool.lock().all.values().cloned().collect();
        for instance in &instances {
            instance.kill();
        }
        instances.len()
    }

    /// Asks every process of `function` to end in order (SIGTERM) and says how many there were. They get no more calls;
    /// new ones take their place.
    pub fn terminate(&self, function: &str) -> usize {
        let Some(pool) = self.pools.get(function) else { return 0 };
        let instances: Vec<Arc<Instance>> = pool.lock().all.values().cloned().collect();
        for instance in &instances {
            instance.terminate();
        }
        instances.len()
    }

    /// The living processes of `function`.
    pub fn processes(&self, function: &str) -> Vec<Process> {
        let Some(pool) = self.pools.get(function) else { return vec![] };
        let instances = pool.lock();
        let usable = instances.all.values().filter(|instance| instance.is_usable());
        usable.map(|instance| Process { id: instance.id, is_busy: instance.is_busy() }).collect()
    }

    /// Kills one process of `function` (SIGKILL), waits for its end and tells what it was doing. `None` when there is no
    /// such process any more, or it ended by itself just now.
    pub async fn kill_one(&self, function: &str, id: u64) -> Option<Process> {
        let instance = self.pools.get(function)?.lock().all.get(&id).cloned()?;
        if !instance.is_usable() {
            return None;
        }
        let is_busy = instance.is_busy();
        instance.kill();
        instance.was_killed().await.then_some(Process { id, is_busy })
    }

    /// Starts a fresh process of `function` beside the others, waits for its first request for work, hands it `payload`,
    /// if any, and ends it.
    pub async fn cold_start(
        &self,
        function: &str,
        payload: Option<Bytes>,
        timeout: Duration,
    ) -> Result<ColdStart, InvokeError> {
        let Some(pool) = self.pools.get(function) else {
            return Err(InvokeError::Unreachable(format!("there is no function {function}")));
        };
        let id = pool.next_id.fetch_add(1, Ordering::Relaxed);
        let instance = Instance::start(id, &pool.function, pool.sink.clone(), |_| {})
            .map_err(|error| InvokeError::Unreachable(format!("{error:#}")))?;
        let to_first_poll = instance.wait_until_ready().await.map_err(InvokeError::Crashed)?;
        let resident_bytes = instance.usage().unwrap_or_default().resident_bytes;
        let first_answer = match payload {
            None => None,
            Some(payload) => match instance.run(payload, timeout).await {
                Outcome::Answered(answer) => Some((instance.age(), answer?)),
                Outcome::Lost(error) => return Err(error),
                Outcome::NotTaken(reason) => return Err(InvokeError::Crashed(reason)),
            },
        };
        instance.kill();
        instance.ended().await;
        Ok(ColdStart { to_first_poll, resident_bytes, first_answer })
    }

    /// What each living process of `function` has used so far.
    pub fn usage(&self, function: &str) -> Vec<Usage> {
        let Some(pool) = self.pools.get(function) else { return vec![] };
        pool.lock().all.values().filter_map(|instance| instance.usage()).collect()
    }

    /// How many processes of `function` are alive.
    pub fn instances(&self, function: &str) -> usize {
        self.pools.get(function).map_or(0, |pool| pool.lock().all.len())
    }

    /// Kills every process and refuses further calls.
    pub fn close(&self) {
        for pool in self.pools.values() {
            pool.closed.store(true, Ordering::Release);
            self.kill(&pool.function.name);
        }
    }

    /// Refuses further calls, asks every process to end in order, and kills those that do not within five seconds.
    pub async fn shutdown(&self) {
        for pool in self.pools.values() {
            pool.closed.store(true, Ordering::Release);
            self.terminate(&pool.function.name);
        }
        if tokio::time::timeout(PATIENCE, self.all_ended()).await.is_err() {
            self.close();
            self.all_ended().await;
        }
    }

    async fn all_ended(&self) {
        for pool in self.pools.values() {
            let instances: Vec<Arc<Instance>> = pool.lock().all.values().cloned().collect();
            for instance in instances {
                instance.ended().await;
            }
        }
    }
}

#[async_trait]
impl Invoker for Host {
    async fn invoke(&self, function: &str, payload: Bytes, timeout: Duration) -> Result<Bytes, InvokeError> {
        let Some(pool) = self.pools.get(function).cloned() else {
            return Err(InvokeError::Unreachable(format!("there is no function {function}")));
        };
        // A task of its own: a caller who goes away must not leave an instance half used.
        let call = tokio::spawn(pool.call(payload, timeout));
        call.await.unwrap_or_else(|error| Err(InvokeError::Unreachable(error.to_string())))
    }
}

impl Pool {
    async fn call(self: Arc<Self>, payload: Bytes, timeout: Duration) -> Result<Bytes, InvokeError> {
        let unreachable = |error: &dyn std::fmt::Display| InvokeError::Unreachable(error.to_string());
        let _permit = self.permits.acquire().await.map_err(|error| unreachable(&error))?;
        let mut last_words = String::new();
        for _ in 0..MAX_HANDOVERS {
            if self.closed.load(Ordering::Acquire) {
                return Err(InvokeError::Unreachable("the host has been shut down".to_owned()));
            }
            let instance = match self.take_idle() {
                Some(instance) => instance,
                None => self.start_instance().map_err(|error| unreachable(&format!("{error:#}")))?,
            };
            match instance.run(payload.clone(), timeout).await {
                Outcome::Answered(answer) => {
                    self.lock().idle.push(instance.id);
                    return answer;
                }
                Outcome::Lost(error) => return Err(error),
                Outcome::NotTaken(reason) => last_words = reason,
            }
        }
        Err(InvokeError::Crashed(last_words))
    }

    fn take_idle(&self) -> Option<Arc<Instance>> {
        let mut instances = self.lock();
        while let Some(id) = instances.idle.pop() {
            if let Some(instance) = instances.all.get(&id)
                && instance.is_usable()
            {
                return Some(instance.clone());
            }
        }
        None
    }

    fn start_instance(self: &Arc<Self>) -> Result<Arc<Instance>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let pool = Arc::downgrade(self);
        let on_end = move |reason: Option<String>| {
            if let Some(pool) = pool.upgrade() {
                pool.lock().all.remove(&id);
                if let Some(reason) = reason {
                    let function = pool.function.name.clone();
                    pool.reporter.report(&Event::Restart { function, reason });
                }
            }
        };
        // Under the lock, so that a process that dies at once is not removed before it is added.
        let mut instances = self.lock();
        let instance = Arc::new(Instance::start(id, &self.function, self.sink.clone(), on_end)?);
        instances.all.insert(id, instance.clone());
        Ok(instance)
    }

    fn lock(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("function", &self.function.name).finish_non_exhaustive()
    }
}
