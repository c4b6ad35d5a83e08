use std::sync::Arc;

use m2m_proto::jose::Algorithm;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};

use super::{KeysError, KeysLocation, RemoteKeys};
use crate::remote::RemoteError;
use crate::testing::{ScriptedHttp, StillClock};
use crate::{HttpError, Reach, RemoteMetadata};

/// RFC 8037 appendix A.2.
const ED: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"ed","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 7517 appendix A.1.
const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"ec","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn set(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn setup() -> (RemoteKeys, Arc<ScriptedHttp>, StillClock) {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), StillClock::new());
    let url = EndpointUri::parse("https://as.example/jwks").unwrap();
    let location = KeysLocation::Url { url, reach: Reach::Configured };
    (RemoteKeys::new(location, http.clone(), Arc::new(clock.clone())), http, clock)
}

#[tokio::test]
async fn a_key_is_found_by_id_and_algorithm() {
    let (keys, http, _) = setup();
    assert!(keys.peek(Some("ed"), Algorithm::EdDsa).is_none());
    http.answer(200, set(&[ED, EC]));
    assert_eq!(keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap().key_id(), Some("ed"));
    assert_eq!(keys.find(Some("ec"), Algorithm::Es256).await.unwrap().key_id(), Some("ec"));
    assert!(keys.peek(Some("ed"), Algorithm::EdDsa).is_some());
    assert!(keys.peek(Some("ed"), Algorithm::Es256).is_none());
    assert_eq!(http.asked().len(), 1);
}

#[tokio::test]
async fn without_an_id_only_a_single_candidate_will_do() {
    let (keys, http, _) = setup();
    http.answer(200, set(&[ED, EC]));
    assert_eq!(keys.find(None, Algorithm::EdDsa).await.unwrap().key_id(), Some("ed"));
    let (keys, http, _) = setup();
    http.answer(200, set(&[ED, &ED.replace("\"ed\"", "\"ed2\"")]));
    assert_eq!(keys.find(None, Algorithm::EdDsa).await.unwrap_err(), KeysError::Ambiguous);
}

#[tokio::test]
async fn an_unknown_id_fetches_once_per_cooldown() {
    let (keys, http, clock) = setup();
    http.answer(200, set(&[ED]));
    for index in 0..10 {
        let made_up = format!("made-up-{index}");
        assert_eq!(keys.find(Some(&made_up), Algorithm::EdDsa).await.unwrap_err(), KeysError::Unknown);
    }
    assert_eq!(http.asked().len(), 1);
    clock.advance(30);
    http.answer(200, set(&[ED, EC]));
    assert_eq!(keys.find(Some("made-up"), Algorithm::EdDsa).await.unwrap_err(), KeysError::Unknown);
    assert_eq!(keys.find(Some("other"), Algorithm::EdDsa).await.unwrap_err(), KeysError::Unknown);
    assert_eq!(http.asked().len(), 1);
    assert!(keys.find(Some("ec"), Algorithm::Es256).await.is_ok(), "the fetch brought a new key");
}

#[tokio::test]
async fn an_id_that_a_fetch_did_not_bring_waits_longer_each_time() {
    let (keys, http, clock) = setup();
    let ask = async || keys.find(Some("gone"), Algorithm::EdDsa).await.unwrap_err();
    http.answer(200, set(&[ED]));
    assert_eq!(ask().await, KeysError::Unknown);
    clock.advance(30);
    http.answer(200, set(&[ED]));
    assert_eq!(ask().await, KeysError::Unknown);
    assert_eq!(http.asked().len(), 2);
    clock.advance(59);
    assert_eq!(ask().await, KeysError::Unknown);
    assert_eq!(http.asked().len(), 0, "the first wait is 60 s");
    clock.advance(1);
    http.answer(200, set(&[ED]));
    assert_eq!(ask().await, KeysError::Unknown);
    clock.advance(119);
    assert_eq!(ask().await, KeysError::Unknown);
    assert_eq!(http.asked().len(), 1, "the second is 120 s");
}

#[tokio::test]
async fn the_memory_of_absent_ids_is_bounded() {
    let (keys, http, clock) = setup();
    http.answer(200, set(&[ED]));
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    for index in 0..100 {
        clock.advance(30);
        http.answer(200, set(&[ED]));
        keys.find(Some(&format!("made-up-{index}")), Algorithm::EdDsa).await.unwrap_err();
    }
    assert_eq!(keys.0.absent().len(), super::MAX_ABSENT);
    http.asked();
    clock.advance(30);
    let long = "k".repeat(257);
    assert_eq!(keys.find(Some(&long), Algorithm::EdDsa).await.unwrap_err(), KeysError::Unknown);
    assert_eq!(http.asked().len(), 0, "an absurd id is not worth a fetch");
}

#[tokio::test]
async fn a_set_that_cannot_be_fetched_is_not_an_unknown_key() {
    let (keys, http, clock) = setup();
    http.fail(HttpError::Timeout);
    let unavailable = KeysError::Unavailable(RemoteError::Http(HttpError::Timeout));
    assert_eq!(keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap_err(), unavailable);
    clock.advance(30);
    http.answer(200, set(&[ED]));
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    clock.advance(30);
    http.fail(HttpError::Timeout);
    assert_eq!(keys.find(Some("next"), Algorithm::EdDsa).await.unwrap_err(), unavailable);
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    clock.advance(30);
    http.answer(200, "<html>");
    let error = keys.find(Some("next"), Algorithm::EdDsa).await.unwrap_err();
    assert!(matches!(error, KeysError::Unavailable(RemoteError::Document(_))), "{error}");
}

#[tokio::test]
async fn a_set_named_by_metadata_is_a_discovered_url() {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), Arc::new(StillClock::new()));
    let issuer = Issuer::parse("https://as.example").unwrap();
    let metadata = RemoteMetadata::new(issuer, http.clone(), clock.clone());
    let keys = RemoteKeys::new(KeysLocation::Metadata(metadata), http.clone(), clock.clone());
    http.answer(
        200,
        r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token",
        "jwks_uri":"https://keys.example/jwks"}"#,
    );
    http.answer(200, set(&[ED]));
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    let origin = Origin::parse("https://as.example").unwrap();
    assert_eq!(http.last_limits().reach, Reach::Discovered { origin });
    assert_eq!(http.asked().last().unwrap(), "https://keys.example/jwks");
    assert_eq!(keys.set().await.unwrap().keys().len(), 1);
}

#[tokio::test]
async fn metadata_without_a_key_set_is_told() {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), Arc::new(StillClock::new()));
    let issuer = Issuer::parse("https://as.example").unwrap();
    let metadata = RemoteMetadata::new(issuer, http.clone(), clock.clone());
    let keys = RemoteKeys::new(KeysLocation::Metadata(metadata), http.clone(), clock);
    http.answer(200, r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}"#);
    let error = keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap_err();
    assert!(error.to_string().contains("jwks_uri"), "{error}");
}
