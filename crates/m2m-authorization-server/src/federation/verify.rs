//! External tokens against trusted issuers: one pipeline for every request that brings one.
//!
//! Sections: RFC 7521 §4, §5.2; RFC 7523 §3; RFC 8725 §3.1; draft-ietf-oauth-spiffe-client-auth
//! Enforces, in this order:
//! 1. the issuer is trusted, active, and not this server itself
//! 2. everything that needs no key (see [`m2m_proto::workload_token`]), so that only a plausible token leads to a fetch
//! 3. a key of that issuer, and the signature; the algorithm is the key's
//! 4. the conditions of the issuer; a `jti`, where its tokens are good once
//! 5. exactly one usable credential of an active client maps to the subject, conditions included
//!
//! Does not enforce: that a token is used once; its evidence demands that of `admission`. What the client may have.
//!
//! Limits: those of the token; a request looks at the credentials that name its subject, and at every pattern of the
//! issuer.
//!
//! A stranger is told nothing of all this: each refusal is the one of any failed authentication. The reason is in the
//! audit, and an administrator asks [`super::explain`].

use std::sync::Arc;

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::VerifyingKey;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::uri::Issuer;
use m2m_proto::workload_token::{
    Expect, UnverifiedWorkloadToken, VerifiedWorkloadToken, WorkloadIssuer, WorkloadTokenError,
};

use super::conditions::{Condition, shortened};
use super::keys::IssuerKeySets;
use crate::decoy::Decoys;
use crate::registry::{
    Credential, Federated, IssuerId, Material, Named, Registration, Registry, Reuse, Status, TrustedIssuer,
};

/// Why an external token stands for nobody. For the audit; a stranger learns none of it.
///
/// The reason comes first: what a stranger wrote may be long, and the audit cuts it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FederationError {
    /// Nobody trusted made it, as far as it says itself.
    #[error("the issuer of the external token is not trusted: {found}")]
    UnknownIssuer {
        /// Whom it names, shortened.
        found: String,
    },
    /// The issuer is switched off.
    #[error("the issuer {0} is disabled")]
    Disabled(IssuerId),
    /// The token itself is refused.
    #[error("{reason}: token of the issuer {issuer} for {subject}")]
    Token {
        /// The trusted issuer.
        issuer: IssuerId,
        /// The claimed subject, shortened.
        subject: String,
        /// Which rule it breaks.
        reason: WorkloadTokenError,
    },
    /// The keys of the issuer could not be fetched.
    #[error("the keys of the issuer {issuer} cannot be had: {why}")]
    KeysUnreachable {
        /// The trusted issuer.
        issuer: IssuerId,
        /// Why not.
        why: String,
    },
    /// A condition of the issuer is not fulfilled.
    #[error("the condition on {claim} is not fulfilled: token of the issuer {issuer} for {subject}")]
    Condition {
        /// The trusted issuer.
        issuer: IssuerId,
        /// The subject, shortened.
        subject: String,
        /// The claim of the condition.
        claim: String,
    },
    /// Tokens of the issuer are good once, and this one has no `jti`.
    #[error(
        "jti is missing, and tokens of this issuer are good once: token of the issuer {issuer} for {subject}"
    )]
    NoJti {
        /// The trusted issuer.
        issuer: IssuerId,
        /// The subject, shortened.
        subject: String,
    },
    /// No credential maps to the subject.
    #[error("no usable credential maps to it: token of the issuer {issuer} for {subject}")]
    Unmapped {
        /// The trusted issuer.
        issuer: IssuerId,
        /// The subject, shortened.
        subject: String,
    },
    /// Several credentials map to the subject, and none is guessed.
    #[error("several credentials map to it: token of the issuer {issuer} for {subject}")]
    Ambiguous {
        /// The trusted issuer.
        issuer: IssuerId,
        /// The subject, shortened.
        subject: String,
    },
}

/// As what a token came, which decides whom it may name as its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a client's assertion (RFC 7523 §2.2): by `iss`.
    Assertion,
    /// As a JWT-SVID: by the trust domain of `sub`.
    Svid,
    /// As an authorization grant (RFC 7523 §2.1): by `iss`.
    Grant,
}

/// A token as it came with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct External<'a> {
    pub(crate) token: &'a UnverifiedWorkloadToken,
    pub(crate) way: Way,
    /// Whom the request names.
    pub(crate) client: Option<&'a ClientId>,
}

/// Evidence: a workload of a trusted issuer stands behind a request. Made by [`Federation::authenticate`] only.
#[derive(Debug, Clone)]
pub(crate) struct ExternalToken {
    issuer: IssuerId,
    token: VerifiedWorkloadToken,
    reuse: Reuse,
    way: Way,
}

impl ExternalToken {
    /// Whether it came as a grant, not to authenticate a client.
    pub(crate) fn is_grant(&self) -> bool {
        self.way == Way::Grant
    }

    /// Issuer and subject, as the audit tells them.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.issuer, shortened(self.token.subject()))
    }

    /// What must be consumed: the issuer, `jti` and until when to remember it. `None` where tokens may come again.
    pub(crate) fn single_use(&self) -> Option<(&IssuerId, &str, UnixTime)> {
        let jti = self.token.jti().filter(|_| self.reuse == Reuse::Once)?;
        Some((&self.issuer, jti, self.token.expires_at()))
    }

    /// Whether it may have been made, and so used, before `moment` ends its second.
    pub(crate) fn may_predate(&self, moment: UnixTime) -> bool {
        self.reuse == Reuse::Once && self.token.issued_at().seconds() <= moment.seconds()
    }
}

/// A client that a workload of a trusted issuer stands for.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) registration: Arc<Registration>,
    pub(crate) credential: Arc<Credential>,
    pub(crate) evidence: ExternalToken,
}

/// What external tokens are measured against.
#[derive(Debug)]
pub(crate) struct Federation {
    pub(crate) own: Issuer,
    pub(crate) skew: Skew,
    pub(crate) keys: IssuerKeySets,
}

impl Federation {
    /// The trusted issuer that a token names, whether active or not.
    pub(crate) fn issuer_of<'r>(
        &self,
        token: &UnverifiedWorkloadToken,
        way: Way,
        registry: &'r Registry,
    ) -> Option<&'r Arc<TrustedIssuer>> {
        let named = match way {
            Way::Assertion | Way::Grant => token.claims().iss.clone().map(Named::Issuer)?,
            Way::Svid => Named::TrustDomain(token.spiffe_id()?.trust_domain().clone()),
        };
        // Whatever is registered: what this server signs itself is no word of another.
        let foreign = named.as_str() != self.own.as_str();
        registry.issuers().find(|issuer| foreign && issuer.named == named)
    }

    /// Checks a token, and finds whom it stands for.
    ///
    /// # Errors
    /// [`FederationError`], for the first check that fails.
    // spec: 7523-AS3, 7523-AS5, SPIFFE-AS1
    pub(crate) async fn authenticate(
        &self,
        external: External<'_>,
        registry: &Registry,
        decoys: &Decoys,
        now: UnixTime,
    ) -> Result<Mapped, FederationError> {
        let External { token, way, .. } = external;
        let (issuer, keys) = match self.plausible(token, way, registry, now).await {
            Ok(found) => found,
            Err(error) => {
                // What is refused unread takes as long as what is refused for its signature.
                decoys.check_workload(token);
                return Err(error);
            }
        };
        let subject = told(token);
        let audience = self.audience(issuer);
        let expect = self.expect(issuer, &audience, now);
        let verified = token.verify(&expect, keys.iter().map(AsRef::as_ref)).map_err(|reason| {
            FederationError::Token { issuer: issuer.id.clone(), subject: subject.clone(), reason }
        })?;
        check_issuers_own(issuer, &verified)?;
        stands_for(issuer, verified, registry, external, now)
    }

    /// All that needs no key, and then the keys.
    async fn plausible<'r>(
        &self,
        token: &UnverifiedWorkloadToken,
        way: Way,
        registry: &'r Registry,
        now: UnixTime,
    ) -> Result<(&'r Arc<TrustedIssuer>, Vec<Arc<VerifyingKey>>), FederationError> {
        let issuer = self
            .issuer_of(token, way, registry)
            .ok_or_else(|| FederationError::UnknownIssuer { found: named(token, way) })?;
        if issuer.status != Status::Active {
            return Err(FederationError::Disabled(issuer.id.clone()));
        }
        let audience = self.audience(issuer);
        token.check(&self.expect(issuer, &audience, now)).map_err(|reason| FederationError::Token {
            issuer: issuer.id.clone(),
            subject: told(token),
            reason,
        })?;
        Ok((issuer, self.keys.find(issuer, registry, token).await?))
    }

    /// The values of `aud` that stand for us in tokens of an issuer.
    pub(crate) fn audience<'a>(&'a self, issuer: &'a TrustedIssuer) -> Vec<&'a str> {
        match issuer.audiences.as_slice() {
            [] => vec![self.own.as_str()],
            accepted => accepted.iter().map(String::as_str).collect(),
        }
    }

    pub(crate) fn expect<'a>(
        &self,
        issuer: &'a TrustedIssuer,
        audience: &'a [&'a str],
        now: UnixTime,
    ) -> Expect<'a> {
        let from = match &issuer.named {
            Named::Issuer(name) => WorkloadIssuer::Named(name),
            Named::TrustDomain(domain) => WorkloadIssuer::TrustDomain(domain),
        };
        Expect { issuer: from, audience, max_lifetime: issuer.max_lifetime, now, skew: self.skew }
    }
}

/// What the operator demands of all tokens of an issuer.
fn check_issuers_own(issuer: &TrustedIssuer, token: &VerifiedWorkloadToken) -> Result<(), FederationError> {
    let (id, subject) = (issuer.id.clone(), shortened(token.subject()));
    if let Some(broken) = issuer.conditions.iter().find(|condition| !condition.holds(token.claims())) {
        return Err(FederationError::Condition { issuer: id, subject, claim: broken.claim().to_string() });
    }
    if issuer.reuse == Reuse::Once && token.jti().is_none() {
        return Err(FederationError::NoJti { issuer: id, subject });
    }
    Ok(())
}

/// The one client that a workload stands for, and by which credential.
fn stands_for(
    issuer: &TrustedIssuer,
    token: VerifiedWorkloadToken,
    registry: &Registry,
    external: External<'_>,
    now: UnixTime,
) -> Result<Mapped, FederationError> {
    let mut mapped = registry
        .mapping_candidates(&issuer.id, token.subject())
        .filter(|(registration, _)| external.client.is_none_or(|client| registration.client().id == *client))
        .filter(|(registration, credential)| maps(registration, credential, &token, now));
    let (first, second) = (mapped.next(), mapped.next());
    drop(mapped);
    let (id, subject) = (issuer.id.clone(), shortened(token.subject()));
    match (first, second) {
        (None, _) => Err(FederationError::Unmapped { issuer: id, subject }),
        (Some(_), Some(_)) => Err(FederationError::Ambiguous { issuer: id, subject }),
        (Some((registration, credential)), None) => Ok(Mapped {
            registration: Arc::clone(registration),
            credential: Arc::clone(credential),
            evidence: ExternalToken { issuer: id, token, reuse: issuer.reuse, way: external.way },
        }),
    }
}

/// Whether a credential that may stand for a workload does so now.
fn maps(
    registration: &Registration,
    credential: &Credential,
    token: &VerifiedWorkloadToken,
    now: UnixTime,
) -> bool {
    let Material::Federated(mapping) = &credential.material else { return false };
    registration.client().status == Status::Active
        && credential.usable(now)
        && mapping.subject.matches(token.subject())
        && fulfils(mapping, token)
}

fn fulfils(mapping: &Federated, token: &VerifiedWorkloadToken) -> bool {
    mapping.conditions.iter().all(|condition: &Condition| condition.holds(token.claims()))
}

/// The claimed subject, for the audit.
fn told(token: &UnverifiedWorkloadToken) -> String {
    shortened(token.claims().sub.as_deref().unwrap_or_default())
}

/// Whom a token names as its maker, for the audit.
fn named(token: &UnverifiedWorkloadToken, way: Way) -> String {
    match way {
        Way::Assertion | Way::Grant => shortened(token.claims().iss.as_deref().unwrap_or("it names none")),
        Way::Svid => token
            .spiffe_id()
            .map_or_else(|| "sub is no SPIFFE ID".to_owned(), |id| id.trust_domain().to_string()),
    }
}
