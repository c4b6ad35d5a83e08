//! SPIFFE names and trust bundles: what an authorization server needs of them to take JWT-SVIDs.
//!
//! Sections: SPIFFE-ID §2; SPIFFE Trust Domain and Bundle §4, §5; draft-ietf-oauth-spiffe-client-auth
//!
//! Enforces, for a name: the scheme `spiffe` in lower case; a trust domain of lower-case letters, digits, `.`,
//! `-` and `_`; a path of non-empty segments of letters, digits, `.`, `-` and `_`, none of them `.` or `..`; no
//! user, port, query, fragment or escape. For a bundle: what [`JwkSet`] enforces, of the keys whose `use` is
//! `jwt-svid` alone.
//! Does not enforce: that a bundle belongs to a trust domain; whoever configures where it is says so.
//! Limits: names of 2048 bytes, trust domains of 255; bundles as key sets.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::jose::{JwkSet, JwkSetError};
use crate::json::{self, JsonLimits};
use crate::names::jose as names;

const SCHEME: &str = "spiffe://";
const MAX_ID_BYTES: usize = 2048;
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// `use` of the keys that sign JWT-SVIDs.
const JWT_SVID: &str = "jwt-svid";
/// How often the publisher wants its bundle to be looked at, in seconds.
const REFRESH_HINT: &str = "spiffe_refresh_hint";

/// A text that names nothing in SPIFFE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeError {
    /// Not a trust domain.
    #[error("a trust domain has 1 to 255 lower-case letters, digits, '.', '-' and '_'")]
    TrustDomain,
    /// Not a SPIFFE ID of a workload.
    #[error("a SPIFFE ID is spiffe://TRUST-DOMAIN/PATH, without escapes, empty segments, '.' and '..'")]
    Id,
}

/// A trust domain: under whose root the names of its workloads are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// Accepts the bare name, such as `prod.example`.
    ///
    /// # Errors
    /// [`SpiffeError::TrustDomain`].
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if (1..=MAX_TRUST_DOMAIN_BYTES).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SpiffeError::TrustDomain)
        }
    }

    /// The bare name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a workload. Compared by code point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    text: String,
}

impl SpiffeId {
    /// Accepts `spiffe://TRUST-DOMAIN/PATH`. A trust domain alone names no workload.
    ///
    /// # Errors
    /// [`SpiffeError::Id`].
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= MAX_ID_BYTES).ok_or(SpiffeError::Id)?;
        let (domain, path) = rest.split_once('/').ok_or(SpiffeError::Id)?;
        let trust_domain = TrustDomain::parse(domain).map_err(|_| SpiffeError::Id)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let segment = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(fits);
        if !path.split('/').all(segment) {
            return Err(SpiffeError::Id);
        }
        Ok(Self { trust_domain, text: text.to_owned() })
    }

    /// Under whose root it is.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The keys of a trust domain that sign JWT-SVIDs.
#[derive(Clone, Debug, Default)]
pub struct SpiffeBundle {
    keys: JwkSet,
    refresh_hint: Option<Duration>,
}

impl SpiffeBundle {
    /// Parses a bundle document. Keys for other uses are left out, as are keys that cannot be used.
    ///
    /// # Errors
    /// If it is no key set at all, or too large.
    // spec: SPIFFE-AS1
    pub fn decode(bytes: &[u8]) -> Result<Self, JwkSetError> {
        let object = json::parse_object(bytes, &JsonLimits::DOCUMENT).map_err(|_| JwkSetError::NotASet)?;
        let Some(Value::Array(keys)) = object.get(names::KEYS) else {
            return Err(JwkSetError::NotASet);
        };
        let signing = |key: &&Value| key.get(names::USE).and_then(Value::as_str) == Some(JWT_SVID);
        let keys: Vec<Value> = keys.iter().filter(signing).map(without_use).collect();
        let refresh_hint = object.get(REFRESH_HINT).and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        Ok(Self { keys: JwkSet::from_values(&keys)?, refresh_hint: refresh_hint.map(Duration::from_secs) })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// How often the publisher wants to be asked, if it says so.
    #[must_use]
    pub fn refresh_hint(&self) -> Option<Duration> {
        self.refresh_hint
    }

    /// The keys without the rest.
    #[must_use]
    pub fn into_keys(self) -> JwkSet {
        self.keys
    }

    /// The text of a bundle with these keys, as [`SpiffeBundle::decode`] reads it.
    #[must_use]
    pub fn encode(keys: &JwkSet, refresh_hint: Option<Duration>) -> Vec<u8> {
        let public = keys.keys().iter().filter_map(|key| key.public_jwk());
        let list: Vec<Value> = public
            .map(|jwk| {
                let mut members = jwk.to_public_json();
                members.insert(names::USE.to_owned(), Value::from(JWT_SVID));
                Value::Object(members)
            })
            .collect();
        let mut object = serde_json::Map::new();
        object.insert(names::KEYS.to_owned(), Value::Array(list));
        if let Some(hint) = refresh_hint {
            object.insert(REFRESH_HINT.to_owned(), Value::from(hint.as_secs()));
        }
        Value::Object(object).to_string().into_bytes()
    }
}

/// `jwt-svid` says that the key verifies, in words that RFC 7517 does not have.
fn without_use(key: &Value) -> Value {
    let mut key = key.clone();
    if let Value::Object(members) = &mut key {
        members.remove(names::USE);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Algorithm, SigningKey};

    #[test]
    fn names_are_read_strictly() {
        let check = |text: &str, expect: Option<&str>| {
            let parsed = SpiffeId::parse(text).ok();
            assert_eq!(parsed.as_ref().map(|id| id.trust_domain().as_str()), expect, "{text}");
        };
        check("spiffe://prod.example/ns/orders/sa/api", Some("prod.example"));
        check("spiffe://a/b", Some("a"));
        for bad in [
            "",
            "spiffe://prod.example",
            "spiffe://prod.example/",
            "spiffe://Prod.example/a",
            "SPIFFE://prod.example/a",
            "spiffe://prod.example//a",
            "spiffe://prod.example/a/",
            "spiffe://prod.example/a/../b",
            "spiffe://prod.example/a%2Fb",
            "spiffe://prod.example:8443/a",
            "spiffe://user@prod.example/a",
            "spiffe://prod.example/a?b",
            "spiffe://prod.example/a#b",
            "https://prod.example/a",
        ] {
            check(bad, None);
        }
        check(&format!("spiffe://a/{}", "b".repeat(MAX_ID_BYTES)), None);
    }

    // spec-test: SPIFFE-AS1
    #[test]
    fn of_a_bundle_only_the_keys_for_tokens_count() {
        let key = |id: &str| SigningKey::generate(Algorithm::Es256).unwrap().with_key_id(id.to_owned());
        let [svid, x509, plain] = ["a", "b", "c"].map(key);
        let member = |key: &SigningKey, usage: Option<&str>| {
            let mut members = key.public_jwk().unwrap().to_public_json();
            members.remove("use");
            members.extend(usage.map(|usage| ("use".to_owned(), Value::from(usage))));
            Value::Object(members)
        };
        let keys = [member(&svid, Some("jwt-svid")), member(&x509, Some("x509-svid")), member(&plain, None)];
        let text = serde_json::json!({"keys": keys, "spiffe_sequence": 3, "spiffe_refresh_hint": 300});
        let bundle = SpiffeBundle::decode(text.to_string().as_bytes()).unwrap();
        let ids: Vec<_> = bundle.keys().keys().iter().map(|key| key.key_id()).collect();
        assert_eq!(ids, [Some("a")]);
        assert_eq!(bundle.refresh_hint(), Some(Duration::from_secs(300)));
        let again = SpiffeBundle::encode(bundle.keys(), bundle.refresh_hint());
        let again = SpiffeBundle::decode(&again).unwrap();
        assert_eq!(again.keys().keys().len(), 1);
        assert_eq!(again.refresh_hint(), Some(Duration::from_secs(300)));
        assert!(SpiffeBundle::decode(b"[]").is_err());
    }
}
