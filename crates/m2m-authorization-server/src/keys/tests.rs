use std::time::Duration;

use super::*;
use crate::fixture::NOW;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keys() -> Keys {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    Keys::new(vec![key], RotationPlan::default(), NOW).unwrap()
}

fn published(keys: &Keys) -> JwkSet {
    JwkSet::decode(&keys.published().body).unwrap()
}

#[test]
fn the_first_key_signs_at_once() {
    let keys = keys();
    let active = keys.active(Algorithm::Es256, NOW).unwrap();
    assert!(keys.find(active.id().unwrap(), NOW).is_some());
    assert!(keys.active(Algorithm::Rs256, NOW).is_none());
    assert_eq!(published(&keys).keys().len(), 1);
}

#[test]
fn the_published_set_holds_no_private_member() {
    let body = keys().published().body;
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
    let keys = keys();
    let before = keys.published().etag;
    keys.maintain(NOW).await.unwrap();
    assert!(keys.active(Algorithm::Rs256, NOW).is_some());
    assert_eq!(published(&keys).keys().len(), 2);
    assert_ne!(keys.published().etag, before, "another set has another tag");
}

#[tokio::test]
async fn a_key_is_announced_before_it_signs_and_kept_after() {
    let keys = keys();
    let first = keys.active(Algorithm::Es256, NOW).unwrap().id().unwrap().to_owned();
    let at = |days: u32| NOW.saturating_add(DAY * days);
    assert_eq!(keys.ensure(Algorithm::Es256, at(88)).await, Ok(at(89)));
    assert_eq!(published(&keys).keys().len(), 1);

    keys.ensure(Algorithm::Es256, at(89)).await.unwrap();
    assert_eq!(published(&keys).keys().len(), 2, "announced");
    assert_eq!(keys.active(Algorithm::Es256, at(89)).unwrap().id(), Some(first.as_str()), "not signing yet");
    assert_ne!(keys.active(Algorithm::Es256, at(90)).unwrap().id(), Some(first.as_str()), "signing");
    assert!(keys.find(&first, at(91)).is_some(), "its last tokens are still good");
    assert!(keys.find(&first, at(92)).is_none(), "retired");
}

#[tokio::test]
async fn a_retired_key_leaves_the_published_set() {
    let keys = keys();
    let first = keys.active(Algorithm::Es256, NOW).unwrap().id().unwrap().to_owned();
    let at = |days: u32| NOW.saturating_add(DAY * days);
    let is_published = || published(&keys).keys().iter().any(|key| key.key_id() == Some(first.as_str()));
    keys.maintain(at(89)).await.unwrap();
    keys.maintain(at(91)).await.unwrap();
    assert!(is_published(), "its last tokens are still good");
    // Nothing is to be made for months, and verifiers would believe the key all that time.
    keys.maintain(at(92)).await.unwrap();
    assert!(!is_published(), "retired");
    assert!(keys.active(Algorithm::Es256, at(92)).is_some());
}

#[tokio::test]
async fn ensuring_twice_makes_one_key() {
    let keys = keys();
    let (a, b) = tokio::join!(keys.ensure(Algorithm::EdDsa, NOW), keys.ensure(Algorithm::EdDsa, NOW));
    assert_eq!(a, b);
    assert_eq!(published(&keys).keys().len(), 2);
    assert!(keys.algorithms().contains(&Algorithm::EdDsa));
}

#[test]
fn a_shared_key_never_signs_access_tokens() {
    let secret = m2m_proto::secret::Secret::new(vec![7; 64]);
    let key = SigningKey::hmac(&secret, Algorithm::Hs256).unwrap();
    assert!(Keys::new(vec![key], RotationPlan::default(), NOW).is_err());
}
