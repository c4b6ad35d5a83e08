//! The replay memory that all nodes share: a table, written by all requests that wait together in one
//! statement.
//!
//! Enforces: of two requests with one key, at one node or at two, one is admitted; a request whose keys
//! are not all fresh leaves none behind.
//! Limits: 256 keys a statement. Rows leave in the background after their expiry.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use m2m_proto::jose::base64url;
use m2m_proto::time::UnixTime;
use sqlx::Row as _;
use tokio::sync::oneshot;

use super::database::{Database, unavailable};
use super::stored;
use crate::replay::ReplayKey;
use crate::store::{Consumption, StoreError};

/// Keys in one statement.
const MAX_KEYS: usize = 256;

type Answer = Result<Consumption, StoreError>;

/// One request that waits for its keys.
#[derive(Debug)]
struct Waiting {
    /// Digest and expiry, in the order of the request.
    keys: Vec<(String, i64)>,
    answer: oneshot::Sender<Answer>,
}

/// Requests that wait, and the right to write.
#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Vec<Waiting>>,
    writing: tokio::sync::Mutex<()>,
}

impl Shared {
    /// As [`Store::consume`](crate::store::Store::consume).
    pub(super) async fn consume(&self, database: &Database, keys: &[ReplayKey], now: UnixTime) -> Answer {
        let mut own = HashSet::with_capacity(keys.len());
        if let Some(position) = keys.iter().position(|key| !own.insert(key.digest())) {
            return Ok(Consumption::Replayed(position));
        }
        if keys.is_empty() {
            return Ok(Consumption::Recorded);
        }
        let (answer, mut answered) = oneshot::channel();
        let keys =
            keys.iter().map(|key| (base64url::encode(key.digest()), stored(key.expires_at()))).collect();
        self.lock().push(Waiting { keys, answer });
        loop {
            let _one_at_a_time = self.writing.lock().await;
            match answered.try_recv() {
                Ok(answer) => return answer,
                // Whoever wrote it was cancelled halfway: nothing is known of these keys.
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(StoreError::Unavailable("the write was given up".to_owned()));
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            let batch = self.take();
            write(database, batch, now).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests, as many as fit and none of them with a key of another; the rest waits on.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = self.lock();
        let (mut batch, mut rest) = (Vec::new(), Vec::new());
        let mut seen: HashSet<String> = HashSet::new();
        for waiting in queue.drain(..) {
            let fits = seen.len() + waiting.keys.len() <= MAX_KEYS;
            let apart = waiting.keys.iter().all(|(digest, _)| !seen.contains(digest));
            if fits && apart {
                seen.extend(waiting.keys.iter().map(|(digest, _)| digest.clone()));
                batch.push(waiting);
            } else {
                rest.push(waiting);
            }
        }
        *queue = rest;
        batch
    }
}

async fn write(database: &Database, batch: Vec<Waiting>, now: UnixTime) {
    match insert(database, &batch, now).await {
        Ok(fresh) => {
            for waiting in batch {
                let known = waiting.keys.iter().position(|(digest, _)| !fresh.contains(digest));
                let answer = known.map_or(Consumption::Recorded, Consumption::Replayed);
                // Nobody waits any more when the client hung up.
                let _gone = waiting.answer.send(Ok(answer));
            }
        }
        Err(error) => {
            for waiting in batch {
                let _gone = waiting.answer.send(Err(error.clone()));
            }
        }
    }
}

/// Inserts all keys in one transaction, takes back those of requests that are replays, and answers
/// which digests were fresh.
async fn insert(
    database: &Database,
    batch: &[Waiting],
    now: UnixTime,
) -> Result<HashSet<String>, StoreError> {
    // In one order everywhere, so that two nodes wait for each other and never both.
    let mut keys: Vec<&(String, i64)> = batch.iter().flat_map(|waiting| &waiting.keys).collect();
    keys.sort();
    let values: Vec<String> =
        (0..keys.len()).map(|at| format!("(${}, ${})", 2 * at + 2, 2 * at + 3)).collect();
    let sql = format!(
        "INSERT INTO m2m_replay (digest, expires_at) VALUES {} ON CONFLICT (digest) \
         DO UPDATE SET expires_at = excluded.expires_at WHERE m2m_replay.expires_at <= $1 RETURNING digest",
        values.join(", ")
    );
    let mut statement = database.composed(sql).bind(stored(now));
    for (digest, expires_at) in keys {
        statement = statement.bind(digest.clone()).bind(*expires_at);
    }
    let mut open = database.begin().await?;
    let rows = statement.fetch_all(&mut *open).await.map_err(unavailable)?;
    let fresh =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>().map_err(unavailable)?;
    let replayed = |waiting: &&Waiting| !waiting.keys.iter().all(|(digest, _)| fresh.contains(digest));
    let keys_of_replays = batch.iter().filter(replayed).flat_map(|waiting| &waiting.keys);
    for (digest, _) in keys_of_replays.filter(|(digest, _)| fresh.contains(digest)) {
        let take_back = database.statement("DELETE FROM m2m_replay WHERE digest = $1").bind(digest.clone());
        take_back.execute(&mut *open).await.map_err(unavailable)?;
    }
    open.commit().await.map_err(unavailable)?;
    Ok(fresh)
}
