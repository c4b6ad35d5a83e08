//! The tests that every [`Store`] must pass, whatever it is made of.
//!
//! Test-only: it panics with the sentence that was broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;

use super::{Consumption, Store, StoreError, TokenRef, TokenStatus};
use crate::registry::{Change, Client, Conflict, Status};
use crate::replay::ReplayKey;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn key(name: &str, expires_at: u64) -> ReplayKey {
    ReplayKey::for_test(name, at(expires_at))
}

/// Runs every test, each on a store of its own from `make`.
///
/// # Panics
/// When the store breaks one of the rules.
pub async fn run(make: &(dyn Fn() -> Arc<dyn Store> + Sync)) {
    consumes_once(&*make()).await;
    consumes_all_or_none(&*make()).await;
    refuses_a_key_given_twice_in_one_call(&*make()).await;
    forgets_at_expiry_and_not_before(&*make()).await;
    admits_one_of_many_at_once(make()).await;
    revokes_for_the_rest_of_the_life(&*make()).await;
    changes_are_seen_at_once_and_whole(&*make()).await;
}

async fn consumes_once(store: &dyn Store) {
    let once = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(once, Ok(Consumption::Recorded), "a fresh key is recorded");
    let again = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(again, Ok(Consumption::Replayed(0)), "a known key is a replay");
    let nothing = store.consume(&[], at(10)).await;
    assert_eq!(nothing, Ok(Consumption::Recorded), "no key, no replay");
}

async fn consumes_all_or_none(store: &dyn Store) {
    let first = store.consume(&[key("proof", 20)], at(10)).await;
    assert_eq!(first, Ok(Consumption::Recorded), "a fresh key is recorded");
    let mixed = store.consume(&[key("assertion", 20), key("proof", 20)], at(10)).await;
    assert_eq!(mixed, Ok(Consumption::Replayed(1)), "one known key refuses all");
    let left = store.consume(&[key("assertion", 20)], at(10)).await;
    assert_eq!(left, Ok(Consumption::Recorded), "the other key of a refused call was not recorded");
}

async fn refuses_a_key_given_twice_in_one_call(store: &dyn Store) {
    let twice = store.consume(&[key("a", 20), key("a", 20)], at(10)).await;
    assert_eq!(twice, Ok(Consumption::Replayed(1)), "one key for two purposes is a replay");
}

async fn forgets_at_expiry_and_not_before(store: &dyn Store) {
    let first = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(first, Ok(Consumption::Recorded), "a fresh key is recorded");
    let last_moment = UnixTime::from_millis(19_999);
    let still = store.consume(&[key("a", 40)], last_moment).await;
    assert_eq!(still, Ok(Consumption::Replayed(0)), "remembered until the expiry");
    let free = store.consume(&[key("a", 40)], at(20)).await;
    assert_eq!(free, Ok(Consumption::Recorded), "forgotten from the expiry on");
}

async fn admits_one_of_many_at_once(store: Arc<dyn Store>) {
    let recorded = Arc::new(AtomicUsize::new(0));
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..64 {
        let (store, recorded) = (Arc::clone(&store), Arc::clone(&recorded));
        racers.spawn(async move {
            let own = key(&format!("own {racer}"), 20);
            let keys = [own, key("shared", 20)];
            if store.consume(&keys, at(10)).await == Ok(Consumption::Recorded) {
                recorded.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    while racers.join_next().await.is_some() {}
    assert_eq!(recorded.load(Ordering::SeqCst), 1, "of 64 at once with one shared key, one is admitted");
}

async fn revokes_for_the_rest_of_the_life(store: &dyn Store) {
    let token = TokenRef { jti: "t".to_owned(), expires_at: at(20) };
    assert_eq!(store.status("t").await, Ok(TokenStatus::Standing), "unknown tokens stand");
    for attempt in ["first", "second"] {
        assert_eq!(store.revoke(&token, at(10)).await, Ok(()), "{attempt} revocation succeeds");
    }
    assert_eq!(store.status("t").await, Ok(TokenStatus::Revoked), "a revoked token is revoked");
    assert_eq!(store.status("u").await, Ok(TokenStatus::Standing), "and no other");
    let other = TokenRef { jti: "u".to_owned(), expires_at: at(20) };
    assert_eq!(store.revoke(&other, at(15)).await, Ok(()), "others can be revoked later");
    assert_eq!(store.status("t").await, Ok(TokenStatus::Revoked), "which forgets nothing unexpired");
}

async fn changes_are_seen_at_once_and_whole(store: &dyn Store) {
    let Ok(id) = ClientId::parse("app") else { panic!("a client id") };
    let create = || Change::CreateClient(Client::new(id.clone()));
    assert!(store.change(create()).await.is_ok(), "a client is created");
    let seen = store.registry().is_ok_and(|registry| registry.registration(&id).is_some());
    assert!(seen, "the next snapshot has the change");
    let again = store.change(create()).await.err();
    let expect = StoreError::Conflict(Conflict::Exists("app".to_owned()));
    assert_eq!(again, Some(expect), "a name is taken once");
    let before = store.registry();
    let revoked = store.change(Change::SetClientStatus(id.clone(), Status::Revoked)).await;
    assert!(revoked.is_ok(), "a client is revoked");
    let status = |registry: &crate::registry::Registry| registry.registration(&id).map(|r| r.client().status);
    let held = before.as_deref().ok().and_then(status);
    assert_eq!(held, Some(Status::Active), "a snapshot in hand does not change");
    let now = store.registry().ok().as_deref().and_then(status);
    assert_eq!(now, Some(Status::Revoked), "the next one does");
}
