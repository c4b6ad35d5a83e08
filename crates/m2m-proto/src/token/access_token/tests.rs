use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::client_auth::CertificateThumbprint;
use crate::client_id::ClientId;
use crate::jose::{HeaderFields, Jwk, SigningKey, jws};
use crate::scope::Scope;
use crate::secret::SecretBytes;
use crate::token::AccessToken;
use crate::token::confirmation::Confirmation;
use crate::token_profile::AudiencePlace;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "https://orders.example";

fn key() -> SigningKey {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

struct Parts {
    issuer: Issuer,
    client_id: ClientId,
    scope: Scope,
    roles: Vec<String>,
    permissions: Vec<String>,
    confirmation: Confirmation,
}

impl Parts {
    fn new() -> Self {
        Self {
            issuer: Issuer::parse(ISSUER).unwrap(),
            client_id: ClientId::parse("billing").unwrap(),
            scope: Scope::parse("orders:read orders:write").unwrap(),
            roles: vec!["reader".to_owned(), "a\"b\\c\u{1}é".to_owned()],
            permissions: vec!["p".to_owned()],
            confirmation: Confirmation::key(key().thumbprint().clone())
                .and_certificate(CertificateThumbprint::of(b"certificate")),
        }
    }

    /// Only what RFC 9068 requires, and a scope.
    fn plain(&self) -> AccessTokenClaims<'_> {
        AccessTokenClaims {
            issuer: &self.issuer,
            subject: "billing",
            client_id: &self.client_id,
            audience: &[AUDIENCE],
            scope: &self.scope,
            issued_at: NOW,
            expires_at: UnixTime::from_seconds(NOW.seconds() + 600),
            jti: "t-1",
            roles: &[],
            permissions: &[],
            credential: None,
            confirmation: None,
            status: None,
            delegation: None,
        }
    }

    /// Everything.
    fn full(&self) -> AccessTokenClaims<'_> {
        AccessTokenClaims {
            audience: &[AUDIENCE, "urn:second"],
            roles: &self.roles,
            permissions: &self.permissions,
            credential: Some("c-7"),
            confirmation: Some(&self.confirmation),
            status: Some(StatusReference { uri: "https://as.example/oauth2/status/1", index: 42 }),
            ..self.plain()
        }
    }
}

fn minted(claims: &AccessTokenClaims<'_>) -> AccessToken {
    claims.sign(&AccessTokenClaims::header(&key()), &key()).unwrap()
}

fn verify_at(
    token: &str,
    now: u64,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<VerifiedClaims, AccessTokenError> {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let mut expect = Expect {
        issuer: &issuer,
        audience: AUDIENCE,
        algorithms: &DEFAULT_ALGORITHMS,
        now: UnixTime::from_seconds(now),
        skew: Skew::DEFAULT,
    };
    change(&mut expect);
    verify(parse(token)?, key().verifying_key(), &TokenProfile::rfc9068(), &expect)
}

fn verified(token: &str) -> Result<VerifiedClaims, AccessTokenError> {
    verify_at(token, NOW.seconds(), |_| {})
}

fn claims() -> Value {
    serde_json::from_str(&Parts::new().plain().encode().unwrap()).unwrap()
}

fn signed_as(typ: Option<&str>, claims: &Value) -> String {
    jws::sign(&HeaderFields { typ, ..HeaderFields::default() }, claims.to_string().as_bytes(), &key())
        .unwrap()
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    signed_as(KIND.typ(), &claims)
}

#[track_caller]
fn refused(name: &str, value: Value, expect: &AccessTokenError) {
    let shown = format!("{name} = {value}");
    assert_eq!(verified(&with(name, value)).unwrap_err(), *expect, "{shown}");
}

fn missing(name: &str) -> AccessTokenError {
    AccessTokenError::Kind(KindError::MissingClaim(name.to_owned()))
}

// spec-test: 9068-AS1
#[test]
fn golden_bytes() {
    let parts = Parts::new();
    let plain = minted(&parts.plain());
    assert_eq!(plain.expose(), include_str!("../../../testdata/golden/access_token.eddsa.jwt").trim());
    assert_eq!(
        parts.full().encode().unwrap(),
        include_str!("../../../testdata/golden/access_token_full.claims.json").trim()
    );
}

#[test]
fn what_is_written_by_hand_is_json() {
    let parts = Parts::new();
    let claims: Value = serde_json::from_str(&parts.full().encode().unwrap()).unwrap();
    let now = NOW.seconds();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": "billing", "aud": [AUDIENCE, "urn:second"], "exp": now + 600, "nbf": now,
            "iat": now, "jti": "t-1", "client_id": "billing", "azp": "billing",
            "scope": "orders:read orders:write", "roles": parts.roles, "permissions": ["p"], "cred": "c-7",
            "cnf": parts.confirmation.to_json(),
            "status": {"status_list": {"idx": 42, "uri": "https://as.example/oauth2/status/1"}},
        })
    );
}

#[test]
fn what_makes_no_token_is_not_signed() {
    let parts = Parts::new();
    for claims in [
        AccessTokenClaims { expires_at: NOW, ..parts.plain() },
        AccessTokenClaims { jti: "", ..parts.plain() },
        AccessTokenClaims { audience: &[], ..parts.plain() },
    ] {
        assert_eq!(claims.encode().unwrap_err(), MintError::Unusable);
    }
    let empty = Scope::empty();
    let text = AccessTokenClaims { scope: &empty, ..parts.plain() }.encode().unwrap();
    assert!(!text.contains("scope"));
}

// spec-test: 9068-RS1
#[test]
fn a_minted_token_verifies_and_tells_all() {
    let parts = Parts::new();
    let claims = verified(minted(&parts.full()).expose()).unwrap();
    assert_eq!(
        (claims.issuer(), claims.subject(), claims.client_id()),
        (ISSUER, Some("billing"), Some("billing"))
    );
    assert_eq!(claims.audience().collect::<Vec<_>>(), [AUDIENCE, "urn:second"]);
    assert_eq!(claims.scope(), &parts.scope);
    assert_eq!(claims.expires_at(), UnixTime::from_seconds(NOW.seconds() + 600));
    assert_eq!(
        (claims.issued_at(), claims.jti(), claims.credential()),
        (Some(NOW), Some("t-1"), Some("c-7"))
    );
    assert_eq!(claims.confirmation(), Some(&parts.confirmation));
    assert_eq!(claims.get("roles"), Some(&json!(parts.roles)));
    assert_eq!(claims.claims().text("azp"), Some("billing"));
}

#[test]
fn before_verification_only_issuer_and_key_are_seen() {
    let token = minted(&Parts::new().plain());
    let unverified = parse(token.expose()).unwrap();
    assert_eq!(unverified.issuer(), Some(ISSUER));
    assert_eq!((unverified.key_hint(), unverified.algorithm()), (Some("k1"), Algorithm::EdDsa));
}

// spec-test: 9068-RS1
// spec-test: JWT-V3
#[test]
fn typ_is_that_of_access_tokens() {
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        assert!(verified(&signed_as(Some(typ), &claims())).is_ok(), "{typ}");
    }
    for typ in [None, Some("JWT"), Some("dpop+jwt"), Some("client-authentication+jwt"), Some("text/at+jwt")] {
        let error = verified(&signed_as(typ, &claims())).unwrap_err();
        assert!(matches!(error, AccessTokenError::Kind(KindError::WrongTyp { .. })), "{typ:?}");
    }
}

// spec-test: JWT-V1
#[test]
fn the_algorithm_is_one_the_caller_accepts() {
    let token = minted(&Parts::new().plain());
    let only_es256 = verify_at(token.expose(), NOW.seconds(), |e| e.algorithms = &[Algorithm::Es256]);
    assert_eq!(only_es256.unwrap_err(), AccessTokenError::Algorithm(Algorithm::EdDsa));
    // The public key of the issuer must never serve as a secret.
    let secret = SigningKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    let symmetric = minted_by(&secret);
    let refused =
        verify_at(symmetric.expose(), NOW.seconds(), |e| e.algorithms = &Algorithm::ALL).unwrap_err();
    assert_eq!(refused, AccessTokenError::Kind(KindError::SymmetricAlgorithm(Algorithm::Hs256)));
    assert!(DEFAULT_ALGORITHMS.iter().all(|algorithm| !algorithm.is_symmetric()));
    assert_eq!(DEFAULT_ALGORITHMS.len(), Algorithm::ALL.len() - 3);
}

fn minted_by(key: &SigningKey) -> AccessToken {
    Parts::new().plain().sign(&AccessTokenClaims::header(key), key).unwrap()
}

#[test]
fn an_extension_that_is_not_understood_is_refused() {
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "crit": ["exp"], "exp": 1});
    let b64 = |bytes: &[u8]| crate::jose::base64url::encode(bytes);
    let input = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims().to_string().as_bytes()));
    let token = format!("{input}.{}", b64(&key().sign(input.as_bytes()).unwrap()));
    assert_eq!(verified(&token).unwrap_err(), AccessTokenError::Jws(JwsError::Extension));
}

// spec-test: 9068-RS1
#[test]
fn the_issuer_is_exactly_the_trusted_one() {
    for iss in [json!("https://as.example/"), json!("https://AS.example"), json!("https://evil.example")] {
        let found = iss.as_str().map(str::to_owned);
        refused("iss", iss, &AccessTokenError::Kind(KindError::WrongIssuer { found }));
    }
    refused("iss", Value::Null, &missing("iss"));
}

// spec-test: 9068-RS1
// spec-test: 9700-RS1
#[test]
fn the_audience_holds_us() {
    let elsewhere = AccessTokenError::Audience { expected: AUDIENCE.to_owned() };
    assert!(verified(&with("aud", json!(["urn:x", AUDIENCE]))).is_ok());
    for aud in [json!("urn:x"), json!([]), json!(["urn:x"]), json!(format!("{AUDIENCE}/"))] {
        refused("aud", aud, &elsewhere);
    }
    refused("aud", Value::Null, &missing("aud"));
    refused("aud", json!(7), &AccessTokenError::Claim("set"));
}

// spec-test: JOSE-V6
#[test]
fn times_within_the_skew_and_not_beyond() {
    let token = minted(&Parts::new().plain());
    let at = |now: u64| verify_at(token.expose(), now, |_| {});
    let (start, end) = (NOW.seconds(), NOW.seconds() + 600);
    assert!(at(end + 29).is_ok());
    assert!(matches!(at(end + 30).unwrap_err(), AccessTokenError::Kind(KindError::Expired { .. })));
    assert!(at(start - 30).is_ok());
    assert!(matches!(at(start - 31).unwrap_err(), AccessTokenError::Kind(KindError::NotYetValid { .. })));
    let strict = verify_at(token.expose(), end, |e| e.skew = Skew::NONE).unwrap_err();
    assert!(matches!(strict, AccessTokenError::Kind(KindError::Expired { .. })));
    let future = verified(&with("iat", json!(start + 31))).unwrap_err();
    assert!(matches!(future, AccessTokenError::Kind(KindError::IssuedInFuture { .. })));
    assert!(verified(&with("nbf", Value::Null)).is_ok());
}

// spec-test: 9068-RS1
#[test]
fn required_claims_are_there_and_well_formed() {
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        refused(name, Value::Null, &missing(name));
    }
    for (name, value) in [
        ("client_id", json!(7)),
        ("client_id", json!("")),
        ("scope", json!(7)),
        ("scope", json!("a  b")),
        ("scope", json!("a \"b")),
        ("scope", json!([1])),
        ("cnf", json!("x")),
        ("cnf", json!({})),
        ("cnf", json!({"jwk": {}})),
    ] {
        refused(name, value, &AccessTokenError::Claim(name));
    }
    refused("cnf", Value::Null, &AccessTokenError::Claim("cnf"));
    for value in [json!("soon"), json!(-1)] {
        refused("exp", value, &AccessTokenError::Claim("set"));
    }
}

#[test]
fn scopes_as_text_as_array_and_absent() {
    let check = |value: Value, expect: &str| {
        let claims = verified(&with("scope", value)).unwrap();
        assert_eq!(claims.scope().to_string(), expect);
    };
    check(json!("a b"), "a b");
    check(json!(["a", "b"]), "a b");
    check(json!(""), "");
    check(json!([]), "");
    check(Value::Null, "");
}

/// A profile that renames everything.
const OTHER: TokenProfile = TokenProfile {
    name: "other",
    accepted_typ: &["JWT", ""],
    client_claims: &["appid", "client_id"],
    scope_claims: &["scp", "scope"],
    required: &["sub"],
    fixed: &[("use", &["access", "api"])],
    id_token_marks: &["nonce"],
    audience: AudiencePlace::ClaimOrScope,
};

fn by_profile(
    typ: Option<&str>,
    change: &[(&'static str, Value)],
) -> Result<VerifiedClaims, AccessTokenError> {
    let mut claims = json!({
        "iss": ISSUER, "sub": "s", "client_id": "app", "exp": NOW.seconds() + 60, "use": "api",
        "scope": format!("{AUDIENCE}/read https://bills.example/write"),
    });
    for (name, value) in change {
        claims[*name] = value.clone();
    }
    let key = key();
    let fields = HeaderFields { typ, kid: key.key_id(), ..HeaderFields::default() };
    let token = jws::sign(&fields, claims.to_string().as_bytes(), &key).unwrap();
    let issuer = Issuer::parse(ISSUER).unwrap();
    let expect = Expect {
        issuer: &issuer,
        audience: AUDIENCE,
        algorithms: &DEFAULT_ALGORITHMS,
        now: NOW,
        skew: Skew::NONE,
    };
    verify(parse(&token)?, key.verifying_key(), &OTHER, &expect)
}

// spec-test: JWT-V3
#[test]
fn a_profile_says_what_an_access_token_is() {
    for typ in [None, Some("JWT"), Some("application/jwt")] {
        assert!(by_profile(typ, &[]).is_ok(), "{typ:?}");
    }
    for typ in ["at+jwt", "client-authentication+jwt", "dpop+jwt"] {
        let wrong =
            matches!(by_profile(Some(typ), &[]), Err(AccessTokenError::Kind(KindError::WrongTyp { .. })));
        assert!(wrong, "{typ}");
    }
    let refused = |name: &'static str, value: Value| by_profile(None, &[(name, value)]).unwrap_err();
    assert_eq!(refused("nonce", json!("n")), AccessTokenError::IdToken);
    for value in [json!("id"), json!("Access"), Value::Null, json!(["access"]), json!(1)] {
        assert_eq!(refused("use", value), AccessTokenError::NotAccessToken("use"));
    }
    assert_eq!(refused("exp", Value::Null), AccessTokenError::Claim("exp"));
    assert_eq!(refused("iss", Value::Null), AccessTokenError::Kind(KindError::WrongIssuer { found: None }));
    let missing = KindError::MissingClaim("appid or client_id".to_owned());
    assert_eq!(refused("client_id", Value::Null), AccessTokenError::Kind(missing));
    assert_eq!(refused("appid", json!(7)), AccessTokenError::Claim("appid"));
}

#[test]
fn the_first_claim_that_is_there_counts() {
    let token =
        by_profile(None, &[("appid", json!("other")), ("scp", json!([format!("{AUDIENCE}/a")]))]).unwrap();
    assert_eq!((token.client_id(), token.scope().to_string()), (Some("other"), format!("{AUDIENCE}/a")));
    assert_eq!(by_profile(None, &[]).unwrap().client_id(), Some("app"));
}

// spec-test: 9068-RS1
#[test]
fn an_audience_in_the_scope_counts_where_there_is_no_other() {
    let wrong = AccessTokenError::Audience { expected: AUDIENCE.to_owned() };
    let scoped = by_profile(None, &[]).unwrap();
    assert!(scoped.names(AUDIENCE, &OTHER) && scoped.names("https://bills.example", &OTHER));
    assert!(
        !scoped.names("https://other.example", &OTHER) && !scoped.names(AUDIENCE, &TokenProfile::rfc9068())
    );
    let named = by_profile(None, &[("aud", json!([AUDIENCE]))]).unwrap();
    assert!(named.names(AUDIENCE, &OTHER) && !named.names("https://bills.example", &OTHER));
    let refused = |name: &'static str, value: Value| by_profile(None, &[(name, value)]).unwrap_err();
    assert_eq!(refused("aud", json!("https://bills.example")), wrong);
    assert!(by_profile(None, &[("aud", json!([AUDIENCE]))]).is_ok());
    for scope in [
        json!(format!("{AUDIENCE}/deeper/read")),
        json!(format!("{AUDIENCE}.evil.example/read")),
        json!(AUDIENCE),
        json!("read"),
        json!(""),
        json!(7),
        Value::Null,
    ] {
        assert_eq!(refused("scope", scope.clone()), wrong, "{scope}");
    }
    let usual = TokenProfile { audience: AudiencePlace::Claim, ..OTHER };
    let claims = Claims {
        rest: [("scope", json!(format!("{AUDIENCE}/read")))].into_iter().collect(),
        ..Claims::default()
    };
    assert!(is_for(&claims, AUDIENCE, &OTHER) && !is_for(&claims, AUDIENCE, &usual));
}

// spec-test: 9068-RS1
#[test]
fn the_signature_is_by_the_issuers_key() {
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let forged = minted_by(&stranger);
    assert_eq!(verified(forged.expose()).unwrap_err(), AccessTokenError::Jws(JwsError::WrongSignature));
    let elliptic = minted_by(&SigningKey::generate(Algorithm::Es256).unwrap());
    assert_eq!(
        verified(elliptic.expose()).unwrap_err(),
        AccessTokenError::Jws(JwsError::AlgorithmNotAllowed)
    );
    let issuer = Issuer::parse(ISSUER).unwrap();
    let expect = Expect {
        issuer: &issuer,
        audience: AUDIENCE,
        algorithms: &DEFAULT_ALGORITHMS,
        now: NOW,
        skew: Skew::NONE,
    };
    let keys = [stranger.verifying_key().as_ref(), key().verifying_key().as_ref()].map(Clone::clone);
    let token = minted(&Parts::new().plain());
    let plausible = || parse(token.expose()).unwrap().check(&TokenProfile::rfc9068(), &expect).unwrap();
    assert!(plausible().verify_any(&keys).is_ok());
    assert!(plausible().verify_any(&keys[..1]).is_err());
    assert!(plausible().verify_any(&[]).is_err());
}

#[test]
fn an_implausible_token_never_reaches_the_key() {
    let issuer = Issuer::parse(ISSUER).unwrap();
    let expect = Expect {
        issuer: &issuer,
        audience: "urn:x",
        algorithms: &DEFAULT_ALGORITHMS,
        now: NOW,
        skew: Skew::NONE,
    };
    let token = minted(&Parts::new().plain());
    assert!(parse(token.expose()).unwrap().check(&TokenProfile::rfc9068(), &expect).is_err());
}

proptest! {
    #[test]
    fn what_is_minted_verifies(
        subject in "\\PC{1,40}", jti in "[!-~]{1,40}", role in any::<String>(), scope in "[a-z:]{1,9}( [a-z]{1,9}){0,3}",
    ) {
        let mut parts = Parts::new();
        parts.roles = vec![role.clone()];
        parts.scope = Scope::parse(&scope).or_else(|_| Scope::parse("a")).unwrap();
        let claims = AccessTokenClaims { subject: &subject, jti: &jti, ..parts.full() };
        let found = verified(minted(&claims).expose()).unwrap();
        prop_assert_eq!(found.subject(), Some(subject.as_str()));
        prop_assert_eq!(found.jti(), Some(jti.as_str()));
        prop_assert_eq!(found.get("roles"), Some(&json!([role])));
        prop_assert_eq!(found.scope(), &parts.scope);
    }
}
