//! The identity of a cached token: a hash of everything that went into asking
//! for it.
//!
//! Whatever is left out of a cache key is one day the reason why somebody gets
//! another one's token. So nothing is opt-in here: server, client, method,
//! keys, grant and every parameter go in. Each part is written with its length,
//! so that no two lists of parts have the same bytes; the scope goes in as a
//! set, so that order and repetition do not matter.

use std::fmt;

use m2m_proto::jose::crypto::sha256;
use m2m_proto::uri::ResourceUri;

use crate::spec::TokenSpec;

#[cfg(test)]
mod tests;

/// SHA-256 over the canonical form. Contains no secret, and cannot be turned
/// back into what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey([u8; 32]);

/// Who asks whom, and how: the part of the key that is the same for all tokens
/// of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The issuer or the token endpoint.
    pub(crate) server: String,
    pub(crate) client_id: String,
    /// The authentication method's registered name.
    pub(crate) method: String,
    /// The thumbprint of the client's own key, where it is fixed.
    pub(crate) credential: String,
    /// The thumbprint of the key that tokens are bound to.
    pub(crate) binding: String,
    pub(crate) grant: String,
    /// Which service of the catalogue, with its variables; empty for none.
    pub(crate) dialect: String,
    /// For whom assertions are: where one is the token, it says for which API.
    pub(crate) assertion_audience: String,
}

impl CacheKey {
    /// The key of `spec`, whose gaps are already filled, for `identity`.
    pub(crate) fn new(identity: &Identity, spec: &TokenSpec) -> Self {
        let mut canonical = Canonical(b"m2m cache key 3".to_vec());
        let Identity { server, client_id, method, credential, binding, grant, dialect, assertion_audience } =
            identity;
        for part in [server, client_id, method, credential, binding, grant, dialect, assertion_audience] {
            canonical.text(part);
        }
        // No scope and the empty scope are different requests, and both differ from any other.
        let scope = spec.scope.as_ref().map(m2m_proto::scope::Scope::canonical);
        canonical.list(scope.iter().map(String::as_str));
        canonical.list(spec.audience.iter().map(String::as_str));
        canonical.list(spec.resources.iter().map(ResourceUri::as_str));
        canonical.list(spec.params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        Self(sha256(&canonical.0))
    }

    /// The bytes of the hash: associated data of what is stored under this key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lower-case hex: usable as a file name.
impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({self})")
    }
}

/// Length-prefixed parts.
struct Canonical(Vec<u8>);

impl Canonical {
    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn list<'a>(&mut self, parts: impl Iterator<Item = &'a str>) {
        let parts: Vec<&str> = parts.collect();
        self.number(parts.len());
        parts.into_iter().for_each(|part| self.text(part));
    }
}
