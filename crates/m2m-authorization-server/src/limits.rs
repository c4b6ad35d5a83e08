//! The budget of failed authentications, asked before costly work.
//!
//! Sections: RFC 6749 §2.3.1 (last paragraph), §10.10
//! Enforces: at most so many failures per (client id, address) and per address in a window; an
//! address is an IPv4 address or an IPv6 /64.
//! Does not enforce: anything per client alone, so that a stranger cannot lock a client out; the
//! answer 429, which the endpoint gives.
//! Limits: two generations of at most 65,536 counters each. Memory never grows beyond that: when a
//! generation is full the next one begins early, which forgets the oldest failures first.

// spec: 6749-AS3

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::client_id::ClientId;

/// Counters per generation.
const MAX_COUNTERS: usize = 65_536;

/// How many failed authentications are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureBudget {
    /// Failures per (client id, address) in a window. Default 20.
    pub per_client_and_address: u32,
    /// Failures per address in a window, whatever client they name. Default 200.
    pub per_address: u32,
    /// A failure counts for one to two windows. Default 60 s.
    pub window: Duration,
}

impl Default for FailureBudget {
    fn default() -> Self {
        Self { per_client_and_address: 20, per_address: 200, window: Duration::from_secs(60) }
    }
}

impl FailureBudget {
    /// Sets the failures borne per (client id, address) in a window.
    #[must_use]
    pub fn per_client_and_address(mut self, failures: u32) -> Self {
        self.per_client_and_address = failures;
        self
    }

    /// Sets the failures borne per address in a window.
    #[must_use]
    pub fn per_address(mut self, failures: u32) -> Self {
        self.per_address = failures;
        self
    }

    /// Sets the window.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }
}

/// Refused for now: too many failures came from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverBudget {
    /// When asking again can succeed; at least 1 s.
    pub(crate) retry_after: Duration,
}

/// Where a request came from, as far as counting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    /// In process, or the listener did not say.
    Unknown,
    V4([u8; 4]),
    /// A subscriber commonly owns a /64, so counting addresses inside it would bound nothing.
    V6([u8; 8]),
}

impl From<Option<IpAddr>> for Source {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => Self::V6(prefix(address)),
        }
    }
}

fn prefix(address: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

type Key = (Option<ClientId>, Source);

#[derive(Debug, Default)]
struct Counters {
    /// When the current generation began, on the monotonic clock.
    began: Duration,
    current: HashMap<Key, u32>,
    previous: HashMap<Key, u32>,
}

impl Counters {
    fn turn(&mut self, now: Duration, window: Duration) {
        let age = now.saturating_sub(self.began);
        if age < window && self.current.len() < MAX_COUNTERS {
            return;
        }
        self.previous = std::mem::take(&mut self.current);
        if age >= window.saturating_mul(2) {
            self.previous.clear();
        }
        self.began = now;
    }

    fn count(&self, key: &Key) -> u32 {
        let in_generation = |counters: &HashMap<Key, u32>| counters.get(key).copied().unwrap_or(0);
        in_generation(&self.current).saturating_add(in_generation(&self.previous))
    }

    fn add(&mut self, key: Key) {
        let counter = self.current.entry(key).or_default();
        *counter = counter.saturating_add(1);
    }
}

impl Counters {
    /// One less, in the generation that it was counted in.
    fn take_back(&mut self, key: &Key) {
        for generation in [&mut self.current, &mut self.previous] {
            match generation.get_mut(key) {
                Some(1) => drop(generation.remove(key)),
                Some(count) => *count -= 1,
                None => continue,
            }
            return;
        }
    }
}

/// Failed authentications, counted.
#[derive(Debug)]
pub(crate) struct Limits {
    budget: FailureBudget,
    counters: Mutex<Counters>,
}

impl Limits {
    pub(crate) fn new(budget: FailureBudget) -> Self {
        Self { budget, counters: Mutex::default() }
    }

    /// Whether the budget still bears an attempt. `now` is monotonic.
    pub(crate) fn check(
        &self,
        client_id: &ClientId,
        address: Option<IpAddr>,
        now: Duration,
    ) -> Result<(), OverBudget> {
        let source = Source::from(address);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.turn(now, self.budget.window);
        let nobody_failed = counters.current.is_empty() && counters.previous.is_empty();
        if nobody_failed {
            return Ok(());
        }
        let pair = counters.count(&(Some(client_id.clone()), source));
        let all = counters.count(&(None, source));
        if pair < self.budget.per_client_and_address && all < self.budget.per_address {
            return Ok(());
        }
        let mut rest = self.budget.window.saturating_sub(now.saturating_sub(counters.began));
        let outlasts = |key: Key, budget: u32| counters.current.get(&key).is_some_and(|held| *held >= budget);
        if outlasts((Some(client_id.clone()), source), self.budget.per_client_and_address)
            || outlasts((None, source), self.budget.per_address)
        {
            // These failures count for one more window.
            rest = rest.saturating_add(self.budget.window);
        }
        Err(OverBudget { retry_after: rest.max(Duration::from_secs(1)) })
    }

    /// Whether the budget of the address alone still bears an attempt. `now` is monotonic.
    pub(crate) fn check_address(&self, address: Option<IpAddr>, now: Duration) -> Result<(), OverBudget> {
        let source = Source::from(address);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.turn(now, self.budget.window);
        if counters.count(&(None, source)) < self.budget.per_address {
            return Ok(());
        }
        Err(OverBudget { retry_after: self.budget.window.max(Duration::from_secs(1)) })
    }

    /// Counts one failure of an address, whoever it named.
    pub(crate) fn charge_address(&self, address: Option<IpAddr>, now: Duration) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.turn(now, self.budget.window);
        counters.add((None, Source::from(address)));
    }

    /// Takes back one failure that was counted before it was known whether it is one.
    pub(crate) fn refund(&self, client_id: &ClientId, address: Option<IpAddr>) {
        let source = Source::from(address);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.take_back(&(Some(client_id.clone()), source));
        counters.take_back(&(None, source));
    }

    /// Counts one failure.
    pub(crate) fn charge(&self, client_id: &ClientId, address: Option<IpAddr>, now: Duration) {
        let source = Source::from(address);
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.turn(now, self.budget.window);
        counters.add((Some(client_id.clone()), source));
        counters.add((None, source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::client_id;

    const WINDOW: Duration = Duration::from_secs(60);

    fn limits(pair: u32, all: u32) -> Limits {
        Limits::new(FailureBudget::default().per_client_and_address(pair).per_address(all).window(WINDOW))
    }

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_failure_that_was_none_is_taken_back() {
        let (limits, app, here) = (limits(1, 1), client_id("app"), from("192.0.2.1"));
        limits.charge(&app, here, at(0));
        limits.check(&app, here, at(61)).unwrap_err();
        limits.refund(&app, here);
        assert_eq!(limits.check(&app, here, at(62)), Ok(()), "also from the generation before");
        limits.refund(&app, here);
        limits.charge(&app, here, at(63));
        limits.check(&app, here, at(64)).unwrap_err();
    }

    #[test]
    fn a_pair_has_its_own_budget() {
        let (limits, app, here) = (limits(2, 100), client_id("app"), from("192.0.2.1"));
        for second in 0..2 {
            assert_eq!(limits.check(&app, here, at(second)), Ok(()));
            limits.charge(&app, here, at(second));
        }
        let over = limits.check(&app, here, at(10)).unwrap_err();
        assert_eq!(over.retry_after, at(110), "the second window forgets the first");
        assert_eq!(limits.check(&app, from("192.0.2.2"), at(10)), Ok(()), "another address");
        assert_eq!(limits.check(&client_id("other"), here, at(10)), Ok(()), "another client");
    }

    #[test]
    fn asking_again_after_the_time_told_succeeds() {
        for (failed, asked) in [(0, 0), (0, 59), (0, 61), (59, 59), (59, 61), (59, 119)] {
            let (limits, app, here) = (limits(1, 100), client_id("app"), from("192.0.2.1"));
            limits.charge(&client_id("first"), from("192.0.2.9"), at(0));
            limits.charge(&app, here, at(failed));
            let over = limits.check(&app, here, at(asked)).unwrap_err();
            let then = at(asked) + over.retry_after;
            assert_eq!(limits.check(&app, here, then), Ok(()), "failed at {failed}, asked at {asked}");
        }
    }

    #[test]
    fn an_address_has_a_budget_over_all_clients() {
        let (limits, here) = (limits(100, 3), from("192.0.2.1"));
        for name in ["a", "b", "c"] {
            limits.charge(&client_id(name), here, at(0));
        }
        assert!(limits.check(&client_id("d"), here, at(1)).is_err());
        assert_eq!(limits.check(&client_id("d"), from("192.0.2.2"), at(1)), Ok(()));
    }

    #[test]
    fn addresses_count_by_network() {
        let check = |charged: &str, asked: &str, expect_same: bool| {
            let limits = limits(1, 100);
            limits.charge(&client_id("app"), from(charged), at(0));
            let refused = limits.check(&client_id("app"), from(asked), at(0)).is_err();
            assert_eq!(refused, expect_same, "{charged} then {asked}");
        };
        check("2001:db8::1", "2001:db8::ffff", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
    }

    #[test]
    fn failures_are_forgotten_after_two_windows_at_most() {
        let (limits, app, here) = (limits(1, 100), client_id("app"), from("192.0.2.1"));
        limits.charge(&app, here, at(0));
        assert!(limits.check(&app, here, at(59)).is_err());
        assert!(limits.check(&app, here, at(61)).is_err(), "still in the previous generation");
        assert_eq!(limits.check(&app, here, at(122)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_under_a_flood_of_names() {
        let limits = limits(1, u32::MAX);
        for number in 0..200_000_u32 {
            limits.charge(&client_id(&format!("c{number}")), from("192.0.2.1"), at(0));
        }
        let counters = limits.counters.lock().unwrap();
        let held = counters.current.len() + counters.previous.len();
        assert!(held <= 2 * (MAX_COUNTERS + 1), "{held}");
    }
}
