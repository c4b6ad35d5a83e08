//! Access tokens: asking for one, getting one, carrying one, checking one.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`dialect`] | what real services do otherwise |
//! | [`request`] | the token request (RFC 6749 sections 4.4.2 and 4.5, RFC 8707) |
//! | [`response`] | the successful answer (RFC 6749 section 5.1) |
//! | [`presentation`] | how a token travels to an API (RFC 6750, 9449) |
//! | [`access_token`] | the token as a signed JWT (RFC 9068) |
//! | [`sealed`] | the token as sealed claims, opaque to all but its issuer |
//! | [`confirmation`] | the key that a token is bound to (RFC 7800) |

pub mod access_token;
pub mod confirmation;
pub mod dialect;
mod object;
pub mod presentation;
pub mod request;
pub mod response;
pub mod sealed;

pub use access_token::{AccessTokenClaims, VerifiedClaims};
pub use confirmation::{Confirmation, Possession, SenderConstraint};
pub use dialect::{
    ErrorShape, GrantTypePlace, LifetimeUnit, ParameterPlace, Parameters, RequestDialect, ResponseDialect,
};
pub use presentation::{Presentation, PresentationScheme};
pub use request::{GrantKind, TokenRequest, TokenRequestError};
pub use response::{ExpiresIn, IssuedToken, TokenResponse, TokenResponseError};
pub use sealed::TokenSeal;

use std::fmt;

use crate::jose::{base64url, crypto};
use crate::names::{auth_scheme, token_type};
use crate::secret::SecretString;

/// An access token: opaque to everyone but its issuer and its audience
/// (RFC 6749 section 1.4). Never printed; compared in constant time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken(SecretString);

/// Why a text cannot be an access token. Carries nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessTokenTextError {
    /// No characters at all.
    #[error("access token is empty")]
    Empty,
    /// Longer than [`AccessToken::MAX_BYTES`].
    #[error("access token is longer than {} bytes", AccessToken::MAX_BYTES)]
    TooLong,
    /// White space, a control character, or anything outside US-ASCII: it
    /// could not travel in a header.
    #[error("access token has white space, a control character or non-ASCII text")]
    Character,
}

impl AccessToken {
    /// The longest token accepted: 16 KiB, more than common servers accept in
    /// one header.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Checks length and characters (`%x21-7E`; RFC 6749 appendix A.12 would
    /// also allow the space, which no header can carry safely).
    ///
    /// # Errors
    /// [`AccessTokenTextError`], naming the rule broken.
    pub fn parse(text: &str) -> Result<Self, AccessTokenTextError> {
        if text.is_empty() {
            return Err(AccessTokenTextError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(AccessTokenTextError::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AccessTokenTextError::Character);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// A token that was made here of base64url and dots; only its length is left to be checked.
    pub(in crate::token) fn made(text: String) -> Result<Self, AccessTokenTextError> {
        if text.len() > Self::MAX_BYTES {
            return Err(AccessTokenTextError::TooLong);
        }
        Ok(Self(SecretString::new(text)))
    }

    /// The token itself. Whoever calls this is responsible for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Eight characters that name this token in logs and tell nothing about
    /// it: the beginning of the base64url SHA-256 of its text. 48 bits, so
    /// never a key of a cache.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = base64url::encode(crypto::sha256(self.expose().as_bytes()).as_slice());
        text.truncate(8);
        text
    }
}

/// How a token has to be presented (RFC 6749 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// RFC 6750: whoever holds it may use it.
    Bearer,
    /// RFC 9449: bound to a key, used with a proof.
    Dpop,
    /// A type that we do not understand; such a token must not be used
    /// (RFC 6749 section 7.1). As the server wrote it.
    Other(String),
}

impl TokenType {
    /// Reads a type name, without regard to case (RFC 6749 section 5.1).
    // spec: 6749-C6
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.eq_ignore_ascii_case(auth_scheme::BEARER) {
            Self::Bearer
        } else if text.eq_ignore_ascii_case(auth_scheme::DPOP) {
            Self::Dpop
        } else {
            Self::Other(text.to_owned())
        }
    }

    /// Whether the server says that this is no access token at all: `N_A`, for
    /// what a token exchange may issue instead (RFC 8693 section 2.2.1).
    // spec: 8693-C2
    #[must_use]
    pub fn is_not_applicable(&self) -> bool {
        matches!(self, Self::Other(text) if text.eq_ignore_ascii_case(token_type::N_A))
    }

    /// The type as we write it: `Bearer`, `DPoP`, or what the server wrote.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bearer => auth_scheme::BEARER,
            Self::Dpop => auth_scheme::DPOP,
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<(), AccessTokenTextError>) {
        assert_eq!(AccessToken::parse(text).map(|t| assert_eq!(t.expose(), text)), expect);
    }

    #[test]
    fn length_and_characters() {
        check("2YotnFZFEjr1zCsicMWpAA", Ok(()));
        check("a.b-c_d~e+f/g==|{\"", Ok(()));
        check(&"x".repeat(AccessToken::MAX_BYTES), Ok(()));
        check("", Err(AccessTokenTextError::Empty));
        check(&"x".repeat(AccessToken::MAX_BYTES + 1), Err(AccessTokenTextError::TooLong));
        for bad in ["a b", "a\n", "a\r\nX: y", "a\0", "a\u{7f}", "é"] {
            check(bad, Err(AccessTokenTextError::Character));
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = AccessToken::parse("canary").unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken([redacted])");
        assert!(!token.fingerprint().contains("canary"));
    }

    #[test]
    fn the_fingerprint_is_the_start_of_the_hash() {
        // SHA-256("abc") = ba7816bf 8f01cfea …
        assert_eq!(AccessToken::parse("abc").unwrap().fingerprint(), "ungWv48B");
    }

    // spec-test: 6749-C6
    #[test]
    fn token_types_compare_without_case() {
        for (text, expect) in [
            ("bearer", TokenType::Bearer),
            ("BEARER", TokenType::Bearer),
            ("dpop", TokenType::Dpop),
            ("DPoP", TokenType::Dpop),
            ("mac", TokenType::Other("mac".into())),
            ("N_A", TokenType::Other("N_A".into())),
        ] {
            assert_eq!(TokenType::parse(text), expect, "{text}");
        }
    }

    // spec-test: 8693-C2
    #[test]
    fn n_a_is_no_type_to_use() {
        for (text, expect) in
            [("N_A", true), ("n_a", true), ("Bearer", false), ("DPoP", false), ("mac", false)]
        {
            assert_eq!(TokenType::parse(text).is_not_applicable(), expect, "{text}");
        }
    }
}
