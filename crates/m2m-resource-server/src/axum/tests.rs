use ::axum::Router;
use ::axum::routing::get;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::Origin;
use serde_json::json;
use tower::ServiceExt;

use super::*;
use crate::Dpop;
use crate::fixture::*;

async fn who(token: VerifiedAccessToken) -> String {
    token.client_id().unwrap_or_default().to_owned()
}

async fn ask(app: Router, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let challenge =
        response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let body = ::axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    (status, challenge.unwrap_or_else(|| String::from_utf8(body.to_vec()).unwrap()))
}

fn routes() -> Router {
    Router::new()
        .route("/who", get(who))
        .route("/read", get(who).require_scope("orders:read"))
        .route("/admin", get(who).require_scope("orders:admin"))
        .route("/typo", get(who).require_scope("not  a scope"))
}

#[tokio::test]
async fn extractor_and_scopes() {
    let key = key(Algorithm::Es256, "k1");
    let app = routes().layer(verifier(&key, |builder| builder).layer());
    let good = token(&key);
    let unscoped = token_with(&key, "scope", json!(null));
    let insufficient = |scope: &str| {
        format!(
            "Bearer scope=\"{scope}\", error=\"insufficient_scope\", \
             error_description=\"the token lacks a required scope\""
        )
    };
    for (path, token, status, text) in [
        ("/who", Some(&good), 200, "app".to_owned()),
        ("/who", None, 401, "Bearer".to_owned()),
        ("/read", Some(&good), 200, "app".to_owned()),
        ("/read", Some(&unscoped), 403, insufficient("orders:read")),
        ("/admin", Some(&good), 403, insufficient("orders:admin")),
        ("/typo", Some(&good), 500, String::new()),
    ] {
        assert_eq!(ask(app.clone(), path, token.map(String::as_str)).await, (status, text), "{path}");
    }
}

/// Nesting takes the prefix off the URI; the client signed the whole of it.
#[tokio::test]
async fn a_proof_is_for_the_uri_that_was_asked_for_however_deep_the_route_is() {
    let key = key(Algorithm::Es256, "k1");
    let holder = self::key(Algorithm::Es256, "h");
    let bound = token_with(&key, "cnf", json!({ "jkt": holder.thumbprint().as_str() }));
    let origin = Origin::parse("https://orders.example").unwrap();
    let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin)));
    let app = Router::new().nest("/v1", Router::new().route("/orders", get(who)).layer(verifier.layer()));
    for (url, status) in [("https://orders.example/v1/orders", 200), ("https://orders.example/orders", 401)] {
        let proof = Proved { url, ..Proved::by(&holder, &bound) };
        let asked = proof.onto(Asked::with("DPoP", &bound));
        let mut request = Request::get("/v1/orders").body(Body::empty()).unwrap();
        *request.headers_mut() = asked.headers;
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{url}");
    }
}

// spec-test: 9700-RS1
#[tokio::test]
async fn a_route_is_for_one_of_several_audiences() {
    let key = key(Algorithm::Es256, "k1");
    let bills = "https://bills.example";
    let trusted = crate::TrustedIssuer::new(issuer())
        .audiences([AUDIENCE, bills])
        .keys(crate::KeysFrom::Fixed(set(&[&key])));
    let verifier = Verifier::builder().trust_with(trusted).clock(FixedClock::new()).build().unwrap();
    let required = |scopes: &str| Required::parse(scopes).unwrap();
    let app = Router::new()
        .route("/bills", get(who).require(Required::nothing().audience(bills)))
        .route("/orders", get(who).require(required("orders:read").audience(AUDIENCE)))
        .layer(verifier.layer());
    let (order, bill) = (token(&key), token_with(&key, "aud", json!(bills)));
    for (path, token, status) in
        [("/bills", &bill, 200), ("/orders", &order, 200), ("/bills", &order, 401), ("/orders", &bill, 401)]
    {
        let (found, text) = ask(app.clone(), path, Some(token)).await;
        assert_eq!(found, status, "{path}");
        assert_eq!(text.contains("invalid_token"), status == 401, "{text}");
    }
}

#[tokio::test]
async fn a_route_that_forgot_its_verifier_does_not_work() {
    let key = key(Algorithm::Es256, "k1");
    for path in ["/who", "/read"] {
        assert_eq!(ask(routes(), path, Some(&token(&key))).await.0, 500, "{path}");
    }
}

mod places {
    use m2m_proto::metadata::ResourceMetadata;
    use m2m_proto::uri::ResourceUri;

    use super::*;

    const DESCRIPTION: &str = "/.well-known/oauth-protected-resource/v1";

    fn described(key: &m2m_proto::jose::SigningKey) -> Verifier {
        let resource = ResourceUri::parse("https://orders.example/v1").unwrap();
        verifier(key, |builder| builder.resource(ResourceMetadata::new(resource)))
    }

    // spec-test: 9728-RS1
    #[tokio::test]
    async fn the_description_is_found_however_deep_the_routes_are() {
        let key = key(Algorithm::Es256, "k1");
        let verifier = described(&key);
        let nested =
            || Router::new().nest("/v1", Router::new().route("/who", get(who)).layer(verifier.layer()));
        let routed = || Router::new().route("/v1/who", get(who)).route_layer(verifier.layer());
        for app in [nested(), routed()] {
            assert_eq!(ask(app, DESCRIPTION, None).await.0, 404, "the layer does not see it");
        }
        let plain = Router::new().route("/v1/who", get(who)).layer(verifier.layer());
        let merged = [nested(), routed()].map(|app| app.merge(verifier.resource_metadata_router()));
        for app in merged.into_iter().chain([plain]) {
            let (status, body) = ask(app.clone(), DESCRIPTION, None).await;
            assert_eq!(status, 200);
            assert!(body.contains("https://orders.example/v1"), "{body}");
            assert_eq!(ask(app.clone(), "/v1/who", None).await.0, 401);
            assert_eq!(ask(app, "/v1/who", Some(&token(&key))).await.0, 200);
        }
        let none = verifier_without();
        assert_eq!(ask(none.resource_metadata_router(), DESCRIPTION, None).await.0, 404);
    }

    fn verifier_without() -> Verifier {
        verifier(&key(Algorithm::Es256, "k1"), |builder| builder)
    }

    /// What axum's own rules leave out: said in the documentation of the module, and seen here should it change.
    #[tokio::test]
    async fn what_comes_after_the_layer_or_the_demand_is_not_covered() {
        let key = key(Algorithm::Es256, "k1");
        let verifier = described(&key);
        let open = async || "in";
        let app = Router::new()
            .route("/a", get(open))
            .layer(verifier.layer())
            .route("/late", get(open))
            .fallback(open);
        for (path, status) in [("/a", 401), ("/late", 200), ("/nowhere", 200)] {
            assert_eq!(ask(app.clone(), path, None).await.0, status, "{path}");
        }
        // Who takes the token is safe in any order.
        let late = Router::new().route("/a", get(who)).layer(verifier.layer()).route("/late", get(who));
        assert_eq!(ask(late, "/late", Some(&token(&key))).await.0, 500);
        let methods = Router::new()
            .route("/before", get(open).post(open).require_scope("orders:admin"))
            .route("/after", get(open).require_scope("orders:admin").post(open))
            .layer(verifier.layer());
        for (path, method, status) in [
            ("/before", "GET", 403),
            ("/before", "POST", 403),
            ("/after", "GET", 403),
            ("/after", "POST", 200),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("authorization", format!("Bearer {}", token(&key)));
            let response = methods.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
        }
    }
}
