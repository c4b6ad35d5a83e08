//! The cache of tokens: one entry for each key, one flight at a time for each
//! entry, and a driver that renews what is in use.
//!
//! A flight belongs to its entry, not to the caller who started it: callers
//! come and go, the flight lands, and everyone who waited gets its result. The
//! decisions are the slot's ([`slot`]); this module only carries them out.

mod entry;
mod flight;
mod key;
pub(crate) mod slot;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use m2m_io::{BoxFuture, Clock, Now, Random, task};

use crate::error::{Error, Fault};
use crate::observe;
use crate::spec::TokenSpec;
use crate::token::Token;

pub(crate) use entry::{Ask, Entry};
pub use entry::{Renewal, Snapshot, Watch};
pub use key::CacheKey;
pub(crate) use key::Identity;
pub use slot::CacheState;
use slot::{Chore, Timing};
pub(crate) use slot::{Plan, Rejected, age};

/// How often the driver looks at the clocks.
const TICK: Duration = Duration::from_secs(1);
/// How often a waiter that lost its flight asks again.
const ROUNDS: usize = 3;

/// Why a flight starts. Label of metrics; the store's rules depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RenewalReason {
    /// There was no usable token.
    Missing,
    /// The token was due.
    Due,
    /// An API rejected the token.
    Rejected,
    /// The application asked for a new one.
    Forced,
}

impl RenewalReason {
    /// The reason as metrics print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Due => "due",
            Self::Rejected => "rejected",
            Self::Forced => "forced",
        }
    }
}

/// One order to get a token.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) key: CacheKey,
    pub(crate) spec: TokenSpec,
    pub(crate) reason: RenewalReason,
    /// The digest of a token that an API rejected: a store must not bring it back.
    pub(crate) avoid: Option<[u8; 32]>,
    /// The slot's own times: what is fresh elsewhere may be due here.
    pub(crate) timing: Timing,
}

/// What a flight brings home.
#[derive(Debug)]
pub(crate) struct Minted {
    pub(crate) token: Token,
    /// The renewal failed; the token is an older one out of the store that can
    /// still be used.
    pub(crate) failing: Option<Error>,
}

/// Gets tokens; knows the protocol, while the cache knows time and waiting.
pub(crate) trait Minter: Send + Sync + fmt::Debug {
    fn mint<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Minted, Error>>;

    /// Changes when the credential's source changes.
    fn version(&self) -> u64;

    /// Brings [`Minter::version`] up to date, as far as that is cheap.
    fn look(&self) -> BoxFuture<'_, ()>;
}

/// What a new credential means for tokens that the last one obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// They stay good.
    Keep,
    /// They are bound to a certificate that is gone (RFC 8705 section 3).
    Drop,
}

/// The settings of a cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheSettings {
    pub(crate) refresh_lead: Duration,
    pub(crate) reject_floor: Duration,
    pub(crate) mint_deadline: Duration,
    pub(crate) max_keys: usize,
    pub(crate) rotation: Rotation,
    /// The client's name in metrics.
    pub(crate) label: String,
}

/// All tokens of one client.
#[derive(Debug)]
pub(crate) struct TokenCache {
    minter: Arc<dyn Minter>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: CacheSettings,
    /// Drawn once, so that this process renews at its own moments, and at the
    /// same moments every time.
    seed: [u8; 16],
    entries: RwLock<HashMap<CacheKey, Arc<Entry>>>,
    driving: AtomicBool,
    /// When the credential was last looked at: milliseconds of the monotonic clock.
    looked: AtomicU64,
    /// The labels whose gauges are set.
    shown: Mutex<HashSet<String>>,
}

impl TokenCache {
    pub(crate) fn new(
        minter: Arc<dyn Minter>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: CacheSettings,
    ) -> Arc<Self> {
        let mut seed = [0; 16];
        random.fill(&mut seed);
        let (entries, driving) = (RwLock::default(), AtomicBool::new(false));
        Arc::new(Self {
            minter,
            clock,
            random,
            settings,
            seed,
            entries,
            driving,
            looked: AtomicU64::new(0),
            shown: Mutex::default(),
        })
    }

    /// The entry of `key`, made if it is not there. The number of entries is
    /// bounded: the one that nobody asked for longest makes room.
    pub(crate) fn entry(self: &Arc<Self>, key: CacheKey, spec: impl FnOnce() -> TokenSpec) -> Arc<Entry> {
        if let Some(entry) = self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(entry);
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&key) {
            return Arc::clone(entry);
        }
        if entries.len() >= self.settings.max_keys.max(1) {
            let oldest = entries.values().min_by_key(|entry| entry.eviction_order()).map(|entry| entry.key);
            if let Some(evicted) = oldest.and_then(|key| entries.remove(&key)) {
                evicted.retire();
                observe::evicted(&self.settings.label);
            }
        }
        let entry = Arc::new(Entry::new(key, spec(), self.timing(&key), self.clock.monotonic()));
        entries.insert(key, Arc::clone(&entry));
        entry
    }

    /// The entry of `key`, if it is there.
    pub(crate) fn known(&self, key: &CacheKey) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn timing(&self, key: &CacheKey) -> Timing {
        Timing {
            refresh_lead: self.settings.refresh_lead,
            jitter: stable_fraction(&self.seed, key),
            reject_floor: self.settings.reject_floor,
        }
    }

    /// A usable token: the cached one, or the result of the one flight.
    pub(crate) async fn token(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<Arc<Token>, Error> {
        for _ in 0..ROUNDS {
            let asked = match self.ask(entry) {
                // Unless the credential has changed since.
                Ask::Refused(_) => {
                    self.look().await;
                    self.ask(entry)
                }
                asked => asked,
            };
            match asked {
                Ask::Ready(token) => return Ok(token),
                Ask::Refused(error) => return Err(error),
                Ask::Wait(mut flight) => {
                    if let Some(outcome) = flight.outcome().await {
                        return outcome;
                    }
                }
            }
        }
        Err(Error::of(Fault::Lost))
    }

    /// Asks without waiting; starts a flight where one is wanted.
    pub(crate) fn ask(self: &Arc<Self>, entry: &Arc<Entry>) -> Ask {
        let (ask, takeoff) = entry.ask(self.clock.now(), || self.minter.version());
        if let Some(takeoff) = takeoff {
            self.launch(entry, takeoff);
        }
        self.ensure_driver();
        ask
    }

    /// A token newer than whatever is cached; joins a flight that is under way.
    /// An order: it waits for no backoff.
    pub(crate) async fn renew(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<Arc<Token>, Error> {
        let (mut flight, takeoff) = entry.force();
        if let Some(takeoff) = takeoff {
            self.launch(entry, takeoff);
        }
        self.ensure_driver();
        flight.outcome().await.unwrap_or_else(|| Err(Error::of(Fault::Lost)))
    }

    /// The failure because of which nobody should ask now.
    pub(crate) fn backing_off(&self, entry: &Entry) -> Option<Error> {
        entry.backing_off(self.clock.now(), || self.minter.version())
    }

    /// See [`slot::Slot::reject`].
    pub(crate) fn reject(&self, entry: &Entry, token: &Token) -> Rejected {
        let rejected = entry.reject(token.digest(), self.clock.now());
        observe::rejected(&self.settings.label, &rejected);
        rejected
    }

    /// Drops the token of this entry; the next caller starts anew.
    pub(crate) fn forget(&self, entry: &Entry) -> Option<Arc<Token>> {
        entry.forget(self.clock.now())
    }

    /// Drops the token of this digest wherever it is held.
    pub(crate) fn forget_token(&self, digest: &[u8; 32]) {
        let now = self.clock.now();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().for_each(|entry| entry.forget_token(digest, now));
    }

    pub(crate) fn snapshot(&self, entry: &Entry) -> Snapshot {
        entry.snapshot(self.clock.now())
    }

    /// How long every key with a token, or with hope for one, can be served if
    /// the server dies now; `None` without such keys.
    pub(crate) fn runway(&self) -> Option<Duration> {
        let now = self.clock.now();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter_map(|entry| entry.runway(now)).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    fn launch(self: &Arc<Self>, entry: &Arc<Entry>, takeoff: entry::Takeoff) {
        let flight = flight::Flight::new(Arc::clone(self), Arc::clone(entry), takeoff);
        task::spawn_detached("m2m token flight", flight.fly());
    }

    /// Starts the driver if it is not running. It stops when there are no keys
    /// or when the cache is gone, and is started again by the next caller.
    fn ensure_driver(self: &Arc<Self>) {
        if self.driving.load(Ordering::Acquire) || self.driving.swap(true, Ordering::AcqRel) {
            return;
        }
        let driver = Driver { cache: Arc::downgrade(self), clock: Arc::clone(&self.clock), done: false };
        task::spawn_detached("m2m token driver", driver.drive());
    }

    /// Asks whether the credential has changed; once a second at most, however
    /// many callers are being refused.
    async fn look(&self) {
        let now = u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX);
        let last = self.looked.load(Ordering::Acquire);
        let due = now.saturating_sub(last) >= u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX);
        if due && self.looked.compare_exchange(last, now, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.look_now().await;
        }
    }

    /// Asks it now. A source that hangs holds nobody up for longer than a tick.
    async fn look_now(&self) {
        tokio::select! {
            biased;
            () = self.minter.look() => {}
            () = self.clock.sleep(TICK) => {}
        }
    }

    /// Whether it matters if the credential has changed.
    fn wants_look(&self) -> bool {
        self.settings.rotation == Rotation::Drop
            || self
                .entries
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .any(|entry| entry.is_failing())
    }

    /// One look at every entry. `false` when there are none left.
    fn sweep(self: &Arc<Self>) -> bool {
        let (now, version) = (self.clock.now(), self.minter.version());
        let entries: Vec<Arc<Entry>> =
            self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut labels = HashMap::new();
        for entry in entries {
            if self.settings.rotation == Rotation::Drop {
                entry.forget_unless(version, now);
            }
            let (chore, takeoff) = entry.tick(now, version);
            if let Some(takeoff) = takeoff {
                self.launch(&entry, takeoff);
            }
            if chore == Chore::LetGo && self.let_go(&entry, now) {
                continue;
            }
            let seen = labels.entry(entry.spec.label.clone()).or_insert((CacheState::Fresh, None));
            *seen = worse(*seen, (entry.snapshot(now).state, entry.runway(now)));
        }
        self.show(labels);
        observe::keys(&self.settings.label, self.len());
        let entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.is_empty() {
            self.driving.store(false, Ordering::Release);
        }
        !entries.is_empty()
    }

    /// Sets the gauges of each label, and clears those of labels that are gone.
    fn show(&self, labels: HashMap<String, Standing>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.iter().filter(|label| !labels.contains_key(*label)) {
            observe::gone(&self.settings.label, gone);
        }
        *shown = labels.keys().cloned().collect();
        for (label, (state, runway)) in labels {
            observe::label(&self.settings.label, &label, state, runway);
        }
    }

    fn let_go(&self, entry: &Arc<Entry>, now: Now) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have asked since the driver looked.
        let idle = entry.retire_if_idle(now);
        if idle {
            entries.remove(&entry.key);
            tracing::debug!(key = %entry.spec.label, "token let go: nobody used it");
        }
        idle
    }
}

/// The background task: holds the cache weakly, so that dropping the client ends it.
struct Driver {
    cache: Weak<TokenCache>,
    clock: Arc<dyn Clock>,
    /// The sweep has said so itself; another driver may have started since.
    done: bool,
}

impl Driver {
    async fn drive(mut self) {
        loop {
            self.clock.sleep(TICK).await;
            let Some(cache) = self.cache.upgrade() else { return };
            if cache.wants_look() {
                cache.look().await;
            }
            if !cache.sweep() {
                self.done = true;
                return;
            }
        }
    }
}

impl Drop for Driver {
    /// A runtime that shuts down takes the driver with it; the next caller, in
    /// another runtime, starts a new one.
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade().filter(|_| !self.done) {
            cache.driving.store(false, Ordering::Release);
        }
    }
}

/// How a key stands: its state, and its runway if it has one.
type Standing = (CacheState, Option<Duration>);

/// Several keys may share a label: the metric shows the one in most danger.
fn worse(a: Standing, b: Standing) -> Standing {
    (a.0.max(b.0), [a.1, b.1].into_iter().flatten().min())
}

/// A number in `0.0..1.0` that is the same for this process and key, always.
fn stable_fraction(seed: &[u8; 16], key: &CacheKey) -> f64 {
    let mut bytes = seed.to_vec();
    bytes.extend_from_slice(key.as_bytes());
    let [a, b, c, d, ..] = m2m_proto::jose::crypto::sha256(&bytes);
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}
