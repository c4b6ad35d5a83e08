use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;

const NOW: UnixTime = UnixTime::from_seconds(1_795_344_000);
const ISSUER: &str = "https://platform.example";
const AS: &str = "https://as.example";
const HOUR: Duration = Duration::from_secs(3600);

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned())
}

/// What a platform says, with one member changed; `null` leaves it out.
fn claims(changes: &Value) -> Value {
    let at = NOW.seconds();
    let mut claims = json!({
        "iss": ISSUER, "sub": "system:serviceaccount:prod:orders", "aud": [AS],
        "iat": at, "nbf": at, "exp": at + 3600, "jti": "j",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn token(changes: &Value, typ: Option<&str>, key: &SigningKey) -> String {
    let header = HeaderFields { typ, kid: key.key_id(), ..HeaderFields::default() };
    jws::sign(&header, claims(changes).to_string().as_bytes(), key).unwrap()
}

fn expect(issuer: WorkloadIssuer<'_>) -> Expect<'_> {
    Expect { issuer, audience: &[AS], max_lifetime: HOUR, now: NOW, skew: Skew::NONE }
}

fn verify(text: &str, issuer: WorkloadIssuer<'_>, key: &SigningKey) -> Result<(), WorkloadTokenError> {
    let token = UnverifiedWorkloadToken::parse(text)?;
    token.verify(&expect(issuer), [key.verifying_key().as_ref()]).map(drop)
}

fn missing(name: &str) -> Option<WorkloadTokenError> {
    Some(KindError::MissingClaim(name.to_owned()).into())
}

// spec-test: 7523-AS3, 7523-AS5
#[test]
fn each_check_refuses_what_it_is_for() {
    use WorkloadTokenError as E;
    let key = key();
    let check = |changes: Value, refused: Option<E>| {
        let result = verify(&token(&changes, None, &key), WorkloadIssuer::Named(ISSUER), &key);
        assert_eq!(result.err(), refused, "{changes}");
    };
    let at = NOW.seconds();
    let long = KindError::LivesTooLong { limit: HOUR };
    check(json!({}), None);
    check(json!({"aud": AS}), None);
    check(json!({"aud": [AS, "https://other.example"]}), None);
    check(json!({"jti": null, "nbf": null}), None);
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        check(json!({name: null}), missing(name));
    }
    check(
        json!({"iss": "https://platform.example/"}),
        Some(KindError::WrongIssuer { found: Some("https://platform.example/".to_owned()) }.into()),
    );
    check(json!({"aud": "https://other.example"}), Some(KindError::WrongAudience.into()));
    check(json!({"aud": []}), Some(KindError::WrongAudience.into()));
    check(json!({"exp": at, "iat": at - 60}), Some(KindError::Expired { since: Duration::ZERO }.into()));
    let ahead = Duration::from_secs(60);
    check(json!({"nbf": at + 60}), Some(KindError::NotYetValid { ahead }.into()));
    check(json!({"iat": at + 60}), Some(KindError::IssuedInFuture { ahead }.into()));
    check(json!({"exp": at + 3601}), Some(long.clone().into()));
    check(json!({"exp": at + 60, "iat": at - 3600}), Some(long.into()));
    check(json!({"sub": ""}), Some(E::Subject));
    check(json!({"sub": "x".repeat(MAX_SUBJECT_BYTES + 1)}), Some(E::Subject));
    check(json!({"jti": ""}), Some(E::Jti));
    check(json!({"jti": "x".repeat(MAX_JTI_BYTES + 1)}), Some(E::Jti));
    check(json!({"cnf": {"jkt": "x"}}), Some(E::Bound));
    check(json!({"cnf": null, "cnf2": 1}), None);
}

#[test]
fn a_null_confirmation_is_one_too() {
    let key = key();
    let mut claims = claims(&json!({}));
    claims["cnf"] = Value::Null;
    let text = jws::sign(&HeaderFields::default(), claims.to_string().as_bytes(), &key).unwrap();
    let refused = verify(&text, WorkloadIssuer::Named(ISSUER), &key);
    assert_eq!(refused, Err(WorkloadTokenError::Bound));
}

// spec-test: SPIFFE-AS1
#[test]
fn a_svid_needs_no_issuer_and_one_audience() {
    use WorkloadTokenError as E;
    let key = key();
    let domain = TrustDomain::parse("prod.example").unwrap();
    let svid = "spiffe://prod.example/ns/orders/sa/api";
    let check = |changes: Value, typ: Option<&str>, refused: Option<E>| {
        let mut changes = changes;
        for (name, value) in [("iss", Value::Null), ("jti", Value::Null), ("iat", Value::Null)] {
            changes.as_object_mut().unwrap().entry(name).or_insert(value);
        }
        changes.as_object_mut().unwrap().entry("sub").or_insert(Value::from(svid));
        let result = verify(&token(&changes, typ, &key), WorkloadIssuer::TrustDomain(&domain), &key);
        assert_eq!(result.err(), refused, "{changes}");
    };
    check(json!({}), None, None);
    check(json!({"iss": "https://spire.example"}), Some("JWT"), None);
    check(json!({}), Some("JOSE"), None);
    let other = KindError::WrongTyp { expected: "that of its profile", found: Some("wit+jwt".to_owned()) };
    check(json!({}), Some("wit+jwt"), Some(other.into()));
    check(json!({"aud": [AS, "https://other.example"]}), None, Some(KindError::WrongAudience.into()));
    for name in ["aud", "exp"] {
        check(json!({name: null}), None, missing(name));
    }
    for sub in
        ["spiffe://other.example/ns/orders/sa/api", "spiffe://prod.example", "system:serviceaccount:a:b"]
    {
        check(json!({"sub": sub}), None, Some(E::Subject));
    }
}

// spec-test: JWT-V1
#[test]
fn keys_decide_about_the_algorithm_and_tokens_of_other_kinds_are_none() {
    use WorkloadTokenError as E;
    let key = key();
    let issuer = WorkloadIssuer::Named(ISSUER);
    let public = serde_json::to_vec(&key.public_jwk().unwrap().to_public_json()).unwrap();
    let confused = SigningKey::hmac(&Secret::new(public), Algorithm::Hs256).unwrap();
    let refused = verify(&token(&json!({}), None, &confused), issuer, &key);
    assert_eq!(refused, Err(KindError::SymmetricAlgorithm(Algorithm::Hs256).into()));
    let same_name = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
    let refused = verify(&token(&json!({}), None, &same_name), issuer, &key);
    assert_eq!(refused, Err(JwsError::WrongSignature.into()));
    let other_name = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k2".to_owned());
    assert_eq!(verify(&token(&json!({}), None, &other_name), issuer, &key), Err(E::NoKey));
    let other_algorithm = SigningKey::generate(Algorithm::EdDsa).unwrap().with_key_id("k1".to_owned());
    assert_eq!(verify(&token(&json!({}), None, &other_algorithm), issuer, &key), Err(E::NoKey));
    for typ in [typ::AT_JWT, typ::CLIENT_AUTHENTICATION_JWT, typ::DPOP_JWT] {
        let refused = verify(&token(&json!({}), Some(typ), &key), issuer, &key);
        assert!(matches!(refused, Err(E::Kind(KindError::WrongTyp { .. }))), "{typ}: {refused:?}");
    }
}

#[test]
fn what_is_built_is_verified_and_tells_itself() {
    let key = key();
    let said = Claims::parse(claims(&json!({})).to_string().as_bytes()).unwrap();
    let text = WorkloadToken { claims: &said, typ: Some("JWT") }.build(&key).unwrap();
    let token = UnverifiedWorkloadToken::parse(&text).unwrap();
    assert!(!format!("{token:?}").contains(&text));
    let verified =
        token.verify(&expect(WorkloadIssuer::Named(ISSUER)), [key.verifying_key().as_ref()]).unwrap();
    assert_eq!((verified.subject(), verified.jti()), ("system:serviceaccount:prod:orders", Some("j")));
    assert_eq!((verified.issued_at(), verified.expires_at()), (NOW, NOW.saturating_add(HOUR)));
    assert_eq!(verified.claims(), &said);
    let incomplete = Claims { sub: None, ..said.clone() };
    assert!(WorkloadToken { claims: &incomplete, typ: None }.build(&key).is_err());
    let shared = SigningKey::hmac(&Secret::new(vec![7; 32]), Algorithm::Hs256).unwrap();
    assert!(WorkloadToken { claims: &said, typ: None }.build(&shared).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_ends_the_process(text in ".{0,400}") {
        let _ = UnverifiedWorkloadToken::parse(&text);
    }
}
