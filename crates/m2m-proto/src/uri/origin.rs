//! Scheme, host and port: what a token may be sent to, and what a certificate
//! is for.
//!
//! Sections: RFC 6454 section 4; RFC 3986 sections 3.2.2, 6.2.2, 6.2.3
//! Enforces: a host that is a plain name or a plainly written IP address; a port
//!   from 1 to 65535.
//! Does not enforce: that the name exists, or is the one it looks like.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{UriError, check_text, split_http};

/// The two schemes that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// Without regard to case (RFC 3986 section 3.1).
    pub(super) fn parse(text: &str) -> Result<Self, UriError> {
        [Self::Https, Self::Http]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
            .ok_or(UriError::Scheme)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454), normalized: the host in lower case, the
/// port filled in, IP addresses in their canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
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
        let (scheme, authority, rest) = split_http(text)?;
        if !matches!(rest, "" | "/") {
            return Err(UriError::NotOrigin);
        }
        parse_authority(scheme, authority)
    }

    /// The origin of an absolute `http` or `https` URI of crate `http`.
    ///
    /// # Errors
    /// [`UriError`], naming the first rule broken.
    pub fn of(uri: &http::Uri) -> Result<Self, UriError> {
        let scheme = Scheme::parse(uri.scheme_str().ok_or(UriError::NotAbsolute)?)?;
        parse_authority(scheme, uri.authority().ok_or(UriError::Host)?.as_str())
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.scheme.as_str()
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
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
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Reads `host` or `host:port` of an `https` or `http` URI.
pub(super) fn parse_authority(scheme: Scheme, authority: &str) -> Result<Origin, UriError> {
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
        None if port.is_empty() => scheme.port(),
        None => return Err(UriError::Host),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|p| *p != 0).ok_or(UriError::Port)?
        }
        Some(_) => return Err(UriError::Port),
    };
    Ok(Origin { scheme, host, port })
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
