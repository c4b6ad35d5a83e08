//! The replay memory that all nodes share: a table, written by all requests that wait together in one
//! statement.
//!
//! Enforces: of two requests with one key, at one node or at two, one is admitted; a request whose keys
//! are not all fresh leaves none behind.
//! Limits: about 256 keys a statement. Rows leave in the background after their expiry. PostgreSQL only.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use m2m_io::task::spawn_detached;
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
    pub(super) async fn consume(
        &self,
        database: &Arc<Database>,
        keys: &[ReplayKey],
        now: UnixTime,
    ) -> Answer {
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
            let _one_at_a_time = tokio::select! {
                // An answer does not queue for the right to write.
                biased;
                answer = &mut answered => return answer.unwrap_or_else(|_| Err(given_up())),
                writing = self.writing.lock() => writing,
            };
            let batch = self.take();
            if batch.is_empty() {
                // Ours is being written, by somebody who began it and hung up.
                return answered.await.unwrap_or_else(|_| Err(given_up()));
            }
            // Whoever waits may hang up; what he writes for others goes on.
            let database = Arc::clone(database);
            spawn_detached("replay memory", async move { write(&database, batch, now).await }).join().await;
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
            let fits = batch.is_empty() || seen.len() + waiting.keys.len() <= MAX_KEYS;
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

/// Writing it panicked: nothing is known of these keys.
fn given_up() -> StoreError {
    StoreError::Unavailable("the write was given up".to_owned())
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
    let keys = || batch.iter().flat_map(|waiting| &waiting.keys);
    let digests: Vec<&str> = keys().map(|(digest, _)| digest.as_str()).collect();
    let expiries: Vec<String> = keys().map(|(_, expires_at)| expires_at.to_string()).collect();
    let statement = database.statement(INSERT).bind(stored(now));
    let statement = statement.bind(digests.join(",")).bind(expiries.join(","));
    let mut open = database.begin().await?;
    let rows = database.all_in(&mut open, statement).await?;
    let fresh =
        rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<String>, _>>().map_err(unavailable)?;
    let replayed = |waiting: &&Waiting| !waiting.keys.iter().all(|(digest, _)| fresh.contains(digest));
    let keys_of_replays = batch.iter().filter(replayed).flat_map(|waiting| &waiting.keys);
    let taken_back: Vec<&str> =
        keys_of_replays.map(|(digest, _)| digest.as_str()).filter(|digest| fresh.contains(*digest)).collect();
    if !taken_back.is_empty() {
        let take_back = database.statement(TAKE_BACK).bind(taken_back.join(","));
        database.run_in(&mut open, take_back).await?;
    }
    database.commit(open).await?;
    Ok(fresh)
}

/// One text whatever the number of keys, so that each connection prepares it once. In one order everywhere, so
/// that two nodes wait for each other and never both.
const INSERT: &str = "INSERT INTO m2m_replay (digest, expires_at) \
     SELECT digest, CAST(expires_at AS BIGINT) \
     FROM unnest(string_to_array($2, ','), string_to_array($3, ',')) AS fresh (digest, expires_at) \
     ORDER BY digest COLLATE \"C\" \
     ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at WHERE m2m_replay.expires_at <= $1 \
     RETURNING digest";
const TAKE_BACK: &str = "DELETE FROM m2m_replay WHERE digest = ANY(string_to_array($1, ','))";
