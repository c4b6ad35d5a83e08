//! The way to the server: proxy, name, connection, TLS.

use http::StatusCode;
use m2m_io::HttpError;

use super::super::answer::Body;
use super::super::catalogue::{
    Cause, NO_NAME, NOT_CONNECTED, PROXY_BYPASSED, PROXY_IN_THE_WAY, PROXY_LOGIN, SERVER_CERTIFICATE_ENDS,
    SERVER_CERTIFICATE_EXPIRED, TLS_CLIENT_REFUSED, TLS_FAILED, TLS_NOT_SPOKEN, TLS_UNKNOWN_ISSUER,
    TLS_WRONG_NAME,
};
use super::super::facts::{Facts, ProxyFacts, Reaction, Scheme, Server};
use super::super::finding::Finding;
use super::credential::SOON;
use crate::exit::Exit;

pub(super) fn proxy(facts: &Facts) -> Option<Finding> {
    let server = facts.server.as_ref()?;
    let Some(proxy) = &facts.proxy else {
        return Some(
            bypassed(facts).unwrap_or_else(|| Finding::pass(format!("none applies to {}", server.origin))),
        );
    };
    let named = format!("{} names {} for {}", proxy.variable, proxy.url, server.origin);
    let Some(obstacle) = in_the_way(facts, proxy) else { return Some(Finding::pass(named)) };
    let blanks =
        [("server", server.origin.as_str()), ("host", server.host.as_str()), ("variable", proxy.variable)];
    let evidence = format!("{named}: {}", obstacle.seen());
    Some(Finding::fail(Exit::Unreachable, evidence, obstacle.cause(), &blanks))
}

/// A proxy that takes no connections, though none to this server needs it. One that works, or says no to a strange
/// request, is nobody's concern.
fn bypassed(facts: &Facts) -> Option<Finding> {
    let proxy = facts.bypassed.as_ref()?;
    let obstacle = proxy.reaction.obstacle().filter(|it| !matches!(it, Obstacle::Closed(_)))?;
    let evidence = format!("{} names {}: {}", proxy.variable, proxy.url, obstacle.seen());
    Some(Finding::warn(evidence, &PROXY_BYPASSED, &[("variable", proxy.variable)]))
}

/// How a proxy stands in the way.
enum Obstacle {
    /// It wants a login.
    Login,
    /// It cannot be reached, for this reason.
    Unreachable(String),
    /// It lets nothing through: what was seen of that.
    Closed(String),
}

impl Obstacle {
    fn cause(&self) -> &'static Cause {
        match self {
            Self::Login => &PROXY_LOGIN,
            Self::Unreachable(_) | Self::Closed(_) => &PROXY_IN_THE_WAY,
        }
    }

    fn seen(&self) -> String {
        match self {
            Self::Login => "407: it wants a login".to_owned(),
            Self::Unreachable(reason) => format!("it cannot be reached: {reason}"),
            Self::Closed(seen) => seen.clone(),
        }
    }
}

impl Reaction {
    /// What its own answer says; `None` where it lets the connection through, or was not asked.
    fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Refused { status, .. } if *status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Some(Obstacle::Login)
            }
            Self::Refused { status, content_type } => {
                let media = content_type.as_deref().map(|media| format!(" ({media})")).unwrap_or_default();
                Some(Obstacle::Closed(format!("it answers {}{media}", status.as_u16())))
            }
            Self::Unreachable(reason) => Some(Obstacle::Unreachable(reason.clone())),
            Self::Garbage => Some(Obstacle::Closed("it does not speak HTTP".to_owned())),
            Self::Connected | Self::NotAsked => None,
        }
    }
}

fn in_the_way(facts: &Facts, proxy: &ProxyFacts) -> Option<Obstacle> {
    if let Some(obstacle) = proxy.reaction.obstacle() {
        return Some(obstacle);
    }
    for (_, error) in facts.network_errors() {
        match error {
            HttpError::Proxy(reason) => return Some(Obstacle::Closed(reason.clone())),
            // The tunnel ends at something else than a TLS server.
            HttpError::Tls(reason) if is_no_tls(reason) => {
                return Some(Obstacle::Closed("what it connects to does not speak TLS".to_owned()));
            }
            _ => {}
        }
    }
    if proxy.reaction != Reaction::NotAsked {
        return None;
    }
    // In the clear the proxy can answer in the server's place.
    facts.exchanges.iter().filter_map(|exchange| exchange.answer()).find_map(|answer| {
        if answer.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Some(Obstacle::Login);
        }
        let is_page = answer.body == Body::Html;
        is_page.then(|| Obstacle::Closed(format!("a web page answers ({})", answer.status.as_u16())))
    })
}

pub(super) fn dns(facts: &Facts) -> Option<Finding> {
    let server = facts.server.as_ref()?;
    if facts.proxy.is_some() {
        return Some(Finding::skip("the proxy resolves names"));
    }
    Some(match facts.addresses.as_ref()? {
        Ok(addresses) if addresses.iter().any(|address| server.host.contains(&address.to_string())) => {
            Finding::pass(format!("{} is an address", server.host))
        }
        Ok(addresses) => {
            let list: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
            Finding::pass(format!("{} is {}", server.host, list.join(", ")))
        }
        Err(reason) => {
            let evidence = format!("{}: {reason}", server.host);
            Finding::fail(Exit::Unreachable, evidence, &NO_NAME, &[("host", &server.host)])
        }
    })
}

pub(super) fn connect(facts: &Facts) -> Option<Finding> {
    let server = facts.server.as_ref()?;
    if facts.proxy.is_some() {
        return Some(Finding::skip("the proxy connects"));
    }
    Some(match facts.connection.as_ref()? {
        Ok(address) => Finding::pass(format!("{address} answers")),
        Err(reason) => {
            let evidence = format!("{}: {reason}", server.origin);
            Finding::fail(Exit::Unreachable, evidence, &NOT_CONNECTED, &[])
        }
    })
}

pub(super) fn tls_chain(facts: &Facts) -> Option<Finding> {
    let server = facts.server.as_ref()?;
    let failed = facts.network_errors().find_map(|(exchange, error)| match error {
        HttpError::Tls(reason) => Some((exchange.url.as_str(), reason.as_str())),
        _ => None,
    });
    if let Some((url, reason)) = failed {
        if expired(facts).is_some() {
            return Some(Finding::skip("the certificate has expired: see tls.expired"));
        }
        let cause = match reason {
            reason if reason.contains("UnknownIssuer") => &TLS_UNKNOWN_ISSUER,
            reason if reason.contains("NotValidForName") || reason.contains("not valid for name") => {
                &TLS_WRONG_NAME
            }
            reason if is_no_tls(reason) => &TLS_NOT_SPOKEN,
            reason if reason.contains("received fatal alert") && refuses_ours(reason) => &TLS_CLIENT_REFUSED,
            _ => &TLS_FAILED,
        };
        let host = server.host.as_str();
        return Some(Finding::fail(Exit::Tls, format!("{url}: {reason}"), cause, &[("host", host)]));
    }
    if server.scheme == Scheme::Http {
        return Some(Finding::skip("plain HTTP"));
    }
    let trusted = facts.exchanges.iter().find(|exchange| exchange.answer().is_some())?;
    Some(Finding::pass(format!("{} is trusted", origin_of(&trusted.url, server))))
}

fn origin_of<'a>(url: &'a str, server: &'a Server) -> &'a str {
    if url.starts_with(&server.origin) { &server.origin } else { url }
}

/// rustls's words for bytes that are no TLS.
fn is_no_tls(reason: &str) -> bool {
    reason.contains("InvalidContentType") || reason.contains("corrupt message")
}

fn refuses_ours(reason: &str) -> bool {
    ["Certificate", "UnknownCA", "AccessDenied"].iter().any(|alert| reason.contains(alert))
}

/// The first server whose chain holds a certificate that has ended.
fn expired(facts: &Facts) -> Option<(&str, String)> {
    facts.handshakes.iter().find_map(|handshake| {
        let (_, end) = handshake.validities.iter().find(|(_, end)| *end < facts.now)?;
        Some((handshake.origin.as_str(), end.date()))
    })
}

pub(super) fn tls_expired(facts: &Facts) -> Option<Finding> {
    let server = facts.server.as_ref()?;
    if let Some((origin, date)) = expired(facts) {
        let evidence = format!("{origin}: the certificate ended on {date}");
        return Some(Finding::fail(Exit::Tls, evidence, &SERVER_CERTIFICATE_EXPIRED, &[("date", &date)]));
    }
    let ends = facts.handshakes.iter().filter_map(|handshake| {
        let (_, end) = handshake.validities.iter().min_by_key(|(_, end)| *end)?;
        Some((handshake.origin.as_str(), *end))
    });
    let Some((origin, end)) = ends.min_by_key(|(_, end)| *end) else {
        let none = (server.scheme == Scheme::Http).then(|| Finding::skip("plain HTTP"));
        return none;
    };
    let (date, evidence) = (end.date(), format!("{origin}: until {}", end.date()));
    Some(match end < facts.now.saturating_add(SOON) {
        true => Finding::warn(evidence, &SERVER_CERTIFICATE_ENDS, &[("date", &date)]),
        false => Finding::pass(evidence),
    })
}
