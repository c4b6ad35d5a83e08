//! Opaque access tokens: the claims of RFC 9068, sealed by the authorization
//! server for itself. No row in a database stands behind one; APIs ask by
//! introspection (RFC 7662).
//!
//! Sections: RFC 6749 section 1.4 (a token may be opaque), RFC 9068 section 2.2
//! (the claims); NIST SP 800-38D section 8.3 (how often a key may be used). The
//! form is our own and nobody else's business:
//!
//! ```text
//! m2m_at_ base64url( version 1 | epoch, 4 bytes | nonce, 12 bytes | AES-256-GCM )
//! ```
//!
//! The epoch counts hours since 1970. Each has its own key, derived from the
//! server's sealing key, because the nonces are random and one key bears 2^32 of
//! them: all replicas together may seal 1.19 million tokens a second before that
//! comes into sight. Version, epoch and issuer are authenticated with the claims,
//! so no token passes at another issuer with the same sealing key.
//!
//! Enforces, when opening, in this order: the prefix; size; strict base64url; the
//! version; the seal; well-formed claims ([`TokenSeal::open`]). Then, in
//! [`Opened::check`], steps 4 to 7 of [`super::access_token`]: the profile's
//! claims, the issuer, the audience, the times, `client_id`, `scope` and `cnf`.
//!
//! Does not enforce: revocation, and possession of the key in `cnf`; that a nonce
//! is random, which is the caller's part. How old an epoch may be is not limited:
//! `exp` ends a token, and withdrawing the sealing key ends them all.
//!
//! Limits: 8 KiB of text, so about 6000 bytes of claims. [`KEPT_KEYS`] derived keys
//! are kept, and only such as sealed or opened something: an epoch that a stranger
//! invents costs one derivation and pushes nothing out.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use super::AccessToken;
use super::access_token::{self, AccessTokenClaims, AccessTokenError, MintError, VerifiedClaims};
use crate::jose::{Audience, Claims, base64url};
use crate::seal::{MIN_KEY_BYTES, SealError, SealingKey};
use crate::secret::{SecretBytes, SecretString};
use crate::time::{Skew, UnixTime};
use crate::token_profile::TokenProfile;
use crate::uri::Issuer;

/// What every sealed token begins with, so that it is known for what it is: by the server, and
/// by whoever searches texts for leaked secrets.
pub const PREFIX: &str = "m2m_at_";

/// The longest sealed token.
pub const MAX_BYTES: usize = 8 * 1024;

/// How many derived keys are kept: those of the last hours, which nearly all tokens are of.
pub const KEPT_KEYS: usize = 8;

const LABEL: &str = "m2m access token seal";
const VERSION: u8 = 1;
const EPOCH_SECONDS: u64 = 60 * 60;
const NONCE_BYTES: usize = 12;
/// Version and epoch: what is authenticated, together with the issuer.
const HEAD_BYTES: usize = 1 + 4;

/// Why a text was not opened. To the one who presents it all of these mean the same: the token
/// is not active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedTokenError {
    /// It does not begin with [`PREFIX`].
    #[error("not a sealed token")]
    NotSealed,
    /// Longer than [`MAX_BYTES`].
    #[error("a sealed token of {0} bytes, {MAX_BYTES} allowed")]
    TooLong(usize),
    /// Not base64url, or too short, or of a version that we do not know.
    #[error("the sealed token is malformed")]
    Malformed,
    /// Not sealed here: changed, of another issuer or of another sealing key.
    #[error("the token was not sealed by this server, or changed since: {0}")]
    Seal(#[from] SealError),
    /// What was sealed are no claims, which is a defect.
    #[error("the sealed claims are malformed")]
    Claims,
}

/// Whether a text says of itself that it is a sealed token. Proves nothing; tells which way to
/// read it. No JWT does, for want of the dots.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Seals and opens the access tokens of one issuer.
pub struct TokenSeal {
    input: SecretBytes,
    issuer: Issuer,
    /// By epoch, each at its remainder. The lock is held for writing once an hour.
    kept: RwLock<[Option<(u32, SealingKey)>; KEPT_KEYS]>,
}

impl TokenSeal {
    /// With this key material, at least 32 random bytes, for tokens of `issuer`.
    ///
    /// # Errors
    /// [`SealError::KeyTooShort`].
    pub fn new(input: &SecretBytes, issuer: &Issuer) -> Result<Self, SealError> {
        if input.expose().len() < MIN_KEY_BYTES {
            return Err(SealError::KeyTooShort(input.expose().len()));
        }
        let kept = RwLock::new([const { None }; KEPT_KEYS]);
        Ok(Self { input: input.clone(), issuer: issuer.clone(), kept })
    }

    /// Seals the claims under the key of the hour that `now` is in. `nonce` must be random.
    ///
    /// # Errors
    /// [`MintError::Unusable`], also for claims of another issuer; [`MintError::TooLong`];
    /// [`MintError::Seal`].
    pub fn seal(
        &self,
        claims: &AccessTokenClaims<'_>,
        nonce: [u8; NONCE_BYTES],
        now: UnixTime,
    ) -> Result<AccessToken, MintError> {
        if claims.issuer != &self.issuer {
            return Err(MintError::Unusable);
        }
        let plain = SecretString::new(claims.encode()?);
        let epoch = u32::try_from(now.seconds() / EPOCH_SECONDS).map_err(|_| MintError::Unusable)?;
        let head = head(epoch);
        let sealed =
            self.under(epoch, |key| key.seal(nonce, &self.associated(head), plain.expose().as_bytes()))?;
        let bytes = [&head[..], &nonce[..], &sealed[..]].concat();
        let mut text = String::with_capacity(PREFIX.len() + bytes.len().div_ceil(3) * 4);
        text.push_str(PREFIX);
        text.push_str(&base64url::encode(bytes));
        if text.len() > MAX_BYTES {
            return Err(MintError::TooLong { bytes: text.len(), limit: MAX_BYTES });
        }
        AccessToken::made(text).map_err(|_| MintError::Unusable)
    }

    /// Opens a token that this server sealed. Who may use it, and until when, is
    /// [`Opened::check`].
    ///
    /// # Errors
    /// One variant per check.
    pub fn open(&self, text: &str) -> Result<Opened<'_>, SealedTokenError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SealedTokenError::NotSealed)?;
        if text.len() > MAX_BYTES {
            return Err(SealedTokenError::TooLong(text.len()));
        }
        let bytes = base64url::decode(encoded).map_err(|_| SealedTokenError::Malformed)?;
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(SealedTokenError::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealedTokenError::Malformed)?;
        let [version, epoch @ ..] = *head;
        if version != VERSION {
            return Err(SealedTokenError::Malformed);
        }
        let associated = self.associated(*head);
        let plain = self.under(u32::from_be_bytes(epoch), |key| key.open(*nonce, &associated, sealed))?;
        let claims = Claims::parse(plain.expose()).map_err(|_| SealedTokenError::Claims)?;
        Ok(Opened { claims, issuer: &self.issuer })
    }

    fn associated(&self, head: [u8; HEAD_BYTES]) -> Vec<u8> {
        [&head[..], self.issuer.as_str().as_bytes()].concat()
    }

    /// Works with the key of an epoch, and keeps it only if that succeeds: see Limits above.
    fn under<T>(
        &self,
        epoch: u32,
        work: impl FnOnce(&SealingKey) -> Result<T, SealError>,
    ) -> Result<T, SealError> {
        let at = epoch as usize % KEPT_KEYS;
        // A poisoned lock guards whole values all the same.
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = kept.get(at).and_then(Option::as_ref).filter(|(of, _)| *of == epoch) {
            return work(key);
        }
        drop(kept);
        let key = SealingKey::derive(&self.input, &format!("{LABEL} {epoch}"))?;
        let done = work(&key)?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        // Old tokens must not push out the present key.
        if let Some(slot) = kept.get_mut(at)
            && slot.as_ref().is_none_or(|(of, _)| *of < epoch)
        {
            *slot = Some((epoch, key));
        }
        Ok(done)
    }
}

fn head(epoch: u32) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = epoch.to_be_bytes();
    [VERSION, a, b, c, d]
}

impl fmt::Debug for TokenSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSeal").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What an opened token is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The API that it must be for.
    pub audience: &'a str,
    /// The present time.
    pub now: UnixTime,
    /// The tolerance for `exp`, `nbf` and `iat`.
    pub skew: Skew,
}

/// A token that this server sealed, perhaps long ago. Shows only what is needed to find the API
/// that it is for.
#[derive(Clone)]
pub struct Opened<'s> {
    claims: Claims,
    issuer: &'s Issuer,
}

impl Opened<'_> {
    /// The values of `aud`.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.claims.aud.iter().flat_map(Audience::iter)
    }

    /// All checks of claims, as for a signed token.
    ///
    /// # Errors
    /// As [`super::access_token::Unverified::check`], from the claims on.
    // spec: 9068-RS1
    pub fn check(self, expect: &Expect<'_>) -> Result<VerifiedClaims, AccessTokenError> {
        let expect = access_token::Expect {
            issuer: self.issuer,
            audience: expect.audience,
            algorithms: &[],
            now: expect.now,
            skew: expect.skew,
        };
        access_token::check_claims(self.claims, &TokenProfile::rfc9068(), &expect)
    }
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("aud", &self.claims.aud).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
