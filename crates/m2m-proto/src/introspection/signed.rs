//! The signed answer of introspection: what the server says of a token, for the one that asked, in a
//! form that it can show to others.
//!
//! Sections: RFC 9701 sections 4 and 5
//!
//! Enforces, when written: `typ` is `token-introspection+jwt`; `aud` is who asked; no `sub` and no `exp`
//! at the top, so that it never passes for an access token; an inactive answer says so inside, and
//! nothing else.
//! Enforces, when read, in this order:
//! 1. status 200; the media type is `application/token-introspection+jwt`; size and shape of a compact
//!    JWS; no `crit` ([`SignedIntrospection::read`])
//! 2. `typ`; no symmetric algorithm; the algorithm is one that the caller accepts from this issuer
//! 3. the signature
//! 4. `iss`, `aud`, `iat` and `token_introspection` are there; `iss` is exactly the issuer; `aud` names
//!    the caller; `iat` is at most a minute old and not in the future, with the skew
//! 5. `token_introspection` is an object with a boolean `active`, read as an unsigned answer is
//!
//! Does not enforce: that the token may be used here ([`super::Introspection::check`]).
//! Limits: 32 KiB of text.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::{ActiveAnswer, Introspection, check_texts};
use crate::error::ResponseError;
use crate::error::answer::{MalformedResponse, check_status};
use crate::error::response::no_store;
use crate::jose::kind::{self, Kind, KindError, TypPolicy};
use crate::jose::{
    Algorithm, Claims, Compact, HeaderFields, JwsError, PreparedHeader, SigningKey, VerifyingKey, jws,
};
use crate::names::{claim, header, media_type};
use crate::time::{Skew, UnixTime};
use crate::uri::Issuer;

const KIND: Kind = Kind::IntrospectionResponse;

/// The longest signed answer.
pub const MAX_DOCUMENT_BYTES: usize = 32 * 1024;

/// Whether a request asks for the signed answer: `Accept` names its media type, and not with `q=0`.
/// A wildcard does not ask for it.
// spec: 9701-AS1
#[must_use]
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|list| list.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(is_media_type);
        named && !parts.any(is_zero)
    })
}

/// `q=0`, `q=0.`, `q=0.000`.
fn is_zero(parameter: &str) -> bool {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    value.is_some_and(|value| value.starts_with('0') && value.bytes().all(|byte| matches!(byte, b'0' | b'.')))
}

fn is_media_type(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case(media_type::TOKEN_INTROSPECTION_JWT)
}

/// An answer to be signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedAnswer<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `aud`: the client that asked.
    pub audience: &'a str,
    /// `iat`.
    pub issued_at: UnixTime,
    /// What is said; `None` of a token that is not active.
    pub answer: Option<&'a ActiveAnswer>,
}

impl SignedAnswer<'_> {
    /// Signs the answer: 200, not to be cached.
    ///
    /// # Errors
    /// What signing says; `TooLong`: the claims of the token fill more than [`MAX_DOCUMENT_BYTES`].
    // spec: 9701-AS1
    pub fn sign(&self, key: &SigningKey) -> Result<Response<Bytes>, JwsError> {
        let fields = HeaderFields { typ: KIND.typ(), kid: key.key_id(), ..HeaderFields::default() };
        let head = PreparedHeader::new(&fields, key);
        let text = jws::sign_document(&head, &self.payload(), key, MAX_DOCUMENT_BYTES)?;
        let mut response = Response::new(Bytes::from(text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::TOKEN_INTROSPECTION_JWT));
        no_store(headers);
        Ok(response)
    }

    /// The answer is JSON already, and is put in as it is.
    fn payload(&self) -> Vec<u8> {
        let inactive = Bytes::from_static(br#"{"active":false}"#);
        let answer = self.answer.map_or(inactive, |answer| answer.0.clone());
        let head = [
            (claim::ISS, json!(self.issuer.as_str())),
            (claim::AUD, json!(self.audience)),
            (claim::IAT, json!(self.issued_at.seconds())),
        ];
        let mut payload = Vec::with_capacity(answer.len() + 256);
        for (name, value) in head {
            payload.push(if payload.is_empty() { b'{' } else { b',' });
            payload.extend_from_slice(format!("\"{name}\":{value}").as_bytes());
        }
        payload.extend_from_slice(format!(",\"{}\":", claim::TOKEN_INTROSPECTION).as_bytes());
        payload.extend_from_slice(&answer);
        payload.push(b'}');
        payload
    }
}

/// Why a signed answer was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedIntrospectionError {
    /// Its signature is wrong.
    #[error("the signed introspection answer is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// A rule of [`Kind::IntrospectionResponse`] is broken: `typ`, a missing claim, the issuer, the
    /// audience, a time.
    #[error("the signed introspection answer is refused: {0}")]
    Kind(#[from] KindError),
    /// The algorithm is not accepted from this issuer.
    #[error("the algorithm {0} is not accepted from this issuer")]
    Algorithm(Algorithm),
    /// What it says of the token is malformed.
    #[error("the signed introspection answer is malformed: {0}")]
    Malformed(MalformedResponse),
}

/// What a signed answer is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The server that was asked.
    pub issuer: &'a Issuer,
    /// The client that asked.
    pub audience: &'a str,
    /// Algorithms accepted from this issuer.
    pub algorithms: &'a [Algorithm],
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for times.
    pub skew: Skew,
}

/// A signed answer of the right shape. Nothing in it is proven, and nothing of it is shown but what is
/// needed to find the key.
#[derive(Clone)]
pub struct SignedIntrospection {
    text: String,
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl SignedIntrospection {
    /// Reads an answer without proving anything about it.
    ///
    /// # Errors
    /// [`ResponseError`]. An answer that is not signed is `Malformed`, whatever it says.
    // spec: 9701-RS1
    pub fn read(response: &Response<Bytes>) -> Result<Self, ResponseError> {
        check_status(response, &[StatusCode::OK])?;
        let malformed = |what| ResponseError::Malformed { status: response.status(), what };
        let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.and_then(|text| text.split(';').next()).is_some_and(is_media_type) {
            return Err(malformed(MalformedResponse::NotSigned));
        }
        let text = std::str::from_utf8(response.body()).unwrap_or_default().trim_end();
        let compact = Compact::parse_document(text, MAX_DOCUMENT_BYTES)
            .map_err(|error| malformed(MalformedResponse::Jws(error)))?;
        let head = compact.header();
        Ok(Self { key_id: head.kid.clone(), algorithm: head.alg, text: text.to_owned() })
    }

    /// The header's key id, a hint and no more.
    #[must_use]
    pub fn key_hint(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The header's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// All other checks, in the order of the module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 9701-RS1
    pub fn verify(
        &self,
        key: &VerifyingKey,
        expect: &Expect<'_>,
    ) -> Result<Introspection, SignedIntrospectionError> {
        let compact = Compact::parse_document(&self.text, MAX_DOCUMENT_BYTES)?;
        kind::check_header(KIND, compact.header(), TypPolicy::Row)?;
        if !expect.algorithms.contains(&compact.header().alg) {
            return Err(SignedIntrospectionError::Algorithm(compact.header().alg));
        }
        let malformed = SignedIntrospectionError::Malformed;
        let claims = Claims::parse_document(compact.verify(key)?.payload(), MAX_DOCUMENT_BYTES)
            .map_err(|error| malformed(MalformedResponse::Claims(error)))?;
        let audience = [expect.audience];
        let rules = kind::Expect::at(expect.now).issuer(expect.issuer.as_str()).audience(&audience);
        kind::check_claims(KIND, &claims, &rules.skew(expect.skew))?;
        told(claims.get(claim::TOKEN_INTROSPECTION)).map_err(malformed)
    }
}

/// Reads the member as the answer that it stands for.
fn told(member: Option<&Value>) -> Result<Introspection, MalformedResponse> {
    let not_one = MalformedResponse::MemberType(claim::TOKEN_INTROSPECTION);
    let member = member.filter(|member| member.is_object()).ok_or(not_one)?;
    match member.get(claim::ACTIVE) {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(Introspection::inactive()),
        Some(_) => return Err(MalformedResponse::MemberType(claim::ACTIVE)),
        None => return Err(MalformedResponse::Missing(claim::ACTIVE)),
    }
    let claims = Claims::parse_document(member.to_string().as_bytes(), MAX_DOCUMENT_BYTES);
    Ok(Introspection::active(check_texts(claims.map_err(MalformedResponse::Claims)?)?))
}

/// It says who may do what.
impl std::fmt::Debug for SignedIntrospection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIntrospection").field("alg", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
