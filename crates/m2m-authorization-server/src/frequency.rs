//! How many tokens a client gets, or revokes, per minute: its quota, and whether it evidently does not cache.
//!
//! Enforces: a client with a quota gets no more tokens than that in one minute from this node.
//! Does not enforce: anything across nodes; with `n` nodes a client may get `n` quotas. A client that is deleted
//! and registered again begins anew.
//! Limits: two numbers per client, in its registration and shared by all snapshots of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Tokens in one minute from which on a client is warned about.
pub(crate) const TOO_MANY: u32 = 100;
const WINDOW: Duration = Duration::from_secs(60);

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

/// What one client did in the current minute, which begins with the first act after the last one ended.
#[derive(Debug, Default)]
pub(crate) struct Minute(AtomicU64);

/// The second at which a minute began, on the monotonic clock, and what was counted since; in one number, so that
/// it is changed in one step.
#[derive(Clone, Copy)]
struct Count {
    began: u32,
    acts: u32,
}

impl Count {
    fn of(packed: u64, now: u32) -> Self {
        let [high, low] =
            [packed >> 32, packed & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        let is_over = low == 0 || u64::from(now.saturating_sub(high)) >= WINDOW.as_secs();
        if is_over { Self { began: now, acts: 0 } } else { Self { began: high, acts: low } }
    }

    fn packed(self) -> u64 {
        u64::from(self.began) << 32 | u64::from(self.acts)
    }

    /// Until its minute ends.
    fn rest(self, now: u32) -> Duration {
        let passed = Duration::from_secs(u64::from(now.saturating_sub(self.began)));
        WINDOW.saturating_sub(passed).max(Duration::from_secs(1))
    }
}

impl Minute {
    /// Counts one act, unless the quota is used up. `now` is monotonic.
    ///
    /// # Errors
    /// [`OverQuota`]; nothing was counted then.
    pub(crate) fn count(&self, quota: Option<u32>, now: Duration) -> Result<Counted, OverQuota> {
        let now = seconds(now);
        let counted = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let count = Count::of(packed, now);
            let borne = quota.is_none_or(|quota| count.acts < quota);
            borne.then(|| Count { acts: count.acts.saturating_add(1), ..count }.packed())
        });
        match counted {
            Ok(before) if Count::of(before, now).acts.saturating_add(1) == TOO_MANY => {
                Ok(Counted::Suspicious)
            }
            Ok(_) => Ok(Counted::Ordinary),
            Err(full) => Err(OverQuota { retry_after: Count::of(full, now).rest(now) }),
        }
    }

    /// Takes back what was counted for a token that was not made after all.
    pub(crate) fn give_back(&self, now: Duration) {
        let now = seconds(now);
        // Nothing to take back, where the minute ended meanwhile.
        let _unchanged = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let count = Count::of(packed, now);
            count.acts.checked_sub(1).map(|acts| Count { acts, ..count }.packed())
        });
    }
}

fn seconds(now: Duration) -> u32 {
    // 136 years after the start of the machine.
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

/// The minutes of one client.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    /// Tokens that it got.
    pub(crate) minted: Minute,
    /// Tokens that it revoked.
    pub(crate) revoked: Minute,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn warns_once_a_minute() {
        let minute = Minute::default();
        let warnings = |second: u64, tokens: u32| {
            let count = |_: &u32| minute.count(None, at(second)) == Ok(Counted::Suspicious);
            (0..tokens).filter(count).count()
        };
        assert_eq!(warnings(100, 99), 0);
        assert_eq!(warnings(101, 50), 1);
        assert_eq!(warnings(200, 99), 0, "another minute");
    }

    #[test]
    fn a_quota_ends_with_its_minute() {
        let minute = Minute::default();
        let count = |second: u64| minute.count(Some(2), at(second));
        assert_eq!(count(100), Ok(Counted::Ordinary));
        assert_eq!(count(110), Ok(Counted::Ordinary));
        assert_eq!(count(120), Err(OverQuota { retry_after: at(40) }));
        assert_eq!(Minute::default().count(Some(2), at(120)), Ok(Counted::Ordinary), "another client");
        assert_eq!(count(160), Ok(Counted::Ordinary), "the next minute");
    }

    #[test]
    fn what_was_not_made_is_given_back() {
        let minute = Minute::default();
        let count = |second: u64| minute.count(Some(1), at(second));
        assert_eq!(count(100), Ok(Counted::Ordinary));
        minute.give_back(at(101));
        assert_eq!(count(102), Ok(Counted::Ordinary));
        assert!(count(103).is_err());
        minute.give_back(at(170));
        assert_eq!(count(171), Ok(Counted::Ordinary));
        assert!(count(172).is_err(), "nothing of an earlier minute is given back in this one");
    }
}
