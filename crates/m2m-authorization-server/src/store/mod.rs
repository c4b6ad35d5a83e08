//! Where registrations, replay memory and revocations live: verbs, each of them one transaction.
//!
//! There is no `exists` and no `put`: a caller cannot ask first and write later, so the race
//! between two requests with one assertion cannot be written.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod memory;

use std::fmt;
use std::sync::Arc;

use m2m_io::BoxFuture;
use m2m_proto::time::UnixTime;

use crate::registry::{Change, Conflict, Registry};
use crate::replay::ReplayKey;

/// Names one token: its `jti`, and until when remembering it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRef {
    /// The claim `jti`.
    pub jti: String,
    /// The claim `exp`: from then on nobody accepts the token anyway.
    pub expires_at: UnixTime,
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

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The change contradicts what is registered.
    #[error("refused by the registry")]
    Conflict(#[from] Conflict),
    /// The store cannot be reached, or cannot vouch for what it knows.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A bounded memory is full.
    #[error("the store is full: {0}")]
    Full(&'static str),
}

/// The memory of an authorization server. `conformance::run` is the test that each one must pass.
pub trait Store: Send + Sync + fmt::Debug {
    /// The registrations as of now, without waiting: a snapshot that the store keeps fresh.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the snapshot is too old to vouch for.
    fn registry(&self) -> Result<Arc<Registry>, StoreError>;

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
    fn status<'a>(&'a self, jti: &'a str) -> BoxFuture<'a, Result<TokenStatus, StoreError>>;
}
