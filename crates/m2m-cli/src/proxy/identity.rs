//! Header fields that say who calls: removed from whatever arrives, in every spelling, then set by us.
//!
//! Enforces: no field that programs behind proxies are known to believe, nor one that the operator names, reaches them
//! as the sender wrote it. Servers that speak CGI or WSGI cannot tell `-` from `_`, some not from `.`, so every
//! character that is neither letter nor digit is the same one here (`X_M2M_Client.Id` is `X-M2M-Client-Id`). The same
//! goes for fields that put another target, method, scheme or address in the place of the request's own: a rule must
//! judge what the program will see. What we set is visible ASCII; other bytes and `%` are percent-encoded.
//! Does not enforce: which of them a program reads; ours are [`CLIENT_ID`], [`SUBJECT`], [`SCOPE`] and [`ISSUER`].
//! Limits: 1024 bytes a value, 8192 for the scope; 64 further names.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use m2m_resource_server::VerifiedAccessToken;

/// The client that the token was issued to.
pub(crate) const CLIENT_ID: HeaderName = HeaderName::from_static("x-m2m-client-id");
/// Whom the token speaks for; with client credentials, the client.
pub(crate) const SUBJECT: HeaderName = HeaderName::from_static("x-m2m-subject");
/// What the token allows, separated by spaces.
pub(crate) const SCOPE: HeaderName = HeaderName::from_static("x-m2m-scope");
/// Who issued the token.
pub(crate) const ISSUER: HeaderName = HeaderName::from_static("x-m2m-issuer");
/// All that are set.
pub(crate) const SET: [HeaderName; 4] = [CLIENT_ID, SUBJECT, SCOPE, ISSUER];

/// The most further names.
pub(crate) const MAX_FURTHER: usize = 64;
const MAX_VALUE: usize = 1024;
const MAX_SCOPE: usize = 8192;

/// What is believed somewhere. `*` at the end stands for anything.
const BELIEVED: &[&str] = &[
    // Who calls, by the conventions of proxies and of those who stand in front of programs.
    "x-m2m-*",
    "remote-*",
    "x-remote-*",
    "x-auth-request-*",
    "x-auth-user*",
    "x-auth-email",
    "x-auth-groups",
    "x-auth-roles",
    "x-auth-subject",
    "x-auth-client*",
    "x-authenticated-*",
    "x-authentik-*",
    "x-webauth-*",
    "x-pomerium-*",
    "x-vouch-*",
    "x-consumer-*",
    "x-credential-*",
    "x-anonymous-consumer",
    "x-jwt-*",
    "x-oidc-*",
    "oidc-*",
    "x-id-token",
    "x-userinfo",
    "x-user",
    "x-user-id",
    "x-user-name",
    "x-user-email",
    "x-user-groups",
    "x-user-roles",
    "x-userid",
    "x-username",
    "x-client-id",
    "x-client-name",
    "x-client-subject",
    "x-subject",
    "x-endpoint-api-*",
    "x-apigateway-api-*",
    "x-goog-authenticated-user-*",
    "x-goog-iap-*",
    "x-amzn-oidc-*",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "cf-access-*",
    "tailscale-*",
    "impersonate-*",
    "auth-user*",
    "authenticated-user*",
    "iv-user*",
    "iv-groups",
    "iv-creds",
    "sm-user*",
    "oam-*",
    "shib-*",
    "x-shib-*",
    "mellon-*",
    "l5d-*",
    "x-appengine-*",
    "x-authp-*",
    "x-email",
    "x-groups",
    "x-proxy-role*",
    "x-proxy-user*",
    "x-roles",
    "x-scope*",
    "x-sso-*",
    "x-token-*",
    // With which certificate.
    "client-cert*",
    "x-client-cert*",
    "x-client-dn",
    "x-client-verify",
    "ssl-client-*",
    "x-ssl-*",
    "x-amzn-mtls-*",
    "x-arr-clientcert",
    // From where, by which way.
    "forwarded",
    "x-forwarded-*",
    "x-forwarded",
    "forwarded-for",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip*",
    "fastly-client-ip",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
    // For what: another target or method than the one that is judged.
    "x-original-*",
    "x-rewrite-url",
    "x-http-method*",
    "x-method-override",
    "x-base-url",
    "x-custom-ip-authorization",
    "x-host",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-http-path*",
    "x-middleware-*",
    "x-originating-ip",
    "x-path-info",
    "x-replaced-path",
    "x-request-uri",
    "x-script-name",
    "x-url-override",
    // Which file a server behind the program hands out (X-Accel-Redirect).
    "x-accel-*",
    "x-sendfile-*",
    "x-envoy-original-*",
    "x-envoy-auth-*",
];

/// Names behind an open pattern that are often believed, for a proxy that removes by name.
const USUAL: &[&str] = &[
    "remote-user",
    "remote-email",
    "remote-groups",
    "remote-name",
    "x-remote-user",
    "x-remote-group",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-access-token",
    "x-auth-user",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-webauth-user",
    "x-consumer-id",
    "x-consumer-username",
    "client-cert",
    "client-cert-chain",
    "x-client-cert",
    "x-ssl-client-cert",
    "x-ssl-client-verify",
    "x-ssl-client-s-dn",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-http-method",
    "x-http-method-override",
];

/// Names that decide about the request itself, and count in their one spelling only: behind CGI, `Content_Length` is
/// `Content-Length` to the program, though whoever frames the request has not seen it.
const ONE_SPELLING: &[&str] = &[
    "content-length",
    "content-type",
    "transfer-encoding",
    "proxy-authorization",
    "proxy-connection",
    "keep-alive",
];

/// Why a value cannot be told to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Names that are removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Believed {
    further: Vec<String>,
}

impl Believed {
    /// Those that everybody knows, and these. Each is a header name, perhaps with `*` at its end.
    ///
    /// # Errors
    /// What is expected, for the first that is something else.
    pub(crate) fn and(names: &[String]) -> Result<Self, String> {
        if names.len() > MAX_FURTHER {
            return Err(format!("more than {MAX_FURTHER} names"));
        }
        Ok(Self { further: names.iter().map(|name| pattern(name)).collect::<Result<_, _>>()? })
    }

    /// Whether a field of this name is believed somewhere.
    pub(crate) fn holds(&self, name: &str) -> bool {
        BELIEVED.iter().any(|pattern| fits(name, pattern))
            || self.further.iter().any(|own| fits(name, own))
            || ONE_SPELLING.iter().any(|one| !name.eq_ignore_ascii_case(one) && fits(name, one))
    }

    /// Removes every such field.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let found: Vec<HeaderName> =
            headers.keys().filter(|name| self.holds(name.as_str())).cloned().collect();
        for name in found {
            headers.remove(name);
        }
    }

    /// Names without `*`, as they are usually written and with underscores, for a proxy that removes by name.
    pub(crate) fn spelled(&self) -> impl Iterator<Item = String> {
        let known = BELIEVED.iter().chain(USUAL).copied().chain(self.further.iter().map(String::as_str));
        known.filter(|name| !name.ends_with('*')).flat_map(|name| {
            let other = name.contains('-').then(|| name.replace('-', "_"));
            [Some(name.to_owned()), other].into_iter().flatten()
        })
    }
}

fn pattern(name: &str) -> Result<String, String> {
    let stem = name.strip_suffix('*').unwrap_or(name);
    let is_short = stem.len() < 3;
    let parsed = HeaderName::from_bytes(stem.as_bytes());
    match parsed {
        Ok(parsed) if !is_short && !stem.contains('*') => {
            let star = if stem.len() < name.len() { "*" } else { "" };
            let stem: String = parsed.as_str().bytes().map(|byte| char::from(letter(byte))).collect();
            Ok(format!("{stem}{star}"))
        }
        _ => Err(format!("expected a header name such as X-Acme-User or X-Acme-*, found {name:?}")),
    }
}

/// Every mark is the same one.
fn letter(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

fn fits(name: &str, pattern: &str) -> bool {
    let (stem, is_open) = match pattern.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (pattern, false),
    };
    let (name, stem) = (name.as_bytes(), stem.as_bytes());
    let long_enough = if is_open { name.len() >= stem.len() } else { name.len() == stem.len() };
    long_enough && name.iter().zip(stem).all(|(one, other)| letter(*one) == *other)
}

/// The fields that say whose token it was.
///
/// # Errors
/// [`TooLong`]: a value is longer than programs take.
pub(crate) fn fields(token: &VerifiedAccessToken) -> Result<Vec<(HeaderName, HeaderValue)>, TooLong> {
    let mut fields = Vec::with_capacity(SET.len());
    let texts = [
        (CLIENT_ID, token.client_id(), MAX_VALUE),
        (SUBJECT, token.subject(), MAX_VALUE),
        (ISSUER, token.issuer(), MAX_VALUE),
    ];
    for (name, text, limit) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            fields.push((name, value(text, limit)?));
        }
    }
    if !token.scope().is_empty() {
        let scope = token.scope().to_string();
        // Scope tokens are visible ASCII (RFC 6749 §3.3).
        let value = HeaderValue::try_from(scope).map_err(|_| TooLong)?;
        fields.push((SCOPE, Some(value).filter(|value| value.len() <= MAX_SCOPE).ok_or(TooLong)?));
    }
    Ok(fields)
}

fn value(text: &str, limit: usize) -> Result<HeaderValue, TooLong> {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            safe.push(char::from(byte));
        } else {
            let _infallible = write!(safe, "%{byte:02X}");
        }
    }
    if safe.len() > limit {
        return Err(TooLong);
    }
    HeaderValue::try_from(safe).map_err(|_| TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_name() {
        let believed = Believed::and(&["X-Acme-User".to_owned(), "Acme_*".to_owned()]).unwrap();
        let check = |name: &str, expect: bool| assert_eq!(believed.holds(name), expect, "{name}");
        for name in ["x-forwarded-user", "X-Forwarded-User", "X_FORWARDED_USER", "x-forwarded_user"] {
            check(name, true);
        }
        for name in ["x.forwarded.user", "x_m2m_client_id", "x-m2m-anything", "remote_user", "x-remote-user"]
        {
            check(name, true);
        }
        for name in
            ["x-auth-request-email", "x-client-cert", "X-SSL-Client-Verify", "x-forwarded-client-cert"]
        {
            check(name, true);
        }
        for name in ["x-original-url", "x-http-method-override", "x-acme-user", "acme-roles", "ACME_roles"] {
            check(name, true);
        }
        for name in ["accept", "authorization", "cookie", "x-request-id", "x-user-agent", "traceparent"] {
            check(name, false);
        }
        for name in ["x-acme-user-2", "acme", "remote", "xforwardeduser", "x-auth-token", "x-m2m"] {
            check(name, false);
        }
    }

    #[test]
    fn every_field_of_the_name_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-m2m-client-id", "a"), ("x_m2m_client_id", "b"), ("accept", "*/*")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.append(CLIENT_ID, HeaderValue::from_static("c"));
        Believed::default().strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn what_is_set_is_removed_first() {
        for name in SET {
            assert!(Believed::default().holds(name.as_str()), "{name}");
        }
    }

    #[test]
    fn usual_names_are_believed_ones() {
        for name in USUAL {
            assert!(Believed::default().holds(name), "{name}");
        }
    }

    #[test]
    fn names_that_remove_too_much_are_refused() {
        let check = |name: &str| {
            let error = Believed::and(&[name.to_owned()]).unwrap_err();
            assert!(error.contains("expected a header name"), "{error}");
        };
        for name in ["", "*", "x*", "X Acme", "a*b", "ä"] {
            check(name);
        }
        assert!(
            Believed::and(&vec!["x-acme".to_owned(); MAX_FURTHER + 1]).unwrap_err().contains("more than")
        );
    }

    #[test]
    fn values_are_safe_in_a_header() {
        let check =
            |text: &str, expect: &str| assert_eq!(value(text, MAX_VALUE).unwrap(), expect, "{text:?}");
        check("svc-orders", "svc-orders");
        check("https://as.example/a?b=c", "https://as.example/a?b=c");
        check("a\r\nX-M2M-Scope: admin", "a%0D%0AX-M2M-Scope:%20admin");
        check("grüße %41", "gr%C3%BC%C3%9Fe%20%2541");
        check(" a\u{7f}", "%20a%7F");
        assert_eq!(value(&"a".repeat(MAX_VALUE + 1), MAX_VALUE), Err(TooLong));
    }

    #[test]
    fn what_puts_another_request_in_its_place_is_removed() {
        for name in
            ["x-script-name", "X_Script_Name", "x-replaced-path", "x-sendfile-type", "x-accel-mapping"]
        {
            assert!(Believed::default().holds(name), "{name}");
        }
        for name in ["content_length", "Transfer_Encoding", "transfer.encoding", "content_type"] {
            assert!(Believed::default().holds(name), "{name}");
        }
        for name in ["content-length", "Transfer-Encoding", "content-type", "content-language"] {
            assert!(!Believed::default().holds(name), "{name}");
        }
    }

    #[test]
    fn single_sign_on_of_others_is_no_identity() {
        for name in ["iv-user", "IV_USER", "sm_user", "shib-session-id", "l5d-client-id", "x-proxy-roles"] {
            assert!(Believed::default().holds(name), "{name}");
        }
    }
}
