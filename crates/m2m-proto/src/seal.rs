//! Sealed bytes and keyed hashes, through the one crypto module.
//!
//! Sections: RFC 5869 (HKDF), NIST SP 800-38D (AES-256-GCM), RFC 2104 (HMAC)
//! Enforces: keys of at least 32 bytes of input; another key for every label; what
//! was sealed opens only under the same key, nonce and associated bytes
//! Does not enforce: that a nonce is used once; the caller draws it at random,
//! and under one key at most 2^32 times (SP 800-38D §8.3)
//! Limits: none of its own

use std::fmt;

use crate::jose::alg::Hash;
use crate::jose::crypto::{Aead, Mac, hkdf_sha256};
use crate::secret::{SecretBytes, constant_time_eq};

/// The least input key material, in bytes.
pub const MIN_KEY_BYTES: usize = 32;

/// Why sealing or opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Less than [`MIN_KEY_BYTES`] of key material.
    #[error("{0} bytes of key material, at least {MIN_KEY_BYTES} are needed")]
    KeyTooShort(usize),
    /// Not sealed with this key, nonce and associated bytes, or changed since.
    #[error("the seal is broken or of another key")]
    Broken,
    /// The crypto library failed.
    #[error("sealing failed")]
    Library,
}

/// A key for AES-256-GCM, derived for one purpose.
pub struct SealingKey(Aead);

impl SealingKey {
    /// Bytes that [`SealingKey::seal`] adds to the plaintext.
    pub const OVERHEAD_BYTES: usize = Aead::TAG_BYTES;

    /// Derives the key for `label` from `ikm` with HKDF-SHA256. Two labels give two unrelated keys.
    ///
    /// # Errors
    /// [`SealError::KeyTooShort`].
    pub fn derive(ikm: &SecretBytes, label: &str) -> Result<Self, SealError> {
        let key = derive(ikm, label)?;
        Aead::new(&key).map(Self).map_err(|_| SealError::Library)
    }

    /// Encrypts `plaintext` and authenticates it together with `aad`.
    ///
    /// # Errors
    /// [`SealError::Library`], for absurd sizes only.
    pub fn seal(&self, nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.seal(nonce, aad, plaintext).map_err(|_| SealError::Library)
    }

    /// Decrypts what [`SealingKey::seal`] made with the same `nonce` and `aad`.
    ///
    /// # Errors
    /// [`SealError::Broken`].
    pub fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, SealError> {
        self.0.open(nonce, aad, sealed).map_err(|_| SealError::Broken)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

fn derive(ikm: &SecretBytes, label: &str) -> Result<zeroize::Zeroizing<[u8; 32]>, SealError> {
    if ikm.expose().len() < MIN_KEY_BYTES {
        return Err(SealError::KeyTooShort(ikm.expose().len()));
    }
    let mut key = zeroize::Zeroizing::new([0; 32]);
    hkdf_sha256(ikm.expose(), &[], label.as_bytes(), key.as_mut_slice()).map_err(|_| SealError::Library)?;
    Ok(key)
}

/// HMAC-SHA256 under a parsed key: how random secrets are stored. Fast on purpose; the secrets
/// it is for have 256 random bits, which nobody guesses (a slow hash would only slow us down).
#[derive(Clone)]
pub struct KeyedHash(Mac);

impl KeyedHash {
    /// With this key, as it is.
    ///
    /// # Errors
    /// [`SealError::KeyTooShort`].
    pub fn new(key: &SecretBytes) -> Result<Self, SealError> {
        if key.expose().len() < MIN_KEY_BYTES {
            return Err(SealError::KeyTooShort(key.expose().len()));
        }
        Ok(Self(Mac::new(Hash::Sha256, key.expose())))
    }

    /// With the key for `label`, derived as in [`SealingKey::derive`].
    ///
    /// # Errors
    /// [`SealError::KeyTooShort`].
    pub fn derive(ikm: &SecretBytes, label: &str) -> Result<Self, SealError> {
        Ok(Self(Mac::new(Hash::Sha256, derive(ikm, label)?.as_slice())))
    }

    /// The keyed hash of `bytes`.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.0.tag_32(bytes)
    }

    /// Whether `expected` is the keyed hash of `bytes`, in constant time.
    #[must_use]
    pub fn check(&self, bytes: &[u8], expected: &[u8; 32]) -> bool {
        constant_time_eq(&self.hash(bytes), expected)
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ikm(byte: u8) -> SecretBytes {
        SecretBytes::new(vec![byte; 32])
    }

    #[test]
    fn sealed_bytes_open_under_the_same_key_nonce_and_aad_only() {
        let key = SealingKey::derive(&ikm(1), "store").unwrap();
        let sealed = key.seal([0; 12], b"aad", b"plain").unwrap();
        assert_eq!(sealed.len(), 5 + SealingKey::OVERHEAD_BYTES);
        assert_eq!(key.open([0; 12], b"aad", &sealed).unwrap().expose(), b"plain");
        assert_eq!(key.open([1; 12], b"aad", &sealed).unwrap_err(), SealError::Broken);
        assert_eq!(key.open([0; 12], b"AAD", &sealed).unwrap_err(), SealError::Broken);
        for (ikm, label) in [(ikm(2), "store"), (ikm(1), "nonce")] {
            let other = SealingKey::derive(&ikm, label).unwrap();
            assert_eq!(other.open([0; 12], b"aad", &sealed).unwrap_err(), SealError::Broken);
        }
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(key.open([0; 12], b"aad", &changed).unwrap_err(), SealError::Broken);
        }
        assert_eq!(key.open([0; 12], b"aad", b"short").unwrap_err(), SealError::Broken);
    }

    /// What is stored today opens tomorrow.
    #[test]
    fn derivation_is_stable() {
        let hash = KeyedHash::derive(&ikm(1), "label").unwrap().hash(b"x");
        let expected = KeyedHash::new(&SecretBytes::new(derive(&ikm(1), "label").unwrap().to_vec())).unwrap();
        assert!(expected.check(b"x", &hash));
        assert_eq!(crate::jose::base64url::encode(hash), "tzoPpanSklGOsb80htetv0jeKuet325apwot0_pB1TM");
    }

    #[test]
    fn keyed_hashes_differ_by_key_label_and_bytes() {
        let hash =
            |byte, label: &str, bytes: &[u8]| KeyedHash::derive(&ikm(byte), label).unwrap().hash(bytes);
        let one = hash(1, "a", b"x");
        assert!(KeyedHash::derive(&ikm(1), "a").unwrap().check(b"x", &one));
        assert!(
            [hash(2, "a", b"x"), hash(1, "b", b"x"), hash(1, "a", b"y")].iter().all(|other| *other != one)
        );
        assert!(!KeyedHash::derive(&ikm(1), "a").unwrap().check(b"y", &one));
    }

    #[test]
    fn short_keys_are_refused_and_none_is_shown() {
        let short = SecretBytes::new(vec![1; 31]);
        assert_eq!(SealingKey::derive(&short, "x").unwrap_err(), SealError::KeyTooShort(31));
        assert_eq!(KeyedHash::derive(&short, "x").unwrap_err(), SealError::KeyTooShort(31));
        assert_eq!(KeyedHash::new(&short).unwrap_err(), SealError::KeyTooShort(31));
        let shown =
            format!("{:?} {:?}", SealingKey::derive(&ikm(1), "x").unwrap(), KeyedHash::new(&ikm(1)).unwrap());
        assert_eq!(shown, "SealingKey([redacted]) KeyedHash([redacted])");
    }
}
