//! A store in memory: shared by the clients of one process, gone with it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_io::{BoxFuture, Clock};
use tokio::sync::Mutex as AsyncMutex;

use super::{StoreLock, TokenStore};
use crate::cache::CacheKey;

/// More keys than this are not kept.
const MOST: usize = 10_000;

/// Sealed tokens in memory. A client keeps its tokens in memory anyway; this
/// is for several clients in one process, and for tests.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    slots: Mutex<HashMap<CacheKey, Slot>>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    sealed: Option<Vec<u8>>,
    lock: Arc<AsyncMutex<()>>,
}

impl MemoryStore {
    /// An empty store. The clock bounds the wait for locks.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, slots: Mutex::default() }
    }

    fn with<T>(&self, key: &CacheKey, act: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(key) {
            // Nobody's lock is lost: whoever holds one has a reference of its own.
            slots.retain(|_, slot| Arc::strong_count(&slot.lock) > 1);
        }
        act(slots.entry(*key).or_default())
    }
}

impl TokenStore for MemoryStore {
    fn load(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>> {
        let sealed = self.with(key, |slot| slot.sealed.clone());
        Box::pin(std::future::ready(Ok(sealed)))
    }

    fn save(&self, key: &CacheKey, sealed: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        self.with(key, |slot| slot.sealed = Some(sealed));
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<()>> {
        self.with(key, |slot| slot.sealed = None);
        Box::pin(std::future::ready(Ok(())))
    }

    fn lock(&self, key: &CacheKey, patience: Duration) -> BoxFuture<'_, io::Result<StoreLock>> {
        let lock = self.with(key, |slot| Arc::clone(&slot.lock));
        let timeout = self.clock.sleep(patience);
        Box::pin(async move {
            tokio::select! {
                biased;
                guard = lock.lock_owned() => Ok(StoreLock::new(guard)),
                () = timeout => Err(io::Error::new(io::ErrorKind::TimedOut, "another client holds the lock")),
            }
        })
    }
}
