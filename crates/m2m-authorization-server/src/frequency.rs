//! How many tokens each client gets, or revokes, per minute: its quota, and whether it evidently does not cache.
//!
//! Enforces: a client with a quota gets no more tokens than that in one minute from this node.
//! Does not enforce: anything across nodes; with `n` nodes a client may get `n` quotas.
//! Limits: one counter per client that got a token in the current minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::client_id::ClientId;

/// Tokens in one window from which on a client is warned about.
const TOO_MANY: u32 = 100;
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Window {
    began: Duration,
    tokens: HashMap<ClientId, u32>,
}

/// A token counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// One of many that are nothing special.
    Ordinary,
    /// The hundredth in this minute: told once per client and minute.
    Suspicious,
}

/// The quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverQuota {
    /// When the next minute begins; at least 1 s.
    pub(crate) retry_after: Duration,
}

/// Counts tokens per client and minute.
#[derive(Debug, Default)]
pub(crate) struct Frequency(Mutex<Window>);

impl Frequency {
    /// Counts one token, unless the client used up its quota. `now` is monotonic.
    ///
    /// # Errors
    /// [`OverQuota`]; nothing was counted then.
    pub(crate) fn count(
        &self,
        client: &ClientId,
        quota: Option<u32>,
        now: Duration,
    ) -> Result<Counted, OverQuota> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.began) >= WINDOW {
            window.began = now;
            window.tokens.clear();
        }
        let rest = WINDOW.saturating_sub(now.saturating_sub(window.began));
        // Only the first token of a client in a window allocates.
        let count = match window.tokens.get_mut(client) {
            Some(count) => count,
            None => window.tokens.entry(client.clone()).or_insert(0),
        };
        if quota.is_some_and(|quota| *count >= quota) {
            return Err(OverQuota { retry_after: rest.max(Duration::from_secs(1)) });
        }
        *count = count.saturating_add(1);
        Ok(if *count == TOO_MANY { Counted::Suspicious } else { Counted::Ordinary })
    }

    /// Takes back what was counted for a token that was not made after all.
    pub(crate) fn give_back(&self, client: &ClientId, now: Duration) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.began) < WINDOW
            && let Some(count) = window.tokens.get_mut(client)
        {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::client_id;

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn warns_once_a_minute() {
        let (frequency, app) = (Frequency::default(), client_id("app"));
        let warnings = |second: u64, tokens: u32| {
            let count = |_: &u32| frequency.count(&app, None, at(second)) == Ok(Counted::Suspicious);
            (0..tokens).filter(count).count()
        };
        assert_eq!(warnings(100, 99), 0);
        assert_eq!(warnings(101, 50), 1);
        assert_eq!(warnings(200, 99), 0, "another window");
    }

    #[test]
    fn a_quota_ends_with_its_minute() {
        let (frequency, app) = (Frequency::default(), client_id("app"));
        let count = |client: &ClientId, second: u64| frequency.count(client, Some(2), at(second));
        assert_eq!(count(&app, 100), Ok(Counted::Ordinary));
        assert_eq!(count(&app, 110), Ok(Counted::Ordinary));
        assert_eq!(count(&app, 120), Err(OverQuota { retry_after: at(40) }));
        assert_eq!(count(&client_id("other"), 120), Ok(Counted::Ordinary), "another client");
        assert_eq!(count(&app, 160), Ok(Counted::Ordinary), "the next minute");
    }
}
