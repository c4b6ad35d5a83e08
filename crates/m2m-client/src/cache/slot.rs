//! The life of one cached token, as a pure state machine: events and readings
//! of the clock in, advice out. No I/O, no waiting, no randomness of its own.
//!
//! States: fresh → due (renewal under way, still served) → usable while
//! failing (renewal fails, still served) → expired (never served).
//!
//! Enforces: one flight at a time; a failure never displaces a usable token; a
//! verdict of the server is tried again on demand only; a rejected token is
//! never served again, and rejections cannot cause a storm of requests; expiry
//! is the earlier of two clocks.
//! Does not enforce: that the advice is followed; the cache does that.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{Backoff, Now};

use crate::error::{Error, Retry};
use crate::token::Token;

#[cfg(test)]
mod tests;

/// Where a cached token stands. The words are the ones of metrics and docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheState {
    /// Served; nothing to do yet.
    Fresh,
    /// Served; renewal is under way or about to start.
    Due,
    /// Served; the last renewal failed, the next attempt waits for its time.
    UsableWhileFailing,
    /// Not served: there is no token, or it is too old, or it was rejected.
    Expired,
}

impl CacheState {
    /// The state as metrics and readiness print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Due => "due",
            Self::UsableWhileFailing => "usable_while_failing",
            Self::Expired => "expired",
        }
    }

    /// Whether a caller gets a token at once.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        !matches!(self, Self::Expired)
    }
}

/// The first wait after a verdict; it doubles up to [`VERDICT_CAP`].
const VERDICT_FIRST: Duration = Duration::from_secs(60);
const VERDICT_CAP: Duration = Duration::from_secs(3600);
/// A server cannot silence a client for longer than this with `Retry-After`.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);
/// Fresh tokens that are rejected too make the floor grow up to this.
const FLOOR_CAP: Duration = Duration::from_secs(300);
/// Serving stops this long before expiry, or a tenth of the life if that is less.
const MARGIN: Duration = Duration::from_secs(5);
/// The share of the lead that jitter may move the renewal forward.
const JITTER: f64 = 0.1;

/// The knobs of one slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// Renewal starts this long before expiry, or half the life if that is less.
    pub(crate) refresh_lead: Duration,
    /// Stable for this process and key, `0.0..1.0`.
    pub(crate) jitter: f64,
    /// After a mint, rejections are not believed for this long.
    pub(crate) reject_floor: Duration,
}

/// Ages at which something happens to a token of a given life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// From this age on it is renewed.
    pub(crate) due: Duration,
    /// From this age on it is not served.
    pub(crate) stop: Duration,
    /// The age at which it expires.
    pub(crate) life: Duration,
}

impl Plan {
    pub(crate) fn new(life: Duration, timing: &Timing) -> Self {
        let lead = timing.refresh_lead.min(life / 2);
        let early = lead.mul_f64(JITTER * timing.jitter.clamp(0.0, 1.0));
        let margin = MARGIN.min(life / 10);
        let stop = life.saturating_sub(margin);
        Self { due: life.saturating_sub(lead + early).min(stop), stop, life }
    }
}

/// How long ago `then` was: the longer of what the two clocks say, so that
/// neither a wall clock set back nor a monotonic clock that slept keeps a
/// token alive.
pub(crate) fn age(then: Now, now: Now) -> Duration {
    now.wall.since(then.wall).max(now.monotonic.saturating_sub(then.monotonic))
}

#[derive(Debug)]
struct Held {
    token: Arc<Token>,
    plan: Plan,
    /// Whether anybody asked for it.
    used: bool,
}

#[derive(Debug)]
struct Failure {
    error: Error,
    /// No attempt before this reading of the monotonic clock.
    until: Duration,
    /// The credential's version with which it failed.
    version: u64,
    /// Whether anybody asked since.
    asked: bool,
}

/// What a caller is told.
#[derive(Clone, Debug)]
pub(crate) enum Advice {
    /// Use it.
    Use(Arc<Token>),
    /// Use it, and start the one renewal (the slot already counts it as flying).
    UseAndRefresh(Arc<Token>),
    /// Wait for the flight under way.
    Join,
    /// The last attempt failed and the next one has to wait: same error, no call.
    Refuse(Error),
    /// Start the one flight and wait for it.
    Fetch,
}

/// What the background driver is told, once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Nothing.
    Idle,
    /// Start a renewal (the slot already counts it as flying).
    Renew,
    /// Nobody used it: forget the key.
    LetGo,
}

/// What became of a rejection.
#[derive(Clone, Debug)]
pub(crate) enum Rejected {
    /// The token is dropped; the next caller starts a flight.
    Dropped,
    /// Another token has taken its place meanwhile: use that.
    Superseded(Arc<Token>),
    /// A renewal is under way or due; join it like any caller.
    Renewing,
    /// Not believed: the token is too young, or was rejected before.
    Ignored,
}

/// One cached token and the history that decides what to do about it.
#[derive(Debug)]
pub(crate) struct Slot {
    timing: Timing,
    held: Option<Held>,
    flying: bool,
    /// Whether somebody waits for the flight and will use its token.
    awaited: bool,
    failure: Option<Failure>,
    /// Failures in a row, transient ones and verdicts apart.
    failures: u32,
    verdicts: u32,
    rejected: Option<[u8; 32]>,
    /// Rejections in a row, each of a token that had just been minted for the last one.
    rejections: u32,
    last_asked: Duration,
}

impl Slot {
    pub(crate) fn new(timing: Timing, asked: Duration) -> Self {
        Self {
            timing,
            held: None,
            flying: false,
            awaited: false,
            failure: None,
            failures: 0,
            verdicts: 0,
            rejected: None,
            rejections: 0,
            last_asked: asked,
        }
    }

    /// A caller wants the token. `version` is the credential's version now.
    pub(crate) fn poll(&mut self, now: Now, version: u64) -> Advice {
        self.last_asked = now.monotonic;
        let blocked = self.blocked(now, version);
        if let Some(held) = self.held.as_mut().filter(|held| age(held.token.obtained(), now) < held.plan.stop)
        {
            held.used = true;
            let token = Arc::clone(&held.token);
            let due = age(token.obtained(), now) >= held.plan.due;
            if due && !self.flying && !blocked {
                self.flying = true;
                return Advice::UseAndRefresh(token);
            }
            return Advice::Use(token);
        }
        if self.flying {
            self.awaited = true;
            return Advice::Join;
        }
        match &mut self.failure {
            Some(failure) if blocked => {
                failure.asked = true;
                Advice::Refuse(failure.error.clone())
            }
            _ => {
                self.flying = true;
                self.awaited = true;
                Advice::Fetch
            }
        }
    }

    /// The driver's turn. Verdicts are never retried here, and an expired key
    /// is retried only if somebody asked since the last attempt.
    pub(crate) fn tick(&mut self, now: Now, version: u64) -> Chore {
        if self.flying {
            return Chore::Idle;
        }
        let blocked = self.blocked(now, version);
        let verdict = self
            .failure
            .as_ref()
            .is_some_and(|failure| failure.error.retry() == Retry::OnDemand && failure.version == version);
        match &self.held {
            Some(held) if age(held.token.obtained(), now) < held.plan.stop => {
                if age(held.token.obtained(), now) < held.plan.due || blocked || verdict || !held.used {
                    return Chore::Idle;
                }
            }
            Some(held) if !held.used => return Chore::LetGo,
            // It expired in use, before a renewal was tried: the machine slept, or a clock jumped.
            Some(_) if self.failure.is_none() => {}
            _ => match &self.failure {
                Some(failure) if failure.asked && !blocked && !verdict => {}
                Some(_) if now.monotonic.saturating_sub(self.last_asked) < VERDICT_CAP => return Chore::Idle,
                Some(_) => return Chore::LetGo,
                // Dropped by a rejection: somebody will ask, or nobody.
                None if now.monotonic.saturating_sub(self.last_asked) < VERDICT_FIRST => return Chore::Idle,
                None => return Chore::LetGo,
            },
        }
        self.flying = true;
        Chore::Renew
    }

    /// A forced renewal: starts a flight whatever the token's age, unless one
    /// is under way. `true` if the caller has to start it.
    pub(crate) fn force(&mut self) -> bool {
        self.awaited = true;
        !std::mem::replace(&mut self.flying, true)
    }

    /// The flight brought a token. `false` if it is already too old to serve.
    pub(crate) fn store(&mut self, token: Arc<Token>, now: Now) -> bool {
        let plan = Plan::new(token.life(), &self.timing);
        let usable = age(token.obtained(), now) < plan.stop;
        self.flying = false;
        let used = std::mem::take(&mut self.awaited);
        if !usable {
            return false;
        }
        if self.held.is_some() {
            // A renewal that nothing forced: the last token lived well.
            self.rejections = 0;
        }
        self.failure = None;
        self.failures = 0;
        self.verdicts = 0;
        self.held = Some(Held { token, plan, used });
        true
    }

    /// The flight failed. `fraction` (`0.0..1.0`) is the jitter of the backoff,
    /// `version` the credential's version that was used.
    pub(crate) fn fail(&mut self, error: &Error, now: Now, fraction: f64, version: u64) {
        self.flying = false;
        self.awaited = false;
        let wait = match error.retry() {
            Retry::Soon => self.transient(Backoff::default(), fraction),
            Retry::Slow => {
                let cap = Backoff::default().cap;
                self.transient(Backoff { first: cap, ..Backoff::default() }, fraction)
            }
            Retry::OnDemand => {
                let wait = VERDICT_FIRST.saturating_mul(1 << self.verdicts.min(6)).min(VERDICT_CAP);
                self.verdicts = self.verdicts.saturating_add(1);
                wait
            }
        };
        let asked_to = error.retry_after().unwrap_or_default().min(RETRY_AFTER_CAP);
        let until = now.monotonic.saturating_add(wait.max(asked_to));
        self.failure = Some(Failure { error: error.clone(), until, version, asked: false });
    }

    fn transient(&mut self, backoff: Backoff, fraction: f64) -> Duration {
        let wait = backoff.delay(self.failures, fraction);
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// Somebody was refused with the token of this digest.
    pub(crate) fn reject(&mut self, digest: &[u8; 32], now: Now) -> Rejected {
        let Some(held) = &self.held else { return Rejected::Renewing };
        let aged = age(held.token.obtained(), now);
        if held.token.digest() != digest {
            if aged < held.plan.stop {
                return Rejected::Superseded(Arc::clone(&held.token));
            }
            return Rejected::Renewing;
        }
        let floor = self.timing.reject_floor.saturating_mul(1 << self.rejections.min(8)).min(FLOOR_CAP);
        let floor = floor.min(held.plan.life / 2);
        if aged < floor || self.rejected.as_ref() == Some(digest) {
            return Rejected::Ignored;
        }
        self.rejected = Some(*digest);
        self.rejections = self.rejections.saturating_add(1);
        self.held = None;
        Rejected::Dropped
    }

    /// Drops the token whatever its state: it was revoked, or its key is gone.
    pub(crate) fn forget(&mut self) -> Option<Arc<Token>> {
        self.held.take().map(|held| held.token)
    }

    /// Whether the last failure still forbids an attempt. A change of the
    /// credential ends the wait for verdicts and for unreadable secrets.
    pub(crate) fn blocked(&self, now: Now, version: u64) -> bool {
        let Some(failure) = &self.failure else { return false };
        let local = failure.error.retry() == Retry::OnDemand
            || failure.error.kind() == crate::ErrorKind::SecretUnavailable;
        now.monotonic < failure.until && !(local && failure.version != version)
    }

    /// The token that may be served now.
    pub(crate) fn usable(&self, now: Now) -> Option<&Arc<Token>> {
        let held = self.held.as_ref()?;
        (age(held.token.obtained(), now) < held.plan.stop).then_some(&held.token)
    }

    pub(crate) fn state(&self, now: Now) -> CacheState {
        let Some(held) = &self.held else { return CacheState::Expired };
        let aged = age(held.token.obtained(), now);
        if aged >= held.plan.stop {
            CacheState::Expired
        } else if aged < held.plan.due {
            CacheState::Fresh
        } else if self.failure.is_some() {
            CacheState::UsableWhileFailing
        } else {
            CacheState::Due
        }
    }

    /// How long the token will still be served; zero if it is not.
    pub(crate) fn runway(&self, now: Now) -> Duration {
        self.held
            .as_ref()
            .map_or(Duration::ZERO, |held| held.plan.stop.saturating_sub(age(held.token.obtained(), now)))
    }

    /// Whether the token is due and not renewed, because nobody used it.
    pub(crate) fn is_abandoned(&self, now: Now) -> bool {
        self.held.as_ref().is_some_and(|held| !held.used && age(held.token.obtained(), now) >= held.plan.due)
    }

    /// How long until the next attempt is wanted, as far as it is known.
    pub(crate) fn next_attempt(&self, now: Now) -> Option<Duration> {
        let waiting = self.failure.as_ref().map(|failure| failure.until.saturating_sub(now.monotonic));
        let due =
            self.held.as_ref().map(|held| held.plan.due.saturating_sub(age(held.token.obtained(), now)));
        match (due, waiting) {
            (Some(due), Some(waiting)) => Some(due.max(waiting)),
            (due, waiting) => due.or(waiting),
        }
    }

    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// The wall-clock time from which the held token is not served.
    pub(crate) fn serve_until(&self) -> Option<m2m_proto::time::UnixTime> {
        let held = self.held.as_ref()?;
        Some(held.token.obtained().wall.saturating_add(held.plan.stop))
    }

    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }

    pub(crate) fn is_flying(&self) -> bool {
        self.flying
    }

    /// When somebody last asked, by the monotonic clock: the order of eviction.
    pub(crate) fn last_asked(&self) -> Duration {
        self.last_asked
    }

    /// The digest of the token that was rejected last: a store must not hand it back.
    pub(crate) fn rejected(&self) -> Option<[u8; 32]> {
        self.rejected
    }
}
