//! JWK thumbprints.
//!
//! Sections: RFC 7638 §3, RFC 8037 appendix A.3, RFC 9449 §6.1 (`jkt`)
//! Enforces: only the required members count, sorted, without whitespace
//! Limits: SHA-256 only

use std::fmt;

use super::base64url;
use super::crypto::sha256;

/// The base64url text of the SHA-256 thumbprint of a key (43 characters).
///
/// Of a shared secret, a thumbprint lets others test guesses (RFC 7638 §7): publish it
/// for public keys only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JwkThumbprint(String);

impl JwkThumbprint {
    /// Takes a thumbprint from a message, such as `cnf.jkt`; `None` unless it is 32 bytes of
    /// strict base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base64url::decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    /// The hash of the canonical JSON of a key.
    // spec: JOSE-V7
    pub(super) fn of_canonical(json: &str) -> Self {
        Self(base64url::encode(sha256(json.as_bytes())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JwkThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
