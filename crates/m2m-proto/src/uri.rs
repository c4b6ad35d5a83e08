//! Identifiers and addresses: issuer, endpoint, origin, resource.
//!
//! Sections: RFC 8414 section 2; RFC 6749 section 3.2; RFC 6454; RFC 8707
//!   section 2; RFC 3986
//! Enforces: only characters that RFC 3986 allows, so that no two parsers can
//!   read one text differently; `http` or `https` where something is fetched; no
//!   user information; no fragment; for issuers no query; a host that is a
//!   plain name or a plainly written IP address.
//! Does not enforce: encryption, which is [`EndpointUri::check_transport`]'s;
//!   where a name resolves to, which is decided at connect (`m2m-io`, egress).
//! Limits: 2048 bytes; issuers 1536.
//!
//! Texts are kept as they were written: an issuer is compared code point for
//! code point (RFC 8414 section 3.3), never normalized.

mod origin;

use std::fmt;

pub use origin::Origin;
use origin::{Scheme, parse_authority};

const MAX_BYTES: usize = 2048;

/// Why a text is not the URI it should be. Carries nothing of the text, whose
/// query may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// Longer than 2048 bytes, issuers than 1536.
    #[error("URI is too long")]
    TooLong,
    /// No scheme, or nothing after it.
    #[error("URI is not absolute")]
    NotAbsolute,
    /// Neither `http` nor `https`.
    #[error("URI scheme is neither https nor http")]
    Scheme,
    /// A character that RFC 3986 does not allow, or a broken percent escape.
    #[error("URI has a character that RFC 3986 does not allow")]
    Character,
    /// `user@` or `user:password@` before the host.
    #[error("URI has user information")]
    UserInfo,
    /// The host is missing, or an IP address in an unusual notation.
    #[error("URI host is missing or malformed")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("URI port is malformed")]
    Port,
    /// A query where none is allowed.
    #[error("URI has a query")]
    Query,
    /// A fragment; none of these URIs may have one.
    #[error("URI has a fragment")]
    Fragment,
    /// A path, query or the like where only scheme, host and port belong.
    #[error("an origin is only scheme, host and port")]
    NotOrigin,
    /// Plain HTTP to a host for which it is not allowed.
    #[error("plain http to {0} is not allowed")]
    PlainHttp(Origin),
}

/// An issuer identifier (RFC 8414 section 2): an `https` URL without query or
/// fragment. `http` is parsed too, for loopback development; whether it may be
/// used is asked with [`EndpointUri::check_transport`].
///
/// Equality is that of the exact text: `https://a.example` and
/// `https://a.example/` are two issuers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer(EndpointUri);

impl Issuer {
    /// The longest issuer accepted: 1536 bytes, which leaves room for the
    /// well-known paths.
    pub const MAX_BYTES: usize = 1536;

    /// Checks the text and keeps it as it is.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    // spec: 8414-AS1
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let endpoint = EndpointUri::parse(text)?;
        if text.contains('?') {
            return Err(UriError::Query);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(UriError::TooLong);
        }
        Ok(Self(endpoint))
    }

    /// The exact text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The issuer as an address, for its origin and transport.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointUri {
        &self.0
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.0.origin()
    }
}

/// The address of something that we send requests to, or serve: an absolute
/// `http` or `https` URI without fragment. A query is kept and sent (RFC 6749
/// section 3.2).
#[derive(Clone)]
pub struct EndpointUri {
    text: String,
    uri: http::Uri,
    origin: Origin,
}

/// When plain `http` is acceptable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only to this machine: `127.0.0.0/8`, `::1`, `localhost`. The default.
    #[default]
    LoopbackOnly,
    /// To any host; somebody said so in the configuration.
    Allowed,
}

impl EndpointUri {
    /// Checks the text and keeps it as it is.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    // spec: 6749-AS9, 6749-AS9a
    pub fn parse(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        let (scheme, authority, rest) = split_http(text)?;
        let origin = parse_authority(scheme, authority)?;
        if !rest.is_empty() && !rest.starts_with(['/', '?']) {
            return Err(UriError::Host);
        }
        let uri: http::Uri = text.parse().map_err(|_| UriError::Character)?;
        Ok(Self { text: text.to_owned(), uri, origin })
    }

    /// The exact text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same address as the type of crate `http`.
    #[must_use]
    pub fn uri(&self) -> &http::Uri {
        &self.uri
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.is_https()
    }

    /// The path, `/` if the text has none.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The text up to the end of the host and port, and what follows it.
    pub(crate) fn split_at_path(&self) -> (&str, &str) {
        let start = self.text.find("://").map_or(0, |i| i + 3);
        let after = self.text.get(start..).unwrap_or_default();
        let end = start + after.find(['/', '?']).unwrap_or(after.len());
        self.text.split_at_checked(end).unwrap_or((&self.text, ""))
    }

    /// Whether requests may go there under the rule `plain`.
    ///
    /// # Errors
    /// [`UriError::PlainHttp`] for unencrypted transport that the rule forbids.
    // spec: 6749-AS9
    pub fn check_transport(&self, plain: PlainHttp) -> Result<(), UriError> {
        if self.is_https() || plain == PlainHttp::Allowed || self.origin.is_loopback() {
            return Ok(());
        }
        Err(UriError::PlainHttp(self.origin.clone()))
    }
}

/// Without the query, where some services want secrets.
impl fmt::Display for EndpointUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('?') {
            Some((before, _)) => write!(f, "{before}?…"),
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for EndpointUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUri({self})")
    }
}

impl PartialEq for EndpointUri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for EndpointUri {}

impl PartialOrd for EndpointUri {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EndpointUri {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl std::hash::Hash for EndpointUri {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl From<Issuer> for EndpointUri {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

/// A resource indicator (RFC 8707 section 2): an absolute URI of any scheme,
/// without fragment. Compared by its exact text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceUri(String);

impl ResourceUri {
    /// Checks the text and keeps it as it is.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    // spec: 8707-C1, 8707-AS2
    pub fn parse(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(UriError::NotAbsolute)?;
        if !is_scheme(scheme) || rest.is_empty() || rest == "//" {
            return Err(UriError::NotAbsolute);
        }
        if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            let (scheme, authority, _) = split_http(text)?;
            parse_authority(scheme, authority)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The exact text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The origin, if this is an `http` or `https` URI.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let (scheme, authority, _) = split_http(&self.0).ok()?;
        parse_authority(scheme, authority).ok()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! from_str {
    ($($name:ident),*) => {$(
        impl std::str::FromStr for $name {
            type Err = UriError;

            fn from_str(text: &str) -> Result<Self, UriError> {
                Self::parse(text)
            }
        }
    )*};
}

from_str!(Issuer, EndpointUri, Origin, ResourceUri);

/// Length, characters, escapes, fragment: the same for every kind.
fn check_text(text: &str) -> Result<(), UriError> {
    if text.len() > MAX_BYTES {
        return Err(UriError::TooLong);
    }
    if text.contains('#') {
        return Err(UriError::Fragment);
    }
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
                    && bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
            }
            _ => is_uri_char(byte),
        };
        if !fine {
            return Err(UriError::Character);
        }
    }
    Ok(())
}

/// Unreserved and reserved characters of RFC 3986 section 2, `#` and `%` apart.
fn is_uri_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte)
}

fn is_scheme(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The scheme, the authority, and what follows it.
fn split_http(text: &str) -> Result<(Scheme, &str, &str), UriError> {
    let (scheme, rest) = text.split_once(':').ok_or(UriError::NotAbsolute)?;
    if !is_scheme(scheme) {
        return Err(UriError::NotAbsolute);
    }
    let scheme = Scheme::parse(scheme)?;
    let rest = rest.strip_prefix("//").ok_or(UriError::NotAbsolute)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Ok((scheme, authority, rest))
}

#[cfg(test)]
mod tests;
