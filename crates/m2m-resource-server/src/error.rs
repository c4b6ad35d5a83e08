//! Why a verifier cannot be built, and why a request is not let in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use m2m_proto::dpop::{DpopNonce, ProofError};
use m2m_proto::error::{AuthScheme, Challenge, ErrorCode, WireError};
use m2m_proto::jose::Algorithm;
use m2m_proto::names::header;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::OutsideProfile;
use m2m_proto::token::access_token::AccessTokenError;
use m2m_proto::token::confirmation::ConfirmationError;
use m2m_proto::token::presentation::{PresentationError, PresentationScheme};
use m2m_proto::uri::EndpointUri;

/// The settings make no verifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No issuer is trusted, so every token would be refused.
    #[error("no issuer is trusted")]
    NoIssuer,
    /// One issuer twice.
    #[error("the issuer {0} is trusted twice")]
    IssuerTwice(String),
    /// An issuer without an audience: every token of it would be accepted.
    #[error("no audience is set for tokens of {0}")]
    NoAudience(String),
    /// No algorithm, or one with a shared key.
    #[error("the algorithms for tokens of {0} must be asymmetric, and at least one")]
    Algorithms(String),
    /// Keys would travel unencrypted beyond this machine.
    #[error("keys must come over https, not from {0}")]
    PlainHttp(String),
    /// Opaque tokens could be of this issuer and of another one, and may be shown to one only.
    #[error("opaque tokens could be of {0} and of another issuer; set how they begin (opaque_prefix)")]
    OpaqueTwice(String),
    /// How tokens of an issuer are asked about is set, and no client to ask as.
    #[error("introspection is set for {0} without a client to ask as (introspection)")]
    NoIntrospection(String),
    /// The API is to be described, and its identifier has no well-known place.
    #[error("{0} cannot be described: the identifier must be an https URL")]
    Resource(String),
    /// The settings are outside of the security profile.
    #[error(transparent)]
    OutsideProfile(#[from] OutsideProfile),
    /// The given key for DPoP nonces is too short.
    #[error("the key for DPoP nonces is too short")]
    NonceKey,
    /// No HTTP client could be made, and keys have to be fetched.
    #[error("no HTTP client: {0}")]
    Http(String),
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// There is no token.
    #[error("the request has no access token")]
    NoToken,
    /// There is none that could be read.
    #[error(transparent)]
    Presentation(#[from] PresentationError),
    /// The token is not acceptable.
    #[error(transparent)]
    Token(#[from] AccessTokenError),
    /// Its issuer is not trusted.
    #[error("the issuer of the token is not trusted")]
    UnknownIssuer,
    /// Its issuer has no such key.
    #[error("the issuer has no key of this id for this algorithm")]
    UnknownKey,
    /// Its issuer withdrew it: its place in the status list is invalid, or the revocation feed names it.
    #[error("the token was withdrawn by its issuer")]
    Withdrawn,
    /// Its place in the status list is suspended.
    #[error("the token is suspended")]
    Suspended,
    /// Its place in the status list cannot be known, by its own fault or its issuer's.
    #[error("{0}")]
    UnknownStatus(&'static str),
    /// Introspection says that it is not active, or nothing that counts as active.
    #[error("the token is not active")]
    Inactive,
    /// It is a DPoP request, and no public origin is configured to check proofs against.
    #[error("DPoP is not accepted here")]
    DpopNotAccepted,
    /// The proof is not good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof was used before.
    #[error("the DPoP proof was used before")]
    ProofReplayed,
    /// Possession of the key that the token is bound to is not shown.
    #[error(transparent)]
    Possession(#[from] ConfirmationError),
    /// The token is good, and does not allow this.
    #[error("the token lacks a required scope")]
    InsufficientScope {
        /// What would allow it.
        required: Scope,
    },
    /// It cannot be told now whether the token is good.
    #[error("cannot check the token now: {0}")]
    Unavailable(Unavailable),
    /// This server is put together wrongly.
    #[error("the resource server is misconfigured: {0}")]
    Misconfigured(&'static str),
}

/// What cannot be had now, and when it is worth asking again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unavailable {
    /// What happened, for people.
    pub error: String,
    /// When to come back: what is left of the cooldown of the document or server that is missing.
    pub retry_after: Duration,
}

/// When to come back, where nothing better is known.
pub(crate) const SOON: Duration = Duration::from_secs(5);

impl Unavailable {
    pub(crate) fn soon(error: impl Into<String>) -> Self {
        Self::after(SOON, error)
    }

    pub(crate) fn after(retry_after: Duration, error: impl Into<String>) -> Self {
        Self { error: error.into(), retry_after }
    }

    /// Whole seconds, rounded up: one second at least, so that nobody comes back at once.
    fn retry_after_seconds(&self) -> u64 {
        let seconds = self.retry_after.as_secs();
        seconds.saturating_add(u64::from(self.retry_after.subsec_nanos() > 0)).max(1)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl Reason {
    /// What it is called on the wire; `None` where no token was sent (RFC 6750 §3.1: no code then),
    /// and where the fault is ours.
    // spec: 6750-RS2, 6750-RS3, 9068-RS2
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::NoToken | Self::Unavailable(_) | Self::Misconfigured(_) => return None,
            Self::Presentation(fact) => fact.code(),
            Self::Token(fact) => fact.code(),
            Self::Proof(fact) => fact.code(),
            Self::Possession(fact) => fact.code(),
            Self::UnknownIssuer
            | Self::UnknownKey
            | Self::Withdrawn
            | Self::Suspended
            | Self::UnknownStatus(_)
            | Self::Inactive
            | Self::DpopNotAccepted => ErrorCode::InvalidToken,
            Self::ProofReplayed => ErrorCode::InvalidDpopProof,
            Self::InsufficientScope { .. } => ErrorCode::InsufficientScope,
        })
    }

    pub(crate) fn description(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::NoToken | Self::Unavailable(_) | Self::Misconfigured(_) => return None,
            Self::Presentation(fact) => fact.description(),
            Self::Token(fact) => fact.description(),
            Self::Proof(fact) => fact.description(),
            Self::Possession(fact) => fact.description(),
            Self::UnknownIssuer
            | Self::UnknownKey
            | Self::Withdrawn
            | Self::Suspended
            | Self::UnknownStatus(_)
            | Self::Inactive
            | Self::DpopNotAccepted
            | Self::ProofReplayed
            | Self::InsufficientScope { .. } => Cow::Owned(self.to_string()),
        })
    }

    /// The name of the outcome in metrics.
    pub(crate) fn label(&self) -> Cow<'static, str> {
        match self {
            Self::NoToken => Cow::Borrowed("none"),
            Self::Unavailable(_) => Cow::Borrowed("unavailable"),
            Self::Misconfigured(_) => Cow::Borrowed("misconfigured"),
            _ => Cow::Owned(self.code().map_or_else(String::new, |code| code.as_str().to_owned())),
        }
    }
}

/// What every challenge of a verifier says.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChallengeTemplate {
    /// Where this API describes itself (RFC 9728 §5.1).
    pub(crate) resource_metadata: Option<EndpointUri>,
    /// Algorithms of proofs; `None` where DPoP is not accepted.
    pub(crate) dpop_algorithms: Option<Vec<Algorithm>>,
}

impl ChallengeTemplate {
    fn challenge(&self, scheme: AuthScheme) -> Challenge {
        let is_dpop = scheme == AuthScheme::Dpop;
        let mut challenge = Challenge::new(scheme);
        challenge.resource_metadata = self.resource_metadata.clone();
        if let Some(algorithms) = self.dpop_algorithms.as_ref().filter(|_| is_dpop) {
            challenge.algs = algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect();
        }
        challenge
    }
}

/// A request that is not let in, with the answer to give.
#[derive(Debug, Clone)]
pub struct Rejection {
    reason: Reason,
    /// The scheme that the request used.
    scheme: Option<PresentationScheme>,
    nonce: Option<DpopNonce>,
    template: Arc<ChallengeTemplate>,
}

impl Rejection {
    pub(crate) fn new(
        reason: Reason,
        scheme: Option<PresentationScheme>,
        template: &Arc<ChallengeTemplate>,
    ) -> Self {
        observe_outcome(&reason);
        Self { reason, scheme, nonce: None, template: Arc::clone(template) }
    }

    pub(crate) fn with_nonce(mut self, nonce: Option<DpopNonce>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Why, for the log.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The wire code, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.reason.code()
    }

    /// The nonce that the next proof must carry (RFC 9449 §9).
    #[must_use]
    pub fn nonce(&self) -> Option<&DpopNonce> {
        self.nonce.as_ref()
    }

    /// The challenges, the one for the scheme that was used first (RFC 6750 §3, RFC 9449 §7.1).
    #[must_use]
    pub fn challenges(&self) -> Vec<Challenge> {
        let dpop = self.template.dpop_algorithms.is_some();
        let mut schemes = vec![AuthScheme::Bearer];
        if dpop {
            let first = if self.scheme == Some(PresentationScheme::Dpop) { 0 } else { 1 };
            schemes.insert(first, AuthScheme::Dpop);
        }
        let mut challenges: Vec<Challenge> =
            schemes.into_iter().map(|scheme| self.template.challenge(scheme)).collect();
        if let Some(first) = challenges.first_mut() {
            first.error = self.reason.code();
            first.error_description = self.reason.description().map(Cow::into_owned);
            if let Reason::InsufficientScope { required } = &self.reason {
                first.scope = Some(required.clone());
            }
        }
        challenges
    }

    /// The whole answer: status, challenges, nonce, `Retry-After`; never cached, no body.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        let mut response = match &self.reason {
            Reason::Unavailable(missing) => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
                let seconds = HeaderValue::from(missing.retry_after_seconds());
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
                response
            }
            Reason::Misconfigured(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
            _ => Challenge::response(&self.challenges()),
        };
        if let Some(value) = self.nonce.as_ref().and_then(|nonce| nonce.to_header().ok()) {
            response.headers_mut().insert(header::DPOP_NONCE, value);
        }
        response
    }
}

fn observe_outcome(reason: &Reason) {
    crate::observe::refused(&reason.label(), reason.cause());
    match reason {
        Reason::Misconfigured(_) => tracing::error!(%reason, "request refused"),
        // What cannot be had is warned of where it fails, once for all requests.
        _ => tracing::debug!(%reason, "request refused"),
    }
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Rejection {}
