//! Answers for a proxy that forwards requests itself and asks about each one first.
//!
//! nginx `auth_request`, Traefik `forwardAuth`, Caddy `forward_auth` and Envoy `ext_authz` send the request's headers and
//! say in a field, each by its own convention, for which method and target it is. 200 lets it through, and its fields
//! are what the proxy hands to the program; 401 and 403 carry the challenge, 503 says when to come back.
//!
//! Enforces: only a proxy on this machine or a trusted one is answered, because whoever asks also names the request;
//! the field is there, once; every field that we set is in every 200, empty where there is nothing to say, so that a
//! proxy that copies fields overwrites what the client sent under that name.
//! Does not enforce: that the proxy copies and removes; docs/gateway.md has the lines for each.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use m2m_authorization_server::ClientAddress;
use m2m_proto::names::header;
use m2m_resource_server::RequestParts;

use super::ext_authz;
use super::identity;
use super::inbound::{Gate, Refused, Verdict};
use super::observe;
use super::way::{ByProxy, sole};
use crate::args::Dialect;

const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
const X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const HEADERS_TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");
/// Before the original path, where Envoy asks over HTTP.
const PREFIX: &str = "/ext_authz";

/// A gate that answers questions.
#[derive(Debug)]
pub(crate) struct ForwardAuth {
    gate: Gate,
    dialect: Dialect,
}

/// The request that is asked about.
struct Original {
    method: Method,
    uri: Uri,
}

impl ForwardAuth {
    /// Answers in this dialect.
    pub(crate) fn new(gate: Gate, dialect: Dialect) -> Self {
        Self { gate, dialect }
    }

    /// Takes every request, whatever its path: proxies are told it in their own settings.
    pub(crate) fn router(self) -> Router {
        let shared = Arc::new(self);
        Router::new().fallback(move |request: Request<Body>| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let judged = match may_ask(&parts) {
            Err(refused) => Err(refused),
            Ok(()) if self.dialect == Dialect::Envoy && ext_authz::is_grpc(&parts) => {
                return ext_authz::answer(&self.gate, &parts, body).await;
            }
            Ok(()) => self.judge(&parts).await,
        };
        match judged {
            Ok(verdict) => {
                observe::allowed(verdict.cause());
                self.allowed(&verdict, &parts.headers)
            }
            Err(refused) => {
                observe::refused(&refused);
                self.translated(refused).map(Body::from)
            }
        }
    }

    async fn judge(&self, parts: &Parts) -> Result<Verdict, Refused> {
        let original = self.original(parts)?;
        let asked = RequestParts {
            method: &original.method,
            uri: &original.uri,
            headers: &parts.headers,
            certificate: parts.extensions.get(),
        };
        self.gate.judge(&asked).await
    }

    fn original(&self, parts: &Parts) -> Result<Original, Refused> {
        let (uri, method) = match self.dialect {
            Dialect::Nginx => (X_ORIGINAL_URI, X_ORIGINAL_METHOD),
            Dialect::Traefik | Dialect::Caddy => (X_FORWARDED_URI, X_FORWARDED_METHOD),
            Dialect::Envoy => {
                let target = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
                let target =
                    target.strip_prefix(PREFIX).ok_or_else(|| untold("the path prefix /ext_authz"))?;
                return Ok(Original { method: parts.method.clone(), uri: target_of(target)? });
            }
        };
        let told = |name: &HeaderName| {
            let value = sole(&parts.headers, name).ok_or_else(|| untold(name.as_str()))?;
            // What stands in it is the client's doing.
            value.to_str().map_err(|_| no_target())
        };
        let method = Method::from_bytes(told(&method)?.as_bytes()).map_err(|_| untold(method.as_str()))?;
        Ok(Original { method, uri: target_of(told(&uri)?)? })
    }

    fn allowed(&self, verdict: &Verdict, asked: &HeaderMap) -> Response<Body> {
        let mut answer = Response::new(Body::empty());
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(nonce) = verdict.nonce() {
            headers.insert(header::DPOP_NONCE, nonce.clone());
        }
        let mut unset = Vec::new();
        for name in identity::SET {
            match verdict.fields().iter().find(|(set, _)| *set == name) {
                Some((_, value)) => drop(headers.insert(name, value.clone())),
                None if self.dialect == Dialect::Envoy => unset.push(name),
                None => drop(headers.insert(name, HeaderValue::from_static(""))),
            }
        }
        if self.dialect == Dialect::Envoy
            && let Ok(value) = HeaderValue::try_from(removed(&self.gate, verdict, asked, &unset).join(","))
        {
            headers.insert(HEADERS_TO_REMOVE, value);
        }
        answer
    }

    /// nginx knows two refusals; every other status is an error of its own to it.
    fn translated(&self, mut refused: Refused) -> Response<bytes::Bytes> {
        let status = refused.answer.status();
        if self.dialect == Dialect::Nginx && status.is_client_error() && status != StatusCode::UNAUTHORIZED {
            *refused.answer.status_mut() = StatusCode::FORBIDDEN;
        }
        *refused.answer
    }
}

/// What Envoy is told to remove: names that can be told without having seen the request. None that is set.
pub(super) fn removed(
    gate: &Gate,
    verdict: &Verdict,
    asked: &HeaderMap,
    unset: &[HeaderName],
) -> Vec<String> {
    let is_set = |name: &str| identity::SET.iter().any(|set| set == name);
    let mut names: Vec<String> = gate.believed().spelled().filter(|name| !is_own_to_envoy(name)).collect();
    names.extend(identity::SET.iter().map(|name| name.as_str().replace('-', "_")));
    names.extend(unset.iter().map(|name| name.as_str().to_owned()));
    if gate.hides_token(verdict, asked) {
        names.extend([AUTHORIZATION.as_str().to_owned(), header::DPOP.as_str().to_owned()]);
    }
    names.retain(|name| !is_set(name) || unset.iter().any(|other| other == name.as_str()));
    names
}

/// Envoy writes these itself, after it has asked or before.
pub(super) fn is_own_to_envoy(name: &str) -> bool {
    matches!(name, "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" | "x-forwarded-client-cert")
        || name.starts_with("x-envoy-")
}

/// Whoever asks says which request it is: nobody does but a proxy of ours.
fn may_ask(parts: &Parts) -> Result<(), Refused> {
    let is_here =
        parts.extensions.get::<ClientAddress>().is_some_and(|address| address.0.to_canonical().is_loopback());
    if is_here || parts.extensions.get::<ByProxy>().is_some() {
        return Ok(());
    }
    let text = "this address is not a trusted proxy of the gateway";
    Err(Refused::plain(StatusCode::FORBIDDEN, "untrusted_proxy", text))
}

/// The proxy's settings lack a line: its operator's fault, and not the client's.
fn untold(name: &str) -> Refused {
    let text = format!("the proxy does not say once, by {name}, which request it asks about");
    Refused::plain(StatusCode::INTERNAL_SERVER_ERROR, "untold_request", &text)
}

/// The original target; a fragment is none, and would be cut off in silence.
pub(super) fn target_of(text: &str) -> Result<Uri, Refused> {
    let parsed = text.parse::<Uri>().ok().filter(|_| text.starts_with('/') && !text.contains('#'));
    parsed.ok_or_else(no_target)
}

fn no_target() -> Refused {
    Refused::plain(StatusCode::BAD_REQUEST, "ambiguous_path", "the original target is no path and query")
}

#[cfg(test)]
mod tests;
