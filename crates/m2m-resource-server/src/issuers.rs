//! Whom to believe, about what: one entry per issuer, found by the exact `iss`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, Clock, HttpClient, ReqwestHttp};
use m2m_proto::jose::Algorithm;
use m2m_proto::time::Skew;
use m2m_proto::token::access_token;
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::Issuer;

use crate::error::{Error, Reason};
#[cfg(feature = "introspection")]
use crate::introspect::Introspection;
use crate::keys::IssuerKeys;
use crate::trusted::{KeysFrom, TrustedIssuer};
use crate::withdrawals::{DocumentSigner, StatusCheck, Withdrawals};

/// What issuers share: how to reach them, and what time it is.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Made when something has to be fetched, unless one was given.
    pub(crate) http: Option<Arc<dyn HttpClient>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
    /// For issuers without a client of their own.
    #[cfg(feature = "introspection")]
    pub(crate) introspection: Option<Arc<Introspection>>,
}

impl Outside {
    fn http(&mut self) -> Result<Arc<dyn HttpClient>, Error> {
        if let Some(http) = &self.http {
            return Ok(Arc::clone(http));
        }
        let made = ReqwestHttp::builder().build().map_err(|error| Error::Http(error.to_string()))?;
        Ok(Arc::clone(self.http.insert(Arc::new(made))))
    }
}

/// A trusted issuer, checked, with its keys. `Debug` shows nothing of any token.
pub(crate) struct Trust {
    pub(crate) issuer: Issuer,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Arc<[Algorithm]>,
    pub(crate) profile: TokenProfile,
    pub(crate) keys: Arc<IssuerKeys>,
    pub(crate) withdrawals: Withdrawals,
    /// Its own, or the one for all.
    #[cfg(feature = "introspection")]
    pub(crate) introspection: Option<Arc<Introspection>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Trust");
        shown.field("issuer", &self.issuer).field("audiences", &self.audiences);
        shown.field("profile", &self.profile.name).finish_non_exhaustive()
    }
}

impl Trust {
    /// Fetches keys and feed, unless they are held.
    pub(crate) fn prepare(&self) -> BoxFuture<'_, Result<(), Reason>> {
        Box::pin(async move {
            let keys = self.keys.prepare().await;
            keys.and(self.withdrawals.prepare().await)
        })
    }

    fn new(one: TrustedIssuer, outside: &mut Outside) -> Result<Self, Error> {
        let status = one.withdrawals.status;
        let algorithms: Arc<[Algorithm]> = one.algorithms.into();
        let keys = Arc::new(match one.keys {
            KeysFrom::Fixed(set) => IssuerKeys::Fixed(set),
            from => IssuerKeys::remote(&one.issuer, from, one.key_times, &outside.http()?, &outside.clock),
        });
        let reads = status != StatusCheck::Ignore || one.withdrawals.feed.is_some();
        let withdrawals = if reads {
            let signer = DocumentSigner {
                issuer: one.issuer.clone(),
                algorithms: Arc::clone(&algorithms),
                keys: Arc::clone(&keys),
                http: outside.http()?,
                clock: Arc::clone(&outside.clock),
                skew: outside.skew,
            };
            Withdrawals::new(one.withdrawals, signer)
        } else {
            Withdrawals::ignored()
        };
        #[cfg(feature = "introspection")]
        let introspection = one.introspection.build(&outside.clock, || one.issuer.as_str().to_owned())?;
        #[cfg(feature = "introspection")]
        let introspection = introspection.or_else(|| outside.introspection.clone());
        Ok(Self {
            issuer: one.issuer,
            audiences: one.audiences,
            algorithms,
            profile: one.profile,
            keys,
            withdrawals,
            #[cfg(feature = "introspection")]
            introspection,
        })
    }

    /// How long a token is accepted at most whose credential or client was withdrawn; `None`: until it expires.
    pub(crate) fn withdrawn_credential(&self) -> Option<Duration> {
        self.asked_or(self.withdrawals.credential_seen_within())
    }

    /// The same for a single token that was withdrawn.
    pub(crate) fn withdrawn_token(&self) -> Option<Duration> {
        self.asked_or(self.withdrawals.token_seen_within())
    }

    /// The server is asked about every token, or about those only that no document speaks of.
    fn asked_or(&self, read: Option<Duration>) -> Option<Duration> {
        #[cfg(feature = "introspection")]
        if let Some(introspection) = &self.introspection {
            let answers = introspection.longest_use();
            return if introspection.asks_about_jwt() {
                Some(answers)
            } else {
                read.map(|read| read.max(answers))
            };
        }
        read
    }

    /// The identifier of ours that the token names, or any of them, for it to be refused by.
    pub(crate) fn audience_of(&self, token: &access_token::Unverified<'_>) -> &str {
        self.audience_where(|audience| token.names(audience, &self.profile))
    }

    /// The same for what an introspection answer names.
    #[cfg(feature = "introspection")]
    pub(crate) fn audience_among(&self, named: Option<&m2m_proto::jose::Audience>) -> &str {
        self.audience_where(|audience| named.is_some_and(|named| named.contains(audience)))
    }

    fn audience_where(&self, is_named: impl Fn(&str) -> bool) -> &str {
        let named = self.audiences.iter().find(|audience| is_named(audience));
        named.or(self.audiences.first()).map_or("", String::as_str)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Issuers {
    all: Vec<Arc<Trust>>,
    #[cfg(feature = "introspection")]
    opaque: Vec<Opaque>,
}

/// Who answers for opaque tokens that begin in some way.
#[cfg(feature = "introspection")]
#[derive(Debug)]
pub(crate) struct Opaque {
    pub(crate) introspection: Arc<Introspection>,
    /// Whose server it is; `None` for that of several.
    pub(crate) trust: Option<Arc<Trust>>,
}

impl Issuers {
    /// Checks what must not be left open.
    // spec: JWT-V1, JWT-V2
    pub(crate) fn new(trusted: Vec<TrustedIssuer>, mut outside: Outside) -> Result<Self, Error> {
        let mut issuers: Vec<Arc<Trust>> = Vec::with_capacity(trusted.len());
        for one in trusted {
            let name = || one.issuer.as_str().to_owned();
            if one.audiences.is_empty() || one.audiences.iter().any(String::is_empty) {
                return Err(Error::NoAudience(name()));
            }
            if one.algorithms.is_empty() || one.algorithms.iter().any(|algorithm| algorithm.is_symmetric()) {
                return Err(Error::Algorithms(name()));
            }
            one.check_transport()?;
            if issuers.iter().any(|other| other.issuer == one.issuer) {
                return Err(Error::IssuerTwice(name()));
            }
            issuers.push(Arc::new(Trust::new(one, &mut outside)?));
        }
        if issuers.is_empty() {
            return Err(Error::NoIssuer);
        }
        Ok(Self {
            #[cfg(feature = "introspection")]
            opaque: opaque(&issuers)?,
            all: issuers,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Trust> {
        self.all.iter().map(Arc::as_ref)
    }

    /// The one whose tokens carry exactly this `iss`.
    pub(crate) fn find(&self, iss: &str) -> Option<&Arc<Trust>> {
        self.all.iter().find(|trust| trust.issuer.as_str() == iss)
    }

    /// The only one, where there is only one.
    #[cfg(feature = "introspection")]
    pub(crate) fn sole(&self) -> Option<&Trust> {
        match self.all.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Who is asked about this opaque token: the one with the longest beginning that fits.
    #[cfg(feature = "introspection")]
    pub(crate) fn opaque(&self, token: &str) -> Option<&Opaque> {
        let fits = |one: &&Opaque| one.introspection.opaque().is_some_and(|prefix| token.starts_with(prefix));
        self.opaque.iter().filter(fits).max_by_key(|one| one.introspection.opaque().map(str::len))
    }
}

/// An opaque token does not say who issued it, and must not be shown to anybody else: its beginning decides.
#[cfg(feature = "introspection")]
fn opaque(issuers: &[Arc<Trust>]) -> Result<Vec<Opaque>, Error> {
    let mut found: Vec<Opaque> = Vec::new();
    for trust in issuers {
        let Some(introspection) = trust.introspection.as_ref() else { continue };
        let Some(prefix) = introspection.opaque() else { continue };
        if let Some(known) = found.iter_mut().find(|one| Arc::ptr_eq(&one.introspection, introspection)) {
            known.trust = None;
        } else if found.iter().any(|one| one.introspection.opaque() == Some(prefix)) {
            return Err(Error::OpaqueTwice(trust.issuer.as_str().to_owned()));
        } else {
            let (introspection, trust) = (Arc::clone(introspection), Some(Arc::clone(trust)));
            found.push(Opaque { introspection, trust });
        }
    }
    Ok(found)
}
