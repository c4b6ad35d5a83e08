//! The clock of one party: the time of the simulation, as far off as that party's clock is.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use m2m_io::{BoxFuture, Clock};
use m2m_proto::time::UnixTime;

use crate::ManualClock;

/// A wall clock that is early or late, over the time that passes for all.
#[derive(Debug)]
pub(super) struct PartyClock {
    time: ManualClock,
    early: Duration,
    late: Duration,
    /// The defect of a clock that stands still from then on.
    stopped: Mutex<Option<(UnixTime, Duration)>>,
}

impl PartyClock {
    /// A clock that is `millis` ahead of the time, or behind it.
    pub(super) fn new(time: &ManualClock, millis: i64) -> Self {
        let off = Duration::from_millis(millis.unsigned_abs());
        let (early, late) = if millis < 0 { (off, Duration::ZERO) } else { (Duration::ZERO, off) };
        Self { time: time.clone(), early, late, stopped: Mutex::default() }
    }

    /// From now on it stands still.
    pub(super) fn stop(&self) {
        let now = (self.wall(), self.monotonic());
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn stopped(&self) -> Option<(UnixTime, Duration)> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for PartyClock {
    fn wall(&self) -> UnixTime {
        let stopped = self.stopped().map(|(wall, _)| wall);
        stopped.unwrap_or_else(|| self.time.wall().saturating_sub(self.early).saturating_add(self.late))
    }

    fn monotonic(&self) -> Duration {
        self.stopped().map_or_else(|| self.time.monotonic(), |(_, monotonic)| monotonic)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.time.sleep(duration)
    }
}
