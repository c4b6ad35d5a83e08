use serde_json::json;

use super::*;

fn answer(names: Option<&Dictionary>, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    for (name, value) in headers {
        let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        response.headers_mut().append(name, value.parse().unwrap());
    }
    Answer::of(names, &response)
}

#[test]
fn bodies() {
    let names = Dictionary::default();
    let (token, document) = (Some(&names), None);
    let check = |names, body: &str, expect: Body| {
        assert_eq!(answer(names, &[], body).body, expect, "{body}");
    };
    check(token, " \r\n", Body::Empty);
    check(token, "\u{feff}<!doctype html>", Body::Html);
    check(token, "\n <html>", Body::Html);
    check(token, "down for maintenance", Body::Other);
    check(document, "[]", Body::Other);
    let members = json!({"issuer": "i"}).as_object().unwrap().clone();
    check(document, r#"{"issuer":"i"}"#, Body::Document(members));
    check(token, r#"{"issuer":"i"}"#, Body::Token(Box::default()));
}

#[test]
fn of_a_token_answer_no_token_and_no_unknown_member_is_kept() {
    let header = base64url::encode(br#"{"alg":"ES256","typ":"at+jwt"}"#);
    let claims = base64url::encode(br#"{"aud":"https://api"}"#);
    let body = json!({
        "access_token": format!("{header}.{claims}.hunter2"), "token_type": "Bearer", "expires_in": "60",
        "scope": ["a", "b"], "refresh_token": "hunter2", "error": "",
    });
    let answer = answer(Some(&Dictionary::default()), &[], &body.to_string());
    let kept = answer.token().unwrap();
    let life = Life { read: Ok(ExpiresIn::In(Duration::from_secs(60))), sent: Some(json!("60")) };
    assert_eq!(kept.expires_in, life);
    assert_eq!((kept.scope.as_deref(), kept.error.as_deref()), (Some("a b"), None));
    let Some(TokenShape::Jwt { header, claims }) = &kept.token else { panic!("{kept:?}") };
    assert_eq!((&header["typ"], &claims["aud"]), (&json!("at+jwt"), &json!("https://api")));
    assert!(!format!("{answer:?}").contains("hunter2"));
    assert_eq!(TokenShape::of("a.b.c"), TokenShape::Opaque);
    assert_eq!(TokenShape::of("opaque"), TokenShape::Opaque);
}

#[test]
fn members_may_have_other_names() {
    let names = Dictionary {
        token: "accessToken".to_owned(),
        expires_in: "expiresIn".to_owned(),
        unit: LifetimeUnit::Milliseconds,
        expires_at: "expireTime".to_owned(),
        quota: vec!["X-Left".to_owned()],
        tokens: Readable::Nothing,
    };
    let body = r#"{"accessToken":"e30.e30.x","expiresIn":"600000","expireTime":"2026-11-25T00:00:00Z"}"#;
    let answer = answer(Some(&names), &[("x-left", "7")], body);
    let kept = answer.token().unwrap();
    let life = Life { read: Ok(ExpiresIn::In(Duration::from_secs(600))), sent: Some(json!("600000")) };
    assert_eq!((&kept.token, &kept.expires_in), (&Some(TokenShape::Opaque), &life));
    assert!(kept.has_end);
    assert_eq!(answer.quota, [("x-left".to_owned(), "7".to_owned())]);
}

#[test]
fn headers_that_matter() {
    let answer = answer(
        None,
        &[
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("age", "10"),
            ("content-type", "text/html; charset=utf-8"),
            ("retry-after", "7"),
            ("x-ratelimit-remaining", "0"),
            ("set-cookie", "hunter2"),
        ],
        "",
    );
    assert_eq!(answer.date, Some(UnixTime::from_seconds(784_111_787)), "older by its age");
    assert_eq!(answer.content_type.as_deref(), Some("text/html"));
    let quota =
        [("retry-after".to_owned(), "7".to_owned()), ("x-ratelimit-remaining".to_owned(), "0".to_owned())];
    assert_eq!(answer.quota, quota);
}
