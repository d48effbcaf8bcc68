//! Executions (`executions::pipeline`).

use std::time::{Duration, Instant};

use serde_json::{Map, json};
use shared_core::{
    Db, ProviderName, Timestamp,
    config::DatabaseConfig,
    db::{Row, Statement},
    executions::{
        Execution, Outcome,
        pipeline::{self, CancelError, Claim},
    },
    migrations, params,
};

use crate::explore::{Machine, Moment, explore};

/// How often an execution is tried.
const MAX_ATTEMPTS: u32 = 3;
const LEASE: Duration = Duration::from_secs(30);
/// The row that everything happens to. Its provider has one place.
const ROW: &str = "row";
/// One that can occupy the place.
const OTHER: &str = "other";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Pending {
        /// Whether it has a place, and whether it was announced so long ago that somebody should have come.
        dispatched: Option<Moment>,
        /// When it may be tried again.
        next_attempt: Option<Moment>,
    },
    Running {
        lease: Moment,
    },
    Completed,
    Failed {
        /// Set while it keeps its place after it was cancelled: when the lease of its worker ends.
        place: Option<Moment>,
    },
}

/// What a worker believes to hold. It goes on believing so after whatever it wrote: the answer may have been lost, and it
/// may write again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// This attempt.
    Attempt(u32),
    /// This attempt, which it has handed back. All that it may do is to say so again, and the next attempt may have the
    /// same number.
    HandedBack(u32),
}

/// Where everything stands. The workers are alike, so the one that holds less comes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    status: Status,
    attempt: u32,
    /// What each worker believes to hold.
    held: [Option<Held>; 2],
    /// Whether a message about it is under way. It may come at any time, also late, and any number of times.
    is_announced: bool,
    /// Whether another execution occupies the provider's only place.
    is_full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    // The system.
    Dispatch,
    Undispatch,
    Recover,
    Claim(usize),
    ClaimNext(usize),
    Extend(usize),
    Complete(usize),
    Fail(usize),
    Retry(usize),
    HandBack(usize),
    Release(usize),
    // A person.
    Cancel,
    // The world.
    Die(usize),
    LeaseEnds,
    RetryIsDue,
    MessageIsLost,
    AnnouncementAges,
    OtherTakesPlace,
    OtherLeaves,
}

/// What who acted is told.
#[derive(Debug, PartialEq)]
enum Answer {
    /// Whether the action took effect.
    Done(bool),
    /// The number of the attempt that was claimed.
    Claimed(Option<u32>),
    /// Whether the row was requeued, interrupted or announced again.
    Recovered([bool; 3]),
}

impl State {
    fn is_final(&self) -> bool {
        matches!(self.status, Status::Completed | Status::Failed { .. })
    }

    fn occupies_place(&self) -> bool {
        match self.status {
            Status::Pending { dispatched, .. } => dispatched.is_some(),
            Status::Running { .. } => true,
            Status::Failed { place } => place.is_some(),
            Status::Completed => false,
        }
    }

    /// Whether the worker's claim is the one that counts.
    fn holds(&self, worker: usize) -> bool {
        matches!(self.status, Status::Running { .. }) && self.held[worker] == Some(Held::Attempt(self.attempt))
    }

    /// Whether it is next in line.
    fn may_be_dispatched(&self) -> bool {
        let Status::Pending { dispatched: None, next_attempt } = self.status else { return false };
        next_attempt != Some(Moment::Future) && !self.is_full
    }

    fn may_be_claimed(&self) -> bool {
        match self.status {
            Status::Pending { dispatched, .. } => dispatched.is_some(),
            Status::Running { lease } => lease == Moment::Past && self.attempt < MAX_ATTEMPTS,
            Status::Completed | Status::Failed { .. } => false,
        }
    }

    /// How it has ended, if it has.
    fn end(&self) -> Option<bool> {
        self.is_final().then_some(self.status == Status::Completed)
    }

    fn claimed_by(&mut self, worker: usize) -> Answer {
        self.attempt += 1;
        self.status = Status::Running { lease: Moment::Future };
        self.held[worker] = Some(Held::Attempt(self.attempt));
        Answer::Claimed(Some(self.attempt))
    }

    fn sorted(mut self) -> Self {
        self.held.sort_unstable();
        self
    }
}

/// Failed, without a place.
const ENDED: Status = Status::Failed { place: None };
const WAITING: Status = Status::Pending { dispatched: None, next_attempt: None };

/// The rules, without a database.
fn model(state: &State, action: Action) -> (State, Answer) {
    let mut next = state.clone();
    let answer = match action {
        Action::Dispatch => {
            let done = state.may_be_dispatched();
            if let Status::Pending { dispatched, .. } = &mut next.status
                && done
            {
                *dispatched = Some(Moment::Future);
            }
            Answer::Done(done)
        }
        Action::Undispatch => {
            if let Status::Pending { dispatched, .. } = &mut next.status {
                *dispatched = None;
            }
            Answer::Done(true)
        }
        Action::Recover => match state.status {
            Status::Running { lease: Moment::Past } if state.attempt < MAX_ATTEMPTS => {
                next.status = WAITING;
                Answer::Recovered([true, false, false])
            }
            Status::Running { lease: Moment::Past } => {
                next.status = ENDED;
                Answer::Recovered([false, true, false])
            }
            // Its worker died before it noticed that the execution had been cancelled.
            Status::Failed { place: Some(Moment::Past) } => {
                next.status = ENDED;
                Answer::Recovered([false; 3])
            }
            Status::Pending { dispatched: Some(Moment::Past), next_attempt } => {
                next.status = Status::Pending { dispatched: Some(Moment::Future), next_attempt };
                Answer::Recovered([false, false, true])
            }
            _ => Answer::Recovered([false; 3]),
        },
        Action::Claim(worker) if state.may_be_claimed() => next.claimed_by(worker),
        Action::ClaimNext(worker) if state.may_be_dispatched() => next.claimed_by(worker),
        Action::Claim(_) | Action::ClaimNext(_) => Answer::Claimed(None),
        Action::Extend(worker) => {
            let done = state.holds(worker);
            if done {
                next.status = Status::Running { lease: Moment::Future };
            }
            Answer::Done(done)
        }
        Action::Complete(worker) | Action::Fail(worker) | Action::Retry(worker) | Action::HandBack(worker) => {
            let done = state.holds(worker);
            if done {
                next.status = match action {
                    Action::Complete(_) => Status::Completed,
                    Action::Fail(_) => ENDED,
                    Action::Retry(_) => Status::Pending { dispatched: None, next_attempt: Some(Moment::Future) },
                    _ => WAITING,
                };
            }
            if matches!(action, Action::HandBack(_)) {
                next.attempt -= u32::from(done);
                next.held[worker] = handed_back(state.held[worker]);
            }
            Answer::Done(done)
        }
        Action::Cancel => {
            let done = !state.is_final();
            if done {
                // The provider is at work for who runs, until its worker lets go.
                let place = if let Status::Running { lease } = state.status { Some(lease) } else { None };
                next.status = Status::Failed { place };
            }
            Answer::Done(done)
        }
        Action::Die(worker) => {
            next.held[worker] = None;
            Answer::Done(true)
        }
        Action::Release(worker) => {
            if matches!(state.status, Status::Failed { .. }) && state.held[worker] == Some(Held::Attempt(state.attempt))
            {
                next.status = ENDED;
            }
            Answer::Done(true)
        }
        Action::LeaseEnds => {
            next.status = match state.status {
                Status::Failed { .. } => Status::Failed { place: Some(Moment::Past) },
                _ => Status::Running { lease: Moment::Past },
            };
            Answer::Done(true)
        }
        Action::RetryIsDue => {
            if let Status::Pending { next_attempt, .. } = &mut next.status {
                *next_attempt = Some(Moment::Past);
            }
            Answer::Done(true)
        }
        Action::MessageIsLost => {
            next.is_announced = false;
            Answer::Done(true)
        }
        Action::AnnouncementAges => {
            if let Status::Pending { dispatched, .. } = &mut next.status {
                *dispatched = Some(Moment::Past);
            }
            Answer::Done(true)
        }
        Action::OtherTakesPlace | Action::OtherLeaves => {
            next.is_full = action == Action::OtherTakesPlace;
            Answer::Done(true)
        }
    };
    next.is_announced |= announces(&answer, action);
    (next.sorted(), answer)
}

/// What a worker holds that has handed back what it held.
fn handed_back(held: Option<Held>) -> Option<Held> {
    held.map(|(Held::Attempt(attempt) | Held::HandedBack(attempt))| Held::HandedBack(attempt))
}

/// Whether the system sends a message after this.
fn announces(answer: &Answer, action: Action) -> bool {
    match answer {
        Answer::Done(done) => *done && matches!(action, Action::Dispatch | Action::Retry(_)),
        Answer::Recovered([.., unanswered]) => *unanswered,
        Answer::Claimed(_) => false,
    }
}

/// The database with its two rows.
struct Executions {
    db: Db,
    now: Timestamp,
    document: Execution,
    _folder: tempfile::TempDir,
}

impl Executions {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&DatabaseConfig::File(folder.path().join("test.db")));
        migrations::migrate(&db).await.unwrap();
        let now: Timestamp = "2026-01-31T09:00:00.000Z".parse().unwrap();
        let document = json!({"prompt_text": "Hello", "user_input": "", "provider": "ollama", "model": "demo:latest",
            "origin": "app", "webhookDestinationIds": ["destination"]});
        let insert = |id: &str| {
            let sql = "INSERT INTO executions (id, data, provider, model, created_at, updated_at)
                VALUES (?1, ?2, ?2 ->> 'provider', ?2 ->> 'model', ?3, ?3)";
            Statement::new(sql, params![id, document.to_string(), now])
        };
        // What fills the place has ended already as far as dispatch is concerned, and is never served.
        let busy = "UPDATE executions SET status = 'running', lease_until = '9999', attempt = 1 WHERE id = ?1";
        let limit = "INSERT INTO settings (id, data, created_at, updated_at) VALUES ('limit', ?1, ?2, ?2)";
        let setting =
            json!({"type": "provider-limits", "identifier": "ollama", "provider": "ollama", "max_running": 1});
        let statements = vec![
            insert(ROW),
            insert(OTHER),
            Statement::new(busy, params![OTHER]),
            Statement::new(limit, params![setting.to_string(), now]),
        ];
        db.write(statements).await.unwrap();
        Self { db, now, document: serde_json::from_value(document).unwrap(), _folder: folder }
    }

    fn at(&self, moment: Moment) -> Timestamp {
        self.now.plus_seconds(if moment == Moment::Past { -3600 } else { 3600 })
    }

    /// When something was announced: a moment ago, or long ago.
    fn announced(&self, moment: Moment) -> Timestamp {
        if moment == Moment::Past { self.at(moment) } else { self.now }
    }

    /// Rewrites the rows, whatever stood there.
    async fn put(&self, state: &State) {
        let (status, dispatched, lease, next_attempt) = match state.status {
            Status::Pending { dispatched, next_attempt } => ("pending", dispatched, None, next_attempt),
            Status::Running { lease } => ("running", Some(Moment::Future), Some(lease), None),
            Status::Completed => ("completed", None, None, None),
            Status::Failed { place } => ("failed", place.map(|_| Moment::Future), place, None),
        };
        let is_over = state.is_final().then_some(self.now);
        let row = "UPDATE executions SET status = ?2, attempt = ?3, dispatched_at = ?4, lease_until = ?5,
            next_attempt_at = ?6, completed_at = ?7, started_at = ?8 WHERE id = ?1";
        let other = "UPDATE executions SET dispatched_at = ?2 WHERE id = ?1";
        let statements = vec![
            Statement::new("DELETE FROM usage_events", params![]),
            Statement::new(
                row,
                params![
                    ROW,
                    status,
                    state.attempt,
                    dispatched.map(|moment| self.announced(moment)),
                    lease.map(|moment| self.at(moment)),
                    next_attempt.map(|moment| self.at(moment)),
                    is_over,
                    lease.map(|_| self.now),
                ],
            ),
            Statement::new(other, params![OTHER, state.is_full.then_some(self.now)]),
            Statement::new("DELETE FROM jobs", params![]),
            Statement::new("DELETE FROM usage_events", params![]),
        ];
        self.db.write(statements).await.unwrap();
    }

    /// Reads the row as a state; the workers' beliefs and the other row are as they were. Also tells how many webhooks
    /// were recorded, and how often its usage was counted.
    async fn get(&self, before: &State) -> (State, [u32; 2]) {
        let row = "SELECT status, attempt, dispatched_at, lease_until, next_attempt_at, completed_at FROM executions
            WHERE id = ?1";
        let statements = vec![
            Statement::new(row, params![ROW]),
            Statement::new("SELECT count(*) AS n FROM jobs", params![]),
            Statement::new("SELECT count(*) AS n FROM usage_events", params![]),
        ];
        let answers = self.db.read_many(statements).await.unwrap();
        let row = answers[0].first().unwrap();
        let announced = self.moment(row, "dispatched_at", self.now.plus_seconds(-60));
        let (lease, next_attempt) =
            (self.moment(row, "lease_until", self.now), self.moment(row, "next_attempt_at", self.now));
        let name: String = row.get("status").unwrap();
        let status = match name.as_str() {
            "pending" => Status::Pending { dispatched: announced, next_attempt },
            "running" => Status::Running { lease: lease.expect("who runs has a lease") },
            "completed" => Status::Completed,
            _ => Status::Failed { place: announced.and(lease) },
        };
        // What the states leave out, because the rules fix it.
        let is_running = name == "running";
        assert_eq!(lease.is_some(), is_running || (name == "failed" && announced.is_some()), "{name}");
        assert!(is_running <= announced.is_some(), "who runs occupies a place");
        assert!(is_running <= next_attempt.is_none());
        let state = State { status, attempt: row.get("attempt").unwrap(), ..before.clone() };
        assert_eq!(announced.is_some(), state.occupies_place(), "a place is for what runs or will: {state:?}");
        let completed_at: Option<Timestamp> = row.get("completed_at").unwrap();
        assert_eq!(completed_at.is_some(), state.is_final());
        (state, [1, 2].map(|index| answers[index].first().unwrap().get("n").unwrap()))
    }

    fn moment(&self, row: &Row, column: &'static str, border: Timestamp) -> Option<Moment> {
        let instant: Option<Timestamp> = row.get(column).unwrap();
        instant.map(|instant| if instant < border { Moment::Past } else { Moment::Future })
    }

    fn claim_of(&self, state: &State, worker: usize) -> Claim {
        let (attempt, claimed_at) = match state.held[worker].expect("only who holds something writes") {
            Held::Attempt(attempt) => (attempt, self.now),
            Held::HandedBack(attempt) => (attempt, self.now.plus_seconds(-1)),
        };
        Claim {
            id: ROW.to_owned(),
            attempt,
            claimed_at,
            execution: self.document.clone(),
            created_at: self.now,
            trace: None,
        }
    }

    /// Runs the pipeline's own step.
    async fn run(&self, state: &State, action: Action) -> Answer {
        let (db, now, provider) = (&self.db, self.now, ProviderName::Ollama);
        let held = |worker| self.claim_of(state, worker);
        let claimed = |claim: Option<Claim>| Answer::Claimed(claim.map(|claim| claim.attempt));
        match action {
            Action::Dispatch => Answer::Done(pipeline::dispatch(db, provider, now).await.unwrap() == [ROW]),
            Action::Undispatch => {
                pipeline::undispatch(db, &[ROW.to_owned()]).await.unwrap();
                Answer::Done(true)
            }
            Action::Recover => {
                let found = pipeline::recover(db, MAX_ATTEMPTS, now.plus_seconds(-60), 10, now).await.unwrap();
                Answer::Recovered([found.requeued, found.interrupted, found.unanswered].map(|ids| ids == [ROW]))
            }
            Action::Claim(_) => claimed(pipeline::claim(db, ROW, LEASE, MAX_ATTEMPTS, now).await.unwrap()),
            Action::ClaimNext(_) => claimed(pipeline::claim_next(db, provider, LEASE, now).await.unwrap()),
            Action::Extend(worker) => Answer::Done(pipeline::extend(db, &held(worker), LEASE, now).await.unwrap()),
            Action::Complete(worker) => {
                let outcome = Outcome::Completed(Map::from_iter([("result".to_owned(), json!("hello"))]));
                Answer::Done(pipeline::finish(db, &held(worker), &outcome, now).await.unwrap())
            }
            Action::Fail(worker) => {
                let outcome = Outcome::Failed("no".to_owned());
                Answer::Done(pipeline::finish(db, &held(worker), &outcome, now).await.unwrap())
            }
            Action::Retry(worker) => {
                let when = self.at(Moment::Future);
                Answer::Done(pipeline::retry_at(db, &held(worker), "busy", when, now).await.unwrap())
            }
            Action::Release(worker) => {
                pipeline::release(db, &held(worker)).await.unwrap();
                Answer::Done(true)
            }
            Action::HandBack(worker) => Answer::Done(pipeline::hand_back(db, &held(worker), now).await.unwrap()),
            Action::Cancel => Answer::Done(match pipeline::cancel(db, ROW, now).await {
                Ok(_) => true,
                Err(CancelError::AlreadyFinished(_)) => false,
                Err(other) => panic!("{other}"),
            }),
            // The world is what `put` makes of it.
            Action::Die(_)
            | Action::LeaseEnds
            | Action::RetryIsDue
            | Action::MessageIsLost
            | Action::AnnouncementAges
            | Action::OtherTakesPlace
            | Action::OtherLeaves => Answer::Done(true),
        }
    }
}

impl Action {
    /// Nothing of ours runs: only time passes, a process dies, or a neighbour moves.
    fn is_of_the_world(self) -> bool {
        matches!(
            self,
            Self::Die(_)
                | Self::LeaseEnds
                | Self::RetryIsDue
                | Self::MessageIsLost
                | Self::AnnouncementAges
                | Self::OtherTakesPlace
                | Self::OtherLeaves
        )
    }
}

impl Machine for Executions {
    type State = State;
    type Action = Action;
    type Answer = Answer;

    fn initial(&self) -> State {
        State { status: WAITING, attempt: 0, held: [None; 2], is_announced: false, is_full: false }
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = vec![Action::Dispatch, Action::Undispatch, Action::Recover, Action::Cancel];
        for worker in 0..2 {
            actions.extend(match state.held[worker] {
                None if state.is_announced => vec![Action::Claim(worker), Action::ClaimNext(worker)],
                None => vec![Action::ClaimNext(worker)],
                Some(Held::HandedBack(_)) => vec![Action::HandBack(worker), Action::Die(worker)],
                Some(Held::Attempt(attempt)) => {
                    let mut writes = vec![
                        Action::Extend(worker),
                        Action::Complete(worker),
                        Action::Fail(worker),
                        Action::HandBack(worker),
                        Action::Release(worker),
                        Action::Die(worker),
                    ];
                    // Who holds the last attempt ends it: the policy gives no pause then.
                    if attempt < MAX_ATTEMPTS {
                        writes.push(Action::Retry(worker));
                    }
                    writes
                }
            });
        }
        if state.is_announced {
            actions.push(Action::MessageIsLost);
        }
        match state.status {
            Status::Running { lease: Moment::Future } | Status::Failed { place: Some(Moment::Future) } => {
                actions.push(Action::LeaseEnds);
            }
            Status::Pending { dispatched, next_attempt } => {
                if next_attempt == Some(Moment::Future) {
                    actions.push(Action::RetryIsDue);
                }
                if dispatched == Some(Moment::Future) {
                    actions.push(Action::AnnouncementAges);
                }
            }
            _ => {}
        }
        // The place has room for one: the other cannot take what is occupied.
        if state.is_full {
            actions.push(Action::OtherLeaves);
        } else if !state.occupies_place() {
            actions.push(Action::OtherTakesPlace);
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
        let (mut next, [webhooks, usages]) = self.get(state).await;
        match (action, &answer) {
            (Action::Claim(worker) | Action::ClaimNext(worker), Answer::Claimed(Some(attempt))) => {
                next.held[worker] = Some(Held::Attempt(*attempt));
            }
            (Action::HandBack(worker), _) => next.held[worker] = handed_back(state.held[worker]),
            _ => {}
        }
        next.is_announced |= announces(&answer, action);
        let has_ended = next.is_final() && !state.is_final();
        assert_eq!(webhooks, u32::from(has_ended), "an end is told once, and nothing else: {action:?} in {state:?}");
        let has_completed = has_ended && next.status == Status::Completed;
        assert_eq!(usages, u32::from(has_completed), "usage counts once: {action:?} in {state:?}");
        (next.sorted(), answer)
    }

    fn check(&self, from: &State, action: Action, to: &State) {
        assert!(!from.is_final() || (from.end() == to.end() && from.attempt == to.attempt), "final stays final");
        assert!(to.attempt <= MAX_ATTEMPTS, "{to:?}");
        assert!(!(to.holds(0) && to.holds(1)), "two workers hold the same execution: {action:?} in {from:?}");
        assert!(!(to.is_full && to.occupies_place()), "one place, two executions: {action:?} in {from:?}");
        if let Action::Extend(worker)
        | Action::Complete(worker)
        | Action::Fail(worker)
        | Action::Retry(worker)
        | Action::HandBack(worker) = action
        {
            assert!(
                from.holds(worker) || (from.status == to.status && from.attempt == to.attempt),
                "a lost claim writes"
            );
        }
    }
}

#[tokio::test]
async fn every_interleaving_of_two_workers_follows_the_rules_and_can_end() {
    let started = Instant::now();
    let machine = Executions::new().await;
    let graph = explore(&machine).await;
    let (states, transitions) = graph.size();
    println!("executions: {states} states, {transitions} transitions in {:.1} s", started.elapsed().as_secs_f64());

    for (name, count) in [
        ("dispatch", graph.effective(|action| action == Action::Dispatch)),
        ("recover", graph.effective(|action| action == Action::Recover)),
        ("claim", graph.effective(|action| matches!(action, Action::Claim(_)))),
        ("claim next", graph.effective(|action| matches!(action, Action::ClaimNext(_)))),
        ("extend", graph.effective(|action| matches!(action, Action::Extend(_)))),
        ("finish", graph.effective(|action| matches!(action, Action::Complete(_)))),
        ("retry", graph.effective(|action| matches!(action, Action::Retry(_)))),
        ("hand back", graph.effective(|action| matches!(action, Action::HandBack(_)))),
        ("release", graph.effective(|action| matches!(action, Action::Release(_)))),
        ("cancel", graph.effective(|action| action == Action::Cancel)),
    ] {
        assert!(count > 0, "{name} never did anything");
    }

    // With what runs by itself, everything ends; no person is needed.
    let by_itself = |_: &State, action| action != Action::Cancel;
    let stuck = graph.stuck(State::is_final, by_itself);
    assert!(stuck.is_empty(), "{stuck:?}");

    // Even when every worker dies in its work, wherever a message was lost.
    let all_die = |_: &State, action| match action {
        Action::Claim(_) | Action::Dispatch | Action::Recover => true,
        action => action.is_of_the_world(),
    };
    let stuck = graph.stuck(State::is_final, all_die);
    assert!(stuck.is_empty(), "{stuck:?}");

    // A place is never leaked: whatever occupies it gives it back, without any worker.
    let is_without_worker =
        |state: &State| !matches!(state.status, Status::Running { .. } | Status::Failed { place: Some(_) });
    let by_maintenance = |_: &State, action| action == Action::Recover || (action as Action).is_of_the_world();
    let stuck = graph.stuck(is_without_worker, by_maintenance);
    assert!(stuck.is_empty(), "{stuck:?}");
}

/// A place would be lost for ever if nobody could take what waits on it.
#[tokio::test]
async fn what_waits_is_tried_also_when_the_limit_of_attempts_was_lowered() {
    let machine = Executions::new().await;
    let status = Status::Pending { dispatched: Some(Moment::Past), next_attempt: None };
    machine.put(&State { status, attempt: MAX_ATTEMPTS, ..machine.initial() }).await;
    let claim = pipeline::claim(&machine.db, ROW, LEASE, 1, machine.now).await.unwrap().expect("a claim");
    assert_eq!(claim.attempt, MAX_ATTEMPTS + 1);
    let outcome = Outcome::Failed("no".to_owned());
    assert!(pipeline::finish(&machine.db, &claim, &outcome, machine.now).await.unwrap());
}
