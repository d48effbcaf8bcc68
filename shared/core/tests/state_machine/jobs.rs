//! Jobs (`jobs::pipeline`).

use std::time::{Duration, Instant};

use serde_json::json;
use shared_core::{
    Db, Timestamp,
    config::DatabaseConfig,
    db::{Row, Statement},
    embeddings::JOB_TYPE,
    jobs::pipeline::{self, Claim, End, RedeliverError},
    migrations, params,
};

use crate::explore::{Machine, Moment, explore};

/// How often the job is tried.
const MAX_ATTEMPTS: u32 = 2;
const LEASE: Duration = Duration::from_secs(30);
/// The row that everything happens to.
const ROW: &str = "row";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Pending,
    /// When it may be tried again.
    Retrying(Moment),
    /// When the lease ends.
    Running(Moment),
    Completed,
    Failed,
    Terminated,
}

/// Where everything stands. The workers are alike, so the one that holds less comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    status: Status,
    attempts: u32,
    /// Whether the row says that it was announced, and whether that is so long ago that somebody should have come.
    announced: Option<Moment>,
    /// What each worker believes to hold. It goes on believing so after whatever it wrote: the answer may have been lost,
    /// and it may write again.
    held: [Option<Held>; 2],
    /// Whether a message about it is under way. It may come at any time, also late, and any number of times.
    has_message: bool,
    /// Whether a person has had it started over, which happens once here.
    is_second_cycle: bool,
}

/// What a worker believes to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// An attempt that was taken from it, or after which there has been another. The row has moved on to a higher revision.
    Lost {
        /// Its number.
        attempt: u32,
    },
    /// The latest attempt, which it has ended itself. The row still has the revision of its claim.
    Over {
        /// Its number.
        attempt: u32,
    },
    /// The present attempt.
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    // The system.
    Announce,
    Unannounce,
    Recover,
    Claim(usize),
    Extend(usize),
    Complete(usize),
    Fail(usize),
    Terminate(usize),
    /// A pause that the queue can wait, or a longer one, of which maintenance will speak.
    Retry(usize, Pause),
    HandBack(usize),
    // A person.
    Redeliver,
    // The world.
    Die(usize),
    LeaseEnds,
    RetryIsDue,
    AnnouncementAges,
    MessageIsLost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    Short,
    Long,
}

/// What who acted is told.
#[derive(Debug, PartialEq)]
enum Answer {
    /// Whether the action took effect.
    Done(bool),
    /// The number of the attempt that was claimed.
    Claimed(Option<u32>),
    /// Whether the row was requeued, interrupted or freed for another announcement.
    Recovered([bool; 3]),
}

impl State {
    fn is_final(&self) -> bool {
        matches!(self.status, Status::Completed | Status::Failed | Status::Terminated)
    }

    fn is_waiting(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Retrying(_))
    }

    fn is_due(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Retrying(Moment::Past))
    }

    fn holds(&self, worker: usize) -> bool {
        self.held[worker] == Some(Held::Present)
    }

    /// Attempt number `attempt` has been ended by its worker.
    fn close(&mut self, attempt: u32) {
        for held in &mut self.held {
            if *held == Some(Held::Present) {
                *held = Some(Held::Over { attempt });
            }
        }
    }

    /// The row moves on from attempt number `attempt`: every claim so far is lost.
    fn move_on(&mut self, attempt: u32) {
        self.close(attempt);
        for held in &mut self.held {
            if let Some(Held::Over { attempt }) = *held {
                *held = Some(Held::Lost { attempt });
            }
        }
    }

    fn sorted(mut self) -> Self {
        self.held.sort_unstable();
        self
    }
}

/// The rules, without a database.
fn model(state: &State, action: Action) -> (State, Answer) {
    let mut next = state.clone();
    let answer = match action {
        Action::Announce => {
            let done = state.is_due() && state.announced.is_none();
            if done {
                next.announced = Some(Moment::Future);
            }
            Answer::Done(done)
        }
        Action::Unannounce => {
            if state.is_waiting() {
                next.announced = None;
            }
            Answer::Done(true)
        }
        Action::Recover => {
            let is_silent = state.status == Status::Running(Moment::Past);
            let (requeued, interrupted) =
                (is_silent && state.attempts < MAX_ATTEMPTS, is_silent && state.attempts >= MAX_ATTEMPTS);
            let unanswered = state.announced == Some(Moment::Past);
            if is_silent {
                next.status = if requeued { Status::Retrying(Moment::Past) } else { Status::Failed };
                next.move_on(state.attempts);
            }
            if is_silent || unanswered {
                next.announced = None;
            }
            Answer::Recovered([requeued, interrupted, unanswered])
        }
        Action::Claim(worker) => {
            let may_be_taken = state.is_due() || state.status == Status::Running(Moment::Past);
            let done = may_be_taken && state.attempts < MAX_ATTEMPTS;
            if done {
                next.move_on(state.attempts);
                next.attempts += 1;
                next.status = Status::Running(Moment::Future);
                next.announced = None;
                next.held[worker] = Some(Held::Present);
            }
            Answer::Claimed(done.then_some(next.attempts))
        }
        Action::Extend(worker) => {
            let done = state.holds(worker);
            if done {
                next.status = Status::Running(Moment::Future);
            }
            Answer::Done(done)
        }
        Action::Complete(worker)
        | Action::Fail(worker)
        | Action::Terminate(worker)
        | Action::Retry(worker, _)
        | Action::HandBack(worker) => {
            let done = state.holds(worker);
            if done {
                next.close(state.attempts);
                next.status = match action {
                    Action::Complete(_) => Status::Completed,
                    Action::Fail(_) => Status::Failed,
                    Action::Terminate(_) => Status::Terminated,
                    Action::Retry(..) => Status::Retrying(Moment::Future),
                    // Untried, as far as anybody can see.
                    _ if state.attempts == 1 => Status::Pending,
                    _ => Status::Retrying(Moment::Past),
                };
                if let Action::Retry(_, Pause::Short) = action {
                    next.announced = Some(Moment::Future);
                }
                if let Action::HandBack(_) = action {
                    next.attempts -= 1;
                }
            }
            Answer::Done(done)
        }
        Action::Redeliver => {
            let done = state.is_final();
            if done {
                next.move_on(state.attempts);
                next = State { status: Status::Pending, attempts: 0, announced: None, is_second_cycle: true, ..next };
            }
            Answer::Done(done)
        }
        Action::Die(worker) => {
            next.held[worker] = None;
            Answer::Done(true)
        }
        Action::LeaseEnds => {
            next.status = Status::Running(Moment::Past);
            Answer::Done(true)
        }
        Action::RetryIsDue => {
            next.status = Status::Retrying(Moment::Past);
            Answer::Done(true)
        }
        Action::AnnouncementAges => {
            next.announced = Some(Moment::Past);
            Answer::Done(true)
        }
        Action::MessageIsLost => {
            next.has_message = false;
            Answer::Done(true)
        }
    };
    next.has_message |= sends_message(&answer, action);
    (next.sorted(), answer)
}

/// Whether the system sends a message after this.
fn sends_message(answer: &Answer, action: Action) -> bool {
    *answer == Answer::Done(true) && matches!(action, Action::Announce | Action::Retry(_, Pause::Short))
}

/// The database with its row.
struct Jobs {
    db: Db,
    now: Timestamp,
    /// The claim of the latest attempt, as the pipeline gave it: nobody can make one up.
    latest: Claim,
    /// One earlier claim for each number.
    lost: Vec<Claim>,
    _folder: tempfile::TempDir,
}

/// The revision that the latest attempt has in the database; those before it have lower ones.
const REVISION: i64 = 1000;

impl Jobs {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        migrations::migrate(&db).await.unwrap();
        let now: Timestamp = "2026-01-31T09:00:00.000Z".parse().unwrap();
        let document = json!({"type": JOB_TYPE, "data": {"webhookDestinationIds": ["destination"]},
            "maxAttempts": MAX_ATTEMPTS, "retryDelayMs": 1, "retryBackoffMultiplier": 1, "maxRetryDelayMs": 1});
        let insert = "INSERT INTO jobs (id, type, data, created_at, updated_at, scheduled_at)
            VALUES (?1, ?2, ?3, ?4, ?4, ?4)";
        db.write(vec![Statement::new(insert, params![ROW, JOB_TYPE, document.to_string(), now])]).await.unwrap();
        let mut claims = Vec::new();
        for (attempts, revision) in [(0_u32, REVISION - 3), (1, REVISION - 2), (0, REVISION - 1)] {
            let reset = "UPDATE jobs SET status = 'pending', attempts = ?2, revision = ?3 WHERE id = ?1";
            db.write(vec![Statement::new(reset, params![ROW, attempts, revision])]).await.unwrap();
            claims.push(pipeline::claim(&db, JOB_TYPE, ROW, LEASE, now).await.unwrap().expect("a claim"));
        }
        let latest = claims.pop().expect("three claims");
        Self { db, now, latest, lost: claims, _folder: folder }
    }

    fn at(&self, moment: Moment) -> Timestamp {
        self.now.plus_seconds(if moment == Moment::Past { -3600 } else { 3600 })
    }

    /// Rewrites the row, whatever stood there.
    async fn put(&self, state: &State) {
        let (status, next_retry, lease) = match state.status {
            Status::Pending => ("pending", None, None),
            Status::Retrying(moment) => ("retrying", Some(moment), None),
            Status::Running(moment) => ("running", None, Some(moment)),
            Status::Completed => ("completed", None, None),
            Status::Failed => ("failed", None, None),
            Status::Terminated => ("terminated", None, None),
        };
        let row = "UPDATE jobs SET status = ?2, attempts = ?3, revision = ?4, announced_at = ?5, next_retry_at = ?6,
            lease_until = ?7, completed_at = ?8 WHERE id = ?1";
        let announced = state.announced.map(|moment| if moment == Moment::Past { self.at(moment) } else { self.now });
        let params = params![
            ROW,
            status,
            state.attempts,
            REVISION,
            announced,
            next_retry.map(|moment| self.at(moment)),
            lease.map(|moment| self.at(moment)),
            state.is_final().then_some(self.now),
        ];
        let others = Statement::new("DELETE FROM jobs WHERE id <> ?1", params![ROW]);
        let statements =
            vec![Statement::new(row, params), others, Statement::new("DELETE FROM embedding_results", params![])];
        self.db.write(statements).await.unwrap();
    }

    /// Reads the row as a state. Also tells how many webhooks were recorded, and how many statements were written along.
    async fn get(&self, before: &State) -> (State, i64, [u32; 2]) {
        let row = "SELECT status, attempts, revision, announced_at, next_retry_at, lease_until, completed_at FROM jobs
            WHERE id = ?1";
        let statements = vec![
            Statement::new(row, params![ROW]),
            Statement::new("SELECT count(*) AS n FROM jobs WHERE id <> ?1", params![ROW]),
            Statement::new("SELECT count(*) AS n FROM embedding_results", params![]),
        ];
        let answers = self.db.read_many(statements).await.unwrap();
        let row = answers[0].first().unwrap();
        let announced = self.moment(row, "announced_at", self.now.plus_seconds(-60));
        let next_retry = self.moment(row, "next_retry_at", self.now.plus_millis(1));
        let lease = self.moment(row, "lease_until", self.now);
        let status = match row.get::<String>("status").unwrap().as_str() {
            "pending" => Status::Pending,
            "retrying" => Status::Retrying(next_retry.expect("who is tried again knows when")),
            "running" => Status::Running(lease.expect("who runs has a lease")),
            "completed" => Status::Completed,
            "failed" => Status::Failed,
            "terminated" => Status::Terminated,
            other => panic!("{other}"),
        };
        // What the states leave out, because the rules fix it.
        assert_eq!(lease.is_some(), matches!(status, Status::Running(_)), "only who runs has a lease");
        let state = State { status, attempts: row.get("attempts").unwrap(), announced, ..before.clone() };
        assert!(announced.is_none() || state.is_waiting(), "only what waits is announced: {state:?}");
        assert!(next_retry.is_none() || !state.is_final(), "J-08: nothing is left of earlier failures");
        let completed_at: Option<Timestamp> = row.get("completed_at").unwrap();
        assert_eq!(completed_at.is_some(), state.is_final());
        let counts = [1, 2].map(|index| answers[index].first().unwrap().get("n").unwrap());
        (state, row.get("revision").unwrap(), counts)
    }

    fn moment(&self, row: &Row, column: &'static str, border: Timestamp) -> Option<Moment> {
        let instant: Option<Timestamp> = row.get(column).unwrap();
        instant.map(|instant| if instant < border { Moment::Past } else { Moment::Future })
    }

    /// The claim that a worker holds: the latest one, or one of the same number that was given before.
    fn claim_of(&self, state: &State, worker: usize) -> Claim {
        let latest = |attempt: u32| {
            let mut claim = self.latest.clone();
            claim.attempt = attempt;
            claim
        };
        match state.held[worker].expect("only who holds something writes") {
            Held::Present => latest(state.attempts),
            Held::Over { attempt } => latest(attempt),
            Held::Lost { attempt } => {
                self.lost.iter().find(|claim| claim.attempt == attempt).expect("a claim of this number").clone()
            }
        }
    }

    /// Runs the pipeline's own step.
    async fn run(&self, state: &State, action: Action) -> Answer {
        let (db, now) = (&self.db, self.now);
        let held = |worker: usize| self.claim_of(state, worker);
        let end = async |worker: usize, end: End| {
            let sql = "INSERT INTO embedding_results (job_id, part, bytes, expires_at, vectors)
                VALUES (?1, 0, 2, ?2, '[]')";
            let along = vec![Statement::new(sql, params![ROW, now])];
            Answer::Done(pipeline::finish(db, &held(worker), &end, None, along, now).await.unwrap())
        };
        match action {
            Action::Announce => Answer::Done(pipeline::announce(db, JOB_TYPE, 10, now).await.unwrap() == [ROW]),
            Action::Unannounce => {
                pipeline::unannounce(db, &[ROW.to_owned()]).await.unwrap();
                Answer::Done(true)
            }
            Action::Recover => {
                let found = pipeline::recover(db, now.plus_seconds(-60), 10, now).await.unwrap();
                Answer::Recovered([found.requeued, found.interrupted, found.unanswered].map(|ids| ids == [ROW]))
            }
            Action::Claim(_) => {
                let claim = pipeline::claim(db, JOB_TYPE, ROW, LEASE, now).await.unwrap();
                Answer::Claimed(claim.map(|claim| claim.attempt))
            }
            Action::Extend(worker) => {
                Answer::Done(pipeline::extend(db, &held(worker), LEASE, Some("half"), now).await.unwrap())
            }
            Action::Complete(worker) => end(worker, End::Completed(Some(json!({"count": 1})))).await,
            Action::Fail(worker) => end(worker, End::Failed("no".to_owned())).await,
            Action::Terminate(worker) => end(worker, End::Terminated("never".to_owned())).await,
            Action::Retry(worker, pause) => {
                let when = self.at(Moment::Future);
                let announced_at = (pause == Pause::Short).then_some(when);
                let retried = pipeline::retry(db, &held(worker), "busy", None, when, announced_at, now).await;
                Answer::Done(retried.unwrap())
            }
            Action::HandBack(worker) => Answer::Done(pipeline::hand_back(db, &held(worker), now).await.unwrap()),
            Action::Redeliver => Answer::Done(match pipeline::redeliver(db, JOB_TYPE, ROW, now).await {
                Ok(()) => true,
                Err(RedeliverError::NotEnded(_)) => false,
                Err(other) => panic!("{other}"),
            }),
            // The world is what `put` makes of it.
            action => {
                assert!(action.is_of_the_world());
                Answer::Done(true)
            }
        }
    }
}

impl Action {
    /// Nothing of ours runs: only time passes, or something gets lost.
    fn is_of_the_world(self) -> bool {
        use Action::*;
        matches!(self, Die(_) | LeaseEnds | RetryIsDue | AnnouncementAges | MessageIsLost)
    }

    /// The worker that writes with its claim.
    fn writer(self) -> Option<usize> {
        use Action::*;
        match self {
            Extend(worker)
            | Complete(worker)
            | Fail(worker)
            | Terminate(worker)
            | Retry(worker, _)
            | HandBack(worker) => Some(worker),
            _ => None,
        }
    }
}

impl Machine for Jobs {
    type State = State;
    type Action = Action;
    type Answer = Answer;

    fn initial(&self) -> State {
        State {
            status: Status::Pending,
            attempts: 0,
            announced: None,
            held: [None; 2],
            has_message: false,
            is_second_cycle: false,
        }
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = vec![Action::Announce, Action::Unannounce, Action::Recover];
        if !state.is_second_cycle {
            actions.push(Action::Redeliver);
        }
        for worker in 0..2 {
            match state.held[worker] {
                None if state.has_message => actions.push(Action::Claim(worker)),
                None => {}
                Some(_) => {
                    actions.extend([
                        Action::Extend(worker),
                        Action::Complete(worker),
                        Action::Fail(worker),
                        Action::Terminate(worker),
                        Action::HandBack(worker),
                        Action::Die(worker),
                    ]);
                    let claim = self.claim_of(state, worker);
                    // Who holds the last attempt ends it: the policy gives no pause then.
                    if claim.job.retry_policy().pause(claim.attempt, None, 0.0).is_some() {
                        actions.extend([Action::Retry(worker, Pause::Short), Action::Retry(worker, Pause::Long)]);
                    }
                }
            }
        }
        if state.has_message {
            actions.push(Action::MessageIsLost);
        }
        if state.announced == Some(Moment::Future) {
            actions.push(Action::AnnouncementAges);
        }
        match state.status {
            Status::Running(Moment::Future) => actions.push(Action::LeaseEnds),
            Status::Retrying(Moment::Future) => actions.push(Action::RetryIsDue),
            _ => {}
        }
        actions
    }

    fn expected(&self, state: &State, action: Action) -> (State, Answer) {
        model(state, action)
    }

    async fn actual(&self, state: &State, action: Action) -> (State, Answer) {
        if action.is_of_the_world() {
            return model(state, action);
        }
        self.put(state).await;
        let answer = self.run(state, action).await;
        let (mut next, revision, [webhooks, along]) = self.get(state).await;
        if revision != REVISION {
            next.move_on(state.attempts);
        } else if !matches!(next.status, Status::Running(_)) {
            next.close(state.attempts);
        }
        if let (Action::Claim(worker), Answer::Claimed(Some(_))) = (action, &answer) {
            next.held[worker] = Some(Held::Present);
        }
        next.is_second_cycle |= action == Action::Redeliver && answer == Answer::Done(true);
        next.has_message |= sends_message(&answer, action);
        let has_ended = next.is_final() && !state.is_final();
        assert_eq!(webhooks, u32::from(has_ended), "an end is told once, and nothing else: {action:?} in {state:?}");
        let ended_by_worker = has_ended && action.writer().is_some();
        assert_eq!(along, u32::from(ended_by_worker), "all of an end or nothing: {action:?} in {state:?}");
        (next.sorted(), answer)
    }

    fn check(&self, from: &State, action: Action, to: &State) {
        let is_unchanged = from.status == to.status && from.attempts == to.attempts;
        assert!(!from.is_final() || is_unchanged || action == Action::Redeliver, "final stays final");
        assert!(to.attempts <= MAX_ATTEMPTS, "{to:?}");
        assert!(!(to.holds(0) && to.holds(1)), "two workers hold the same job: {action:?} in {from:?}");
        assert!(!(to.holds(0) || to.holds(1)) || matches!(to.status, Status::Running(_)), "only who runs is held");
        if let Some(worker) = action.writer() {
            assert!(from.holds(worker) || is_unchanged, "a lost claim writes: {action:?} in {from:?}");
        }
    }
}

#[tokio::test]
async fn every_interleaving_of_two_workers_follows_the_rules_and_can_end() {
    let started = Instant::now();
    let machine = Jobs::new().await;
    let graph = explore(&machine).await;
    let (states, transitions) = graph.size();
    println!("jobs: {states} states, {transitions} transitions in {:.1} s", started.elapsed().as_secs_f64());

    for (name, count) in [
        ("announce", graph.effective(|action| action == Action::Announce)),
        ("unannounce", graph.effective(|action| action == Action::Unannounce)),
        ("recover", graph.effective(|action| action == Action::Recover)),
        ("claim", graph.effective(|action| matches!(action, Action::Claim(_)))),
        ("extend", graph.effective(|action| matches!(action, Action::Extend(_)))),
        ("complete", graph.effective(|action| matches!(action, Action::Complete(_)))),
        ("terminate", graph.effective(|action| matches!(action, Action::Terminate(_)))),
        ("retry", graph.effective(|action| matches!(action, Action::Retry(..)))),
        ("hand back", graph.effective(|action| matches!(action, Action::HandBack(_)))),
        ("redeliver", graph.effective(|action| action == Action::Redeliver)),
    ] {
        assert!(count > 0, "{name} never did anything");
    }

    // With what runs by itself, everything ends; no person is needed.
    let stuck = graph.stuck(State::is_final, |_, action| action != Action::Redeliver);
    assert!(stuck.is_empty(), "{stuck:?}");

    // Even when every worker dies in its work, wherever a message was lost.
    let all_die = |_: &State, action| match action {
        Action::Claim(_) | Action::Announce | Action::Recover => true,
        action => action.is_of_the_world(),
    };
    let stuck = graph.stuck(State::is_final, all_die);
    assert!(stuck.is_empty(), "{stuck:?}");
}
