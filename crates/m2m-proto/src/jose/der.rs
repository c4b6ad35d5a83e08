//! Just enough DER to turn a public key file into a JWK.
//!
//! Sections: RFC 5280 §4.1 (SubjectPublicKeyInfo), RFC 8017 appendix A.1.1, RFC 5480 §2, RFC 8410 §4
//! Enforces: definite lengths of at most two bytes, minimal, nothing left over
//! Does not enforce: that the numbers make a good key; [`super::key`] does

use super::alg::Curve;
use super::jwk::Material;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const CURVES: [(&[u8], Curve); 3] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], Curve::P256),
    (&[0x2b, 0x81, 0x04, 0x00, 0x22], Curve::P384),
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], Curve::P521),
];

/// Reads elements off the front of a slice.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&byte, rest) = rest.split_first()?;
                (usize::from(byte), rest)
            }
            0x82 => {
                let (&bytes, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(bytes)), rest)
            }
            _ => return None,
        };
        // A longer form than needed is BER.
        if (first == 0x81 && length <= 0x7f) || (first == 0x82 && length <= 0xff) {
            return None;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(content)
    }

    fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// `RSAPublicKey`: modulus and exponent without leading zeros.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<Material> {
    let mut outer = Der(der);
    let mut inner = Der(outer.element(SEQUENCE)?);
    outer.finish(())?;
    let (n, e) = (unsigned(inner.element(INTEGER)?)?, unsigned(inner.element(INTEGER)?)?);
    inner.finish(())?;
    Some(Material::Rsa { n, e, private: None })
}

fn unsigned(integer: &[u8]) -> Option<Vec<u8>> {
    match integer {
        [] | [0x80..=0xff, ..] => None, // empty or negative
        [0, rest @ ..] if !rest.is_empty() => Some(rest.to_vec()),
        all => Some(all.to_vec()),
    }
}

/// An uncompressed point of `curve`.
pub(super) fn point(curve: Curve, bytes: &[u8]) -> Option<Material> {
    let (&tag, coordinates) = bytes.split_first()?;
    let (x, y) = coordinates.split_at_checked(curve.coordinate_bytes())?;
    let fits = tag == 4 && y.len() == x.len();
    fits.then(|| Material::Ec { curve, x: x.to_vec(), y: y.to_vec(), d: None })
}

/// `SubjectPublicKeyInfo` of an RSA, EC or Ed25519 key.
pub(super) fn subject_public_key_info(der: &[u8]) -> Option<Material> {
    let mut outer = Der(der);
    let mut info = Der(outer.element(SEQUENCE)?);
    outer.finish(())?;
    let mut algorithm = Der(info.element(SEQUENCE)?);
    let (&unused_bits, key) = info.element(BIT_STRING)?.split_first()?;
    info.finish(())?;
    if unused_bits != 0 {
        return None;
    }
    match algorithm.element(OBJECT_IDENTIFIER)? {
        RSA_ENCRYPTION => rsa_public_key(key),
        EC_PUBLIC_KEY => {
            let named = algorithm.element(OBJECT_IDENTIFIER)?;
            let (_, curve) = CURVES.into_iter().find(|(identifier, _)| *identifier == named)?;
            point(curve, key)
        }
        ED25519 if key.len() == 32 => Some(Material::Ed25519 { x: key.to_vec(), d: None }),
        _ => None,
    }
}
