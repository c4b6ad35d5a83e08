//! The HTTP edge: the only modules, with `server`, that know the HTTP framework.
//!
//! Enforces: method (405), content type (415), body size (413), 10 s for the body (408), one
//! parameter once.
//! Does not enforce: TLS and who the caller's address or certificate is. The listener, or a trusted
//! proxy's reader, puts [`ClientAddress`] and [`PeerCertificate`] into the request's extensions;
//! they are never read from headers here.

mod admin;
mod first_use;
mod health;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod refusal;
pub(crate) mod revoke;
pub(crate) mod token;
mod withdrawals;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Extracted};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response};
use m2m_io::{BoxFuture, Now};
use m2m_proto::client_auth::{PeerCertificate, Presented, PresentedKind};
use m2m_proto::client_id::ClientId;
use m2m_proto::error::{AuthenticatedBy, Endpoint, WireError};
use m2m_proto::form::{Form, FormError};
use m2m_proto::names::{auth_method, header};

use crate::admission::{self, AdmittedClient, NotAdmitted};
use crate::audit::{LastUse, Record};
use crate::authenticate::{AuthenticatedClient, AuthenticationError, Believed};
use crate::config::ServerNonce;
use crate::observe;
use crate::profile;
use crate::registry::Registry;
use crate::server::State;
use refusal::Refusal;

/// The address that a request came from, put into its extensions by the listener.
///
/// Without it, failed authentications of all callers share one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Paths under the issuer's own path.
pub(crate) mod path {
    pub(crate) const TOKEN: &str = "/oauth2/token";
    pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
    pub(crate) const REVOKE: &str = "/oauth2/revoke";
    pub(crate) const JWKS: &str = "/oauth2/jwks";
    pub(crate) const STATUS: &str = "/oauth2/status";
    pub(crate) const REVOCATIONS: &str = "/oauth2/revocations";
}

/// Everything that this server answers.
pub(crate) fn router(state: Arc<State>) -> Router {
    let at = |path: &str| format!("{}{path}", state.endpoints.base_path);
    let mut router = Router::new()
        .route(&at(path::TOKEN), post(token::answer))
        .route(&at(path::INTROSPECT), post(introspect::answer))
        .route(&at(path::REVOKE), post(revoke::answer))
        .route(&at(path::JWKS), get(jwks::answer))
        .route(&at(&format!("{}/{{list}}", path::STATUS)), get(withdrawals::status_list))
        .route(&at(path::REVOCATIONS), get(withdrawals::feed))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(admin::routes(&state.endpoints.base_path));
    for path in &state.endpoints.well_known {
        router = router.route(path, get(metadata::answer));
    }
    router.with_state(state)
}

/// How long a body may take: a form of 64 KiB is here at once, or somebody only holds the connection.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Debug, Clone, Copy)]
enum Unread {
    TooLarge,
    TooSlow,
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => FormError::TooLarge.into(),
            Unread::TooSlow => Self::BodyTooSlow,
        }
    }
}

/// A request, read within its limits. Nothing in it is believed yet.
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    body: Result<Bytes, Unread>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) certificate: Option<PeerCertificate>,
    /// Whom the request names, once that is read; for the audit.
    named: OnceLock<ClientId>,
}

impl Incoming {
    /// All but the body, which is to be read up to its limits; the rest of a longer or slower one is left unread.
    fn begin(request: Request, state: &State) -> (Self, Body) {
        let (parts, body) = request.into_parts();
        let offered = state.mutual_tls.is_some();
        let incoming = Self {
            certificate: parts.extensions.get::<PeerCertificate>().filter(|_| offered).cloned(),
            address: parts.extensions.get::<ClientAddress>().map(|address| address.0),
            body: Ok(Bytes::new()),
            method: parts.method,
            headers: parts.headers,
            named: OnceLock::new(),
        };
        (incoming, body)
    }

    pub(crate) fn form(&self) -> Result<Form<'_>, Refusal> {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let body = self.body.as_ref().map_err(|unread| Refusal::from(*unread))?;
        Ok(Form::parse(content_type, body)?)
    }

    fn authenticated_by(&self) -> AuthenticatedBy {
        match self.headers.contains_key(header::AUTHORIZATION) {
            true => AuthenticatedBy::Header,
            false => AuthenticatedBy::Other,
        }
    }
}

async fn body_of(body: Body, state: &State) -> Result<Bytes, Unread> {
    tokio::select! {
        // A body that is here already starts no timer.
        biased;
        read = axum::body::to_bytes(body, Form::MAX_BYTES) => read.map_err(|_| Unread::TooLarge),
        () = async { state.clock.sleep(BODY_PATIENCE).await } => Err(Unread::TooSlow),
    }
}

/// What an endpoint makes of a request.
type Answered = Result<Response<Bytes>, Refusal>;

/// The frame around each of the three endpoints: read, answer, count, and the same headers always.
///
/// What answers is boxed, so that it can borrow what was read. Both futures are kept small (no request in them, what
/// is rare boxed): allocators serve less than a kilobyte from memory that was used just now.
fn serve(
    state: Arc<State>,
    endpoint: Endpoint,
    request: Request,
    answer: impl for<'i> FnOnce(&'i State, &'i Incoming, Now) -> BoxFuture<'i, Answered> + Send,
) -> impl Future<Output = axum::response::Response> + Send {
    let (mut incoming, body) = Incoming::begin(request, &state);
    async move {
        incoming.body = body_of(body, &state).await;
        let now = state.clock.now();
        let answered = answer(&state, &incoming, now).await;
        respond(&state, endpoint, answered, &incoming, now)
    }
}

fn respond(
    state: &State,
    endpoint: Endpoint,
    answered: Answered,
    incoming: &Incoming,
    now: Now,
) -> axum::response::Response {
    let mut response = answered.unwrap_or_else(|refusal| refused(state, endpoint, &refusal, incoming, now));
    if endpoint == Endpoint::Token && state.nonce_rule == ServerNonce::Required {
        // Whoever was just refused for its nonce, or will soon be, finds a good one here.
        // spec: 9449-AS3
        if let Ok(nonce) = state.nonce_key.issue(now.wall).to_header() {
            response.headers_mut().insert(header::DPOP_NONCE, nonce);
        }
    }
    response.map(Body::from)
}

fn refused(
    state: &State,
    endpoint: Endpoint,
    refusal: &Refusal,
    incoming: &Incoming,
    now: Now,
) -> Response<Bytes> {
    let code = refusal.code();
    let name = match endpoint {
        Endpoint::Introspection => "introspection",
        Endpoint::Revocation => "revocation",
        _ => "token",
    };
    metrics::counter!(observe::REFUSALS, "endpoint" => name, "error" => code.as_str().to_owned())
        .increment(1);
    tracing::debug!(endpoint = name, error = code.as_str(), reason = %refusal, "refused");
    if let Refusal::NotAdmitted(NotAdmitted::OverQuota { .. }) = refusal {
        observe::count(observe::OVER_QUOTA);
    }
    // Whoever is over his budget decides how often this happens: it is counted, and what led to it is recorded.
    if !matches!(refusal, Refusal::OverBudget(_)) {
        let refused = Record::refused(now.wall, code, refusal.to_string());
        let client_id = incoming.named.get().cloned();
        state.trail.append(Record { client_id, address: incoming.address, ..refused });
    }
    refusal.to_response(endpoint, incoming.authenticated_by())
}

/// Who is asking: presented, within budget, believed. Nothing is consumed yet.
pub(crate) async fn authenticate(
    state: &State,
    incoming: &Incoming,
    form: &Form<'_>,
    registry: &Registry,
    now: Now,
) -> Result<AuthenticatedClient, Refusal> {
    let presented = Presented::from_request(&incoming.headers, form, incoming.certificate.as_ref())?;
    let client_id = presented.client_id();
    let client_id = incoming.named.get_or_init(|| client_id.clone());
    profile::presented(state.profile, &presented, &state.issuer)?;
    let budget = state.limits.check(client_id, incoming.address, now.monotonic);
    // A secret costs one keyed hash to check, and a right one always passes: nobody is locked out
    // by a stranger who shares the address.
    let cheap = matches!(presented.kind(), PresentedKind::SecretBasic(_) | PresentedKind::SecretPost(_));
    if let (Err(over), false) = (budget, cheap) {
        observe::count(observe::OVER_BUDGET);
        return Err(Refusal::OverBudget(over));
    }
    let believed = match state.authenticator.authenticate(&presented, registry, now.wall) {
        Believed::Now(believed) => believed,
        Believed::Later(believed) => believed.await,
    };
    let believed = match believed {
        Err(AuthenticationError::Refused) if cheap => {
            first_use::check(state, (&presented, incoming), registry, now, budget).await
        }
        believed => believed,
    };
    match (believed.and_then(|client| from_its_network(client, incoming.address)), budget) {
        (Ok(client), _) => {
            profile::believed(state.profile, &client)?;
            let last = LastUse { at: now.wall, address: incoming.address };
            state.trail.used(&client.credential().id, &client.client().id, last);
            Ok(client)
        }
        (Err(AuthenticationError::Busy), _) => Err(AuthenticationError::Busy.into()),
        (Err(AuthenticationError::KeysUnreachable), _) => {
            // It made us fetch, so it counts, whoever is at fault.
            state.limits.charge(client_id, incoming.address, now.monotonic);
            Err(AuthenticationError::KeysUnreachable.into())
        }
        (Err(_), Err(over)) => {
            observe::count(observe::OVER_BUDGET);
            Err(Refusal::OverBudget(over))
        }
        (Err(error), Ok(())) => {
            state.limits.charge(client_id, incoming.address, now.monotonic);
            observe::count_by(observe::AUTHENTICATION_FAILURES, "method", presented_as(&presented));
            Err(error.into())
        }
    }
}

/// A stolen credential is worth nothing elsewhere, if its owner said where it may be used.
fn from_its_network(
    client: AuthenticatedClient,
    address: Option<IpAddr>,
) -> Result<AuthenticatedClient, AuthenticationError> {
    let networks = &client.client().allowed_networks;
    let inside = |address: IpAddr| networks.iter().any(|network| network.contains(address));
    match networks.is_empty() || address.is_some_and(inside) {
        true => Ok(client),
        false => Err(AuthenticationError::Network),
    }
}

/// The kind of credential, for metrics: what came, not what is registered.
fn presented_as(presented: &Presented) -> &'static str {
    match presented.kind() {
        PresentedKind::SecretBasic(_) => auth_method::CLIENT_SECRET_BASIC,
        PresentedKind::SecretPost(_) => auth_method::CLIENT_SECRET_POST,
        PresentedKind::Assertion { .. } | PresentedKind::Svid { .. } => "assertion",
        _ => "certificate",
    }
}

/// [`authenticate`], and what is single-use consumed: for endpoints that make nothing.
pub(crate) async fn admit_caller(
    state: &State,
    incoming: &Incoming,
    form: &Form<'_>,
    registry: &Registry,
    now: Now,
) -> Result<AdmittedClient, Refusal> {
    let client = authenticate(state, incoming, form, registry, now).await?;
    Ok(admission::admit_client(state.store.as_ref(), client, state.moment(now)).await?)
}

/// An answer to a GET, cacheable, which says with 304 when the caller has it already.
pub(crate) fn cacheable(
    headers: &HeaderMap,
    body: Bytes,
    etag: &str,
    media_type: &'static str,
    max_age: Duration,
) -> Response<Bytes> {
    let known = headers
        .get_all(http::header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| matches!(tag.trim(), tag if tag == "*" || tag.trim_start_matches("W/") == etag));
    let mut response = Response::new(if known { Bytes::new() } else { body });
    if known {
        *response.status_mut() = http::StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    let cache = format!("public, max-age={}", max_age.as_secs());
    for (name, text) in [(header::CACHE_CONTROL, cache.as_str()), (http::header::ETAG, etag)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// How endpoints receive the server.
pub(crate) type Served = Extracted<Arc<State>>;
