//! Keys that nobody should take, beside good ones.

use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, jws};
use m2m_proto::names::typ;
use m2m_testkit::key_server::{Poison, Reply, weak_keys, weak_tokens};

use super::{Api, ISSUER};

// spec-test: JOSE-V4
#[tokio::test]
async fn bad_keys_are_skipped_one_by_one() {
    let api = Api::new();
    api.server.poison(Poison::Beside);
    for _ in 0..3 {
        let token = api.server.token(api.server.rotate());
        api.pass(30).await;
        assert_eq!(api.status(&token).await, 200);
    }
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    api.asked_once_per_cooldown();
}

/// The tokens are right in all but the length of their keys.
#[tokio::test]
async fn a_token_under_a_weak_key_is_under_no_key() {
    let api = Api::new();
    assert_eq!(api.server.issuer(), ISSUER);
    api.server.poison(Poison::Beside);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    for token in weak_tokens() {
        api.pass(30).await;
        assert_eq!(api.status(token).await, 401);
    }
}

/// Whoever holds the private half of a published private key, or reads a published secret, is nobody.
#[tokio::test]
async fn a_published_secret_signs_nothing() {
    let api = Api::new();
    api.server.poison(Poison::Beside);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    for key in weak_keys().iter().filter(|key| key["kid"] == "private") {
        let bytes = key.to_string();
        let object = serde_json::from_str::<serde_json::Map<_, _>>(&bytes).unwrap();
        let jwk = m2m_proto::jose::Jwk::from_object(&object);
        // Its halves do not belong together, as those of somebody who guesses.
        if let Some(key) = jwk.ok().and_then(|jwk| SigningKey::from_jwk(&jwk).ok()) {
            api.pass(30).await;
            let fields =
                HeaderFields { typ: Some(typ::AT_JWT), kid: Some("private"), ..HeaderFields::default() };
            let claims = serde_json::to_vec(&api.server.claims()).unwrap();
            assert_eq!(api.status(&jws::sign(&fields, &claims, &key).unwrap()).await, 401);
        }
    }
    let shared = SigningKey::hmac(&m2m_proto::secret::Secret::new(vec![0; 32]), Algorithm::Hs256).unwrap();
    let fields = HeaderFields { typ: Some(typ::AT_JWT), kid: Some("shared"), ..HeaderFields::default() };
    let claims = serde_json::to_vec(&api.server.claims()).unwrap();
    assert_eq!(api.status(&jws::sign(&fields, &claims, &shared).unwrap()).await, 401);
}

#[tokio::test]
async fn the_content_type_of_a_good_set_does_not_matter() {
    let api = Api::new();
    api.server.reply(Reply::WrongType);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
}
