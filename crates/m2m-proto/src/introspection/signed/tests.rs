use super::*;
use crate::jose::Jwk;
use crate::token::TokenType;
use crate::token::access_token::DEFAULT_ALGORITHMS;

const NOW: UnixTime = UnixTime::from_seconds(1_795_344_000);
const ISSUER: &str = "https://as.example";
const RS: &str = "orders-api";

/// The key of RFC 8037 appendix A.1, whose signatures are always the same.
fn key() -> SigningKey {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k1",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk.as_bytes()).unwrap()).unwrap()
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

fn active() -> ActiveAnswer {
    let claims = r#"{"iss":"https://as.example","sub":"billing","aud":"https://orders.example",
        "exp":1795344600,"client_id":"billing","scope":"orders:read","jti":"t-1"}"#;
    ActiveAnswer::new(&Claims::parse(claims.as_bytes()).unwrap(), &TokenType::Bearer)
}

fn answer<'a>(issuer: &'a Issuer, answer: Option<&'a ActiveAnswer>) -> SignedAnswer<'a> {
    SignedAnswer { issuer, audience: RS, issued_at: NOW, answer }
}

fn response(body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    let value = HeaderValue::from_static("application/token-introspection+jwt; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn verify_by(
    text: &str,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<Introspection, SignedIntrospectionError> {
    let issuer = issuer();
    let mut expect =
        Expect { issuer: &issuer, audience: RS, algorithms: &DEFAULT_ALGORITHMS, now: NOW, skew: Skew::NONE };
    change(&mut expect);
    SignedIntrospection::read(&response(text)).unwrap().verify(key().verifying_key(), &expect)
}

fn signed(typ: &str, payload: &Value) -> String {
    let fields = HeaderFields { typ: Some(typ), ..HeaderFields::default() };
    jws::sign(&fields, payload.to_string().as_bytes(), &key()).unwrap()
}

fn good() -> Value {
    json!({"iss": ISSUER, "aud": RS, "iat": NOW.seconds(), "token_introspection": {"active": true, "sub": "x"}})
}

// spec-test: 9701-AS1
#[test]
fn golden_bytes() {
    let issuer = issuer();
    let told = active();
    let wire = answer(&issuer, Some(&told)).sign(&key()).unwrap();
    assert_eq!(wire.status(), StatusCode::OK);
    assert_eq!(wire.headers()["content-type"], "application/token-introspection+jwt");
    assert_eq!(wire.headers()["cache-control"], "no-store");
    let text = std::str::from_utf8(wire.body()).unwrap();
    let compact = Compact::parse(text).unwrap();
    assert_eq!(
        std::str::from_utf8(compact.payload()).unwrap(),
        r#"{"iss":"https://as.example","aud":"orders-api","iat":1795344000,"token_introspection":{"active":true,"iss":"https://as.example","sub":"billing","aud":"https://orders.example","exp":1795344600,"jti":"t-1","client_id":"billing","scope":"orders:read","token_type":"Bearer"}}"#
    );
    assert!(
        text.starts_with("eyJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiazEifQ."),
        "{text}"
    );
    let inactive = answer(&issuer, None).sign(&key()).unwrap();
    assert_eq!(
        std::str::from_utf8(inactive.body()).unwrap(),
        "eyJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiazEifQ.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUiLCJhdWQiOiJvcmRlcnMtYXBpIiwiaWF0IjoxNzk1MzQ0MDAwLCJ0b2tlbl9pbnRyb3NwZWN0aW9uIjp7ImFjdGl2ZSI6ZmFsc2V9fQ.8hnbD2KaevIO-2IBG_TVJws292km3S9DFYjlIog6onLu5epC66Ku5ZGdP3OsbVWwIfymAUAzNGut7E58yprQDA"
    );
}

// spec-test: 9701-RS1, 9701-AS1
#[test]
fn what_is_signed_is_read_as_if_it_were_not() {
    let issuer = issuer();
    let told = active();
    for said in [Some(&told), None] {
        let wire = answer(&issuer, said).sign(&key()).unwrap();
        let read = SignedIntrospection::read(&wire).unwrap();
        assert_eq!((read.key_hint(), read.algorithm()), (Some("k1"), Algorithm::EdDsa));
        let unsigned = said
            .map_or_else(Introspection::inactive, |told| Introspection::decode(&told.to_response()).unwrap());
        let text = std::str::from_utf8(wire.body()).unwrap();
        assert_eq!(verify_by(text, |_| {}).unwrap(), unsigned);
    }
}

// spec-test: 9701-RS1
#[test]
fn each_check_of_the_envelope_counts() {
    use SignedIntrospectionError as E;
    const TYP: &str = "token-introspection+jwt";
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        signed(TYP, &claims)
    };
    let refused = |text: &str| verify_by(text, |_| {}).unwrap_err();
    assert!(verify_by(&signed(TYP, &good()), |_| {}).unwrap().is_active());
    assert!(verify_by(&signed("application/token-introspection+jwt", &good()), |_| {}).is_ok());
    for typ in ["JWT", "at+jwt", "m2m-revocations+jwt"] {
        assert!(matches!(refused(&signed(typ, &good())), E::Kind(KindError::WrongTyp { .. })), "{typ}");
    }
    for name in ["iss", "aud", "iat", "token_introspection"] {
        assert_eq!(refused(&with(name, Value::Null)), KindError::MissingClaim(name.to_owned()).into());
    }
    let stranger = refused(&with("iss", json!("https://as.example/")));
    assert!(matches!(stranger, E::Kind(KindError::WrongIssuer { .. })), "{stranger}");
    for aud in [json!("another-api"), json!([]), json!([ISSUER])] {
        assert_eq!(refused(&with("aud", aud)), KindError::WrongAudience.into());
    }
    assert!(verify_by(&with("aud", json!([RS, "x"])), |_| {}).is_ok());
    let old = refused(&with("iat", json!(NOW.seconds() - 61)));
    assert!(matches!(old, E::Kind(KindError::TooOld { .. })), "{old}");
    let early = refused(&with("iat", json!(NOW.seconds() + 1)));
    assert!(matches!(early, E::Kind(KindError::IssuedInFuture { .. })), "{early}");
    assert!(matches!(refused(&with("exp", json!(1))), E::Kind(KindError::Expired { .. })));
    let unwanted = verify_by(&signed(TYP, &good()), |expect| expect.algorithms = &[Algorithm::Es256]);
    assert_eq!(unwanted.unwrap_err(), E::Algorithm(Algorithm::EdDsa));
}

// spec-test: 9701-RS1
#[test]
fn only_the_issuers_signature_counts() {
    let text = signed("token-introspection+jwt", &good());
    let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let issuer = issuer();
    let expect =
        Expect { issuer: &issuer, audience: RS, algorithms: &DEFAULT_ALGORITHMS, now: NOW, skew: Skew::NONE };
    let read = SignedIntrospection::read(&response(&text)).unwrap();
    let refused = read.verify(other.verifying_key(), &expect);
    assert_eq!(refused.unwrap_err(), JwsError::WrongSignature.into());
    let (head, payload) = (text.split('.').next().unwrap(), text.split('.').nth(1).unwrap());
    let changed = format!("{head}.{}.{}", payload.replace('J', "K"), text.rsplit('.').next().unwrap());
    assert!(
        SignedIntrospection::read(&response(&changed))
            .map_or(true, |read| { read.verify(key().verifying_key(), &expect).is_err() })
    );
}

// spec-test: 9701-RS1
#[test]
fn nothing_but_a_clear_active_inside_lets_anybody_in() {
    let inside = |member: Value| {
        let mut claims = good();
        claims["token_introspection"] = member;
        verify_by(&signed("token-introspection+jwt", &claims), |_| {})
    };
    assert!(!inside(json!({"active": false, "sub": "x"})).unwrap().is_active());
    for bad in [
        json!(true),
        json!("active"),
        json!([]),
        json!({}),
        json!({"active": "true"}),
        json!({"active": 1}),
        json!({"active": null}),
        json!({"active": true, "scope": 7}),
        json!({"active": true, "exp": "soon"}),
    ] {
        assert!(matches!(inside(bad.clone()), Err(SignedIntrospectionError::Malformed(_))), "{bad}");
    }
}

// spec-test: 9701-RS1
#[test]
fn an_answer_that_is_not_signed_is_no_answer() {
    let mut plain = response(r#"{"active":true}"#);
    let read = |response: &Response<Bytes>| SignedIntrospection::read(response).unwrap_err();
    assert!(matches!(read(&plain), ResponseError::Malformed { what: MalformedResponse::Jws(_), .. }));
    plain.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert!(matches!(read(&plain), ResponseError::Malformed { what: MalformedResponse::NotSigned, .. }));
    let mut signed = response(&signed("token-introspection+jwt", &good()));
    signed.headers_mut().remove(header::CONTENT_TYPE);
    assert!(matches!(read(&signed), ResponseError::Malformed { what: MalformedResponse::NotSigned, .. }));
    *plain.status_mut() = StatusCode::BAD_GATEWAY;
    assert!(matches!(read(&plain), ResponseError::Unavailable { .. }));
    let long = "a".repeat(MAX_DOCUMENT_BYTES + 1);
    assert!(matches!(
        read(&response(&long)),
        ResponseError::Malformed { what: MalformedResponse::Jws(_), .. }
    ));
}

// spec-test: 9701-AS1
#[test]
fn it_is_asked_for_by_name() {
    let check = |accept: &[&str], expect: bool| {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(is_wanted(&headers), expect, "{accept:?}");
    };
    check(&["application/token-introspection+jwt"], true);
    check(&["Application/Token-Introspection+JWT"], true);
    check(&["application/json;q=0.5, application/token-introspection+jwt;q=0.1"], true);
    check(&["application/json", "application/token-introspection+jwt"], true);
    check(&["application/token-introspection+jwt;q=0"], false);
    check(&["application/token-introspection+jwt; q=0.00"], false);
    check(&["*/*"], false);
    check(&["application/*"], false);
    check(&["application/json"], false);
    check(&[], false);
}
