//! Compact JWS: parse, verify, sign.
//!
//! Sections: RFC 7515 §3.1, §5, §7.1; RFC 8725 §3.1, §3.2
//! Enforces, cheapest first: size; exactly three parts of strict base64url; the
//! header ([`super::header`]); that the key is bound to the header's algorithm;
//! the signature, over the bytes received
//! Does not enforce: anything about the payload, `typ`, or which algorithms a peer
//! may use; [`super::kind`] and each message's own module do
//! Limits: 16 KiB a token; a document of its own kind (a status list, a revocation
//! feed) names another limit, and no other kind can be read by it
//!
//! JSON serialization, detached and unencoded payloads and unsecured tokens
//! (`none`) do not exist here.

use std::fmt;
use std::ops::Range;

use super::base64url;
use super::header::{Header, HeaderFields, PreparedHeader};
use super::jwk::JwkError;
use super::key::VerifyingKey;
use super::signing_key::SigningKey;

/// The longest token that we read or make.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a JWS was refused or not made. Never carries token text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// More bytes than allowed.
    #[error("{bytes} bytes, {limit} allowed")]
    TooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not three parts of base64url joined by dots.
    #[error("not a compact JWS")]
    NotCompact,
    /// The header is not a JSON object with a text `alg`.
    #[error("the header is malformed")]
    MalformedHeader,
    /// RFC 7515 §4: a header member occurs twice.
    #[error("a header member occurs twice")]
    DuplicateMember,
    /// `alg` is `none` or a name we do not know.
    #[error("the algorithm is none or unknown")]
    UnknownAlgorithm,
    /// `crit` or `b64` is present; we understand no extension.
    #[error("the header asks for an extension")]
    Extension,
    /// `enc` is present: this is a JWE.
    #[error("the token is encrypted")]
    Encrypted,
    /// `jwk` in the header is no key.
    #[error("the key in the header is refused: {0}")]
    HeaderKey(#[source] JwkError),
    /// The key is bound to other algorithms than the header names.
    #[error("the key does not allow the algorithm of the header")]
    AlgorithmNotAllowed,
    /// The signature does not fit.
    #[error("the signature is wrong")]
    WrongSignature,
    /// The crypto library could not sign.
    #[error("signing failed")]
    SigningFailed,
}

/// A well-formed token. Nothing in it is proven. `Debug` shows the header only: the rest is good for use.
#[derive(Clone)]
pub struct Compact<'a> {
    signing_input: &'a [u8],
    header: Header,
    /// Header, payload and signature, decoded.
    decoded: Vec<u8>,
    payload: Range<usize>,
}

/// Bytes that a known key signed. Only [`Compact::verify`] makes one. `Debug` shows the header only.
#[derive(Clone, Copy)]
pub struct VerifiedPayload<'a> {
    header: &'a Header,
    payload: &'a [u8],
}

impl<'a> Compact<'a> {
    /// Parses the compact serialization.
    ///
    /// # Errors
    /// See the list of checks above.
    // spec: JWT-V4
    pub fn parse(token: &'a str) -> Result<Self, JwsError> {
        Self::parse_document(token, MAX_TOKEN_BYTES)
    }

    /// As [`Compact::parse`], for what is no token but a published document and may be longer.
    ///
    /// # Errors
    /// As [`Compact::parse`].
    pub(crate) fn parse_document(token: &'a str, limit: usize) -> Result<Self, JwsError> {
        if token.len() > limit {
            return Err(JwsError::TooLong { bytes: token.len(), limit });
        }
        // A fourth part would leave a dot in the middle one, which is not base64url.
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
        let mut decoded = Vec::with_capacity(token.len());
        let mut ends = [0; 2];
        for (part, end) in [header, payload].into_iter().zip(&mut ends) {
            base64url::decode_into(part, &mut decoded).map_err(|_| JwsError::NotCompact)?;
            *end = decoded.len();
        }
        base64url::decode_into(signature, &mut decoded).map_err(|_| JwsError::NotCompact)?;
        let header = Header::parse(decoded.get(..ends[0]).unwrap_or_default())?;
        let payload = ends[0]..ends[1];
        Ok(Self { signing_input: signing_input.as_bytes(), header, decoded, payload })
    }

    /// The header; unproven.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The decoded payload; unproven.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.decoded.get(self.payload.clone()).unwrap_or_default()
    }

    /// Proves that the holder of `key` signed header and payload.
    ///
    /// # Errors
    /// [`JwsError::AlgorithmNotAllowed`] if the key is bound to other algorithms,
    /// [`JwsError::WrongSignature`].
    // spec: JOSE-V1, JOSE-V3, JWT-V1
    pub fn verify(&self, key: &VerifyingKey) -> Result<VerifiedPayload<'_>, JwsError> {
        let verifier = key.verifier(self.header.alg).ok_or(JwsError::AlgorithmNotAllowed)?;
        let signature = self.decoded.get(self.payload.end..).unwrap_or_default();
        verifier.verify(self.signing_input, signature).map_err(|_| JwsError::WrongSignature)?;
        Ok(VerifiedPayload { header: &self.header, payload: self.payload() })
    }
}

impl<'a> VerifiedPayload<'a> {
    /// The header that was signed.
    #[must_use]
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact").field("header", &self.header).finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifiedPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPayload").field("header", self.header).finish_non_exhaustive()
    }
}

/// Whether a text is meant as a compact JWS, good or broken: three parts, of which the first begins a JSON object,
/// after white space too.
///
/// Wider than what [`Compact::parse`] accepts, so that a token which says who issued it, however badly it is written,
/// is never taken for an opaque one and shown to a server that it is not of. Whatever else is opaque.
#[must_use]
pub fn is_meant_as_jws(text: &str) -> bool {
    let mut parts = text.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // Else whole groups of four characters, so that neither padding nor bits too many at the end hide the beginning.
    let header = header.trim_end_matches('=');
    let whole = header.get(..header.len() / 4 * 4).unwrap_or_default();
    let decoded = base64url::decode(header).or_else(|_| base64url::decode(whole)).unwrap_or_default();
    decoded.trim_ascii_start().first() == Some(&b'{')
}

/// Makes a compact JWS of `payload`.
///
/// # Errors
/// [`JwsError::TooLong`], [`JwsError::SigningFailed`].
pub fn sign(fields: &HeaderFields<'_>, payload: &[u8], key: &SigningKey) -> Result<String, JwsError> {
    sign_prepared(&PreparedHeader::new(fields, key), payload, key)
}

/// Makes a compact JWS of `payload` under a header encoded before, for callers that sign often.
///
/// # Errors
/// [`JwsError::AlgorithmNotAllowed`] if the header was prepared for a key of another algorithm,
/// [`JwsError::TooLong`], [`JwsError::SigningFailed`].
pub fn sign_prepared(header: &PreparedHeader, payload: &[u8], key: &SigningKey) -> Result<String, JwsError> {
    sign_document(header, payload, key, MAX_TOKEN_BYTES)
}

/// As [`sign_prepared`], for what [`Compact::parse_document`] reads.
///
/// # Errors
/// As [`sign_prepared`].
pub(crate) fn sign_document(
    header: &PreparedHeader,
    payload: &[u8],
    key: &SigningKey,
    limit: usize,
) -> Result<String, JwsError> {
    if header.algorithm() != key.algorithm() {
        return Err(JwsError::AlgorithmNotAllowed);
    }
    let encoded = header.encoded();
    let mut token =
        Vec::with_capacity(encoded.len() + (payload.len() + key.signature_bytes()).div_ceil(3) * 4 + 8);
    token.extend_from_slice(encoded.as_bytes());
    base64url::encode_into(payload, &mut token);
    let signature = key.signer().sign_with(&token, |signature| base64url::encode(signature));
    token.push(b'.');
    token.extend_from_slice(signature.map_err(|_| JwsError::SigningFailed)?.as_bytes());
    // Looked through once more, which costs less than to grow a text that must be one at every step.
    let token = String::from_utf8(token).map_err(|_| JwsError::SigningFailed)?;
    if token.len() > limit {
        return Err(JwsError::TooLong { bytes: token.len(), limit });
    }
    Ok(token)
}
