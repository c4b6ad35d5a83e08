//! APIs: what a token can be for, and how tokens for it are made.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::text;
use m2m_proto::time::UnixTime;

/// The longest identifier of an API, in bytes.
pub const MAX_IDENTIFIER_BYTES: usize = 512;

/// The life of a token when neither API nor client says otherwise: 600 s.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

/// No token lives longer than this, whatever is configured: 24 h.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The name of an API: what `resource` and `audience` ask for and what `aud` carries.
///
/// Compared by code point. Usually an absolute URI, which only `resource` demands (RFC 8707 §2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiIdentifier(Arc<str>);

/// A text that cannot name an API: empty, longer than 512 bytes, or not printable ASCII without
/// space, quote and backslash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an API identifier: 1 to 512 printable ASCII characters without space, quote and backslash")]
pub struct ApiIdentifierError;

impl ApiIdentifier {
    /// Accepts 1 to 512 bytes of printable ASCII without space, `"` and `\`.
    ///
    /// # Errors
    /// [`ApiIdentifierError`] otherwise.
    pub fn parse(text: &str) -> Result<Self, ApiIdentifierError> {
        let length_fits = (1..=MAX_IDENTIFIER_BYTES).contains(&text.len());
        if length_fits && text.bytes().all(text::is_nqchar) {
            Ok(Self(text.into()))
        } else {
            Err(ApiIdentifierError)
        }
    }

    /// The identifier as it stands in `aud`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ApiIdentifier {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether tokens must be bound to a key of the caller.
///
/// A proof that a client sends is always honoured; this says what is demanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderConstraint {
    /// Bearer tokens are issued unless the client sends a DPoP proof.
    #[default]
    None,
    /// A token request without a DPoP proof is refused (RFC 9449 §5.2).
    Dpop,
    /// A token request without a client certificate is refused, and the token is bound to it
    /// (RFC 8705 §3).
    Mtls,
}

impl SenderConstraint {
    /// Every constraint.
    pub const ALL: [Self; 3] = [Self::None, Self::Dpop, Self::Mtls];

    /// Its name: `none`, `dpop`, `mtls`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dpop => "dpop",
            Self::Mtls => "mtls",
        }
    }
}

/// What the tokens of an API look like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenFormat {
    /// Signed, for anybody to check (RFC 9068).
    #[default]
    Jwt,
    /// Sealed claims that only this server can read; its APIs introspect them.
    Opaque,
}

impl TokenFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Jwt, Self::Opaque];

    /// Its name: `jwt`, `opaque`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
        }
    }
}

/// One scope of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiScope {
    /// The scope token, as clients ask for it.
    pub token: ScopeToken,
    /// What it allows, for people.
    pub description: String,
}

/// An API that tokens can be issued for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Api {
    /// What `aud` carries.
    pub identifier: ApiIdentifier,
    /// A name for people. Default: the identifier.
    pub name: String,
    /// Clients that may introspect tokens for this API. Default: none.
    pub resource_servers: BTreeSet<ClientId>,
    /// The scopes it knows. Grants outside them are refused at registration.
    pub scopes: Vec<ApiScope>,
    /// What its tokens look like. Default: JWTs.
    pub format: TokenFormat,
    /// How long its tokens live. Default 600 s, at most 24 h.
    pub lifetime: Duration,
    /// How its tokens are signed. Default ES256.
    pub algorithm: Algorithm,
    /// What its tokens must be bound to. Default: nothing.
    pub sender_constraint: SenderConstraint,
    /// When it was registered: tokens for an earlier API of the same name are not for it.
    pub created_at: UnixTime,
    /// Counts its changes, from 1; 0 before it is registered. The registry writes it.
    pub version: u64,
}

impl Api {
    /// An API without scopes, with all defaults.
    #[must_use]
    pub fn new(identifier: ApiIdentifier) -> Self {
        Self {
            name: identifier.as_str().to_owned(),
            identifier,
            resource_servers: BTreeSet::new(),
            scopes: Vec::new(),
            format: TokenFormat::Jwt,
            lifetime: DEFAULT_LIFETIME,
            algorithm: Algorithm::Es256,
            sender_constraint: SenderConstraint::None,
            created_at: UnixTime::from_seconds(0),
            version: 0,
        }
    }

    /// Adds one scope.
    #[must_use]
    pub fn scope(mut self, token: ScopeToken, description: &str) -> Self {
        self.scopes.push(ApiScope { token, description: description.to_owned() });
        self
    }

    /// Lets `client` introspect tokens for this API (RFC 7662 §2.1).
    #[must_use]
    pub fn resource_server(mut self, client: ClientId) -> Self {
        self.resource_servers.insert(client);
        self
    }

    /// Sets what its tokens look like.
    #[must_use]
    pub fn format(mut self, format: TokenFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets the life of its tokens.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the algorithm of its tokens.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Sets what its tokens must be bound to.
    #[must_use]
    pub fn sender_constraint(mut self, constraint: SenderConstraint) -> Self {
        self.sender_constraint = constraint;
        self
    }

    /// Whether this API knows one scope.
    #[must_use]
    pub fn has(&self, token: &ScopeToken) -> bool {
        self.scopes.iter().any(|own| own.token == *token)
    }

    /// Whether this API knows every token of `scope`.
    #[must_use]
    pub fn owns(&self, scope: &Scope) -> bool {
        scope.iter().all(|asked| self.has(asked))
    }
}
