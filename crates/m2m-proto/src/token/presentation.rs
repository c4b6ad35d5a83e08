//! How an access token travels: in the `Authorization` header, as `Bearer` or
//! as `DPoP`, and nowhere else.
//!
//! Sections: RFC 6750 section 2.1, RFC 9449 section 7.1, RFC 9110 section 11.6.2
//!
//! Enforces, when reading, in this order:
//! 1. at most one `Authorization` header, so never both schemes at once
//! 2. the scheme, without regard to case, is one of the two; any other counts
//!    as no token at all
//! 3. the token is `token68`, 1 to 16 KiB
//!
//! Tokens in the form or in the query string are never looked at: they end in
//! logs and in histories (RFC 9700 section 4.3.2).
//!
//! Does not enforce: that a `DPoP` token comes with a proof, nor that a bound
//! token is not sent as `Bearer` (`confirmation::verify`).

use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::{AccessToken, TokenType};
use crate::names::{auth_scheme, header};
use crate::text::is_token68_char;

/// Why no access token could be taken from, or put into, a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresentationError {
    /// Several `Authorization` headers.
    #[error("more than one Authorization header")]
    Repeated,
    /// The scheme is followed by nothing, or by something that is no `token68`.
    #[error("the Authorization header holds no well-formed token")]
    Malformed,
    /// The token exceeds 16 KiB.
    #[error("the token is too long")]
    TooLong,
    /// A token whose type is not understood cannot be presented.
    #[error("the token type is not understood")]
    UnknownTokenType,
}

/// The scheme under which a token was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresentationScheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449 section 7.1.
    Dpop,
}

impl PresentationScheme {
    /// The scheme as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => auth_scheme::BEARER,
            Self::Dpop => auth_scheme::DPOP,
        }
    }
}

/// A token as it was presented, not yet verified in any way.
#[derive(Clone, Debug)]
pub struct Presentation {
    scheme: PresentationScheme,
    token: AccessToken,
}

impl Presentation {
    /// Reads the request's headers; `None` where no token is presented.
    ///
    /// # Errors
    /// `Repeated`, `Malformed`, `TooLong`: all are `invalid_request`.
    // spec: 6750-C1
    // spec: 6750-RS1
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, PresentationError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(PresentationError::Repeated);
        }
        let Some((scheme, rest)) = scheme_of(value.as_bytes()) else { return Ok(None) };
        let token = token68(rest).ok_or(PresentationError::Malformed)?;
        // `token68` has fewer characters than a token may have.
        let token = AccessToken::made(token.to_owned()).map_err(|_| PresentationError::TooLong)?;
        Ok(Some(Self { scheme, token }))
    }

    /// A presentation that did not come in headers: the token of a gateway's
    /// own rule or of the command line.
    #[must_use]
    pub fn new(scheme: PresentationScheme, token: AccessToken) -> Self {
        Self { scheme, token }
    }

    /// The scheme that was used.
    #[must_use]
    pub fn scheme(&self) -> PresentationScheme {
        self.scheme
    }

    /// The token that was presented.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}

/// The `Authorization` header for a token of that type, marked sensitive.
///
/// # Errors
/// `UnknownTokenType` for [`TokenType::Other`] (RFC 6749 section 7.1: a client
/// must not use a type that it does not understand); `Malformed` for a token
/// that no header can carry.
// spec: 6749-C6
pub fn authorization(token: &AccessToken, token_type: &TokenType) -> Result<HeaderValue, PresentationError> {
    let scheme = match token_type {
        TokenType::Bearer => PresentationScheme::Bearer,
        TokenType::Dpop => PresentationScheme::Dpop,
        TokenType::Other(_) => return Err(PresentationError::UnknownTokenType),
    };
    let text = Zeroizing::new(format!("{} {}", scheme.as_str(), token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| PresentationError::Malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Splits off the scheme; `None` for schemes that carry no access token.
fn scheme_of(value: &[u8]) -> Option<(PresentationScheme, &[u8])> {
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (name, rest) = value.split_at_checked(end)?;
    [PresentationScheme::Bearer, PresentationScheme::Dpop]
        .into_iter()
        .find(|scheme| name.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
        .map(|scheme| (scheme, rest))
}

/// RFC 9110 section 11.2: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn token68(rest: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(rest).ok()?.trim_matches(' ');
    let bare = text.trim_end_matches('=');
    let well_formed = bare.bytes().fold(true, |all, byte| all & is_token68_char(byte));
    (!bare.is_empty() && well_formed).then_some(text)
}

#[cfg(test)]
mod tests;
