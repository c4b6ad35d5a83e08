//! The protected header of a JWS: what strangers write there, and what we write.
//!
//! Sections: RFC 7515 §4, RFC 8725 §3.1 and §3.11, RFC 7797 §3
//! Enforces: one JSON object without duplicate members; a registered `alg` that
//! we know; no `crit`, because we understand no extension; no `b64`, for the same
//! reason; text in `typ` and `kid`; a well-formed `jwk`
//! Does not enforce: that `alg` fits the key ([`super::Compact::verify`]) or `typ`
//! the purpose ([`super::kind`]). `kid`, `jwk`, `jku`, `x5u`, `x5c` are hints of a
//! stranger: `jwk` is read for DPoP only, the last three never
//! Limits: 4 KiB, 8 levels

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;

use super::alg::Algorithm;
use super::base64url;
use super::jwk::Jwk;
use super::jws::JwsError;
use super::signing_key::SigningKey;
use super::strict::{Fault, Faults, Name, Text};
use crate::names::jose as names;

/// The longest decoded header we read.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;

/// A header as it was received.
#[derive(Clone, Debug)]
pub struct Header {
    /// `alg`.
    pub alg: Algorithm,
    /// `typ`, as written.
    pub typ: Option<String>,
    /// `kid`: a hint which key to try.
    pub kid: Option<String>,
    /// `jwk`: a key that the sender claims to hold. Never a reason to trust anything.
    pub jwk: Option<Box<Jwk>>,
}

impl Header {
    /// Parses the decoded bytes.
    ///
    /// # Errors
    /// See the list of checks above.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(JwsError::TooLong { bytes: bytes.len(), limit: MAX_HEADER_BYTES });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| JwsError::MalformedHeader)?;
        let faults = Faults::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(Reader(&faults)).and_then(|found| reader.end().map(|()| found));
        let found = read.map_err(|_| match faults.take() {
            Some(Fault::Duplicate) => JwsError::DuplicateMember,
            Some(Fault::WrongType(_)) | None => JwsError::MalformedHeader,
        })?;
        found.check()
    }

    /// Whether `typ` names this media type: without regard to case, with or without the prefix
    /// `application/` (RFC 7515 §4.1.9).
    #[must_use]
    pub fn has_typ(&self, expected: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| same_media_type(typ, expected))
    }
}

/// RFC 7515 §4.1.9: media types compare without case, and `application/` may be omitted.
// spec: JWT-V3
pub(super) fn same_media_type(a: &str, b: &str) -> bool {
    without_application(a).eq_ignore_ascii_case(without_application(b))
}

fn without_application(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    }
}

/// What stood in a header, before it is judged.
#[derive(Default)]
struct Found {
    alg: Option<Option<Algorithm>>,
    typ: Option<Option<String>>,
    kid: Option<Option<String>>,
    jwk: Option<Value>,
    /// A set, because a stranger chooses how many there are.
    others: BTreeSet<String>,
}

impl Found {
    // spec: JOSE-V2, JWT-V5
    fn check(self) -> Result<Header, JwsError> {
        if self.others.contains(names::CRIT) || self.others.contains(names::B64) {
            return Err(JwsError::Extension);
        }
        if self.others.contains(names::ENC) {
            return Err(JwsError::Encrypted);
        }
        let alg = self.alg.ok_or(JwsError::MalformedHeader)?.ok_or(JwsError::UnknownAlgorithm)?;
        let jwk = match self.jwk {
            None => None,
            Some(Value::Object(members)) => {
                Some(Box::new(Jwk::from_object(&members).map_err(JwsError::HeaderKey)?))
            }
            Some(_) => return Err(JwsError::MalformedHeader),
        };
        Ok(Header { alg, typ: self.typ.flatten(), kid: self.kid.flatten(), jwk })
    }
}

struct Reader<'f>(&'f Faults);

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found, A::Error> {
        let faults = self.0;
        let mut found = Found::default();
        while let Some(name) = members.next_key_seed(Name)? {
            let twice = match &*name {
                names::ALG => {
                    let text = members.next_value_seed(Text(names::ALG, faults))?;
                    found.alg.replace(text.as_deref().and_then(Algorithm::parse)).is_some()
                }
                names::TYP => {
                    let text = members.next_value_seed(Text(names::TYP, faults))?;
                    found.typ.replace(text.map(Into::into)).is_some()
                }
                names::KID => {
                    let text = members.next_value_seed(Text(names::KID, faults))?;
                    found.kid.replace(text.map(Into::into)).is_some()
                }
                names::JWK => found.jwk.replace(members.next_value_seed(faults.any())?).is_some(),
                other => {
                    members.next_value_seed(faults.any())?;
                    !found.others.insert(other.to_owned())
                }
            };
            if twice {
                return Err(faults.raise(Fault::Duplicate));
            }
        }
        Ok(found)
    }
}

/// What a header says besides `alg`, which is always the key's.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderFields<'a> {
    /// `typ`.
    pub typ: Option<&'a str>,
    /// `kid`; when absent, the key's own id, unless `jwk` is there.
    pub kid: Option<&'a str>,
    /// `jwk`: only its public, required members are written. A shared secret is left out.
    pub jwk: Option<&'a Jwk>,
    /// `x5t#S256` (RFC 7515 §4.1.8): the base64url SHA-256 of the certificate
    /// of the signing key, by which some servers find it.
    pub x5t_s256: Option<&'a str>,
}

/// A header encoded once for one key and one purpose, for callers that sign often.
#[derive(Clone, Debug)]
pub struct PreparedHeader {
    /// base64url text and the dot after it.
    encoded: String,
    algorithm: Algorithm,
}

impl PreparedHeader {
    /// Encodes the header that `key` will sign under.
    #[must_use]
    pub fn new(fields: &HeaderFields<'_>, key: &SigningKey) -> Self {
        let algorithm = key.algorithm();
        let mut json = String::with_capacity(96);
        json.push('{');
        if let Some(typ) = fields.typ {
            push_member(&mut json, names::TYP, typ);
        }
        push_member(&mut json, names::ALG, algorithm.name());
        let own_id = if fields.jwk.is_some() { None } else { key.key_id() };
        if let Some(kid) = fields.kid.or(own_id) {
            push_member(&mut json, names::KID, kid);
        }
        if let Some(thumbprint) = fields.x5t_s256 {
            push_member(&mut json, names::X5T_S256, thumbprint);
        }
        if let Some(jwk) = fields.jwk.and_then(Jwk::public) {
            push_name(&mut json, names::JWK);
            json.push_str(&jwk.required_members());
        }
        json.push('}');
        let mut encoded = base64url::encode(json);
        encoded.push('.');
        Self { encoded, algorithm }
    }

    /// The algorithm it names.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn encoded(&self) -> &str {
        &self.encoded
    }
}

fn push_name(json: &mut String, name: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    json.push('"');
    json.push_str(name);
    json.push_str("\":");
}

fn push_member(json: &mut String, name: &str, value: &str) {
    push_name(json, name);
    json.push_str(&Value::from(value).to_string()); // with JSON's escapes
}
