use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jose::Jwk;
use crate::jose::kind::LifeRule;
use crate::names::claim;
use crate::secret::SecretBytes;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISSUER: &str = "https://as.example/tenant";
const TOKEN_ENDPOINT: &str = "https://as.example/tenant/token";

/// The key of RFC 8037 appendix A.1.
fn ed25519() -> SigningKey {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

/// The key of RFC 7515 appendix A.2.
fn rs256() -> SigningKey {
    let jwk = include_bytes!("../../../testdata/keys/rfc7515_a2.jwk.json");
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

fn hmac(algorithm: Algorithm) -> SigningKey {
    SigningKey::hmac(&SecretBytes::new(vec![b's'; 64]), algorithm).unwrap()
}

fn client() -> ClientId {
    ClientId::parse("billing").unwrap()
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

fn endpoint() -> EndpointUri {
    EndpointUri::parse(TOKEN_ENDPOINT).unwrap()
}

fn build(key: &SigningKey, change: impl FnOnce(&mut ClientAssertion<'_>)) -> Result<String, AssertionError> {
    let (client_id, audience) = (client(), AssertionAudience::Issuer(issuer()));
    let mut assertion = ClientAssertion::new(&client_id, &audience, "1", NOW);
    change(&mut assertion);
    assertion.build(key)
}

fn verify_with(
    text: &str,
    key: &SigningKey,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<VerifiedAssertion, AssertionError> {
    let (client_id, issuer) = (client(), issuer());
    let mut expect = Expect {
        client_id: &client_id,
        issuer: &issuer,
        token_endpoint_audience: None,
        typ: TypRule::Explicit,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    change(&mut expect);
    verify(text, &expect, [key.verifying_key().as_ref()])
}

/// Servers that hold several keys of a client find the right one by it (RFC 7515, section 4.1.4).
#[test]
fn the_header_names_the_key() {
    let text = build(&ed25519(), |_| {}).unwrap();
    let header = crate::jose::base64url::decode(text.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], "k1");
    let claimed = UnverifiedAssertion::parse(&text).unwrap();
    assert_eq!(claimed.key_id(), Some("k1"));
    assert_eq!(claimed.audience(), Some(&Audience::One(ISSUER.to_owned())));
    let other = UnverifiedAssertion::parse(&build(&rs256(), |_| {}).unwrap()).unwrap();
    assert_eq!(other.key_id(), None, "a key without a name names none");
}

/// What was made in the second of a moment may have been made before it, and so may what does not say when.
#[test]
fn it_may_predate_what_was_not_clearly_earlier() {
    let verified = verify_with(&build(&ed25519(), |_| {}).unwrap(), &ed25519(), |_| {}).unwrap();
    let second = std::time::Duration::from_secs(1);
    assert!(verified.may_predate(NOW) && verified.may_predate(NOW.saturating_add(second)));
    assert!(!verified.may_predate(NOW.saturating_sub(second)));
    let mute = VerifiedAssertion { issued_at: None, ..verified };
    let earliest = mute.expires_at().saturating_sub(MAX_LIFETIME);
    assert!(mute.may_predate(earliest) && !mute.may_predate(earliest.saturating_sub(second)));
}

/// Good claims but for one member, signed with good header and key.
fn signed_with(name: &str, value: Value) -> String {
    let mut claims = json!({"iss": "billing", "sub": "billing", "aud": ISSUER, "jti": "1",
        "iat": NOW.seconds(), "exp": NOW.seconds() + 60});
    claims[name] = value;
    signed(&claims)
}

fn signed(claims: &Value) -> String {
    let header = HeaderFields { typ: KIND.typ(), ..HeaderFields::default() };
    jws::sign(&header, claims.to_string().as_bytes(), &ed25519()).unwrap()
}

#[track_caller]
fn refused(name: &str, value: Value, expect: &AssertionError) {
    let shown = format!("{name} = {value}");
    let result = verify_with(&signed_with(name, value), &ed25519(), |_| {});
    assert_eq!(result.unwrap_err(), *expect, "{shown}");
}

fn missing(name: &str) -> AssertionError {
    AssertionError::Kind(KindError::MissingClaim(name.to_owned()))
}

fn wrong_audience() -> AssertionError {
    AssertionError::Audience { expected: ISSUER.to_owned() }
}

// Bytes on the wire: these change only by decision. PS and ES signatures are random.
// spec-test: 7523-C1
// spec-test: 7523-C2
// spec-test: 7523-C3
#[test]
fn golden_bytes() {
    let check = |key: &SigningKey, expect: &str| assert_eq!(build(key, |_| {}).unwrap(), expect.trim());
    check(&ed25519(), include_str!("../../../testdata/golden/client_assertion.eddsa.jwt"));
    check(&rs256(), include_str!("../../../testdata/golden/client_assertion.rs256.jwt"));
    check(&hmac(Algorithm::Hs256), include_str!("../../../testdata/golden/client_assertion.hs256.jwt"));
    check(&hmac(Algorithm::Hs384), include_str!("../../../testdata/golden/client_assertion.hs384.jwt"));
    check(&hmac(Algorithm::Hs512), include_str!("../../../testdata/golden/client_assertion.hs512.jwt"));
}

// spec-test: 7523-C1
#[test]
fn the_parts_of_an_assertion() {
    let text = build(&ed25519(), |_| {}).unwrap();
    let compact = Compact::parse(&text).unwrap();
    assert_eq!(
        std::str::from_utf8(compact.payload()).unwrap(),
        r#"{"iss":"billing","sub":"billing","aud":"https://as.example/tenant","exp":1800000060,"iat":1800000000,"jti":"1"}"#
    );
    assert_eq!(compact.header().typ.as_deref(), Some("client-authentication+jwt"));
    assert_eq!(compact.header().kid.as_deref(), Some("k1"));
}

#[test]
fn every_algorithm_round_trips() {
    let mut keys: Vec<SigningKey> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_symmetric() && !algorithm.name().starts_with(['R', 'P']))
        .map(|algorithm| SigningKey::generate(algorithm).unwrap())
        .collect();
    keys.extend([Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512].map(hmac));
    keys.push(rs256());
    let der = rs256().to_pkcs8_der().unwrap();
    keys.push(SigningKey::from_pkcs8_der(der.expose(), Some(Algorithm::Ps256)).unwrap());
    for key in keys {
        let verified = verify_with(&build(&key, |_| {}).unwrap(), &key, |_| {}).unwrap();
        assert_eq!((verified.client_id(), verified.jti()), (&client(), "1"), "{:?}", key.algorithm());
        assert_eq!(verified.expires_at(), UnixTime::from_seconds(NOW.seconds() + 60));
    }
}

#[test]
fn what_a_client_must_not_build() {
    let key = ed25519();
    assert_eq!(build(&key, |a| a.jti = Some("")).unwrap_err(), AssertionError::Jti);
    let long = "j".repeat(MAX_JTI_BYTES + 1);
    let (client_id, audience) = (client(), AssertionAudience::Issuer(issuer()));
    let assertion = ClientAssertion::new(&client_id, &audience, &long, NOW);
    assert_eq!(assertion.build(&key).unwrap_err(), AssertionError::Jti);
    let extra = [("sub".to_owned(), "x".to_owned())];
    let assertion =
        ClientAssertion { claims: &extra, ..ClientAssertion::new(&client_id, &audience, "1", NOW) };
    assert!(matches!(assertion.build(&key).unwrap_err(), AssertionError::ExtraClaim(_)));
    let refused = build(&key, |a| a.lifetime = MAX_LIFETIME + Duration::from_secs(1)).unwrap_err();
    assert_eq!(refused, AssertionError::Kind(KindError::LivesTooLong { limit: MAX_LIFETIME }));
    assert!(build(&key, |a| a.lifetime = MAX_LIFETIME).is_ok());
}

#[test]
fn other_servers_may_allow_a_longer_life() {
    let check = |longest: u64, life: u64, limit: Option<u64>| {
        let result = build(&ed25519(), |a| {
            a.longest_life = Duration::from_secs(longest);
            a.lifetime = Duration::from_secs(life);
        });
        let refused = limit
            .map(|limit| AssertionError::Kind(KindError::LivesTooLong { limit: Duration::from_secs(limit) }));
        assert_eq!(result.as_ref().err(), refused.as_ref(), "{longest} {life}");
        // Our own server keeps its limit, whatever was built.
        let accepted = |text: String| verify_with(&text, &ed25519(), |_| {}).is_ok();
        assert_eq!(result.map(accepted).ok(), limit.is_none().then_some(life <= 300));
    };
    check(3600, 300, None);
    check(3600, 3600, None);
    check(3600, 3601, Some(3600));
    check(30, 31, Some(30));
    check(86_400, 3601, Some(3600));
}

#[test]
fn what_other_servers_want() {
    let extra = [("box_sub_type".to_owned(), "enterprise".to_owned()), ("a".to_owned(), "\"".to_owned())];
    let (client_id, audience) = (client(), AssertionAudience::Literal("https://b.example/token".to_owned()));
    let assertion = ClientAssertion {
        jti: None,
        backdate: Duration::from_secs(10),
        not_before: NotBefore::IssuedAt,
        typ: AssertionType::Jwt,
        x5t_s256: Some(CertificateThumbprint::of(b"a certificate in DER")),
        claims: &extra,
        ..ClientAssertion::new(&client_id, &audience, "1", NOW)
    };
    let text = assertion.build(&ed25519()).unwrap();
    assert_eq!(text, include_str!("../../../testdata/golden/client_assertion_elsewhere.eddsa.jwt").trim());
    let compact = Compact::parse(&text).unwrap();
    assert_eq!(
        std::str::from_utf8(compact.payload()).unwrap(),
        r#"{"iss":"billing","sub":"billing","aud":"https://b.example/token","exp":1800000060,"nbf":1799999990,"iat":1799999990,"a":"\"","box_sub_type":"enterprise"}"#
    );
    let header = crate::jose::base64url::decode(text.split('.').next().unwrap()).unwrap();
    let thumbprint = CertificateThumbprint::of(b"a certificate in DER").to_text();
    assert_eq!(
        String::from_utf8(header).unwrap(),
        format!(r#"{{"typ":"JWT","alg":"EdDSA","kid":"k1","x5t#S256":"{thumbprint}"}}"#)
    );
    // Our own server wants `jti`.
    let own = build(&ed25519(), |a| a.jti = None).unwrap();
    assert_eq!(verify_with(&own, &ed25519(), |_| {}).unwrap_err(), missing("jti"));
    // A moved `iat` is no reason to refuse, and moves nothing else.
    let moved = build(&ed25519(), |a| a.backdate = Duration::from_secs(120)).unwrap();
    let verified = verify_with(&moved, &ed25519(), |_| {}).unwrap();
    assert_eq!(verified.expires_at(), UnixTime::from_seconds(NOW.seconds() + 60));
}

// spec-test: 7523-AS3b
#[test]
fn the_limit_is_that_of_the_kind_table() {
    assert_eq!(KIND.row().life, LifeRule::UntilExpiry(MAX_LIFETIME));
}

#[test]
fn a_client_may_write_nbf_and_another_audience() {
    let text = build(&ed25519(), |a| a.not_before = NotBefore::IssuedAt).unwrap();
    let payload = Compact::parse(&text).unwrap().payload().to_vec();
    assert_eq!(Claims::parse(&payload).unwrap().nbf, Some(NOW));
    assert_eq!(AssertionAudience::Endpoint(endpoint()).as_str(), TOKEN_ENDPOINT);
    assert_eq!(AssertionAudience::Literal("urn:x".to_owned()).as_str(), "urn:x");
}

// spec-test: 7523-AS2
#[test]
fn typ_is_explicit_unless_registered_otherwise() {
    let check = |typ: AssertionType, strict: bool, lenient: bool| {
        let text = build(&ed25519(), |a| a.typ = typ).unwrap();
        assert_eq!(verify_with(&text, &ed25519(), |_| {}).is_ok(), strict, "{typ:?}");
        let result = verify_with(&text, &ed25519(), |e| e.typ = TypRule::OrUntyped);
        assert_eq!(result.is_ok(), lenient, "{typ:?}");
    };
    check(AssertionType::ClientAuthentication, true, true);
    check(AssertionType::Jwt, false, true);
    check(AssertionType::Absent, false, true);
}

// spec-test: 7523-AS2
#[test]
fn a_typ_that_names_another_kind_is_refused_always() {
    let payload =
        Claims::parse(Compact::parse(&build(&ed25519(), |_| {}).unwrap()).unwrap().payload()).unwrap();
    for typ in ["at+jwt", "dpop+jwt", "application/at+jwt", "x"] {
        let header = HeaderFields { typ: Some(typ), ..HeaderFields::default() };
        let text = jws::sign(&header, &payload.encode(), &ed25519()).unwrap();
        for rule in [TypRule::Explicit, TypRule::OrUntyped] {
            let refused = verify_with(&text, &ed25519(), |e| e.typ = rule).unwrap_err();
            assert!(matches!(refused, AssertionError::Kind(KindError::WrongTyp { .. })), "{typ} {refused:?}");
        }
    }
}

// spec-test: 7523-AS1
#[test]
fn the_audience_is_the_issuer_and_nothing_else() {
    assert!(verify_with(&signed_with("aud", json!([ISSUER])), &ed25519(), |_| {}).is_ok());
    for aud in [
        json!(TOKEN_ENDPOINT),
        json!([ISSUER, TOKEN_ENDPOINT]),
        json!([ISSUER, ISSUER]),
        json!([]),
        json!(format!("{ISSUER}/")),
        json!("https://AS.example/tenant"),
        json!("https://evil.example"),
    ] {
        refused("aud", aud, &wrong_audience());
    }
    refused("aud", Value::Null, &missing("aud"));
    assert_eq!(wrong_audience().to_string(), "aud must be https://as.example/tenant");
}

// spec-test: 7523-AS1
#[test]
fn the_token_endpoint_as_audience_is_a_switch() {
    let endpoint = endpoint();
    let check = |aud: Value, expect: bool| {
        let text = signed_with("aud", aud.clone());
        let (client_id, issuer) = (client(), issuer());
        let expect_with = Expect {
            client_id: &client_id,
            issuer: &issuer,
            token_endpoint_audience: Some(&endpoint),
            typ: TypRule::Explicit,
            now: NOW,
            skew: Skew::DEFAULT,
        };
        let result = verify(&text, &expect_with, [ed25519().verifying_key().as_ref()]);
        assert_eq!(result.is_ok(), expect, "{aud}");
    };
    check(json!(TOKEN_ENDPOINT), true);
    check(json!(ISSUER), true);
    check(json!([TOKEN_ENDPOINT, ISSUER]), false);
    check(json!("https://evil.example/token"), false);
}

// spec-test: 7523-AS3
#[test]
fn issuer_and_subject_are_the_client() {
    refused("iss", json!("payroll"), &AssertionError::Subject);
    refused("sub", json!("payroll"), &AssertionError::Subject);
    refused("iss", Value::Null, &AssertionError::Subject);
    refused("sub", Value::Null, &AssertionError::Subject);
    let text = build(&ed25519(), |_| {}).unwrap();
    let other = ClientId::parse("payroll").unwrap();
    let issuer = issuer();
    let expect = Expect {
        client_id: &other,
        issuer: &issuer,
        token_endpoint_audience: None,
        typ: TypRule::Explicit,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let refused = verify(&text, &expect, [ed25519().verifying_key().as_ref()]).unwrap_err();
    assert_eq!(refused, AssertionError::Subject);
}

// spec-test: 7523-AS3
#[test]
fn times_within_the_skew_and_not_beyond() {
    let now = NOW.seconds();
    let check = |name: &str, value: u64, expect: bool| {
        let result = verify_with(&signed_with(name, json!(value)), &ed25519(), |_| {});
        assert_eq!(result.is_ok(), expect, "{name} {value} {result:?}");
    };
    check(claim::EXP, now - 29, true);
    check(claim::EXP, now - 30, false);
    check(claim::EXP, now + 330, true);
    check(claim::EXP, now + 331, false);
    check(claim::NBF, now + 30, true);
    check(claim::NBF, now + 31, false);
    check(claim::IAT, now + 30, true);
    check(claim::IAT, now + 31, false);
    check(claim::IAT, now - 330, true);
    check(claim::IAT, now - 331, false);
    refused(claim::EXP, Value::Null, &missing("exp"));
    refused(claim::IAT, json!(now - 331), &AssertionError::IssuedTooEarly);
    assert!(verify_with(&signed_with(claim::IAT, Value::Null), &ed25519(), |_| {}).is_ok());
}

// spec-test: 7523-AS3b
#[test]
fn jti_is_required_and_bounded() {
    refused("jti", Value::Null, &missing("jti"));
    refused("jti", json!(""), &AssertionError::Jti);
    refused("jti", json!("j".repeat(MAX_JTI_BYTES + 1)), &AssertionError::Jti);
    assert!(verify_with(&signed_with("jti", json!("j".repeat(MAX_JTI_BYTES))), &ed25519(), |_| {}).is_ok());
}

#[test]
fn malformed_claims_are_refused() {
    refused("exp", json!("soon"), &AssertionError::Claims);
    refused("aud", json!({"a": 1}), &AssertionError::Claims);
    let not_jws = verify_with("e30.e30", &ed25519(), |_| {}).unwrap_err();
    assert_eq!(not_jws, AssertionError::Jws(JwsError::NotCompact));
}

// spec-test: 7523-AS3
#[test]
fn only_the_clients_own_keys_count() {
    let (own, stranger) = (ed25519(), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let forged = build(&stranger, |_| {}).unwrap();
    let refused = verify_with(&forged, &own, |_| {}).unwrap_err();
    assert_eq!(refused, AssertionError::Jws(JwsError::WrongSignature));
    // Another algorithm, or another name: not even tried.
    let other = build(&hmac(Algorithm::Hs256), |_| {}).unwrap();
    assert_eq!(verify_with(&other, &own, |_| {}).unwrap_err(), AssertionError::NoKey);
    let renamed = ed25519().with_key_id("k2".to_owned());
    assert_eq!(
        verify_with(&build(&own, |_| {}).unwrap(), &renamed, |_| {}).unwrap_err(),
        AssertionError::NoKey
    );
    let unsigned = format!("{}.", build(&own, |_| {}).unwrap().rsplit_once('.').unwrap().0);
    assert!(verify_with(&unsigned, &own, |_| {}).is_err());
}

#[test]
fn several_keys_are_tried_but_not_any_number() {
    let own = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let others: Vec<_> =
        (0..MAX_TRIED_KEYS).map(|_| SigningKey::generate(Algorithm::EdDsa).unwrap()).collect();
    let text = build(&own, |_| {}).unwrap();
    let attempt = |others: &[SigningKey]| {
        let keys: Vec<_> = others.iter().chain([&own]).map(|key| key.verifying_key().as_ref()).collect();
        let (client_id, issuer) = (client(), issuer());
        let expect = Expect {
            client_id: &client_id,
            issuer: &issuer,
            token_endpoint_audience: None,
            typ: TypRule::Explicit,
            now: NOW,
            skew: Skew::DEFAULT,
        };
        verify(&text, &expect, keys)
    };
    assert!(attempt(&others[..MAX_TRIED_KEYS - 1]).is_ok());
    assert!(attempt(&others).is_err());
}

#[test]
fn reading_shows_whose_assertion_it_claims_to_be() {
    let assertion = UnverifiedAssertion::parse(&build(&ed25519(), |_| {}).unwrap()).unwrap();
    assert_eq!(assertion.self_issued(), Some("billing"));
    assert_eq!((assertion.algorithm(), assertion.key_id()), (Algorithm::EdDsa, Some("k1")));
    let foreign = UnverifiedAssertion::parse(&signed_with("iss", json!("https://k8s.example"))).unwrap();
    assert_eq!((foreign.self_issued(), foreign.subject()), (None, Some("billing")));
    assert!(!format!("{assertion:?}").contains(assertion.expose()));
}

proptest! {
    #[test]
    fn what_is_built_verifies(jti in "[!-~]{1,64}", life in 1u64..=300, late in 0u64..300) {
        prop_assume!(late < life);
        let key = ed25519();
        let (client_id, audience) = (client(), AssertionAudience::Issuer(issuer()));
        let assertion = ClientAssertion {
            lifetime: Duration::from_secs(life), not_before: NotBefore::IssuedAt,
            ..ClientAssertion::new(&client_id, &audience, &jti, NOW)
        };
        let text = assertion.build(&key).unwrap();
        let verified = verify_with(&text, &key, |e| e.now = UnixTime::from_seconds(NOW.seconds() + late));
        let verified = verified.unwrap();
        prop_assert_eq!(verified.jti(), jti);
    }

    #[test]
    fn any_text_is_survived(text in "[A-Za-z0-9._-]{0,200}") {
        let refused = verify_with(&text, &ed25519(), |_| {}).is_err();
        prop_assert!(refused);
    }
}
