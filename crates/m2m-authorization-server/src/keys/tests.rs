use std::time::Duration;

use super::*;
use crate::audit::AuditMode;
use crate::fixture::{NOW, SeededRandom};
use crate::store::memory::MemoryStore;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn vault(byte: u8) -> Vault {
    Vault::new(&m2m_proto::secret::Secret::new(vec![byte; 32])).unwrap()
}

/// Keys with what they are made and kept with.
struct Bench {
    keys: Keys,
    store: MemoryStore,
    vault: Vault,
    random: SeededRandom,
    trail: Trail,
}

impl Bench {
    fn workshop(&self) -> Workshop<'_> {
        Workshop { store: &self.store, vault: &self.vault, random: &self.random, trail: &self.trail }
    }

    async fn ensure(&self, algorithm: Algorithm, now: UnixTime) -> UnixTime {
        self.keys.ensure(self.workshop(), algorithm, now).await.unwrap()
    }

    async fn maintain(&self, now: UnixTime) -> UnixTime {
        self.keys.maintain(self.workshop(), now).await.unwrap()
    }

    /// Another node of the same store.
    fn other_node(&self) -> Keys {
        let keys = Keys::new(Vec::new(), RotationPlan::default(), NOW).unwrap();
        keys.follow(&self.store.registry().unwrap(), &self.vault, NOW);
        keys
    }
}

async fn keys() -> Bench {
    let keys = Keys::new(Vec::new(), RotationPlan::default(), NOW).unwrap();
    let (store, random) = (MemoryStore::default(), SeededRandom::new(1));
    let bench = Bench { keys, store, vault: vault(1), random, trail: Trail::new(AuditMode::Batched) };
    bench.ensure(Algorithm::Es256, NOW).await;
    bench
}

fn published(keys: &Keys) -> JwkSet {
    JwkSet::decode(&keys.published().body).unwrap()
}

#[tokio::test]
async fn the_first_key_signs_at_once() {
    let bench = keys().await;
    let keys = &bench.keys;
    let active = keys.active(Algorithm::Es256, NOW).unwrap();
    assert!(keys.find(active.id().unwrap(), NOW).is_some());
    assert!(keys.active(Algorithm::Rs256, NOW).is_none());
    assert_eq!(published(keys).keys().len(), 1);
}

#[tokio::test]
async fn the_published_set_holds_no_private_member() {
    let body = keys().await.keys.published().body;
    let set: serde_json::Value = serde_json::from_slice(&body).unwrap();
    for key in set["keys"].as_array().unwrap() {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!members.iter().any(|member| *member == private), "{members:?}");
        }
    }
}

#[tokio::test]
async fn the_rsa_key_comes_with_maintenance() {
    let bench = keys().await;
    let keys = &bench.keys;
    let before = keys.published().etag;
    bench.maintain(NOW).await;
    assert!(keys.active(Algorithm::Rs256, NOW).is_some());
    assert_eq!(published(keys).keys().len(), 2);
    assert_ne!(keys.published().etag, before, "another set has another tag");
}

#[tokio::test]
async fn a_key_is_announced_before_it_signs_and_kept_after() {
    let bench = keys().await;
    let keys = &bench.keys;
    let first = keys.active(Algorithm::Es256, NOW).unwrap().id().unwrap().to_owned();
    let at = |days: u32| NOW.saturating_add(DAY * days);
    assert_eq!(bench.ensure(Algorithm::Es256, at(88)).await, at(89));
    assert_eq!(published(keys).keys().len(), 1);

    bench.ensure(Algorithm::Es256, at(89)).await;
    assert_eq!(published(keys).keys().len(), 2, "announced");
    assert_eq!(keys.active(Algorithm::Es256, at(89)).unwrap().id(), Some(first.as_str()), "not signing yet");
    assert_ne!(keys.active(Algorithm::Es256, at(90)).unwrap().id(), Some(first.as_str()), "signing");
    assert!(keys.find(&first, at(91)).is_some(), "its last tokens are still good");
    assert!(keys.find(&first, at(92)).is_none(), "retired");
}

#[tokio::test]
async fn a_retired_key_leaves_the_published_set() {
    let bench = keys().await;
    let keys = &bench.keys;
    let first = keys.active(Algorithm::Es256, NOW).unwrap().id().unwrap().to_owned();
    let at = |days: u32| NOW.saturating_add(DAY * days);
    let is_published = || published(keys).keys().iter().any(|key| key.key_id() == Some(first.as_str()));
    bench.maintain(at(89)).await;
    bench.maintain(at(91)).await;
    assert!(is_published(), "its last tokens are still good");
    // Nothing is to be made for months, and verifiers would believe the key all that time.
    bench.maintain(at(92)).await;
    assert!(!is_published(), "retired");
    assert!(keys.active(Algorithm::Es256, at(92)).is_some());
}

#[tokio::test]
async fn ensuring_twice_makes_one_key() {
    let bench = keys().await;
    let keys = &bench.keys;
    let (a, b) = tokio::join!(bench.ensure(Algorithm::EdDsa, NOW), bench.ensure(Algorithm::EdDsa, NOW));
    assert_eq!(a, b);
    assert_eq!(published(keys).keys().len(), 2);
    assert!(keys.algorithms().contains(&Algorithm::EdDsa));
}

#[test]
fn a_shared_key_never_signs_access_tokens() {
    let secret = m2m_proto::secret::Secret::new(vec![7; 64]);
    let key = SigningKey::hmac(&secret, Algorithm::Hs256).unwrap();
    assert!(Keys::new(vec![key], RotationPlan::default(), NOW).is_err());
}

#[tokio::test]
async fn nodes_of_one_store_sign_with_the_same_keys() {
    let bench = keys().await;
    let other = bench.other_node();
    assert_eq!(other.list(), bench.keys.list());
    let first = bench.keys.active(Algorithm::Es256, NOW).unwrap();
    assert!(other.find(first.id().unwrap(), NOW).is_some());
    // Both find the key missing; one makes it.
    let (a, b) = tokio::join!(
        bench.keys.ensure(bench.workshop(), Algorithm::EdDsa, NOW),
        other.ensure(bench.workshop(), Algorithm::EdDsa, NOW)
    );
    assert_eq!((a.is_ok(), b.is_ok()), (true, true));
    other.follow(&bench.store.registry().unwrap(), &bench.vault, NOW);
    bench.keys.follow(&bench.store.registry().unwrap(), &bench.vault, NOW);
    assert_eq!(other.list(), bench.keys.list());
    assert_eq!(other.list().len(), 2);
}

#[tokio::test]
async fn a_private_key_lies_sealed_in_the_store() {
    let bench = keys().await;
    let registry = bench.store.registry().unwrap();
    let record = registry.keys().next().unwrap();
    let plain = bench.vault.open_key(record).unwrap();
    assert!(!record.sealed.windows(16).any(|part| plain.expose().windows(16).any(|own| own == part)));
    assert!(vault(2).open_key(record).is_err(), "another sealing key does not open it");
}

#[tokio::test]
async fn a_rolled_key_is_announced_first() {
    let bench = keys().await;
    let first = bench.keys.active(Algorithm::Es256, NOW).unwrap();
    bench.keys.roll(bench.workshop(), Algorithm::Es256, NOW).await.unwrap();
    let at = |days: u32| NOW.saturating_add(DAY * days);
    assert_eq!(published(&bench.keys).keys().len(), 2);
    assert_eq!(bench.keys.active(Algorithm::Es256, NOW).unwrap().id(), first.id(), "it signs on");
    assert_ne!(
        bench.keys.active(Algorithm::Es256, at(1)).unwrap().id(),
        first.id(),
        "until the next one is known"
    );
    assert!(bench.keys.find(first.id().unwrap(), at(2)).is_some());
    assert!(bench.keys.find(first.id().unwrap(), at(3)).is_none());
}

#[tokio::test]
async fn an_emergency_withdraws_everything_that_was_signed() {
    let bench = keys().await;
    let first = bench.keys.active(Algorithm::Es256, NOW).unwrap();
    bench.keys.roll(bench.workshop(), Algorithm::Es256, NOW).await.unwrap();
    bench.keys.roll_now(bench.workshop(), Algorithm::Es256, NOW).await.unwrap();
    assert_eq!(published(&bench.keys).keys().len(), 1);
    assert!(bench.keys.find(first.id().unwrap(), NOW).is_none());
    assert!(bench.keys.active(Algorithm::Es256, NOW).is_some());
}

/// A key that plays one of a security module.
fn held_elsewhere() -> SigningKey {
    struct Elsewhere(SigningKey);
    impl m2m_proto::jose::ExternalSigner for Elsewhere {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, m2m_proto::jose::ExternalSignerError> {
            self.0.sign(message).map_err(|_| m2m_proto::jose::ExternalSignerError)
        }
    }
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let public = key.public_jwk().unwrap().clone();
    SigningKey::external(Arc::new(Elsewhere(key)), &public).unwrap()
}

#[tokio::test]
async fn a_key_that_is_held_elsewhere_signs_for_as_long_as_it_is_configured() {
    let mut bench = keys().await;
    let of_store = bench.keys.active(Algorithm::Es256, NOW).unwrap().id().unwrap().to_owned();
    let held = [held_elsewhere(), held_elsewhere()];
    let names = held.each_ref().map(|key| key.thumbprint().as_str().to_owned());
    bench.keys = Keys::new(held.into(), RotationPlan::default(), NOW).unwrap();
    for days in [0, 88, 90, 500] {
        let now = NOW.saturating_add(DAY * days);
        bench.maintain(now).await;
        let active = bench.keys.active(Algorithm::Es256, now).unwrap();
        assert_eq!(active.id(), Some(names[1].as_str()), "the last one, on day {days}");
        assert!(bench.keys.find(&names[0], now).is_some(), "published");
    }
    assert!(bench.keys.find(&of_store, NOW).is_none(), "the store's one ended as ever");
    for refused in [
        bench.keys.roll(bench.workshop(), Algorithm::Es256, NOW).await,
        bench.keys.roll_now(bench.workshop(), Algorithm::Es256, NOW).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    }
}
