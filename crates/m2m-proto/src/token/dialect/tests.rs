use std::time::Duration;

use http::{Response, StatusCode};

use super::*;
use crate::error::{ErrorCode, ResponseError};
use crate::scope::Scope;
use crate::time::UnixTime;
use crate::token::{ExpiresIn, GrantKind, TokenRequest, TokenResponse, TokenType};

fn request() -> TokenRequest {
    TokenRequest {
        scope: Some(Scope::parse("a b").unwrap()),
        audience: vec!["https://api.example".to_owned()],
        params: vec![("account_id".to_owned(), "7 &".to_owned())],
        ..TokenRequest::new(GrantKind::ClientCredentials)
    }
}

#[track_caller]
fn check(dialect: &RequestDialect, expect: &str) {
    let mut parameters = Parameters::default();
    request().write_as(dialect, &mut parameters);
    let endpoint = Uri::from_static("https://login.example/token?tenant=t");
    let made = dialect.assemble(&endpoint, parameters, HeaderMap::new()).unwrap();
    let content_type = made.headers().get(header::CONTENT_TYPE).map_or("-", |v| v.to_str().unwrap());
    let body = std::str::from_utf8(made.body()).unwrap();
    assert_eq!(format!("{} {} {content_type} {body}", made.method(), made.uri()), expect);
    assert_eq!(made.headers()[header::ACCEPT], media_type::JSON);
}

// spec-test: 6749-C3
#[test]
fn the_default_is_the_standard() {
    check(
        &RequestDialect::default(),
        "POST https://login.example/token?tenant=t application/x-www-form-urlencoded \
         grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fapi.example&account_id=7+%26",
    );
}

#[test]
fn every_switch_of_a_request() {
    let standard = RequestDialect::default;
    check(
        &RequestDialect { place: ParameterPlace::Query, method: Method::GET, ..standard() },
        "GET https://login.example/token?tenant=t&grant_type=client_credentials&scope=a+b\
         &audience=https%3A%2F%2Fapi.example&account_id=7+%26 - ",
    );
    check(
        &RequestDialect { place: ParameterPlace::Json, ..standard() },
        "POST https://login.example/token?tenant=t application/json \
         {\"grant_type\":\"client_credentials\",\"scope\":\"a b\",\"audience\":\"https://api.example\",\
         \"account_id\":\"7 &\"}",
    );
    check(
        &RequestDialect { grant_type: GrantTypePlace::Query, scope_separator: ',', ..standard() },
        "POST https://login.example/token?tenant=t&grant_type=client_credentials \
         application/x-www-form-urlencoded scope=a%2Cb&audience=https%3A%2F%2Fapi.example&account_id=7+%26",
    );
    check(
        &RequestDialect { grant_type: GrantTypePlace::Absent, audience: None, ..standard() },
        "POST https://login.example/token?tenant=t application/x-www-form-urlencoded \
         scope=a+b&account_id=7+%26",
    );
    check(
        &RequestDialect { audience: Some("target".to_owned()), ..standard() },
        "POST https://login.example/token?tenant=t application/x-www-form-urlencoded \
         grant_type=client_credentials&scope=a+b&target=https%3A%2F%2Fapi.example&account_id=7+%26",
    );
}

fn answer(status: u16, body: &str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn read(body: &str, dialect: &ResponseDialect) -> TokenResponse {
    TokenResponse::decode_as(&answer(200, body), dialect).unwrap()
}

#[test]
fn lives_in_other_members_and_units() {
    let dialect = ResponseDialect {
        token: "accessToken".to_owned(),
        expires_in: None,
        expires_at: Some("expireTime".to_owned()),
        ..ResponseDialect::default()
    };
    let life = |text: &str| {
        let body = format!(r#"{{"accessToken":"t","expireTime":{text}}}"#);
        TokenResponse::decode_as(&answer(200, &body), &dialect).map(|read| read.expires_in).ok()
    };
    let at = |seconds| Some(ExpiresIn::Until(UnixTime::from_seconds(seconds)));
    assert_eq!(life(r#""1994-11-06T08:49:37Z""#), at(784_111_777));
    assert_eq!(life("784111777"), at(784_111_777));
    assert_eq!(life(r#""784111777""#), at(784_111_777));
    assert_eq!(life("null"), Some(ExpiresIn::Absent));
    assert_eq!(life(r#""soon""#), None);
    assert_eq!(life("-1"), None);
    assert_eq!(life("{}"), None);
    let millis = ResponseDialect { unit: LifetimeUnit::Milliseconds, ..ResponseDialect::default() };
    let read = read(r#"{"access_token":"t","expires_in":900000}"#, &millis);
    assert_eq!(read.expires_in, ExpiresIn::In(Duration::from_secs(900)));
}

#[test]
fn a_stated_life_comes_before_a_stated_end() {
    let dialect = ResponseDialect { expires_at: Some("expires_on".to_owned()), ..ResponseDialect::default() };
    let body = r#"{"access_token":"t","expires_in":"60","expires_on":"784111777"}"#;
    let token = read(body, &dialect);
    assert_eq!(token.expires_in, ExpiresIn::In(Duration::from_secs(60)));
    assert_eq!(token.extra["expires_on"], "784111777");
    let token = read(r#"{"access_token":"t","expires_on":"784111777"}"#, &dialect);
    assert_eq!(token.expires_in, ExpiresIn::Until(UnixTime::from_seconds(784_111_777)));
}

#[test]
fn odd_types_and_scopes() {
    let dialect = ResponseDialect {
        bearer_names: vec!["Application Access Token".to_owned()],
        scope_separator: ',',
        ..ResponseDialect::default()
    };
    let body = r#"{"access_token":"t","token_type":"application access token","scope":"a,b"}"#;
    let token = read(body, &dialect);
    assert_eq!(token.token_type, TokenType::Bearer);
    assert_eq!(token.scope, Some(Scope::parse("a b").unwrap()));
    let token = read(body, &ResponseDialect::default());
    assert_eq!(token.token_type, TokenType::Other("application access token".to_owned()));
    assert_eq!(token.scope, Some(Scope::parse("a,b").unwrap()));
}

#[test]
fn errors_in_other_shapes() {
    let shape = |code: &str, description: &str| ErrorShape {
        code: code.to_owned(),
        description: (!description.is_empty()).then(|| description.to_owned()),
    };
    let dialect = ResponseDialect {
        errors: vec![
            shape("/errorCode", "/errorSummary"),
            shape("/errors/0/code", "/errors/0/message"),
            shape("/response/errors/0/code", "/response/errors/0/message"),
            shape("/message", ""),
        ],
        ..ResponseDialect::default()
    };
    let check = |body: &str, code: &str, description: Option<&str>| {
        let error = TokenResponse::decode_as(&answer(403, body), &dialect).unwrap_err();
        let ResponseError::Refused { error, .. } = error else { panic!("{body}: {error}") };
        assert_eq!((error.error.as_str(), error.error_description.as_deref()), (code, description), "{body}");
    };
    check(r#"{"error":"invalid_scope","errorCode":"x"}"#, "invalid_scope", None);
    check(r#"{"errorCode":"invalid_client","errorSummary":"no"}"#, "invalid_client", Some("no"));
    check(r#"{"errors":[{"code":99,"message":"Unable\nto verify"}]}"#, "99", Some("Unable to verify"));
    check(r#"{"response":{"errors":[{"code":"10401","message":"m"}]}}"#, "10401", Some("m"));
    check(
        r#"{"status":403,"message":"invalid client secret"}"#,
        "invalid_client_secret",
        Some("invalid client secret"),
    );
    for unreadable in ["{}", r#"{"errors":[]}"#, r#"{"message":""}"#, r#"{"message":["x"]}"#, "[]"] {
        let error = TokenResponse::decode_as(&answer(403, unreadable), &dialect).unwrap_err();
        assert!(matches!(error, ResponseError::NotOauth { .. }), "{unreadable}: {error}");
    }
    // A verdict is a 4xx; a shape does not make one of anything else.
    let down = TokenResponse::decode_as(&answer(503, r#"{"message":"x"}"#), &dialect).unwrap_err();
    assert!(
        matches!(down, ResponseError::Unavailable { error: Some(error), .. } if error.error == ErrorCode::Other("x".to_owned()))
    );
    let fine = read(r#"{"access_token":"t","message":"welcome"}"#, &dialect);
    assert_eq!(fine.extra["message"], "welcome");
}
