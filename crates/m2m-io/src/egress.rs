//! Where a URL that somebody else chose may lead.
//!
//! Metadata, registrations and tokens carry URLs. A server that fetches whatever they say can be made to knock on
//! its own network (request forgery), so such a URL must be https and its address public, unless it stays on the
//! origin that sent it or an operator allowed the destination.
//!
//! Enforces, in this order: plain HTTP only on an excepted origin; no host in a spelling that resolvers and URL
//! parsers read differently; a literal address and, through [`EgressRules::check_address`] at the moment of dialling,
//! every resolved one is public by the IANA registries or lies in an allowed network.
//! Does not enforce: anything for [`Reach::Configured`]; the address behind a proxy, because the proxy resolves and
//! dials: where one is configured, it is the guard, and only scheme and literal addresses are checked here.

mod special;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::http::Uri;
use ipnet::IpNet;
use m2m_proto::uri::Origin;

pub use self::special::is_public;
use crate::{HttpError, Reach};

/// What an operator allowed beyond public addresses. Empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressRules {
    origins: Vec<Origin>,
    networks: Vec<IpNet>,
}

/// A text that is neither an origin nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an origin (https://host:port) or a network (10.0.0.0/8), found `{found}`")]
pub struct EgressRuleError {
    found: String,
}

/// How a permitted request is to be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Any address will do.
    Any,
    /// Each address must pass [`EgressRules::check_address`] first.
    Checked,
}

impl EgressRules {
    /// No exceptions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an exception: an origin (plain HTTP and any address are then fine), a network, or an address.
    ///
    /// # Errors
    ///
    /// When `text` is none of these.
    pub fn allow(mut self, text: &str) -> Result<Self, EgressRuleError> {
        if let Ok(network) = text.parse::<IpNet>() {
            self.networks.push(network);
        } else if let Ok(address) = text.parse::<IpAddr>() {
            self.networks.push(IpNet::from(address));
        } else if let Ok(origin) = Origin::parse(text) {
            self.origins.push(origin);
        } else {
            return Err(EgressRuleError { found: text.to_owned() });
        }
        Ok(self)
    }

    /// Whether `uri` may be requested, as far as the URI alone tells, and how to dial it.
    ///
    /// # Errors
    ///
    /// [`HttpError::EgressDenied`] with the rule that was broken; [`HttpError::Protocol`] when `uri` has no host.
    // spec: JWT-V5
    pub fn check(&self, uri: &Uri, reach: &Reach) -> Result<Dial, HttpError> {
        let followed = match reach {
            Reach::Configured => return Ok(Dial::Any),
            Reach::Discovered { origin } => Some(origin),
            Reach::Registered => None,
        };
        let host = uri.host().ok_or_else(|| HttpError::Protocol("the URL has no host".to_owned()))?;
        let origin = origin_of(uri);
        if origin.as_ref().is_some_and(|origin| followed == Some(origin) || self.origins.contains(origin)) {
            return Ok(Dial::Any);
        }
        if uri.scheme_str() != Some("https") {
            return Err(denied(host, "plain HTTP is only for the configured origin"));
        }
        self.check_host(host)?;
        Ok(Dial::Checked)
    }

    /// Whether a host may be asked for: no unusual spelling of an address, and no address that is not allowed.
    ///
    /// # Errors
    ///
    /// [`HttpError::EgressDenied`].
    pub fn check_host(&self, host: &str) -> Result<(), HttpError> {
        match literal(host) {
            Literal::Name => Ok(()),
            Literal::Address(address) => self.check_address(address).map_err(|reason| denied(host, reason)),
            Literal::Unusual => Err(denied(host, "an unusual spelling of an address")),
        }
    }

    /// Whether an address may be dialled.
    ///
    /// # Errors
    ///
    /// The name of the special-purpose range it lies in.
    pub fn check_address(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.networks.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        special::why_not_public(address).map_or(Ok(()), Err)
    }
}

fn denied(destination: &str, reason: &'static str) -> HttpError {
    HttpError::EgressDenied { destination: destination.to_owned(), reason }
}

fn origin_of(uri: &Uri) -> Option<Origin> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    Origin::parse(&format!("{scheme}://{authority}")).ok()
}

enum Literal {
    Name,
    Address(IpAddr),
    Unusual,
}

/// Reads a host as browsers and curl do when its last label is a number (`2130706433`, `0x7f.1`, `127.1` all mean
/// 127.0.0.1 to some parser): such a host is an address or nothing, never a name.
fn literal(host: &str) -> Literal {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner
            .parse::<Ipv6Addr>()
            .map_or(Literal::Unusual, |address| Literal::Address(address.into()));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Literal::Address(address.into());
    }
    let without_dot = host.strip_suffix('.').unwrap_or(host);
    let last = without_dot.rsplit('.').next().unwrap_or_default();
    let number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.starts_with("0x") || last.starts_with("0X");
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if number || hexadecimal || !plain || without_dot.is_empty() { Literal::Unusual } else { Literal::Name }
}

#[cfg(test)]
mod tests;
