//! A small libSQL server for tests: "SQL over HTTP" (Hrana 3) over a local database file.
//!
//! It answers `/v3/pipeline` and `/v3/cursor` as sqld does: a stream per baton with a connection of its own, batches with
//! conditions, interactive transactions, SQLite's error codes, and no statement that sqld refuses. Faults come on demand,
//! so that a test can ask what the code under test makes of a forgotten stream, a refusal or a lost answer.
//!
//! ```no_run
//! # async fn example() {
//! use shared_testing::hrana::{Cut, HranaServer};
//!
//! let server = HranaServer::start("/tmp/test.db").await;
//! // ... point the code under test at `server.url()` ...
//! server.drop_next(1, Cut::AfterExecuting); // the next statement takes effect, but nobody hears of it
//! let before = server.requests();
//! // ... run the code under test again, then count its round trips ...
//! assert_eq!(server.requests() - before, 2);
//! # }
//! ```

mod answer;
mod run;
mod sql;
mod streams;
mod wire;

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::serve::ListenerExt;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot};

use streams::Streams;

/// How long statements that still run may hold up a stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// When a connection breaks, seen from the statements of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing was executed.
    BeforeExecuting,
    /// Everything was executed and the answer is lost.
    AfterExecuting,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Refused,
    Cut(Cut),
}

/// What the server knows, shared with its handlers.
struct State {
    path: PathBuf,
    token: Mutex<Option<String>>,
    latency: Mutex<Duration>,
    faults: Mutex<VecDeque<Fault>>,
    streams: Mutex<Streams>,
    requests: AtomicUsize,
    connections: AtomicUsize,
    statements: Mutex<BTreeSet<String>>,
}

/// The running server. Dropping it closes every connection and stream; the file stays.
pub struct HranaServer {
    state: Arc<State>,
    address: SocketAddr,
    // A runtime of its own: SQLite blocks, and a test with a single-threaded runtime must be answered all the same.
    runtime: Option<Runtime>,
}

impl HranaServer {
    /// Serves the database file at `path`, which is made when it does not exist, on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine has no free port or thread left.
    pub async fn start(path: impl Into<PathBuf>) -> Self {
        let state = Arc::new(State {
            path: path.into(),
            token: Mutex::default(),
            latency: Mutex::default(),
            faults: Mutex::default(),
            streams: Mutex::default(),
            requests: AtomicUsize::default(),
            connections: AtomicUsize::default(),
            statements: Mutex::default(),
        });
        let (runtime, address) = serve(Arc::clone(&state), SocketAddr::from(([127, 0, 0, 1], 0))).await;
        Self { state, address, runtime: Some(runtime) }
    }

    /// The base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the port, every connection and every stream; open transactions are rolled back.
    pub async fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let stopping = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(STOP_PATIENCE));
            stopping.await.expect("the server's threads end");
        }
        *lock(&self.state.streams) = Streams::default();
    }

    /// Stops the server if it runs and starts it again on the same port. It knows no older stream any more.
    pub async fn restart(&mut self) {
        self.stop().await;
        let (runtime, address) = serve(Arc::clone(&self.state), self.address).await;
        (self.runtime, self.address) = (Some(runtime), address);
    }

    /// From now on every request must carry this bearer token; others get 401. The refusal names the token it got, as a
    /// careless server would, so that a test can tell whether it spreads.
    pub fn require_token(&self, token: &str) {
        *lock(&self.state.token) = Some(token.to_owned());
    }

    /// Forgets every stream, as after ten idle seconds: their batons get 400 and "The stream has expired".
    pub fn expire_streams(&self) {
        lock(&self.state.streams).expire_all();
    }

    /// Refuses the next `count` requests with 429.
    pub fn refuse_next(&self, count: usize) {
        self.schedule(count, Fault::Refused);
    }

    /// Breaks the connection of the next `count` requests.
    pub fn drop_next(&self, count: usize, cut: Cut) {
        self.schedule(count, Fault::Cut(cut));
    }

    /// Lets every request wait this long before it is looked at.
    pub fn latency(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// How many HTTP requests have arrived, refused ones included.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// How many TCP connections were opened.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Every SQL text that was sent to be executed, each once.
    pub fn statements(&self) -> BTreeSet<String> {
        lock(&self.state.statements).clone()
    }

    /// How many streams wait for their next request.
    pub fn open_streams(&self) -> usize {
        lock(&self.state.streams).waiting()
    }

    fn schedule(&self, count: usize, fault: Fault) {
        lock(&self.state.faults).extend(std::iter::repeat_n(fault, count));
    }
}

impl Drop for HranaServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves on a runtime of its own and tells where.
async fn serve(state: Arc<State>, address: SocketAddr) -> (Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("hrana-server")
        .enable_all()
        .build()
        .expect("a runtime for the server");
    let (send_address, bound) = oneshot::channel();
    runtime.spawn(async move {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let counter = Arc::clone(&state);
        let listener = listener.tap_io(move |_| {
            counter.connections.fetch_add(1, Ordering::SeqCst);
        });
        if send_address.send(address).is_ok() {
            axum::serve(listener, answer::router(state)).await.expect("the server keeps serving");
        }
    });
    let address = bound.await.expect("the server is listening");
    (runtime, address)
}

/// A test that panicked elsewhere must not hide its message behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
