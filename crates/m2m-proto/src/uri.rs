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

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    // spec: 6749-AS9
    pub fn parse(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        let (https, authority, rest) = split_http(text)?;
        let origin = parse_authority(https, authority)?;
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
        self.origin.https
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

/// Scheme, host and port (RFC 6454), normalized: the host in lower case, the
/// port filled in, IP addresses in their canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Parses `https://host`, `https://host:port` or the same with `http`; one
    /// slash at the end is tolerated, a path is not.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        let (https, authority, rest) = split_http(text)?;
        if !matches!(rest, "" | "/") {
            return Err(UriError::NotOrigin);
        }
        parse_authority(https, authority)
    }

    /// The origin of an absolute `http` or `https` URI of crate `http`.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    pub fn of(uri: &http::Uri) -> Result<Self, UriError> {
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(UriError::Scheme),
            None => return Err(UriError::NotAbsolute),
        };
        parse_authority(https, uri.authority().ok_or(UriError::Host)?.as_str())
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The host in lower case; IPv6 addresses in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own if none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => self.host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    /// Whether the host can only be this machine: `127.0.0.0/8`, `::1`, or the
    /// name `localhost` (RFC 6761 section 6.3).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

/// `https://host`, with the port unless it is the scheme's own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)?;
        if self.port == default_port(self.https) { Ok(()) } else { write!(f, ":{}", self.port) }
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
    // spec: 8707-C1
    pub fn parse(text: &str) -> Result<Self, UriError> {
        check_text(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(UriError::NotAbsolute)?;
        if !is_scheme(scheme) || rest.is_empty() || rest == "//" {
            return Err(UriError::NotAbsolute);
        }
        if matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            let (https, authority, _) = split_http(text)?;
            parse_authority(https, authority)?;
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
        let (https, authority, _) = split_http(&self.0).ok()?;
        parse_authority(https, authority).ok()
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

/// Whether https, the authority, and what follows it.
fn split_http(text: &str) -> Result<(bool, &str, &str), UriError> {
    let (scheme, rest) = text.split_once(':').ok_or(UriError::NotAbsolute)?;
    if !is_scheme(scheme) {
        return Err(UriError::NotAbsolute);
    }
    let https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(UriError::Scheme),
    };
    let rest = rest.strip_prefix("//").ok_or(UriError::NotAbsolute)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    Ok((https, authority, rest))
}

fn parse_authority(https: bool, authority: &str) -> Result<Origin, UriError> {
    if authority.contains('@') {
        return Err(UriError::UserInfo);
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (v6, port) = rest.split_once(']').ok_or(UriError::Host)?;
        let v6: Ipv6Addr = v6.parse().map_err(|_| UriError::Host)?;
        (format!("[{v6}]"), port)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        (parse_host(host)?, port)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port(https),
        None => return Err(UriError::Host),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|p| *p != 0).ok_or(UriError::Port)?
        }
        Some(_) => return Err(UriError::Port),
    };
    Ok(Origin { https, host, port })
}

/// A name of letters, digits, `-`, `_` and dots, or dotted-decimal IPv4.
fn parse_host(host: &str) -> Result<String, UriError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if host.is_empty() || host.len() > 255 || host.starts_with('.') || !host.bytes().all(plain) {
        return Err(UriError::Host);
    }
    let host = host.to_ascii_lowercase();
    // URL parsers of the WHATWG kind read `2130706433`, `0x7f.1` and `127.1` as
    // 127.0.0.1; a host that ends like a number must be a plain address.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(UriError::Host);
    }
    Ok(host)
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

#[cfg(test)]
mod tests;
