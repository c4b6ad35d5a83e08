//! A request in, a verified token out, or the answer to give instead.
//!
//! Sections: RFC 6750 §2, §3; RFC 9068 §4; RFC 9449 §7; RFC 8705 §3; RFC 7662 §4
//! Enforces, in this order, cheapest first:
//! - one token, in the header
//! - a token's shape; the issuer is trusted, by exact `iss`
//! - everything in header and claims that needs no key
//! - the signature, unless this very token was verified before ([`crate::cache`])
//! - not withdrawn: status list, revocation feed, introspection, whichever are set
//! - the proof for this request, where the token came with DPoP
//! - possession of what the token is bound to
//! - the proof was not used before
//!
//! Time is read again after every wait, for keys, lists or answers: what ended meanwhile is refused.
//!
//! Does not enforce: scopes, which routes demand ([`crate::require`]); that the connection is TLS.
//! Limits: those of the checks; a wrong issuer costs one comparison, only a plausible token can
//! cause a fetch, only a correctly signed one can fill the replay memory.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderMap, Method, Uri};
use m2m_io::{BoxFuture, Clock};
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::dpop::{DpopNonce, ProofError};
use m2m_proto::error::{ErrorCode, WireError};
#[cfg(feature = "introspection")]
use m2m_proto::jose::jws::is_meant_as_jws;
use m2m_proto::names::header;
use m2m_proto::time::Skew;
use m2m_proto::token::AccessToken;
use m2m_proto::token::access_token::{self, VerifiedClaims};
use m2m_proto::token::confirmation::{self, Evidence, Possession, SenderConstraint};
use m2m_proto::token::presentation::{Presentation, PresentationScheme};

use crate::cache::Recent;
use crate::config::VerifierBuilder;
use crate::dpop::{DpopChecks, Nonce};
use crate::error::{ChallengeTemplate, Reason, Rejection};
#[cfg(feature = "introspection")]
use crate::introspect::Standing;
use crate::issuers::{Issuers, Trust};
use crate::metadata::Described;
use crate::observe;
use crate::verified::{Checked, HeaderKid, Source, VerifiedAccessToken};
use crate::window::RevocationWindow;

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

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) issuers: Issuers,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
    pub(crate) dpop: Option<DpopChecks>,
    pub(crate) constraint: SenderConstraint,
    pub(crate) described: Option<Described>,
    pub(crate) recent: Recent,
    pub(crate) template: Arc<ChallengeTemplate>,
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

impl Verifier {
    /// Begins the settings of a verifier.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    pub(crate) fn described(&self) -> Option<&Described> {
        self.parts.described.as_ref()
    }

    /// Checks the token of a request, and that the sender may use it.
    ///
    /// # Errors
    /// A [`Rejection`], which is the answer to give.
    // spec: 9700-RS1, FAPI-RS1, OIDF-AS3
    pub async fn verify(&self, request: &RequestParts<'_>) -> Result<VerifiedAccessToken, Rejection> {
        let presentation = match Presentation::from_headers(request.headers) {
            Ok(Some(presentation)) => presentation,
            Ok(None) => return Err(self.reject(Reason::NoToken, None)),
            Err(error) => return Err(self.reject(error.into(), None)),
        };
        let scheme = presentation.scheme();
        match self.check(request, &presentation).await {
            Ok((source, possession)) => {
                observe::accepted();
                let template = Arc::clone(&self.parts.template);
                Ok(VerifiedAccessToken::new(source, possession, scheme, template))
            }
            Err(reason) => Err(self.reject(reason, Some(scheme))),
        }
    }

    /// Checks a JWT without a request around it: signature, issuer, audience, times and the rest of
    /// the claims; and that it was not withdrawn, where lists or a feed are read or its server is asked about JWTs.
    /// An opaque token is refused.
    ///
    /// Possession is **not** checked, as there is nothing to check it with: what the token is bound
    /// to is in [`VerifiedClaims::confirmation`]. Never let a request in on this.
    ///
    /// # Errors
    /// A [`Rejection`].
    pub async fn verify_token(&self, token: &str) -> Result<VerifiedClaims, Rejection> {
        let checked = self.jwt_alone(token).await.and_then(|checked| {
            checked.claims.check_times(self.parts.clock.wall(), self.parts.skew)?;
            Ok(checked)
        });
        checked.map(|checked| checked.claims.clone()).map_err(|reason| self.reject(reason, None))
    }

    async fn jwt_alone(&self, token: &str) -> Result<Arc<Checked>, Reason> {
        #[cfg(feature = "introspection")]
        if let Ok(token) = AccessToken::parse(token) {
            return self.jwt_that_stands(&token).await;
        }
        self.jwt(token).await
    }

    async fn check(
        &self,
        request: &RequestParts<'_>,
        presentation: &Presentation,
    ) -> Result<(Source, Possession), Reason> {
        let is_dpop = presentation.scheme() == PresentationScheme::Dpop;
        let dpop = self.parts.dpop.as_ref();
        if is_dpop && dpop.is_none() {
            return Err(Reason::DpopNotAccepted);
        }
        // Whoever brings no proof causes no question and no fetch.
        if is_dpop && !request.headers.contains_key(header::DPOP) {
            return Err(ProofError::Missing.into());
        }
        let source = self.source(presentation.token()).await?;
        // It may have waited; from here on nothing does.
        let now = self.parts.clock.wall();
        source.check_times(now, self.parts.skew)?;
        let proof = match dpop.filter(|_| is_dpop) {
            Some(dpop) => Some(dpop.verify(request, presentation.token(), now)?),
            None => None,
        };
        let evidence = Evidence { presentation, proof: proof.as_ref(), certificate: request.certificate };
        let possession = confirmation::verify(source.confirmation(), &evidence, self.parts.constraint)?;
        if let (Some(dpop), Some(proof)) = (dpop, &proof) {
            dpop.consume(proof, now)?;
        }
        Ok((source, possession))
    }

    #[cfg(not(feature = "introspection"))]
    async fn source(&self, token: &AccessToken) -> Result<Source, Reason> {
        self.jwt(token.expose()).await.map(Source::Jwt)
    }

    #[cfg(feature = "introspection")]
    async fn source(&self, token: &AccessToken) -> Result<Source, Reason> {
        if let Some(opaque) =
            self.parts.issuers.opaque(token.expose()).filter(|_| !is_meant_as_jws(token.expose()))
        {
            let told = opaque.introspection.ask(token, Standing::Opaque).await?;
            let asked = opaque.trust.as_deref();
            let checked = told.check(asked, &self.parts.issuers, self.parts.skew, self.parts.clock.wall())?;
            return Ok(Source::Introspected(checked));
        }
        self.jwt_that_stands(token).await.map(Source::Jwt)
    }

    /// A JWT that is good now, and that its server stands by, where that is asked about each.
    #[cfg(feature = "introspection")]
    async fn jwt_that_stands(&self, token: &AccessToken) -> Result<Arc<Checked>, Reason> {
        let checked = self.jwt(token.expose()).await?;
        if let Some(introspection) = checked.trust.introspection.as_ref().filter(|one| one.asks_about_jwt()) {
            // The claims are those that were signed; only whether the token stands is asked.
            if !introspection.ask(token, Standing::Signed).await?.is_of(&checked.trust) {
                return Err(Reason::UnknownIssuer);
            }
        }
        Ok(checked)
    }

    /// A JWT that is good now, possession apart: remembered and looked at again, or checked from the start.
    async fn jwt(&self, token: &str) -> Result<Arc<Checked>, Reason> {
        let recent = &self.parts.recent;
        let hash = recent.has_met(token).then(|| recent.hash(token)).flatten();
        if let Some(known) = hash.as_ref().and_then(|hash| recent.get(hash)) {
            known.claims.check_times(self.parts.clock.wall(), self.parts.skew)?;
            if known.has_its_key().await? {
                known.trust.withdrawals.check(&known, self.parts.clock.as_ref()).await?;
                observe::remembered();
                return Ok(known);
            }
        }
        let checked = Arc::new(self.check_jwt(token).await?);
        observe::signature_checked();
        match hash {
            Some(hash) => recent.put(hash, Arc::clone(&checked), token.len()),
            None => recent.meet(token),
        }
        // Remembered or not: one that was withdrawn is refused without its signature the next time.
        checked.trust.withdrawals.check(&checked, self.parts.clock.as_ref()).await?;
        Ok(checked)
    }

    async fn check_jwt(&self, token: &str) -> Result<Checked, Reason> {
        let unverified = access_token::parse(token)?;
        let trust =
            unverified.issuer().and_then(|iss| self.parts.issuers.find(iss)).ok_or(Reason::UnknownIssuer)?;
        let expect = access_token::Expect {
            issuer: &trust.issuer,
            audience: trust.audience_of(&unverified),
            algorithms: &trust.algorithms,
            now: self.parts.clock.wall(),
            skew: self.parts.skew,
        };
        let plausible = unverified.check(&trust.profile, &expect)?;
        let algorithm = plausible.algorithm();
        let key = trust.keys.find(plausible.key_hint(), algorithm).await?;
        let kid = HeaderKid::of(plausible.key_hint(), &key);
        let claims = plausible.verify(&key)?;
        let place = trust.withdrawals.place(&claims)?;
        Ok(Checked { claims, trust: Arc::clone(trust), kid, algorithm, key, place })
    }

    fn reject(&self, reason: Reason, scheme: Option<PresentationScheme>) -> Rejection {
        let wants_nonce = matches!(&reason, Reason::Proof(fact) if fact.code() == ErrorCode::UseDpopNonce);
        let nonce = self
            .parts
            .dpop
            .as_ref()
            .filter(|_| wants_nonce)
            .map(|dpop| dpop.nonce_key.issue(self.parts.clock.wall()));
        Rejection::new(reason, scheme, &self.parts.template).with_nonce(nonce)
    }

    /// Fetches the keys and the feeds of all issuers ahead of the first token, so that a program can wait for them before
    /// it says that it is ready. Not needed: what is not held is fetched when a token asks for it.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] for one of the issuers of which something cannot be had. All are asked, at once: one that
    /// hangs keeps nobody waiting for the others.
    pub async fn prepare(&self) -> Result<(), Reason> {
        let issuers = self.parts.issuers.iter();
        let mut asked: Vec<BoxFuture<'_, Result<(), Reason>>> = issuers.map(Trust::prepare).collect();
        let mut prepared = Ok(());
        poll_fn(|cx| {
            asked.retain_mut(|one| match one.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(result) => {
                    prepared = std::mem::replace(&mut prepared, Ok(())).and(result);
                    false
                }
            });
            if asked.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        prepared
    }

    /// Whether the keys of at least one issuer are held, so that some token can be checked without waiting.
    #[must_use]
    pub fn holds_any_keys(&self) -> bool {
        self.parts.issuers.iter().any(|trust| trust.keys.are_held())
    }

    /// For how long a token that its issuer withdrew, or whose key it withdrew, may still be accepted here.
    #[must_use]
    pub fn revocation_window(&self) -> RevocationWindow {
        RevocationWindow::of(&self.parts)
    }

    /// The nonce to send along with an answer, where proofs must carry one (RFC 9449 §8.2).
    #[must_use]
    pub fn next_nonce(&self) -> Option<DpopNonce> {
        let dpop = self.parts.dpop.as_ref().filter(|dpop| dpop.nonce == Nonce::Required)?;
        Some(dpop.nonce_key.issue(self.parts.clock.wall()))
    }

    #[cfg(test)]
    pub(crate) fn held_status_lists(&self) -> usize {
        self.parts.issuers.iter().map(|trust| trust.withdrawals.held_lists()).sum()
    }

    /// A refusal where there is no verifier to refuse, or a demand that it cannot read.
    #[cfg(any(feature = "axum", feature = "tonic"))]
    pub(crate) fn misconfigured(what: &'static str) -> Rejection {
        Rejection::new(Reason::Misconfigured(what), None, &Arc::default())
    }
}

#[cfg(test)]
mod tests;
