//! Introspection answers that must be signed (RFC 9701).

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::introspection::ActiveAnswer;
use m2m_proto::introspection::signed::SignedAnswer;
use m2m_proto::jose::{Algorithm, Claims, JwkSet, SigningKey};
use m2m_proto::names::media_type;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, TokenType};
use m2m_proto::uri::Issuer;

use crate::testing::{FakeServer, START, TestClock, TestRandom, answer, builder, secret};
use crate::{Client, Credentials, Error, ErrorKind, Server};

const METADATA: &str = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token",
    "introspection_endpoint":"https://as.example/introspect","jwks_uri":"https://as.example/jwks",
    "token_endpoint_auth_methods_supported":["client_secret_basic"],"response_types_supported":[]}"#;

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned())
}

fn issuer() -> Issuer {
    Issuer::parse("https://as.example").unwrap()
}

/// An answer about an active token, by `key`, for `audience`.
fn signed(key: &SigningKey, audience: &str, at: u64) -> Response<Bytes> {
    let claims = Claims::parse(br#"{"sub":"billing","aud":"orders"}"#).unwrap();
    let told = ActiveAnswer::new(&claims, &TokenType::Bearer);
    SignedAnswer { issuer: &issuer(), audience, issued_at: UnixTime::from_seconds(at), answer: Some(&told) }
        .sign(key)
        .unwrap()
}

/// What a client that wants signatures makes of that answer, where `key` is the issuer's.
async fn told(key: &SigningKey, answered: Response<Bytes>) -> Result<bool, Error> {
    let jwks = JwkSet::encode([key.verifying_key().as_ref()]);
    let server = FakeServer::new(move |request, _| {
        Ok(match request.uri().path() {
            "/introspect" => answered.clone(),
            "/jwks" => answer(200, jwks.clone()),
            _ => answer(200, METADATA),
        })
    });
    let client = Client::builder(Server::issuer(issuer()))
        .client_id(m2m_proto::client_id::ClientId::parse("c").unwrap())
        .credentials(Credentials::secret(secret("s"), None, ClientAuthMethod::ClientSecretBasic))
        .http(Arc::clone(&server) as Arc<dyn m2m_io::HttpClient>)
        .clock(Arc::new(TestClock::new()))
        .random(Arc::new(TestRandom::seeded(1)))
        .signed_introspection()
        .build()
        .unwrap();
    let token = AccessToken::parse("t").unwrap();
    let said = client.introspect(&token).await;
    let asked = (0..server.count()).map(|index| server.request(index));
    let mut asked = asked.filter(|request| request.uri().path() == "/introspect");
    assert_eq!(asked.next().unwrap().headers()["accept"], media_type::TOKEN_INTROSPECTION_JWT);
    said.map(|answer| answer.is_active())
}

// spec-test: 9701-RS1
#[tokio::test]
async fn only_what_the_issuer_signed_for_this_client_now_is_believed() {
    let (own, other) = (key(), key());
    assert!(told(&own, signed(&own, "c", START)).await.unwrap());
    for (what, bad) in [
        ("plain", answer(200, r#"{"active":true}"#)),
        ("another key", signed(&other, "c", START)),
        ("an unknown key", signed(&other.with_key_id("k2".to_owned()), "c", START)),
        ("another client", signed(&own, "d", START)),
        ("old", signed(&own, "c", START - 120)),
    ] {
        let error = told(&own, bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{what}: {error}");
        assert!(error.hint().contains("signed for this client"), "{what}: {}", error.hint());
    }
}

#[tokio::test]
async fn signatures_need_an_issuer() {
    let server = FakeServer::issuing(600);
    let error = builder(&server, &TestClock::new()).signed_introspection().build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}
