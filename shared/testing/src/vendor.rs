//! A scriptable stand-in for a model vendor: a real HTTP server on the loopback interface.
//!
//! A test scripts what the vendor answers per method and path, points a `*_BASE_URL` at [`FakeVendor::url`], runs the
//! code under test, and then looks at [`FakeVendor::requests`]. Replies can be slow, hang for ever, break off or never
//! come, as a vendor's do. The bodies of the vendors' own formats are in [`openai`], [`anthropic`], [`ollama`] and
//! [`voyageai`].
//!
//! ```no_run
//! # async fn example() {
//! use shared_testing::vendor::{self, FakeVendor, Reply};
//!
//! let vendor = FakeVendor::start().await;
//! vendor.on("POST", "/api/generate", vendor::ollama::generated("Hello!"));
//! vendor.enqueue("POST", "/api/generate", Reply::status(503)); // the first call fails, all later ones succeed
//! // ... run the code under test against `vendor.url()` ...
//! assert_eq!(vendor.requests()[0].json()["stream"], false);
//! # }
//! ```

pub mod anthropic;
pub mod ollama;
pub mod openai;
mod reply;
mod request;
pub mod voyageai;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, response::Response};
use http::StatusCode;

pub use reply::Reply;
pub use request::ReceivedRequest;

/// The largest request body that the server reads, in bytes.
const MAX_REQUEST_BYTES: usize = 64 << 20;

/// How often [`FakeVendor::wait_for_requests`] looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Method and path.
type Route = (String, String);

/// What the server plays and what it has heard.
#[derive(Default)]
struct Script {
    queued: Mutex<HashMap<Route, VecDeque<Reply>>>,
    standing: Mutex<HashMap<Route, Reply>>,
    received: Mutex<Vec<ReceivedRequest>>,
    in_flight: AtomicUsize,
    in_flight_peak: AtomicUsize,
}

/// The running server. Dropping it closes every connection, also those of replies that hang.
pub struct FakeVendor {
    script: Arc<Script>,
    address: SocketAddr,
    // The server has a runtime of its own, so that dropping it ends every connection at once and so that a test with a
    // single-threaded runtime is answered while it blocks.
    runtime: Option<tokio::runtime::Runtime>,
}

impl FakeVendor {
    /// Starts a server on a free port of 127.0.0.1. Until something is scripted, it answers everything with 501.
    ///
    /// # Panics
    /// When the machine has no free port or thread left.
    pub async fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fake-vendor")
            .enable_all()
            .build()
            .expect("a runtime for the fake vendor");
        let script = Arc::new(Script::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let (send_address, address) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
            let bound = listener.local_addr().expect("a bound listener has an address");
            if send_address.send(bound).is_ok() {
                axum::serve(listener, router).await.expect("the fake vendor keeps serving");
            }
        });
        let address = address.await.expect("the fake vendor is listening");
        Self { script, address, runtime: Some(runtime) }
    }

    /// The base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The standing reply for a method and path (without the query): played whenever nothing is queued.
    pub fn on(&self, method: &str, path: &str, reply: Reply) -> &Self {
        lock(&self.script.standing).insert(route(method, path), reply);
        self
    }

    /// One more reply to play, once, before the standing one; first in, first out.
    pub fn enqueue(&self, method: &str, path: &str, reply: Reply) -> &Self {
        lock(&self.script.queued).entry(route(method, path)).or_default().push_back(reply);
        self
    }

    /// Every request so far, oldest first. A request counts as soon as its body has arrived.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.script.received).clone()
    }

    /// The requests so far to one method and path (without the query), oldest first.
    pub fn requests_to(&self, method: &str, path: &str) -> Vec<ReceivedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.method.eq_ignore_ascii_case(method) && request.path == path);
        requests
    }

    /// Forgets the requests so far; what is scripted stays.
    pub fn forget_requests(&self) {
        lock(&self.script.received).clear();
    }

    /// How many requests were being answered at the same time, at most, since the start.
    pub fn in_flight_peak(&self) -> usize {
        self.script.in_flight_peak.load(Ordering::SeqCst)
    }

    /// Waits until at least `count` requests have arrived.
    ///
    /// # Panics
    /// When they have not after `patience`.
    pub async fn wait_for_requests(&self, count: usize, patience: Duration) -> Vec<ReceivedRequest> {
        let waiting = async {
            while lock(&self.script.received).len() < count {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(patience, waiting).await.is_err() {
            panic!("the fake vendor got {} requests instead of {count}", self.requests().len());
        }
        self.requests()
    }
}

impl Drop for FakeVendor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Records the request, then plays the reply that is due.
async fn answer(State(script): State<Arc<Script>>, request: axum::extract::Request) -> Response {
    let _counted = InFlight::enter(Arc::clone(&script));
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_REQUEST_BYTES).await.unwrap_or_default();
    let request = ReceivedRequest::new(head, body);
    let key = route(&request.method, &request.path);
    lock(&script.received).push(request.clone());
    let queued = lock(&script.queued).get_mut(&key).and_then(VecDeque::pop_front);
    let reply = queued.or_else(|| lock(&script.standing).get(&key).cloned()).unwrap_or_else(|| {
        let what = format!("the fake vendor has no reply for {} {}", request.method, request.path);
        Reply::text(&what).with_status(StatusCode::NOT_IMPLEMENTED.as_u16())
    });
    reply.play(&request).await
}

/// Counts a request for as long as it is being answered.
struct InFlight(Arc<Script>);

impl InFlight {
    fn enter(script: Arc<Script>) -> Self {
        let now = script.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        script.in_flight_peak.fetch_max(now, Ordering::SeqCst);
        Self(script)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn route(method: &str, path: &str) -> Route {
    (method.to_ascii_uppercase(), path.to_owned())
}

/// A test that panicked elsewhere must not hide its message behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
