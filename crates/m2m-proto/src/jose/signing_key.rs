//! Keys that sign: parsed once, bound to one algorithm.
//!
//! Sections: RFC 7517 §4.2 to §4.4, RFC 7518 §3 and §6, RFC 5208, RFC 5915, RFC 8017 appendix A.1.2
//! Enforces: everything [`super::VerifyingKey::from_jwk`] asks of the public half;
//! `key_ops` permits signing; private halves that belong to their public ones
//! Does not enforce: that a shared secret is random (a password is no key: RFC 8725 §3.5)

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use super::alg::{Algorithm, Curve, KeyType};
use super::crypto::{PrivateKey, PublicHalf, RsaPrivate, Signer};
use super::der;
use super::external::{External, ExternalSigner};
use super::jwk::{Jwk, Material};
use super::key::{KeyError, VerifyingKey, check_purpose};
use super::thumbprint::JwkThumbprint;
use crate::secret::{Secret, SecretBytes, SecretString};

/// What is signed to see whether two halves belong together. No token begins like this.
const PROBE: &[u8] = b"m2m: do these two halves belong together?";

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
    // spec: JOSE-V3, JWT-V7
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
        let default = public.curve().map_or(Algorithm::Rs256, Curve::algorithm);
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

    /// A private key that `signer` holds, for the algorithm that `public` is bound to (see
    /// [`SigningKey::from_jwk`] for one without `alg`). Signs once, to see that the two belong together.
    ///
    /// # Errors
    /// [`KeyError::Inconsistent`] if they do not; [`KeyError::Library`] if the signer fails, or its
    /// signature has not the length of the algorithm; those of [`VerifyingKey::from_jwk`].
    pub fn external(signer: Arc<dyn ExternalSigner>, public: &Jwk) -> Result<Self, KeyError> {
        let algorithm = match public.alg() {
            None => public.curve().map_or(Algorithm::Rs256, Curve::algorithm),
            Some(name) => Algorithm::parse(name).ok_or(KeyError::UnknownAlgorithm)?,
        };
        let half = public.public().ok_or(KeyError::Symmetric(algorithm))?;
        let signature_bytes = match (&half.material, half.curve()) {
            (Material::Rsa { n, .. }, _) => n.len(),
            (_, Some(curve)) => 2 * curve.coordinate_bytes(),
            (_, None) => return Err(KeyError::Symmetric(algorithm)),
        };
        let kid = half.kid().map(str::to_owned);
        let public = Jwk::of_material(half.material, Some(algorithm)).with_kid(kid);
        let verifying = Arc::new(VerifyingKey::from_jwk(&public)?);
        if verifying.verifier(algorithm).is_none() {
            return Err(KeyError::AlgorithmMismatch(algorithm));
        }
        let external = External { signer, signature_bytes, algorithm, verifying: Arc::clone(&verifying) };
        let signature = external.unverified(PROBE).map_err(|_| KeyError::Library)?;
        external.verify(PROBE, &signature).map_err(|_| KeyError::Inconsistent)?;
        Ok(Self { algorithm, signer: Signer::External(external), verifying, signature_bytes })
    }

    /// Whether somebody else holds the private key: a signature may take long, and fail.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(self.signer, Signer::External(_))
    }

    /// The same key under this `kid`.
    #[must_use]
    pub fn with_key_id(mut self, key_id: String) -> Self {
        self.verifying = Arc::new(VerifyingKey::clone(&self.verifying).with_key_id(key_id));
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
    /// [`KeyError::Symmetric`] for a shared secret, [`KeyError::Elsewhere`], [`KeyError::Library`].
    pub fn to_pkcs8_der(&self) -> Result<SecretBytes, KeyError> {
        if self.is_external() {
            return Err(KeyError::Elsewhere);
        }
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
