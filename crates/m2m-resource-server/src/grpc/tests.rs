use m2m_proto::jose::Algorithm;
use m2m_proto::uri::Origin;
use serde_json::json;
use tonic::body::Body;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::fixture::*;
use crate::{Dpop, KeysFrom, Nonce, TrustedIssuer, VerifiedAccessToken};

/// A call as tonic's servers see it, and its status as tonic's clients do.
async fn call(layer: &GrpcVerifyLayer, path: &str, asked: Asked) -> (Code, Response<Body>) {
    let inner = service_fn(|request: Request<Body>| async move {
        let token = request.extensions().get::<VerifiedAccessToken>().unwrap();
        assert_eq!(token.client_id(), Some("app"));
        Ok::<_, Infallible>(Status::ok("").into_http::<Body>())
    });
    let mut request = Request::post(path).body(Body::default()).unwrap();
    *request.headers_mut() = asked.headers;
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    (Status::from_header_map(response.headers()).unwrap().code(), response)
}

#[tokio::test]
async fn refusals_are_grpc_statuses_with_their_challenges() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let layer = verifier
        .grpc_layer()
        .require("/shop.Orders/", Required::parse("orders:read").unwrap())
        .require("/shop.Orders/Cancel", Required::parse("orders:admin").unwrap());
    let unscoped = token_with(&key, "scope", json!(null));
    for (path, asked, code, challenge) in [
        ("/shop.Orders/List", Asked::bearer(&token(&key)), Code::Ok, ""),
        ("/shop.Other/List", Asked::bearer(&unscoped), Code::Ok, ""),
        ("/shop.Orders/List", Asked::bare(), Code::Unauthenticated, "Bearer"),
        ("/shop.Other/List", Asked::bare(), Code::Unauthenticated, "Bearer"),
        ("/shop.Orders/List", Asked::bearer("garbage"), Code::Unauthenticated, "invalid_token"),
        ("/shop.Orders/List", Asked::bearer(&unscoped), Code::PermissionDenied, "insufficient_scope"),
        ("/shop.Orders/Cancel", Asked::bearer(&token(&key)), Code::PermissionDenied, "orders:admin"),
        ("/shop.Orders/CancelAll", Asked::bearer(&token(&key)), Code::Ok, ""),
    ] {
        let (found, response) = call(&layer, path, asked).await;
        assert_eq!(found, code, "{path}");
        let shown = response.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap());
        assert!(shown.contains(challenge), "{path}: {shown}");
        assert_eq!(shown.is_empty(), code == Code::Ok, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_unavailable_and_says_when_to_come_back() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    documents.fail();
    let trusted = TrustedIssuer::new(issuer()).audience(AUDIENCE).keys(KeysFrom::Discovery);
    let builder = Verifier::builder().trust_with(trusted).clock(FixedClock::new());
    let verifier = builder.http(documents).build().unwrap();
    let (code, response) =
        call(&verifier.grpc_layer(), "/shop.Orders/List", Asked::bearer(&token(&key))).await;
    assert_eq!((code, response.headers()["retry-after"].as_bytes()), (Code::Unavailable, b"30".as_slice()));
    let message = Status::from_header_map(response.headers()).unwrap().message().to_owned();
    assert_eq!(message, "", "what is wrong inside is for the log");
}

// spec-test: 9449-AS3
#[tokio::test]
async fn nonces_travel_in_metadata() {
    let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
    let origin = Origin::parse("https://orders.example").unwrap();
    let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin).nonce(Nonce::Required)));
    let text = token_with(&key, "cnf", json!({ "jkt": holder.thumbprint().as_str() }));
    let url = "https://orders.example/shop.Orders/List";
    let proved = Proved { method: http::Method::POST, url, ..Proved::by(&holder, &text) };
    let proved = proved.onto(Asked::with("DPoP", &text));
    let (code, response) = call(&verifier.grpc_layer(), "/shop.Orders/List", proved).await;
    assert_eq!(code, Code::Unauthenticated);
    assert!(response.headers().contains_key("dpop-nonce"));
    let (code, response) =
        call(&verifier.grpc_layer(), "/shop.Orders/List", Asked::bearer(&token(&key))).await;
    assert_eq!((code, response.headers().get_all("dpop-nonce").iter().count()), (Code::Ok, 1));
}

/// A demand with a slip in it must not let everybody in.
#[tokio::test]
async fn a_demand_that_is_no_path_lets_nobody_in() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    for path in [
        "",
        "/",
        "//",
        "/shop.Orders",
        "shop.Orders/",
        "shop.Orders/Cancel",
        "/shop.Orders/*",
        "/shop.Orders//",
        "/shop.Orders/Cancel/",
        "/shop.Orders/Can cel",
        "/*/Cancel",
        "//Cancel",
        "/shop.Orders/Cancel?x",
    ] {
        let layer = verifier.grpc_layer().require(path, Required::parse("orders:read").unwrap());
        for called in ["/shop.Orders/Cancel", "/shop.Other/List"] {
            let (code, _) = call(&layer, called, Asked::bearer(&token(&key))).await;
            assert_eq!(code, Code::Internal, "{path}");
        }
    }
    for path in ["/shop.Orders/", "/shop.Orders/Cancel", "/Orders/Cancel_2"] {
        let layer = verifier.grpc_layer().require(path, Required::parse("orders:read").unwrap());
        let (code, _) = call(&layer, "/shop.Orders/Cancel", Asked::bearer(&token(&key))).await;
        assert_eq!(code, Code::Ok, "{path}");
    }
}
