//! Header fields of one connection, which go no further, and what is said of the way in their place.
//!
//! Sections: RFC 9110 §7.6.1 (Connection), §7.6.3 (Via), §10.1.4 (TE), §7.8 (Upgrade); RFC 9113 §8.2.2, §8.2.3
//! Enforces: what `Connection` names is removed, whatever it is; so are the fields that are of one connection without
//! being named, and those that the sender means for the first proxy. `trailers` is the one coding of `TE` that is
//! asked for again. An upgrade is to WebSocket or it is none: whoever can upgrade to HTTP/2 past us (`h2c`) speaks to
//! what is behind us without us.

use http::header::{
    CONNECTION, COOKIE, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

/// Fields of one connection that need not be named in `Connection`. `Expect` was answered by our own side.
const OF_ONE_CONNECTION: [&str; 4] = ["keep-alive", "proxy-connection", "http2-settings", "proxy"];
const WEBSOCKET: &str = "websocket";

/// Which protocol the next hop speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

/// Removes what is of the last hop from a request or its trailers.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in named(headers) {
        headers.remove(name);
    }
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, TE, EXPECT, PROXY_AUTHORIZATION, PROXY_AUTHENTICATE]
    {
        headers.remove(name);
    }
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

/// What `Connection` names. A name that is no header name names nothing.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

/// Whether the sender takes trailers.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(TE).iter();
    let mut codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Asks the next hop for trailers.
pub(super) fn ask_for_trailers(headers: &mut HeaderMap, next: Next) {
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if next == Next::Http1 {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Whether the request asks for a WebSocket (RFC 6455 §4.1).
pub(super) fn is_websocket(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let (Some(upgrade), None) = (upgrades.next(), upgrades.next()) else { return false };
    *method == Method::GET
        && version == Version::HTTP_11
        && named(headers).contains(&UPGRADE)
        && upgrade.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

/// Asks the next hop, or tells the last one, that this connection becomes a WebSocket.
pub(super) fn upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// Adds this hop to the way.
pub(super) fn add_via(headers: &mut HeaderMap, version: Version) {
    let received = match version {
        Version::HTTP_10 => "1.0 m2m",
        Version::HTTP_2 => "2 m2m",
        _ => "1.1 m2m",
    };
    headers.append(VIA, HeaderValue::from_static(received));
}

/// HTTP/2 may cut a cookie into fields, HTTP/1.1 may not.
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn what_is_of_one_connection_goes_no_further() {
        let check = |lines: &[(&'static str, &'static str)], expect: &[&str]| {
            let mut headers = headers(lines);
            strip(&mut headers);
            let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            assert_eq!(left, expect, "{lines:?}");
        };
        check(&[("accept", "*/*"), ("connection", "close")], &["accept"]);
        check(
            &[("connection", "x-a , X-B,, not a name"), ("x-a", "1"), ("x-b", "2"), ("x-c", "3")],
            &["x-c"],
        );
        check(&[("connection", "x-a"), ("connection", "x-b"), ("x-a", "1"), ("x-b", "2")], &[]);
        check(&[("keep-alive", "5"), ("proxy-connection", "close"), ("te", "gzip"), ("upgrade", "h2c")], &[]);
        check(
            &[("transfer-encoding", "chunked"), ("proxy-authorization", "Basic eA=="), ("proxy", "x")],
            &[],
        );
        check(&[("http2-settings", "AAMAAABk"), ("expect", "100-continue")], &[]);
        check(&[("trailer", "grpc-status"), ("host", "a")], &["trailer", "host"]);
    }

    #[test]
    fn only_a_websocket_is_an_upgrade() {
        let check = |lines: &[(&'static str, &'static str)], expect: bool| {
            let found = is_websocket(&Method::GET, Version::HTTP_11, &headers(lines));
            assert_eq!(found, expect, "{lines:?}");
        };
        check(&[("connection", "Upgrade"), ("upgrade", "WebSocket")], true);
        check(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")], true);
        check(&[("upgrade", "websocket")], false);
        check(&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")], false);
        check(&[("connection", "upgrade"), ("upgrade", "h2c, websocket")], false);
        check(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")], false);
        let lines = headers(&[("connection", "upgrade"), ("upgrade", "websocket")]);
        assert!(!is_websocket(&Method::POST, Version::HTTP_11, &lines));
        assert!(!is_websocket(&Method::GET, Version::HTTP_10, &lines));
    }

    #[test]
    fn trailers_are_asked_for_again() {
        assert!(takes_trailers(&headers(&[("te", "gzip;q=0.5, Trailers")])));
        assert!(!takes_trailers(&headers(&[("te", "gzip")])));
        let mut next = HeaderMap::new();
        ask_for_trailers(&mut next, Next::Http2);
        assert_eq!(next, headers(&[("te", "trailers")]));
        ask_for_trailers(&mut next, Next::Http1);
        assert_eq!(next, headers(&[("te", "trailers"), ("connection", "te")]));
    }

    #[test]
    fn crumbs_become_a_cookie() {
        let mut cut = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut cut);
        assert_eq!(cut, headers(&[("cookie", "a=1; b=2")]));
    }
}
