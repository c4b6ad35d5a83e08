//! What verification leads to: the token as its issuer made it ([`Checked`], the same for every request that
//! carries it), and the token as one request may use it ([`VerifiedAccessToken`]).

use std::fmt;
use std::sync::Arc;

use m2m_proto::jose::{Algorithm, Claims, VerifyingKey};
use m2m_proto::scope::Scope;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token::VerifiedClaims;
use m2m_proto::token::confirmation::{Confirmation, Possession};
use m2m_proto::token::presentation::PresentationScheme;

use crate::error::{ChallengeTemplate, Reason, Rejection};
use crate::issuers::Trust;
use crate::require::Required;
use crate::withdrawals::Place;

/// The key id of a token's header, without a copy where it is that of the key.
#[derive(Debug)]
pub(crate) enum HeaderKid {
    Absent,
    OfKey,
    Other(String),
}

impl HeaderKid {
    pub(crate) fn of(kid: Option<&str>, key: &VerifyingKey) -> Self {
        match kid {
            None => Self::Absent,
            Some(_) if kid == key.key_id() => Self::OfKey,
            Some(other) => Self::Other(other.to_owned()),
        }
    }

    fn get<'a>(&'a self, key: &'a VerifyingKey) -> Option<&'a str> {
        match self {
            Self::Absent => None,
            Self::OfKey => key.key_id(),
            Self::Other(kid) => Some(kid),
        }
    }
}

/// A JWT that was good when it was checked, with what is needed to see whether it still is. `Debug` shows no claims.
pub(crate) struct Checked {
    pub(crate) claims: VerifiedClaims,
    pub(crate) trust: Arc<Trust>,
    pub(crate) kid: HeaderKid,
    pub(crate) algorithm: Algorithm,
    /// What signed it.
    pub(crate) key: Arc<VerifyingKey>,
    /// In a status list.
    pub(crate) place: Option<Place>,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Checked");
        shown.field("issuer", &self.trust.issuer).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Checked {
    /// Whether what signed it is still the key of that name: `false` where another one has taken its place.
    ///
    /// # Errors
    /// The key was withdrawn, or the keys cannot be had.
    pub(crate) async fn has_its_key(&self) -> Result<bool, Reason> {
        let current = self.trust.keys.find(self.kid.get(&self.key), self.algorithm).await?;
        Ok(Arc::ptr_eq(&current, &self.key) || current.thumbprint() == self.key.thumbprint())
    }
}

/// Where the claims of an accepted token come from.
#[derive(Clone)]
pub(crate) enum Source {
    Jwt(Arc<Checked>),
    #[cfg(feature = "introspection")]
    Introspected(Arc<m2m_proto::introspection::VerifiedIntrospection>),
}

impl Source {
    pub(crate) fn confirmation(&self) -> Option<&Confirmation> {
        match self {
            Self::Jwt(checked) => checked.claims.confirmation(),
            #[cfg(feature = "introspection")]
            Self::Introspected(token) => token.confirmation(),
        }
    }

    /// Whether it is good at `now`, after whatever was waited for.
    pub(crate) fn check_times(&self, now: UnixTime, skew: Skew) -> Result<(), Reason> {
        match self {
            Self::Jwt(checked) => Ok(checked.claims.check_times(now, skew)?),
            #[cfg(feature = "introspection")]
            Self::Introspected(token) => Ok(token.check_times(now, skew)?),
        }
    }
}

/// A token that is good for this request. Made by [`Verifier::verify`](crate::Verifier::verify) only. `Debug` shows no
/// claims.
#[derive(Clone)]
pub struct VerifiedAccessToken {
    source: Source,
    possession: Possession,
    scheme: PresentationScheme,
    template: Arc<ChallengeTemplate>,
}

impl VerifiedAccessToken {
    pub(crate) fn new(
        source: Source,
        possession: Possession,
        scheme: PresentationScheme,
        template: Arc<ChallengeTemplate>,
    ) -> Self {
        Self { source, possession, scheme, template }
    }

    /// All claims, or all members of the introspection answer.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        match &self.source {
            Source::Jwt(checked) => checked.claims.claims(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.claims(),
        }
    }

    /// What it allows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match &self.source {
            Source::Jwt(checked) => checked.claims.scope(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.scope(),
        }
    }

    /// The client it was issued to.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match &self.source {
            Source::Jwt(checked) => checked.claims.client_id(),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => token.client_id(),
        }
    }

    /// Whether it names `audience`, in `aud` or where the profile of its issuer has it. That it names one of those that the verifier is for was checked.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        match &self.source {
            Source::Jwt(checked) => checked.claims.names(audience, &checked.trust.profile),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => {
                token.claims().aud.as_ref().is_some_and(|named| named.contains(audience))
            }
        }
    }

    /// Whether it has what a route demands.
    ///
    /// # Errors
    /// As [`Required::check`].
    pub fn require(&self, required: &Required) -> Result<(), Rejection> {
        required.check(self)
    }

    /// Whom it speaks for; with client credentials, the client.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims().sub.as_deref()
    }

    /// Who issued it, as it is trusted here: the answer about an opaque token need not say so.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match &self.source {
            Source::Jwt(checked) => Some(checked.trust.issuer.as_str()),
            #[cfg(feature = "introspection")]
            Source::Introspected(token) => Some(token.issuer().as_str()),
        }
    }

    /// Until when it is good.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        match &self.source {
            Source::Jwt(checked) => checked.claims.expires_at(),
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

impl fmt::Debug for VerifiedAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedAccessToken").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl fmt::Display for VerifiedAccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token of {}", self.client_id().unwrap_or("unknown"))
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::SigningKey;

    use super::*;
    use crate::fixture::{checked, key};

    fn verifying(key: &SigningKey) -> VerifyingKey {
        key.verifying_key().as_ref().clone()
    }

    #[test]
    fn the_key_id_is_that_of_the_header_and_copied_only_where_it_differs() {
        let named = verifying(&key(Algorithm::Es256, "k1"));
        let nameless = verifying(&SigningKey::generate(Algorithm::Es256).unwrap());
        let check = |kid: Option<&str>, key: &VerifyingKey, copied: bool| {
            let kept = HeaderKid::of(kid, key);
            assert_eq!(kept.get(key), kid);
            assert_eq!(matches!(kept, HeaderKid::Other(_)), copied, "{kid:?}");
        };
        check(None, &named, false);
        check(Some("k1"), &named, false);
        check(Some("k2"), &named, true);
        check(Some("k1"), &nameless, true);
    }

    /// The same key may have been read again, another one may have taken its name.
    #[tokio::test]
    async fn a_key_is_told_by_what_it_is() {
        let signing = key(Algorithm::Es256, "k1");
        let own = checked(&signing);
        assert!(own.has_its_key().await.unwrap(), "read twice");
        let held = own.trust.keys.find(Some("k1"), Algorithm::Es256).await.unwrap();
        assert!(!Arc::ptr_eq(&held, &own.key) && held.thumbprint() == own.key.thumbprint());
        let same = Checked { key: held, ..checked(&signing) };
        assert!(same.has_its_key().await.unwrap(), "read again and the same");
        let replaced =
            Checked { key: Arc::new(verifying(&key(Algorithm::Es256, "k1"))), ..checked(&signing) };
        assert!(!replaced.has_its_key().await.unwrap());
    }
}
