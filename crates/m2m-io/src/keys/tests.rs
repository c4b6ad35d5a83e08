use std::sync::Arc;

use ::http::Response;
use bytes::Bytes;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};

use super::{KeysError, KeysForm, KeysLocation, RemoteKeys};
use crate::remote::{Knobs, RemoteError};
use crate::testing::{ScriptedHttp, StillClock, settle};
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

async fn refusal(keys: &RemoteKeys, key_id: &str) -> KeysError {
    keys.find(Some(key_id), Algorithm::EdDsa).await.unwrap_err()
}

#[tokio::test]
async fn an_unknown_id_fetches_once_per_cooldown() {
    let (keys, http, clock) = setup();
    http.answer(200, set(&[ED]));
    assert_eq!(refusal(&keys, "made-up-0").await, KeysError::Unknown, "the fetch came after the question");
    for index in 1..10 {
        assert_eq!(refusal(&keys, &format!("made-up-{index}")).await, KeysError::TooSoon);
    }
    assert_eq!(refusal(&keys, "made-up-0").await, KeysError::Unknown, "remembered");
    assert_eq!(http.asked().len(), 1);
    clock.advance(30);
    http.answer(200, set(&[ED, EC]));
    assert_eq!(refusal(&keys, "made-up").await, KeysError::Unknown);
    assert_eq!(refusal(&keys, "other").await, KeysError::TooSoon);
    assert_eq!(http.asked().len(), 1);
    assert!(keys.find(Some("ec"), Algorithm::Es256).await.is_ok(), "the fetch brought a new key");
}

/// Whoever guesses the name of the next key must not make it wait.
#[tokio::test]
async fn an_absent_id_is_looked_for_again_after_each_cooldown() {
    let (keys, http, clock) = setup();
    for _ in 0..10 {
        http.answer(200, set(&[EC]));
        assert_eq!(refusal(&keys, "ed").await, KeysError::Unknown);
        clock.advance(29);
        assert_eq!(refusal(&keys, "ed").await, KeysError::Unknown);
        assert_eq!(http.asked().len(), 1);
        clock.advance(1);
    }
    http.answer(200, set(&[EC, ED]));
    assert!(keys.find(Some("ed"), Algorithm::EdDsa).await.is_ok());
}

/// A set that was on its way when the token came is older than the token's key may be.
#[tokio::test]
async fn an_id_that_joined_a_fetch_is_not_unknown() {
    let (keys, http, clock) = setup();
    http.answer(200, set(&[EC]));
    keys.find(Some("ec"), Algorithm::Es256).await.unwrap();
    clock.advance(30);
    http.answer(200, set(&[EC]));
    let both = tokio::join!(refusal(&keys, "first"), refusal(&keys, "ed"));
    assert_eq!(both, (KeysError::Unknown, KeysError::TooSoon));
    clock.advance(30);
    http.answer(200, set(&[EC, ED]));
    assert!(keys.find(Some("ed"), Algorithm::EdDsa).await.is_ok());
}

#[tokio::test]
async fn a_renewal_is_conditional_and_the_search_for_a_key_is_not() {
    let (keys, http, clock) = setup();
    let tagged = |status: u16, body: String| {
        Response::builder().status(status).header("etag", "\"1\"").body(Bytes::from(body)).unwrap()
    };
    let condition = || http.last_headers().get("if-none-match").map(|tag| tag.to_str().unwrap().to_owned());
    http.respond(tagged(200, set(&[EC])));
    let first = keys.find(Some("ec"), Algorithm::Es256).await.unwrap();
    clock.advance(480);
    http.respond(tagged(304, String::new()));
    assert!(keys.peek(Some("ec"), Algorithm::Es256).is_some(), "due: renewed behind");
    settle().await;
    assert_eq!((http.asked().len(), condition()), (2, Some("\"1\"".to_owned())));
    clock.advance(479);
    let same = keys.peek(Some("ec"), Algorithm::Es256).unwrap();
    assert!(Arc::ptr_eq(&first, &same), "fresh again, and not parsed again");
    // A server that forgets to change the tag.
    http.respond(tagged(200, set(&[EC, ED])));
    assert!(keys.find(Some("ed"), Algorithm::EdDsa).await.is_ok());
    assert_eq!((http.asked().len(), condition()), (1, None));
}

#[tokio::test]
async fn a_set_of_which_nothing_is_usable_is_damage_and_an_empty_one_is_not() {
    let (keys, http, clock) = setup();
    let find = async || keys.find(Some("ed"), Algorithm::EdDsa).await;
    http.answer(200, set(&[ED]));
    find().await.unwrap();
    for poison in [r#"{"keys":[{"kty":"XX"},7]}"#, r#"{"keys":null}"#, "[]", r#"{"keys":[],"keys":[]}"#, ""] {
        clock.advance(600);
        http.answer(200, poison);
        assert!(find().await.is_ok(), "{poison}");
        let error = refusal(&keys, "other").await;
        assert!(matches!(error, KeysError::Unavailable(RemoteError::Document(_))), "{poison}: {error}");
    }
    clock.advance(600);
    http.answer(200, r#"{"keys":[]}"#);
    assert!(find().await.is_ok(), "renewed behind the caller's back, as the last fetch failed");
    settle().await;
    assert_eq!(find().await.unwrap_err(), KeysError::Unknown, "withdrawn");
    assert_eq!(refusal(&keys, "another").await, KeysError::TooSoon);
    clock.advance(30);
    http.answer(200, r#"{"keys":[]}"#);
    assert_eq!(find().await.unwrap_err(), KeysError::Unknown);
}

#[tokio::test]
async fn a_key_that_a_newer_set_lacks_is_unknown_at_once() {
    let (keys, http, clock) = setup();
    http.answer(200, set(&[ED, &ED.replace("\"ed\"", "\"other\"")]));
    keys.set().await.unwrap();
    clock.advance(30);
    http.answer(200, set(&[EC]));
    keys.find(Some("ec"), Algorithm::Es256).await.unwrap();
    assert_eq!(refusal(&keys, "ed").await, KeysError::Unknown);
    assert_eq!(refusal(&keys, "other").await, KeysError::Unknown);
    assert_eq!(refusal(&keys, "made-up").await, KeysError::TooSoon);
    assert_eq!(http.asked().len(), 2);
    clock.advance(30);
    http.answer(200, set(&[ED]));
    assert!(keys.find(Some("ed"), Algorithm::EdDsa).await.is_ok(), "it came back");
}

/// A discovery document that hangs must not take the time in which the keys are fetched.
#[tokio::test]
async fn metadata_that_hang_leave_time_for_the_keys() {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), Arc::new(StillClock::new()));
    let issuer = Issuer::parse("https://as.example").unwrap();
    let metadata = RemoteMetadata::new(issuer, http.clone(), clock.clone());
    let keys = RemoteKeys::new(KeysLocation::Metadata(metadata), http.clone(), clock.clone());
    http.answer(
        200,
        r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token",
        "jwks_uri":"https://as.example/jwks"}"#,
    );
    http.answer(200, set(&[ED]));
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    clock.advance(600);
    http.hang();
    http.answer(200, set(&[ED, EC]));
    let search = keys.find(Some("ec"), Algorithm::Es256);
    let (found, ()) = tokio::join!(search, async {
        settle().await;
        clock.advance(5);
    });
    assert!(found.is_ok(), "{found:?}");
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

/// Its name may lead to another address at each request, so the second is held to the rule of the first.
// spec-test: JWT-V5
#[tokio::test]
async fn the_keys_of_a_registered_issuer_may_not_lead_anywhere_either() {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), Arc::new(StillClock::new()));
    let (issuer, knobs) = (Issuer::parse("https://as.example").unwrap(), Knobs::default());
    let metadata = RemoteMetadata::with_knobs(issuer, Reach::Registered, knobs, http.clone(), clock.clone());
    let keys = RemoteKeys::new(KeysLocation::Metadata(metadata), http.clone(), clock);
    http.answer(200, r#"{"issuer":"https://as.example","jwks_uri":"https://as.example/jwks"}"#);
    http.answer(200, set(&[ED]));
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    assert_eq!(http.last_limits().reach, Reach::Registered);
    assert_eq!(http.asked().last().unwrap(), "https://as.example/jwks");
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

// spec-test: SPIFFE-AS1
#[tokio::test]
async fn a_bundle_is_asked_for_as_often_as_it_says() {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), StillClock::new());
    let url = EndpointUri::parse("https://spire.example/bundle").unwrap();
    let location = KeysLocation::Url { url, reach: Reach::Registered };
    let knobs = Knobs::default();
    let keys =
        RemoteKeys::of_form(KeysForm::SpiffeBundle, location, knobs, http.clone(), Arc::new(clock.clone()));
    let signing = ED.replace("\"kid\"", "\"use\":\"jwt-svid\",\"kid\"");
    let bundle = format!(r#"{{"keys":[{signing},{EC}],"spiffe_refresh_hint":60}}"#);
    http.answer(200, bundle.clone());
    assert_eq!(keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap().key_id(), Some("ed"));
    clock.advance(40);
    assert!(keys.peek(Some("ed"), Algorithm::EdDsa).is_some());
    settle().await;
    assert_eq!(http.asked().len(), 1, "not yet");
    http.answer(200, bundle);
    clock.advance(30);
    keys.find(Some("ed"), Algorithm::EdDsa).await.unwrap();
    settle().await;
    assert_eq!(http.asked().len(), 1, "without the hint it would be fresh for ten minutes");
    // A key that the bundle has for something else.
    http.answer(200, set(&[EC]));
    assert!(keys.find(Some("ec"), Algorithm::Es256).await.is_err());
}
