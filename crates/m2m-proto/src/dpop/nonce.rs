//! Nonces that a server puts into DPoP proofs, so that a proof made in advance
//! or with a wrong clock is of no use.
//!
//! Sections: RFC 9449 sections 8, 8.1, 8.2, 9
//!
//! [`NonceKey`] issues and recognizes nonces without storing any: a nonce is
//! the number of its minute and a keyed hash of it. Replicas that share the key
//! accept each other's. All clients get the same nonce within a minute; it
//! proves freshness, not identity.
//!
//! Enforces, when checking, in this order: the form; the minute is the present
//! one, one of the [`ACCEPTED_STEPS`] before, or the next (a replica ahead of
//! us); the keyed hash, in constant time.
//!
//! Does not enforce: single use, which is the work of the proof's `jti`.
//!
//! Limits: a new nonce each [`STEP`] = 60 s, accepted for 4 to 5 minutes;
//! nonces of other servers 1 to 1024 bytes.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::jose::{base64url, crypto};
use crate::names::header;
use crate::secret::{SecretBytes, constant_time_eq};
use crate::text::is_nqchar;
use crate::time::UnixTime;

/// How long one nonce is issued.
pub const STEP: Duration = Duration::from_secs(60);

/// How many earlier nonces are still accepted.
pub const ACCEPTED_STEPS: u64 = 4;

const MAX_BYTES: usize = 1024;
const HASH_BYTES: usize = 16;
const NUMBER_BYTES: usize = 8;

/// Why a nonce was not accepted. To the client all of these mean the same:
/// use the fresh nonce that comes with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// Empty, too long, or with characters that RFC 9449 section 8.1 excludes.
    #[error("not a DPoP nonce")]
    Malformed,
    /// Of an earlier or a far later time.
    #[error("the DPoP nonce is no longer accepted")]
    Stale,
    /// Not made with this key.
    #[error("the DPoP nonce was not issued here")]
    Foreign,
}

/// A key of less than 32 bytes was offered for nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for DPoP nonces has at least 32 bytes")]
pub struct NonceKeyError;

/// A nonce as it travels in `DPoP-Nonce` and in the proof's `nonce` claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DpopNonce(String);

impl DpopNonce {
    /// Takes 1 to 1024 characters of `NQCHAR` (RFC 9449 section 8.1).
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        if text.is_empty() || text.len() > MAX_BYTES || !text.bytes().all(is_nqchar) {
            return Err(NonceError::Malformed);
        }
        Ok(Self(text.to_owned()))
    }

    /// The nonce that a response carries; `None` where there is none, where it
    /// is malformed, or where there are several (a server must not send two).
    /// Look at every response: the newest nonce is the one to use.
    // spec: 9449-C3
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::DPOP_NONCE).iter();
        let value = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value).ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the `DPoP-Nonce` header. The response that carries it must
    /// not be cached (RFC 9449 section 8.2).
    ///
    /// # Errors
    /// None in practice: the characters of a nonce are those of a header.
    pub fn to_header(&self) -> Result<HeaderValue, NonceError> {
        HeaderValue::from_str(&self.0).map_err(|_| NonceError::Malformed)
    }
}

/// Issues nonces and recognizes its own. Nothing is stored.
#[derive(Clone)]
pub struct NonceKey(SecretBytes);

impl NonceKey {
    /// A key for one role. `label` keeps the nonces of an authorization server
    /// and of a resource server apart where both use one secret.
    ///
    /// # Errors
    /// [`NonceKeyError`] for less than 32 bytes.
    // spec: 9449-AS3
    pub fn new(secret: &SecretBytes, label: &str) -> Result<Self, NonceKeyError> {
        if secret.expose().len() < 32 {
            return Err(NonceKeyError);
        }
        let mut message = b"m2m dpop nonce ".to_vec();
        message.extend_from_slice(label.as_bytes());
        Ok(Self(SecretBytes::new(crypto::hmac_sha256(secret.expose(), &message).to_vec())))
    }

    /// The nonce of this minute, for the `DPoP-Nonce` header.
    #[must_use]
    pub fn issue(&self, now: UnixTime) -> DpopNonce {
        self.of(step_number(now))
    }

    /// Whether the nonce is one of ours and recent.
    ///
    /// # Errors
    /// `Malformed`, `Stale`, `Foreign`, in this order.
    // spec: 9449-AS3
    pub fn check(&self, nonce: &DpopNonce, now: UnixTime) -> Result<(), NonceError> {
        let bytes = base64url::decode(nonce.as_str()).map_err(|_| NonceError::Malformed)?;
        let (number, hash) = bytes.split_first_chunk::<NUMBER_BYTES>().ok_or(NonceError::Malformed)?;
        let number = u64::from_be_bytes(*number);
        let present = step_number(now);
        if number > present.saturating_add(1) || number.saturating_add(ACCEPTED_STEPS) < present {
            return Err(NonceError::Stale);
        }
        if constant_time_eq(&self.hash(number), hash) { Ok(()) } else { Err(NonceError::Foreign) }
    }

    fn of(&self, number: u64) -> DpopNonce {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.hash(number));
        DpopNonce(base64url::encode(bytes))
    }

    fn hash(&self, number: u64) -> [u8; HASH_BYTES] {
        let mut short = [0; HASH_BYTES];
        let full = crypto::hmac_sha256(self.0.expose(), &number.to_be_bytes());
        short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        short
    }
}

impl std::fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NonceKey([redacted])")
    }
}

fn step_number(now: UnixTime) -> u64 {
    now.seconds() / STEP.as_secs()
}

#[cfg(test)]
mod tests;
