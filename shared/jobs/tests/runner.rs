//! What becomes of a job's row, however its attempt goes. The queue is away in all of these tests: nothing depends on it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use shared_core::{
    Db, Timestamp,
    config::{DatabaseConfig, Env, load_from},
    db::Statement,
    ids,
    jobs::{self, JobStatus, JobView, pipeline},
    migrations, params,
    retries::RetryPolicy,
    trace,
};
use shared_jobs::{
    Dispatcher, Failure, Function, Invocation, JobContext, JobDone, JobFunction, JobKind, JobMessage, JobType, Queues,
    Shutdown, Stop, Work,
};
use tempfile::TempDir;

/// A job whose row says how its attempts go.
#[derive(Serialize, Deserialize)]
struct Scripted {
    behaviour: Behaviour,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Behaviour {
    Succeed,
    FailOnce,
    AlwaysFail,
    AskForAnHour,
    Fail,
    Terminate,
    Panic,
    Hang,
    LoseTheStore,
}

impl JobType for Scripted {
    const KIND: JobKind = JobKind { name: "scripted", queue: "SCRIPTED_QUEUE_URL" };
    const LEASE: Duration = Duration::from_millis(600);

    fn retries(&self) -> RetryPolicy {
        let pause = Duration::from_millis(1);
        RetryPolicy { max_attempts: 3, base: pause, factor: 1.0, cap: pause, jitter: 0.0 }
    }
}

/// Does what the row says, and notes what it was told about its attempt.
#[derive(Clone, Default)]
struct Actor {
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Attempt, attempts left and trace.
type Seen = (u32, u32, Option<String>);

impl Work for Actor {
    type Job = Scripted;

    async fn run(&self, job: Scripted, context: &JobContext) -> Result<JobDone, Stop> {
        let trace = trace::current().map(|id| id.to_string());
        self.seen.lock().expect("no test panicked").push((context.attempt, context.attempts_left(), trace));
        let failure = Failure { status: Some(503), ..Failure::new("not now") };
        match job.behaviour {
            Behaviour::FailOnce if context.attempt > 1 => Ok(JobDone::completed(None)),
            Behaviour::Succeed => Ok(JobDone::completed(Some(json!({"answer": 42})))),
            Behaviour::FailOnce | Behaviour::AlwaysFail => Err(Stop::Retry(failure)),
            Behaviour::AskForAnHour => {
                Err(Stop::Retry(Failure { retry_after: Some(Duration::from_secs(3600)), ..failure }))
            }
            Behaviour::Fail => Err(Stop::Fail(Failure { status: Some(410), ..failure })),
            Behaviour::Terminate => Err(Stop::terminate("not my business")),
            Behaviour::Panic => panic!("planted"),
            Behaviour::Hang => {
                context.report_progress("waiting");
                std::future::pending().await
            }
            Behaviour::LoseTheStore => Err(Stop::Store(shared_core::db::DbError::Unavailable("planted".into()))),
        }
    }
}

struct Bench {
    db: Db,
    dispatcher: Dispatcher,
    function: JobFunction<Actor>,
    actor: Actor,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        migrations::migrate(&db).await.expect("migrations apply");
        // Nobody listens there.
        let variables = [
            ("SCRIPTED_QUEUE_URL", "http://127.0.0.1:9/000000000000/scripted"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ];
        let env = Env::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let queues = load_from(env, |env| Queues::read(env, &[Scripted::KIND])).expect("a complete configuration");
        let dispatcher = Dispatcher::new(db.clone(), queues);
        let actor = Actor::default();
        let function = JobFunction::new(
            actor.clone(),
            dispatcher.clone(),
            load_from(Env::new([]), Env::jobs).expect("a complete configuration"),
        );
        Self { db, dispatcher, function, actor, _folder: folder }
    }

    async fn add(&self, behaviour: Behaviour) -> String {
        self.dispatcher.enqueue(&Scripted { behaviour }, Timestamp::now()).await.expect("the database answers")
    }

    /// One message, with time enough and nobody who wants the process to end.
    async fn message(&self, id: &str) {
        self.message_in(id, Duration::from_secs(30), &Shutdown::new(Duration::ZERO)).await;
    }

    async fn message_in(&self, id: &str, time: Duration, shutdown: &Shutdown) {
        let invocation = Invocation::new(time, shutdown.clone());
        self.function.handle(JobMessage::new(id), &invocation).await.expect("the database answers");
    }

    async fn view(&self, id: &str) -> JobView {
        jobs::find(&self.db, id).await.expect("the database answers").expect("the job exists")
    }

    /// Runs one attempt of a fresh job.
    async fn once(&self, behaviour: Behaviour) -> JobView {
        let id = self.add(behaviour).await;
        self.message(&id).await;
        self.view(&id).await
    }

    fn attempts(&self) -> Vec<(u32, u32)> {
        self.actor.seen.lock().expect("no test panicked").iter().map(|(attempt, left, _)| (*attempt, *left)).collect()
    }
}

#[tokio::test]
async fn success_is_recorded_with_its_result() {
    let bench = Bench::start().await;
    let job = bench.once(Behaviour::Succeed).await;
    assert_eq!((job.status, job.attempts, job.data.result), (JobStatus::Completed, 1, Some(json!({"answer": 42}))));
    bench.message(&job.id).await;
    bench.message("unknown").await;
    assert_eq!(bench.attempts(), [(1, 2)], "a message that comes again does nothing");
}

#[tokio::test]
async fn a_failure_that_passes_is_tried_again() {
    let bench = Bench::start().await;
    let job = bench.once(Behaviour::FailOnce).await;
    assert_eq!((job.status, job.data.last_status), (JobStatus::Retrying, Some(503)));
    tokio::time::sleep(Duration::from_millis(5)).await;
    bench.message(&job.id).await;
    let done = bench.view(&job.id).await;
    assert_eq!((done.status, done.attempts, done.data.error), (JobStatus::Completed, 2, None));
}

#[tokio::test]
async fn a_failure_that_stays_ends_after_the_last_attempt() {
    let bench = Bench::start().await;
    let id = bench.add(Behaviour::AlwaysFail).await;
    for _ in 0..6 {
        bench.message(&id).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let job = bench.view(&id).await;
    assert_eq!((job.status, job.attempts, job.data.last_status), (JobStatus::Failed, 3, Some(503)));
    assert_eq!(job.data.error.as_deref(), Some("not now"));
    assert_eq!(bench.attempts(), [(1, 2), (2, 1), (3, 0)]);
}

#[tokio::test]
async fn the_other_sides_wish_is_honoured_beyond_what_the_queue_can_wait() {
    let bench = Bench::start().await;
    let job = bench.once(Behaviour::AskForAnHour).await;
    let pause = job.next_retry_at.unwrap().millis_since(job.updated_at);
    assert!(pause >= 3_600_000, "{pause}");
    let due = job.next_retry_at.unwrap();
    assert_eq!(pipeline::announce(&bench.db, "scripted", 9, due).await.unwrap(), [job.id]);
}

#[tokio::test]
async fn permanent_failures_and_refusals_end_at_once() {
    let bench = Bench::start().await;
    let failed = bench.once(Behaviour::Fail).await;
    assert_eq!((failed.status, failed.attempts, failed.data.last_status), (JobStatus::Failed, 1, Some(410)));
    let refused = bench.once(Behaviour::Terminate).await;
    assert_eq!((refused.status, refused.data.error), (JobStatus::Terminated, None));
    assert_eq!(refused.data.termination_reason.as_deref(), Some("not my business"));
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    let bench = Bench::start().await;
    let job = bench.once(Behaviour::Panic).await;
    assert_eq!(job.status, JobStatus::Retrying);
    assert!(!job.data.error.unwrap().contains("planted"), "what is wrong inside is for the log");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_terminated() {
    let bench = Bench::start().await;
    let id = bench.add(Behaviour::Succeed).await;
    let sql = "UPDATE jobs SET data = json_set(data, '$.data.behaviour', 'Dance') WHERE id = ?1";
    bench.db.write(vec![Statement::new(sql, params![&id])]).await.unwrap();
    bench.message(&id).await;
    assert_eq!(bench.view(&id).await.status, JobStatus::Terminated);
}

#[tokio::test]
async fn a_lost_store_leaves_the_job_to_its_lease() {
    let bench = Bench::start().await;
    let id = bench.add(Behaviour::LoseTheStore).await;
    let invocation = Invocation::new(Duration::from_secs(30), Shutdown::new(Duration::ZERO));
    assert!(bench.function.handle(JobMessage::new(&id), &invocation).await.is_err(), "the message must come again");
    assert_eq!(bench.view(&id).await.status, JobStatus::Running);
    let later = Timestamp::now().plus_seconds(1);
    let recovered = pipeline::recover(&bench.db, later, 9, later).await.unwrap();
    assert_eq!(recovered.requeued, [id]);
}

#[tokio::test]
async fn work_outlives_its_lease_by_signs_of_life_and_ends_with_the_invocation() {
    let bench = Bench::start().await;
    let id = bench.add(Behaviour::Hang).await;
    let started = Instant::now();
    // Two seconds of it are kept for the record.
    let nobody = Shutdown::new(Duration::ZERO);
    let message = bench.message_in(&id, Duration::from_millis(3200), &nobody);
    let watch = async {
        tokio::time::sleep(Duration::from_millis(900)).await;
        let job = bench.view(&id).await;
        assert_eq!((job.status, job.data.progress.as_deref()), (JobStatus::Running, Some("waiting")));
        let now = Timestamp::now();
        assert!(pipeline::recover(&bench.db, now, 9, now).await.unwrap().requeued.is_empty(), "the lease was extended");
    };
    tokio::join!(message, watch);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let job = bench.view(&id).await;
    assert_eq!((job.status, job.attempts, job.data.progress), (JobStatus::Retrying, 1, None));
    assert!(job.data.error.unwrap().contains("time"));
}

#[tokio::test]
async fn a_claim_that_is_lost_ends_the_work_and_records_nothing() {
    let bench = Bench::start().await;
    let id = bench.add(Behaviour::Hang).await;
    let message = bench.message(&id);
    let taken_over = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // As if the worker had been silent for long.
        let later = Timestamp::now().plus_seconds(60);
        let lease = Duration::from_secs(60);
        pipeline::claim(&bench.db, "scripted", &id, lease, later).await.unwrap().expect("it can be taken over")
    };
    let ((), other) = tokio::join!(message, taken_over);
    let job = bench.view(&id).await;
    assert_eq!((job.status, job.attempts, other.attempt), (JobStatus::Running, 2, 2));
}

#[tokio::test]
async fn sigterm_hands_back_what_does_not_finish_in_time_and_takes_nothing_new() {
    let bench = Bench::start().await;
    let shutdown = Shutdown::new(Duration::from_millis(50));
    let id = bench.add(Behaviour::Hang).await;
    let message = bench.message_in(&id, Duration::from_secs(30), &shutdown);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        shutdown.request();
    };
    tokio::join!(message, stop);
    let job = bench.view(&id).await;
    assert_eq!((job.status, job.attempts), (JobStatus::Pending, 0), "the attempt does not count");

    let other = bench.add(Behaviour::Succeed).await;
    bench.message_in(&other, Duration::from_secs(30), &shutdown).await;
    assert_eq!(bench.view(&other).await.status, JobStatus::Pending);
}

#[tokio::test]
async fn work_belongs_to_the_trace_of_its_cause() {
    let bench = Bench::start().await;
    let id = ids::new_id();
    let job = Scripted { behaviour: Behaviour::Succeed }.to_job();
    let cause = trace::TraceId::random();
    let insert = trace::scope(cause.clone(), async { jobs::insert(&id, &job, Timestamp::now()) }).await;
    bench.db.write(vec![insert]).await.unwrap();
    bench.message(&id).await;
    let seen = bench.actor.seen.lock().unwrap().clone();
    assert_eq!(seen[0].2.as_deref(), Some(cause.as_str()));
}
