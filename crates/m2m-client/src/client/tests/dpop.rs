//! DPoP with nonces, against our own verifier.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use m2m_proto::dpop::proof::{Expect, NonceRule, ProofWindow, verify};
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::time::UnixTime;
use m2m_proto::token::AccessToken;
use serde_json::Value;

use crate::testing::{FakeServer, START, TestClock, answer, builder, oauth_error};
use crate::{Dpop, ErrorKind, TokenSpec};

fn bound(request: &Request<Bytes>, token: Option<&AccessToken>) -> String {
    let expect = Expect {
        method: request.method(),
        uri: request.uri(),
        algorithms: &[Algorithm::Es256],
        now: UnixTime::from_seconds(START),
        window: ProofWindow::default(),
        nonce: NonceRule::Unused,
        access_token: token,
        jkt: None,
    };
    verify(request.headers(), &expect).unwrap().jkt().as_str().to_owned()
}

fn claims(request: &Request<Bytes>) -> Value {
    let proof = request.headers()["dpop"].to_str().unwrap();
    let payload = m2m_proto::jose::base64url::decode(proof.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn with_nonce(mut response: Response<Bytes>, nonce: &'static str) -> Response<Bytes> {
    response.headers_mut().insert("dpop-nonce", HeaderValue::from_static(nonce));
    response
}

fn dpop_token() -> Response<Bytes> {
    answer(200, r#"{"access_token":"bound","token_type":"DPoP","expires_in":600}"#)
}

/// The server wants a nonce, and so does the API; each of them its own.
// spec-test: 9449-C1
// spec-test: 9449-C2
// spec-test: 9449-C3
// spec-test: 9449-C4
#[tokio::test]
async fn the_whole_request_is_built_anew_when_a_nonce_is_wanted() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = FakeServer::new({
        let seen = Arc::clone(&seen);
        move |request, _| {
            let nonce = claims(request)["nonce"].as_str().map(str::to_owned);
            seen.lock().unwrap().push((request.uri().path().to_owned(), nonce.clone()));
            Ok(match (request.uri().path(), nonce.as_deref()) {
                ("/token", Some("as")) => with_nonce(dpop_token(), "as2"),
                ("/token", _) => with_nonce(oauth_error(400, "use_dpop_nonce"), "as"),
                (_, Some("rs")) => with_nonce(answer(200, ""), "rs2"),
                _ => {
                    let mut response = with_nonce(answer(401, ""), "rs");
                    let challenge = HeaderValue::from_static(r#"DPoP error="use_dpop_nonce""#);
                    response.headers_mut().insert("www-authenticate", challenge);
                    response
                }
            })
        }
    });
    let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
    let client = builder(&server, &TestClock::new()).dpop(Dpop::Key(Arc::clone(&key))).build().unwrap();
    let request = Request::get("https://api.example/a?b=c").body(Bytes::new()).unwrap();
    let executed = client.execute(&TokenSpec::default(), request).await.unwrap();
    assert_eq!(executed.response.status(), 200);
    let nonce = |text: &str| Some(text.to_owned());
    let expected = [("/token", None), ("/token", nonce("as")), ("/a", None), ("/a", nonce("rs"))];
    let expected: Vec<_> = expected.into_iter().map(|(path, nonce)| (path.to_owned(), nonce)).collect();
    assert_eq!(*seen.lock().unwrap(), expected);

    let token = client.token(&TokenSpec::default()).await.unwrap();
    let jkt = key.thumbprint().as_str();
    for index in 0..4 {
        let request = server.request(index);
        let token = (index >= 2).then(|| token.access_token());
        assert_eq!(bound(&request, token), jkt);
    }
    assert_eq!(server.request(3).headers()["authorization"], "DPoP bound");
    assert_eq!(claims(&server.request(3))["htu"], "https://api.example/a", "without the query");
    let ids: std::collections::HashSet<String> =
        (0..4).map(|index| claims(&server.request(index))["jti"].to_string()).collect();
    assert_eq!(ids.len(), 4, "every attempt has a proof of its own");
    // The newest nonces came with the successful answers.
    let uri: Uri = "https://api.example/x".parse().unwrap();
    let dpop = client.dpop().unwrap();
    let proof = dpop.proof(&http::Method::GET, &uri, Some(token.access_token())).unwrap();
    let mut again = Request::new(Bytes::new());
    again.headers_mut().insert("dpop", proof);
    assert_eq!(claims(&again)["nonce"], "rs2");
}

#[tokio::test]
async fn a_server_that_always_wants_another_nonce_is_asked_twice() {
    let server = FakeServer::new(|_, _| Ok(with_nonce(oauth_error(400, "use_dpop_nonce"), "n")));
    let client = builder(&server, &TestClock::new()).dpop(Dpop::Ephemeral(Algorithm::Es256)).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Refused, 2));
    let token = FakeServer::new(|request, _| {
        if request.uri().path() == "/token" {
            return Ok(dpop_token());
        }
        let mut response = with_nonce(answer(401, ""), "n");
        response
            .headers_mut()
            .insert("www-authenticate", HeaderValue::from_static(r#"DPoP error="use_dpop_nonce""#));
        Ok(response)
    });
    let client = builder(&token, &TestClock::new()).dpop(Dpop::Ephemeral(Algorithm::Es256)).build().unwrap();
    let request = Request::get("https://api.example/a").body(Bytes::new()).unwrap();
    let executed = client.execute(&TokenSpec::default(), request).await.unwrap();
    assert_eq!((executed.response.status().as_u16(), token.count()), (401, 3));
}

// spec-test: 9449-C5
#[tokio::test]
async fn a_server_that_does_not_bind_is_not_taken_for_one_that_does() {
    let server = FakeServer::issuing(600);
    let client = builder(&server, &TestClock::new()).dpop(Dpop::Ephemeral(Algorithm::EdDsa)).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "asked for a DPoP token, got one of type Bearer");
    assert!(error.hint().contains("dpop"));
}

#[tokio::test]
async fn a_shared_secret_is_no_dpop_key() {
    let secret = m2m_proto::secret::SecretBytes::new(vec![7; 32]);
    let key = Arc::new(SigningKey::hmac(&secret, Algorithm::Hs256).unwrap());
    let server = FakeServer::issuing(600);
    let error = builder(&server, &TestClock::new()).dpop(Dpop::Key(key)).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}
