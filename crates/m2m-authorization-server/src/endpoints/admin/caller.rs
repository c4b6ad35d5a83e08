//! Who calls the admin API, and what the call brings: token, proof, body.
//!
//! Enforces, in this order: one token, in the header; a token of this server for `ISSUER/admin/v1`; not
//! withdrawn; the key or certificate that it is bound to; the proof fresh; the scope, in the token and in
//! what the client is granted now, but for the one act of ending the very token that is presented. Tokens that are none count against the budget of their address.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use m2m_io::Now;
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::client_id::ClientId;
use m2m_proto::dpop::proof::{self, DEFAULT_ALGORITHMS};
use m2m_proto::dpop::{NonceRule, ProofWindow, VerifiedProof};
use m2m_proto::error::challenge::{AuthScheme, Challenge};
use m2m_proto::error::{ErrorCode, WireError};
use m2m_proto::json::{self, JsonLimits};
use m2m_proto::names::{header, media_type};
use m2m_proto::scope::Scope;
use m2m_proto::token::AccessToken;
use m2m_proto::token::confirmation::{self, Confirmation, Evidence, Possession, SenderConstraint};
use m2m_proto::token::presentation::{Presentation, PresentationScheme};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::Admin;
use crate::admin::{SCOPE_READ, SCOPE_WRITE, own_identifier};
use crate::admission::{self, NotAdmitted};
use crate::audit::Record;
use crate::config::ServerNonce;
use crate::endpoints::ClientAddress;
use crate::endpoints::revoke::REVOCATIONS;
use crate::own_token::{self, OwnToken};
use crate::registry;
use crate::server::{State, under};

/// The largest body.
const MAX_BODY: usize = 1 << 20;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A caller that may read.
pub(crate) struct Reader(pub(crate) Admin);

/// A caller that may change things.
pub(crate) struct Writer(pub(crate) Admin);

impl FromRequestParts<Arc<State>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        identify(parts, state).await?.permitted(state, SCOPE_READ).map(Self)
    }
}

impl FromRequestParts<Arc<State>> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        identify(parts, state).await?.permitted(state, SCOPE_WRITE).map(Self)
    }
}

/// A caller that may end the token that the path names: one that may change things or, whatever its scope,
/// the holder of that very token, as at the revocation endpoint and no more often than there.
pub(crate) enum Ender {
    /// It may end any token.
    Any(Admin),
    /// It may end this one.
    Own(Admin, Arc<OwnToken>),
}

impl FromRequestParts<Arc<State>> for Ender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, Problem> {
        let caller = identify(parts, state).await?;
        let named = Path::<String>::from_request_parts(parts, state).await;
        let own = caller.token.claims.jti();
        let is_own = named.is_ok_and(|Path(named)| own == Some(named.as_str()));
        if is_own && !caller.may(state, SCOPE_WRITE)? {
            let token = Arc::clone(&caller.token);
            return caller.itself(state).map(|admin| Self::Own(admin, token));
        }
        caller.permitted(state, SCOPE_WRITE).map(Self::Any)
    }
}

/// Who calls, with a token that is good; what it allows is not looked at yet.
struct Caller {
    client: ClientId,
    token: Arc<OwnToken>,
    possession: Possession,
    scheme: PresentationScheme,
    address: Option<std::net::IpAddr>,
    now: Now,
}

impl Caller {
    /// Whether it has `scope`, in the token and in what the client is granted now.
    fn may(&self, state: &State, scope: &str) -> Result<bool, Problem> {
        let held = self.token.claims.scope().contains(scope);
        Ok(held && may_still(state, &self.client, scope, self.possession.confirmed())?)
    }

    fn permitted(self, state: &Arc<State>, scope: &str) -> Result<Admin, Problem> {
        let permitted = self.may(state, scope)?;
        let Self { client, scheme, address, now, .. } = self;
        if !permitted {
            let record =
                Record::refused(now.wall, ErrorCode::InsufficientScope, format!("{scope} is needed"));
            state.trail.append(Record { client_id: Some(client), address, ..record });
            return Err(too_narrow(scheme, scope));
        }
        Ok(Admin::new(Arc::clone(state)).acting(client))
    }

    /// For what concerns nothing but its own token.
    fn itself(self, state: &Arc<State>) -> Result<Admin, Problem> {
        let registry = state.store.registry()?;
        if let Some(registration) = registry.registration(&self.client) {
            let counted = registration.rates().revoked.count(Some(REVOCATIONS), self.now.monotonic);
            counted.map_err(|over| Problem::too_many(over.retry_after))?;
        }
        Ok(Admin::new(Arc::clone(state)).acting(self.client))
    }
}

// spec: 6750-RS1, 6750-RS2, 6750-RS3, 9449-RS1, 8705-RS1
async fn identify(parts: &Parts, state: &Arc<State>) -> Result<Caller, Problem> {
    let now = state.clock.now();
    let presented = Presentation::from_headers(&parts.headers)
        .map_err(|fact| refused(state, now, PresentationScheme::Bearer, &fact))?;
    let presented = presented.ok_or_else(|| no_token(state, now))?;
    let scheme = presented.scheme();
    let refuse = |text: &str| token_refused(state, now, scheme, text);
    let address = parts.extensions.get::<ClientAddress>().map(|address| address.0);
    if let Err(over) = state.limits.check_address(address, now.monotonic) {
        return Err(Problem::too_many(over.retry_after));
    }
    let Some(token) = believed(state, presented.token(), now)? else {
        state.limits.charge_address(address, now.monotonic);
        return Err(refuse("the token is not accepted"));
    };
    let claims = &token.claims;
    let proof = match scheme {
        PresentationScheme::Dpop => Some(
            check_proof(parts, state, presented.token(), now)
                .map_err(|fact| refused(state, now, scheme, &fact))?,
        ),
        PresentationScheme::Bearer => None,
    };
    let certificate = parts.extensions.get::<PeerCertificate>().filter(|_| state.mutual_tls.is_some());
    let evidence = Evidence { presentation: &presented, proof: proof.as_ref(), certificate };
    let demand =
        if state.profile.demands_binding() { SenderConstraint::Always } else { SenderConstraint::WhenBound };
    let possession = confirmation::verify(claims.confirmation(), &evidence, demand)
        .map_err(|fact| refused(state, now, scheme, &fact))?;
    if let Some(proof) = &proof {
        admission::admit_proof(state.store.as_ref(), proof, state.moment(now)).await.map_err(|error| {
            match error {
                NotAdmitted::ProofReplayed => refuse("the proof was used before"),
                error => Problem::later(&error.to_string()),
            }
        })?;
    }
    let client = claims.client_id().and_then(|id| ClientId::parse(id).ok());
    let client = client.ok_or_else(|| refuse("the token is not accepted"))?;
    Ok(Caller { client, token, possession, scheme, address, now })
}

/// The claims of a token of ours for this API that was not withdrawn.
fn believed(state: &State, token: &AccessToken, now: Now) -> Result<Option<Arc<OwnToken>>, Problem> {
    let registry = state.store.registry()?;
    let own = own_identifier(state)?;
    let token = own_token::verify(state, token.expose(), &registry, now.wall)
        .filter(|token| token.claims.audience().any(|audience| audience == own.as_str()));
    match token {
        Some(token) if own_token::is_active(state, &token.claims, &registry, now.wall)? => Ok(Some(token)),
        _ => Ok(None),
    }
}

fn check_proof(
    parts: &Parts,
    state: &State,
    token: &AccessToken,
    now: Now,
) -> Result<VerifiedProof, m2m_proto::dpop::ProofError> {
    // The origin is the issuer's; what the request calls itself is a stranger's word.
    let base = state.issuer.as_str().trim_end_matches('/');
    let base = base.strip_suffix(state.endpoints.base_path.as_str()).unwrap_or(base);
    let uri = under(base, parts.uri.path()).map_err(|_| m2m_proto::dpop::ProofError::Uri)?;
    let nonce = match state.nonce_rule {
        ServerNonce::Off => NonceRule::Unused,
        ServerNonce::Required => NonceRule::Required(&state.nonce_key),
    };
    let expect = proof::Expect {
        method: &parts.method,
        uri: uri.uri(),
        algorithms: &state.profile.allowed(&DEFAULT_ALGORITHMS),
        now: now.wall,
        window: ProofWindow::default(),
        nonce,
        access_token: Some(token),
        jkt: None,
    };
    proof::verify(&parts.headers, &expect)
}

/// Whether the client is granted the scope now, and the token is bound as is demanded now: an
/// administrator whose grant was taken away must not give it back to himself.
fn may_still(
    state: &State,
    client: &ClientId,
    scope: &str,
    bound: Option<&Confirmation>,
) -> Result<bool, Problem> {
    let registry = state.store.registry()?;
    let own = own_identifier(state)?;
    let (Some(registration), Some(api)) = (registry.registration(client), registry.api(own.as_str())) else {
        return Ok(false);
    };
    let granted =
        registration.client().grants.get(own.as_str()).is_some_and(|grant| grant.scopes.contains(scope));
    let demands = [registration.client().sender_constraint, api.sender_constraint];
    let fulfilled = demands.into_iter().all(|demand| match demand {
        registry::SenderConstraint::None => true,
        registry::SenderConstraint::Dpop => bound.is_some_and(|bound| bound.jkt().is_some()),
        registry::SenderConstraint::Mtls => bound.is_some_and(|bound| bound.x5t_s256().is_some()),
    });
    Ok(granted && fulfilled)
}

fn scheme_of(scheme: PresentationScheme) -> AuthScheme {
    match scheme {
        PresentationScheme::Bearer => AuthScheme::Bearer,
        PresentationScheme::Dpop => AuthScheme::Dpop,
    }
}

fn nonce(state: &State, now: Now) -> Option<HeaderValue> {
    let wanted = state.nonce_rule == ServerNonce::Required;
    wanted.then(|| state.nonce_key.issue(now.wall).to_header().ok()).flatten()
}

fn no_token(state: &State, now: Now) -> Problem {
    let challenges = [AuthScheme::Bearer, AuthScheme::Dpop].map(|scheme| Challenge::new(scheme).encode());
    let detail = "an access token for this API is needed";
    Problem::unauthorized(StatusCode::UNAUTHORIZED, detail, challenges.into()).with_nonce(nonce(state, now))
}

fn refused(state: &State, now: Now, scheme: PresentationScheme, fact: &dyn WireError) -> Problem {
    let challenge = Challenge::of(scheme_of(scheme), fact);
    let detail = fact.description().into_owned();
    Problem::unauthorized(challenge.status(), detail, vec![challenge.encode()]).with_nonce(nonce(state, now))
}

fn token_refused(state: &State, now: Now, scheme: PresentationScheme, detail: &str) -> Problem {
    let challenge = Challenge {
        error: Some(ErrorCode::InvalidToken),
        error_description: Some(detail.to_owned()),
        ..Challenge::new(scheme_of(scheme))
    };
    Problem::unauthorized(StatusCode::UNAUTHORIZED, detail, vec![challenge.encode()])
        .with_nonce(nonce(state, now))
}

fn too_narrow(scheme: PresentationScheme, scope: &str) -> Problem {
    let challenge = Challenge {
        error: Some(ErrorCode::InsufficientScope),
        scope: Scope::parse(scope).ok(),
        ..Challenge::new(scheme_of(scheme))
    };
    Problem::unauthorized(StatusCode::FORBIDDEN, format!("{scope} is needed"), vec![challenge.encode()])
}

/// A body that is one JSON object of the expected shape. Nothing is read before the caller is known, if
/// the handler names its caller first.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<State>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Problem> {
        let object = object_of(request, state).await?;
        read(object).map(Self)
    }
}

/// A JSON object of any shape: a merge patch.
pub(crate) struct Patch(pub(crate) Map<String, Value>);

impl FromRequest<Arc<State>> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, Problem> {
        object_of(request, state).await.map(Self)
    }
}

/// The object as a typed value; members that are not known are refused by name.
pub(crate) fn read<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(object)).map_err(|error| Problem::invalid(error.to_string()))
}

async fn object_of(request: Request, state: &State) -> Result<Map<String, Value>, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = bytes_of(body, state).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let value = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let known = [media_type::JSON, media_type::MERGE_PATCH_JSON];
    if !known.iter().any(|known| media.eq_ignore_ascii_case(known)) {
        return Err(Problem::media_type());
    }
    json::parse_object(&bytes, &JsonLimits { max_bytes: MAX_BODY, ..JsonLimits::DOCUMENT })
        .map_err(|error| Problem::bad(format!("the body is not one JSON object: {error}")))
}

async fn bytes_of(body: Body, state: &State) -> Result<Bytes, Problem> {
    tokio::select! {
        biased;
        read = axum::body::to_bytes(body, MAX_BODY) => read.map_err(|_| Problem::too_large()),
        () = state.clock.sleep(PATIENCE) => Err(Problem::too_slow()),
    }
}
