use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::jose::Jwk;
use crate::jose::kind::LifeRule;
use crate::names::media_type;
use crate::secret::SecretBytes;
use crate::token::{GrantKind, TokenRequest};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISSUER: &str = "https://as.example/tenant";
const TOKEN_ENDPOINT: &str = "https://as.example/tenant/token";
const SIGNER: &str = "robot@project.example";

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

fn grant() -> AuthorizationGrant<'static> {
    AuthorizationGrant { subject: Some("orders"), ..AuthorizationGrant::new(SIGNER, ISSUER, NOW) }
}

/// As services with keys for robots want it.
fn robot(scope: &Scope) -> AuthorizationGrant<'_> {
    AuthorizationGrant {
        lifetime: Duration::from_secs(3590),
        backdate: Duration::from_secs(10),
        scope: Some(scope),
        kid: Some("key-1"),
        ..AuthorizationGrant::new(SIGNER, TOKEN_ENDPOINT, NOW)
    }
}

fn payload(text: &str) -> String {
    String::from_utf8(Compact::parse(text).unwrap().payload().to_vec()).unwrap()
}

fn verify_with(
    text: &str,
    key: &SigningKey,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<VerifiedGrant, AuthorizationGrantError> {
    let (issuer, endpoint) = (Issuer::parse(ISSUER).unwrap(), EndpointUri::parse(TOKEN_ENDPOINT).unwrap());
    let mut expect = Expect {
        trusted_issuer: SIGNER,
        issuer: &issuer,
        token_endpoint: &endpoint,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    change(&mut expect);
    verify(text, &expect, [key.verifying_key().as_ref()])
}

/// Good claims but for one member, signed with good header and key.
fn signed_with(name: &str, value: Value) -> String {
    let mut claims = json!({"iss": SIGNER, "sub": "orders", "aud": ISSUER, "iat": NOW.seconds(), "exp": NOW.seconds() + 60});
    claims[name] = value;
    jws::sign(&HeaderFields::default(), claims.to_string().as_bytes(), &ed25519()).unwrap()
}

#[track_caller]
fn refused(name: &str, value: Value, expect: &AuthorizationGrantError) {
    let shown = format!("{name} = {value}");
    let result = verify_with(&signed_with(name, value), &ed25519(), |_| {});
    assert_eq!(result.unwrap_err(), *expect, "{shown}");
}

fn missing(name: &str) -> AuthorizationGrantError {
    KindError::MissingClaim(name.to_owned()).into()
}

fn wrong_audience() -> AuthorizationGrantError {
    AuthorizationGrantError::Audience { expected: ISSUER.to_owned() }
}

// Bytes on the wire: these change only by decision. PS and ES signatures are random.
// spec-test: GSA-1
// spec-test: GSA-2
#[test]
fn golden_bytes() {
    let check = |grant: AuthorizationGrant<'_>, key: &SigningKey, expect: &str| {
        assert_eq!(grant.build(key).unwrap(), expect.trim());
    };
    let scope = Scope::parse("https://api.example/auth/cloud read").unwrap();
    check(grant(), &ed25519(), include_str!("../../../testdata/golden/authorization_grant.eddsa.jwt"));
    check(grant(), &rs256(), include_str!("../../../testdata/golden/authorization_grant.rs256.jwt"));
    check(
        robot(&scope),
        &rs256(),
        include_str!("../../../testdata/golden/authorization_grant_robot.rs256.jwt"),
    );
}

// spec-test: GSA-1
// spec-test: GSA-2
#[test]
fn the_parts_of_a_grant() {
    let header = |text: &str| {
        let bytes = crate::jose::base64url::decode(text.split('.').next().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let plain = grant().build(&ed25519()).unwrap();
    assert_eq!(header(&plain), r#"{"typ":"JWT","alg":"EdDSA","kid":"k1"}"#);
    assert_eq!(
        payload(&plain),
        r#"{"iss":"robot@project.example","sub":"orders","aud":"https://as.example/tenant","exp":1800000060,"iat":1800000000}"#
    );
    let scope = Scope::parse("https://api.example/auth/cloud read").unwrap();
    let robot = robot(&scope).build(&rs256()).unwrap();
    assert_eq!(header(&robot), r#"{"typ":"JWT","alg":"RS256","kid":"key-1"}"#);
    assert_eq!(
        payload(&robot),
        r#"{"iss":"robot@project.example","aud":"https://as.example/tenant/token","exp":1800003590,"iat":1799999990,"scope":"https://api.example/auth/cloud read"}"#
    );
    let extra = [("box_sub_type".to_owned(), "enterprise".to_owned())];
    let full = AuthorizationGrant {
        jti: Some("1"),
        claims: &extra,
        typ: GrantTyp::Absent,
        x5t_s256: Some(CertificateThumbprint::of(b"a certificate in DER")),
        scope: Some(&Scope::empty()),
        ..grant()
    };
    let full = full.build(&ed25519()).unwrap();
    let thumbprint = CertificateThumbprint::of(b"a certificate in DER").to_text();
    assert_eq!(header(&full), format!(r#"{{"alg":"EdDSA","kid":"k1","x5t#S256":"{thumbprint}"}}"#));
    assert!(payload(&full).ends_with(r#""jti":"1","box_sub_type":"enterprise"}"#), "{}", payload(&full));
}

#[test]
fn a_bearer_jwt_may_name_no_audience() {
    let text = AuthorizationGrant { audience: "", ..grant() }.build(&ed25519()).unwrap();
    assert!(!payload(&text).contains("aud"), "{}", payload(&text));
    assert!(verify_with(&text, &ed25519(), |_| {}).is_err(), "which no server of ours takes");
}

#[test]
fn what_must_not_be_built() {
    let check = |grant: AuthorizationGrant<'_>, expect: AuthorizationGrantError| {
        assert_eq!(grant.build(&ed25519()).unwrap_err(), expect);
    };
    check(AuthorizationGrant { issuer: "", ..grant() }, AuthorizationGrantError::Issuer);
    check(AuthorizationGrant { subject: Some(""), ..grant() }, AuthorizationGrantError::Subject);
    check(AuthorizationGrant { jti: Some(""), ..grant() }, AuthorizationGrantError::Jti);
    let long = "j".repeat(MAX_JTI_BYTES + 1);
    check(AuthorizationGrant { jti: Some(&long), ..grant() }, AuthorizationGrantError::Jti);
    let lifetime = MAX_LIFETIME + Duration::from_secs(1);
    let too_long = KindError::LivesTooLong { limit: MAX_LIFETIME };
    check(AuthorizationGrant { lifetime, ..grant() }, too_long.into());
    assert!(AuthorizationGrant { lifetime: MAX_LIFETIME, ..grant() }.build(&ed25519()).is_ok());
    let scope = Scope::parse("read").unwrap();
    for name in ["iss", "exp", "scope"] {
        let claims = [(name.to_owned(), "x".to_owned())];
        let error = ExtraClaimError { name: name.to_owned() };
        check(AuthorizationGrant { claims: &claims, scope: Some(&scope), ..grant() }, error.into());
    }
    let secret = SigningKey::hmac(&SecretBytes::new(vec![b's'; 64]), Algorithm::Hs256).unwrap();
    let symmetric = KindError::SymmetricAlgorithm(Algorithm::Hs256);
    assert_eq!(grant().build(&secret).unwrap_err(), symmetric.into());
}

#[test]
fn the_limit_is_that_of_the_kind_table() {
    assert_eq!(KIND.row().life, LifeRule::UntilExpiry(MAX_LIFETIME));
}

#[test]
fn the_parameter_and_the_request_around_it() {
    let text = grant().build(&ed25519()).unwrap();
    let request = TokenRequest::new(GrantKind::JwtBearer);
    let mut form = FormWriter::new();
    request.write(&mut form);
    write(&mut form, &text);
    let body = form.finish();
    let expect = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={text}");
    assert_eq!(body, expect);
    let form = Form::parse(Some(media_type::FORM), &body).unwrap();
    assert_eq!(TokenRequest::decode(&form), Ok(request));
    let grant = read(&form).unwrap();
    assert_eq!((grant.issuer(), grant.subject()), (Some(SIGNER), Some("orders")));
    assert_eq!((grant.algorithm(), grant.key_id()), (Algorithm::EdDsa, Some("k1")));
    assert!(!format!("{grant:?}").contains(&text));
    let refused =
        |body: &str| read(&Form::parse(Some(media_type::FORM), body.as_bytes()).unwrap()).unwrap_err();
    assert_eq!(refused("a=b"), AuthorizationGrantError::Missing);
    assert_eq!(refused("assertion="), AuthorizationGrantError::Missing);
    assert_eq!(refused("assertion=e30.e30"), AuthorizationGrantError::Jws(JwsError::NotCompact));
}

// spec-test: 7523-AS5
#[test]
fn every_algorithm_of_a_key_pair_round_trips() {
    let mut keys: Vec<SigningKey> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_symmetric() && !algorithm.name().starts_with(['R', 'P']))
        .map(|algorithm| SigningKey::generate(algorithm).unwrap())
        .collect();
    keys.push(rs256());
    let scope = Scope::parse("a b").unwrap();
    for key in keys {
        let grant = AuthorizationGrant { jti: Some("1"), scope: Some(&scope), ..grant() };
        let verified = verify_with(&grant.build(&key).unwrap(), &key, |_| {}).unwrap();
        assert_eq!((verified.issuer(), verified.subject(), verified.jti()), (SIGNER, "orders", Some("1")));
        assert_eq!(verified.expires_at(), UnixTime::from_seconds(NOW.seconds() + 60));
        assert_eq!((verified.scope(), verified.claims().iat), (Ok(Some(scope.clone())), Some(NOW)));
    }
}

#[test]
fn scope_is_read_where_it_is_a_text() {
    let check = |value: Value, expect: Result<Option<Scope>, ScopeError>| {
        let verified = verify_with(&signed_with("scope", value.clone()), &ed25519(), |_| {}).unwrap();
        assert_eq!(verified.scope(), expect, "{value}");
    };
    check(json!("a b"), Ok(Some(Scope::parse("a b").unwrap())));
    check(json!(""), Ok(None));
    check(Value::Null, Ok(None));
    check(json!(["a"]), Ok(None));
    check(json!("a\\b"), Err(ScopeError::Character));
}

// spec-test: 7523-AS5
#[test]
fn typ_is_none_of_another_kind() {
    let claims = payload(&grant().build(&ed25519()).unwrap());
    let check = |typ: Option<&str>, expect: bool| {
        let header = HeaderFields { typ, ..HeaderFields::default() };
        let text = jws::sign(&header, claims.as_bytes(), &ed25519()).unwrap();
        let result = verify_with(&text, &ed25519(), |_| {});
        assert_eq!(result.is_ok(), expect, "{typ:?}");
        let kind = result
            .err()
            .is_none_or(|error| matches!(error, AuthorizationGrantError::Kind(KindError::WrongTyp { .. })));
        assert!(kind, "{typ:?}");
    };
    for typ in [None, Some("JWT"), Some("jwt"), Some("authorization-grant+jwt")] {
        check(typ, true);
    }
    for typ in ["client-authentication+jwt", "at+jwt", "application/at+jwt", "dpop+jwt"] {
        check(Some(typ), false);
    }
}

// spec-test: 7523-AS5
#[test]
fn the_issuer_is_the_trusted_one_to_the_letter() {
    for iss in [json!("other@project.example"), json!("Robot@project.example"), json!(""), Value::Null] {
        refused("iss", iss, &AuthorizationGrantError::Issuer);
    }
    let text = grant().build(&ed25519()).unwrap();
    let other = verify_with(&text, &ed25519(), |e| e.trusted_issuer = "https://other.example").unwrap_err();
    assert_eq!(other, AuthorizationGrantError::Issuer);
}

// spec-test: 7523-AS5
// spec-test: 7523-C5
#[test]
fn the_audience_is_the_issuer_or_the_token_endpoint() {
    for aud in [json!(ISSUER), json!(TOKEN_ENDPOINT), json!([TOKEN_ENDPOINT]), json!(["urn:x", ISSUER])] {
        let result = verify_with(&signed_with("aud", aud.clone()), &ed25519(), |_| {});
        assert!(result.is_ok(), "{aud}");
    }
    for aud in [json!("https://evil.example"), json!(format!("{ISSUER}/")), json!([]), json!("")] {
        refused("aud", aud, &wrong_audience());
    }
    refused("aud", Value::Null, &missing("aud"));
}

// spec-test: 7523-AS5
#[test]
fn times_within_the_skew_and_not_beyond() {
    let now = NOW.seconds();
    let check = |name: &str, value: u64, expect: bool| {
        let result = verify_with(&signed_with(name, json!(value)), &ed25519(), |_| {});
        assert_eq!(result.is_ok(), expect, "{name} {value} {result:?}");
    };
    check(claim::EXP, now - 29, true);
    check(claim::EXP, now - 30, false);
    check(claim::EXP, now + 3630, true);
    check(claim::EXP, now + 3631, false);
    check(claim::NBF, now + 30, true);
    check(claim::NBF, now + 31, false);
    check(claim::IAT, now + 30, true);
    check(claim::IAT, now + 31, false);
    check(claim::IAT, 1, true);
    refused(claim::EXP, Value::Null, &missing("exp"));
}

// spec-test: 7523-AS5
#[test]
fn subject_and_jti() {
    refused("sub", Value::Null, &missing("sub"));
    refused("sub", json!(""), &AuthorizationGrantError::Subject);
    refused("jti", json!(""), &AuthorizationGrantError::Jti);
    refused("jti", json!("j".repeat(MAX_JTI_BYTES + 1)), &AuthorizationGrantError::Jti);
    let jti = |value: Value| {
        let verified = verify_with(&signed_with("jti", value), &ed25519(), |_| {}).unwrap();
        verified.jti().map(str::len)
    };
    assert_eq!(jti(json!("j".repeat(MAX_JTI_BYTES))), Some(MAX_JTI_BYTES));
    assert_eq!(jti(Value::Null), None);
    // What some servers want built, ours does not take.
    let anonymous = AuthorizationGrant::new(SIGNER, ISSUER, NOW).build(&ed25519()).unwrap();
    assert_eq!(verify_with(&anonymous, &ed25519(), |_| {}).unwrap_err(), missing("sub"));
}

#[test]
fn malformed_claims_are_refused() {
    refused("exp", json!("soon"), &AuthorizationGrantError::Claims);
    refused("aud", json!({"a": 1}), &AuthorizationGrantError::Claims);
}

// spec-test: 7523-AS5
#[test]
fn only_the_issuers_own_keys_count() {
    let (own, stranger) = (ed25519(), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let verdict = |text: &str, key: &SigningKey| verify_with(text, key, |_| {}).unwrap_err();
    let forged = grant().build(&stranger).unwrap();
    assert_eq!(verdict(&forged, &own), AuthorizationGrantError::Jws(JwsError::WrongSignature));
    assert_eq!(verdict(&grant().build(&rs256()).unwrap(), &own), AuthorizationGrantError::NoKey);
    let renamed = ed25519().with_key_id("k2".to_owned());
    assert_eq!(verdict(&grant().build(&own).unwrap(), &renamed), AuthorizationGrantError::NoKey);
    // A shared secret is nobody's key pair, whatever the caller registered.
    let secret = SigningKey::hmac(&SecretBytes::new(vec![b's'; 64]), Algorithm::Hs256).unwrap();
    let claims = payload(&grant().build(&own).unwrap());
    let shared = jws::sign(&HeaderFields::default(), claims.as_bytes(), &secret).unwrap();
    let symmetric = KindError::SymmetricAlgorithm(Algorithm::Hs256);
    assert_eq!(verdict(&shared, &secret), AuthorizationGrantError::Kind(symmetric));
}

#[test]
fn several_keys_are_tried_but_not_any_number() {
    let own = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let others: Vec<_> =
        (0..MAX_TRIED_KEYS).map(|_| SigningKey::generate(Algorithm::EdDsa).unwrap()).collect();
    let text = grant().build(&own).unwrap();
    let (issuer, endpoint) = (Issuer::parse(ISSUER).unwrap(), EndpointUri::parse(TOKEN_ENDPOINT).unwrap());
    let attempt = |others: &[SigningKey]| {
        let keys: Vec<_> = others.iter().chain([&own]).map(|key| key.verifying_key().as_ref()).collect();
        let expect = Expect {
            trusted_issuer: SIGNER,
            issuer: &issuer,
            token_endpoint: &endpoint,
            now: NOW,
            skew: Skew::DEFAULT,
        };
        verify(&text, &expect, keys)
    };
    assert!(attempt(&others[..MAX_TRIED_KEYS - 1]).is_ok());
    assert!(attempt(&others).is_err());
}

proptest! {
    #[test]
    fn what_is_built_verifies(
        subject in ".{1,40}", jti in proptest::option::of("[!-~]{1,64}"),
        scope in proptest::collection::vec("[!#-\\[\\]-~]{1,8}", 1..4),
        value in ".{0,20}", life in 1u64..=3600, back in 0u64..4000, late in 0u64..3600,
    ) {
        prop_assume!(late < life);
        let key = ed25519();
        let scope = Scope::parse(&scope.join(" ")).unwrap();
        let claims = [("extra".to_owned(), value.clone())];
        let grant = AuthorizationGrant {
            subject: Some(&subject), jti: jti.as_deref(), scope: Some(&scope), claims: &claims,
            lifetime: Duration::from_secs(life), backdate: Duration::from_secs(back),
            ..AuthorizationGrant::new(SIGNER, TOKEN_ENDPOINT, NOW)
        };
        let text = grant.build(&key).unwrap();
        let then = UnixTime::from_seconds(NOW.seconds() + late);
        let verified = verify_with(&text, &key, |e| e.now = then).unwrap();
        prop_assert_eq!((verified.subject(), verified.jti()), (subject.as_str(), jti.as_deref()));
        prop_assert_eq!(verified.scope(), Ok(Some(scope)));
        prop_assert_eq!(verified.claims().text("extra"), Some(value.as_str()));
        prop_assert_eq!(verified.expires_at(), UnixTime::from_seconds(NOW.seconds() + life));
    }

    #[test]
    fn any_text_is_survived(text in "[A-Za-z0-9._-]{0,200}") {
        let refused = verify_with(&text, &ed25519(), |_| {}).is_err();
        prop_assert!(refused);
    }
}
