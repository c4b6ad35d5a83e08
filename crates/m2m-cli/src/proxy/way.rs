//! Where a request came from, as the program is told: `Host`, `X-Forwarded-*`, `Forwarded`.
//!
//! Sections: RFC 9110 §7.2; RFC 9112 §3.2; RFC 7239 §4
//! Enforces: exactly one host, and it is an authority without user information; where the target and `Host` name two
//! over HTTP/2, the request is refused. Scheme and host in `X-Forwarded-*` count only when the peer is a trusted
//! proxy; the client's address was settled at the door. The program is told one address, not a chain that it would
//! have to judge itself.
//! Does not enforce: that the host is one of ours; the program knows its names.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use m2m_authorization_server::ClientAddress;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether clients speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// They do not.
    Http,
    /// They do.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The peer is a proxy that is believed. Put among the extensions at the door, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByProxy;

/// Where a request came from.
#[derive(Clone, Debug)]
pub(super) struct Way {
    client: Option<IpAddr>,
    scheme: Scheme,
    /// `None`: HTTP/1.0 without `Host`.
    host: Option<HeaderValue>,
    by_proxy: bool,
    pub(super) version: Version,
}

impl Way {
    /// Reads it off a request that has not been cleaned yet. `None`: its host is missing or two.
    pub(super) fn of(parts: &Parts, own: Scheme) -> Option<Self> {
        let told = parts.extensions.get::<ByProxy>().map(|_| &parts.headers);
        let scheme = told.and_then(|headers| match sole(headers, &X_FORWARDED_PROTO)?.as_bytes() {
            b"https" => Some(Scheme::Https),
            b"http" => Some(Scheme::Http),
            _ => None,
        });
        let own_host = host(parts)?;
        let host = told.and_then(|headers| authority(sole(headers, &X_FORWARDED_HOST)?)).or(own_host);
        let client = parts.extensions.get::<ClientAddress>().map(|address| address.0.to_canonical());
        let by_proxy = told.is_some();
        Some(Self { client, scheme: scheme.unwrap_or(own), host, by_proxy, version: parts.version })
    }

    /// Tells the program.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(self.scheme.name()));
        let mut forwarded = String::new();
        if let Some(client) = self.client {
            let text = client.to_string();
            forwarded = match client {
                IpAddr::V4(_) => format!("for={text};"),
                IpAddr::V6(_) => format!("for=\"[{text}]\";"),
            };
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(X_FORWARDED_FOR, value);
            }
        }
        if let Some(host) = &self.host {
            headers.insert(X_FORWARDED_HOST, host.clone());
            // An authority has no quotes and no backslashes.
            if let Ok(host) = host.to_str() {
                forwarded.push_str(&format!("host=\"{host}\";"));
            }
        }
        forwarded.extend(["proto=", self.scheme.name()]);
        if let Ok(value) = HeaderValue::try_from(forwarded) {
            headers.insert(FORWARDED, value);
        }
    }

    /// Whom a request counts for; `None`: a proxy, which speaks for many.
    pub(super) fn counted(&self) -> Option<IpAddr> {
        self.client.filter(|_| !self.by_proxy)
    }

    /// What the client called us.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }
}

/// What the client called us; `None` where that is not one name; `Some(None)` where HTTP/1.0 lets it say nothing.
fn host(parts: &Parts) -> Option<Option<HeaderValue>> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (line, None) => line.map(authority),
        _ => return None,
    };
    let target = parts
        .uri
        .authority()
        .map(|name| HeaderValue::from_str(name.as_str()).ok().and_then(|name| authority(&name)));
    match (target, line) {
        (Some(target), Some(line)) if parts.version == Version::HTTP_2 && target != line => None,
        // RFC 9112 §3.2.2: of an absolute target and Host, the target counts.
        (Some(target), _) => target.map(Some),
        (None, Some(line)) => line.map(Some),
        (None, None) => (parts.version == Version::HTTP_10).then_some(None),
    }
}

fn authority(value: &HeaderValue) -> Option<HeaderValue> {
    let parsed: Authority = value.to_str().ok()?.parse().ok()?;
    let is_plain = !parsed.as_str().contains(['@', '"', '\\']) && !parsed.host().is_empty();
    is_plain.then(|| value.clone())
}

/// The field, where there is one of it.
pub(super) fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn way(request: http::request::Builder) -> Option<Way> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ClientAddress("2001:db8::1".parse().unwrap()));
        Way::of(&parts, Scheme::Http)
    }

    fn told(request: http::request::Builder) -> Vec<String> {
        let mut headers = HeaderMap::new();
        way(request).unwrap().tell(&mut headers);
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn the_program_is_told_once() {
        let request =
            Request::get("/a").header("host", "api.example:8443").header("x-forwarded-proto", "https");
        let expect = [
            "x-forwarded-proto: http",
            "x-forwarded-for: 2001:db8::1",
            "x-forwarded-host: api.example:8443",
            "forwarded: for=\"[2001:db8::1]\";host=\"api.example:8443\";proto=http",
        ];
        assert_eq!(told(request), expect);
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let request = Request::get("/a").header("host", "inner").header("x-forwarded-proto", "https");
        let request = request.header("x-forwarded-host", "api.example").extension(ByProxy);
        let all = told(request);
        assert!(all.contains(&"x-forwarded-proto: https".to_owned()), "{all:?}");
        assert!(all.contains(&"x-forwarded-host: api.example".to_owned()), "{all:?}");
    }

    #[test]
    fn a_request_has_one_host() {
        let check = |request: http::request::Builder, expect: Option<&str>| {
            let found = way(request).and_then(|way| way.host().map(|host| host.to_str().unwrap().to_owned()));
            assert_eq!(found.as_deref(), expect);
        };
        check(Request::get("/a").header("host", "a.example"), Some("a.example"));
        check(Request::get("/a"), None);
        check(Request::get("/a").header("host", "a.example").header("host", "b.example"), None);
        check(Request::get("/a").header("host", "user@a.example"), None);
        check(Request::get("/a").header("host", "a b"), None);
        check(Request::get("/a").header("host", ""), None);
        check(Request::get("http://b.example/a").header("host", "a.example"), Some("b.example"));
        let h2 = || Request::get("https://b.example/a").version(Version::HTTP_2);
        check(h2(), Some("b.example"));
        check(h2().header("host", "b.example"), Some("b.example"));
        check(h2().header("host", "a.example"), None);
        assert!(way(Request::get("/a").version(Version::HTTP_10)).unwrap().host().is_none());
    }
}
