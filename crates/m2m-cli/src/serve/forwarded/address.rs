//! Addresses in `Forwarded` (RFC 7239 §4, §6) and in `X-Forwarded-For`.
//!
//! Enforces: `Forwarded` well-formed as a whole, quotes included, so that nothing a stranger wrote can swallow what a
//! proxy added behind it; the address that counts is an IP address, with or without a port. An address that the proxy
//! hides (`unknown`, `_name`) is the proxy's own.
//! Limits: 32 addresses from the right.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use super::{Malformed, name};

const MAX_HOPS: usize = 32;

/// One station of the way, as a header names it.
enum Station {
    At(IpAddr),
    Hidden,
}

/// The client by `Forwarded`; `None` where there is no such header.
pub(super) fn standard(
    headers: &HeaderMap,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, Malformed> {
    let mut stations = Vec::new();
    for line in headers.get_all(name::FORWARDED) {
        let line = line.to_str().map_err(|_| Malformed::Address("not ASCII text"))?;
        let elements = elements(line).ok_or(Malformed::Address("not as RFC 7239 section 4 has it"))?;
        stations.extend(elements.into_iter().map(|node| node.ok_or(())));
    }
    // An element without `for` hides where it came from.
    let read = |node: &Result<String, ()>| match node {
        Ok(text) => station(text),
        Err(()) => Some(Station::Hidden),
    };
    nearest(stations.iter().rev().map(read), peer, trusts)
}

/// The client by `X-Forwarded-For`; `None` where there is no such header.
pub(super) fn usual(
    headers: &HeaderMap,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, Malformed> {
    let lines: Vec<&[u8]> =
        headers.get_all(name::X_FORWARDED_FOR).iter().map(http::HeaderValue::as_bytes).collect();
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    nearest(entries.map(|entry| station(std::str::from_utf8(entry).ok()?.trim())), peer, trusts)
}

/// Walks away from us as long as the stations are trusted. What lies behind the answer is not even read.
fn nearest(
    stations: impl Iterator<Item = Option<Station>>,
    peer: IpAddr,
    trusts: impl Fn(IpAddr) -> bool,
) -> Result<Option<IpAddr>, Malformed> {
    let mut last = None;
    for (hop, station) in stations.enumerate() {
        if hop == MAX_HOPS {
            return Err(Malformed::Address("more than 32 trusted proxies in a row"));
        }
        match station.ok_or(Malformed::Address("an entry is no IP address"))? {
            Station::Hidden => return Ok(Some(last.unwrap_or(peer))),
            Station::At(address) if trusts(address) => last = Some(address),
            Station::At(address) => return Ok(Some(address)),
        }
    }
    Ok(last)
}

/// An address with or without a port, or a name in its place (RFC 7239 §6).
fn station(text: &str) -> Option<Station> {
    let is_name = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if text.eq_ignore_ascii_case("unknown") || text.strip_prefix('_').is_some_and(is_name) {
        return Some(Station::Hidden);
    }
    let bracketed = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let address = if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else if let Some(address) = bracketed(text) {
        IpAddr::V6(address)
    } else {
        text.parse::<SocketAddr>().ok()?.ip()
    };
    Some(Station::At(address.to_canonical()))
}

/// The `for` of each element of one line, `None` where it has none; `None` for a line that is not well-formed.
fn elements(line: &str) -> Option<Vec<Option<String>>> {
    let (mut rest, mut elements) = (line.trim_start(), Vec::new());
    loop {
        // Empty elements are allowed in every list (RFC 9110 section 5.6.1).
        if !rest.is_empty() && !rest.starts_with(',') {
            let (node, after) = element(rest)?;
            elements.push(node);
            rest = after;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => return rest.is_empty().then_some(elements),
        }
    }
}

/// The `for` among the pairs of one element, at most one; and what follows the element.
fn element(text: &str) -> Option<(Option<String>, &str)> {
    let (mut rest, mut node) = (text, None);
    loop {
        let (name, value, after) = pair(rest)?;
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
        match after.strip_prefix(';') {
            Some(more) => rest = more,
            None => return Some((node, after)),
        }
    }
}

/// `name=value` with optional space around, where the value is a token or quoted; and what follows.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.trim_start().split_once('=')?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let (value, rest) = match rest.strip_prefix('"') {
        Some(inside) => quoted(inside)?,
        None => {
            let end = rest.bytes().position(|b| !is_token(b)).unwrap_or(rest.len());
            let (value, rest) = rest.split_at_checked(end)?;
            (!value.is_empty()).then(|| (value.to_owned(), rest))?
        }
    };
    Some((name, value, rest.trim_start()))
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
