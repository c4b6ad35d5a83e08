//! Every answer that a token endpoint should not give: the right kind of error,
//! and nothing cached.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode};
use m2m_io::HttpError;
use m2m_proto::uri::Origin;

use crate::testing::{Answer, FakeServer, TestClock, answer, builder, client, seconds, token_answer};
use crate::{Client, ErrorKind, Inspect, TokenSpec};

async fn asked(client: &Client) -> Result<String, crate::Error> {
    client.token(&TokenSpec::default()).await.map(|token| token.access_token().expose().to_owned())
}

/// Whether the same request may succeed without anybody acting.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    Later,
    Never,
}

/// The server gives that answer, then recovers: the error has the kind, nothing
/// of the answer is kept, and the recovered server is asked again.
async fn check(kind: ErrorKind, retry: Again, hostile: impl Fn() -> Answer + Send + Sync + 'static) {
    let clock = TestClock::new();
    let server = FakeServer::new(move |_, _| hostile());
    let client = client(&server, &clock);
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { asked(&client).await }
    });
    for _ in 0..8 {
        crate::testing::settle().await;
        clock.advance(seconds(1));
    }
    let error = asking.await.unwrap().unwrap_err();
    let text = format!("{error} {error:?} {}", error.hint());
    assert_eq!((error.kind(), error.is_transient()), (kind, retry == Again::Later), "{text}");
    assert!(!text.contains("LEAK"), "{text}");
    server.becomes(|_, _| Ok(token_answer("good", "600")));
    clock.advance(seconds(3600));
    assert_eq!(asked(&client).await.unwrap(), "good", "{text}");
}

fn with_token(rest: &str) -> Response<bytes::Bytes> {
    answer(200, format!(r#"{{"access_token":"LEAKED",{rest}}}"#))
}

#[tokio::test]
async fn answers_that_break_the_protocol() {
    let bad: Vec<(&str, Response<bytes::Bytes>)> = vec![
        ("html", answer(200, "<html><body>LEAK</body></html>")),
        ("empty", answer(200, "")),
        ("array", answer(200, r#"["LEAK"]"#)),
        ("cut off", answer(200, r#"{"access_token":"LEAK"#)),
        ("trailing bytes", answer(200, r#"{"access_token":"LEAKED","token_type":"Bearer"} x"#)),
        ("duplicate members", with_token(r#""access_token":"LEAKED","token_type":"Bearer""#)),
        ("byte order mark", answer(200, "\u{feff}{\"access_token\":\"LEAKED\",\"token_type\":\"Bearer\"}")),
        ("not UTF-8", answer(200, &b"{\"access_token\":\"\xff\xfe\"}"[..])),
        ("too deep", answer(200, format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)))),
        ("NaN", with_token(r#""token_type":"Bearer","expires_in":NaN"#)),
        ("NaN as text", with_token(r#""token_type":"Bearer","expires_in":"NaN""#)),
        ("negative life", with_token(r#""token_type":"Bearer","expires_in":-1"#)),
        ("negative life as text", with_token(r#""token_type":"Bearer","expires_in":"-1""#)),
        ("life as object", with_token(r#""token_type":"Bearer","expires_in":{}"#)),
        ("token with newline", answer(200, r#"{"access_token":"LEAK\n","token_type":"Bearer"}"#)),
        ("token with space", answer(200, r#"{"access_token":"LEAK ED","token_type":"Bearer"}"#)),
        ("token not ASCII", answer(200, r#"{"access_token":"LEAK\u00e9","token_type":"Bearer"}"#)),
        ("empty token", answer(200, r#"{"access_token":"","token_type":"Bearer"}"#)),
        ("token is a number", answer(200, r#"{"access_token":1,"token_type":"Bearer"}"#)),
        ("huge token", answer(200, format!(r#"{{"access_token":"{}"}}"#, "a".repeat(20_000)))),
        ("no token", answer(200, r#"{"token_type":"Bearer"}"#)),
        ("unknown type", with_token(r#""token_type":"LEAK-mac""#)),
        ("another type", with_token(r#""token_type":"DPoP""#)),
        ("type is a number", with_token(r#""token_type":7"#)),
        ("204", answer(204, "")),
        ("zero life for good", with_token(r#""token_type":"Bearer","expires_in":0"#)),
    ];
    for (name, response) in bad {
        eprintln!("{name}");
        check(ErrorKind::PeerMisbehaved, Again::Later, move || Ok(response.clone())).await;
    }
}

/// A 4xx without an OAuth error is a firewall or a wrong URL, not a verdict.
#[tokio::test]
async fn a_4xx_without_an_oauth_error_is_transient() {
    for status in [400, 401, 403, 404, 405, 407, 415] {
        for body in ["", "<html>LEAK</html>", r#"{"message":"LEAK"}"#, r#"{"error":7}"#, r#"{"error":""}"#] {
            check(ErrorKind::PeerMisbehaved, Again::Later, move || Ok(answer(status, body))).await;
        }
    }
}

/// 429 and 5xx are never verdicts, whatever their body says.
#[tokio::test]
async fn a_429_or_a_5xx_is_unreachable_even_with_an_oauth_error() {
    for status in [429, 500, 502, 503, 504] {
        for body in ["", "<html>LEAK</html>", r#"{"error":"invalid_client","error_description":"LEAK"}"#] {
            check(ErrorKind::Unreachable, Again::Later, move || Ok(answer(status, body))).await;
        }
    }
}

#[tokio::test]
async fn a_redirect_is_refused() {
    for status in [301, 302, 303, 307, 308] {
        check(ErrorKind::PeerMisbehaved, Again::Later, move || {
            let mut response = answer(status, "");
            let location = HeaderValue::from_static("https://evil.example/LEAK?token=LEAK");
            response.headers_mut().insert("location", location);
            Ok(response)
        })
        .await;
    }
    check(ErrorKind::PeerMisbehaved, Again::Later, || {
        let location_origin = Origin::parse("https://evil.example").ok();
        Err(HttpError::Redirect { status: StatusCode::FOUND, location_origin })
    })
    .await;
}

/// 200 with `error` is that error.
#[tokio::test]
async fn two_hundred_with_an_error_is_that_error() {
    for status in [200, 400, 401, 403] {
        for code in ["invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "own_code"] {
            let body = format!(r#"{{"error":"{code}","access_token":"LEAKED"}}"#);
            check(ErrorKind::Refused, Again::Never, move || Ok(answer(status, body.clone()))).await;
        }
    }
    check(ErrorKind::Refused, Again::Later, || Ok(answer(400, r#"{"error":"temporarily_unavailable"}"#)))
        .await;
}

#[tokio::test]
async fn no_answer_at_all() {
    use ErrorKind::{Misconfigured, PeerMisbehaved, Unreachable};
    let failures: Vec<(HttpError, ErrorKind, Again)> = vec![
        (HttpError::Timeout, Unreachable, Again::Later),
        (HttpError::Connect("refused".into()), Unreachable, Again::Later),
        (HttpError::Dns("no such host".into()), Unreachable, Again::Later),
        (HttpError::Tls("UnknownIssuer".into()), Unreachable, Again::Later),
        (HttpError::Proxy("refused".into()), Unreachable, Again::Later),
        (HttpError::TooLarge { limit: 262_144 }, PeerMisbehaved, Again::Later),
        (HttpError::Protocol("invalid gzip".into()), PeerMisbehaved, Again::Later),
        (
            HttpError::EgressDenied { destination: "10.0.0.1".into(), reason: "private" },
            Misconfigured,
            Again::Never,
        ),
    ];
    for (failure, kind, retry) in failures {
        check(kind, retry, move || Err(failure.clone())).await;
    }
}

/// The server's words reach a terminal: no control characters, bounded.
#[tokio::test]
async fn a_description_cannot_take_over_a_terminal() {
    let long = "x".repeat(100_000);
    let body = format!(r#"{{"error":"invalid_scope","error_description":"\u001b[2J\u202e{long}"}}"#);
    let server = FakeServer::new(move |_, _| Ok(answer(400, body.clone())));
    let error = asked(&client(&server, &TestClock::new())).await.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.len() < 2000);
}

/// `inspect = "error"`: a token that is not what was asked for is not used.
#[tokio::test]
async fn a_narrowed_scope_is_an_error_if_asked_for_and_a_warning_by_default() {
    let narrowed = r#"{"access_token":"t","token_type":"Bearer","scope":"read"}"#;
    for (inspect, usable) in [(Inspect::Off, true), (Inspect::Warn, true), (Inspect::Error, false)] {
        let server = FakeServer::new(move |_, _| Ok(answer(200, narrowed)));
        let scope = m2m_proto::scope::Scope::parse("read write").unwrap();
        let client = builder(&server, &TestClock::new()).scope(scope).inspect(inspect).build().unwrap();
        let result = client.token(&TokenSpec::default()).await;
        assert_eq!(result.is_ok(), usable, "{inspect:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::PeerMisbehaved);
            assert!(error.to_string().contains("write"));
        }
    }
}

/// A misbehaving server that is asked all the time is asked every half minute.
#[tokio::test]
async fn a_hostile_server_is_not_hammered() {
    let clock = TestClock::new();
    let server = FakeServer::new(|_, _| Ok(answer(200, "<html>")));
    let client = Arc::new(client(&server, &clock));
    for _ in 0..300 {
        asked(&client).await.unwrap_err();
        clock.pass(1).await;
    }
    assert!(server.count() <= 21, "{} requests in five minutes", server.count());
}
