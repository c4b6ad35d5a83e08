//! Answers that are used again for a while.
//!
//! Enforces: found by the whole SHA-256 of the token; not used for longer than was set, counted from when the question
//! was asked.
//! Does not enforce: that the token has not expired meanwhile, which is checked on every use.
//! Limits: 10,000 active answers and 10,000 others. Those that say "not active" have a memory of their own, so that
//! made-up tokens push no real one out. In two generations: the older one goes when the younger one is full or old.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Told;

pub(super) const MAX_ANSWERS: usize = 10_000;

/// The SHA-256 of a token.
pub(super) type Key = [u8; 32];

#[derive(Default)]
struct Kept {
    began: Duration,
    current: HashMap<Key, (Duration, Arc<Told>)>,
    previous: HashMap<Key, (Duration, Arc<Told>)>,
}

impl Kept {
    fn get(&self, key: &Key) -> Option<&(Duration, Arc<Told>)> {
        self.current.get(key).or_else(|| self.previous.get(key))
    }
}

/// `Debug` shows none of them.
pub(super) struct Answers {
    max_age: Duration,
    active: Mutex<Kept>,
    inactive: Mutex<Kept>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

impl Answers {
    pub(super) fn new(max_age: Duration) -> Self {
        Self { max_age, active: Mutex::default(), inactive: Mutex::default() }
    }

    /// Times are of the monotonic clock.
    pub(super) fn get(&self, key: &Key, now: Duration) -> Option<Arc<Told>> {
        if self.max_age.is_zero() {
            return None;
        }
        [&self.active, &self.inactive].into_iter().find_map(|kept| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let (asked, told) = kept.get(key)?;
            (now.saturating_sub(*asked) < self.max_age).then(|| Arc::clone(told))
        })
    }

    pub(super) fn keep(&self, key: Key, told: &Arc<Told>, asked: Duration) {
        if self.max_age.is_zero() {
            return;
        }
        let (kept, other) = match told.answer.is_active() {
            true => (&self.active, &self.inactive),
            false => (&self.inactive, &self.active),
        };
        let mut other = other.lock().unwrap_or_else(PoisonError::into_inner);
        other.current.remove(&key);
        other.previous.remove(&key);
        drop(other);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let old = asked.saturating_sub(kept.began) >= self.max_age;
        if old || kept.current.len() >= MAX_ANSWERS / 2 {
            kept.previous = std::mem::take(&mut kept.current);
            kept.began = asked;
        }
        kept.current.insert(key, (asked, Arc::clone(told)));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> [usize; 2] {
        [&self.active, &self.inactive].map(|kept| {
            let kept = kept.lock().unwrap();
            kept.current.len() + kept.previous.len()
        })
    }
}
