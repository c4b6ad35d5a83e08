use ::axum::Router;
use ::axum::routing::get;
use m2m_proto::jose::Algorithm;
use serde_json::json;
use tower::ServiceExt;

use super::*;
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

#[tokio::test]
async fn a_route_that_forgot_its_verifier_does_not_work() {
    let key = key(Algorithm::Es256, "k1");
    for path in ["/who", "/read"] {
        assert_eq!(ask(routes(), path, Some(&token(&key))).await.0, 500, "{path}");
    }
}
