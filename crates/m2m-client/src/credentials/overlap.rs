//! Two secrets during rotation: the current one and the next.
//!
//! On `invalid_client` the other one is tried, once; if the server accepts it,
//! it is promoted: used first from then on, and said aloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use m2m_proto::client_auth::ClientSecret;

use super::secret::SecretSource;
use crate::error::Error;

/// Which of the two secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// `client_secret`.
    Current,
    /// `next_client_secret`.
    Next,
}

impl Which {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Current => Self::Next,
            Self::Next => Self::Current,
        }
    }
}

/// No promotion has happened.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Overlap {
    current: Arc<dyn SecretSource>,
    next: Option<Arc<dyn SecretSource>>,
    /// The version of the current source at the promotion: once that source
    /// changes, it is believed again.
    promoted_at: AtomicU64,
}

impl Overlap {
    pub(crate) fn new(current: Arc<dyn SecretSource>, next: Option<Arc<dyn SecretSource>>) -> Self {
        Self { current, next, promoted_at: AtomicU64::new(NONE) }
    }

    /// The one to use first.
    pub(crate) fn first(&self) -> Which {
        let promoted_at = self.promoted_at.load(Ordering::Acquire);
        if promoted_at != NONE && promoted_at == self.current.version() && self.next.is_some() {
            Which::Next
        } else {
            Which::Current
        }
    }

    /// The secret; `None` if there is no such source.
    pub(crate) async fn read(&self, which: Which) -> Option<Result<ClientSecret, Error>> {
        let source = match which {
            Which::Current => &self.current,
            Which::Next => self.next.as_ref()?,
        };
        let read = source.read().await;
        Some(read.and_then(|secret| {
            ClientSecret::parse(secret.expose()).map_err(|error| Error::secret_unavailable(error.to_string()))
        }))
    }

    /// The server accepted `which` after it had refused the other one.
    pub(crate) fn promote(&self, which: Which) {
        let mark = match which {
            Which::Current => NONE,
            Which::Next => self.current.version(),
        };
        self.promoted_at.store(mark, Ordering::Release);
    }

    pub(crate) fn version(&self) -> u64 {
        let next = self.next.as_ref().map_or(0, |next| next.version());
        self.current.version().wrapping_shl(32) ^ next
    }

    pub(crate) async fn look(&self) {
        self.current.look().await;
        if let Some(next) = &self.next {
            next.look().await;
        }
    }
}
