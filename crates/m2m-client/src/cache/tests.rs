//! The cache against a minter that needs no network.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use m2m_io::{BoxFuture, Clock};
use tokio::sync::Semaphore;

use super::{CacheKey, CacheSettings, CacheState, Identity, Job, Minted, Minter, Rotation, TokenCache};
use crate::ErrorKind;
use crate::error::{Error, Fault};
use crate::spec::TokenSpec;
use crate::testing::{TestClock, TestRandom, seconds, settle, token};
use crate::token::Token;

/// Mints `t1`, `t2`, … unless it was told otherwise; can be held.
#[derive(Debug)]
struct TestMinter {
    clock: TestClock,
    life: AtomicU64,
    minted: AtomicU64,
    version: AtomicU64,
    gate: Semaphore,
    failures: Mutex<VecDeque<Error>>,
}

impl TestMinter {
    fn minted(&self) -> u64 {
        self.minted.load(Ordering::SeqCst)
    }

    fn fail_next(&self, error: Error) {
        self.failures.lock().unwrap().push_back(error);
    }

    fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn release(&self) {
        self.gate.add_permits(1000);
    }
}

fn unwrapped(token: Arc<Token>) -> Token {
    Arc::try_unwrap(token).unwrap()
}

impl Minter for TestMinter {
    fn mint<'a>(&'a self, _job: &'a Job) -> BoxFuture<'a, Result<Minted, Error>> {
        Box::pin(async move {
            let number = self.minted.fetch_add(1, Ordering::SeqCst) + 1;
            let asked = self.clock.now();
            self.gate.acquire().await.unwrap().forget();
            let failure = self.failures.lock().unwrap().pop_front();
            match failure {
                Some(error) if error.kind() == ErrorKind::Internal => panic!("the minter breaks"),
                Some(error) => Err(error),
                None => {
                    let life = seconds(self.life.load(Ordering::SeqCst));
                    let token = unwrapped(token(&format!("t{number}"), asked, life));
                    Ok(Minted { token, failing: None })
                }
            }
        })
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    fn look(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct World {
    clock: TestClock,
    minter: Arc<TestMinter>,
    cache: Arc<TokenCache>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut CacheSettings)) -> Self {
        let clock = TestClock::new();
        let minter = Arc::new(TestMinter {
            clock: clock.clone(),
            life: AtomicU64::new(3600),
            minted: AtomicU64::new(0),
            version: AtomicU64::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            failures: Mutex::default(),
        });
        let mut settings = CacheSettings {
            refresh_lead: seconds(300),
            reject_floor: seconds(10),
            mint_deadline: seconds(10),
            max_keys: 100,
            rotation: Rotation::Keep,
            label: "test".into(),
        };
        change(&mut settings);
        let random = Arc::new(TestRandom::seeded(7));
        let cache = TokenCache::new(
            Arc::clone(&minter) as Arc<dyn Minter>,
            Arc::new(clock.clone()),
            random,
            settings,
        );
        Self { clock, minter, cache }
    }

    fn entry(&self, audience: &str) -> Arc<super::Entry> {
        let spec = TokenSpec::new().audience(audience);
        self.cache.entry(CacheKey::new(&Identity::default(), &spec), || spec)
    }

    async fn get(&self, audience: &str) -> Result<String, Error> {
        let token = self.cache.token(&self.entry(audience)).await?;
        Ok(token.access_token().expose().to_owned())
    }
}

#[tokio::test]
async fn ten_thousand_cold_callers_cause_one_request() {
    let world = World::new();
    world.minter.hold();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let (cache, entry) = (Arc::clone(&world.cache), world.entry("a"));
        callers.spawn(async move { cache.token(&entry).await.unwrap().access_token().expose().to_owned() });
    }
    settle().await;
    world.minter.release();
    let mut served = 0;
    while let Some(token) = callers.join_next().await {
        assert_eq!(token.unwrap(), "t1");
        served += 1;
    }
    assert_eq!((served, world.minter.minted()), (10_000, 1));
}

/// huskarl's refresh lives in its caller's future and dies with it.
#[tokio::test]
async fn a_caller_that_gives_up_does_not_stop_the_flight() {
    let world = World::new();
    world.minter.hold();
    let entry = world.entry("a");
    {
        let call = world.cache.token(&entry);
        tokio::pin!(call);
        assert!(futures_poll_once(&mut call).await.is_none());
    }
    settle().await;
    world.minter.release();
    settle().await;
    assert_eq!(world.get("a").await.unwrap(), "t1");
    assert_eq!(world.minter.minted(), 1);
}

/// Polls once; the future is pending.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// With a hung server, huskarl's queued callers each try in turn.
#[tokio::test]
async fn a_failure_is_shared_by_everyone_who_waited() {
    let world = World::new();
    world.minter.hold();
    world.minter.fail_next(Error::of(Fault::Timeout));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (cache, entry) = (Arc::clone(&world.cache), world.entry("a"));
        callers.spawn(async move { cache.token(&entry).await.unwrap_err().kind() });
    }
    settle().await;
    world.minter.release();
    while let Some(kind) = callers.join_next().await {
        assert_eq!(kind.unwrap(), ErrorKind::Unreachable);
    }
    assert_eq!(world.minter.minted(), 1);
    // And whoever comes next, while it backs off, gets it at once.
    assert_eq!(world.get("a").await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(world.minter.minted(), 1);
}

/// Refreshing one scope of azure_identity blocks reads of every other.
#[tokio::test]
async fn one_keys_flight_does_not_hold_up_another_key() {
    let world = World::new();
    assert_eq!(world.get("a").await.unwrap(), "t1");
    world.minter.hold();
    let (cache, slow) = (Arc::clone(&world.cache), world.entry("slow"));
    let waiting = crate::testing::spawned(async move { cache.token(&slow).await.is_ok() });
    settle().await;
    assert_eq!(world.get("a").await.unwrap(), "t1");
    world.minter.release();
    assert!(waiting.await.unwrap());
}

#[tokio::test]
async fn the_server_dies_and_comes_back() {
    let world = World::new();
    assert_eq!(world.get("a").await.unwrap(), "t1");
    // Down from the time the token is due until long after it has expired.
    for _ in 0..400 {
        world.minter.fail_next(Error::of(Fault::Connect { reason: "refused".into() }));
    }
    world.clock.advance(seconds(3300));
    settle().await;
    world.clock.pass(200).await;
    assert_eq!(world.get("a").await.unwrap(), "t1", "served while the renewal fails");
    assert_eq!(world.cache.snapshot(&world.entry("a")).state, CacheState::UsableWhileFailing);
    world.clock.pass(120).await;
    assert_eq!(world.get("a").await.unwrap_err().kind(), ErrorKind::Unreachable, "expired is expired");
    let attempts = world.minter.minted();
    assert!((8..40).contains(&attempts), "{attempts} attempts in 320 s");
    // Back again: whoever asked has a token within the longest backoff.
    world.minter.failures.lock().unwrap().clear();
    world.clock.pass(31).await;
    assert!(world.get("a").await.unwrap().starts_with('t'));
    assert_eq!(world.cache.snapshot(&world.entry("a")).state, CacheState::Fresh);
}

#[tokio::test]
async fn a_key_in_use_is_renewed_before_it_expires_without_anybody_waiting() {
    let world = World::new();
    world.get("a").await.unwrap();
    let fresh = world.entry("a");
    world.get("a").await.unwrap();
    world.clock.advance(seconds(3299));
    settle().await;
    world.clock.pass(2).await;
    assert_eq!(world.minter.minted(), 2);
    assert_eq!(world.cache.snapshot(&fresh).renewals, 2);
    assert_eq!(world.get("a").await.unwrap(), "t2");
}

#[tokio::test]
async fn an_unused_key_is_let_go() {
    let world = World::new();
    world.get("a").await.unwrap();
    world.get("a").await.unwrap();
    // In use until the first renewal, then no more.
    for _ in 0..3 {
        world.clock.advance(seconds(3599));
        settle().await;
        world.clock.pass(2).await;
    }
    assert_eq!(world.minter.minted(), 2);
    assert_eq!(world.cache.len(), 0);
    assert_eq!(world.get("a").await.unwrap(), "t3", "and comes back when it is wanted");
}

#[tokio::test]
async fn the_number_of_keys_is_bounded() {
    let world = World::with(|settings| settings.max_keys = 3);
    for audience in ["a", "b", "c"] {
        world.get(audience).await.unwrap();
        world.clock.advance(seconds(1));
    }
    world.get("a").await.unwrap();
    world.clock.advance(seconds(1));
    world.get("d").await.unwrap();
    assert_eq!(world.cache.len(), 3);
    // `b` was not asked for longest.
    assert_eq!(world.minter.minted(), 4);
    for audience in ["a", "c", "d"] {
        world.get(audience).await.unwrap();
    }
    assert_eq!(world.minter.minted(), 4);
    world.get("b").await.unwrap();
    assert_eq!(world.minter.minted(), 5);
}

#[tokio::test]
async fn a_flight_that_hangs_ends_at_the_deadline_and_the_next_one_starts() {
    let world = World::new();
    world.minter.hold();
    let (cache, entry) = (Arc::clone(&world.cache), world.entry("a"));
    let waiting = crate::testing::spawned(async move { cache.token(&entry).await.unwrap_err() });
    settle().await;
    world.clock.advance(seconds(10));
    let error = waiting.await.unwrap();
    assert!(error.is_transient());
    assert_eq!(error.to_string(), "no token within 10 s");
    world.minter.release();
    world.clock.advance(seconds(1));
    assert_eq!(world.get("a").await.unwrap(), "t2");
}

/// A torn read once disabled refresh in google-cloud-auth for the process's life.
#[tokio::test]
async fn a_flight_that_breaks_is_a_failure_like_any_other() {
    let world = World::new();
    world.minter.fail_next(Error::internal("x"));
    let error = world.get("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.is_transient());
    world.clock.advance(seconds(1));
    assert_eq!(world.get("a").await.unwrap(), "t2");
}

/// The runtime in which a flight was started may end before it.
#[test]
fn a_runtime_that_ends_takes_no_key_with_it() {
    let world = World::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    world.minter.hold();
    runtime().block_on(async {
        let entry = world.entry("a");
        let call = world.cache.token(&entry);
        tokio::pin!(call);
        assert!(futures_poll_once(&mut call).await.is_none());
        settle().await;
    });
    world.minter.release();
    world.clock.advance(seconds(1));
    assert_eq!(runtime().block_on(world.get("a")).unwrap(), "t2");
    // The driver died with the first runtime and lives again in the second.
    assert!(!world.cache.driving.load(Ordering::SeqCst));
}

#[tokio::test]
async fn wall_clock_set_back_does_not_keep_an_expired_token_alive() {
    let world = World::new();
    world.get("a").await.unwrap();
    let generation = world.entry("a").generation();
    world.clock.wall_back(seconds(86_400));
    world.clock.advance(seconds(3596));
    settle().await;
    world.clock.pass(1).await;
    // Handles read the wall clock only; the driver tells them to look again.
    assert!(world.entry("a").generation() > generation);
    assert_eq!(world.get("a").await.unwrap(), "t2");
}

#[tokio::test]
async fn wall_clock_set_forward_costs_one_renewal() {
    let world = World::new();
    world.get("a").await.unwrap();
    world.clock.set_wall(86_400 * 365);
    assert_eq!(world.get("a").await.unwrap(), "t2");
    world.clock.pass(5).await;
    assert_eq!(world.get("a").await.unwrap(), "t2");
    assert_eq!(world.minter.minted(), 2);
}

#[tokio::test]
async fn jitter_is_stable_for_a_process_and_differs_between_processes_and_keys() {
    let fraction = |seed: u8, audience: &str| {
        let key = CacheKey::new(&Identity::default(), &TokenSpec::new().audience(audience));
        super::stable_fraction(&[seed; 16], &key)
    };
    assert!((fraction(1, "a") - fraction(1, "a")).abs() < f64::EPSILON);
    assert!((fraction(1, "a") - fraction(2, "a")).abs() > f64::EPSILON);
    assert!((fraction(1, "a") - fraction(1, "b")).abs() > f64::EPSILON);
    assert!((0..100).all(|seed| (0.0..1.0).contains(&fraction(seed, "a"))));
    let world = World::new();
    assert_eq!(world.entry("a").generation(), world.entry("a").generation());
}

#[tokio::test]
async fn a_watcher_sees_each_renewal_and_each_change_of_state() {
    let world = World::new();
    let entry = world.entry("a");
    let mut watch = entry.subscribe();
    assert_eq!(watch.snapshot().state, CacheState::Expired);
    world.get("a").await.unwrap();
    let seen = watch.changed().await.unwrap();
    assert_eq!((seen.state, seen.renewals), (CacheState::Fresh, 1));
    let renewal = seen.renewal.unwrap();
    assert_eq!(renewal.reason, super::RenewalReason::Missing);
    world.get("a").await.unwrap();
    world.minter.fail_next(Error::of(Fault::Timeout));
    world.clock.advance(seconds(3300));
    settle().await;
    let mut states = vec![watch.changed().await.unwrap().state];
    while states.last() != Some(&CacheState::UsableWhileFailing) {
        states.push(watch.changed().await.unwrap().state);
    }
    assert!(watch.snapshot().last_error.is_some());
}

#[tokio::test]
async fn the_runway_is_that_of_the_key_in_most_danger() {
    let world = World::new();
    assert_eq!(world.cache.runway(), None);
    world.get("a").await.unwrap();
    world.clock.advance(seconds(100));
    world.minter.life.store(600, Ordering::SeqCst);
    world.get("b").await.unwrap();
    assert_eq!(world.cache.runway(), Some(seconds(595)));
    // A key that the server refuses for good says nothing about an outage.
    let code = m2m_proto::error::ErrorCode::InvalidScope;
    world.minter.fail_next(Error::of(Fault::Refused {
        status: 400,
        code,
        said: None,
        description: None,
        uri: None,
    }));
    world.get("c").await.unwrap_err();
    assert_eq!(world.cache.runway(), Some(seconds(595)));
    world.minter.fail_next(Error::of(Fault::Timeout));
    world.get("d").await.unwrap_err();
    assert_eq!(world.cache.runway(), Some(seconds(0)));
}

// spec-test: 8705-C3
#[tokio::test]
async fn a_new_certificate_means_new_tokens() {
    let world = World::with(|settings| settings.rotation = Rotation::Drop);
    world.get("a").await.unwrap();
    world.clock.pass(2).await;
    assert_eq!(world.get("a").await.unwrap(), "t1");
    world.minter.version.store(1, Ordering::SeqCst);
    world.clock.pass(1).await;
    assert_eq!(world.get("a").await.unwrap(), "t2");
}

#[tokio::test]
async fn a_forced_renewal_joins_the_flight_under_way_and_keeps_the_old_token_if_it_fails() {
    let world = World::new();
    world.get("a").await.unwrap();
    world.minter.fail_next(Error::of(Fault::Timeout));
    world.cache.renew(&world.entry("a")).await.unwrap_err();
    assert_eq!(world.get("a").await.unwrap(), "t1");
    let entry = world.entry("a");
    let (one, two) = tokio::join!(world.cache.renew(&entry), world.cache.renew(&entry));
    assert_eq!(one.unwrap().digest(), two.unwrap().digest());
    assert_eq!(world.minter.minted(), 3);
}

#[tokio::test]
async fn dropping_the_cache_ends_the_driver() {
    let world = World::new();
    world.get("a").await.unwrap();
    let weak = Arc::downgrade(&world.cache);
    let clock = world.clock.clone();
    drop(world);
    clock.advance(seconds(1));
    settle().await;
    assert!(weak.upgrade().is_none());
}
