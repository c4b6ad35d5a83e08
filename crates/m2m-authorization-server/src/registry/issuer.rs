//! Trusted issuers: platforms whose tokens stand for clients here, and the mapping from a workload to a client.
//!
//! Sections: RFC 7521 §4, §6.1; RFC 7523 §3; draft-ietf-oauth-spiffe-client-auth
//! Does not enforce: that this server is not among them (`admin`), nor what a token must be (`federation`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::jose::JwkSet;
use m2m_proto::spiffe::{SpiffeId, TrustDomain};
use m2m_proto::text::{self, ShortText};
use m2m_proto::time::UnixTime;
use m2m_proto::uri::EndpointUri;

use super::client::Status;
use super::credential::CredentialId;
use crate::federation::{Condition, Pattern};

/// The life of external tokens that is accepted unless told otherwise: 1 h.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// No external token may live longer, whatever is configured: 24 h.
pub const LONGEST_MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// At most so many trusted issuers. Each request with a token of another's looks through them.
pub const MAX_ISSUERS: usize = 256;
/// At most so many accepted audiences of one issuer.
pub const MAX_AUDIENCES: usize = 16;
/// The longest `iss` and the longest audience, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// Under which name a trusted issuer is registered: chosen by the operator, not what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(ShortText);

impl IssuerId {
    /// Accepts 1 to 64 ASCII letters, digits, `-`, `_` and `.`, but not `explain`, which names an act; `None`
    /// otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let well_formed = (1..=64).contains(&text.len()) && text.bytes().all(fits);
        let free = !["explain", ".", ".."].contains(&text);
        (well_formed && free).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for IssuerId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Whom the tokens name as their maker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Named {
    /// `iss` is exactly this.
    Issuer(String),
    /// `sub` is a SPIFFE workload of this trust domain.
    TrustDomain(TrustDomain),
}

impl Named {
    /// A text that can stand in `iss`: 1 to 512 bytes of printable ASCII without space, `"` and `\`; `None` otherwise.
    #[must_use]
    pub fn issuer(text: &str) -> Option<Self> {
        is_name(text).then(|| Self::Issuer(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issuer(issuer) => issuer,
            Self::TrustDomain(domain) => domain.as_str(),
        }
    }
}

/// Whether a text can stand in `iss` or `aud`.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(text::is_nqchar)
}

/// Files that fetching keys needs. Both are read again for every fetch, so that they can be replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchFiles {
    /// Root certificates, PEM, that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// A bearer token that is sent along, to the origin that was configured and no other.
    pub bearer_file: Option<PathBuf>,
}

/// Where the keys are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum IssuerKeys {
    /// At this URL: a JWK set, or the bundle of a trust domain.
    Url(EndpointUri, FetchFiles),
    /// Where the metadata of the issuer says (`jwks_uri`).
    Discovery(FetchFiles),
    /// In this file, read when it is used: a JWK set, or the bundle of a trust domain.
    File(PathBuf),
    /// These.
    Set(Arc<JwkSet>),
}

/// Whether a token may come more than once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reuse {
    /// As often as it is valid: platforms hand out one token for an hour.
    #[default]
    Allowed,
    /// Once, by its `jti`; a token without one is refused.
    Once,
}

/// A platform whose tokens stand for clients here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrustedIssuer {
    /// Its name here.
    pub id: IssuerId,
    /// A name for people. Default: the id.
    pub name: String,
    /// What it calls itself in its tokens.
    pub named: Named,
    /// Where its keys are.
    pub keys: IssuerKeys,
    /// What its tokens name us in `aud`. Default, where empty: the issuer identifier of this server.
    pub audiences: Vec<String>,
    /// The longest life of its tokens. Default 1 h, at most 24 h.
    pub max_lifetime: Duration,
    /// Whether a token may come more than once. Default: yes.
    pub reuse: Reuse,
    /// What all its tokens must fulfil, whomever they stand for.
    pub conditions: Vec<Condition>,
    /// Whether its tokens are accepted: active or disabled.
    pub status: Status,
    /// When it was registered.
    pub created_at: UnixTime,
    /// Counts its changes, from 1; 0 before it is registered. The registry writes it.
    pub version: u64,
}

impl TrustedIssuer {
    /// An issuer with all defaults.
    #[must_use]
    pub fn new(id: IssuerId, named: Named, keys: IssuerKeys) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            named,
            keys,
            audiences: Vec::new(),
            max_lifetime: DEFAULT_MAX_LIFETIME,
            reuse: Reuse::Allowed,
            conditions: Vec::new(),
            status: Status::Active,
            created_at: UnixTime::from_seconds(0),
            version: 0,
        }
    }

    /// Adds a value of `aud` that is accepted.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// Sets the longest life of its tokens.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Sets whether a token may come more than once.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// Adds a condition on all its tokens.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

/// Whom an issuer must speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalSubject {
    /// `sub` is exactly this.
    Exact(String),
    /// `sub` is one of those that the pattern stands for.
    Matching(Pattern),
}

impl ExternalSubject {
    /// Whether `sub` is meant.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(own) => own == subject,
            Self::Matching(pattern) => pattern.matches(subject),
        }
    }

    /// The subject or the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(own) => own,
            Self::Matching(pattern) => pattern.as_str(),
        }
    }

    /// Whether no workload of a trust domain can have it.
    pub(crate) fn is_outside(&self, domain: &TrustDomain) -> bool {
        match self {
            Self::Exact(own) => SpiffeId::parse(own).is_ok_and(|id| id.trust_domain() != domain),
            Self::Matching(_) => false,
        }
    }
}

/// Which workload of which issuer a credential stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Federated {
    /// The trusted issuer.
    pub issuer: IssuerId,
    /// The workload.
    pub subject: ExternalSubject,
    /// What its tokens must fulfil besides.
    pub conditions: Vec<Condition>,
}

impl Federated {
    /// A workload of an issuer, without further conditions.
    #[must_use]
    pub fn new(issuer: IssuerId, subject: ExternalSubject) -> Self {
        Self { issuer, subject, conditions: Vec::new() }
    }

    /// Adds a condition.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}

/// Which credentials stand for workloads of one issuer, so that a token without `client_id` finds its client among
/// 100,000 others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mappings {
    exact: BTreeMap<String, BTreeSet<CredentialId>>,
    patterns: BTreeSet<CredentialId>,
}

impl Mappings {
    pub(super) fn add(&mut self, id: &CredentialId, subject: &ExternalSubject) {
        match subject {
            ExternalSubject::Exact(own) => {
                self.exact.entry(own.clone()).or_default().insert(id.clone());
            }
            ExternalSubject::Matching(_) => {
                self.patterns.insert(id.clone());
            }
        }
    }

    pub(super) fn remove(&mut self, id: &CredentialId, subject: &ExternalSubject) {
        match subject {
            ExternalSubject::Exact(own) => {
                if let Some(ids) = self.exact.get_mut(own) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.exact.remove(own);
                    }
                }
            }
            ExternalSubject::Matching(_) => {
                self.patterns.remove(id);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }

    /// Those that may stand for a subject: the ones that name it, and every pattern.
    pub(crate) fn candidates(&self, subject: &str) -> impl Iterator<Item = &CredentialId> {
        self.exact.get(subject).into_iter().flatten().chain(&self.patterns)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &CredentialId> {
        self.exact.values().flatten().chain(&self.patterns)
    }
}
