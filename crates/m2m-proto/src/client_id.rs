//! Client identifiers (RFC 6749 section 2.2).

use std::fmt;

use crate::text::ShortText;

/// The public name of a client at one authorization server: one to 256
/// `VSCHAR` characters (RFC 6749 appendix A.1). Compared code point for code
/// point. Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(ShortText);

/// Why a text is not a client identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientIdError {
    /// No characters at all.
    #[error("client_id is empty")]
    Empty,
    /// Longer than [`ClientId::MAX_BYTES`].
    #[error("client_id is longer than {} bytes", ClientId::MAX_BYTES)]
    TooLong,
    /// A character outside printable US-ASCII.
    #[error("client_id has a character outside printable US-ASCII")]
    Character,
}

impl ClientId {
    /// The longest client identifier accepted: 256 bytes. RFC 6749 sets no
    /// limit; the longest in the field (URLs, SPIFFE ids) stay well below.
    pub const MAX_BYTES: usize = 256;

    /// Checks length and characters.
    ///
    /// # Errors
    /// [`ClientIdError`], naming the first rule broken.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        if text.is_empty() {
            return Err(ClientIdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(ClientIdError::TooLong);
        }
        if !text.bytes().all(crate::text::is_vschar) {
            return Err(ClientIdError::Character);
        }
        Ok(Self(text.into()))
    }

    /// The identifier as it goes on the wire, before any encoding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        Self::parse(text)
    }
}

/// Lets maps keyed by client be asked with a `&str`.
impl std::borrow::Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<(), ClientIdError>) {
        assert_eq!(ClientId::parse(text).map(|id| assert_eq!(id.as_str(), text)), expect);
    }

    #[test]
    fn length_and_characters() {
        check("svc-orders", Ok(()));
        check("a b:c%20+\"\\", Ok(()));
        check(&"x".repeat(256), Ok(()));
        check("", Err(ClientIdError::Empty));
        check(&"x".repeat(257), Err(ClientIdError::TooLong));
        check("a\nb", Err(ClientIdError::Character));
        check("clé", Err(ClientIdError::Character));
        check("a\u{7f}", Err(ClientIdError::Character));
    }
}
