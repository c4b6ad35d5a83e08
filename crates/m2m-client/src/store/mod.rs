//! Tokens beyond one process: [`TokenStore`], and the sealing around it.
//!
//! A store keeps opaque bytes. What they hold is sealed before it gets there,
//! under a key derived from the client's own credential: who can read the store
//! cannot read the tokens, and a rotated credential starts cold. A store that
//! fails costs a token request, never a token.

mod file;
mod memory;
mod sealed;

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, Clock, Now, Random};

pub use file::EncryptedFileStore;
pub use memory::MemoryStore;
pub(crate) use sealed::Sealing;

use crate::cache::{CacheKey, Job, Plan, age};
use crate::exchange::Exchange;
use crate::observe;
use crate::token::Token;

/// Keeps sealed tokens for several processes.
pub trait TokenStore: Send + Sync + fmt::Debug {
    /// What is kept under `key`, if anything.
    ///
    /// # Errors
    /// As the store says; the client goes on without it.
    fn load(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>>;

    /// Keeps `sealed` under `key`, in place of what was there. Readers see the
    /// one or the other, never a mixture.
    ///
    /// # Errors
    /// As the store says.
    fn save(&self, key: &CacheKey, sealed: Vec<u8>) -> BoxFuture<'_, io::Result<()>>;

    /// Forgets `key`; that it is not there is success.
    ///
    /// # Errors
    /// As the store says.
    fn remove(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<()>>;

    /// The right to ask for this token while all others wait, released by
    /// dropping the guard. A process that dies releases it too.
    ///
    /// # Errors
    /// `TimedOut` when `patience` ran out; else as the store says.
    fn lock(&self, key: &CacheKey, patience: Duration) -> BoxFuture<'_, io::Result<StoreLock>>;
}

/// A lock that is released when it is dropped.
pub struct StoreLock(#[expect(dead_code, reason = "held for its drop")] Box<dyn Any + Send>);

impl StoreLock {
    /// Holds `guard` until dropped.
    #[must_use]
    pub fn new<T: Send + 'static>(guard: T) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreLock")
    }
}

/// A token out of the store.
pub(crate) struct Stored {
    pub(crate) token: Token,
}

impl Stored {
    /// Whether it serves without renewal, by the times of this slot.
    pub(crate) fn is_fresh(&self, job: &Job, now: Now) -> bool {
        age(self.token.obtained(), now) < Plan::new(self.token.life(), &job.timing).due
    }

    /// Whether it serves at all.
    pub(crate) fn is_usable(&self, job: &Job, now: Now) -> bool {
        age(self.token.obtained(), now) < Plan::new(self.token.life(), &job.timing).stop
    }
}

/// A store and what it takes to use it. Failures are logged, not returned.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    store: Arc<dyn TokenStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// How long one operation of the store may take.
    patience: Duration,
    label: String,
}

impl Vault {
    pub(crate) fn new(
        store: Arc<dyn TokenStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        patience: Duration,
        label: String,
    ) -> Self {
        Self { store, clock, random, patience, label }
    }

    /// The key that seals this client's tokens; `None` where they must not be
    /// stored, or where the credential gives no lasting key.
    pub(crate) async fn sealing(&self, exchange: &Exchange) -> Option<Sealing> {
        if exchange.dpop.as_ref().is_some_and(|dpop| !dpop.is_storable()) {
            return None;
        }
        Sealing::derive(&exchange.sealing_material().await?)
    }

    /// Removes what is kept under `key`, and returns it if it can be opened.
    pub(crate) async fn take(&self, key: &CacheKey, exchange: &Exchange) -> Option<Token> {
        let sealed = self.within(self.patience, self.store.load(key)).await.ok().flatten();
        self.remove(key).await;
        let sealing = self.sealing(exchange).await?;
        sealing.open(key, &sealed?, self.clock.now())
    }

    /// Removes what is kept under `key` if it is the token of this digest.
    pub(crate) async fn forget(&self, key: &CacheKey, digest: &[u8; 32], exchange: &Exchange) {
        let sealed = self.within(self.patience, self.store.load(key)).await.ok().flatten();
        let (Some(sealing), Some(sealed)) = (self.sealing(exchange).await, sealed) else { return };
        let kept = sealing.open(key, &sealed, self.clock.now());
        if kept.is_some_and(|token| token.digest() == digest) {
            self.remove(key).await;
        }
    }

    /// A stored token; `None` if there is none, if it cannot be opened, or if
    /// it is the one that an API has just rejected.
    pub(crate) async fn load(&self, sealing: &Sealing, job: &Job) -> Option<Stored> {
        let sealed = match self.within(self.patience, self.store.load(&job.key)).await {
            Ok(sealed) => sealed,
            Err(error) => {
                observe::store_load(&self.label, "failed");
                self.complain("read", &error);
                return None;
            }
        };
        let token = sealed.and_then(|sealed| sealing.open(&job.key, &sealed, self.clock.now()));
        let token = token.filter(|token| job.avoid.as_ref() != Some(token.digest()));
        observe::store_load(&self.label, if token.is_some() { "hit" } else { "miss" });
        token.map(|token| Stored { token })
    }

    pub(crate) async fn save(&self, sealing: &Sealing, job: &Job, token: &Token) {
        let mut nonce = [0; 12];
        self.random.fill(&mut nonce);
        let Some(sealed) = sealing.seal(&job.key, nonce, token) else { return };
        if let Err(error) = self.within(self.patience, self.store.save(&job.key, sealed)).await {
            self.complain("written", &error);
        }
    }

    async fn remove(&self, key: &CacheKey) {
        if let Err(error) = self.within(self.patience, self.store.remove(key)).await {
            self.complain("written", &error);
        }
    }

    /// Our turn to ask. Without it we ask all the same: another process that
    /// hangs must not keep us from working.
    pub(crate) async fn lock(&self, key: &CacheKey, patience: Duration) -> Option<StoreLock> {
        match self.within(patience, self.store.lock(key, patience)).await {
            Ok(lock) => Some(lock),
            Err(error) => {
                self.complain("locked", &error);
                None
            }
        }
    }

    /// A store that hangs counts as one that fails.
    async fn within<T>(&self, patience: Duration, work: BoxFuture<'_, io::Result<T>>) -> io::Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(patience) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn complain(&self, what: &str, error: &io::Error) {
        tracing::warn!(client = %self.label, %error, "the token store cannot be {what}; going on without it");
    }
}
