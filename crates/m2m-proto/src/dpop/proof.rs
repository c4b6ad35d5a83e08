//! DPoP proofs: a signed statement "I, the holder of this key, make this
//! request now", built by clients and verified by both kinds of server.
//!
//! Sections: RFC 9449 sections 4.2, 4.3, 7.1, 8, 11.1
//!
//! Enforces the twelve checks of section 4.3, in this order, cheapest first:
//! 1. exactly one `DPoP` header
//! 2. a well-formed compact JWS of at most [`MAX_PROOF_BYTES`]
//! 3. `typ` is `dpop+jwt`
//! 4. `alg` is asymmetric
//! 5. `jwk` is there, and is no private or shared key; then, `alg` is one that
//!    the caller accepts
//! 6. `jti`, `htm`, `htu` and `iat` are there, `jti` of 1 to [`MAX_JTI_BYTES`] bytes
//! 7. `htm` is the request's method
//! 8. `htu` is the request's URI, query and fragment ignored, after the
//!    normalization of RFC 3986 sections 6.2.2.1, 6.2.2.2 and 6.2.3
//! 9. `nonce`, by [`NonceRule`]
//! 10. `iat` is in the [`ProofWindow`] (not in the future: already with 6)
//! 11. `ath` is the hash of the access token, and the key is the one to which
//!     the token is bound, where the caller names them
//! 12. the signature, by the key in `jwk`
//!
//! Does not enforce: that the proof is used once. The caller consumes
//! [`VerifiedProof::replay_key`], after every other check, and remembers it
//! through [`VerifiedProof::replay_until`].
//!
//! Limits: 8 KiB a proof; accepted from 60 s after `iat` to 10 s before it.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::nonce::{DpopNonce, NonceError, NonceKey};
use crate::jose::kind::{self, Kind, KindError, LifeRule, TypPolicy};
use crate::jose::{
    Algorithm, Claims, Compact, Header, HeaderFields, Jwk, JwkThumbprint, JwsError, SigningKey, VerifyingKey,
    base64url, crypto, jws,
};
use crate::names::{claim, header};
use crate::secret::constant_time_eq;
use crate::time::{Skew, UnixTime};
use crate::token::AccessToken;

const KIND: Kind = Kind::DpopProof;

/// The longest proof.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// The longest `jti`.
pub const MAX_JTI_BYTES: usize = 256;

/// Why a proof could not be built or was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No `DPoP` header.
    #[error("the DPoP header is missing")]
    Missing,
    /// Several `DPoP` headers.
    #[error("more than one DPoP header")]
    Repeated,
    /// Not ASCII, or longer than [`MAX_PROOF_BYTES`].
    #[error("the DPoP header is not a proof of at most {MAX_PROOF_BYTES} bytes")]
    Size,
    /// Not a compact JWS, or its signature is wrong.
    #[error("the proof is not acceptable as a JWS: {0}")]
    Jws(#[from] JwsError),
    /// A rule of [`Kind::DpopProof`] is broken: `typ`, a symmetric algorithm,
    /// no `jwk` or a private one, a missing claim, a time in the future.
    #[error("the proof is refused: {0}")]
    Kind(#[from] KindError),
    /// The algorithm is not accepted here.
    #[error("the algorithm {0} is not accepted in proofs")]
    Algorithm(Algorithm),
    /// `jwk` is not usable as a public key.
    #[error("jwk must be a public key for the algorithm")]
    Key,
    /// A claim is malformed or of the wrong type, or all of them are.
    #[error("the claim {0} is malformed")]
    Claim(&'static str),
    /// `htm` is another method.
    #[error("htm is not the method of the request")]
    Method,
    /// `htu` is another URI.
    #[error("htu is not the URI of the request")]
    Uri,
    /// The caller's URI is not absolute: configuration is wrong.
    #[error("the public URI of the request is not known")]
    RequestUri,
    /// A nonce is demanded and there is none.
    #[error("the proof needs a nonce")]
    NonceMissing,
    /// The nonce is not one of ours or not recent.
    #[error("the nonce is not accepted: {0}")]
    Nonce(#[from] NonceError),
    /// `iat` lies too far back.
    #[error("the proof is too old")]
    TooOld,
    /// `ath` is not the hash of the presented token.
    #[error("ath is not the hash of the access token")]
    TokenHash,
    /// The key is not the one that is expected.
    #[error("the proof was made with another key")]
    AnotherKey,
}

/// A proof to be built: a fresh one for every request, retries included.
#[derive(Clone, Copy, Debug)]
pub struct DpopProof<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's absolute URI; its query is left out of the proof.
    pub uri: &'a Uri,
    /// `iat`.
    pub now: UnixTime,
    /// `jti`: at least 96 random bits, fresh for each proof.
    pub jti: &'a str,
    /// The newest nonce of this server in this role, if it gave one.
    pub nonce: Option<&'a DpopNonce>,
    /// The access token that goes along, at a resource server.
    pub access_token: Option<&'a AccessToken>,
}

impl DpopProof<'_> {
    /// The value of the `DPoP` header.
    ///
    /// # Errors
    /// `RequestUri`, `Claim` for an unusable `jti`, `Key` for an HMAC key, and
    /// what signing says.
    // spec: 9449-C1
    // spec: 9449-C2
    pub fn build(&self, key: &SigningKey) -> Result<HeaderValue, ProofError> {
        check_jti(self.jti)?;
        let jwk = key.public_jwk().ok_or(ProofError::Key)?;
        let mut claims = Claims { iat: Some(self.now), jti: Some(self.jti.to_owned()), ..Claims::default() };
        let mut put = |name: &str, value: &str| claims.rest.insert(name.to_owned(), value.into());
        put(claim::HTM, self.method.as_str());
        put(claim::HTU, &without_query(self.uri)?);
        if let Some(nonce) = self.nonce {
            put(claim::NONCE, nonce.as_str());
        }
        if let Some(token) = self.access_token {
            put(claim::ATH, &base64url::encode(token_hash(token)));
        }
        let fields = HeaderFields { typ: KIND.typ(), jwk: Some(jwk), ..HeaderFields::default() };
        let proof = jws::sign(&fields, &claims.encode(), key)?;
        HeaderValue::from_str(&proof).map_err(|_| ProofError::Size)
    }
}

/// What is demanded of a proof's nonce.
#[derive(Clone, Copy, Debug)]
pub enum NonceRule<'a> {
    /// This server gives no nonces; one in the proof is ignored.
    Unused,
    /// A proof without one is accepted; one that is there must be ours.
    IfPresent(&'a NonceKey),
    /// Each proof must have one of ours (RFC 9449 sections 8 and 9).
    Required(&'a NonceKey),
}

/// How far `iat` may lie from the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofWindow {
    /// Back: 60 s by default.
    pub past: Duration,
    /// Ahead: 10 s by default.
    pub future: Duration,
}

impl Default for ProofWindow {
    fn default() -> Self {
        Self { past: Duration::from_secs(60), future: Duration::from_secs(10) }
    }
}

/// What a proof is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's absolute URI with the public origin of this server, which
    /// comes from configuration and never from `Host`.
    pub uri: &'a Uri,
    /// Accepted algorithms; symmetric ones never count.
    pub algorithms: &'a [Algorithm],
    /// The present time.
    pub now: UnixTime,
    /// How far `iat` may lie from it.
    pub window: ProofWindow,
    /// What is demanded of the nonce.
    pub nonce: NonceRule<'a>,
    /// At a resource server: the token that was presented.
    pub access_token: Option<&'a AccessToken>,
    /// The key that is expected, where it is known beforehand.
    pub jkt: Option<&'a JwkThumbprint>,
}

/// Algorithms that are accepted in proofs unless configured otherwise.
pub const DEFAULT_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Ps256];

/// Evidence that the sender of this request holds a key. Only [`verify`] makes
/// one.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    jkt: JwkThumbprint,
    jti: String,
    uri: String,
    accepted_until: UnixTime,
    issued_at: UnixTime,
    token_hash: Option<[u8; 32]>,
}

impl VerifiedProof {
    /// The thumbprint of the key, for `cnf`.
    #[must_use]
    pub fn jkt(&self) -> &JwkThumbprint {
        &self.jkt
    }

    /// The proof's identifier.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// What to consume once: a hash of key, URI and `jti`, of fixed size
    /// whatever the sender wrote (RFC 9449 section 11.1).
    // spec: 9449-RS2
    #[must_use]
    pub fn replay_key(&self) -> [u8; 32] {
        let mut text = String::with_capacity(64 + self.uri.len() + self.jti.len());
        for part in [self.jkt.as_str(), &self.uri, &self.jti] {
            text.push_str(part);
            text.push('\n');
        }
        crypto::sha256(text.as_bytes())
    }

    /// How long the [`VerifiedProof::replay_key`] must be remembered: up to and
    /// including this instant, at which the proof is still accepted.
    #[must_use]
    pub fn replay_until(&self) -> UnixTime {
        self.accepted_until
    }

    /// Whether the proof was made for, and verified with, this token.
    #[must_use]
    pub fn is_for(&self, token: &AccessToken) -> bool {
        self.token_hash.is_some_and(|hash| hash == token_hash(token))
    }
}

/// Verifies the proof of a request. The checks and their order are in the
/// module's description.
///
/// # Errors
/// One variant per check. `NonceMissing` and `Nonce` are `use_dpop_nonce`, the
/// others `invalid_dpop_proof`.
// spec: 9449-V1
pub fn verify(headers: &HeaderMap, expect: &Expect<'_>) -> Result<VerifiedProof, ProofError> {
    let text = sole_proof(headers)?;
    let compact = Compact::parse(text)?;
    let jwk = check_header(compact.header(), expect.algorithms)?;
    let claims = Claims::parse(compact.payload()).map_err(|_| ProofError::Claim("set"))?;
    let (jti, issued_at) = check_claims(&claims, expect)?;
    let htm = claims.text(claim::HTM).ok_or(ProofError::Claim(claim::HTM))?;
    let htu = claims.text(claim::HTU).ok_or(ProofError::Claim(claim::HTU))?;
    if htm != expect.method.as_str() {
        return Err(ProofError::Method);
    }
    let uri = check_uri(htu, expect.uri)?;
    check_nonce(&claims, expect)?;
    if issued_at.saturating_add(expect.window.past) < expect.now {
        return Err(ProofError::TooOld);
    }
    let token_hash = check_token(&claims, expect.access_token)?;
    let jkt = jwk.thumbprint();
    if expect.jkt.is_some_and(|expected| *expected != jkt) {
        return Err(ProofError::AnotherKey);
    }
    let key = VerifyingKey::from_jwk(jwk).map_err(|_| ProofError::Key)?;
    compact.verify(&key)?;
    let accepted_until = issued_at.saturating_add(expect.window.past);
    Ok(VerifiedProof { jkt, jti: jti.to_owned(), uri, accepted_until, issued_at, token_hash })
}

fn sole_proof(headers: &HeaderMap) -> Result<&str, ProofError> {
    let mut values = headers.get_all(header::DPOP).iter();
    let value = values.next().ok_or(ProofError::Missing)?;
    if values.next().is_some() {
        return Err(ProofError::Repeated);
    }
    let text = value.to_str().map_err(|_| ProofError::Size)?;
    if text.len() > MAX_PROOF_BYTES { Err(ProofError::Size) } else { Ok(text) }
}

fn check_header<'h>(header: &'h Header, algorithms: &[Algorithm]) -> Result<&'h Jwk, ProofError> {
    kind::check_header(KIND, header, TypPolicy::Row)?;
    if !algorithms.contains(&header.alg) {
        return Err(ProofError::Algorithm(header.alg));
    }
    header.jwk.as_deref().ok_or(ProofError::Key)
}

/// Presence of the claims, a future `iat`, and the size of `jti`. The past is
/// left for later, behind the nonce, as in RFC 9449: a client with a slow clock
/// must be told that a nonce is wanted.
fn check_claims<'c>(claims: &'c Claims, expect: &Expect<'_>) -> Result<(&'c str, UnixTime), ProofError> {
    let rules = kind::Expect::at(expect.now).skew(Skew::new(expect.window.future));
    kind::check_claims(KIND, claims, &kind::Expect { life: Some(LifeRule::Unlimited), ..rules })?;
    let jti = check_jti(claims.jti.as_deref().unwrap_or_default())?;
    Ok((jti, claims.iat.ok_or(ProofError::Claim(claim::IAT))?))
}

fn check_jti(jti: &str) -> Result<&str, ProofError> {
    if (1..=MAX_JTI_BYTES).contains(&jti.len()) { Ok(jti) } else { Err(ProofError::Claim(claim::JTI)) }
}

fn check_uri(htu: &str, request: &Uri) -> Result<String, ProofError> {
    let request = normalized(&without_query(request)?).ok_or(ProofError::RequestUri)?;
    if normalized(htu).as_ref() == Some(&request) { Ok(request) } else { Err(ProofError::Uri) }
}

// spec: 9449-AS3
fn check_nonce(claims: &Claims, expect: &Expect<'_>) -> Result<(), ProofError> {
    let (key, required) = match expect.nonce {
        NonceRule::Unused => return Ok(()),
        NonceRule::IfPresent(key) => (key, false),
        NonceRule::Required(key) => (key, true),
    };
    match claims.get(claim::NONCE) {
        Some(value) => {
            let nonce = DpopNonce::parse(value.as_str().ok_or(ProofError::Claim(claim::NONCE))?)?;
            Ok(key.check(&nonce, expect.now)?)
        }
        None if required => Err(ProofError::NonceMissing),
        None => Ok(()),
    }
}

fn check_token(claims: &Claims, token: Option<&AccessToken>) -> Result<Option<[u8; 32]>, ProofError> {
    let Some(token) = token else { return Ok(None) };
    let hash = token_hash(token);
    let claimed = claims.text(claim::ATH).ok_or(ProofError::Claim(claim::ATH))?;
    if constant_time_eq(claimed.as_bytes(), base64url::encode(hash).as_bytes()) {
        Ok(Some(hash))
    } else {
        Err(ProofError::TokenHash)
    }
}

/// RFC 9449 section 4.2: SHA-256 of the ASCII token.
fn token_hash(token: &AccessToken) -> [u8; 32] {
    crypto::sha256(token.expose().as_bytes())
}

/// Scheme, authority and path of an absolute URI.
fn without_query(uri: &Uri) -> Result<String, ProofError> {
    let (scheme, authority) = uri.scheme_str().zip(uri.authority()).ok_or(ProofError::RequestUri)?;
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    Ok(format!("{scheme}://{authority}{path}"))
}

/// RFC 3986 section 6.2: scheme and host in lower case, the default port and
/// an empty path left out, percent-encoding in one form. Query and fragment
/// are dropped. `None` for what is no http URI.
fn normalized(text: &str) -> Option<String> {
    let text = text.split(['?', '#']).next()?;
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty()
        || (host.contains(':') && !bracketed)
        || !port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let mut out = format!("{scheme}://{}", host.to_ascii_lowercase());
    if !port.is_empty() && port != default_port {
        out.push(':');
        out.push_str(port);
    }
    out.push_str(&normalized_path(path));
    Some(out)
}

/// Unreserved characters stand for themselves, other escapes in upper case. A
/// path with a `%` that begins no escape stays as it is: what follows could
/// make one of it, which says something else.
fn normalized_path(path: &str) -> Cow<'_, str> {
    if path.is_empty() {
        return Cow::Borrowed("/");
    }
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut parts = path.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let escape = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escape, part.get(2..)) {
            (Some(byte), Some(rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
                out.push_str(rest);
            }
            (Some(byte), Some(rest)) => out.push_str(&format!("%{byte:02X}{rest}")),
            _ => return Cow::Borrowed(path),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
