//! What happened, in order: a hash over all of it, and the last events for people.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use m2m_io::Clock as _;

use crate::ManualClock;

/// Events kept for a report.
const TAIL: usize = 60;

#[derive(Debug)]
struct Written {
    hash: u64,
    events: u64,
    tail: VecDeque<String>,
}

/// The events of one run.
#[derive(Debug)]
pub(super) struct Journal {
    time: ManualClock,
    written: Mutex<Written>,
}

impl Journal {
    pub(super) fn new(time: &ManualClock) -> Self {
        let written = Written { hash: 0xcbf2_9ce4_8422_2325, events: 0, tail: VecDeque::with_capacity(TAIL) };
        Self { time: time.clone(), written: Mutex::new(written) }
    }

    /// Writes one event down. It must not name what is random in spite of the seed: signatures, new keys.
    pub(super) fn write(&self, who: &str, what: &str) {
        let since = self.time.wall().since(ManualClock::START);
        let line = format!("{:>10.3} {who}: {what}", since.as_secs_f64());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.hash = line
            .bytes()
            .fold(written.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        written.events += 1;
        if written.tail.len() == TAIL {
            written.tail.pop_front();
        }
        written.tail.push_back(line);
    }

    /// The hash over all events, how many there were, and the last ones.
    pub(super) fn close(&self) -> (u64, u64, Vec<String>) {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        (written.hash, written.events, written.tail.iter().cloned().collect())
    }
}
