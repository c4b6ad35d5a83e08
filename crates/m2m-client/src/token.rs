//! A token as the application sees it: text, type, life, and the header that
//! presents it, built once.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use m2m_io::Now;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, TokenType, presentation};
use serde_json::{Map, Value};

use crate::cache::CacheKey;
use crate::error::{Error, Fault};

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenOrigin {
    /// A token request of this client.
    Minted,
    /// A [`TokenStore`](crate::TokenStore): another process asked for it.
    Store,
    /// The application gave it ([`StaticToken`](crate::StaticToken)).
    Given,
}

/// An access token and what is known of it. Immutable; shared by reference.
///
/// `Debug` shows a fingerprint instead of the token.
pub struct Token {
    access_token: AccessToken,
    token_type: TokenType,
    scope: Option<Scope>,
    extra: Map<String, Value>,
    authorization: HeaderValue,
    digest: [u8; 32],
    obtained: Now,
    life: Duration,
    origin: TokenOrigin,
    key: Option<CacheKey>,
}

/// What a [`Token`] is made of.
pub(crate) struct TokenParts {
    pub(crate) access_token: AccessToken,
    pub(crate) token_type: TokenType,
    pub(crate) scope: Option<Scope>,
    pub(crate) extra: Map<String, Value>,
    pub(crate) obtained: Now,
    pub(crate) life: Duration,
    pub(crate) origin: TokenOrigin,
    /// Where the cache keeps it.
    pub(crate) key: Option<CacheKey>,
}

impl Token {
    /// Builds the header; fails if the token cannot stand in one.
    pub(crate) fn new(parts: TokenParts) -> Result<Self, Error> {
        let authorization =
            presentation::authorization(&parts.access_token, &parts.token_type).map_err(|error| {
                Error::caused(Fault::Internal { what: "the token does not fit a header" }, error)
            })?;
        Ok(Self {
            digest: sha256(parts.access_token.expose().as_bytes()),
            authorization,
            access_token: parts.access_token,
            token_type: parts.token_type,
            scope: parts.scope,
            extra: parts.extra,
            obtained: parts.obtained,
            life: parts.life,
            origin: parts.origin,
            key: parts.key,
        })
    }

    /// The token itself. Whoever calls this is responsible for where it goes.
    #[must_use]
    pub fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    /// `Bearer` or `DPoP`.
    #[must_use]
    pub fn token_type(&self) -> &TokenType {
        &self.token_type
    }

    /// The granted scope as the server said it, or what was asked for where it
    /// said nothing (RFC 6749 section 5.1). `None`: nothing asked, nothing said.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// When it expires by the wall clock, counted from the moment before the
    /// request was sent. Serving stops a little earlier.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.obtained.wall.saturating_add(self.life)
    }

    /// When it was asked for.
    #[must_use]
    pub fn obtained_at(&self) -> UnixTime {
        self.obtained.wall
    }

    /// How long it lives from [`Token::obtained_at`] on.
    #[must_use]
    pub fn life(&self) -> Duration {
        self.life
    }

    /// The value of the `Authorization` header, marked sensitive. A DPoP token
    /// also needs a proof for each request: see [`Client::attach`](crate::Client::attach).
    #[must_use]
    pub fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// Further members of the token response.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> TokenOrigin {
        self.origin
    }

    pub(crate) fn obtained(&self) -> Now {
        self.obtained
    }

    pub(crate) fn key(&self) -> Option<&CacheKey> {
        self.key.as_ref()
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("fingerprint", &self.access_token.fingerprint())
            .field("token_type", &self.token_type)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// A copy of `value` that shares no memory with it: clones of a `HeaderValue`
/// count references, and that counter is a line of memory that cores fight for.
pub(crate) fn deep_copy(value: &HeaderValue) -> Result<HeaderValue, Error> {
    let mut copy = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|error| Error::caused(Fault::Internal { what: "a header cannot be copied" }, error))?;
    copy.set_sensitive(true);
    Ok(copy)
}
