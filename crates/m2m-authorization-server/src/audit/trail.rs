//! Records on their way to the store: collected in memory, written in batches.
//!
//! Enforces: nothing waits for a record to be stored, unless the mode is `Durable`: then an answer
//! waits for the batch that holds its record. Requests that wait together are written together.
//! Limits: 100,000 records while the store is away. From then on refusals are left out first, because
//! anybody can be refused as often as he likes, then the oldest record for each new one; both are counted.
//! Of refusals at most 100 a second are kept at all, and at most 2,048 records are stored in one piece.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_io::Clock;
use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;
use tokio::sync::Notify;

use super::{Event, Record};
use crate::observe;
use crate::registry::CredentialId;
use crate::store::{Store, StoreError};

/// Records held while the store is away: about 40 MB.
const MAX_WAITING: usize = 100_000;
/// Records after which a batch is written without waiting for its time.
const BATCH: usize = 512;
/// Records stored in one piece: others want to write as well.
const LARGEST: usize = 2_048;
/// Refusals kept of one second: a sample is enough to see what goes on, and strangers make as many as they like.
const REFUSALS_PER_SECOND: u32 = 100;
/// How long a record waits for company.
const LINGER: Duration = Duration::from_millis(100);
/// How long to wait after the store refused a batch.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Whether an answer waits for its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditMode {
    /// Records are written behind the answer; a crash loses those of the last tenth of a second.
    #[default]
    Batched,
    /// A token is handed out after its record is stored, and not at all while it cannot be.
    Durable,
}

/// The last time that a credential was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: UnixTime,
    /// From where, as far as known.
    pub address: Option<IpAddr>,
}

/// What is written at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// Records, oldest first, each with its number: of this process, and never given twice, so that a batch
    /// whose fate is not known can be written again.
    pub records: Vec<(u64, Record)>,
    /// Credentials that were used to prove who a client is, for whatever.
    pub uses: HashMap<CredentialId, (ClientId, LastUse)>,
}

impl Batch {
    /// A batch of records that are numbered from `first` on.
    #[must_use]
    pub fn of(first: u64, records: impl IntoIterator<Item = Record>) -> Self {
        Self { records: (first..).zip(records).collect(), uses: HashMap::new() }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.uses.is_empty()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    records: VecDeque<(u64, Record)>,
    uses: HashMap<CredentialId, (ClientId, LastUse)>,
    /// The second of the last refusal, and how many it had.
    refusals: (u64, u32),
    /// Records ever appended.
    appended: u64,
    /// Records that are stored or given up.
    settled: u64,
    /// Why the last batch was refused, and how many records had been appended when it was tried.
    refused: Option<(u64, StoreError)>,
}

impl Waiting {
    /// Whether one more refusal of that second is kept.
    fn bears(&mut self, second: u64) -> bool {
        if self.refusals.0 != second {
            self.refusals = (second, 0);
        }
        self.refusals.1 = self.refusals.1.saturating_add(1);
        self.refusals.1 <= REFUSALS_PER_SECOND
    }

    fn push(&mut self, record: Record) {
        // Not lost but left out: the counter of refusals has it, and nobody shall be woken for a flood.
        if record.event == Event::RequestRefused && !self.bears(record.at.seconds()) {
            return;
        }
        let number = self.appended;
        self.appended += 1;
        if self.records.len() >= MAX_WAITING {
            self.settled += 1;
            observe::count(observe::AUDIT_LOST);
            if record.event == Event::RequestRefused {
                return;
            }
            self.records.pop_front();
        }
        self.records.push_back((number, record));
    }

    fn put_back(&mut self, batch: Batch) {
        for record in batch.records.into_iter().rev() {
            if self.records.len() >= MAX_WAITING {
                self.settled += 1;
                observe::count(observe::AUDIT_LOST);
            } else {
                self.records.push_front(record);
            }
        }
        for (credential, used) in batch.uses {
            self.uses.entry(credential).or_insert(used);
        }
    }
}

/// The collecting half of the audit.
#[derive(Debug)]
pub(crate) struct Trail {
    waiting: Mutex<Waiting>,
    full: Notify,
    /// One batch at a time, so that records reach the store in order.
    writing: tokio::sync::Mutex<()>,
    mode: AuditMode,
}

impl Trail {
    pub(crate) fn new(mode: AuditMode) -> Self {
        Self { waiting: Mutex::default(), full: Notify::new(), writing: tokio::sync::Mutex::default(), mode }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record; it is stored soon.
    pub(crate) fn append(&self, record: Record) {
        let mut waiting = self.lock();
        waiting.push(record);
        if waiting.records.len() == BATCH {
            self.full.notify_one();
        }
    }

    /// Adds a record, and in durable mode waits until it is stored.
    ///
    /// # Errors
    /// In durable mode, what the store says; the record may be stored later nevertheless.
    pub(crate) fn keep<'a>(
        &'a self,
        store: &'a dyn Store,
        record: Record,
    ) -> impl Future<Output = Result<(), StoreError>> + 'a {
        // Now, so that a record is moved once and not with every future that it is kept in.
        self.append(record);
        let stored = match self.mode {
            AuditMode::Batched => None,
            AuditMode::Durable => Some(Box::pin(self.flush(store))),
        };
        async {
            match stored {
                None => Ok(()),
                Some(stored) => stored.await,
            }
        }
    }

    /// Remembers that a credential was used.
    pub(crate) fn used(&self, credential: &CredentialId, client_id: &ClientId, last: LastUse) {
        let mut waiting = self.lock();
        // Only the first use in a batch allocates.
        match waiting.uses.get_mut(credential) {
            Some((_, known)) => *known = last,
            None => {
                waiting.uses.insert(credential.clone(), (client_id.clone(), last));
            }
        }
    }

    /// Stores everything that was appended before the call. Whoever comes while a batch is being
    /// written finds his record in the next one, together with all others that wait.
    ///
    /// # Errors
    /// What the store says; the records wait on.
    pub(crate) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let until = self.lock().appended;
        while !self.flush_piece(store, until).await? {}
        Ok(())
    }

    /// Stores one piece of what waits; `true` when everything up to `until` is settled.
    async fn flush_piece(&self, store: &dyn Store, until: u64) -> Result<bool, StoreError> {
        let free = self.writing.try_lock().ok();
        let waited = free.is_none();
        let _one_at_a_time = match free {
            Some(free) => free,
            None => self.writing.lock().await,
        };
        let (batch, appended) = {
            let mut waiting = self.lock();
            if waiting.settled >= until && waiting.uses.is_empty() {
                return Ok(true);
            }
            // One that was tried with ours in it, while we waited: the same attempt is not made again for each.
            if waited && let Some((_, error)) = waiting.refused.as_ref().filter(|(tried, _)| *tried >= until)
            {
                return Err(error.clone());
            }
            let piece = waiting.records.len().min(LARGEST);
            let records = waiting.records.drain(..piece).collect();
            (Batch { records, uses: std::mem::take(&mut waiting.uses) }, waiting.appended)
        };
        let mut taken = Taken { trail: self, batch };
        let count = taken.batch.records.len() as u64;
        let stored = store.append(&mut taken.batch).await;
        let mut waiting = self.lock();
        match stored {
            Ok(()) => {
                waiting.settled += count;
                waiting.refused = None;
                taken.batch = Batch::default();
                Ok(waiting.settled >= until || count == 0)
            }
            Err(error) => {
                waiting.refused = Some((appended, error.clone()));
                Err(error)
            }
        }
    }

    /// Writes batches for as long as it is polled.
    pub(crate) async fn write_on(&self, store: &dyn Store, clock: &dyn Clock) {
        loop {
            tokio::select! {
                () = self.full.notified() => {}
                () = clock.sleep(LINGER) => {}
            }
            let nothing = {
                let waiting = self.lock();
                waiting.records.is_empty() && waiting.uses.is_empty()
            };
            if nothing {
                continue;
            }
            if let Err(error) = self.flush(store).await {
                tracing::warn!(%error, "audit records cannot be stored; they wait");
                clock.sleep(BACK_OFF).await;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lock().records.len()
    }
}

/// A batch under way. Whatever is left in it waits again: the store refused it, or whoever wrote it was
/// cancelled halfway, because a client hung up.
struct Taken<'t> {
    trail: &'t Trail,
    batch: Batch,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.batch.is_empty() {
            self.trail.lock().put_back(std::mem::take(&mut self.batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::error::ErrorCode;

    use super::*;
    use crate::audit::Query;
    use crate::store::memory::MemoryStore;

    fn at(second: u64) -> UnixTime {
        UnixTime::from_seconds(second)
    }

    fn refusal(second: u64) -> Record {
        Record::refused(at(second), ErrorCode::InvalidClient, String::new())
    }

    fn revoked(second: u64) -> Record {
        Record::new(at(second), Event::TokenRevoked)
    }

    #[tokio::test]
    async fn what_was_appended_is_stored_by_the_next_flush() {
        let (trail, store) = (Trail::new(AuditMode::Batched), MemoryStore::default());
        trail.keep(&store, revoked(1)).await.unwrap();
        assert_eq!(trail.waiting(), 1, "nothing waits for the store");
        trail.flush(&store).await.unwrap();
        assert_eq!(trail.waiting(), 0);
        assert_eq!(store.audit(&Query::default()).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_durable_record_is_stored_when_it_was_kept() {
        let (trail, store) = (Trail::new(AuditMode::Durable), MemoryStore::default());
        trail.keep(&store, revoked(1)).await.unwrap();
        assert_eq!(store.audit(&Query::default()).await.unwrap().len(), 1);
    }

    #[test]
    fn refusals_give_way_to_decisions() {
        let mut waiting = Waiting::default();
        for second in 0..MAX_WAITING as u64 {
            waiting.push(revoked(second));
        }
        waiting.push(refusal(1));
        assert_eq!(waiting.records.back().map(|(_, record)| record.event), Some(Event::TokenRevoked));
        waiting.push(revoked(7));
        assert_eq!(waiting.records.len(), MAX_WAITING);
        assert_eq!(waiting.records.front().map(|(_, record)| record.at), Some(at(1)), "the oldest is gone");
        assert_eq!(waiting.appended - waiting.settled, MAX_WAITING as u64);
    }

    #[test]
    fn of_a_flood_of_refusals_a_sample_is_kept() {
        let mut waiting = Waiting::default();
        for second in [1, 2] {
            for _ in 0..REFUSALS_PER_SECOND * 3 {
                waiting.push(refusal(second));
            }
            waiting.push(revoked(second));
        }
        assert_eq!(waiting.records.len(), 2 * (REFUSALS_PER_SECOND as usize + 1));
        assert_eq!(waiting.appended, waiting.records.len() as u64, "nobody waits for one that is not kept");
    }

    #[tokio::test]
    async fn many_records_are_stored_in_pieces() {
        let (trail, store) = (Trail::new(AuditMode::Batched), MemoryStore::default());
        for second in 0..LARGEST as u64 + 7 {
            trail.append(revoked(second));
        }
        trail.flush_piece(&store, u64::MAX).await.unwrap();
        assert_eq!(trail.waiting(), 7);
        trail.flush(&store).await.unwrap();
        assert_eq!(trail.waiting(), 0);
    }

    #[test]
    fn a_refused_batch_waits_in_front() {
        let mut waiting = Waiting::default();
        waiting.push(revoked(3));
        waiting.put_back(Batch::of(0, [revoked(1), revoked(2)]));
        let seconds: Vec<u64> = waiting.records.iter().map(|(_, record)| record.at.seconds()).collect();
        assert_eq!(seconds, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_batch_whose_writer_was_cancelled_waits_again() {
        let (trail, store) = (Trail::new(AuditMode::Durable), MemoryStore::default());
        trail.append(revoked(1));
        let taken = {
            let mut waiting = trail.lock();
            let records = waiting.records.drain(..).collect();
            Taken { trail: &trail, batch: Batch { records, ..Batch::default() } }
        };
        assert_eq!(trail.waiting(), 0);
        drop(taken);
        assert_eq!(trail.waiting(), 1);
        trail.flush(&store).await.unwrap();
        assert_eq!(store.audit(&Query::default()).await.unwrap().len(), 1);
    }
}
