//! The admin API: JSON over the typed acts of [`Admin`](crate::Admin), for the command line, the console
//! and anybody else.
//!
//! Sections: RFC 6750 §2.1, §3; RFC 9449 §7; RFC 8705 §3; RFC 9110 §8.8.3, §13.1.1; RFC 7396; RFC 9457
//! Enforces: a token of this very server for `ISSUER/admin/v1`, with the scope that the method needs, from
//! whoever it is bound to, not withdrawn; bodies of 1 MiB at most, no member that is not known.
//! Does not enforce: what may be registered, which the registry decides.

mod activity;
mod apis;
mod audit;
mod caller;
mod clients;
mod credentials;
mod issuers;
mod keys;
mod material;
mod overlap;
mod page;
mod problem;
mod tokens;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State as Extracted};
use axum::routing::{MethodRouter, any, get, post};
use bytes::Bytes;
use http::header::{ETAG, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use m2m_proto::names::{header, media_type};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Served;
use crate::admin::ADMIN_PATH;
use crate::error::Error;
use crate::registry::{Conflict, IfVersion};
use crate::server::State;
use problem::Problem;

pub(crate) type Answer = Result<Response<Body>, Problem>;

/// The description of all this, as it is served.
const OPENAPI: &str = include_str!("openapi.json");

/// Every path with its methods; the OpenAPI document has the same ones.
fn table() -> Vec<(&'static str, MethodRouter<Arc<State>>)> {
    vec![
        ("/apis", get(apis::list).post(apis::create)),
        ("/apis/{identifier}", get(apis::show).patch(apis::update).delete(apis::delete)),
        ("/clients", get(clients::list).post(clients::create)),
        ("/clients/{id}", get(clients::show).patch(clients::update).delete(clients::delete)),
        ("/clients/{id}/disable", post(clients::disable)),
        ("/clients/{id}/enable", post(clients::enable)),
        ("/clients/{id}/revoke", post(clients::revoke)),
        ("/clients/{id}/credentials", get(credentials::list).post(credentials::create)),
        ("/credentials", get(credentials::list_all)),
        ("/credentials/{id}", get(credentials::show)),
        ("/credentials/{id}/rotate", post(credentials::rotate)),
        ("/credentials/{id}/revoke", post(credentials::revoke)),
        ("/issuers", get(issuers::list).post(issuers::create)),
        ("/issuers/explain", post(issuers::explain)),
        ("/issuers/{id}", get(issuers::show).patch(issuers::update).delete(issuers::delete)),
        ("/issuers/{id}/disable", post(issuers::disable)),
        ("/issuers/{id}/enable", post(issuers::enable)),
        ("/tokens", get(tokens::list)),
        ("/tokens/{jti}/revoke", post(tokens::revoke)),
        ("/keys", get(keys::list)),
        ("/keys/roll", post(keys::roll)),
        ("/audit", get(audit::search)),
        ("/activity", get(activity::show)),
        ("/openapi.json", get(openapi)),
    ]
}

/// Everything under the issuer's `/admin/v1`.
pub(crate) fn routes(base_path: &str) -> Router<Arc<State>> {
    let mut router = Router::new();
    for (path, methods) in table() {
        let methods = methods.fallback(Problem::method_not_allowed);
        router = router.route(&format!("{base_path}{ADMIN_PATH}{path}"), methods);
    }
    router.route(&format!("{base_path}{ADMIN_PATH}/{{*rest}}"), any(Problem::not_found))
}

async fn openapi(Extracted(state): Served) -> Response<Body> {
    let server = format!("{}{ADMIN_PATH}", state.issuer.as_str().trim_end_matches('/'));
    let text = OPENAPI.replacen("\"/admin/v1\"", &serde_json::Value::from(server).to_string(), 1);
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    response
}

/// An object as JSON, never kept by a cache: some answers hold a secret.
fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let text = serde_json::to_vec(body).map_err(|error| Problem::internal(&error.to_string()))?;
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The same with the object's version as its tag.
fn versioned(status: StatusCode, body: &impl Serialize, version: u64) -> Answer {
    let mut response = json(status, body)?;
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// The same for an object that was made just now, at `path` below the API.
fn created(body: &impl Serialize, version: u64, state: &State, path: &str) -> Answer {
    let mut response = versioned(StatusCode::CREATED, body, version)?;
    let location = format!("{}{ADMIN_PATH}{path}", state.endpoints.base_path);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn no_content() -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// The version that the caller decided on: `If-Match: "7"`. `*` and nothing stand for any.
fn if_match(headers: &HeaderMap) -> Result<IfVersion, Problem> {
    let Some(value) = headers.get(http::header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let version = version.and_then(|digits| digits.parse().ok());
    version.map(Some).ok_or_else(|| Problem::bad("If-Match is not a version in quotes, such as \"1\""))
}

/// Whether an act is for the version that is there.
fn check_match(headers: &HeaderMap, name: &str, found: u64) -> Result<(), Problem> {
    match if_match(headers)? {
        Some(expected) if expected != found => {
            let conflict = Conflict::Version { name: name.to_owned(), expected, found };
            Err(Error::from(conflict).into())
        }
        _ => Ok(()),
    }
}

/// A merge patch (RFC 7396) applied to an object as it is shown. What cannot be changed may be repeated as
/// it is, so that what was read can be sent back.
fn patched(
    shown: &impl Serialize,
    patch: Map<String, Value>,
    writable: &[&str],
) -> Result<Map<String, Value>, Problem> {
    let shown = serde_json::to_value(shown).map_err(|error| Problem::internal(&error.to_string()))?;
    let Value::Object(mut object) = shown else { return Err(Problem::internal("not an object")) };
    for (name, value) in patch {
        let fixed = object.contains_key(&name) && !writable.contains(&name.as_str());
        if fixed && object.get(&name) != Some(&value) {
            return Err(Problem::invalid(format!("{name} cannot be changed")));
        }
        if value.is_null() && !fixed {
            object.remove(&name);
        } else {
            // No member is an object itself, so a patch replaces members as a whole.
            object.insert(name, value);
        }
    }
    Ok(object)
}

/// The one segment of a path.
type Segment = Path<String>;

#[cfg(test)]
mod tests;
