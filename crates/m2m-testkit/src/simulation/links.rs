//! How well parties reach each other at the moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How a way behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// A few milliseconds.
    #[default]
    Good,
    /// Seconds, out of order, now and then twice.
    Slow,
    /// A part is lost, on the way there or back.
    Lossy,
    /// Nothing gets through.
    Cut,
}

/// A question that went out on a bad way has its answer, or none, after so long.
const UNDER_WAY: Duration = Duration::from_secs(2);

/// The ways that are not as they should be, by their two ends.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ways: BTreeMap<(String, String), Way>,
    /// Since when each way that was bad is good again.
    good_since: BTreeMap<(String, String), Duration>,
}

impl Links {
    pub(super) fn way(&self, from: &str, to: &str) -> Way {
        self.known().ways.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or_default()
    }

    pub(super) fn set(&self, from: &str, to: &str, way: Way, now: Duration) {
        let ends = (from.to_owned(), to.to_owned());
        let mut known = self.known();
        if way == Way::Good {
            if known.ways.remove(&ends).is_some() {
                known.good_since.insert(ends, now);
            }
        } else {
            known.ways.insert(ends, way);
        }
    }

    /// Since when this way is good without a break, and free of what was under way before; `None` while it is not.
    pub(super) fn good_since(&self, from: &str, to: &str) -> Option<Duration> {
        let ends = (from.to_owned(), to.to_owned());
        let known = self.known();
        match known.ways.contains_key(&ends) {
            true => None,
            false => Some(known.good_since.get(&ends).map_or(Duration::ZERO, |since| *since + UNDER_WAY)),
        }
    }

    /// Everything is good from `now` on.
    pub(super) fn mend(&self, now: Duration) {
        let mut known = self.known();
        for ends in std::mem::take(&mut known.ways).into_keys() {
            known.good_since.insert(ends, now);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
