//! Whether the process is alive, and whether it should get requests.
//!
//! Enforces: not ready while a signing key is missing, the registry cannot be used, or it is stopping. A
//! database that is away is told and does not make a node unready by itself: it still issues tokens.

use axum::body::Body;
use axum::extract::State as Extracted;
use http::{HeaderValue, Response, StatusCode};
use m2m_proto::jose::Algorithm;
use m2m_proto::names::{header, media_type};
use serde_json::{Value, json};

use super::Served;
use crate::server::State;

pub(crate) async fn live() -> Response<Body> {
    answer(StatusCode::OK, &json!({"status": "alive"}))
}

pub(crate) async fn ready(Extracted(state): Served) -> Response<Body> {
    let (ready, checks) = checks(&state);
    let (status, word) = match ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    answer(status, &json!({"status": word, "checks": checks}))
}

/// One word per part: nothing that a stranger could use.
fn checks(state: &State) -> (bool, Value) {
    let word = |good: bool, bad: &'static str| if good { "ok" } else { bad };
    let stopping = state.is_stopping();
    let registry = state.store.registry().is_ok();
    let key = state.keys.active(Algorithm::Es256, state.clock.wall()).is_some();
    let database = state.store.vouch().is_ok();
    let checks = json!({
        "process": word(!stopping, "stopping"),
        "registry": word(registry, "too old to issue tokens by"),
        "signing_key": word(key, "missing"),
        "database": word(database, "does not answer: tokens are issued, introspection and changes are not"),
    });
    (!stopping && registry && key, checks)
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
