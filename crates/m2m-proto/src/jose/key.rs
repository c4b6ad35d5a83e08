//! Keys as they are used: parsed once, checked once, bound to algorithms.
//!
//! Sections: RFC 7517 §4.2 to §4.4, RFC 7518 §3 and §6, RFC 8725 §3.1 and §3.5
//! Enforces, in this order: `use` and `key_ops` permit the purpose; `alg` is one
//! that we know and fits key type and curve; shared secrets as long as their
//! hash; RSA moduli of 2048 to 8192 bits, odd, without the fingerprint of
//! CVE-2017-15361; RSA exponents odd, at least 3, at most 33 bits; points on the
//! curve; private halves that belong to their public ones
//! Does not enforce: whose key it is, nor that a shared secret is random (a
//! password is no key: RFC 8725 §3.5)

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use zeroize::Zeroizing;

use super::alg::{Algorithm, KeyType};
use super::crypto::{CryptoError, PrivateKey, PublicHalf, PublicMaterial, RsaPrivate, Signer, Verifier};
use super::der;
use super::jwk::{Jwk, Material};
use super::roca;
use super::thumbprint::JwkThumbprint;
use crate::secret::{Secret, SecretBytes, SecretString};

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
    /// Keys for shared-secret algorithms are made with [`SigningKey::hmac`].
    #[error("{0} takes a shared secret, not a key pair")]
    Symmetric(Algorithm),
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

fn check_purpose(jwk: &Jwk, operation: &str) -> Result<(), KeyError> {
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

/// The size of a fresh RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits: the fastest that is still allowed.
    #[default]
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl RsaSize {
    /// The number.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }
}

/// A private key (or shared secret) that signs with one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    signer: Signer,
    verifying: Arc<VerifyingKey>,
    signature_bytes: usize,
}

impl SigningKey {
    /// A fresh key pair; RSA keys get 2048 bits. Draws randomness of the crypto library.
    ///
    /// # Errors
    /// [`KeyError::Symmetric`] for HMAC, [`KeyError::Library`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        Self::generate_sized(algorithm, RsaSize::default())
    }

    /// As [`SigningKey::generate`], with the size of an RSA key; other types have only one size.
    ///
    /// # Errors
    /// As [`SigningKey::generate`].
    pub fn generate_sized(algorithm: Algorithm, rsa: RsaSize) -> Result<Self, KeyError> {
        let row = algorithm.row();
        let key = match (row.key_type, row.curve) {
            (KeyType::Oct, _) => return Err(KeyError::Symmetric(algorithm)),
            (_, Some(curve)) => PrivateKey::generate_curve(curve),
            (_, None) => PrivateKey::generate_rsa(rsa.bits()),
        };
        Self::bind(key.map_err(|_| KeyError::Library)?, Some(algorithm), None)
    }

    /// A private key file: PKCS#8 (`PRIVATE KEY`), SEC 1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA
    /// PRIVATE KEY`). The first one in the file counts.
    ///
    /// Without `algorithm`: RS256 for RSA, the curve's own for EC, `EdDSA` for Ed25519.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`], [`KeyError::Encrypted`], [`KeyError::AlgorithmMismatch`], and
    /// those of [`VerifyingKey::from_jwk`] about strength.
    pub fn from_pkcs8_pem(pem: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        // Both forms of encrypted files say so: the label of PKCS#8, `Proc-Type` of the older ones.
        if pem.windows(9).any(|window| window == b"ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPrivate)?;
        Self::from_pkcs8_der(der.secret_der(), algorithm)
    }

    /// As [`SigningKey::from_pkcs8_pem`], for DER.
    ///
    /// # Errors
    /// As [`SigningKey::from_pkcs8_pem`].
    pub fn from_pkcs8_der(der: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        let key = PrivateKey::from_der(der).map_err(|_| KeyError::NotPrivate)?;
        Self::bind(key, algorithm, None)
    }

    /// A private JWK, or a shared secret as one. Its `alg` binds it; without, the default of its
    /// type (see [`SigningKey::from_pkcs8_pem`]; HS256 for a shared secret).
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`] if it is public, and those of [`VerifyingKey::from_jwk`].
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        check_purpose(jwk, "sign")?;
        let algorithm = match jwk.alg() {
            None => None,
            Some(name) => Some(Algorithm::parse(name).ok_or(KeyError::UnknownAlgorithm)?),
        };
        let point = jwk.point().unwrap_or_default();
        let key = match &jwk.material {
            Material::Oct { k } => {
                let key = Self::hmac(k, algorithm.unwrap_or(Algorithm::Hs256))?;
                return Ok(match jwk.kid() {
                    Some(kid) => key.with_key_id(kid.to_owned()),
                    None => key,
                });
            }
            Material::Rsa { n, e, private: Some(private) } => PrivateKey::from_rsa(&RsaPrivate {
                n,
                e,
                d: private.d.expose(),
                p: private.p.expose(),
                q: private.q.expose(),
                dp: private.dp.expose(),
                dq: private.dq.expose(),
                qi: private.qi.expose(),
            }),
            Material::Ec { curve, d: Some(d), .. } => PrivateKey::from_ec(*curve, d.expose(), &point),
            Material::Ed25519 { x, d: Some(d) } => PrivateKey::from_ed25519(d.expose(), x),
            Material::Rsa { .. } | Material::Ec { .. } | Material::Ed25519 { .. } => {
                return Err(KeyError::NotPrivate);
            }
        };
        Self::bind(key.map_err(|_| KeyError::Inconsistent)?, algorithm, jwk.kid())
    }

    /// A shared secret for one MAC algorithm, at least as long as its hash (RFC 7518 §3.2).
    ///
    /// # Errors
    /// [`KeyError::TooShort`], [`KeyError::AlgorithmMismatch`].
    pub fn hmac(secret: &SecretBytes, algorithm: Algorithm) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::hmac(secret, algorithm)?;
        let hash = algorithm.row().hash.ok_or(KeyError::AlgorithmMismatch(algorithm))?;
        let signer = Signer::mac(hash, secret.expose());
        Ok(Self { algorithm, signer, verifying: Arc::new(verifying), signature_bytes: hash.output_bytes() })
    }

    fn bind(key: PrivateKey, algorithm: Option<Algorithm>, key_id: Option<&str>) -> Result<Self, KeyError> {
        let material = match key.public() {
            PublicHalf::Rsa(der) => der::rsa_public_key(der),
            PublicHalf::Ec(curve, point) => der::point(curve, point),
            PublicHalf::Ed25519(x) => Some(Material::Ed25519 { x: x.to_vec(), d: None }),
        };
        let public = Jwk::of_material(material.ok_or(KeyError::Inconsistent)?, None);
        let default = public.curve().map_or(Algorithm::Rs256, super::alg::Curve::algorithm);
        let algorithm = algorithm.unwrap_or(default);
        let signature_bytes = match (&public.material, public.curve()) {
            (Material::Rsa { n, .. }, _) => n.len(),
            (_, Some(curve)) => 2 * curve.coordinate_bytes(),
            (_, None) => return Err(KeyError::Inconsistent),
        };
        let public = Jwk::of_material(public.material, Some(algorithm)).with_kid(key_id.map(str::to_owned));
        let verifying = Arc::new(VerifyingKey::from_jwk(&public)?);
        let signer = Signer::bind(key, algorithm).map_err(|_| KeyError::AlgorithmMismatch(algorithm))?;
        Ok(Self { algorithm, signer, verifying, signature_bytes })
    }

    /// The same key under this `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: String) -> Self {
        let mut verifying = VerifyingKey::clone(&self.verifying);
        verifying.public = verifying.public.map(|jwk| jwk.with_kid(Some(key_id.clone())));
        verifying.key_id = Some(key_id);
        self.verifying = Arc::new(verifying);
        self
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`, if it was given one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.verifying.key_id()
    }

    /// The public half, with `kid`, `alg` and `use`; `None` for a shared secret.
    #[must_use]
    pub fn public_jwk(&self) -> Option<&Jwk> {
        self.verifying.public_jwk()
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> &Arc<VerifyingKey> {
        &self.verifying
    }

    /// The SHA-256 thumbprint of the public half.
    #[must_use]
    pub fn thumbprint(&self) -> &JwkThumbprint {
        self.verifying.thumbprint()
    }

    /// The length of its signatures, in bytes.
    #[must_use]
    pub fn signature_bytes(&self) -> usize {
        self.signature_bytes
    }

    /// Signs `message`; the form is that of JWS (fixed-length R and S for ECDSA).
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signer.sign_with(message, <[u8]>::to_vec).map_err(|_| KeyError::Library)
    }

    /// PKCS#8 version 1.
    ///
    /// # Errors
    /// [`KeyError::Symmetric`] for a shared secret, [`KeyError::Library`].
    pub fn to_pkcs8_der(&self) -> Result<SecretBytes, KeyError> {
        let key = self.signer.private_key().ok_or(KeyError::Symmetric(self.algorithm))?;
        key.to_pkcs8().map_err(|_| KeyError::Library)
    }

    /// PKCS#8 version 1 as PEM.
    ///
    /// # Errors
    /// As [`SigningKey::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<SecretString, KeyError> {
        let der = self.to_pkcs8_der()?;
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der.expose()));
        // Reserved at once, so that growing leaves no copy behind.
        let mut pem = String::with_capacity(text.len() + text.len() / 64 + 64);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = text.as_str();
        while let Some((line, more)) = rest.split_at_checked(64) {
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        if !rest.is_empty() {
            pem.push_str(rest);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem))
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}
