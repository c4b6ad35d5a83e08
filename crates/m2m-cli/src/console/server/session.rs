//! Who is signed in: the access token in a cookie, and what can be read in it.
//!
//! Enforces: the cookie is out of the reach of scripts and of other sites, is sent to the console alone, and ends with
//! the token. Nothing about a session is kept by the server, so nobody can fill its memory and every node knows it.
//! Does not enforce: that the token is good, which the admin API decides at each call; what is read in it here is for
//! showing alone.

use http::{HeaderMap, HeaderValue};
use m2m_authorization_server::admin::SCOPE_WRITE;
use m2m_proto::jose::base64url;
use m2m_proto::secret::SecretString;
use serde_json::Value;

use super::members::{number, text};
use crate::console::door;

/// The longest token that is taken: a browser keeps cookies of 4,096 bytes.
const MAX_TOKEN: usize = 3800;

/// Who is signed in.
pub(super) struct Session {
    pub(super) token: SecretString,
    /// Empty where the token says nothing that can be read.
    pub(super) client: String,
    pub(super) expires_at: Option<u64>,
    pub(super) jti: String,
    /// Whether the token can be used to change anything.
    pub(super) writes: bool,
    /// The token that forms carry.
    pub(super) csrf: String,
}

impl Session {
    /// The session of that token; `None` where it cannot be one.
    pub(super) fn of(token: &str) -> Option<Self> {
        let is_plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        if token.is_empty() || token.len() > MAX_TOKEN || !is_plain {
            return None;
        }
        let claims = claims(token).unwrap_or(Value::Null);
        let scope = text(&claims, "scope");
        Some(Self {
            client: text(&claims, "client_id").to_owned(),
            expires_at: number(&claims, "exp"),
            jti: text(&claims, "jti").to_owned(),
            // What cannot be read is tried: the API decides.
            writes: claims.is_null() || scope.split(' ').any(|one| one == SCOPE_WRITE),
            csrf: door::csrf(token),
            token: SecretString::new(token.to_owned()),
        })
    }

    pub(super) fn read(headers: &HeaderMap, cookies: &Cookies) -> Option<Self> {
        door::cookie(headers, cookies.session).and_then(Self::of)
    }
}

/// What a token says of itself, if it can be read; nothing is checked.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&base64url::decode(payload).ok()?).ok()
}

/// How cookies of the console are set.
#[derive(Clone, Debug)]
pub(super) struct Cookies {
    /// Where the session is.
    pub(super) session: &'static str,
    /// What ties the sign-in form to the browser that it was shown in.
    pub(super) before: &'static str,
    attributes: String,
}

impl Cookies {
    /// Cookies for the pages below `path`, over https alone if `scheme`, the issuer's, is `https`.
    pub(super) fn new(path: &str, scheme: &str) -> Self {
        let attributes = format!("; HttpOnly; SameSite=Strict; Path={path}");
        if scheme == "https" {
            let attributes = format!("{attributes}; Secure");
            return Self { session: "__Secure-m2m-console", before: "__Secure-m2m-sign-in", attributes };
        }
        Self { session: "m2m-console", before: "m2m-sign-in", attributes }
    }

    /// A cookie that ends after `seconds`, or with the browser.
    pub(super) fn set(&self, name: &str, value: &str, seconds: Option<u64>) -> Option<HeaderValue> {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let mut cookie = HeaderValue::try_from(format!("{name}={value}{}{age}", self.attributes)).ok()?;
        cookie.set_sensitive(true);
        Some(cookie)
    }

    /// Takes a cookie away.
    pub(super) fn clear(&self, name: &str) -> Option<HeaderValue> {
        self.set(name, "", Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_is_shown_and_nothing_else_is_taken() {
        let payload = base64url::encode(r#"{"client_id":"admin","scope":"m2m:read","exp":7,"jti":"j"}"#);
        let session = Session::of(&format!("e30.{payload}.x")).unwrap();
        assert_eq!(
            (session.client.as_str(), session.expires_at, session.jti.as_str()),
            ("admin", Some(7), "j")
        );
        assert!(!session.writes);
        assert!(Session::of("opaque").unwrap().writes, "the API decides");
        for bad in ["", "a b", "a;b", "a\r\nb", "\u{e4}"] {
            assert!(Session::of(bad).is_none(), "{bad:?}");
        }
        assert!(Session::of(&"x".repeat(MAX_TOKEN + 1)).is_none());
    }

    #[test]
    fn cookies_are_for_the_console_alone() {
        let secure = Cookies::new("/t/console/", "https");
        let set = secure.set(secure.session, "v", Some(60)).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Secure-m2m-console=v; HttpOnly; SameSite=Strict; Path=/t/console/; Secure; Max-Age=60"
        );
        let plain = Cookies::new("/console/", "http");
        assert_eq!(
            plain.clear(plain.session).unwrap().to_str().unwrap(),
            "m2m-console=; HttpOnly; SameSite=Strict; Path=/console/; Max-Age=0"
        );
    }
}
