//! When signing keys come and go: next, active, retiring, retired. Pure.
//!
//! A key is published before it signs, for longer than verifiers cache the set, and stays published
//! after it signed, until its last token has expired. So no verifier ever meets an unknown key.

use std::time::Duration;

use m2m_proto::time::UnixTime;

/// How long keys stay in each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationPlan {
    /// Published before it signs. Default 24 h; longer than verifiers cache the set (1 h).
    pub announce: Duration,
    /// Signing. Default 90 days; not shorter than `announce`.
    pub active: Duration,
    /// Published after it signed. Default 25 h: the longest life of a token, and an hour of skew;
    /// not shorter than the former.
    pub retain: Duration,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Default for RotationPlan {
    fn default() -> Self {
        Self { announce: HOUR * 24, active: HOUR * 24 * 90, retain: HOUR * 25 }
    }
}

/// The phase that a key is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Published, not signing yet.
    Next,
    /// Published and signing.
    Active,
    /// Published, no longer signing.
    Retiring,
    /// Not published any more; what it signed is refused.
    Retired,
}

/// The dates of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDates {
    activates_at: UnixTime,
    retires_at: UnixTime,
    leaves_at: UnixTime,
}

impl KeyDates {
    /// The dates of a key that signs from `activates_at` on.
    #[must_use]
    pub fn starting(activates_at: UnixTime, plan: &RotationPlan) -> Self {
        let retires_at = activates_at.saturating_add(plan.active);
        Self { activates_at, retires_at, leaves_at: retires_at.saturating_add(plan.retain) }
    }

    /// The dates as they were once decided.
    #[must_use]
    pub fn from_parts(activates_at: UnixTime, retires_at: UnixTime, leaves_at: UnixTime) -> Self {
        Self { activates_at, retires_at, leaves_at }
    }

    /// The same key, signing until `then` only and published for `retain` after that.
    #[must_use]
    pub fn retiring_at(self, then: UnixTime, retain: Duration) -> Self {
        Self { retires_at: then, leaves_at: then.saturating_add(retain), ..self }
    }

    /// From then on it signs.
    #[must_use]
    pub fn activates_at(&self) -> UnixTime {
        self.activates_at
    }

    /// From then on it signs no more.
    #[must_use]
    pub fn retires_at(&self) -> UnixTime {
        self.retires_at
    }

    /// From then on it is retired.
    #[must_use]
    pub fn leaves_at(&self) -> UnixTime {
        self.leaves_at
    }

    /// The phase at `now`.
    #[must_use]
    pub fn phase(&self, now: UnixTime) -> Phase {
        if now < self.activates_at {
            Phase::Next
        } else if now < self.retires_at {
            Phase::Active
        } else if now < self.leaves_at {
            Phase::Retiring
        } else {
            Phase::Retired
        }
    }
}

/// What to do about the keys of one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// No key signs: make one that signs at once. Verifiers will fetch the set for it.
    MakeActive,
    /// Make the next one, signing from then on.
    MakeNext(UnixTime),
    /// Nothing before then.
    WaitUntil(UnixTime),
}

/// Advice about `keys`, all of one algorithm.
#[must_use]
pub fn advise(keys: &[KeyDates], plan: &RotationPlan, now: UnixTime) -> Advice {
    let Some(last) = keys.iter().max_by_key(|key| key.activates_at) else { return Advice::MakeActive };
    if now >= last.retires_at {
        return Advice::MakeActive;
    }
    let announce_at = last.retires_at.saturating_sub(plan.announce);
    if now < announce_at {
        return Advice::WaitUntil(announce_at);
    }
    // Late, for example after a suspend: the new key is still announced for its whole time if the
    // active one lasts that long, else it takes over when the active one ends.
    Advice::MakeNext(last.retires_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60;

    fn at(day: u64) -> UnixTime {
        UnixTime::from_seconds(1_000_000_000 + day * DAY)
    }

    fn key(activates: u64) -> KeyDates {
        KeyDates::starting(at(activates), &RotationPlan::default())
    }

    #[test]
    fn a_key_passes_through_four_phases() {
        let key = key(1);
        for (day, expect) in [
            (0, Phase::Next),
            (1, Phase::Active),
            (90, Phase::Active),
            (91, Phase::Retiring),
            (92, Phase::Retiring),
            (93, Phase::Retired),
        ] {
            assert_eq!(key.phase(at(day)), expect, "day {day}");
        }
    }

    #[test]
    fn advice_by_keys_and_day() {
        let plan = RotationPlan::default();
        let check = |keys: &[KeyDates], day: u64, expect: Advice| {
            assert_eq!(advise(keys, &plan, at(day)), expect, "day {day}");
        };
        check(&[], 0, Advice::MakeActive);
        check(&[key(0)], 0, Advice::WaitUntil(at(89)));
        check(&[key(0)], 88, Advice::WaitUntil(at(89)));
        check(&[key(0)], 89, Advice::MakeNext(at(90)));
        check(&[key(0), key(90)], 89, Advice::WaitUntil(at(179)));
        check(&[key(0), key(90)], 100, Advice::WaitUntil(at(179)));
        // Asleep for months: nothing signs, so the next key signs at once.
        check(&[key(0)], 200, Advice::MakeActive);
    }

    #[test]
    fn followed_daily_there_is_always_one_signer_and_every_signer_was_announced() {
        let plan = RotationPlan::default();
        let mut keys = vec![key(0)];
        let mut announced = vec![0];
        for day in 0..1_000 {
            if let Advice::MakeNext(when) = advise(&keys, &plan, at(day)) {
                keys.push(KeyDates::starting(when, &plan));
                announced.push(day);
            }
            let signing = keys.iter().filter(|key| key.phase(at(day)) == Phase::Active).count();
            assert_eq!(signing, 1, "day {day}");
        }
        assert_eq!(keys.len(), 12);
        for (key, announced) in keys.iter().zip(announced).skip(1) {
            assert!(key.activates_at.since(at(announced)) >= plan.announce);
        }
    }
}
