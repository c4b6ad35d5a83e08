//! One key of the cache: its slot, the flight under way, and what others may
//! watch.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_io::Now;
use m2m_proto::time::UnixTime;
use tokio::sync::watch;

use super::slot::{Advice, CacheState, Chore, Rejected, Slot, Timing};
use super::{CacheKey, Job, RenewalReason};
use crate::error::{Error, Fault, Retry};
use crate::spec::TokenSpec;
use crate::token::Token;

pub(crate) type Outcome = Result<Arc<Token>, Error>;

/// One renewal, as an application may want to log or store it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewal {
    /// When the token was asked for.
    pub at: UnixTime,
    /// When the token expires.
    pub expires_at: UnixTime,
    /// Why it was asked for.
    pub reason: RenewalReason,
}

/// What is known of one key at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The spec's label.
    pub label: String,
    /// Where the token stands.
    pub state: CacheState,
    /// How many tokens this key has had in this process.
    pub renewals: u64,
    /// The last renewal.
    pub renewal: Option<Renewal>,
    /// The last failure, until a token comes.
    pub last_error: Option<Error>,
    /// When the next attempt is due, as far as it is known.
    pub next_attempt: Option<UnixTime>,
}

/// A view of one key that follows its changes: see [`Client::watch`](crate::Client::watch).
#[derive(Clone, Debug)]
pub struct Watch(watch::Receiver<Snapshot>);

impl Watch {
    /// What is known now; as of the last change or the last second.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.borrow().clone()
    }

    /// Waits for the next change of state or the next renewal. `None` when the
    /// key is gone: nobody used it, or the client was dropped.
    pub async fn changed(&mut self) -> Option<Snapshot> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }
}

/// What a caller is given.
pub(crate) enum Ask {
    Ready(Arc<Token>),
    Refused(Error),
    Wait(Waiting),
}

/// A seat on the flight under way.
pub(crate) struct Waiting(watch::Receiver<Option<Outcome>>);

impl Waiting {
    /// Its result; `None` if it was lost without one.
    pub(crate) async fn outcome(&mut self) -> Option<Outcome> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// The right and the duty to start a flight: dropped without landing, it
/// counts as lost (see `flight`).
pub(crate) struct Takeoff {
    pub(crate) landing: watch::Sender<Option<Outcome>>,
    pub(crate) job: Job,
}

#[derive(Debug)]
struct Inside {
    slot: Slot,
    flight: Option<watch::Receiver<Option<Outcome>>>,
    reason: RenewalReason,
    renewals: u64,
    renewal: Option<Renewal>,
    /// The credential's version that the token was obtained with.
    version: u64,
    /// Whether handles were told of a usable token.
    announced: bool,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: CacheKey,
    pub(crate) spec: TokenSpec,
    /// Moves whenever handles have to look again. Alone on what it shares a
    /// cache line with only when somebody writes there.
    generation: AtomicU64,
    failing: AtomicBool,
    retired: AtomicBool,
    inside: Mutex<Inside>,
    watch: watch::Sender<Snapshot>,
}

impl Entry {
    pub(super) fn new(key: CacheKey, spec: TokenSpec, timing: Timing, asked: Duration) -> Self {
        let snapshot = Snapshot {
            label: spec.label.clone(),
            state: CacheState::Expired,
            renewals: 0,
            renewal: None,
            last_error: None,
            next_attempt: None,
        };
        let inside = Inside {
            slot: Slot::new(timing, asked),
            flight: None,
            reason: RenewalReason::Missing,
            renewals: 0,
            renewal: None,
            version: 0,
            announced: false,
        };
        Self {
            key,
            spec,
            generation: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            inside: Mutex::new(inside),
            watch: watch::Sender::new(snapshot),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A caller's question, and the flight that it has to start, if any.
    /// `version`, the credential's, only matters after a failure.
    pub(super) fn ask(&self, now: Now, version: impl FnOnce() -> u64) -> (Ask, Option<Takeoff>) {
        let mut inside = self.lock();
        let version = if inside.slot.last_error().is_some() { version() } else { 0 };
        match inside.slot.poll(now, version) {
            Advice::Use(token) => (Ask::Ready(token), None),
            Advice::UseAndRefresh(token) => {
                let (_, takeoff) = self.take_off(&mut inside, RenewalReason::Due);
                (Ask::Ready(token), Some(takeoff))
            }
            Advice::Refuse(error) => (Ask::Refused(error), None),
            Advice::Fetch => {
                let reason = inside.reason;
                let (waiting, takeoff) = self.take_off(&mut inside, reason);
                (Ask::Wait(waiting), Some(takeoff))
            }
            Advice::Join => match &inside.flight {
                Some(flight) => (Ask::Wait(Waiting(flight.clone())), None),
                None => (Ask::Refused(Error::of(Fault::Lost)), None),
            },
        }
    }

    /// The failure that forbids an attempt for now, unless one is under way.
    pub(super) fn backing_off(&self, now: Now, version: impl FnOnce() -> u64) -> Option<Error> {
        let inside = self.lock();
        let error = inside.slot.last_error().filter(|_| !inside.slot.is_flying())?;
        inside.slot.blocked(now, version()).then(|| error.clone())
    }

    /// A seat on a flight for a new token; starts it unless one is under way.
    pub(super) fn force(&self) -> (Waiting, Option<Takeoff>) {
        let mut inside = self.lock();
        if let (false, Some(flight)) = (inside.slot.force(), &inside.flight) {
            return (Waiting(flight.clone()), None);
        }
        let (waiting, takeoff) = self.take_off(&mut inside, RenewalReason::Forced);
        (waiting, Some(takeoff))
    }

    pub(super) fn tick(&self, now: Now, version: u64) -> (Chore, Option<Takeoff>) {
        let mut inside = self.lock();
        let chore = inside.slot.tick(now, version);
        let takeoff = (chore == Chore::Renew).then(|| {
            let reason = if inside.slot.usable(now).is_some() { RenewalReason::Due } else { inside.reason };
            self.take_off(&mut inside, reason).1
        });
        // The clock that the hot path does not read says that it is over.
        if inside.announced && inside.slot.usable(now).is_none() {
            self.announce(&mut inside, now);
        }
        self.publish(&inside, now);
        (chore, takeoff)
    }

    /// The flight's result enters the slot and reaches everyone who waited.
    pub(super) fn land(&self, landing: Landing, now: Now, fraction: f64) -> Outcome {
        let mut inside = self.lock();
        let Landing { outcome, failing, version, reason } = landing;
        let outcome = outcome.and_then(|token| {
            let served = inside.slot.store(Arc::clone(&token), now);
            served.then_some(token).ok_or_else(|| Error::of(Fault::DeadOnArrival))
        });
        if let Some(error) = outcome.as_ref().err().or(failing.as_ref()) {
            inside.slot.fail(error, now, fraction, version);
        }
        self.failing.store(inside.slot.last_error().is_some(), Ordering::Release);
        if let Ok(token) = &outcome {
            inside.reason = RenewalReason::Missing;
            inside.version = version;
            inside.renewals += 1;
            let (at, expires_at) = (token.obtained_at(), token.expires_at());
            inside.renewal = Some(Renewal { at, expires_at, reason });
            self.announce(&mut inside, now);
        }
        inside.flight = None;
        self.publish(&inside, now);
        outcome
    }

    pub(super) fn reject(&self, digest: &[u8; 32], now: Now) -> Rejected {
        let mut inside = self.lock();
        let rejected = inside.slot.reject(digest, now);
        if matches!(rejected, Rejected::Dropped) {
            inside.reason = RenewalReason::Rejected;
            self.announce(&mut inside, now);
            self.publish(&inside, now);
        }
        rejected
    }

    pub(super) fn forget(&self, now: Now) -> Option<Arc<Token>> {
        let mut inside = self.lock();
        let token = inside.slot.forget();
        self.announce(&mut inside, now);
        self.publish(&inside, now);
        token
    }

    /// Drops the token if it is the one of this digest.
    pub(super) fn forget_token(&self, digest: &[u8; 32], now: Now) {
        let held = self.lock().slot.usable(now).is_some_and(|token| token.digest() == digest);
        if held {
            self.forget(now);
        }
    }

    /// Drops a token that another credential than the one of `version` obtained.
    pub(super) fn forget_unless(&self, version: u64, now: Now) {
        let stale = {
            let inside = self.lock();
            inside.version != version && inside.slot.usable(now).is_some()
        };
        if stale {
            self.forget(now);
        }
    }

    /// Leaves the cache: handles have to find their entry again.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Retires unless a flight is under way or the token is in use.
    pub(super) fn retire_if_idle(&self, now: Now) -> bool {
        let inside = self.lock();
        let idle = !inside.slot.is_flying() && inside.slot.usable(now).is_none();
        if idle {
            self.retire();
        }
        idle
    }

    fn take_off(&self, inside: &mut Inside, reason: RenewalReason) -> (Waiting, Takeoff) {
        let (landing, flight) = watch::channel(None);
        inside.flight = Some(flight.clone());
        let job = Job {
            key: self.key,
            spec: self.spec.clone(),
            reason,
            avoid: inside.slot.rejected(),
            timing: inside.slot.timing(),
        };
        (Waiting(flight), Takeoff { landing, job })
    }

    /// Tells handles to look again.
    fn announce(&self, inside: &mut Inside, now: Now) {
        inside.announced = inside.slot.usable(now).is_some();
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn publish(&self, inside: &Inside, now: Now) {
        let fresh = self.snapshot_of(inside, now);
        self.watch.send_if_modified(|last| {
            let changed = last.state != fresh.state
                || last.renewals != fresh.renewals
                || last.last_error.is_some() != fresh.last_error.is_some();
            *last = fresh;
            changed
        });
    }

    fn snapshot_of(&self, inside: &Inside, now: Now) -> Snapshot {
        Snapshot {
            label: self.spec.label.clone(),
            state: inside.slot.state(now),
            renewals: inside.renewals,
            renewal: inside.renewal.clone(),
            last_error: inside.slot.last_error().cloned(),
            next_attempt: inside.slot.next_attempt(now).map(|wait| now.wall.saturating_add(wait)),
        }
    }

    pub(super) fn snapshot(&self, now: Now) -> Snapshot {
        self.snapshot_of(&self.lock(), now)
    }

    /// `None` for a key that never had a token and whose failure is a verdict:
    /// it does not depend on the server being up. Nor for one that nobody uses.
    pub(super) fn runway(&self, now: Now) -> Option<Duration> {
        let inside = self.lock();
        let hopeless = inside.slot.usable(now).is_none()
            && inside.slot.last_error().is_none_or(|error| error.retry() == Retry::OnDemand);
        (!hopeless && !inside.slot.is_abandoned(now)).then(|| inside.slot.runway(now))
    }

    /// The smaller, the sooner it makes room: first what is not flying, then
    /// what nobody asked for longest.
    pub(super) fn eviction_order(&self) -> (bool, Duration) {
        let inside = self.lock();
        (inside.slot.is_flying(), inside.slot.last_asked())
    }

    pub(crate) fn subscribe(&self) -> Watch {
        Watch(self.watch.subscribe())
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// The token to serve, the generation it belongs to, and the wall-clock
    /// time until which a handle may serve it without asking.
    pub(crate) fn serving(&self, now: Now) -> Option<(Arc<Token>, u64, UnixTime)> {
        let inside = self.lock();
        let token = Arc::clone(inside.slot.usable(now)?);
        Some((token, self.generation.load(Ordering::Acquire), inside.slot.serve_until()?))
    }
}

/// What a flight brings to [`Entry::land`].
pub(crate) struct Landing {
    pub(crate) outcome: Outcome,
    pub(crate) failing: Option<Error>,
    pub(crate) version: u64,
    pub(crate) reason: RenewalReason,
}
