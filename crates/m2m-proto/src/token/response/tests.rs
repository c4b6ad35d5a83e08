use super::*;
use crate::error::ErrorCode;
use crate::json::JsonError;
use crate::scope::ScopeError;
use crate::time::UnixTime;
use crate::token::AccessTokenTextError;

fn answer(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::copy_from_slice(body.as_ref()))
        .unwrap()
}

fn decode(status: u16, body: impl AsRef<[u8]>) -> Result<TokenResponse, TokenResponseError> {
    TokenResponse::decode(&answer(status, "application/json", body))
}

#[track_caller]
fn malformed(body: impl AsRef<[u8]>) -> MalformedResponse {
    match decode(200, body) {
        Err(TokenResponseError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn life(value: &str) -> Result<ExpiresIn, MalformedResponse> {
    match decode(200, format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{value}}}"#)) {
        Ok(response) => Ok(response.expires_in),
        Err(TokenResponseError::Malformed { what, .. }) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_example_of_the_rfc() {
    // RFC 6749 section 4.4.3
    let response = decode(
        200,
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600,"example_parameter":"example_value"}"#,
    )
    .unwrap();
    assert_eq!(response.access_token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(response.token_type, TokenType::Other("example".into()));
    assert_eq!(response.expires_in, ExpiresIn::In(Duration::from_secs(3600)));
    assert_eq!(response.scope, None);
    assert_eq!(response.extra["example_parameter"], "example_value");
}

// spec-test: 6749-AS6
#[test]
fn golden_bytes() {
    let response = TokenResponse {
        access_token: AccessToken::parse("abc").unwrap(),
        token_type: TokenType::Dpop,
        token_type_missing: false,
        expires_in: ExpiresIn::In(Duration::from_millis(600_900)),
        scope: Some(Scope::parse("b a").unwrap()),
        issued_token_type: Some(TokenTypeUri::Jwt),
        extra: serde_json::json!({"issued_token_type":"x","expires_in":"7","y":"z"})
            .as_object()
            .unwrap()
            .clone(),
    };
    let wire = response.encode();
    assert_eq!(wire.status(), 200);
    let headers: Vec<_> =
        wire.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    assert_eq!(headers, ["content-type: application/json", "cache-control: no-store", "pragma: no-cache"]);
    assert_eq!(
        wire.body(),
        r#"{"access_token":"abc","token_type":"DPoP","expires_in":600,"scope":"b a","issued_token_type":"urn:ietf:params:oauth:token-type:jwt","y":"z"}"#
    );
}

#[test]
fn decode_of_encode_is_identity() {
    for (expires_in, scope) in [
        (ExpiresIn::In(Duration::from_secs(1)), Some(Scope::parse("a:b c").unwrap())),
        (ExpiresIn::Absent, None),
        (ExpiresIn::Zero, None),
    ] {
        let response = TokenResponse {
            access_token: AccessToken::parse("a\"b\\").unwrap(),
            token_type: TokenType::Bearer,
            token_type_missing: false,
            expires_in,
            issued_token_type: scope.as_ref().map(|_| TokenTypeUri::AccessToken),
            scope,
            extra: serde_json::json!({"x":[1]}).as_object().unwrap().clone(),
        };
        assert_eq!(TokenResponse::decode(&response.encode()), Ok(response));
    }
}

// spec-test: 6749-C7
#[test]
fn lives() {
    let seconds = |s| Ok(ExpiresIn::In(Duration::from_secs(s)));
    assert_eq!(life("3600"), seconds(3600));
    assert_eq!(life("\"3600\""), seconds(3600));
    assert_eq!(life("\" 60 \""), seconds(60));
    assert_eq!(life("\"60.5\""), Ok(ExpiresIn::In(Duration::from_millis(60_500))));
    assert_eq!(life("3599.5"), Ok(ExpiresIn::In(Duration::from_millis(3_599_500))));
    assert_eq!(life("0.5"), Ok(ExpiresIn::In(Duration::from_millis(500))));
    assert_eq!(life("3.6e3"), seconds(3600));
    for zero in ["0", "0.0", "-0.0", "\"0\"", "1e-300"] {
        assert_eq!(life(zero), Ok(ExpiresIn::Zero), "{zero}");
    }
    for absent in ["null", "\"\""] {
        assert_eq!(life(absent), Ok(ExpiresIn::Absent), "{absent}");
    }
    for long in ["1e300", "18446744073709551615", "99999999999999999999999", "\"99999999999999999999999\""] {
        assert_eq!(life(long), Ok(ExpiresIn::In(ExpiresIn::MAX)), "{long}");
    }
    for bad in [
        "-1", "-0.001", "\"-1\"", "\"NaN\"", "\"nan\"", "\"inf\"", "\"1e9\"", "\"+1\"", "\"1.\"", "\".5\"",
        "\"1h\"", "\"0x10\"", "true", "[60]", "{}",
    ] {
        assert_eq!(life(bad), Err(MalformedResponse::ExpiresIn), "{bad}");
    }
}

#[test]
fn token_type() {
    let of = |member: &str| decode(200, format!(r#"{{"access_token":"t"{member}}}"#));
    for missing in ["", r#","token_type":null"#, r#","token_type":"""#] {
        let response = of(missing).unwrap();
        assert!(response.token_type_missing && response.token_type == TokenType::Bearer, "{missing}");
    }
    let response = of(r#","token_type":"bearer""#).unwrap();
    assert!(!response.token_type_missing && response.token_type == TokenType::Bearer);
    assert_eq!(
        malformed(r#"{"access_token":"t","token_type":1}"#),
        MalformedResponse::MemberType("token_type")
    );
}

// spec-test: 8693-C2
#[test]
fn what_was_issued() {
    let of = |member: &str| decode(200, format!(r#"{{"access_token":"t"{member}}}"#));
    let issued = of(r#","issued_token_type":"urn:ietf:params:oauth:token-type:access_token""#).unwrap();
    assert_eq!(issued.issued_token_type, Some(TokenTypeUri::AccessToken));
    assert!(!issued.extra.contains_key("issued_token_type"));
    for absent in ["", r#","issued_token_type":null"#, r#","issued_token_type":"""#] {
        assert_eq!(of(absent).unwrap().issued_token_type, None, "{absent}");
    }
    assert_eq!(
        malformed(r#"{"access_token":"t","issued_token_type":1}"#),
        MalformedResponse::MemberType("issued_token_type")
    );
}

#[test]
fn scope_in_several_shapes() {
    let of = |scope: &str| {
        decode(200, format!(r#"{{"access_token":"t","scope":{scope}}}"#))
            .map(|r| r.scope.map(|s| s.to_string()))
    };
    assert_eq!(of(r#""a b""#), Ok(Some("a b".into())));
    assert_eq!(of(r#"["a","b c"]"#), Ok(Some("a b c".into())));
    for absent in ["null", r#""""#, r#"" ""#, "[]"] {
        assert_eq!(of(absent), Ok(None), "{absent}");
    }
    assert_eq!(malformed(r#"{"access_token":"t","scope":["a",1]}"#), MalformedResponse::MemberType("scope"));
    assert_eq!(
        malformed(r#"{"access_token":"t","scope":"a\\b"}"#),
        MalformedResponse::Scope(ScopeError::Character)
    );
}

#[test]
fn access_token() {
    assert_eq!(malformed("{}"), MalformedResponse::Missing("access_token"));
    assert_eq!(malformed(r#"{"access_token":null}"#), MalformedResponse::Missing("access_token"));
    assert_eq!(malformed(r#"{"access_token":["t"]}"#), MalformedResponse::MemberType("access_token"));
    for (text, error) in [
        ("", AccessTokenTextError::Empty),
        ("a\\nb", AccessTokenTextError::Character),
        ("a b", AccessTokenTextError::Character),
        ("a\\u0000", AccessTokenTextError::Character),
        (&"x".repeat(16 * 1024 + 1), AccessTokenTextError::TooLong),
    ] {
        assert_eq!(
            malformed(format!(r#"{{"access_token":"{text}"}}"#)),
            MalformedResponse::AccessToken(error)
        );
    }
}

#[test]
fn a_success_that_is_no_json_object() {
    let reason = |body: &[u8]| match malformed(body) {
        MalformedResponse::NotJson { reason, bytes, content_type } => {
            assert_eq!((bytes, content_type.as_deref()), (body.len(), Some("application/json")));
            reason
        }
        other => panic!("{other:?}"),
    };
    assert!(matches!(reason(b"<html>Sign in</html>"), JsonError::Syntax { .. }));
    assert_eq!(reason(b""), JsonError::Empty);
    assert_eq!(reason(b"\xEF\xBB\xBF{\"access_token\":\"t\"}"), JsonError::ByteOrderMark);
    assert!(matches!(
        reason(br#"{"access_token":"a","access_token":"b"}"#),
        JsonError::DuplicateMember { .. }
    ));
    assert!(matches!(reason(br#"{"access_token":"t","expires_in":NaN}"#), JsonError::Syntax { .. }));
    assert!(matches!(reason(br#"{"access_token":"t"} trailing"#), JsonError::Syntax { .. }));
    assert_eq!(reason(br#"["t"]"#), JsonError::NotObject);
    assert_eq!(
        reason(b"access_token=t&token_type=bearer".as_slice()),
        JsonError::Syntax { line: 1, column: 1 }
    );
    assert_eq!(reason(b"{\"access_token\":\"\xFF\"}"), JsonError::NotUtf8);
    assert!(matches!(reason(&[b' '; 300 * 1024]), JsonError::TooLarge { .. }));
    let deep = format!("{{\"access_token\":\"t\",\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    assert_eq!(reason(deep.as_bytes()), JsonError::TooDeep { limit: 16 });
}

#[test]
fn json_under_another_content_type_is_read() {
    for content_type in ["text/plain", "text/html; charset=utf-8", "application/octet-stream"] {
        assert!(TokenResponse::decode(&answer(200, content_type, r#"{"access_token":"t"}"#)).is_ok());
    }
    assert!(TokenResponse::decode(&Response::new(Bytes::from_static(br#"{"access_token":"t"}"#))).is_ok());
}

#[test]
fn created_is_fine_and_no_other_success() {
    assert!(decode(201, r#"{"access_token":"t"}"#).is_ok());
    for status in [202, 204, 206] {
        assert_eq!(
            decode(status, r#"{"access_token":"t"}"#),
            Err(TokenResponseError::Malformed {
                status: StatusCode::from_u16(status).unwrap(),
                what: MalformedResponse::Status
            })
        );
    }
}

#[test]
fn an_error_is_a_verdict_on_4xx_and_on_success() {
    for status in [200, 201, 400, 401, 403, 404] {
        match decode(status, r#"{"error":"invalid_client","access_token":"t"}"#) {
            Err(TokenResponseError::Refused { status: s, error }) => {
                assert_eq!((s.as_u16(), error.error), (status, ErrorCode::InvalidClient));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn an_error_that_cannot_be_read_is_no_success() {
    let long = format!("\"{}\"", "x".repeat(ErrorCode::MAX_BYTES + 1));
    for error in ["{\"code\":403}", "403", "true", "[]", "\"a\\nb\"", &long] {
        let what = malformed(format!(r#"{{"access_token":"t","token_type":"Bearer","error":{error}}}"#));
        assert_eq!(what, MalformedResponse::MemberType("error"), "{error}");
    }
    for empty in ["null", "\"\""] {
        let body = format!(r#"{{"access_token":"t","token_type":"Bearer","error":{empty}}}"#);
        assert!(decode(200, body).is_ok(), "{empty}");
    }
}

#[test]
fn no_verdict_on_429_and_5xx() {
    for status in [429, 500, 502, 503, 504, 599] {
        for (body, code) in [
            (r#"{"error":"invalid_client"}"#, Some(ErrorCode::InvalidClient)),
            ("<html>", None),
            (r#"{"access_token":"t"}"#, None),
        ] {
            match decode(status, body) {
                Err(TokenResponseError::Unavailable { status: s, error, retry_after: None }) => {
                    assert_eq!((s.as_u16(), error.map(|e| e.error)), (status, code));
                }
                other => panic!("{status}: {other:?}"),
            }
        }
    }
}

#[test]
fn retry_after_is_kept() {
    let mut response = answer(503, "text/plain", "");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
    match TokenResponse::decode(&response) {
        Err(TokenResponseError::Unavailable { retry_after: Some(after), .. }) => {
            assert_eq!(after.delay(UnixTime::from_seconds(0)), Duration::from_secs(7));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_4xx_without_an_oauth_error_is_no_verdict() {
    for body in ["<html>blocked</html>", "", r#"{"message":"no"}"#, r#"{"error":{"code":403}}"#] {
        match TokenResponse::decode(&answer(403, "text/html; charset=x", body)) {
            Err(TokenResponseError::NotOauth { status, content_type, bytes, .. }) => {
                assert_eq!((status.as_u16(), bytes), (403, body.len()));
                assert_eq!(content_type.as_deref(), Some("text/html"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn redirects_are_named_without_their_path() {
    let mut response = answer(302, "text/html", "");
    let location = HeaderValue::from_static("https://login.example/sign-in?next=canary#x");
    response.headers_mut().insert(http::header::LOCATION, location);
    let error = TokenResponse::decode(&response).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
    match error {
        TokenResponseError::Redirected { status, to } => {
            assert_eq!(status, 302);
            assert_eq!(to.unwrap().to_string(), "https://login.example");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(decode(307, ""), Err(TokenResponseError::Redirected { to: None, .. })));
}

#[test]
fn nothing_of_a_success_is_shown() {
    for body in [
        r#"{"access_token":"canary x","refresh_token":"canary"}"#,
        r#"{"access_token":"canary","expires_in":"canary"}"#,
        r#"{"access_token":"canary","scope":"canary\"x"}"#,
        r#"{"access_token":"canary","token_type":{"canary":1}}"#,
        r#"{"token":"canary"}"#,
        "canary",
        r#"{"access_token":"canary","canary":1,"canary":2}"#,
    ] {
        let error = decode(200, body).unwrap_err();
        let mut shown = format!("{error:?}");
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(e) = cause {
            shown += &format!("{e}");
            cause = e.source();
        }
        assert!(!shown.contains("canary"), "{shown}");
    }
    let response = decode(200, r#"{"access_token":"canary","refresh_token":"canary"}"#).unwrap();
    assert!(!format!("{response:?}").contains("canary"));
}
