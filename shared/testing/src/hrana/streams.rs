//! Streams and their batons: one database connection for each conversation.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use libsql::{Builder, Connection, Database};

use super::answer::Refusal;

/// sqld allows so many open streams; the next one gets 429.
const MAX_STREAMS: usize = 128;
/// sqld forgets a stream after so long without a request.
const MAX_IDLE: Duration = Duration::from_secs(10);
/// How long a writer waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const PRAGMAS: [&str; 3] = ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = ON"];

/// Numbers streams over all servers of the process, so that no baton fits two of them.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A connection with what a conversation leaves behind.
pub(super) struct Stream {
    pub(super) connection: Connection,
    /// SQL texts that requests refer to by number.
    pub(super) texts: HashMap<i32, String>,
    id: u64,
    /// Numbers the requests: a baton is good for one.
    turn: u64,
    _database: Database,
}

impl Stream {
    async fn open(path: &Path) -> libsql::Result<Self> {
        let database = Builder::new_local(path).build().await?;
        let connection = database.connect()?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        for pragma in PRAGMAS {
            connection.query(pragma, ()).await?.next().await?;
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { connection, texts: HashMap::new(), id, turn: 0, _database: database })
    }
}

/// The streams of a server between their requests.
#[derive(Default)]
pub(super) struct Streams {
    waiting: HashMap<u64, (Stream, Instant)>,
    busy: HashSet<u64>,
    expired: HashSet<u64>,
}

impl Streams {
    /// Takes the stream of a baton out for one request; `None` is a stream that is still to be opened.
    pub(super) fn take(&mut self, baton: Option<&str>) -> Result<Option<Stream>, Refusal> {
        self.expire_after(MAX_IDLE);
        let Some(baton) = baton else {
            let is_full = self.waiting.len() + self.busy.len() >= MAX_STREAMS;
            return if is_full { Err(Refusal::too_many("streams")) } else { Ok(None) };
        };
        let invalid = || Refusal::protocol("Received an invalid baton");
        let (id, turn) = baton.split_once('-').ok_or_else(invalid)?;
        let (id, turn): (u64, u64) = (id.parse().map_err(|_| invalid())?, turn.parse().map_err(|_| invalid())?);
        if self.expired.contains(&id) {
            return Err(Refusal::stream_expired());
        }
        let is_current = self.waiting.get(&id).is_some_and(|(stream, _)| stream.turn == turn);
        if !is_current && (self.busy.contains(&id) || self.waiting.contains_key(&id)) {
            return Err(Refusal::protocol("Received a baton that has already been used"));
        }
        let (stream, _) = self.waiting.remove(&id).ok_or_else(invalid)?;
        self.busy.insert(id);
        Ok(Some(stream))
    }

    /// Puts a stream back after a request and makes the baton for its next one.
    pub(super) fn give_back(&mut self, mut stream: Stream) -> String {
        stream.turn += 1;
        let baton = format!("{}-{}", stream.id, stream.turn);
        self.busy.remove(&stream.id);
        self.waiting.insert(stream.id, (stream, Instant::now()));
        baton
    }

    /// Forgets a stream that was closed during its request.
    pub(super) fn close(&mut self, stream: &Stream) {
        self.busy.remove(&stream.id);
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn expire_all(&mut self) {
        self.expire_after(Duration::ZERO);
    }

    fn expire_after(&mut self, idle: Duration) {
        let expired: Vec<u64> =
            self.waiting.iter().filter(|(_, (_, since))| since.elapsed() >= idle).map(|(id, _)| *id).collect();
        for id in expired {
            self.waiting.remove(&id);
            self.expired.insert(id);
        }
    }
}

/// Opens a stream; it counts as busy until it is given back or closed.
pub(super) async fn open(streams: &std::sync::Mutex<Streams>, path: &Path) -> Result<Stream, Refusal> {
    let stream = Stream::open(path).await.map_err(Refusal::internal)?;
    super::lock(streams).busy.insert(stream.id);
    Ok(stream)
}
