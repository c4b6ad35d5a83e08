//! A request in, a verified token out, or the answer to give instead.
//!
//! Sections: RFC 6750 §2, §3; RFC 9068 §4; RFC 9449 §7; RFC 8705 §3; RFC 7662 §4
//! Enforces, in this order, cheapest first:
//! - one token, in the header
//! - a token's shape; the issuer is trusted, by exact `iss`
//! - everything in header and claims that needs no key
//! - the signature
//! - not withdrawn, where introspection is set
//! - the proof for this request, where the token came with DPoP
//! - possession of what the token is bound to
//! - the proof was not used before
//!
//! Does not enforce: scopes, which routes demand ([`crate::require`]); that the connection is TLS.
//! Limits: those of the checks; a wrong issuer costs one comparison, only a plausible token can
//! cause a fetch, only a correctly signed one can fill the replay memory.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, Uri};
use m2m_io::Clock;
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::dpop::proof::{self, ProofWindow, VerifiedProof};
use m2m_proto::dpop::{DpopNonce, NonceKey, NonceRule, ProofError};
use m2m_proto::error::{ErrorCode, WireError};
use m2m_proto::jose::{Algorithm, Claims};
use m2m_proto::scope::Scope;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::AccessToken;
use m2m_proto::token::access_token::{self, VerifiedClaims};
use m2m_proto::token::confirmation::{self, Confirmation, Evidence, Possession, SenderConstraint};
use m2m_proto::token::presentation::{Presentation, PresentationScheme};

use crate::config::{Nonce, VerifierBuilder};
use crate::error::{ChallengeTemplate, Reason, Rejection};
use crate::issuers::Issuers;
use crate::observe;
use crate::replay::{Consumption, Replay};

/// What a verifier needs to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestParts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target. Only its path counts; the origin is configured ([`crate::Dpop::new`]).
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The certificate of the TLS connection, as the listener or a trusted proxy reports it.
    pub certificate: Option<&'a PeerCertificate>,
}

/// How proofs are checked.
#[derive(Debug)]
pub(crate) struct DpopChecks {
    /// `https://host`, without a slash at its end.
    pub(crate) origin: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) window: ProofWindow,
    pub(crate) nonce: Nonce,
    pub(crate) nonce_key: NonceKey,
    pub(crate) replay: Replay,
}

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) issuers: Issuers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
    pub(crate) dpop: Option<DpopChecks>,
    pub(crate) constraint: SenderConstraint,
    pub(crate) template: Arc<ChallengeTemplate>,
    #[cfg(feature = "introspection")]
    pub(crate) introspection: Option<crate::introspect::Introspection>,
}

/// Checks access tokens for one API. Cheap to clone: all clones are one verifier.
///
/// ```no_run
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use m2m_proto::uri::Issuer;
/// use m2m_resource_server::Verifier;
///
/// let issuer = Issuer::parse("https://as.example")?;
/// let verifier = Verifier::builder().trust(issuer, "https://orders.example").build()?;
/// # drop(verifier);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    parts: Arc<Parts>,
}

/// Where the claims of an accepted token come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Jwt(VerifiedClaims),
    #[cfg(feature = "introspection")]
    Introspected(m2m_proto::introspection::VerifiedIntrospection),
}

impl Source {
    fn confirmation(&self) -> Option<&Confirmation> {
        match self {
            Self::Jwt(claims) => claims.confirmation(),
            #[cfg(feature = "introspection")]
            Self::Introspected(token) => token.confirmation(),
        }
    }
}

/// A token that is good for this request. Made by [`Verifier::verify`] only.
#[derive(Debug, Clone)]
pub struct VerifiedAccessToken {
    source: Arc<Source>,
    possession: Possession,
    scheme: PresentationScheme,
    template: Arc<ChallengeTemplate>,
}

impl VerifiedAccessToken {
    /// All claims, or all members of the introspection answer.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        match self.source.as_ref() {
            Source::Jwt(claims) => claims.claims(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.claims(),
        }
    }

    /// What it allows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match self.source.as_ref() {
            Source::Jwt(claims) => claims.scope(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.scope(),
        }
    }

    /// The client it was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match self.source.as_ref() {
            Source::Jwt(claims) => claims.client_id(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.client_id(),
        }
    }

    /// Whom it speaks for; with client credentials, the client.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims().sub.as_deref()
    }

    /// Who issued it; `None` only for an opaque token whose introspection answer does not say.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims().iss.as_deref()
    }

    /// Until when it is good.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        match self.source.as_ref() {
            Source::Jwt(claims) => claims.expires_at(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.expires_at(),
        }
    }

    /// What the sender proved to hold; `None` for a bearer token.
    #[must_use]
    pub fn binding(&self) -> Option<&Confirmation> {
        self.possession.confirmed()
    }

    /// A refusal of this token for `reason`, with the challenges of its verifier.
    pub(crate) fn reject(&self, reason: Reason) -> Rejection {
        Rejection::new(reason, Some(self.scheme), &self.template)
    }
}

impl Verifier {
    /// Begins the settings of a verifier.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Checks the token of a request, and that the sender may use it.
    ///
    /// # Errors
    /// A [`Rejection`], which is the answer to give.
    // spec: 9700-RS1
    pub async fn verify(&self, request: &RequestParts<'_>) -> Result<VerifiedAccessToken, Rejection> {
        let now = self.parts.clock.wall();
        let presentation = match Presentation::from_headers(request.headers) {
            Ok(Some(presentation)) => presentation,
            Ok(None) => return Err(self.reject(Reason::NoToken, None, now)),
            Err(error) => return Err(self.reject(error.into(), None, now)),
        };
        let scheme = presentation.scheme();
        match self.check(request, &presentation, now).await {
            Ok((source, possession)) => {
                observe::outcome("accepted");
                let template = Arc::clone(&self.parts.template);
                Ok(VerifiedAccessToken { source: Arc::new(source), possession, scheme, template })
            }
            Err(reason) => Err(self.reject(reason, Some(scheme), now)),
        }
    }

    /// Checks a JWT without a request around it: signature, issuer, audience, times and the rest of
    /// the claims.
    ///
    /// Possession is **not** checked, as there is nothing to check it with: what the token is bound
    /// to is in [`VerifiedClaims::confirmation`]. Never let a request in on this.
    ///
    /// # Errors
    /// A [`Rejection`].
    pub async fn verify_token(&self, token: &str) -> Result<VerifiedClaims, Rejection> {
        let now = self.parts.clock.wall();
        self.jwt(token, now).await.map_err(|reason| self.reject(reason, None, now))
    }

    async fn check(
        &self,
        request: &RequestParts<'_>,
        presentation: &Presentation,
        now: UnixTime,
    ) -> Result<(Source, Possession), Reason> {
        let is_dpop = presentation.scheme() == PresentationScheme::Dpop;
        let dpop = self.parts.dpop.as_ref();
        if is_dpop && dpop.is_none() {
            return Err(Reason::DpopNotAccepted);
        }
        let source = self.source(presentation.token(), now).await?;
        let proof = match dpop.filter(|_| is_dpop) {
            Some(dpop) => Some(dpop.verify(request, presentation.token(), now)?),
            None => None,
        };
        let evidence = Evidence { presentation, proof: proof.as_ref(), certificate: request.certificate };
        let possession = confirmation::verify(source.confirmation(), &evidence, self.parts.constraint)?;
        // Last, so that only a proof that would have been accepted takes room.
        if let (Some(dpop), Some(proof)) = (dpop, &proof) {
            match dpop.replay.consume(proof, now) {
                Consumption::Recorded => {}
                Consumption::Replayed => return Err(Reason::ProofReplayed),
                Consumption::Full => return Err(Reason::Unavailable("the replay memory is full".to_owned())),
            }
        }
        Ok((source, possession))
    }

    #[cfg(not(feature = "introspection"))]
    async fn source(&self, token: &AccessToken, now: UnixTime) -> Result<Source, Reason> {
        self.jwt(token.expose(), now).await.map(Source::Jwt)
    }

    #[cfg(feature = "introspection")]
    async fn source(&self, token: &AccessToken, now: UnixTime) -> Result<Source, Reason> {
        let parts = &self.parts;
        let Some(introspection) = &parts.introspection else {
            return self.jwt(token.expose(), now).await.map(Source::Jwt);
        };
        if is_opaque(token) {
            let answer = introspection.ask(token).await?;
            let checked = crate::introspect::check(answer, &parts.issuers, parts.skew, now)?;
            return Ok(Source::Introspected(checked));
        }
        let claims = self.jwt(token.expose(), now).await?;
        if introspection.asks_about_jwt() {
            // The claims are those that were signed; only whether the token stands is asked.
            introspection.ask(token).await?;
        }
        Ok(Source::Jwt(claims))
    }

    async fn jwt(&self, token: &str, now: UnixTime) -> Result<VerifiedClaims, Reason> {
        let unverified = access_token::parse(token)?;
        let trust =
            unverified.issuer().and_then(|iss| self.parts.issuers.find(iss)).ok_or(Reason::UnknownIssuer)?;
        let kid = unverified.key_hint().map(str::to_owned);
        let algorithm = unverified.algorithm();
        let expect = access_token::Expect {
            issuer: &trust.issuer,
            audience: &trust.audience,
            algorithms: &trust.algorithms,
            now,
            skew: self.parts.skew,
        };
        let plausible = unverified.check(&trust.profile, &expect)?;
        let key = trust.keys.find(kid.as_deref(), algorithm).await?;
        Ok(plausible.verify(&key)?)
    }

    fn reject(&self, reason: Reason, scheme: Option<PresentationScheme>, now: UnixTime) -> Rejection {
        let wants_nonce = matches!(&reason, Reason::Proof(fact) if fact.code() == ErrorCode::UseDpopNonce);
        let nonce = self.parts.dpop.as_ref().filter(|_| wants_nonce).map(|dpop| dpop.nonce_key.issue(now));
        Rejection::new(reason, scheme, &self.parts.template).with_nonce(nonce)
    }

    /// The nonce to send along with an answer, where proofs must carry one (RFC 9449 §8.2).
    #[must_use]
    pub fn next_nonce(&self) -> Option<DpopNonce> {
        let dpop = self.parts.dpop.as_ref().filter(|dpop| dpop.nonce == Nonce::Required)?;
        Some(dpop.nonce_key.issue(self.parts.clock.wall()))
    }

    /// A refusal where there is no verifier to refuse.
    #[cfg(feature = "axum")]
    pub(crate) fn misconfigured(what: &'static str) -> Rejection {
        Rejection::new(Reason::Misconfigured(what), None, &Arc::default())
    }
}

/// No JWS at all, as opposed to a broken one, which nobody needs to be asked about: every header
/// begins with `{"`.
#[cfg(feature = "introspection")]
fn is_opaque(token: &AccessToken) -> bool {
    let text = token.expose();
    !(text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2)
}

impl DpopChecks {
    fn verify(
        &self,
        request: &RequestParts<'_>,
        token: &AccessToken,
        now: UnixTime,
    ) -> Result<VerifiedProof, ProofError> {
        let uri: Uri =
            format!("{}{}", self.origin, request.uri.path()).parse().map_err(|_| ProofError::RequestUri)?;
        let nonce = match self.nonce {
            Nonce::Off => NonceRule::Unused,
            Nonce::Required => NonceRule::Required(&self.nonce_key),
        };
        let expect = proof::Expect {
            method: request.method,
            uri: &uri,
            algorithms: &self.algorithms,
            now,
            window: self.window,
            nonce,
            access_token: Some(token),
            jkt: None,
        };
        proof::verify(request.headers, &expect)
    }
}

impl fmt::Display for VerifiedAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token of {}", self.client_id().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests;
