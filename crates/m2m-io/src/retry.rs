//! How long to wait before trying again: exponential, bounded, with jitter. Pure; the caller brings the randomness.

use std::time::Duration;

/// A schedule of waits. Defaults: 0.5 s, doubling to at most 30 s, each shortened by up to half at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub first: Duration,
    /// No wait is longer.
    pub cap: Duration,
    /// The part of each wait that is random, `0.0..=1.0`. Without it, clients that failed together come back together.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), cap: Duration::from_secs(30), jitter: 0.5 }
    }
}

impl Backoff {
    /// The wait after failure number `attempt` (from 0), with `fraction` in `0.0..1.0` from
    /// [`fraction`](crate::fraction).
    #[must_use]
    pub fn delay(&self, attempt: u32, fraction: f64) -> Duration {
        let doubled = 2u32.checked_pow(attempt).and_then(|factor| self.first.checked_mul(factor));
        let full = doubled.unwrap_or(self.cap).min(self.cap);
        let cut = self.jitter.clamp(0.0, 1.0) * fraction.clamp(0.0, 1.0);
        // What no duration can hold (a cap without end, a jitter that is no number) is not shortened.
        Duration::try_from_secs_f64(full.as_secs_f64() * (1.0 - cut)).unwrap_or(full)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn doubles_to_the_cap() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let check = |attempt, millis| {
            assert_eq!(backoff.delay(attempt, 0.9), Duration::from_millis(millis), "attempt {attempt}");
        };
        check(0, 500);
        check(1, 1000);
        check(5, 16_000);
        check(6, 30_000);
        check(31, 30_000);
        check(32, 30_000); // 2^32 does not fit: no wrap to a short wait
        check(u32::MAX, 30_000);
    }

    #[test]
    fn jitter_only_shortens() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.delay(1, 0.5), Duration::from_millis(750));
        assert_eq!(backoff.delay(60, 0.0), Duration::from_secs(30));
        assert_eq!(backoff.delay(60, 7.0), Duration::from_secs(15));
    }

    #[test]
    fn absurd_settings_do_not_panic() {
        let endless = Backoff { first: Duration::MAX, cap: Duration::MAX, jitter: 0.5 };
        assert_eq!(endless.delay(3, 0.0), Duration::MAX);
        assert_eq!(
            Backoff { jitter: f64::NAN, ..Backoff::default() }.delay(0, 0.5),
            Duration::from_millis(500)
        );
    }
}
