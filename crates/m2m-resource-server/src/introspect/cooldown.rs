//! Sparing a server that does not answer.
//!
//! Enforces: after a failure one question each cooldown, until one is answered; meanwhile everybody is told of the
//! failure at once. One line in the log each cooldown.
//! Does not enforce: anything about questions that were under way when the first one failed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Reason, Unavailable};

pub(super) const COOLDOWN: Duration = Duration::from_secs(5);

/// Times are of the monotonic clock.
#[derive(Debug)]
struct Failure {
    error: String,
    /// When the server was last given its turn.
    turn: Duration,
}

#[derive(Debug, Default)]
struct State {
    failure: Option<Failure>,
    logged: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Cooldown(Mutex<State>);

impl Cooldown {
    /// Takes a turn to ask.
    ///
    /// # Errors
    /// The last question failed with this, and it is too early for another one.
    pub(super) fn turn(&self, now: Duration) -> Result<(), Reason> {
        match self.state().failure.as_mut() {
            Some(failure) if now.saturating_sub(failure.turn) < COOLDOWN => {
                let rest = COOLDOWN.saturating_sub(now.saturating_sub(failure.turn));
                Err(Reason::Unavailable(Unavailable::after(rest, failure.error.clone())))
            }
            Some(failure) => {
                failure.turn = now;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The server answered.
    pub(super) fn answered(&self) {
        self.state().failure = None;
    }

    /// The server cannot be asked now.
    pub(super) fn failed(&self, error: &str, now: Duration) {
        self.unclear(error, now);
        self.state().failure = Some(Failure { error: error.to_owned(), turn: now });
    }

    /// There was no clear answer to this question; the next one may have one.
    pub(super) fn unclear(&self, error: &str, now: Duration) {
        let mut state = self.state();
        if state.logged.is_none_or(|logged| now.saturating_sub(logged) >= COOLDOWN) {
            tracing::warn!(%error, "cannot ask about tokens");
            state.logged = Some(now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
