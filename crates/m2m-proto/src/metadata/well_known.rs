//! Where metadata is found.
//!
//! Sections: RFC 8414 sections 3.1, 5; OpenID Connect Discovery 1.0 section 4;
//!   RFC 9728 section 3.1
//! Enforces: RFC 8414 *inserts* its path between host and path, OpenID Connect
//!   *appends* its own; a slash at the end of the identifier is removed first.
//! Does not enforce: that a document there is about this issuer;
//!   [`super::ServerMetadata::decode`] does.

use crate::names::well_known;
use crate::uri::{EndpointUri, Issuer, ResourceUri};

/// Where the metadata of `issuer` may be: RFC 8414's place first, then OpenID
/// Connect's.
// spec: 8414-C1
#[must_use]
pub fn urls(issuer: &Issuer) -> [EndpointUri; 2] {
    let (host, path) = issuer.endpoint().split_at_path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let inserted = format!("{host}{}{path}", well_known::OAUTH_AUTHORIZATION_SERVER);
    let appended = format!("{host}{path}{}", well_known::OPENID_CONFIGURATION);
    // An issuer has only characters that URIs may have, and leaves room for
    // these paths, so both parse; the fallback is never taken.
    [inserted, appended].map(|u| EndpointUri::parse(&u).unwrap_or_else(|_| issuer.endpoint().clone()))
}

/// Where a client looks for the metadata of `issuer`: at [`urls`], and for an
/// issuer with a path also at RFC 8414's name *appended*, which no standard
/// says and some services have.
#[must_use]
pub fn places(issuer: &Issuer) -> Vec<EndpointUri> {
    let (host, path) = issuer.endpoint().split_at_path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let appended = format!("{host}{path}{}", well_known::OAUTH_AUTHORIZATION_SERVER);
    let third = EndpointUri::parse(&appended).ok().filter(|_| !path.is_empty());
    urls(issuer).into_iter().chain(third).collect()
}

/// Where the metadata of `resource` is; `None` for identifiers that are not
/// `https` or `http` URLs, or too long.
// spec: 9728-RS1
#[must_use]
pub fn protected_resource(resource: &ResourceUri) -> Option<EndpointUri> {
    let resource = EndpointUri::parse(resource.as_str()).ok()?;
    let (host, rest) = resource.split_at_path();
    // "/" alone, or before a query, is no path (RFC 9728 section 3.1).
    let rest = match rest.strip_prefix('/') {
        Some(query) if query.is_empty() || query.starts_with('?') => query,
        _ => rest,
    };
    EndpointUri::parse(&format!("{host}{}{rest}", well_known::OAUTH_PROTECTED_RESOURCE)).ok()
}

/// Whether a path, or a URL without query, is a well-known place (RFC 8615
/// section 3), before or after the identifier's own path.
#[must_use]
pub fn is_well_known(path: &str) -> bool {
    path.contains(well_known::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(issuer: &str, inserted: &str, appended: &str) {
        let [a, b] = urls(&Issuer::parse(issuer).unwrap());
        assert_eq!((a.as_str(), b.as_str()), (inserted, appended));
    }

    // spec-test: 8414-C1
    #[test]
    fn inserted_and_appended() {
        check(
            "https://as.example",
            "https://as.example/.well-known/oauth-authorization-server",
            "https://as.example/.well-known/openid-configuration",
        );
        check(
            "https://as.example/",
            "https://as.example/.well-known/oauth-authorization-server",
            "https://as.example/.well-known/openid-configuration",
        );
        check(
            "http://127.0.0.1:8400/realms/a%20b/",
            "http://127.0.0.1:8400/.well-known/oauth-authorization-server/realms/a%20b",
            "http://127.0.0.1:8400/realms/a%20b/.well-known/openid-configuration",
        );
    }

    #[test]
    fn an_issuer_with_a_path_has_a_third_place() {
        let at = |issuer| places(&Issuer::parse(issuer).unwrap());
        for plain in ["https://as.example", "https://as.example/"] {
            assert_eq!(at(plain), urls(&Issuer::parse(plain).unwrap()));
        }
        let [.., third] = &at("https://as.example/oidc/42/")[..] else { panic!("no place") };
        assert_eq!(third.as_str(), "https://as.example/oidc/42/.well-known/oauth-authorization-server");
        assert_eq!(at("https://as.example/oidc/42").len(), 3);
    }

    #[test]
    fn the_longest_issuer_has_well_known_places() {
        let issuer = format!("https://as.example/{}", "x".repeat(Issuer::MAX_BYTES - 19));
        let [a, b] = urls(&Issuer::parse(&issuer).unwrap());
        assert!(a.as_str().contains("/.well-known/") && b.as_str().contains("/.well-known/"));
    }

    #[test]
    fn places_are_known_again() {
        let check = |path, expect| assert_eq!(is_well_known(path), expect, "{path}");
        check("/.well-known/oauth-authorization-server/realms/a", true);
        check("https://as.example/realms/a/.well-known/openid-configuration", true);
        check("/oauth2/token", false);
        check("/well-known/openid-configuration", false);
        check("/.well-known", false);
    }

    // spec-test: 9728-RS1
    #[test]
    fn resources() {
        let at = |text| protected_resource(&ResourceUri::parse(text).unwrap()).map(|u| u.as_str().to_owned());
        let root = Some("https://rs.example/.well-known/oauth-protected-resource".to_owned());
        assert_eq!(at("https://rs.example"), root);
        assert_eq!(at("https://rs.example/"), root);
        assert_eq!(at("https://rs.example/v1/orders"), root.clone().map(|r| r + "/v1/orders"));
        assert_eq!(at("https://rs.example/?a=1"), root.map(|r| r + "?a=1"));
        assert_eq!(at("urn:example:orders"), None);
    }
}
