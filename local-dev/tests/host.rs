//! The runtime host with a real function process.

#![expect(clippy::unwrap_used, reason = "clippy takes helpers of integration tests for production code")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use local_dev::{
    host::{Host, HostedFunction, PROCESS_ID, Process},
    invoke::{InvokeError, Invoker},
    report::{Event, Reporter},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(10);

struct Setup {
    host: Arc<Host>,
    logs: TempDir,
    restarts: Arc<Mutex<Vec<String>>>,
}

/// `cargo test` builds examples beside the tests.
fn sample_function() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join("sample-function")
}

fn sample(max_instances: usize) -> HostedFunction {
    HostedFunction {
        name: "sample".to_owned(),
        binary: sample_function(),
        arguments: Vec::new(),
        environment: BTreeMap::from([("GREETING".to_owned(), format!("hello from {PROCESS_ID}"))]),
        memory_mb: 128,
        max_instances,
    }
}

fn setup(max_instances: usize) -> Setup {
    setup_with(sample(max_instances))
}

fn setup_with(function: HostedFunction) -> Setup {
    let logs = tempfile::tempdir().unwrap();
    let restarts = Arc::new(Mutex::new(vec![]));
    let seen = restarts.clone();
    let reporter = Reporter::new(move |event| {
        if let Event::Restart { reason, .. } = event {
            seen.lock().unwrap().push(reason.clone());
        }
    });
    let host = Arc::new(Host::new(vec![function], logs.path(), &reporter).unwrap());
    Setup { host, logs, restarts }
}

impl Setup {
    async fn call_within(&self, event: Value, limit: Duration) -> Result<Value, InvokeError> {
        let answer = self.host.invoke("sample", event.to_string().into(), limit).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    async fn call(&self, event: Value) -> Result<Value, InvokeError> {
        self.call_within(event, LIMIT).await
    }
}

#[tokio::test]
async fn answers_and_stays_warm() {
    let setup = setup(4);
    let first = setup.call(json!({"n": 1})).await.unwrap();
    let second = setup.call(json!({"n": 2})).await.unwrap();
    assert_eq!(second["event"], json!({"n": 2}));
    assert_eq!(first["pid"], second["pid"]);
    assert_eq!(setup.host.instances("sample"), 1);

    let left = first["time_left_ms"].as_u64().unwrap();
    assert!((9_000..=10_000).contains(&left), "{left}");
    let variables: BTreeSet<&str> = first["variables"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(variables.contains("GREETING"));
    assert!(!variables.contains("PATH"), "nothing is inherited");
    let log = std::fs::read_to_string(setup.logs.path().join("sample.log")).unwrap();
    assert_eq!(log, "sample function starts\n");
}

/// What `cargo dev bench runtime` holds our functions against.
#[tokio::test]
async fn programs_that_do_nothing_give_their_answer_again_and_again() {
    let answer = json!({"statusCode": 200, "body": "{\"a\": \"ä\"}"});
    for binary in [env!("CARGO_BIN_EXE_bare-loop"), env!("CARGO_BIN_EXE_constant-function")] {
        let setup = setup_with(HostedFunction {
            binary: binary.into(),
            environment: [("ANSWER".to_owned(), answer.to_string())].into(),
            ..sample(1)
        });
        for _ in 0..3 {
            assert_eq!(setup.call(json!({"text": "x".repeat(100_000)})).await.unwrap(), answer, "{binary}");
        }
        assert_eq!(setup.host.instances("sample"), 1, "{binary}");
    }
}

#[tokio::test]
async fn runs_as_many_calls_at_once_as_it_may() {
    let setup = setup(3);
    let started = Instant::now();
    let calls = (0..6).map(|_| setup.call(json!({"do": "sleep", "ms": 300})));
    let answers = futures::future::join_all(calls).await;
    let pids: BTreeSet<u64> = answers.iter().map(|answer| answer.as_ref().unwrap()["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    assert!(started.elapsed() >= Duration::from_millis(600));
}

#[tokio::test]
async fn reports_errors_without_losing_the_process() {
    let setup = setup(1);
    let error = setup.call(json!({"do": "fail"})).await.unwrap_err();
    assert_eq!(error, InvokeError::FunctionError("asked to fail".to_owned()));
    let error = setup.call(json!({"do": "panic"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::FunctionError(_)), "{error}");
    let error = setup.call(json!({"do": "large"})).await.unwrap_err();
    assert!(matches!(error, InvokeError::FunctionError(_)), "{error}");
    assert_eq!(setup.restarts.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_process_that_ends_is_replaced() {
    let setup = setup(1);
    let before = setup.call(json!({})).await.unwrap();
    let error = setup.call(json!({"do": "exit"})).await.unwrap_err();
    assert_eq!(error, InvokeError::Crashed("exit status: 3".to_owned()));
    let after = setup.call(json!({})).await.unwrap();
    assert_ne!(before["pid"], after["pid"]);
    assert_eq!(*setup.restarts.lock().unwrap(), ["exit status: 3"]);
}

#[tokio::test]
async fn a_call_that_takes_too_long_loses_its_process() {
    let setup = setup(1);
    let limit = Duration::from_millis(300);
    let error = setup.call_within(json!({"do": "sleep", "ms": 60_000}), limit).await.unwrap_err();
    assert_eq!(error, InvokeError::Timeout(limit));
    let started = Instant::now();
    setup.call(json!({})).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn kill_fails_running_calls_and_only_those() {
    let setup = Arc::new(setup(2));
    setup.call(json!({})).await.unwrap();
    let running = tokio::spawn({
        let setup = setup.clone();
        async move { setup.call(json!({"do": "sleep", "ms": 60_000})).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(setup.host.kill("sample"), 1);
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(&error, InvokeError::Crashed(how) if how.contains("SIGKILL")), "{error}");
    setup.call(json!({})).await.unwrap();
    for _ in 0..20 {
        setup.host.kill("sample");
        setup.call(json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn one_process_is_killed_and_the_others_stay() {
    let setup = Arc::new(setup(2));
    let call = |event: Value| {
        let setup = setup.clone();
        tokio::spawn(async move { setup.call(event).await })
    };
    let (long, short) = (call(json!({"do": "sleep", "ms": 60_000})), call(json!({"do": "sleep", "ms": 400})));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let busy = setup.host.processes("sample");
    assert!(busy.len() == 2 && busy.iter().all(|process| process.is_busy), "{busy:?}");
    short.await.unwrap().unwrap();
    let idle = |process: &Process| !process.is_busy;
    let idle_one = setup.host.processes("sample").into_iter().find(idle).unwrap();
    let other = busy.into_iter().find(|process| process.id != idle_one.id).unwrap();

    assert_eq!(setup.host.kill_one("sample", idle_one.id).await, Some(idle_one));
    assert_eq!(setup.host.kill_one("sample", idle_one.id).await, None, "nobody dies twice");
    assert_eq!(setup.host.kill_one("sample", 99).await, None);
    assert_eq!(setup.host.processes("sample"), [other]);
    assert_eq!(setup.host.kill_one("sample", other.id).await, Some(other));
    assert!(matches!(long.await.unwrap(), Err(InvokeError::Crashed(_))));
}

#[tokio::test]
async fn a_process_is_told_its_id() {
    let setup = setup(1);
    for _ in 0..2 {
        let answer = setup.call(json!({})).await.unwrap();
        let process = setup.host.processes("sample")[0];
        assert_eq!(answer["greeting"], format!("hello from {}", process.id));
        setup.host.kill_one("sample", process.id).await.unwrap();
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_instance_usable() {
    let setup = setup(1);
    let impatient = setup.call(json!({"do": "sleep", "ms": 300}));
    assert!(tokio::time::timeout(Duration::from_millis(100), impatient).await.is_err());
    let answer = setup.call(json!({"n": 2})).await.unwrap();
    assert_eq!(answer["event"], json!({"n": 2}));
}

#[tokio::test]
async fn says_what_cannot_be_called() {
    let setup = setup(1);
    let error = setup.host.invoke("nobody", "{}".into(), LIMIT).await.unwrap_err();
    assert_eq!(error, InvokeError::Unreachable("there is no function nobody".to_owned()));
    setup.call(json!({})).await.unwrap();
    setup.host.shutdown().await;
    assert_eq!(setup.host.instances("sample"), 0);
    let error = setup.call(json!({})).await.unwrap_err();
    assert!(matches!(error, InvokeError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn adds_little_time_to_a_call() {
    let setup = setup(1);
    let mut times = vec![];
    for _ in 0..200 {
        let started = Instant::now();
        setup.call(json!({})).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    println!("p50 {:?}, p99 {:?}", times[100], times[198]);
    // Far above what a quiet machine needs; a busy one must not fail the test.
    assert!(times[100] < Duration::from_millis(20), "{:?}", times[100]);
}
