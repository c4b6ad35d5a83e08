use super::*;
use crate::jose::{Audience, ClaimsError};
use crate::json::JsonError;
use crate::names::media_type;
use crate::time::UnixTime;

fn decode(status: u16, body: &str) -> Result<Introspection, ResponseError> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Introspection::decode(&response)
}

#[track_caller]
fn malformed(body: &str) -> MalformedResponse {
    match decode(200, body) {
        Err(ResponseError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn golden_request() {
    let mut form = FormWriter::new();
    IntrospectionRequest::new(&AccessToken::parse("mF_9.B5f-4.1JqM").unwrap()).write(&mut form);
    let body = form.finish();
    assert_eq!(body, "token=mF_9.B5f-4.1JqM&token_type_hint=access_token");
    let form = Form::parse(Some(media_type::FORM), &body).unwrap();
    assert_eq!(IntrospectionRequest::decode(&form).unwrap().token.expose(), "mF_9.B5f-4.1JqM");
    let empty = Form::parse(Some(media_type::FORM), b"token=").unwrap();
    assert_eq!(IntrospectionRequest::decode(&empty), Err(IntrospectionRequestError::MissingToken));
}

#[test]
fn the_example_of_the_rfc() {
    // RFC 7662 section 2.2
    let answer = decode(
        200,
        r#"{"active":true,"client_id":"l238j323ds-23ij4","username":"jdoe","scope":"read write dolphin",
            "sub":"Z5O3upPC88QrAjx00dis","aud":"https://protected.example.net/resource",
            "iss":"https://server.example.com/","exp":1419356238,"iat":1419350238,"extension_field":"twenty-seven"}"#,
    )
    .unwrap();
    assert!(answer.is_active());
    assert_eq!(answer.client_id(), Some("l238j323ds-23ij4"));
    assert_eq!(answer.scope(), Some(Scope::parse("dolphin read write").unwrap()));
    assert_eq!(answer.claims().exp, Some(UnixTime::from_seconds(1_419_356_238)));
    assert_eq!(answer.claims().aud, Some(Audience::One("https://protected.example.net/resource".into())));
    assert_eq!(answer.claims().text("extension_field"), Some("twenty-seven"));
    assert!(!answer.claims().has("active"));
}

// spec-test: 7662-AS1
#[test]
fn an_inactive_answer_says_nothing_else() {
    let wire = Introspection::inactive().encode();
    assert_eq!((wire.status(), wire.body().as_ref()), (StatusCode::OK, &br#"{"active":false}"#[..]));
    assert_eq!(wire.headers()["cache-control"], "no-store");
    // What a server says beside it is not believed.
    let answer = decode(200, r#"{"active":false,"sub":"x","scope":"a"}"#).unwrap();
    assert_eq!(answer, Introspection::inactive());
}

#[test]
fn decode_of_encode_is_identity() {
    let claims = Claims {
        iss: Some("https://as.example".into()),
        sub: Some("orders".into()),
        aud: Some(Audience::Many(vec!["a".into(), "b".into()])),
        exp: Some(UnixTime::from_seconds(20)),
        jti: Some("j".into()),
        rest: serde_json::json!({"client_id":"orders","scope":"a b","cnf":{"jkt":"x"},"token_type":"DPoP"})
            .as_object()
            .unwrap()
            .clone()
            .into_iter()
            .collect(),
        ..Claims::default()
    };
    let answer = Introspection::active(claims);
    let again = Introspection::decode(&answer.encode()).unwrap();
    assert_eq!(again, answer);
    assert_eq!(again.token_type(), Some(TokenType::Dpop));
    assert_eq!(again.cnf(), Some(&serde_json::json!({"jkt":"x"})));
}

// spec-test: 7662-RS2
#[test]
fn whatever_is_not_clearly_active_is_not_active() {
    assert_eq!(malformed("{}"), MalformedResponse::Missing("active"));
    assert_eq!(malformed(r#"{"sub":"x"}"#), MalformedResponse::Missing("active"));
    for value in ["\"true\"", "1", "null", "[true]"] {
        let body = format!(r#"{{"active":{value}}}"#);
        assert_eq!(malformed(&body), MalformedResponse::MemberType("active"), "{value}");
    }
    assert!(matches!(
        malformed(r#"{"active":false,"active":true}"#),
        MalformedResponse::NotJson { reason: JsonError::DuplicateMember { .. }, .. }
    ));
    assert!(matches!(malformed("<html>active"), MalformedResponse::NotJson { .. }));
    assert!(matches!(malformed(""), MalformedResponse::NotJson { reason: JsonError::Empty, .. }));
    assert!(matches!(malformed("true"), MalformedResponse::NotJson { reason: JsonError::NotObject, .. }));
}

// spec-test: 7662-RS2
#[test]
fn other_statuses_are_not_active() {
    let good = r#"{"active":true}"#;
    assert!(decode(200, good).unwrap().is_active());
    for status in [201, 204] {
        assert!(matches!(decode(status, good), Err(ResponseError::Malformed { .. })), "{status}");
    }
    assert!(matches!(decode(302, good), Err(ResponseError::Redirected { .. })));
    assert!(matches!(decode(401, good), Err(ResponseError::NotOauth { .. })));
    assert!(matches!(decode(503, good), Err(ResponseError::Unavailable { .. })));
    let refused = decode(200, r#"{"active":true,"error":"invalid_client"}"#);
    assert!(matches!(refused, Err(ResponseError::Refused { .. })));
}

#[test]
fn claims_of_the_wrong_type_are_not_ignored() {
    let with = |member: &str| malformed(&format!(r#"{{"active":true,{member}}}"#));
    assert_eq!(with(r#""exp":"soon""#), MalformedResponse::Claims(ClaimsError::WrongType("exp")));
    assert_eq!(with(r#""exp":-1"#), MalformedResponse::Claims(ClaimsError::WrongType("exp")));
    assert_eq!(with(r#""aud":{}"#), MalformedResponse::Claims(ClaimsError::WrongType("aud")));
    assert_eq!(with(r#""scope":1"#), MalformedResponse::MemberType("scope"));
    assert_eq!(with(r#""scope":[1]"#), MalformedResponse::MemberType("scope"));
    assert_eq!(with(r#""client_id":["x"]"#), MalformedResponse::MemberType("client_id"));
    assert!(matches!(with(r#""scope":"a\\b""#), MalformedResponse::Scope(_)));
}

#[test]
fn scope_as_an_array_is_joined() {
    let answer = decode(200, r#"{"active":true,"scope":["a","b"]}"#).unwrap();
    assert_eq!(answer.scope(), Some(Scope::parse("a b").unwrap()));
    assert_eq!(decode(200, r#"{"active":true,"scope":""}"#).unwrap().scope(), None);
}

#[test]
fn debug_is_brief() {
    let answer = decode(200, r#"{"active":true,"sub":"s","email":"canary"}"#).unwrap();
    assert!(!format!("{answer:?}").contains("canary"));
}

const NOW: UnixTime = UnixTime::from_seconds(1_000_000);

/// Good in every respect; then `name` is `value`, or absent if that is null.
fn checked_with(name: &str, value: Value) -> Result<VerifiedIntrospection, IntrospectionError> {
    let mut members = serde_json::json!({
        "active": true, "iss": "https://as.example", "aud": ["https://api.example", "x"],
        "exp": 1_000_100, "nbf": 999_900, "iat": 999_900, "scope": "a b", "client_id": "app",
    });
    members[name] = value;
    members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let expect = Expect {
        issuer: &Issuer::parse("https://as.example").unwrap(),
        audience: "https://api.example",
        now: NOW,
        skew: Skew::DEFAULT,
    };
    decode(200, &members.to_string()).unwrap().check(&expect)
}

// spec-test: 7662-RS1
#[test]
fn a_usable_answer_says_for_whom_and_how_long() {
    let verified = checked_with("cnf", serde_json::json!({ "jkt": "A".repeat(43) })).unwrap();
    assert_eq!(verified.client_id(), Some("app"));
    assert_eq!(verified.scope(), &Scope::parse("a b").unwrap());
    assert_eq!(verified.expires_at(), UnixTime::from_seconds(1_000_100));
    assert!(verified.confirmation().unwrap().jkt().is_some());
    assert_eq!(verified.claims().iss.as_deref(), Some("https://as.example"));
    assert_eq!(checked_with("scope", Value::Null).unwrap().scope(), &Scope::empty());
    assert!(checked_with("iss", Value::Null).is_ok(), "the caller knows whose answer it is");
    assert!(!format!("{:?}", checked_with("email", "canary".into()).unwrap()).contains("canary"));
}

// spec-test: 7662-RS1
#[test]
fn an_active_answer_for_another_place_or_time_is_refused() {
    let check = |name: &str, value: Value, expect: IntrospectionError| {
        assert_eq!(checked_with(name, value.clone()).unwrap_err(), expect, "{name} {value}");
    };
    let seconds = std::time::Duration::from_secs;
    check("active", false.into(), IntrospectionError::Inactive);
    let found = Some("https://evil.example".to_owned());
    check("iss", "https://evil.example".into(), KindError::WrongIssuer { found }.into());
    check("aud", "x".into(), KindError::WrongAudience.into());
    check("aud", Value::Null, KindError::WrongAudience.into());
    check("exp", Value::Null, KindError::MissingClaim("exp".to_owned()).into());
    check("exp", 999_970.into(), KindError::Expired { since: seconds(30) }.into());
    check("nbf", 1_000_031.into(), KindError::NotYetValid { ahead: seconds(31) }.into());
    check("iat", 1_000_031.into(), KindError::IssuedInFuture { ahead: seconds(31) }.into());
    for (name, value) in [("exp", 999_971), ("nbf", 1_000_030), ("iat", 1_000_030)] {
        assert!(checked_with(name, value.into()).is_ok(), "{name}: within the skew");
    }
}

// spec-test: 9449-RS1
#[test]
fn an_answer_whose_binding_is_not_understood_is_refused() {
    let unknown = checked_with("cnf", serde_json::json!({ "x": 1 })).unwrap_err();
    assert_eq!(unknown, ConfirmationError::UnknownMethod.into());
    assert_eq!(checked_with("token_type", "dpop".into()).unwrap_err(), IntrospectionError::KeyMissing);
    assert!(checked_with("token_type", "Bearer".into()).is_ok());
}
