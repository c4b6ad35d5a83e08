//! Time that moves when a test says so.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, Clock};
use m2m_proto::time::UnixTime;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A clock that stands still until it is moved. Cloning gives another handle to the same clock.
///
/// Sleepers wake in the order of their deadlines, those of one deadline in the order in which they lay down.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    wall: UnixTime,
    monotonic: Duration,
    sleepers: Vec<Sleeper>,
}

#[derive(Debug)]
struct Sleeper {
    deadline: Duration,
    wake: oneshot::Sender<()>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// When a new clock begins: 2026-11-22T10:40:00Z.
    pub const START: UnixTime = UnixTime::from_seconds(1_795_344_000);

    /// A clock at [`Self::START`], a day after boot.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Self::START)
    }

    /// A clock at `wall`.
    #[must_use]
    pub fn at(wall: UnixTime) -> Self {
        let monotonic = Duration::from_secs(86_400);
        Self(Arc::new(Mutex::new(State { wall, monotonic, sleepers: Vec::new() })))
    }

    /// Time passes at once: both clocks move and everybody whose time has come wakes. What they do then, they do at
    /// the new time; see [`Self::pass`] for the other way.
    pub fn advance(&self, duration: Duration) {
        let due = {
            let mut state = self.state();
            state.wall = state.wall.saturating_add(duration);
            state.monotonic = state.monotonic.saturating_add(duration);
            state.take_due()
        };
        for sleeper in due {
            // One that gave up is not there to be woken.
            let _gone = sleeper.wake.send(());
        }
    }

    /// Time passes from one sleeper's deadline to the next, and everybody gets to act at each: as it happens outside
    /// tests. For tests on a current-thread runtime.
    pub async fn pass(&self, duration: Duration) {
        let end = self.monotonic().saturating_add(duration);
        settle().await;
        loop {
            let now = self.monotonic();
            let next = self.next_deadline().map_or(end, |deadline| deadline.clamp(now, end));
            self.advance(next.saturating_sub(now));
            settle().await;
            let more = self.next_deadline().is_some_and(|deadline| deadline <= end);
            if next == end && !more {
                return;
            }
        }
    }

    /// Somebody sets the time of day; no time passes.
    pub fn jump_wall(&self, wall: UnixTime) {
        self.state().wall = wall;
    }

    /// How many wait on this clock.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        let mut state = self.state();
        state.sleepers.retain(|sleeper| !sleeper.wake.is_closed());
        state.sleepers.len()
    }

    /// How long until the first of those who wait wakes.
    #[must_use]
    pub fn until_next(&self) -> Option<Duration> {
        let now = self.monotonic();
        self.next_deadline().map(|deadline| deadline.saturating_sub(now))
    }

    fn next_deadline(&self) -> Option<Duration> {
        let state = self.state();
        state
            .sleepers
            .iter()
            .filter(|sleeper| !sleeper.wake.is_closed())
            .map(|sleeper| sleeper.deadline)
            .min()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_due(&mut self) -> Vec<Sleeper> {
        let now = self.monotonic;
        let (mut due, rest): (Vec<_>, Vec<_>) = self
            .sleepers
            .drain(..)
            .filter(|sleeper| !sleeper.wake.is_closed())
            .partition(|s| s.deadline <= now);
        self.sleepers = rest;
        due.sort_by_key(|sleeper| sleeper.deadline);
        due
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> UnixTime {
        self.state().wall
    }

    fn monotonic(&self) -> Duration {
        self.state().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        let mut state = self.state();
        let deadline = state.monotonic.saturating_add(duration);
        state.sleepers.push(Sleeper { deadline, wake });
        let clock = self.clone();
        Box::pin(async move {
            // Held, so that the sleeper waits for ever rather than waking early should the test drop its handle.
            let _clock = clock;
            let _dropped = woken.await;
        })
    }
}

/// Lets every task of a current-thread runtime run until all of them wait for something. Work on other threads
/// (files, sockets, name resolution) is not waited for.
pub async fn settle() {
    // A task that wakes another costs one round. No chain here is nearly as long.
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use m2m_io::{Clock as _, task};
    use m2m_proto::time::UnixTime;

    use super::{ManualClock, settle};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn advancing_moves_both_clocks_and_jumping_one() {
        let clock = ManualClock::at(UnixTime::from_seconds(100));
        let before = clock.now();
        clock.advance(SECOND);
        let after = clock.now();
        assert_eq!((after.wall.seconds(), after.monotonic - before.monotonic), (101, SECOND));
        clock.jump_wall(UnixTime::from_seconds(50));
        assert_eq!((clock.wall().seconds(), clock.monotonic()), (50, after.monotonic));
    }

    #[tokio::test]
    async fn sleepers_wake_when_time_has_passed_and_not_before() {
        let clock = ManualClock::new();
        let task = task::spawn_detached("sleeper", clock.sleep(SECOND * 2));
        settle().await;
        clock.advance(SECOND);
        settle().await;
        assert!(!task.is_finished());
        assert_eq!((clock.sleepers(), clock.until_next()), (1, Some(SECOND)));
        clock.jump_wall(UnixTime::from_seconds(u64::MAX / 2000));
        settle().await;
        assert!(!task.is_finished(), "setting the time of day is not waiting");
        clock.advance(SECOND);
        settle().await;
        assert!(task.is_finished());
        assert_eq!(clock.sleepers(), 0);
        clock.sleep(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_sleeper_that_gave_up_is_not_counted() {
        let clock = ManualClock::new();
        drop(clock.sleep(SECOND));
        assert_eq!((clock.sleepers(), clock.until_next()), (0, None));
        clock.advance(SECOND);
    }

    fn log_of_a_ticker(clock: &ManualClock) -> Arc<Mutex<Vec<u64>>> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (clock, record) = (clock.clone(), Arc::clone(&log));
        task::spawn_detached("ticker", async move {
            loop {
                clock.sleep(SECOND).await;
                record.lock().unwrap().push(clock.wall().seconds());
            }
        });
        log
    }

    #[tokio::test]
    async fn passing_visits_every_deadline() {
        let clock = ManualClock::at(UnixTime::from_seconds(0));
        let log = log_of_a_ticker(&clock);
        clock.pass(SECOND * 3).await;
        assert_eq!(*log.lock().unwrap(), [1, 2, 3]);
        assert_eq!(clock.wall().seconds(), 3);
    }

    #[tokio::test]
    async fn advancing_does_not() {
        let clock = ManualClock::at(UnixTime::from_seconds(0));
        let log = log_of_a_ticker(&clock);
        settle().await;
        clock.advance(SECOND * 3);
        settle().await;
        assert_eq!(*log.lock().unwrap(), [3]);
    }
}
