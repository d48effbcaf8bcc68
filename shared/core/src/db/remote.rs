//! A libSQL server (Turso, sqld): how often a piece of work is tried, and what a failed try has done.
//!
//! A lost answer leaves it open whether a write took effect. Such a write is repeated only when it cannot take effect
//! twice; see [`Statement::fails_when_repeated`]. When the repeat finds a row with an id that this write alone knows, the
//! first try did take effect, and the caller never hears of the trouble.

use std::time::Duration;

use tokio::{sync::Semaphore, time::Instant};

use super::{
    DbError, Rows, Statement,
    hrana::{Failure, Server},
};
use crate::secret::Secret;

/// Requests of one process at a time, hence also its connections: a server runs 128 pieces of work at once for all processes,
/// and one function works on up to ten messages. The rest waits here for some milliseconds.
const MAX_REQUESTS: usize = 4;
/// How often a unit of work is tried.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a unit of work may take with all its tries. A writer may wait five seconds for another one.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct RemoteDb {
    server: Server,
    token: Option<Secret>,
    pub(super) patience: Duration,
    requests: Semaphore,
}

/// Reads need no transaction; writes take the write lock at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
    /// A write that may be sent any number of times.
    RepeatableWrite,
}

/// What a failed try has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing, and the next try would end alike.
    Refused,
    /// Nothing, and the next try may succeed.
    Postponed,
    /// Perhaps everything: the answer is missing or not whole.
    Unknown,
}

impl RemoteDb {
    pub(super) fn new(url: String, token: Option<Secret>) -> Self {
        let server = Server::new(&url, token.clone());
        Self { server, token, patience: PATIENCE, requests: Semaphore::new(MAX_REQUESTS) }
    }

    pub(super) async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let outcome = self.run(&statements, Mode::Read, Instant::now() + self.patience).await;
        outcome.map_err(|failure| self.explain(&failure, Mode::Read))
    }

    pub(super) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, DbError> {
        let deadline = Instant::now() + self.patience;
        match self.run(&statements, Mode::Write, deadline).await {
            Ok(answers) => Ok(answers),
            Err(failure) if effect_of(&failure) != Effect::Unknown => Err(self.explain(&failure, Mode::Write)),
            Err(_) if statements.iter().any(Statement::fails_when_repeated) => {
                self.write_again(statements, deadline).await
            }
            Err(failure) => Err(self.explain(&failure, Mode::Write)),
        }
    }

    /// Repeats a write whose answer was lost, after a statement that looks for the proof that the first try took effect.
    async fn write_again(&self, mut statements: Vec<Statement>, deadline: Instant) -> Result<Vec<Rows>, DbError> {
        // Rows that the first try returned cannot be had again, so nothing is proven then.
        let returns_rows = statements.iter().any(|statement| statement.sql.contains("RETURNING"));
        let proof = if returns_rows { None } else { statements.iter().find_map(Statement::proof) };
        let (count, skipped) = (statements.len(), usize::from(proof.is_some()));
        statements.splice(..0, proof);
        match self.run(&statements, Mode::RepeatableWrite, deadline).await {
            Ok(answers) => Ok(answers.into_iter().skip(skipped).collect()),
            // The answers of the first try are lost. Those of inserts were one changed row each, and nobody counts what
            // else changed along with an insert.
            Err(Failure::Statement { first_found: true, .. }) if skipped == 1 => {
                Ok(std::iter::repeat_n(Rows { rows: Vec::new(), affected: 1 }, count).collect())
            }
            Err(failure) => Err(self.explain(&failure, Mode::RepeatableWrite)),
        }
    }

    /// Tries the whole unit again as long as that is harmless and there is hope and time.
    async fn run(&self, statements: &[Statement], mode: Mode, deadline: Instant) -> Result<Vec<Rows>, Failure> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let failure = match self.run_once(statements, mode, deadline).await {
                Ok(answers) => return Ok(answers),
                Err(failure) => failure,
            };
            let is_worth_a_try = match effect_of(&failure) {
                Effect::Refused => false,
                Effect::Postponed => true,
                Effect::Unknown => mode != Mode::Write,
            };
            if !is_worth_a_try || attempt == TRIES || Instant::now() + pause >= deadline {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
        unreachable!("the loop returns at the last try")
    }

    async fn run_once(&self, statements: &[Statement], mode: Mode, deadline: Instant) -> Result<Vec<Rows>, Failure> {
        let turn = tokio::time::timeout_at(deadline, self.requests.acquire()).await.ok().and_then(Result::ok);
        let too_long = || Failure::Unreachable("other requests of this process took too long".to_owned());
        let _turn = turn.ok_or_else(too_long)?;
        let answer = tokio::time::timeout_at(deadline, self.server.run(statements, mode != Mode::Read)).await;
        answer.unwrap_or_else(|_| Err(Failure::Lost("the server did not answer in time".to_owned())))
    }

    /// The error for the caller; a server that repeats the token does not make us repeat it.
    fn explain(&self, failure: &Failure, mode: Mode) -> DbError {
        let effect = effect_of(failure);
        let mut message = failure.to_string();
        if let Some(token) = self.token.as_ref().map(Secret::reveal).filter(|token| !token.is_empty()) {
            message = message.replace(token, "…");
        }
        // After a repeatable write an earlier try may have taken effect, whatever became of the last one.
        let is_open = mode == Mode::RepeatableWrite || (mode == Mode::Write && effect == Effect::Unknown);
        match (effect, failure) {
            (Effect::Refused, Failure::Refused { status, .. }) if matches!(status.as_u16(), 401 | 403) => {
                DbError::Other(format!("the database server refuses the access token: {message}"))
            }
            (Effect::Refused, _) => DbError::from_message(message),
            _ if is_open => DbError::Unavailable(format!("the write may have taken effect or not: {message}")),
            (Effect::Postponed | Effect::Unknown, _) => DbError::Unavailable(message),
        }
    }
}

/// What a failed try has done.
pub(super) fn effect_of(failure: &Failure) -> Effect {
    match failure {
        Failure::Unsendable(_) => Effect::Refused,
        Failure::Unreachable(_) => Effect::Postponed,
        Failure::Lost(_) => Effect::Unknown,
        Failure::Refused { status, .. } => match status.as_u16() {
            429 | 503 => Effect::Postponed,
            408 | 500.. => Effect::Unknown,
            _ => Effect::Refused,
        },
        Failure::Statement { code, .. } if code.starts_with("SQLITE_BUSY") => Effect::Postponed,
        Failure::Statement { message, .. } => match DbError::from_message(message.clone()) {
            DbError::Unavailable(_) => Effect::Postponed,
            _ => Effect::Refused,
        },
    }
}
