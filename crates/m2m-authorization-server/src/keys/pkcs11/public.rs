//! The public half of a key in a security module, as its attributes tell it, and the mechanism that its type
//! signs with.
//!
//! Sections: PKCS#11 §2.3.3 (`CKA_EC_PARAMS`, `CKA_EC_POINT`), version 3.0 §2.3.5 (Edwards keys), §2.1.2;
//! RFC 8410 §3
//! Enforces: P-256, Ed25519 or RSA, and the length of points.
//! Does not enforce: that a point is on its curve or a modulus long enough, which binding the key does.
//! Limits: none of its own.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use m2m_proto::jose::crypto::sha256;
use m2m_proto::jose::{Algorithm, Jwk, base64url};
use serde_json::json;

/// The object identifier of P-256, as `CKA_EC_PARAMS` holds it.
pub(super) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Ed25519, by the object identifier of RFC 8410 or by the name that PKCS#11 3.0 has for it.
pub(super) const ED25519: [&[u8]; 2] = [&[0x06, 0x03, 0x2b, 0x65, 0x70], b"\x13\x0cedwards25519"];

/// How a key signs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// CKM_ECDSA, which takes the hash.
    Ecdsa,
    /// CKM_EDDSA without parameters, which takes the message.
    Eddsa,
    /// CKM_SHA256_RSA_PKCS, which takes the message.
    RsaPkcs1,
}

impl Way {
    /// The signature as JWS has it.
    pub(super) fn sign(self, session: &Session, key: ObjectHandle, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Ecdsa => session.sign(&Mechanism::Ecdsa, key, &sha256(message)),
            Self::Eddsa => {
                session.sign(&Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)), key, message)
            }
            Self::RsaPkcs1 => session.sign(&Mechanism::Sha256RsaPkcs, key, message),
        }
    }
}

/// The public half, and how its key signs; `None` for a key of another type.
pub(super) fn read(session: &Session, key: ObjectHandle) -> Result<Option<(Jwk, Way)>, Error> {
    let wanted = [
        AttributeType::EcParams,
        AttributeType::EcPoint,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
    ];
    let (mut params, mut point, mut modulus, mut exponent) = (None, None, None, None);
    for attribute in session.get_attributes(key, &wanted)? {
        match attribute {
            Attribute::EcParams(bytes) => params = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    Ok(match (params.zip(point), modulus.zip(exponent)) {
        (Some((params, point)), _) if params == P256 => p256(&point).map(|jwk| (jwk, Way::Ecdsa)),
        (Some((params, point)), _) if ED25519.contains(&params.as_slice()) => {
            ed25519(&point).map(|jwk| (jwk, Way::Eddsa))
        }
        (None, Some((n, e))) => rsa(&n, &e).map(|jwk| (jwk, Way::RsaPkcs1)),
        _ => None,
    })
}

/// `CKA_EC_POINT`: an uncompressed point, in a DER octet string as the standard wants, or bare as some
/// modules have it.
pub(super) fn p256(point: &[u8]) -> Option<Jwk> {
    let bare = match point {
        [0x04, 0x41, bare @ ..] if bare.len() == 65 => bare,
        bare => bare,
    };
    let (x, y) = bare.strip_prefix(&[0x04]).filter(|rest| rest.len() == 64)?.split_at_checked(32)?;
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    jwk(&json!({"kty": "EC", "crv": "P-256", "alg": Algorithm::Es256.name(), "use": "sig", "x": x, "y": y}))
}

/// As above: the 32 bytes of RFC 8032 §5.1.2.
pub(super) fn ed25519(point: &[u8]) -> Option<Jwk> {
    let x = match point {
        [0x04, 0x20, bare @ ..] if bare.len() == 32 => bare,
        bare => bare,
    };
    let x = (x.len() == 32).then(|| base64url::encode(x))?;
    jwk(&json!({"kty": "OKP", "crv": "Ed25519", "alg": Algorithm::EdDsa.name(), "use": "sig", "x": x}))
}

/// The numbers, with or without zeros before them.
pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Jwk> {
    let plain = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        base64url::encode(number.get(start..).unwrap_or_default())
    };
    jwk(&json!({"kty": "RSA", "alg": Algorithm::Rs256.name(), "use": "sig", "n": plain(n), "e": plain(e)}))
}

fn jwk(members: &serde_json::Value) -> Option<Jwk> {
    Jwk::parse(members.to_string().as_bytes()).ok()
}
