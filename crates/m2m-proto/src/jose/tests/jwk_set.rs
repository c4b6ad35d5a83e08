use serde_json::{Value, json};

use crate::jose::jwk_set::{JwkSetError, SkippedKey};
use crate::jose::{Algorithm, Jwk, JwkError, JwkSet, KeyError, VerifyingKey};
use crate::secret::SecretBytes;

use super::signing_key;

fn published(algorithm: Algorithm, kid: Option<&str>) -> Value {
    let jwk = signing_key(algorithm).public_jwk().unwrap().clone().with_kid(kid.map(str::to_owned));
    Value::Object(jwk.to_public_json())
}

fn decode(keys: &[Value]) -> JwkSet {
    JwkSet::decode(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

#[test]
fn bad_keys_are_skipped_one_by_one() {
    // spec-test: JOSE-V4
    let mut encryption = published(Algorithm::Es384, Some("enc"));
    encryption["use"] = json!("enc");
    let set = decode(&[
        json!("key"),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": ""}),
        published(Algorithm::Es256, Some("good")),
        encryption,
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
    ]);
    assert_eq!(set.keys().len(), 1);
    assert_eq!(
        set.skipped(),
        [
            (0, SkippedKey::NotAnObject),
            (1, SkippedKey::Jwk(JwkError::UnknownKeyType)),
            (3, SkippedKey::Key(KeyError::Purpose)),
            (4, SkippedKey::Secret),
            (5, SkippedKey::Secret),
        ]
    );
}

#[test]
fn documents_that_are_no_sets() {
    let check =
        |text: &str, expect| assert_eq!(JwkSet::decode(text.as_bytes()).unwrap_err(), expect, "{text}");
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        check(text, JwkSetError::NotASet);
    }
    let many = json!({"keys": vec![json!({}); 101]}).to_string();
    check(&many, JwkSetError::TooMany { keys: 101 });
    let big = json!({"keys": [], "x": "x".repeat(256 * 1024)}).to_string();
    check(&big, JwkSetError::NotASet);
    assert!(decode(&[]).keys().is_empty());
}

#[test]
fn different_keys_of_one_kid_are_ambiguous() {
    // spec-test: FAPI-X2
    let other = crate::jose::SigningKey::generate(Algorithm::Es256).unwrap();
    let other =
        Value::Object(other.public_jwk().unwrap().clone().with_kid(Some("k".into())).to_public_json());
    let set = decode(&[
        published(Algorithm::Es256, Some("k")),
        other.clone(),
        published(Algorithm::EdDsa, Some("k")), // told apart by its type
    ]);
    let ambiguous = |index| (index, SkippedKey::AmbiguousKeyId);
    assert_eq!(set.skipped(), [ambiguous(0), ambiguous(1)]);
    assert_eq!(set.find(Some("k"), Algorithm::EdDsa).count(), 1);
    // The same key twice is one key; keys without ids are no rivals.
    let twice = published(Algorithm::Es256, Some("k"));
    assert_eq!(decode(&[twice.clone(), twice]).keys().len(), 1);
    let mut nameless = other;
    nameless.as_object_mut().unwrap().remove("kid");
    assert_eq!(decode(&[published(Algorithm::Es256, None), nameless]).keys().len(), 2);
}

#[test]
fn one_rsa_key_may_be_published_per_algorithm() {
    let mut second = published(Algorithm::Rs256, Some("k"));
    second["alg"] = json!("PS256");
    let set = decode(&[published(Algorithm::Rs256, Some("k")), second]);
    assert_eq!(set.keys().len(), 2);
    assert_eq!(set.find(Some("k"), Algorithm::Ps256).count(), 1);
    assert_eq!(set.find(Some("k"), Algorithm::Ps384).count(), 0);
}

// spec-test: JOSE-V9
#[test]
fn shared_secrets_never_stand_beside_public_keys() {
    let shared = Jwk::from_secret(SecretBytes::new(vec![1; 32]), Algorithm::Hs256);
    let public = signing_key(Algorithm::Es256).public_jwk().unwrap().clone();
    assert_eq!(JwkSet::from_keys([&shared]).keys().len(), 1);
    let mixed = JwkSet::from_keys([&shared, &public]);
    assert_eq!(mixed.skipped(), [(0, SkippedKey::Mixed)]);
    assert_eq!(mixed.keys().len(), 1);
}

#[test]
fn keys_are_found_by_id_and_algorithm() {
    let set = decode(&[published(Algorithm::Es256, Some("a")), published(Algorithm::Es384, Some("b"))]);
    let count = |kid, algorithm| set.find(kid, algorithm).count();
    assert_eq!(count(Some("a"), Algorithm::Es256), 1);
    assert_eq!(count(Some("b"), Algorithm::Es256), 0);
    assert_eq!(count(Some("a"), Algorithm::Es384), 0);
    assert_eq!(count(Some("c"), Algorithm::Es256), 0);
    assert_eq!(count(None, Algorithm::Es256), 1);
    let partly = decode(&[published(Algorithm::Es256, None), published(Algorithm::Es384, Some("b"))]);
    assert_eq!(partly.find(Some("a"), Algorithm::Es256).count(), 0);
    let anonymous = decode(&[published(Algorithm::Es256, None)]);
    assert_eq!(anonymous.find(Some("a"), Algorithm::Es256).count(), 1);
}

// spec-test: JOSE-V9
#[test]
fn encoding_publishes_public_keys_only() {
    let shared = VerifyingKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    let public = signing_key(Algorithm::EdDsa).verifying_key();
    let text = JwkSet::encode([&shared, public]);
    let object: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(object, json!({"keys": [published(Algorithm::EdDsa, None)]}));
    let again = JwkSet::decode(&text).unwrap();
    assert_eq!(again.keys().first().unwrap().thumbprint(), public.thumbprint());
}
