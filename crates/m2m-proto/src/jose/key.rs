//! Keys that check signatures: parsed once, checked once, bound to algorithms.
//!
//! Sections: RFC 7517 §4.2 to §4.4, RFC 7518 §3 and §6, RFC 8725 §3.1 and §3.5
//! Enforces, in this order: `use` and `key_ops` permit the purpose; `alg` is one
//! that we know and fits key type and curve; shared secrets as long as their
//! hash; RSA moduli of 2048 to 8192 bits, odd, without the fingerprint of
//! CVE-2017-15361; RSA exponents odd, at least 3, at most 33 bits; points on the
//! curve
//! Does not enforce: whose key it is, nor that a shared secret is random (a
//! password is no key: RFC 8725 §3.5)

use std::fmt;

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

use super::alg::Algorithm;
use super::crypto::{CryptoError, PublicMaterial, Verifier};
use super::der;
use super::jwk::{Jwk, Material};
use super::roca;
use super::thumbprint::JwkThumbprint;
use crate::secret::SecretBytes;

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;
const MAX_EXPONENT_BITS: usize = 33;

/// Why a key is not fit for use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// `use` or `key_ops` is for something else.
    #[error("the key is not meant for this: `use` or `key_ops` forbids it")]
    Purpose,
    /// `alg` is none that we know.
    #[error("the key is bound to an algorithm that we do not know")]
    UnknownAlgorithm,
    /// The algorithm needs another key type or curve.
    #[error("{0} needs another type of key")]
    AlgorithmMismatch(Algorithm),
    /// Too short.
    #[error("the key has {bits} bits, at least {needed} are needed")]
    TooShort {
        /// Bits found.
        bits: usize,
        /// Bits needed.
        needed: usize,
    },
    /// Too long: using it would cost too much.
    #[error("the key has {bits} bits, at most {limit} are accepted")]
    TooLong {
        /// Bits found.
        bits: usize,
        /// Bits allowed.
        limit: usize,
    },
    /// The RSA exponent is even, 1, or absurdly long.
    #[error("the RSA exponent is not acceptable")]
    Exponent,
    /// The modulus is even or carries the fingerprint of CVE-2017-15361.
    #[error("the RSA modulus is weak")]
    WeakModulus,
    /// The numbers make no key: a point off the curve, halves that do not belong together.
    #[error("the key is inconsistent")]
    Inconsistent,
    /// A private key is needed, and this is none.
    #[error("not a private key")]
    NotPrivate,
    /// A public key file is needed, and this is none that we know.
    #[error("not a public key that we know")]
    NotPublic,
    /// The PEM file is encrypted; decrypt it first (`openssl pkey`).
    #[error("the private key file is encrypted")]
    Encrypted,
    /// Keys for shared-secret algorithms are made with [`super::SigningKey::hmac`].
    #[error("{0} takes a shared secret, not a key pair")]
    Symmetric(Algorithm),
    /// The private key is held elsewhere and cannot be written down.
    #[error("the private key is held elsewhere")]
    Elsewhere,
    /// The crypto library failed.
    #[error("the crypto library failed")]
    Library,
}

/// A public key (or shared secret) that may check signatures.
#[derive(Clone)]
pub struct VerifyingKey {
    key_id: Option<String>,
    thumbprint: JwkThumbprint,
    /// One parsed key per algorithm it may be used with.
    verifiers: Vec<(Algorithm, Verifier)>,
    /// The public half; a shared secret has none.
    public: Option<Jwk>,
}

impl VerifyingKey {
    /// Takes a JWK for verifying: the public half of a private one is used.
    ///
    /// With `alg` it is bound to that algorithm (`EdDSA` and `Ed25519` count as one); without,
    /// to every algorithm of its type, curve and length.
    ///
    /// # Errors
    /// See the list of checks above.
    // spec: JOSE-V3, JOSE-V4, JWT-V1
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        check_purpose(jwk, "verify")?;
        let algorithms = algorithms_of(jwk)?;
        check_strength(jwk)?;
        let point = jwk.point();
        let material = match (&jwk.material, &point) {
            (Material::Rsa { n, e, .. }, _) => PublicMaterial::Rsa { n, e },
            (Material::Oct { k }, _) => PublicMaterial::Shared(k.expose()),
            (_, Some(point)) => PublicMaterial::Point(point),
            (_, None) => return Err(KeyError::Inconsistent),
        };
        let parse =
            |algorithm: Algorithm| Verifier::new(algorithm, material).map(|parsed| (algorithm, parsed));
        let verifiers: Result<Vec<_>, CryptoError> = algorithms.into_iter().map(parse).collect();
        Ok(Self {
            key_id: jwk.kid().map(str::to_owned),
            thumbprint: jwk.thumbprint(),
            verifiers: verifiers.map_err(|_| KeyError::Inconsistent)?,
            public: jwk.public(),
        })
    }

    /// A shared secret for one MAC algorithm, at least as long as its hash (RFC 7518 §3.2).
    ///
    /// # Errors
    /// [`KeyError::TooShort`], [`KeyError::AlgorithmMismatch`].
    pub fn hmac(secret: &SecretBytes, algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::from_jwk(&Jwk::from_secret(secret.clone(), algorithm))
    }

    /// A public key file (`-----BEGIN PUBLIC KEY-----`), bound to nothing but its type.
    ///
    /// # Errors
    /// [`KeyError::NotPublic`], and those of [`VerifyingKey::from_jwk`].
    pub fn from_spki_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NotPublic)?;
        Self::from_spki_der(info.as_ref())
    }

    /// As [`VerifyingKey::from_spki_pem`], for DER: a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// As [`VerifyingKey::from_spki_pem`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let material = der::subject_public_key_info(der).ok_or(KeyError::NotPublic)?;
        Self::from_jwk(&Jwk::of_material(material, None))
    }

    /// `kid`: a hint, not an identity.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the key may check signatures of this algorithm.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.verifier(algorithm).is_some()
    }

    /// Every algorithm it may be used with.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The SHA-256 thumbprint: the key's identity.
    #[must_use]
    pub fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }

    /// The key as JSON; `None` for a shared secret.
    #[must_use]
    pub fn public_jwk(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    pub(super) fn with_key_id(mut self, key_id: String) -> Self {
        self.public = self.public.map(|jwk| jwk.with_kid(Some(key_id.clone())));
        self.key_id = Some(key_id);
        self
    }

    #[inline]
    pub(super) fn verifier(&self, algorithm: Algorithm) -> Option<&Verifier> {
        self.verifiers.iter().find(|(allowed, _)| *allowed == algorithm).map(|(_, verifier)| verifier)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<_> = self.algorithms().collect();
        f.debug_struct("VerifyingKey")
            .field("key_id", &self.key_id)
            .field("algorithms", &algorithms)
            .finish_non_exhaustive()
    }
}

pub(super) fn check_purpose(jwk: &Jwk, operation: &str) -> Result<(), KeyError> {
    let use_allows = jwk.key_use().is_none_or(|key_use| key_use == "sig");
    let ops_allow = jwk.key_ops().is_none_or(|operations| operations.iter().any(|one| one == operation));
    if use_allows && ops_allow { Ok(()) } else { Err(KeyError::Purpose) }
}

/// The algorithms that type, curve, length and `alg` leave; never none.
fn algorithms_of(jwk: &Jwk) -> Result<Vec<Algorithm>, KeyError> {
    let fits = |algorithm: &Algorithm| {
        let row = algorithm.row();
        row.key_type == jwk.key_type() && row.curve == jwk.curve()
    };
    let fitting = Algorithm::ALL.into_iter().filter(fits);
    let Some(name) = jwk.alg() else {
        return long_enough(jwk, fitting.collect());
    };
    let bound = Algorithm::parse(name).ok_or(KeyError::UnknownAlgorithm)?;
    let found: Vec<_> = fitting.filter(|algorithm| algorithm.same_signature(bound)).collect();
    if found.is_empty() { Err(KeyError::AlgorithmMismatch(bound)) } else { long_enough(jwk, found) }
}

/// Drops the MAC algorithms that a shared secret is too short for.
fn long_enough(jwk: &Jwk, algorithms: Vec<Algorithm>) -> Result<Vec<Algorithm>, KeyError> {
    let Material::Oct { k } = &jwk.material else {
        return Ok(algorithms);
    };
    let bits = k.expose().len() * 8;
    let needed = algorithms.iter().map(|algorithm| algorithm.row().min_key_bits).min().unwrap_or_default();
    if bits < needed {
        return Err(KeyError::TooShort { bits, needed });
    }
    Ok(algorithms.into_iter().filter(|algorithm| bits >= algorithm.row().min_key_bits).collect())
}

fn check_strength(jwk: &Jwk) -> Result<(), KeyError> {
    let Material::Rsa { n, e, .. } = &jwk.material else {
        return Ok(());
    };
    let bits = bit_length(n);
    if bits < MIN_RSA_BITS {
        return Err(KeyError::TooShort { bits, needed: MIN_RSA_BITS });
    }
    if bits > MAX_RSA_BITS {
        return Err(KeyError::TooLong { bits, limit: MAX_RSA_BITS });
    }
    if !is_odd(e) || e == &[1] || bit_length(e) > MAX_EXPONENT_BITS {
        return Err(KeyError::Exponent);
    }
    if !is_odd(n) || roca::is_vulnerable(n) {
        return Err(KeyError::WeakModulus);
    }
    Ok(())
}

fn is_odd(integer: &[u8]) -> bool {
    integer.last().is_some_and(|byte| byte & 1 == 1)
}

/// Of a big-endian integer without leading zero bytes.
fn bit_length(integer: &[u8]) -> usize {
    integer.first().map_or(0, |first| integer.len() * 8 - first.leading_zeros() as usize)
}
