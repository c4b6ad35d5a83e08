//! The only importer of the crypto library (aws-lc-rs).
//!
//! Everything else in the workspace asks this file for hashes, MACs, signatures
//! and sealed bytes, so that the library can be audited, and replaced, in one
//! place. Keys are parsed when a value of this module is made, never per call.
//!
//! Enforces: what the library checks on its own: points on the curve, consistent
//! RSA components, fixed-length ECDSA signatures, MACs compared in constant time
//! Does not enforce: key sizes and bindings; [`super::key`] does
//!
//! Two functions here draw randomness, which the crate otherwise never does:
//! signing (ECDSA nonces, PSS salts; the library offers no other way) and
//! `PrivateKey::generate_*` (key generation takes more than a few bytes, and keys
//! must not be reproducible from a seeded generator by accident).

use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hkdf;
use aws_lc_rs::hmac;
use aws_lc_rs::pbkdf2;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, KeySize};
use aws_lc_rs::signature as sig;
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaKeyPair, RsaPublicKeyComponents,
};
use zeroize::Zeroize as _;

use super::alg::{Algorithm, Curve, Hash, Primitive};
use super::external::External;
use crate::secret::{Secret, SecretBytes};

/// The crypto library refused: a malformed key, a wrong signature, a broken seal.
///
/// It never says why; a caller that knows more names its own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic operation was refused")]
pub struct CryptoError;

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    first_32(digest(&digest::SHA256, bytes).as_ref())
}

/// HMAC-SHA256 (RFC 2104) of `message`. A key used more than once is better kept in [`crate::seal::KeyedHash`].
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    Mac::new(Hash::Sha256, key).tag_32(message)
}

/// HKDF-SHA256 (RFC 5869): fills `out` from `ikm`, `salt` and `info`.
///
/// # Errors
/// If `out` is longer than 255 × 32 bytes.
pub fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
    let info = [info];
    let expanded = extracted.expand(&info, Length(out.len())).map_err(|_| CryptoError)?;
    expanded.fill(out).map_err(|_| CryptoError)
}

/// Whether `derived` is what PBKDF2 (RFC 8018 §5.2) with HMAC makes of `secret`; compared in constant time.
///
/// For secrets that other systems hashed. Takes as long as `iterations` say; nobody here bounds them.
#[must_use]
pub fn pbkdf2_verify(hash: Hash, iterations: NonZeroU32, salt: &[u8], secret: &[u8], derived: &[u8]) -> bool {
    let algorithm = match hash {
        Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Hash::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    pbkdf2::verify(algorithm, iterations, salt, secret, derived).is_ok()
}

fn first_32(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// A parsed HMAC key.
#[derive(Clone)]
pub(crate) struct Mac(hmac::Key);

impl Mac {
    pub(crate) fn new(hash: Hash, key: &[u8]) -> Self {
        let algorithm = match hash {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        Self(hmac::Key::new(algorithm, key))
    }

    /// The first 32 bytes of the tag: all of it for SHA-256.
    pub(crate) fn tag_32(&self, message: &[u8]) -> [u8; 32] {
        first_32(hmac::sign(&self.0, message).as_ref())
    }

    fn verify(&self, message: &[u8], tag: &[u8]) -> Result<(), CryptoError> {
        hmac::verify(&self.0, message, tag).map_err(|_| CryptoError)
    }
}

/// A parsed AES-256-GCM key (NIST SP 800-38D). Nonces are the caller's duty.
pub(crate) struct Aead(LessSafeKey);

impl Aead {
    /// Bytes that sealing adds.
    pub(crate) const TAG_BYTES: usize = 16;

    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CryptoError> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| CryptoError)?)))
    }

    pub(crate) fn seal(&self, nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut buffer = Vec::with_capacity(plaintext.len() + Self::TAG_BYTES);
        buffer.extend_from_slice(plaintext);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut buffer)
            .map_err(|_| CryptoError)?;
        Ok(buffer)
    }

    pub(crate) fn open(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<SecretBytes, CryptoError> {
        let mut buffer = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(aad), &mut buffer).map(|plain| plain.len());
        match opened {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Secret::new(buffer))
            }
            Err(_) => {
                buffer.zeroize();
                Err(CryptoError)
            }
        }
    }
}

/// What a verifier is made from.
#[derive(Clone, Copy)]
pub(crate) enum PublicMaterial<'a> {
    /// Big-endian, without leading zeros.
    Rsa { n: &'a [u8], e: &'a [u8] },
    /// An uncompressed point (`0x04 ‖ x ‖ y`), or the 32 bytes of an Ed25519 key.
    Point(&'a [u8]),
    /// A shared secret.
    Shared(&'a [u8]),
}

/// A key parsed for one algorithm, ready to verify.
#[derive(Clone)]
pub(crate) enum Verifier {
    Mac(Box<Mac>),
    Parsed(ParsedPublicKey),
}

impl Verifier {
    /// Refuses material of another kind than `algorithm` needs, and points off the curve.
    pub(crate) fn new(algorithm: Algorithm, material: PublicMaterial<'_>) -> Result<Self, CryptoError> {
        let row = algorithm.row();
        match (row.primitive, material, row.hash) {
            (Primitive::Hmac, PublicMaterial::Shared(key), Some(hash)) => {
                Ok(Self::Mac(Box::new(Mac::new(hash, key))))
            }
            (primitive, PublicMaterial::Rsa { n, e }, Some(hash)) => {
                let parameters = rsa_parameters(primitive, hash).ok_or(CryptoError)?;
                let components = RsaPublicKeyComponents { n, e };
                components.to_parsed_public_key(parameters).map(Self::Parsed).map_err(|_| CryptoError)
            }
            (Primitive::Ecdsa | Primitive::EdDsa, PublicMaterial::Point(point), _) => {
                let parameters: &'static dyn sig::VerificationAlgorithm = match row.curve {
                    Some(Curve::P256) => &sig::ECDSA_P256_SHA256_FIXED,
                    Some(Curve::P384) => &sig::ECDSA_P384_SHA384_FIXED,
                    Some(Curve::P521) => &sig::ECDSA_P521_SHA512_FIXED,
                    Some(Curve::Ed25519) => &sig::ED25519,
                    None => return Err(CryptoError),
                };
                ParsedPublicKey::new(parameters, point).map(Self::Parsed).map_err(|_| CryptoError)
            }
            _ => Err(CryptoError),
        }
    }

    #[inline]
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match self {
            Self::Mac(mac) => mac.verify(message, signature),
            Self::Parsed(key) => key.verify_sig(message, signature).map_err(|_| CryptoError),
        }
    }
}

fn rsa_parameters(primitive: Primitive, hash: Hash) -> Option<&'static sig::RsaParameters> {
    Some(match (primitive, hash) {
        (Primitive::RsaPkcs1, Hash::Sha256) => &sig::RSA_PKCS1_2048_8192_SHA256,
        (Primitive::RsaPkcs1, Hash::Sha384) => &sig::RSA_PKCS1_2048_8192_SHA384,
        (Primitive::RsaPkcs1, Hash::Sha512) => &sig::RSA_PKCS1_2048_8192_SHA512,
        (Primitive::RsaPss, Hash::Sha256) => &sig::RSA_PSS_2048_8192_SHA256,
        (Primitive::RsaPss, Hash::Sha384) => &sig::RSA_PSS_2048_8192_SHA384,
        (Primitive::RsaPss, Hash::Sha512) => &sig::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn rsa_encoding(primitive: Primitive, hash: Hash) -> Option<&'static dyn sig::RsaEncoding> {
    Some(match (primitive, hash) {
        (Primitive::RsaPkcs1, Hash::Sha256) => &sig::RSA_PKCS1_SHA256,
        (Primitive::RsaPkcs1, Hash::Sha384) => &sig::RSA_PKCS1_SHA384,
        (Primitive::RsaPkcs1, Hash::Sha512) => &sig::RSA_PKCS1_SHA512,
        (Primitive::RsaPss, Hash::Sha256) => &sig::RSA_PSS_SHA256,
        (Primitive::RsaPss, Hash::Sha384) => &sig::RSA_PSS_SHA384,
        (Primitive::RsaPss, Hash::Sha512) => &sig::RSA_PSS_SHA512,
        _ => return None,
    })
}

fn ecdsa_signing(curve: Curve) -> Option<&'static sig::EcdsaSigningAlgorithm> {
    match curve {
        Curve::P256 => Some(&sig::ECDSA_P256_SHA256_FIXED_SIGNING),
        Curve::P384 => Some(&sig::ECDSA_P384_SHA384_FIXED_SIGNING),
        Curve::P521 => Some(&sig::ECDSA_P521_SHA512_FIXED_SIGNING),
        Curve::Ed25519 => None,
    }
}

/// The private members of an RSA key, big-endian (RFC 7518 §6.3.2).
pub(crate) struct RsaPrivate<'a> {
    pub(crate) n: &'a [u8],
    pub(crate) e: &'a [u8],
    pub(crate) d: &'a [u8],
    pub(crate) p: &'a [u8],
    pub(crate) q: &'a [u8],
    pub(crate) dp: &'a [u8],
    pub(crate) dq: &'a [u8],
    pub(crate) qi: &'a [u8],
}

/// A private key, parsed and consistent, not yet bound to an algorithm.
pub(crate) enum PrivateKey {
    Rsa(Box<RsaKeyPair>),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The public half, as the library writes it.
pub(crate) enum PublicHalf<'a> {
    /// A DER `RSAPublicKey` (RFC 8017 appendix A.1.1).
    Rsa(&'a [u8]),
    /// An uncompressed point.
    Ec(Curve, &'a [u8]),
    /// The 32 bytes of RFC 8032.
    Ed25519(&'a [u8]),
}

impl PrivateKey {
    /// PKCS#8 of any key type we know, SEC 1 `ECPrivateKey`, or PKCS#1 `RSAPrivateKey`.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self::Ed25519(key));
        }
        if let Ok(key) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Ok(Self::Rsa(Box::new(key)));
        }
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let Some(algorithm) = ecdsa_signing(curve) else { continue };
            if let Ok(key) = EcdsaKeyPair::from_private_key_der(algorithm, der) {
                return Ok(Self::Ec(curve, key));
            }
        }
        Err(CryptoError)
    }

    pub(crate) fn from_rsa(parts: &RsaPrivate<'_>) -> Result<Self, CryptoError> {
        let components = KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: parts.n, e: parts.e },
            d: parts.d,
            p: parts.p,
            q: parts.q,
            dP: parts.dp,
            dQ: parts.dq,
            qInv: parts.qi,
        };
        RsaKeyPair::from_components(&components).map(|key| Self::Rsa(Box::new(key))).map_err(|_| CryptoError)
    }

    /// `point` must be the public point of `d`.
    pub(crate) fn from_ec(curve: Curve, d: &[u8], point: &[u8]) -> Result<Self, CryptoError> {
        let algorithm = ecdsa_signing(curve).ok_or(CryptoError)?;
        let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, point);
        key.map(|key| Self::Ec(curve, key)).map_err(|_| CryptoError)
    }

    /// `public` must be the public key of `seed`.
    pub(crate) fn from_ed25519(seed: &[u8], public: &[u8]) -> Result<Self, CryptoError> {
        if seed.len() != 32 {
            return Err(CryptoError);
        }
        Ed25519KeyPair::from_seed_and_public_key(seed, public).map(Self::Ed25519).map_err(|_| CryptoError)
    }

    /// A fresh RSA key of `bits` (2048, 3072 or 4096).
    pub(crate) fn generate_rsa(bits: usize) -> Result<Self, CryptoError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(CryptoError),
        };
        RsaKeyPair::generate(size).map(|key| Self::Rsa(Box::new(key))).map_err(|_| CryptoError)
    }

    /// A fresh elliptic key.
    pub(crate) fn generate_curve(curve: Curve) -> Result<Self, CryptoError> {
        let Some(algorithm) = ecdsa_signing(curve) else {
            return Ed25519KeyPair::generate().map(Self::Ed25519).map_err(|_| CryptoError);
        };
        EcdsaKeyPair::generate(algorithm).map(|key| Self::Ec(curve, key)).map_err(|_| CryptoError)
    }

    pub(crate) fn public(&self) -> PublicHalf<'_> {
        match self {
            Self::Rsa(key) => PublicHalf::Rsa(key.public_key().as_ref()),
            Self::Ec(curve, key) => PublicHalf::Ec(*curve, key.public_key().as_ref()),
            Self::Ed25519(key) => PublicHalf::Ed25519(key.public_key().as_ref()),
        }
    }

    /// PKCS#8 version 1 (RFC 5208; RFC 8410 §7 for Ed25519), which every tool reads.
    pub(crate) fn to_pkcs8(&self) -> Result<SecretBytes, CryptoError> {
        let der = match self {
            Self::Rsa(key) => key.as_der().map(|der| der.as_ref().to_vec()),
            Self::Ec(_, key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Self::Ed25519(key) => key.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        };
        der.map(Secret::new).map_err(|_| CryptoError)
    }
}

/// A private key bound to one algorithm, ready to sign.
pub(crate) enum Signer {
    Mac(Box<Mac>),
    /// The padding is there for RSA keys only.
    Key(PrivateKey, Option<&'static dyn sig::RsaEncoding>),
    /// Somebody else signs.
    External(External),
}

impl Signer {
    /// A parsed MAC key.
    pub(crate) fn mac(hash: Hash, key: &[u8]) -> Self {
        Self::Mac(Box::new(Mac::new(hash, key)))
    }

    /// Refuses an algorithm of another key type or curve.
    pub(crate) fn bind(key: PrivateKey, algorithm: Algorithm) -> Result<Self, CryptoError> {
        let row = algorithm.row();
        let padding = row.hash.and_then(|hash| rsa_encoding(row.primitive, hash));
        let fits = match &key {
            PrivateKey::Rsa(_) => padding.is_some(),
            PrivateKey::Ec(curve, _) => row.primitive == Primitive::Ecdsa && row.curve == Some(*curve),
            PrivateKey::Ed25519(_) => row.primitive == Primitive::EdDsa,
        };
        if fits { Ok(Self::Key(key, padding)) } else { Err(CryptoError) }
    }

    /// The private key; a MAC has none.
    pub(crate) fn private_key(&self) -> Option<&PrivateKey> {
        match self {
            Self::Mac(_) | Self::External(_) => None,
            Self::Key(key, _) => Some(key),
        }
    }

    /// Signs and hands the signature to `receive`, without a copy on the heap where the
    /// library allows it.
    #[inline]
    pub(crate) fn sign_with<R>(
        &self,
        message: &[u8],
        receive: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, CryptoError> {
        match self {
            Self::Mac(mac) => Ok(receive(hmac::sign(&mac.0, message).as_ref())),
            Self::External(external) => Ok(receive(&external.sign(message)?)),
            Self::Key(PrivateKey::Rsa(key), Some(padding)) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &SystemRandom::new(), message, &mut signature).map_err(|_| CryptoError)?;
                Ok(receive(&signature))
            }
            Self::Key(PrivateKey::Rsa(_), None) => Err(CryptoError),
            Self::Key(PrivateKey::Ec(_, key), _) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| CryptoError)?;
                Ok(receive(signature.as_ref()))
            }
            Self::Key(PrivateKey::Ed25519(key), _) => {
                Ok(receive(key.try_sign(message).map_err(|_| CryptoError)?.as_ref()))
            }
        }
    }
}
