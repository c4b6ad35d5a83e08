//! The example of axum, run: a token with the scope gets in, and nobody else.

#[expect(dead_code, reason = "its main function listens")]
#[path = "../examples/axum.rs"]
mod example;

use axum::body::Body;
use http::Request;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;
use m2m_proto::token::AccessTokenClaims;
use m2m_proto::uri::Issuer;
use m2m_resource_server::{KeysFrom, TrustedIssuer, Verifier};
use tower::ServiceExt;

const API: &str = "https://orders.example";

/// A token of the issuer for that audience with that scope, good now.
fn token(key: &SigningKey, audience: &str, scope: &str) -> String {
    let now = m2m_io::Clock::wall(&m2m_io::SystemClock);
    let claims = AccessTokenClaims {
        issuer: &Issuer::parse("https://as.example").unwrap(),
        subject: "app",
        client_id: &ClientId::parse("app").unwrap(),
        audience: &[audience],
        scope: &Scope::parse(scope).unwrap(),
        issued_at: now,
        expires_at: UnixTime::from_seconds(now.seconds() + 60),
        jti: "t1",
        roles: &[],
        permissions: &[],
        credential: None,
        confirmation: None,
        status: None,
        delegation: None,
    };
    claims.sign(&AccessTokenClaims::header(key), key).unwrap().expose().to_owned()
}

#[tokio::test]
async fn only_the_right_programs_read_orders() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
    let keys = JwkSet::decode(&JwkSet::encode([key.verifying_key().as_ref()])).unwrap();
    let issuer = Issuer::parse("https://as.example").unwrap();
    let trusted = TrustedIssuer::new(issuer).audience(API).keys(KeysFrom::Fixed(keys));
    let verifier = Verifier::builder().trust_with(trusted).build().unwrap();
    let good = token(&key, API, "orders:read");
    for (token, status, text) in [
        (Some(good.as_str()), 200, "orders for app\n"),
        (None, 401, ""),
        (Some("garbage"), 401, ""),
        (Some(&*token(&key, "https://bills.example", "orders:read")), 401, ""),
        (Some(&*token(&key, API, "orders:write")), 403, ""),
    ] {
        let mut request = Request::get("/orders");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = example::app(&verifier).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{token:?}");
        let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
        assert_eq!(body, text, "{token:?}");
    }
}
