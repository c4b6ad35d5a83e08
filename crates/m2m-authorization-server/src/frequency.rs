//! Which clients evidently do not cache their tokens: a warning, nothing is refused.
//!
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

/// Counts tokens per client and minute.
#[derive(Debug, Default)]
pub(crate) struct Frequency(Mutex<Window>);

impl Frequency {
    /// Counts one token; true once per client and window, at the hundredth. `now` is monotonic.
    pub(crate) fn is_suspicious(&self, client: &ClientId, now: Duration) -> bool {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(window.began) >= WINDOW {
            window.began = now;
            window.tokens.clear();
        }
        // Only the first token of a client in a window allocates.
        match window.tokens.get_mut(client) {
            Some(count) => {
                *count = count.saturating_add(1);
                *count == TOO_MANY
            }
            None => {
                window.tokens.insert(client.clone(), 1);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::client_id;

    #[test]
    fn warns_once_a_minute() {
        let (frequency, app) = (Frequency::default(), client_id("app"));
        let warnings = |second: u64, tokens: u32| {
            let now = Duration::from_secs(second);
            (0..tokens).filter(|_| frequency.is_suspicious(&app, now)).count()
        };
        assert_eq!(warnings(100, 99), 0);
        assert_eq!(warnings(101, 50), 1);
        assert_eq!(warnings(200, 99), 0, "another window");
    }
}
