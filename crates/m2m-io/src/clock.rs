//! Time as a parameter: [`Clock`], and [`SystemClock`], the one reader of the system's clocks.
//!
//! Two clocks are read because each lies in its own way: the wall clock jumps when somebody sets it, and the
//! monotonic one cannot be compared with what another machine wrote. The monotonic clock here counts suspend, or a
//! laptop that slept for an hour would believe its token still fresh.

use std::fmt::Debug;
use std::time::Duration;

use m2m_proto::time::UnixTime;

use crate::BoxFuture;

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time of day; may jump in both directions.
    pub wall: UnixTime,
    /// Time since some fixed moment, suspend included; never goes back.
    pub monotonic: Duration,
}

/// Where a program gets the time from.
pub trait Clock: Send + Sync + Debug {
    /// The time of day. Cheap enough for every use of a cached token; up to 10 ms behind on Linux.
    fn wall(&self) -> UnixTime;

    /// Time since some fixed moment (on Linux: boot), counting suspend; never goes back.
    fn monotonic(&self) -> Duration;

    /// Resolves once `duration` has passed by [`Clock::monotonic`].
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Both clocks at once.
    fn now(&self) -> Now {
        Now { wall: self.wall(), monotonic: self.monotonic() }
    }
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The runtime's timers stand still while the machine sleeps, so a long wait is cut into pieces of this length and
/// the monotonic clock asked between them: after a resume no sleeper is later than this.
const LONGEST_NAP: Duration = Duration::from_secs(30);

impl Clock for SystemClock {
    fn wall(&self) -> UnixTime {
        system::wall()
    }

    fn monotonic(&self) -> Duration {
        system::monotonic()
    }

    #[expect(clippy::disallowed_methods, reason = "this is Clock::sleep")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let deadline = system::monotonic().saturating_add(duration);
            loop {
                let left = deadline.saturating_sub(system::monotonic());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_NAP)).await;
            }
        })
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use m2m_proto::time::UnixTime;
    use rustix::time::{ClockId, Timespec, clock_gettime};

    /// Of the tick (1 to 10 ms old): about a quarter of the price of the exact time, and lifetimes are seconds.
    pub(super) fn wall() -> UnixTime {
        UnixTime::from_millis(millis(clock_gettime(ClockId::RealtimeCoarse)))
    }

    pub(super) fn monotonic() -> Duration {
        let read = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(read.tv_sec).unwrap_or(0), u32::try_from(read.tv_nsec).unwrap_or(0))
    }

    /// Before 1970 is 1970.
    fn millis(read: Timespec) -> u64 {
        let seconds = u64::try_from(read.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(read.tv_nsec).unwrap_or(0);
        seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
    }
}

/// Elsewhere the standard library's clocks: on macOS and Windows `Instant` may stand still during suspend, which
/// makes a lifetime by the monotonic clock longer, never the one by the wall clock.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "the one reader of the system's clocks")]
mod system {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use m2m_proto::time::UnixTime;

    pub(super) fn wall() -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn monotonic() -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::{Clock, SystemClock};

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the standard library's reading is what ours is compared with"
    )]
    fn wall_is_the_time_of_day_to_a_tick() {
        let ours = u128::from(SystemClock.wall().millis());
        let theirs = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(theirs.abs_diff(ours) <= 50, "{ours} against {theirs}");
    }

    #[test]
    fn monotonic_never_goes_back_and_moves() {
        let first = SystemClock.monotonic();
        let mut last = first;
        while last == first {
            let next = SystemClock.monotonic();
            assert!(next >= last);
            last = next;
        }
    }

    #[tokio::test]
    async fn sleep_lasts_what_was_asked() {
        let start = SystemClock.monotonic();
        SystemClock.sleep(Duration::from_millis(3)).await;
        assert!(SystemClock.monotonic() - start >= Duration::from_millis(3));
    }

    #[tokio::test]
    async fn sleep_of_nothing_is_over_at_once() {
        SystemClock.sleep(Duration::ZERO).await;
    }
}
