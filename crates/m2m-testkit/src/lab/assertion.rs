//! What a service wants of a signed assertion: of the client's, of a grant's, of a bearer's.
//!
//! Sections: RFC 7523 sections 2.1, 2.2 and 3; RFC 7515 section 4.1.8 (`x5t#S256`)
//! Enforces, in this order: shape; algorithm; `typ`; `kid`; certificate thumbprint; signature; `iss`, `sub`, `aud`,
//! other claims; times by the lab's clock; single use.
//! Does not enforce: anything that the rule leaves open.
//!
//! Reads header and claims by itself, so that a mistake in our own reader does not hide one in our own writer; the
//! signature alone is checked by `m2m-proto`.

use std::collections::BTreeSet;
use std::sync::Arc;

use m2m_proto::jose::{Algorithm, Compact, VerifyingKey, base64url};
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::UnixTime;
use serde_json::{Map, Value};

use super::answer::Words;

/// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What must stand in `sub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Exactly this.
    Exactly(String),
    /// Nothing: services that take `sub` for delegation.
    Absent,
    /// Anything or nothing.
    Any,
}

/// What must stand in the header's `typ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypRule {
    /// Anything or nothing.
    Any,
    /// Exactly this.
    Exactly(String),
    /// Nothing.
    Absent,
}

/// How often an assertion may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JtiRule {
    /// `jti` is not looked at.
    Unchecked,
    /// `jti` may be absent; if it is there, it must not have been seen.
    Optional,
    /// `jti` must be there and must not have been seen.
    Required,
}

/// What a service wants of an assertion. Made by a constructor, then changed field by field.
#[derive(Clone, Debug)]
pub struct AssertionRule {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: Subject,
    /// `aud`, its only value; may hold `{origin}`.
    pub audience: String,
    /// Who may have signed.
    pub keys: Vec<Arc<VerifyingKey>>,
    /// How it may be signed; empty: in any way that a key allows.
    pub algorithms: Vec<Algorithm>,
    /// Seconds from `iat`, and from now, to `exp` at most; `None`: unlimited.
    pub max_lifetime: Option<u64>,
    /// Seconds by which clocks may differ; default 10.
    pub skew: u64,
    /// `typ`; default any.
    pub typ: TypRule,
    /// `jti`; default required.
    pub jti: JtiRule,
    /// `kid`, where the service demands it.
    pub key_id: Option<String>,
    /// `x5t#S256`, where the service demands it: base64url of the certificate's SHA-256.
    pub x5t_s256: Option<String>,
    /// Other claims with their values; texts may hold `{origin}`.
    pub claims: Map<String, Value>,
    /// What `client_assertion_type` must be, where the assertion is the client's.
    pub assertion_type: String,
}

impl AssertionRule {
    /// `private_key_jwt`: signed by this key, at most 300 seconds long.
    #[must_use]
    pub fn private_key_jwt(client_id: &str, key: Arc<VerifyingKey>, audience: &str) -> Self {
        Self {
            issuer: client_id.to_owned(),
            subject: Subject::Exactly(client_id.to_owned()),
            audience: audience.to_owned(),
            keys: vec![key],
            algorithms: Vec::new(),
            max_lifetime: Some(300),
            skew: 10,
            typ: TypRule::Any,
            jti: JtiRule::Required,
            key_id: None,
            x5t_s256: None,
            claims: Map::new(),
            assertion_type: JWT_BEARER.to_owned(),
        }
    }

    /// `client_secret_jwt`: as [`Self::private_key_jwt`], but the secret signs.
    ///
    /// # Panics
    ///
    /// If the secret is shorter than the algorithm's hash.
    #[must_use]
    pub fn client_secret_jwt(client_id: &str, secret: &str, algorithm: Algorithm, audience: &str) -> Self {
        let key =
            VerifyingKey::hmac(&SecretBytes::from(secret.as_bytes()), algorithm).expect("a long secret");
        Self::private_key_jwt(client_id, Arc::new(key), audience)
    }

    /// The assertion of a `jwt-bearer` grant: no `sub`, at most an hour, `jti` not looked at.
    #[must_use]
    pub fn jwt_bearer(issuer: &str, key: Arc<VerifyingKey>, audience: &str) -> Self {
        Self {
            subject: Subject::Absent,
            max_lifetime: Some(3600),
            jti: JtiRule::Unchecked,
            ..Self::private_key_jwt(issuer, key, audience)
        }
    }

    /// The claims of an assertion that fits.
    pub(super) fn check(
        &self,
        token: &str,
        at: &Moment,
        used: &mut Used,
    ) -> Result<Map<String, Value>, Fault> {
        let mut parts = token.split('.').map(object);
        let (Some(Some(header)), Some(Some(claims))) = (parts.next(), parts.next()) else {
            return Err(Fault::Wrong);
        };
        self.check_header(&header)?;
        let compact = Compact::parse(token).map_err(|_| Fault::Wrong)?;
        let signed = self.keys.iter().any(|key| compact.verify(key).is_ok());
        signed.then_some(()).ok_or(Fault::Wrong)?;
        self.check_claims(&claims, &at.words)?;
        self.check_times(&claims, at.now)?;
        self.consume(&claims, used)?;
        Ok(claims)
    }

    fn check_header(&self, header: &Map<String, Value>) -> Result<(), Fault> {
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(Algorithm::parse).ok_or(Fault::Wrong)?;
        let typ = match &self.typ {
            TypRule::Any => true,
            TypRule::Exactly(typ) => text("typ") == Some(typ),
            TypRule::Absent => !header.contains_key("typ"),
        };
        let fits = (self.algorithms.is_empty() || self.algorithms.contains(&algorithm))
            && typ
            && self.key_id.as_deref().is_none_or(|id| text("kid") == Some(id))
            && self.x5t_s256.as_deref().is_none_or(|thumbprint| text("x5t#S256") == Some(thumbprint));
        fits.then_some(()).ok_or(Fault::Wrong)
    }

    fn check_claims(&self, claims: &Map<String, Value>, words: &Words) -> Result<(), Fault> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let subject = match &self.subject {
            Subject::Exactly(subject) => text("sub") == Some(subject),
            Subject::Absent => !claims.contains_key("sub"),
            Subject::Any => true,
        };
        let audience = match claims.get("aud") {
            Some(Value::Array(values)) if values.len() == 1 => values[0].as_str(),
            other => other.and_then(Value::as_str),
        };
        let others = words.fill_object(&self.claims);
        let fits = text("iss") == Some(&self.issuer)
            && subject
            && audience == Some(&words.fill(&self.audience))
            && others.iter().all(|(name, value)| claims.get(name) == Some(value));
        fits.then_some(()).ok_or(Fault::Wrong)
    }

    fn check_times(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<(), Fault> {
        let now = now.seconds();
        // Times are numbers: one in quotes is no time, and one that is absent is not checked, but for `exp`.
        let read = |name: &str| claims.get(name).map(|value| value.as_u64().ok_or(Fault::Wrong)).transpose();
        let (expires, issued, not_before) = (read("exp")?.ok_or(Fault::Wrong)?, read("iat")?, read("nbf")?);
        let early = [issued, not_before].into_iter().flatten().any(|time| time > now + self.skew);
        let late = now >= expires + self.skew;
        let long = self.max_lifetime.is_some_and(|longest| {
            let from_issued = issued.is_some_and(|issued| expires.saturating_sub(issued) > longest);
            from_issued || expires > now + longest + self.skew
        });
        if early || late || long { Err(Fault::Clock) } else { Ok(()) }
    }

    fn consume(&self, claims: &Map<String, Value>, used: &mut Used) -> Result<(), Fault> {
        let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty());
        match (self.jti, jti) {
            (JtiRule::Required, None) => Err(Fault::Wrong),
            (JtiRule::Required | JtiRule::Optional, Some(jti)) if !used.insert(jti.to_owned()) => {
                Err(Fault::Replayed)
            }
            _ => Ok(()),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&base64url::decode(part).ok()?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// Identifiers of assertions that were used.
pub(super) type Used = BTreeSet<String>;

/// When and where a request came in.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// The lab's time.
    pub(super) now: UnixTime,
    /// `{origin}` and what else is known.
    pub(super) words: Words,
}

/// What is wrong with an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something else than time and use.
    Wrong,
    /// The time, or the length of its life.
    Clock,
    /// It was used before.
    Replayed,
}
