//! The algorithm table: one row per signature algorithm that we speak.
//!
//! Sections: RFC 7518 §3, RFC 8037 §3.1, RFC 9864 §2
//! Enforces: names exactly as registered (`noNE` and `Rs256` are unknown, so is `none`)
//! Does not enforce: which of them a peer may use; that is an allowlist of the
//! caller and the binding of the key ([`super::VerifyingKey::allows`])
//! Limits: RSA keys of 2048 to 8192 bits; HMAC keys at least as long as the hash
//!
//! Nobody else enumerates algorithms.

use std::fmt;

/// A registered signature or MAC algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the registered name; its row says the rest")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    /// The name of RFC 8037, which leaves the curve to the key. We accept only Ed25519.
    EdDsa,
    /// The fully specified name of RFC 9864 for the same signature.
    Ed25519,
}

/// JWK key types (RFC 7518 §6.1, RFC 8037 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the registered name")]
pub enum KeyType {
    Oct,
    Rsa,
    Ec,
    Okp,
}

/// Curves (RFC 7518 §6.2.1.1, RFC 8037 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the registered name")]
pub enum Curve {
    P256,
    P384,
    P521,
    Ed25519,
}

/// Hash functions of the SHA-2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the registered name")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The mathematics behind a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// RFC 2104.
    Hmac,
    /// RSASSA-PKCS1-v1_5, RFC 8017 §8.2.
    RsaPkcs1,
    /// RSASSA-PSS with MGF1 of the same hash and a salt as long as the hash, RFC 8017 §8.1.
    RsaPss,
    /// ECDSA with R and S as fixed-length integers, never DER (RFC 7518 §3.4).
    Ecdsa,
    /// Ed25519, RFC 8032 §5.1.
    EdDsa,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Whose row it is.
    pub algorithm: Algorithm,
    /// The value of `alg`.
    pub name: &'static str,
    /// The key type it needs.
    pub key_type: KeyType,
    /// The curve it needs, for elliptic keys.
    pub curve: Option<Curve>,
    /// The hash it applies; Ed25519 brings its own.
    pub hash: Option<Hash>,
    /// The shortest key it takes, in bits.
    pub min_key_bits: usize,
    /// The mathematics.
    pub primitive: Primitive,
}

const fn hmac(algorithm: Algorithm, name: &'static str, hash: Hash) -> Row {
    let min_key_bits = hash.output_bytes() * 8; // RFC 7518 §3.2
    Row {
        algorithm,
        name,
        key_type: KeyType::Oct,
        curve: None,
        hash: Some(hash),
        min_key_bits,
        primitive: Primitive::Hmac,
    }
}

const fn rsa(algorithm: Algorithm, name: &'static str, hash: Hash, primitive: Primitive) -> Row {
    // RFC 7518 §3.3 and §3.5
    Row {
        algorithm,
        name,
        key_type: KeyType::Rsa,
        curve: None,
        hash: Some(hash),
        min_key_bits: 2048,
        primitive,
    }
}

const fn ecdsa(algorithm: Algorithm, name: &'static str, curve: Curve, hash: Hash) -> Row {
    let min_key_bits = curve.bits();
    Row {
        algorithm,
        name,
        key_type: KeyType::Ec,
        curve: Some(curve),
        hash: Some(hash),
        min_key_bits,
        primitive: Primitive::Ecdsa,
    }
}

const fn ed25519(algorithm: Algorithm, name: &'static str) -> Row {
    Row {
        algorithm,
        name,
        key_type: KeyType::Okp,
        curve: Some(Curve::Ed25519),
        hash: None,
        min_key_bits: 256,
        primitive: Primitive::EdDsa,
    }
}

static HS256: Row = hmac(Algorithm::Hs256, "HS256", Hash::Sha256);
static HS384: Row = hmac(Algorithm::Hs384, "HS384", Hash::Sha384);
static HS512: Row = hmac(Algorithm::Hs512, "HS512", Hash::Sha512);
static RS256: Row = rsa(Algorithm::Rs256, "RS256", Hash::Sha256, Primitive::RsaPkcs1);
static RS384: Row = rsa(Algorithm::Rs384, "RS384", Hash::Sha384, Primitive::RsaPkcs1);
static RS512: Row = rsa(Algorithm::Rs512, "RS512", Hash::Sha512, Primitive::RsaPkcs1);
static PS256: Row = rsa(Algorithm::Ps256, "PS256", Hash::Sha256, Primitive::RsaPss);
static PS384: Row = rsa(Algorithm::Ps384, "PS384", Hash::Sha384, Primitive::RsaPss);
static PS512: Row = rsa(Algorithm::Ps512, "PS512", Hash::Sha512, Primitive::RsaPss);
static ES256: Row = ecdsa(Algorithm::Es256, "ES256", Curve::P256, Hash::Sha256);
static ES384: Row = ecdsa(Algorithm::Es384, "ES384", Curve::P384, Hash::Sha384);
static ES512: Row = ecdsa(Algorithm::Es512, "ES512", Curve::P521, Hash::Sha512);
static EDDSA: Row = ed25519(Algorithm::EdDsa, "EdDSA");
static ED25519: Row = ed25519(Algorithm::Ed25519, "Ed25519");

impl Algorithm {
    /// Every algorithm, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ed25519,
    ];

    /// The algorithm of that name; `None` for `none`, another case, or an unknown name.
    // spec: JWT-V1
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its row.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        match self {
            Self::Hs256 => &HS256,
            Self::Hs384 => &HS384,
            Self::Hs512 => &HS512,
            Self::Rs256 => &RS256,
            Self::Rs384 => &RS384,
            Self::Rs512 => &RS512,
            Self::Ps256 => &PS256,
            Self::Ps384 => &PS384,
            Self::Ps512 => &PS512,
            Self::Es256 => &ES256,
            Self::Es384 => &ES384,
            Self::Es512 => &ES512,
            Self::EdDsa => &EDDSA,
            Self::Ed25519 => &ED25519,
        }
    }

    /// The registered name, as it stands in `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether one shared secret both signs and verifies.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self.row().key_type, KeyType::Oct)
    }

    /// Whether both names mean the same signature: only `EdDSA` and `Ed25519` do.
    // spec: JOSE-V8
    #[must_use]
    pub fn same_signature(self, other: Self) -> bool {
        self == other
            || (self.row().primitive == Primitive::EdDsa && other.row().primitive == Primitive::EdDsa)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl KeyType {
    /// The value of `kty`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oct => "oct",
            Self::Rsa => "RSA",
            Self::Ec => "EC",
            Self::Okp => "OKP",
        }
    }
}

impl Curve {
    /// The value of `crv`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The size of the field, in bits.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::P256 | Self::Ed25519 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// The length of a coordinate or a private value, in bytes (RFC 7518 §6.2.1.2).
    #[must_use]
    pub const fn coordinate_bytes(self) -> usize {
        self.bits().div_ceil(8)
    }

    /// The curve of that name with points of two coordinates.
    #[must_use]
    pub fn parse_ec(name: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::P521].into_iter().find(|curve| curve.name() == name)
    }

    /// The algorithm that this curve's keys sign with, under its older name for Ed25519.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
            Self::Ed25519 => Algorithm::EdDsa,
        }
    }
}

impl Hash {
    /// The length of its output, in bytes.
    #[must_use]
    pub const fn output_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}
