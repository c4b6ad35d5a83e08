use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use m2m_proto::jose::Algorithm;
use m2m_proto::token::confirmation::SenderConstraint;
use m2m_proto::uri::Origin;
use serde_json::json;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::VerifiedAccessToken;
use crate::fixture::*;
use crate::{Dpop, Nonce};

/// Behind `verifier`: answers the client's name, and counts who came through.
async fn through(verifier: &Verifier, mut request: Request<()>) -> (Response<Bytes>, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |request: Request<()>| {
        let calls = Arc::clone(&counted);
        async move {
            calls.fetch_add(1, Ordering::SeqCst);
            let token = request.extensions().get::<VerifiedAccessToken>().unwrap();
            let name = token.client_id().unwrap().to_owned();
            Ok::<_, Infallible>(Response::new(Bytes::from(name)))
        }
    });
    request.headers_mut().insert("host", HeaderValue::from_static("orders.example"));
    let response = verifier.layer().layer(inner).oneshot(request).await.unwrap();
    (response, calls.load(Ordering::SeqCst))
}

fn request(asked: Asked) -> Request<()> {
    let mut request = Request::builder().method(asked.method).uri(asked.uri).body(()).unwrap();
    *request.headers_mut() = asked.headers;
    request
}

#[tokio::test]
async fn a_verified_request_comes_through_with_its_token() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let (response, calls) = through(&verifier, request(Asked::bearer(&token(&key)))).await;
    assert_eq!((response.status().as_u16(), response.body().as_ref(), calls), (200, b"app".as_slice(), 1));
    assert!(!response.headers().contains_key("dpop-nonce"));
}

#[tokio::test]
async fn no_other_request_reaches_the_service() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    for asked in [Asked::bare(), Asked::bearer("garbage"), Asked::with("DPoP", &token(&key))] {
        let (response, calls) = through(&verifier, request(asked)).await;
        assert_eq!((response.status().as_u16(), calls), (401, 0));
        assert!(response.headers().contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn a_token_put_there_before_does_not_count() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let accepted = verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    let mut smuggled = request(Asked::bare());
    smuggled.extensions_mut().insert(accepted);
    assert_eq!(through(&verifier, smuggled).await.1, 0);
}

#[tokio::test]
async fn the_certificate_comes_from_the_extensions() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder.sender_constraint(SenderConstraint::Always));
    let certificate = PeerCertificate::new(b"own".to_vec(), Vec::new()).unwrap();
    let text = token_with(&key, "cnf", json!({ "x5t#S256": certificate.thumbprint().to_text() }));
    assert_eq!(through(&verifier, request(Asked::bearer(&text))).await.1, 0);
    let mut over_tls = request(Asked::bearer(&text));
    over_tls.extensions_mut().insert(certificate);
    assert_eq!(through(&verifier, over_tls).await.1, 1);
}

// spec-test: 9449-AS3
#[tokio::test]
async fn an_answer_brings_the_next_nonce_along() {
    let key = key(Algorithm::Es256, "k1");
    let origin = Origin::parse("https://orders.example").unwrap();
    let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin).nonce(Nonce::Required)));
    let (response, calls) = through(&verifier, request(Asked::bearer(&token(&key)))).await;
    assert_eq!(calls, 1);
    assert_eq!(response.headers().get_all("dpop-nonce").iter().count(), 1);
    assert_eq!(response.headers()["cache-control"], "no-store");
}

// spec-test: 9728-RS1
#[tokio::test]
async fn the_description_is_served_to_everybody_and_goes_no_further() {
    let key = key(Algorithm::Es256, "k1");
    let resource = m2m_proto::uri::ResourceUri::parse("https://orders.example").unwrap();
    let document = m2m_proto::metadata::ResourceMetadata::new(resource);
    let verifier = verifier(&key, |builder| builder.resource(document));
    for (path, status) in [
        ("/.well-known/oauth-protected-resource", 200),
        ("/.well-known/oauth-protected-resource?x=y", 200),
        ("/.well-known/oauth-protected-resource/", 401),
        ("/orders/.well-known/oauth-protected-resource", 401),
    ] {
        let asked = Request::get(path).body(()).unwrap();
        let (response, calls) = through(&verifier, asked).await;
        assert_eq!((response.status().as_u16(), calls), (status, 0), "{path}");
    }
}

#[tokio::test]
async fn a_layer_can_demand_a_scope_of_everybody() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    for (scopes, status) in [("orders:read", 200), ("orders:admin", 403)] {
        let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Bytes::new())) });
        let layer = verifier.layer().require(Required::parse(scopes).unwrap());
        let response = layer.layer(inner).oneshot(request(Asked::bearer(&token(&key)))).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{scopes}");
    }
}
