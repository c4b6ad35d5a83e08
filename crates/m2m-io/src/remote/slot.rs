//! When to fetch a remote document: state and the time in, advice out. Pure.
//!
//! fresh → (near its end) due, renewed behind its users' backs → stale: users wait for the fetch, and get the old
//! document if it fails, up to a ceiling. After any failure the slot cools down, so that a dead server is asked once
//! per cooldown and not once per caller. All times are of [`Clock::monotonic`](crate::Clock::monotonic).

use std::time::Duration;

/// How long things last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knobs {
    /// One fetch may take this long in total; default 5 s.
    pub timeout: Duration,
    /// After a failed fetch, or before a fetch demanded out of turn, this much time passes; default 30 s.
    pub cooldown: Duration,
    /// A document is fresh this long unless its server says less; default 10 min. Never so little that it would be
    /// renewed within a cooldown.
    pub max_age: Duration,
    /// A document that cannot be renewed serves this long after it went stale; default 1 h. A key that its issuer
    /// withdrew lives on for at most `max_age` and this together, counted from the start of the fetch that brought it,
    /// if the issuer cannot be reached.
    pub stale_if_error: Duration,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            cooldown: Duration::from_secs(30),
            max_age: Duration::from_secs(600),
            stale_if_error: Duration::from_secs(3600),
        }
    }
}

/// What a caller should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Advice<T, E> {
    /// Use this.
    Use(T),
    /// Use this and start a fetch in the background.
    UseAndFetch(T),
    /// Wait for the fetch that is under way; if it fails, fall back on the document, if there is one.
    Join(Option<T>),
    /// Start a fetch and wait for it, as with `Join`.
    Fetch(Option<T>),
    /// Cooling down: the last fetch failed with this, and it is too early to ask again.
    Refuse(E),
}

/// The state of one document. `T` and `E` are cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Slot<T, E> {
    knobs: Knobs,
    held: Option<Held<T>>,
    fetching: bool,
    /// The last fetch failed with this, at that time.
    failure: Option<(E, Duration)>,
    /// When a fetch last ended, either way.
    ended: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Held<T> {
    value: T,
    due: Duration,
    stale: Duration,
    ceiling: Duration,
}

/// A document is renewed when a fifth of its freshness is left.
const DUE_AT: (u32, u32) = (4, 5);

impl<T: Clone, E: Clone> Slot<T, E> {
    pub(crate) const fn new(knobs: Knobs) -> Self {
        Self { knobs, held: None, fetching: false, failure: None, ended: None }
    }

    pub(crate) const fn knobs(&self) -> &Knobs {
        &self.knobs
    }

    /// A caller wants the document.
    pub(crate) fn poll(&self, now: Duration) -> Advice<T, E> {
        let usable = self.held.as_ref().filter(|held| now < held.ceiling);
        let Some(held) = usable else {
            return match &self.failure {
                _ if self.fetching => Advice::Join(None),
                Some((error, at)) if self.cooling(*at, now) => Advice::Refuse(error.clone()),
                _ => Advice::Fetch(None),
            };
        };
        let value = held.value.clone();
        match &self.failure {
            _ if now < held.due => Advice::Use(value),
            Some((_, at)) if self.cooling(*at, now) => Advice::Use(value),
            // Known to fail: nobody waits for the next attempt.
            Some(_) if self.fetching => Advice::Use(value),
            Some(_) => Advice::UseAndFetch(value),
            None if now < held.stale && self.fetching => Advice::Use(value),
            None if now < held.stale => Advice::UseAndFetch(value),
            None if self.fetching => Advice::Join(Some(value)),
            None => Advice::Fetch(Some(value)),
        }
    }

    /// A caller found the document lacking (an unknown key) and wants a newer one. At most one fetch per cooldown,
    /// whatever started it: inside the cooldown the answer is as for `poll`, never `Join` or `Fetch`.
    pub(crate) fn demand(&self, now: Duration) -> Advice<T, E> {
        if self.fetching {
            return Advice::Join(None);
        }
        match (&self.held, &self.failure) {
            _ if !self.ended.is_some_and(|at| self.cooling(at, now)) => Advice::Fetch(None),
            (_, Some((error, _))) => Advice::Refuse(error.clone()),
            (Some(held), None) => Advice::Use(held.value.clone()),
            (None, None) => Advice::Fetch(None),
        }
    }

    /// The advised fetch has been started.
    pub(crate) const fn started(&mut self) {
        self.fetching = true;
    }

    /// The fetch that was started at `began` brought `value`; `max_age` is what its server said. Its age counts from
    /// then: the server may have read it as soon as it was asked, and taken its time to send it.
    pub(crate) fn succeeded(&mut self, value: T, max_age: Option<Duration>, began: Duration, now: Duration) {
        // So long that the renewal, which comes before the end, is no second fetch within a cooldown.
        let least = (self.knobs.cooldown.saturating_mul(DUE_AT.1) / DUE_AT.0).min(self.knobs.max_age);
        let fresh = max_age.unwrap_or(self.knobs.max_age).clamp(least, self.knobs.max_age);
        let stale = began.saturating_add(fresh);
        self.held = Some(Held {
            value,
            due: began.saturating_add(fresh.saturating_mul(DUE_AT.0) / DUE_AT.1),
            stale,
            ceiling: stale.saturating_add(self.knobs.stale_if_error),
        });
        self.failure = None;
        self.fetching = false;
        self.ended = Some(now);
    }

    /// The fetch failed. What is held stays.
    pub(crate) fn failed(&mut self, error: E, now: Duration) {
        self.failure = Some((error, now));
        self.fetching = false;
        self.ended = Some(now);
    }

    /// How long until a fetch may be demanded; zero when one may be now, or is under way.
    pub(crate) fn cooldown_left(&self, now: Duration) -> Duration {
        let over = self.ended.map_or(now, |at| at.saturating_add(self.knobs.cooldown));
        if self.fetching { Duration::ZERO } else { over.saturating_sub(now) }
    }

    fn cooling(&self, since: Duration, now: Duration) -> bool {
        now < since.saturating_add(self.knobs.cooldown)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Advice, Knobs, Slot};

    type Text = Slot<&'static str, &'static str>;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn slot() -> Text {
        Slot::new(Knobs::default())
    }

    fn held(seconds: u64) -> Text {
        let mut slot = slot();
        slot.started();
        slot.succeeded("a", None, at(seconds), at(seconds));
        slot
    }

    fn check(slot: &Text, table: &[(u64, Advice<&'static str, &'static str>)]) {
        for (seconds, expect) in table {
            assert_eq!(&slot.poll(at(*seconds)), expect, "at {seconds} s");
        }
    }

    #[test]
    fn empty_fetches_once() {
        let mut slot = slot();
        check(&slot, &[(0, Advice::Fetch(None))]);
        slot.started();
        check(&slot, &[(0, Advice::Join(None)), (9, Advice::Join(None))]);
    }

    #[test]
    fn fresh_due_stale_gone() {
        let table = [
            (1000, Advice::Use("a")),
            (1479, Advice::Use("a")),
            (1480, Advice::UseAndFetch("a")),
            (1599, Advice::UseAndFetch("a")),
            (1600, Advice::Fetch(Some("a"))),
            (5199, Advice::Fetch(Some("a"))),
            (5200, Advice::Fetch(None)),
        ];
        check(&held(1000), &table);
    }

    #[test]
    fn while_fetching_nobody_starts_another() {
        let mut slot = held(1000);
        slot.started();
        let table = [
            (1480, Advice::Use("a")),
            (1599, Advice::Use("a")),
            (1600, Advice::Join(Some("a"))),
            (5200, Advice::Join(None)),
        ];
        check(&slot, &table);
    }

    #[test]
    fn failure_cools_down() {
        let mut slot = slot();
        slot.started();
        slot.failed("x", at(100));
        check(&slot, &[(100, Advice::Refuse("x")), (129, Advice::Refuse("x")), (130, Advice::Fetch(None))]);
    }

    #[test]
    fn failure_with_a_document_keeps_nobody_waiting() {
        let mut slot = held(1000);
        slot.failed("x", at(1600));
        let table = [
            (1600, Advice::Use("a")),
            (1629, Advice::Use("a")),
            (1630, Advice::UseAndFetch("a")),
            (5199, Advice::UseAndFetch("a")),
            (5200, Advice::Fetch(None)),
        ];
        check(&slot, &table);
        slot.started();
        check(&slot, &[(1630, Advice::Use("a")), (5200, Advice::Join(None))]);
        slot.failed("y", at(5200));
        check(&slot, &[(5201, Advice::Refuse("y"))]);
        slot.succeeded("b", None, at(5300), at(5300));
        check(&slot, &[(5301, Advice::Use("b"))]);
    }

    #[test]
    fn a_failure_before_it_is_due_changes_nothing() {
        let mut slot = held(1000);
        slot.failed("x", at(1100));
        check(&slot, &[(1101, Advice::Use("a")), (1479, Advice::Use("a")), (1480, Advice::UseAndFetch("a"))]);
    }

    #[test]
    fn the_server_may_only_shorten_and_not_below_the_cooldown() {
        let check = |max_age, due| {
            let mut slot = slot();
            slot.succeeded("a", max_age, at(0), at(0));
            check(&slot, &[(due - 1, Advice::Use("a")), (due, Advice::UseAndFetch("a"))]);
        };
        check(None, 480);
        check(Some(at(86_400)), 480);
        check(Some(at(100)), 80);
        check(Some(at(38)), 31);
        check(Some(at(37)), 30);
        check(Some(at(0)), 30);
    }

    #[test]
    fn demand_is_once_per_cooldown() {
        let mut slot = slot();
        assert_eq!(slot.demand(at(0)), Advice::Fetch(None));
        slot.started();
        assert_eq!(slot.demand(at(0)), Advice::Join(None));
        slot.succeeded("a", None, at(10), at(10));
        assert_eq!(slot.demand(at(39)), Advice::Use("a"));
        assert_eq!(slot.demand(at(40)), Advice::Fetch(None));
        slot.started();
        slot.failed("x", at(50));
        assert_eq!(slot.demand(at(79)), Advice::Refuse("x"));
        assert_eq!(slot.demand(at(80)), Advice::Fetch(None));
        check(&slot, &[(80, Advice::Use("a"))]);
    }

    #[test]
    fn a_cooldown_longer_than_the_age_does_not_panic() {
        let knobs = Knobs { cooldown: at(900), ..Knobs::default() };
        let mut slot = Slot::<_, ()>::new(knobs);
        slot.succeeded("a", Some(at(5)), at(0), at(0));
        assert_eq!(slot.poll(at(1)), Advice::Use("a"));
    }

    #[test]
    fn an_age_without_end_does_not_panic() {
        let knobs = Knobs { max_age: Duration::MAX, stale_if_error: Duration::MAX, ..Knobs::default() };
        let mut slot = Slot::<_, ()>::new(knobs);
        slot.succeeded("a", None, at(1), at(1));
        assert_eq!(slot.poll(at(1_000_000)), Advice::Use("a"));
    }
}
