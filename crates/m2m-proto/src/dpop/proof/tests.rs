use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::names::typ;
use crate::secret::SecretBytes;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const URI: &str = "https://api.example/orders";

fn key() -> SigningKey {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

fn nonce_key() -> NonceKey {
    NonceKey::new(&SecretBytes::new(vec![3; 32]), "resource server").unwrap()
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// The expectations of most tests: `POST https://api.example/orders`, now.
struct Server {
    method: Method,
    uri: Uri,
    now: UnixTime,
    token: Option<AccessToken>,
    jkt: Option<JwkThumbprint>,
}

impl Server {
    fn new() -> Self {
        Self { method: Method::POST, uri: uri(URI), now: NOW, token: None, jkt: None }
    }

    fn verify(&self, proof: &HeaderValue, nonce: NonceRule<'_>) -> Result<VerifiedProof, ProofError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::DPOP, proof.clone());
        verify(&headers, &self.expect(nonce))
    }

    fn expect<'a>(&'a self, nonce: NonceRule<'a>) -> Expect<'a> {
        Expect {
            method: &self.method,
            uri: &self.uri,
            algorithms: &DEFAULT_ALGORITHMS,
            now: self.now,
            window: ProofWindow::default(),
            nonce,
            access_token: self.token.as_ref(),
            jkt: self.jkt.as_ref(),
        }
    }

    fn check(&self, proof: &HeaderValue) -> Result<VerifiedProof, ProofError> {
        self.verify(proof, NonceRule::Unused)
    }
}

fn at(seconds: u64) -> Server {
    Server { now: UnixTime::from_seconds(NOW.seconds() + seconds), ..Server::new() }
}

fn built(key: &SigningKey, nonce: Option<&DpopNonce>, token: Option<&AccessToken>) -> HeaderValue {
    let uri = uri(&format!("{URI}?page=2"));
    let proof =
        DpopProof { method: &Method::POST, uri: &uri, now: NOW, jti: "j-1", nonce, access_token: token };
    proof.build(key).unwrap()
}

fn claims() -> Value {
    json!({"jti": "j-1", "htm": "POST", "htu": URI, "iat": NOW.seconds()})
}

fn signed(claims: &Value) -> HeaderValue {
    signed_by(&key(), KIND.typ(), key().public_jwk(), claims)
}

fn signed_by(key: &SigningKey, typ: Option<&str>, jwk: Option<&Jwk>, claims: &Value) -> HeaderValue {
    let text =
        jws::sign(&HeaderFields { typ, jwk, ..HeaderFields::default() }, claims.to_string().as_bytes(), key)
            .unwrap();
    HeaderValue::from_str(&text).unwrap()
}

fn with(name: &str, value: Value) -> HeaderValue {
    let mut claims = claims();
    claims[name] = value;
    signed(&claims)
}

/// A good proof under a header of one's own making.
fn under(header: &Value) -> HeaderValue {
    let input =
        format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims().to_string()));
    let signature = key().sign(input.as_bytes()).unwrap();
    HeaderValue::from_str(&format!("{input}.{}", base64url::encode(signature))).unwrap()
}

fn public_jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn token() -> AccessToken {
    AccessToken::parse("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU").unwrap()
}

fn missing(name: &str) -> ProofError {
    ProofError::Kind(KindError::MissingClaim(name.to_owned()))
}

// spec-test: 9449-C1
#[test]
fn golden_bytes() {
    let plain = built(&key(), None, None);
    assert_eq!(plain, include_str!("../../../testdata/golden/dpop_proof.eddsa.jwt").trim());
    let nonce = DpopNonce::parse("n-0S6_WzA2Mj").unwrap();
    let full = built(&key(), Some(&nonce), Some(&token()));
    assert_eq!(full, include_str!("../../../testdata/golden/dpop_proof_nonce_ath.eddsa.jwt").trim());
}

// spec-test: 9449-C1
// spec-test: 9449-C2
#[test]
fn the_parts_of_a_proof() {
    let proof = built(&key(), None, Some(&token()));
    let compact = Compact::parse(proof.to_str().unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(compact.payload()).unwrap();
    let mut expect = self::claims();
    expect["ath"] = json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"); // RFC 9449 section 7.1
    assert_eq!(claims, expect);
    let header = compact.header();
    assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("dpop+jwt"), None));
    assert!(!header.jwk.as_ref().unwrap().is_private());
}

#[test]
fn every_key_pair_round_trips() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ed25519] {
        let key = SigningKey::generate(algorithm).unwrap();
        let verified = Server::new().check(&built(&key, None, None)).unwrap();
        assert_eq!(verified.jkt(), key.thumbprint());
        assert_eq!((verified.jti(), verified.issued_at()), ("j-1", NOW));
    }
}

#[test]
fn what_cannot_be_built() {
    let (absolute, relative) = (uri(URI), uri("/orders"));
    let build = |key: &SigningKey, uri, jti| {
        DpopProof { method: &Method::GET, uri, now: NOW, jti, nonce: None, access_token: None }.build(key)
    };
    assert_eq!(build(&key(), &relative, "j").unwrap_err(), ProofError::RequestUri);
    assert_eq!(build(&key(), &absolute, "").unwrap_err(), ProofError::Claim("jti"));
    let hmac = SigningKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    assert_eq!(build(&hmac, &absolute, "j").unwrap_err(), ProofError::Key);
}

// Check 1. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn exactly_one_header() {
    let server = Server::new();
    let mut headers = HeaderMap::new();
    let expect = server.expect(NonceRule::Unused);
    assert_eq!(verify(&headers, &expect).unwrap_err(), ProofError::Missing);
    headers.append(header::DPOP, built(&key(), None, None));
    assert!(verify(&headers, &expect).is_ok());
    headers.append(header::DPOP, built(&key(), None, None));
    assert_eq!(verify(&headers, &expect).unwrap_err(), ProofError::Repeated);
}

// Check 2. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn a_well_formed_jwt_of_bounded_size() {
    let check = |proof: &[u8]| Server::new().check(&HeaderValue::from_bytes(proof).unwrap()).unwrap_err();
    assert_eq!(check(b"a.b"), ProofError::Jws(JwsError::NotCompact));
    assert_eq!(check(b"\xff"), ProofError::Size);
    assert_eq!(check(&[b'a'; 8193]), ProofError::Size);
    assert_ne!(check(&[b'a'; 8192]), ProofError::Size);
    let two = [built(&key(), None, None).as_bytes(), built(&key(), None, None).as_bytes()].join(&b", "[..]);
    assert_eq!(check(&two), ProofError::Jws(JwsError::NotCompact));
    let proof = built(&key(), None, None);
    let encrypted = under(&json!({"typ": "dpop+jwt", "alg": "EdDSA", "enc": "A128GCM", "jwk": public_jwk()}));
    assert!(matches!(Server::new().check(&encrypted), Err(ProofError::Jws(_))));
    assert!(Server::new().check(&proof).is_ok());
}

// Check 3. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn all_claims_are_there() {
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(Server::new().check(&with(name, Value::Null)).unwrap_err(), missing(name));
    }
    for (name, value) in
        [("htm", json!(1)), ("htu", json!([URI])), ("jti", json!("")), ("jti", json!("j".repeat(257)))]
    {
        let refused = Server::new().check(&with(name, value)).unwrap_err();
        assert!(matches!(refused, ProofError::Claim(found) if found == name), "{name} {refused:?}");
    }
    assert_eq!(Server::new().check(&with("iat", json!("now"))).unwrap_err(), ProofError::Claim("set"));
    assert!(Server::new().check(&with("jti", json!("j".repeat(256)))).is_ok());
    assert!(Server::new().check(&with("unknown", json!({"a": [1]}))).is_ok());
}

// Check 4. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn typ_is_dpop_jwt() {
    for typ in [None, Some("JWT"), Some("at+jwt"), Some(typ::CLIENT_AUTHENTICATION_JWT)] {
        let refused =
            Server::new().check(&signed_by(&key(), typ, key().public_jwk(), &claims())).unwrap_err();
        assert!(matches!(refused, ProofError::Kind(KindError::WrongTyp { .. })), "{typ:?} {refused:?}");
    }
}

// Check 5. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn the_algorithm_is_asymmetric_and_accepted() {
    let secret = SigningKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    let symmetric = signed_by(&secret, KIND.typ(), key().public_jwk(), &claims());
    let refused = Server::new().check(&symmetric).unwrap_err();
    assert_eq!(refused, ProofError::Kind(KindError::SymmetricAlgorithm(Algorithm::Hs256)));
    let none = under(&json!({"typ": "dpop+jwt", "alg": "none", "jwk": public_jwk()}));
    assert_eq!(Server::new().check(&none).unwrap_err(), ProofError::Jws(JwsError::UnknownAlgorithm));
    let server = Server::new();
    let expect = Expect { algorithms: &[Algorithm::Es256], ..server.expect(NonceRule::Unused) };
    let mut headers = HeaderMap::new();
    headers.insert(header::DPOP, built(&key(), None, None));
    assert_eq!(verify(&headers, &expect).unwrap_err(), ProofError::Algorithm(Algorithm::EdDsa));
    // Even a caller that lists a symmetric algorithm does not get it.
    headers.insert(header::DPOP, symmetric);
    let expect = Expect { algorithms: &Algorithm::ALL, ..server.expect(NonceRule::Unused) };
    assert!(verify(&headers, &expect).is_err());
}

// Check 6. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn the_signature_is_by_the_key_in_the_header() {
    let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let proof = signed_by(&other, KIND.typ(), key().public_jwk(), &claims());
    assert_eq!(Server::new().check(&proof).unwrap_err(), ProofError::Jws(JwsError::WrongSignature));
    let elliptic = SigningKey::generate(Algorithm::Es256).unwrap();
    let proof = signed_by(&elliptic, KIND.typ(), key().public_jwk(), &claims());
    assert_eq!(Server::new().check(&proof).unwrap_err(), ProofError::Jws(JwsError::AlgorithmNotAllowed));
}

// Check 7. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn the_key_is_there_and_public() {
    let header = |jwk: Value| under(&json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk}));
    assert!(Server::new().check(&header(public_jwk())).is_ok());
    let without = under(&json!({"typ": "dpop+jwt", "alg": "EdDSA"}));
    assert_eq!(Server::new().check(&without).unwrap_err(), ProofError::Kind(KindError::MissingHeaderKey));
    let mut private = public_jwk();
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let refused = Server::new().check(&header(private)).unwrap_err();
    assert_eq!(refused, ProofError::Kind(KindError::PrivateHeaderKey));
    let shared = header(json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}));
    assert!(Server::new().check(&shared).is_err());
    let mut other_use = public_jwk();
    other_use["use"] = json!("enc");
    assert_eq!(Server::new().check(&header(other_use)).unwrap_err(), ProofError::Key);
}

// Check 8. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn htm_is_the_method() {
    for htm in ["GET", "post", "POST "] {
        assert_eq!(Server::new().check(&with("htm", json!(htm))).unwrap_err(), ProofError::Method);
    }
}

// Check 9. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn htu_is_the_uri_without_query_and_fragment() {
    let check = |htu: &str, request: &str, expect: bool| {
        let server = Server { uri: uri(request), ..Server::new() };
        let result = server.check(&with("htu", json!(htu)));
        assert_eq!(result.is_ok(), expect, "{htu} {request}");
        assert!(expect || result.unwrap_err() == ProofError::Uri);
    };
    check("https://api.example/orders", "https://api.example/orders?page=2", true);
    check("https://api.example/orders?x=1#f", "https://api.example/orders", true);
    check("https://api.example/orders#f?x", "https://api.example/orders", true);
    check("HTTPS://API.Example:443/orders", "https://api.example/orders", true);
    check("http://api.example:80", "http://api.example/", true);
    check("https://api.example", "https://api.example/?q", true);
    check("https://[2001:db8::1]:443/", "https://[2001:DB8::1]/", true);
    check("https://api.example/%7Ea/%c3%a9", "https://api.example/~a/%C3%A9", true);
    check("https://api.example/Orders", "https://api.example/orders", false);
    check("https://api.example/orders/", "https://api.example/orders", false);
    check("http://api.example/orders", "https://api.example/orders", false);
    check("https://api.example:8443/orders", "https://api.example/orders", false);
    check("https://api.example:80/orders", "https://api.example/orders", false);
    check("https://api.example.evil/orders", "https://api.example/orders", false);
    check("https://api.example@evil/orders", "https://api.example/orders", false);
    check("https://u@api.example/orders", "https://api.example/orders", false);
    check("https://api.example/a%2Fb", "https://api.example/a/b", false);
    check("https://api.example/%+4", "https://api.example/%2B4", false);
    check("https://api.example/100%", "https://api.example/100", false);
    check("/orders", "https://api.example/orders", false);
    check("", "https://api.example/orders", false);
    check("ftp://api.example/orders", "https://api.example/orders", false);
    check("https://api.example::443/orders", "https://api.example/orders", false);
    check("https://:443/orders", "https://api.example/orders", false);
}

#[test]
fn an_unknown_public_origin_is_the_callers_mistake() {
    let server = Server { uri: uri("/orders"), ..Server::new() };
    assert_eq!(server.check(&signed(&claims())).unwrap_err(), ProofError::RequestUri);
}

// Check 10. spec-test: 9449-V1
// spec-test: 9449-AS3, 9449-V1
#[test]
fn the_nonce_is_ours_where_one_is_wanted() {
    let (keys, server) = (nonce_key(), Server::new());
    let check = |nonce: Option<&DpopNonce>, rule: NonceRule<'_>| {
        server.verify(&built(&key(), nonce, None), rule).map(|_| ())
    };
    let (good, foreign) = (keys.issue(NOW), DpopNonce::parse("n-0S6_WzA2Mj").unwrap());
    let old = keys.issue(UnixTime::from_seconds(NOW.seconds() - 600));
    assert_eq!(check(None, NonceRule::Required(&keys)), Err(ProofError::NonceMissing));
    assert_eq!(check(None, NonceRule::IfPresent(&keys)), Ok(()));
    assert_eq!(check(Some(&foreign), NonceRule::Unused), Ok(()));
    for rule in [NonceRule::Required(&keys), NonceRule::IfPresent(&keys)] {
        assert_eq!(check(Some(&good), rule), Ok(()));
        assert_eq!(check(Some(&old), rule), Err(ProofError::Nonce(NonceError::Stale)));
        assert!(matches!(check(Some(&foreign), rule), Err(ProofError::Nonce(_))));
    }
    let refused = server.verify(&with("nonce", json!(7)), NonceRule::Required(&keys)).unwrap_err();
    assert_eq!(refused, ProofError::Claim("nonce"));
}

#[test]
fn a_slow_clock_is_told_about_the_nonce_first() {
    let keys = nonce_key();
    let refused = at(600).verify(&built(&key(), None, None), NonceRule::Required(&keys)).unwrap_err();
    assert_eq!(refused, ProofError::NonceMissing);
}

// Check 11. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn iat_is_in_the_window() {
    let check = |iat: u64| Server::new().check(&with("iat", json!(iat))).map(|_| ());
    let now = NOW.seconds();
    assert_eq!(check(now - 60), Ok(()));
    assert_eq!(check(now - 61), Err(ProofError::TooOld));
    assert_eq!(check(now + 10), Ok(()));
    let ahead = Duration::from_secs(11);
    assert_eq!(check(now + 11), Err(ProofError::Kind(KindError::IssuedInFuture { ahead })));
}

// Check 12, first half. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn ath_is_the_hash_of_the_token() {
    let server = Server { token: Some(token()), ..Server::new() };
    let verified = server.check(&built(&key(), None, Some(&token()))).unwrap();
    assert!(verified.is_for(&token()));
    let other = AccessToken::parse("other").unwrap();
    assert!(!verified.is_for(&other));
    assert_eq!(server.check(&built(&key(), None, Some(&other))).unwrap_err(), ProofError::TokenHash);
    assert_eq!(server.check(&built(&key(), None, None)).unwrap_err(), ProofError::Claim("ath"));
    assert_eq!(server.check(&with("ath", json!(""))).unwrap_err(), ProofError::TokenHash);
    // Without a token to compare with, `ath` proves nothing.
    assert!(!Server::new().check(&built(&key(), None, Some(&token()))).unwrap().is_for(&token()));
}

// Check 12, second half. spec-test: 9449-V1
// spec-test: 9449-V1
#[test]
fn the_key_is_the_expected_one() {
    let server = Server { jkt: Some(key().thumbprint().clone()), ..Server::new() };
    assert!(server.check(&built(&key(), None, None)).is_ok());
    let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(server.check(&built(&other, None, None)).unwrap_err(), ProofError::AnotherKey);
}

// spec-test: 9449-RS2
#[test]
fn the_replay_key_tells_proofs_apart_and_has_one_size() {
    let replay = |proof: &HeaderValue, server: &Server| server.check(proof).unwrap().replay_key();
    let proof = built(&key(), None, None);
    let own = replay(&proof, &Server::new());
    assert_eq!(own, replay(&proof, &at(5)));
    assert_ne!(own, replay(&with("jti", json!("j-2")), &Server::new()));
    assert_ne!(
        own,
        replay(&built(&SigningKey::generate(Algorithm::EdDsa).unwrap(), None, None), &Server::new())
    );
    let elsewhere = Server { uri: uri("https://api.example/x"), ..Server::new() };
    assert_ne!(own, replay(&with("htu", json!("https://api.example/x")), &elsewhere));
    let until = Server::new().check(&proof).unwrap().replay_until();
    assert_eq!(until, UnixTime::from_seconds(NOW.seconds() + 60));
    assert!(at(60).check(&proof).is_ok() && at(61).check(&proof).is_err());
}

#[test]
fn a_stray_percent_sign_makes_no_escape_of_what_follows() {
    for text in ["https://api.example/%3%30", "https://api.example/%%330", "https://api.example/%c3%a"] {
        assert_eq!(normalized(text).as_deref(), Some(text));
    }
}

#[test]
fn half_a_bracket_makes_no_address() {
    for text in ["https://[::1/x", "https://::1]/x", "https://::1/x"] {
        assert_eq!(normalized(text), None, "{text}");
    }
    assert!(normalized("https://[::1]/x").is_some());
}

proptest! {
    #[test]
    fn what_is_built_verifies(path in "(/[a-zA-Z0-9._~%!-]{0,8}){1,4}", query in "[a-z=&]{0,10}", jti in "[!-~]{1,64}") {
        let text = format!("https://api.example:8443{path}?{query}");
        prop_assume!(text.parse::<Uri>().is_ok());
        let uri = uri(&text);
        let proof = DpopProof { method: &Method::PUT, uri: &uri, now: NOW, jti: &jti, nonce: None, access_token: None };
        let proof = proof.build(&key()).unwrap();
        let server = Server { method: Method::PUT, uri, ..Server::new() };
        let verified = server.check(&proof).unwrap();
        prop_assert_eq!(verified.jti(), jti);
    }

    #[test]
    fn normalization_is_idempotent(text in "https?://[a-zA-Z0-9:.@\\[\\]]{1,12}(/[a-zA-Z0-9%+]{0,6}){0,3}") {
        if let Some(once) = normalized(&text) {
            prop_assert_eq!(normalized(&once), Some(once.clone()));
        }
    }
}
