use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::Jwk;
use crate::secret::SecretBytes;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISSUER: &str = "https://as.example";

fn key() -> SigningKey {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

fn sign_as(
    revoked: &[&str],
    change: impl FnOnce(&mut RevocationFeedClaims<'_>),
) -> Result<String, RevocationFeedSignError> {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let mut claims = RevocationFeedClaims {
        issuer: &issuer,
        issued_at: NOW,
        expires_at: UnixTime::from_seconds(NOW.seconds() + 300),
        ttl: Duration::from_secs(30),
        revoked,
    };
    change(&mut claims);
    claims.sign(&RevocationFeedClaims::header(&key()), &key())
}

fn signed(revoked: &[&str]) -> Result<String, RevocationFeedSignError> {
    sign_as(revoked, |_| {})
}

fn verify_as(
    document: &str,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<VerifiedRevocationFeed, RevocationFeedError> {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let mut expect =
        Expect { issuer: &issuer, algorithms: &[Algorithm::EdDsa], now: NOW, skew: Skew::DEFAULT };
    change(&mut expect);
    parse(document)?.verify(key().verifying_key(), &expect)
}

fn verified(document: &str) -> Result<VerifiedRevocationFeed, RevocationFeedError> {
    verify_as(document, |_| {})
}

fn claims() -> Value {
    json!({"iss": ISSUER, "iat": NOW.seconds(), "exp": NOW.seconds() + 300, "ttl": 30, "revoked": ["a", "b"]})
}

fn signed_claims(typ: Option<&str>, claims: &Value) -> String {
    let header = PreparedHeader::new(&HeaderFields { typ, ..HeaderFields::default() }, &key());
    jws::sign_document(&header, claims.to_string().as_bytes(), &key(), usize::MAX).unwrap()
}

fn with(name: &str, value: Value) -> Result<VerifiedRevocationFeed, RevocationFeedError> {
    let mut claims = claims();
    claims[name] = value;
    verified(&signed_claims(KIND.typ(), &claims))
}

#[test]
fn golden_bytes() {
    let document = signed(&["t-2", "t-10", "t-1"]).unwrap();
    assert_eq!(document, include_str!("../../testdata/golden/revocation_feed.eddsa.jwt").trim());
}

#[test]
fn a_signed_feed_verifies_and_tells_all() {
    let document = signed(&["t-2", "é\"", "t-10", "t-2"]).unwrap();
    let feed = verified(&document).unwrap();
    assert_eq!(feed.iter().collect::<Vec<_>>(), ["t-10", "t-2", "é\""]);
    for (jti, expect) in [("t-2", true), ("é\"", true), ("t-1", false), ("t-100", false), ("", false)] {
        assert_eq!(feed.contains(jti), expect, "{jti}");
    }
    assert_eq!((feed.issued_at(), feed.ttl()), (NOW, Duration::from_secs(30)));
    assert_eq!(feed.expires_at(), UnixTime::from_seconds(NOW.seconds() + 300));
    let unverified = parse(&document).unwrap();
    assert_eq!((unverified.key_hint(), unverified.algorithm()), (Some("k1"), Algorithm::EdDsa));
    let empty = verified(&signed(&[]).unwrap()).unwrap();
    assert_eq!(empty.iter().len(), 0);
    assert!(!empty.contains("t-2"));
}

// spec-test: JWT-V3
#[test]
fn typ_is_that_of_revocation_feeds() {
    for typ in ["m2m-revocations+jwt", "application/m2m-revocations+jwt"] {
        assert!(verified(&signed_claims(Some(typ), &claims())).is_ok(), "{typ}");
    }
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("statuslist+jwt")] {
        let error = verified(&signed_claims(typ, &claims())).unwrap_err();
        assert!(matches!(error, RevocationFeedError::Kind(KindError::WrongTyp { .. })), "{typ:?}");
    }
}

// spec-test: JWT-V1
#[test]
fn the_signature_and_its_algorithm() {
    let document = signed(&["a"]).unwrap();
    let refused = verify_as(&document, |expect| expect.algorithms = &[Algorithm::Es256]);
    assert_eq!(refused, Err(RevocationFeedError::Algorithm(Algorithm::EdDsa)));
    let issuer = Issuer::parse(ISSUER).unwrap();
    let expect = Expect { issuer: &issuer, algorithms: &Algorithm::ALL, now: NOW, skew: Skew::NONE };
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let error = parse(&document).unwrap().verify(stranger.verifying_key(), &expect).unwrap_err();
    assert_eq!(error, RevocationFeedError::Jws(JwsError::WrongSignature));
    let secret = SigningKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    let header = RevocationFeedClaims::header(&secret);
    let symmetric = jws::sign_prepared(&header, claims().to_string().as_bytes(), &secret).unwrap();
    let error = parse(&symmetric).unwrap().verify(secret.verifying_key(), &expect).unwrap_err();
    assert_eq!(error, RevocationFeedError::Kind(KindError::SymmetricAlgorithm(Algorithm::Hs256)));
}

#[test]
fn the_issuer_and_the_times() {
    for iss in ["https://evil.example", "https://as.example/"] {
        let error = with("iss", json!(iss)).unwrap_err();
        assert!(matches!(error, RevocationFeedError::Kind(KindError::WrongIssuer { .. })), "{iss}");
    }
    let document = signed(&[]).unwrap();
    let at = |seconds| verify_as(&document, |expect| expect.now = UnixTime::from_seconds(seconds));
    let start = NOW.seconds();
    assert!(at(start + 329).is_ok());
    assert!(matches!(at(start + 330), Err(RevocationFeedError::Kind(KindError::Expired { .. }))));
    assert!(at(start - 30).is_ok());
    assert!(matches!(at(start - 31), Err(RevocationFeedError::Kind(KindError::IssuedInFuture { .. }))));
}

#[test]
fn claims_are_there_and_well_formed() {
    for name in ["iss", "iat", "exp", "ttl", "revoked"] {
        let missing = RevocationFeedError::Kind(KindError::MissingClaim(name.to_owned()));
        assert_eq!(with(name, Value::Null), Err(missing), "{name}");
    }
    for ttl in [json!(0), json!(-1), json!("30")] {
        assert_eq!(with("ttl", ttl), Err(RevocationFeedError::Claim("ttl")));
    }
    let long = "j".repeat(MAX_JTI_BYTES + 1);
    for revoked in [
        json!("a"),
        json!({}),
        json!([1]),
        json!(["a", null]),
        json!([""]),
        json!([long]),
        json!(["b", "a"]),
        json!(["a", "a"]),
    ] {
        assert_eq!(with("revoked", revoked.clone()), Err(RevocationFeedError::Claim("revoked")), "{revoked}");
    }
    assert!(with("revoked", json!(["j".repeat(MAX_JTI_BYTES)])).is_ok());
}

#[test]
fn what_makes_no_feed_is_not_signed() {
    let refused =
        |revoked: &[&str], change: fn(&mut RevocationFeedClaims<'_>)| sign_as(revoked, change).unwrap_err();
    assert_eq!(refused(&[], |claims| claims.expires_at = NOW), RevocationFeedSignError::Unusable);
    let short: fn(&mut RevocationFeedClaims<'_>) = |claims| claims.ttl = Duration::from_millis(999);
    assert_eq!(refused(&[], short), RevocationFeedSignError::Unusable);
    assert_eq!(refused(&["a", ""], |_| {}), RevocationFeedSignError::Jti(0));
    let long = "j".repeat(MAX_JTI_BYTES + 1);
    assert_eq!(refused(&[&long], |_| {}), RevocationFeedSignError::Jti(MAX_JTI_BYTES + 1));
}

#[test]
fn the_number_is_bounded_on_both_sides() {
    let jtis: Vec<_> = (0..=MAX_REVOKED).map(|number| format!("{number:059}")).collect();
    let mut revoked: Vec<_> = jtis.iter().map(String::as_str).collect();
    assert_eq!(signed(&revoked), Err(RevocationFeedSignError::TooMany(MAX_REVOKED + 1)));
    assert_eq!(with("revoked", json!(revoked)), Err(RevocationFeedError::TooMany(MAX_REVOKED + 1)));
    revoked.pop();
    let feed = verified(&signed(&revoked).unwrap()).unwrap();
    assert!(feed.iter().eq(revoked.iter().copied()) && feed.contains(&jtis[77_777]));
    assert!(!feed.contains(&jtis[MAX_REVOKED]));
}

#[test]
fn the_size_is_bounded_on_both_sides() {
    let jtis: Vec<_> = (0..30_000).map(|number| format!("{number:0256}")).collect();
    let revoked: Vec<_> = jtis.iter().map(String::as_str).collect();
    let error = signed(&revoked).unwrap_err();
    assert!(matches!(error, RevocationFeedSignError::Jws(JwsError::TooLong { .. })));
    let error = verified(&signed_claims(KIND.typ(), &json!({"revoked": revoked}))).unwrap_err();
    assert!(matches!(error, RevocationFeedError::Jws(JwsError::TooLong { .. })));
}

/// Nothing large is read for a stranger.
#[test]
fn the_signature_is_checked_before_the_claims() {
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let header = RevocationFeedClaims::header(&stranger);
    let document = jws::sign_document(&header, b"no claims at all", &stranger, MAX_DOCUMENT_BYTES).unwrap();
    assert_eq!(verified(&document), Err(RevocationFeedError::Jws(JwsError::WrongSignature)));
    let own = jws::sign_document(&header, b"no claims at all", &key(), MAX_DOCUMENT_BYTES).unwrap();
    assert_eq!(verified(&own), Err(RevocationFeedError::Claim("set")));
}

proptest! {
    #[test]
    fn what_is_written_is_read(revoked in prop::collection::btree_set("\\PC{1,20}", 0..50), other in "\\PC{1,20}") {
        let texts: Vec<_> = revoked.iter().rev().map(String::as_str).collect();
        let feed = verified(&signed(&texts).unwrap()).unwrap();
        prop_assert!(feed.iter().eq(revoked.iter().map(String::as_str)));
        prop_assert!(revoked.iter().all(|jti| feed.contains(jti)));
        prop_assert_eq!(feed.contains(&other), revoked.contains(&other));
    }

    #[test]
    fn no_input_panics(payload in prop::collection::vec(any::<u8>(), 0..64), text in ".{0,64}") {
        let _ = parse(&text);
        let _ = verified(&text);
        let header = RevocationFeedClaims::header(&key());
        let _ = verified(&jws::sign_prepared(&header, &payload, &key()).unwrap());
    }
}
