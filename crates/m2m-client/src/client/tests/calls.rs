//! Calls to APIs: destinations, 401, nothing unauthenticated.

use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::{Request, StatusCode};
use m2m_proto::uri::{Origin, PlainHttp};

use crate::testing::{
    FakeServer, TestClock, answer, builder, client, oauth_error, seconds, settle, token_answer,
};
use crate::{Client, ErrorKind, RenewalReason, TokenSpec};

fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::from_static(b"body")).unwrap()
}

const API: &str = "https://api.example/orders?x=1";

/// Issues `t1`, `t2`, …; the API takes only tokens that `accepted` names.
fn server_and_api(accepted: Arc<Mutex<Vec<String>>>) -> Arc<FakeServer> {
    let minted = Mutex::new(0);
    FakeServer::new(move |request, _| {
        if request.uri().path() == "/token" {
            let mut minted = minted.lock().unwrap();
            *minted += 1;
            return Ok(token_answer(&format!("t{minted}"), "3600"));
        }
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let good =
            accepted.lock().unwrap().iter().any(|token| authorization == Some(format!("Bearer {token}")));
        Ok(answer(if good { 200 } else { 401 }, request.body().clone()))
    })
}

fn accepting(tokens: &[&str]) -> Arc<Mutex<Vec<String>>> {
    Arc::new(Mutex::new(tokens.iter().map(ToString::to_string).collect()))
}

fn paths(server: &FakeServer) -> Vec<String> {
    (0..server.count()).map(|index| server.request(index).uri().path().to_owned()).collect()
}

#[tokio::test]
async fn the_token_is_attached_and_the_callers_authorization_replaced() {
    let server = server_and_api(accepting(&["t1"]));
    let client = client(&server, &TestClock::new());
    let mut request = get(API);
    request.headers_mut().insert("authorization", "Bearer stolen".parse().unwrap());
    let executed = client.execute(&TokenSpec::default(), request).await.unwrap();
    assert_eq!(
        (executed.response.status(), executed.response.body().as_ref()),
        (StatusCode::OK, &b"body"[..])
    );
    assert_eq!(executed.renewed.unwrap().reason, RenewalReason::Missing);
    let again = client.execute(&TokenSpec::default(), get(API)).await.unwrap();
    assert!(again.renewed.is_none(), "nothing was renewed for this call");
    assert_eq!(server.request(1).headers().get_all("authorization").iter().count(), 1);
}

/// Go re-attaches a bearer token on redirects to other hosts; here a foreign
/// origin gets nothing, and no token is even asked for.
#[tokio::test]
async fn a_token_is_never_attached_to_a_foreign_origin() {
    let server = server_and_api(accepting(&["t1"]));
    let client = client(&server, &TestClock::new());
    for url in [
        "https://evil.example/orders",
        "http://api.example/orders",
        "https://api.example:8443/orders",
        "https://api.example.evil.example/",
        "https://sub.api.example/",
    ] {
        let error = client.execute(&TokenSpec::default(), get(url)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{url}");
        let token = client.token(&TokenSpec::default()).await.unwrap();
        let (uri, mut headers) = (url.parse().unwrap(), http::HeaderMap::new());
        client.attach(&TokenSpec::default(), &token, &http::Method::GET, &uri, &mut headers).unwrap_err();
        assert!(headers.is_empty(), "{url}");
    }
    assert_eq!(paths(&server), ["/token"]);
}

#[tokio::test]
async fn destinations_are_those_of_the_spec_or_the_declared_ones() {
    let server = server_and_api(accepting(&["t1", "t2"]));
    let allowed = |client: &Client, spec: &TokenSpec, url: &str| {
        client.check_destination(spec, &url.parse().unwrap()).is_ok()
    };
    let clock = TestClock::new();
    let by_audience = client(&server, &clock);
    let other = TokenSpec::new().audience("https://other.example/v1");
    assert!(allowed(&by_audience, &TokenSpec::default(), API));
    assert!(!allowed(&by_audience, &other, API), "one API's token does not go to another");
    assert!(allowed(&by_audience, &other, "https://other.example/x"));
    let declared =
        builder(&server, &clock).destination(Origin::parse("https://x.example").unwrap()).build().unwrap();
    assert!(allowed(&declared, &TokenSpec::default(), "https://x.example/"));
    assert!(!allowed(&declared, &TokenSpec::default(), API), "once declared, only those");
    let opaque = TokenSpec::new().audience("api://orders");
    let error = by_audience.check_destination(&opaque, &API.parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "no destination is declared for this token");
}

/// Duende sends the API call without a token when the token request fails.
#[tokio::test]
async fn a_failed_token_request_never_sends_the_api_call() {
    let server = FakeServer::new(|request, _| {
        Ok(if request.uri().path() == "/token" { answer(503, "") } else { answer(200, "") })
    });
    let clock = TestClock::new();
    let client = client(&server, &clock);
    for _ in 0..5 {
        client.execute(&TokenSpec::default(), get(API)).await.unwrap_err();
        clock.advance(seconds(40));
    }
    assert_eq!(paths(&server), ["/token"; 5]);
}

#[tokio::test]
async fn a_401_renews_the_token_and_replays_the_request_once() {
    let accepted = accepting(&["t1"]);
    let server = server_and_api(Arc::clone(&accepted));
    let clock = TestClock::new();
    let client = client(&server, &clock);
    client.execute(&TokenSpec::default(), get(API)).await.unwrap();
    *accepted.lock().unwrap() = vec!["t2".into()];
    clock.advance(seconds(60));
    let executed = client.execute(&TokenSpec::default(), get(API)).await.unwrap();
    assert_eq!(
        (executed.response.status(), executed.response.body().as_ref()),
        (StatusCode::OK, &b"body"[..])
    );
    assert_eq!(executed.renewed.unwrap().reason, RenewalReason::Rejected);
    assert_eq!(paths(&server), ["/token", "/orders", "/orders", "/token", "/orders"]);
}

/// Azure's pipeline drops its copy, and the credential's cache hands the same
/// rejected token back.
#[tokio::test]
async fn a_rejected_token_does_not_come_back() {
    let server = server_and_api(accepting(&[]));
    let clock = TestClock::new();
    let client = client(&server, &clock);
    let token = client.token(&TokenSpec::default()).await.unwrap();
    let mut handle = client.handle(&TokenSpec::default());
    assert_eq!(handle.ready().await.unwrap(), "Bearer t1");
    clock.advance(seconds(60));
    assert!(matches!(client.reject(&token), crate::Rejection::Renewing));
    assert!(handle.header().is_err(), "handles drop it too");
    assert_eq!(handle.ready().await.unwrap(), "Bearer t2");
    assert_eq!(client.token(&TokenSpec::default()).await.unwrap().access_token().expose(), "t2");
    assert!(matches!(client.reject(&token), crate::Rejection::Superseded(_)), "late");
}

/// An API that rejects every token must not make us storm the token endpoint
/// (Duende mints on every 401).
#[tokio::test]
async fn an_api_that_rejects_everything_causes_few_token_requests() {
    let server = server_and_api(accepting(&[]));
    let clock = TestClock::new();
    let client = client(&server, &clock);
    for _ in 0..300 {
        let executed = client.execute(&TokenSpec::default(), get(API)).await.unwrap();
        assert_eq!(executed.response.status(), StatusCode::UNAUTHORIZED, "the API's own answer");
        clock.pass(1).await;
    }
    let minted = paths(&server).iter().filter(|path| *path == "/token").count();
    assert!(minted <= 6, "{minted} token requests in five minutes");
}

#[tokio::test]
async fn a_401_whose_renewal_fails_is_returned_with_the_reason() {
    let server = server_and_api(accepting(&[]));
    let clock = TestClock::new();
    let client = client(&server, &clock);
    client.token(&TokenSpec::default()).await.unwrap();
    clock.advance(seconds(60));
    server.becomes(|request, _| {
        Ok(if request.uri().path() == "/token" {
            oauth_error(400, "invalid_client")
        } else {
            answer(401, "mine")
        })
    });
    let executed = client.execute(&TokenSpec::default(), get(API)).await.unwrap();
    assert_eq!(executed.response.body().as_ref(), b"mine");
    assert_eq!(executed.renewal_error.unwrap().kind(), ErrorKind::Refused);
    assert!(executed.renewed.is_none());
}

#[tokio::test]
async fn many_late_401s_cause_one_renewal() {
    let accepted = accepting(&["t1"]);
    let server = server_and_api(Arc::clone(&accepted));
    let clock = TestClock::new();
    let client = client(&server, &clock);
    client.token(&TokenSpec::default()).await.unwrap();
    clock.advance(seconds(60));
    *accepted.lock().unwrap() = vec!["t2".into()];
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let client = client.clone();
        calls.spawn(async move {
            client.execute(&TokenSpec::default(), get(API)).await.unwrap().response.status()
        });
    }
    settle().await;
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    assert_eq!(paths(&server).iter().filter(|path| *path == "/token").count(), 2);
}

/// What the API says with its 401, and whether the token is to blame.
#[tokio::test]
async fn a_401_for_another_scheme_does_not_cost_a_token() {
    let check = async |challenge: Option<&'static str>, renewed: bool| {
        let server = FakeServer::new(move |request, n| {
            if request.uri().path() == "/token" {
                return Ok(token_answer(&format!("t{n}"), "3600"));
            }
            let mut response = answer(401, "");
            if let Some(challenge) = challenge {
                response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
            }
            Ok(response)
        });
        let clock = TestClock::new();
        let client = client(&server, &clock);
        client.token(&TokenSpec::default()).await.unwrap();
        clock.advance(seconds(60));
        client.execute(&TokenSpec::default(), get(API)).await.unwrap();
        assert_eq!(server.count() == 4, renewed, "{challenge:?}");
    };
    check(None, true).await;
    check(Some("Bearer"), true).await;
    check(Some(r#"Bearer error="invalid_token""#), true).await;
    check(Some(r#"Basic realm="x""#), false).await;
    check(Some(r#"Basic realm="x", Bearer error="invalid_token""#), true).await;
    check(Some("Negotiate"), false).await;
    // The proof was wrong, or a clock; another token would not help.
    check(Some(r#"DPoP error="invalid_dpop_proof""#), false).await;
}

/// A token in the clear is anybody's: an audience that begins with `http:` opens no way for it.
#[tokio::test]
async fn a_token_never_travels_unencrypted_unless_that_is_allowed() {
    let server = server_and_api(accepting(&["t1"]));
    let allowed = |client: &Client, url: &str| {
        client.check_destination(&TokenSpec::new().audience(url), &url.parse().unwrap()).is_ok()
    };
    let strict = client(&server, &TestClock::new());
    assert!(!allowed(&strict, "http://api.example/orders"));
    assert!(allowed(&strict, "https://api.example/orders"));
    assert!(allowed(&strict, "http://127.0.0.1:8080/orders"));
    let lax = builder(&server, &TestClock::new()).plain_http(PlainHttp::Allowed).build().unwrap();
    assert!(allowed(&lax, "http://api.example/orders"));
}
