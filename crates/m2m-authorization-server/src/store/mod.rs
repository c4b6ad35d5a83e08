//! Where registrations, replay memory, revocations and the audit live: verbs, each of them one
//! transaction.
//!
//! There is no `exists` and no `put`: a caller cannot ask first and write later, so the race
//! between two requests with one assertion cannot be written.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod expiring;
pub mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::BoxFuture;
use m2m_proto::client_id::ClientId;
use m2m_proto::time::{Skew, UnixTime};
use tokio::sync::watch;

use crate::audit::{Activity, Batch, Entry, LastUse, Query, Window};
use crate::registry::{Change, Conflict, CredentialId, Registry};
use crate::replay::ReplayKey;

/// Names one token: its `jti`, and until when remembering it matters ([`TokenRef::new`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRef {
    /// The claim `jti`.
    pub jti: String,
    /// From then on nobody accepts the token anyway: its claim `exp`, and the most that an API may allow for its clock.
    pub expires_at: UnixTime,
}

impl TokenRef {
    /// The token of this `jti` whose claim `exp` is given. It is remembered for [`Skew::MAX`] (5 min) longer: an API
    /// that reads the feed would else accept again what was withdrawn, for the skew that it allows after `exp`.
    #[must_use]
    pub fn new(jti: &str, exp: UnixTime) -> Self {
        Self { jti: jti.to_owned(), expires_at: exp.saturating_add(Skew::MAX.get()) }
    }
}

/// What became of the keys given to [`Store::consume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consumption {
    /// All of them were fresh and are recorded now.
    Recorded,
    /// The key at this position was known, or stood before it in the same call; none was recorded.
    Replayed(usize),
    /// The memory is full of unexpired keys; none was recorded, and nothing can be admitted.
    Full,
}

/// Whether a token was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenStatus {
    /// Not withdrawn by name.
    Standing,
    /// Withdrawn.
    Revoked,
}

/// What single-use identifiers a store remembers across a restart of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayScope {
    /// Those of the registrations that end with the process too, so nothing can be replayed.
    Process,
    /// Those that this process saw. What was made before it started may have been used.
    Node,
    /// Those that any node saw, ever.
    Shared,
}

/// When and from where credentials were used last; one that never was is not there.
pub type LastUses = HashMap<CredentialId, LastUse>;

/// What of the granted was used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The last use of each credential that was used.
    pub credentials: LastUses,
    /// Scopes that a token was issued with: identifier of the API and scope.
    pub scopes: BTreeSet<(String, String)>,
}

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The change contradicts what is registered.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The store cannot be reached, or cannot vouch for what it knows.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A bounded memory is full.
    #[error("the store is full: {0}")]
    Full(&'static str),
    /// What is stored was written by another version, or is damaged.
    #[error("the store cannot be read: {0}")]
    Unreadable(String),
    /// The store belongs to servers with another sealing key.
    #[error("the database was made under another sealing key")]
    OtherSealingKey,
}

/// The memory of an authorization server. `conformance::run` is the test that each one must pass.
pub trait Store: Send + Sync + fmt::Debug {
    /// The registrations as of now, without waiting: a snapshot that the store keeps fresh.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the snapshot is too old to issue tokens by.
    fn registry(&self) -> Result<Arc<Registry>, StoreError>;

    /// Whether the store may still say what stands: a node that is cut off must not call a token
    /// active that another node withdrew.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it last heard of the others too long ago.
    fn vouch(&self) -> Result<(), StoreError>;

    /// Turns with every new snapshot, whoever made the change.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Applies one administrative change, whole or not at all; the next [`Store::registry`] has it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the registry refuses it; the others when it was not recorded.
    fn change(&self, change: Change) -> BoxFuture<'_, Result<Arc<Registry>, StoreError>>;

    /// Records every key or none; answers [`Consumption::Replayed`] if any was present already,
    /// or twice among `keys`. A key is remembered until its own expiry.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; nothing may be admitted then.
    fn consume<'a>(
        &'a self,
        keys: &'a [ReplayKey],
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Consumption, StoreError>>;

    /// What [`Store::consume`] remembers across a restart.
    fn replay_scope(&self) -> ReplayScope;

    /// Withdraws a token by name. Repeating it, or naming a token that expired, is no error.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the memory of unexpired revoked tokens is full, and
    /// [`StoreError::Unavailable`]: the token is not withdrawn then, and the caller must say so.
    fn revoke<'a>(&'a self, token: &'a TokenRef, now: UnixTime) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Whether the token was withdrawn by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the answer would be stale; never a stale `Standing`.
    fn status(&self, jti: &str) -> Result<TokenStatus, StoreError>;

    /// The withdrawn tokens that have not expired at `now`, sorted by `jti`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the list would be stale.
    fn revoked(&self, now: UnixTime) -> Result<Vec<String>, StoreError>;

    /// Stores audit records and uses, in their order, all or none. What was stored may be taken out of
    /// the batch.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; the batch is as it was, and the caller keeps it.
    fn append<'a>(&'a self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Finds audit records, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn audit<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Counts what was issued and refused in a time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also when there is too much to count.
    fn activity<'a>(&'a self, window: &'a Window) -> BoxFuture<'a, Result<Activity, StoreError>>;

    /// What a client has used of what it may.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn usage<'a>(&'a self, client: &'a ClientId) -> BoxFuture<'a, Result<Usage, StoreError>>;

    /// The last use of each of these credentials that was used, whosever they are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn last_uses<'a>(
        &'a self,
        credentials: &'a [CredentialId],
    ) -> BoxFuture<'a, Result<LastUses, StoreError>>;

    /// Remembers the fingerprint of the sealing key at the first call, and compares it afterwards.
    ///
    /// # Errors
    /// [`StoreError::OtherSealingKey`] when the store was made under another one.
    fn claim<'a>(&'a self, fingerprint: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The work besides requests (following other nodes, forgetting what is old), for as long as it
    /// is polled.
    fn work(&self) -> BoxFuture<'_, ()>;

    /// How soon every node knows of a change that one node acknowledged.
    fn propagation(&self) -> Duration;

    /// How long a node that is cut off may go on saying what stands.
    fn max_staleness(&self) -> Duration;

    /// SQL statements sent so far; 0 where there is no database.
    fn statements(&self) -> u64 {
        0
    }
}
