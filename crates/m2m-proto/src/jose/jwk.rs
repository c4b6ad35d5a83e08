//! JSON Web Keys, public, private and shared.
//!
//! Sections: RFC 7517 §4, RFC 7518 §6, RFC 8037 §2
//! Enforces, in this order: an object without duplicate members; a known `kty`;
//! text where text is due; a known curve; every member strict base64url; EC and
//! OKP members of the exact length of their field; private RSA keys with all of
//! `d p q dp dq qi` and only two primes
//! Does not enforce: that the key is any good (points, sizes, weak moduli) or may
//! be used for a purpose; [`super::VerifyingKey::from_jwk`] and
//! [`super::SigningKey::from_jwk`] do
//! Limits: 256 KiB a document, RSA members of at most 1 KiB each

use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use super::alg::{Algorithm, Curve, KeyType};
use super::base64url;
use super::thumbprint::JwkThumbprint;
use crate::json::{self, JsonLimits};
use crate::names::jose as names;
use crate::secret::{Secret, SecretBytes};

const MAX_INTEGER_BYTES: usize = 1024;

/// Why a JWK was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not a JSON object, or one with duplicate members, or too big.
    #[error("not a JSON object that we accept")]
    NotAnObject,
    /// `kty` is absent or none that we know.
    #[error("the key type is missing or unknown")]
    UnknownKeyType,
    /// `crv` is absent or none that we know for this key type.
    #[error("the curve is missing or unknown")]
    UnknownCurve,
    /// A member that the key type needs is absent.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member has the wrong JSON type, text or length.
    #[error("the member `{0}` is malformed")]
    Malformed(&'static str),
    /// RFC 7518 §6.3.2.7: more than two primes; no library worth its name takes them.
    #[error("RSA keys of more than two primes are not supported")]
    MultiPrime,
}

/// A key as JSON describes it, well formed but not yet fit for use.
///
/// `Debug` shows public members only; private ones are wiped on drop.
#[derive(Clone, Debug)]
pub struct Jwk {
    kid: Option<String>,
    alg: Option<String>,
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    x5c: Vec<String>,
    pub(super) material: Material,
}

#[derive(Clone, Debug)]
pub(super) enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8>, private: Option<Box<RsaMembers>> },
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8>, d: Option<SecretBytes> },
    Ed25519 { x: Vec<u8>, d: Option<SecretBytes> },
    Oct { k: SecretBytes },
}

#[derive(Clone, Debug)]
pub(super) struct RsaMembers {
    pub(super) d: SecretBytes,
    pub(super) p: SecretBytes,
    pub(super) q: SecretBytes,
    pub(super) dp: SecretBytes,
    pub(super) dq: SecretBytes,
    pub(super) qi: SecretBytes,
}

impl Jwk {
    /// Parses the text of one key.
    ///
    /// # Errors
    /// See the list of checks above.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkError> {
        let mut object =
            json::parse_object(bytes, &JsonLimits::DOCUMENT).map_err(|_| JwkError::NotAnObject)?;
        let jwk = Self::from_object(&object);
        for member in object.values_mut() {
            if let Value::String(text) = member {
                text.zeroize(); // it may be a private one
            }
        }
        jwk
    }

    /// Parses one key out of a document that was already read.
    ///
    /// # Errors
    /// See the list of checks above.
    pub fn from_object(object: &Map<String, Value>) -> Result<Self, JwkError> {
        let members = Members(object);
        let material = match members.text(names::KTY)? {
            Some("RSA") => members.rsa()?,
            Some("EC") => members.ec()?,
            Some("OKP") => members.okp()?,
            Some("oct") => Material::Oct { k: Secret::new(members.bytes(names::K)?) },
            _ => return Err(JwkError::UnknownKeyType),
        };
        Ok(Self {
            kid: members.text(names::KID)?.map(str::to_owned),
            alg: members.text(names::ALG)?.map(str::to_owned),
            key_use: members.text(names::USE)?.map(str::to_owned),
            key_ops: members.texts(names::KEY_OPS)?,
            // Only `x5c_der` reads it; a key is not refused for a certificate that nobody uses.
            x5c: members.texts(names::X5C).ok().flatten().unwrap_or_default(),
            material,
        })
    }

    /// A shared secret as a key of `algorithm`.
    #[must_use]
    pub fn from_secret(secret: SecretBytes, algorithm: Algorithm) -> Self {
        Self::of_material(Material::Oct { k: secret }, Some(algorithm))
    }

    pub(super) fn of_material(material: Material, algorithm: Option<Algorithm>) -> Self {
        let alg = algorithm.map(|algorithm| algorithm.name().to_owned());
        Self { kid: None, alg, key_use: Some("sig".to_owned()), key_ops: None, x5c: Vec::new(), material }
    }

    /// The same key under another `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: Option<String>) -> Self {
        self.kid = kid;
        self
    }

    /// `kty`.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.material {
            Material::Rsa { .. } => KeyType::Rsa,
            Material::Ec { .. } => KeyType::Ec,
            Material::Ed25519 { .. } => KeyType::Okp,
            Material::Oct { .. } => KeyType::Oct,
        }
    }

    /// `crv`, for elliptic keys.
    #[must_use]
    pub fn curve(&self) -> Option<Curve> {
        match self.material {
            Material::Ec { curve, .. } => Some(curve),
            Material::Ed25519 { .. } => Some(Curve::Ed25519),
            Material::Rsa { .. } | Material::Oct { .. } => None,
        }
    }

    /// `kid`: a hint, chosen by a stranger.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `alg` as text, known to us or not.
    #[must_use]
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// `use`.
    #[must_use]
    pub fn key_use(&self) -> Option<&str> {
        self.key_use.as_deref()
    }

    /// `key_ops`.
    #[must_use]
    pub fn key_ops(&self) -> Option<&[String]> {
        self.key_ops.as_deref()
    }

    /// The certificates of `x5c` as DER, the key's own first. Nothing here is checked against
    /// the key.
    ///
    /// # Errors
    /// If one of them is not base64.
    pub fn x5c_der(&self) -> Result<Vec<Vec<u8>>, JwkError> {
        use base64::Engine as _;
        let decode = |text: &String| {
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .map_err(|_| JwkError::Malformed(names::X5C))
        };
        self.x5c.iter().map(decode).collect()
    }

    /// Whether it holds anything that must stay secret. A shared secret always does.
    #[must_use]
    pub fn is_private(&self) -> bool {
        match &self.material {
            Material::Rsa { private, .. } => private.is_some(),
            Material::Ec { d, .. } | Material::Ed25519 { d, .. } => d.is_some(),
            Material::Oct { .. } => true,
        }
    }

    /// The public half; `None` for a shared secret, which has none.
    #[must_use]
    pub fn public(&self) -> Option<Self> {
        let material = match &self.material {
            Material::Rsa { n, e, .. } => Material::Rsa { n: n.clone(), e: e.clone(), private: None },
            Material::Ec { curve, x, y, .. } => {
                Material::Ec { curve: *curve, x: x.clone(), y: y.clone(), d: None }
            }
            Material::Ed25519 { x, .. } => Material::Ed25519 { x: x.clone(), d: None },
            Material::Oct { .. } => return None,
        };
        Some(Self { material, ..self.clone() })
    }

    /// The SHA-256 thumbprint (RFC 7638); only the required public members enter it.
    #[must_use]
    pub fn thumbprint(&self) -> JwkThumbprint {
        JwkThumbprint::of_canonical(Secret::new(self.required_members()).expose())
    }

    /// The required members as canonical JSON: what a thumbprint hashes and, for a public key,
    /// what the header `jwk` carries. For a shared secret this contains the secret.
    pub(super) fn required_members(&self) -> String {
        match &self.material {
            Material::Rsa { n, e, .. } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url::encode(e), base64url::encode(n))
            }
            Material::Ec { curve, x, y, .. } => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                base64url::encode(x),
                base64url::encode(y)
            ),
            Material::Ed25519 { x, .. } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(x))
            }
            Material::Oct { k } => format!(r#"{{"k":"{}","kty":"oct"}}"#, base64url::encode(k.expose())),
        }
    }

    /// The public members, `kid`, `alg` and `use`, as they belong into a published set. Of a
    /// shared secret nothing but its type remains.
    #[must_use]
    pub fn to_public_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |name: &str, value: &str| object.insert(name.to_owned(), Value::from(value));
        put(names::KTY, self.key_type().name());
        match &self.material {
            Material::Rsa { n, e, .. } => {
                put(names::N, &base64url::encode(n));
                put(names::E, &base64url::encode(e));
            }
            Material::Ec { curve, x, y, .. } => {
                put(names::CRV, curve.name());
                put(names::X, &base64url::encode(x));
                put(names::Y, &base64url::encode(y));
            }
            Material::Ed25519 { x, .. } => {
                put(names::CRV, Curve::Ed25519.name());
                put(names::X, &base64url::encode(x));
            }
            Material::Oct { .. } => {}
        }
        let labels = [(names::KID, &self.kid), (names::ALG, &self.alg), (names::USE, &self.key_use)];
        for (name, value) in labels {
            if let Some(value) = value {
                put(name, value);
            }
        }
        object
    }

    /// The uncompressed point, or the raw key of Ed25519.
    pub(super) fn point(&self) -> Option<Vec<u8>> {
        match &self.material {
            Material::Ec { x, y, .. } => Some([&[4], x.as_slice(), y.as_slice()].concat()),
            Material::Ed25519 { x, .. } => Some(x.clone()),
            Material::Rsa { .. } | Material::Oct { .. } => None,
        }
    }
}

/// The members of one JWK object, read by name.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, JwkError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JwkError::Malformed(name)),
        }
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<String>>, JwkError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(JwkError::Malformed(name));
                values.iter().map(text).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(JwkError::Malformed(name)),
        }
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, JwkError> {
        let text = self.text(name)?.ok_or(JwkError::Missing(name))?;
        base64url::decode(text).map_err(|_| JwkError::Malformed(name))
    }

    /// A Base64urlUInt (RFC 7518 §2). Leading zeros are forbidden there but met in the wild;
    /// they change nothing, so they are dropped.
    fn integer(&self, name: &'static str) -> Result<Vec<u8>, JwkError> {
        let bytes = self.bytes(name)?;
        let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        if significant.is_empty() || significant.len() > MAX_INTEGER_BYTES {
            return Err(JwkError::Malformed(name));
        }
        Ok(significant)
    }

    fn secret_integer(&self, name: &'static str) -> Result<SecretBytes, JwkError> {
        self.integer(name).map(Secret::new)
    }

    fn fixed(&self, name: &'static str, curve: Curve) -> Result<Vec<u8>, JwkError> {
        let bytes = self.bytes(name)?;
        if bytes.len() == curve.coordinate_bytes() { Ok(bytes) } else { Err(JwkError::Malformed(name)) }
    }

    fn private_value(&self, curve: Curve) -> Result<Option<SecretBytes>, JwkError> {
        if !self.0.contains_key(names::D) {
            return Ok(None);
        }
        self.fixed(names::D, curve).map(|d| Some(Secret::new(d)))
    }

    fn rsa(&self) -> Result<Material, JwkError> {
        if self.0.contains_key(names::OTH) {
            return Err(JwkError::MultiPrime);
        }
        let private_names = [names::D, names::P, names::Q, names::DP, names::DQ, names::QI];
        let private = if private_names.iter().any(|name| self.0.contains_key(*name)) {
            Some(Box::new(RsaMembers {
                d: self.secret_integer(names::D)?,
                p: self.secret_integer(names::P)?,
                q: self.secret_integer(names::Q)?,
                dp: self.secret_integer(names::DP)?,
                dq: self.secret_integer(names::DQ)?,
                qi: self.secret_integer(names::QI)?,
            }))
        } else {
            None
        };
        Ok(Material::Rsa { n: self.integer(names::N)?, e: self.integer(names::E)?, private })
    }

    fn ec(&self) -> Result<Material, JwkError> {
        let curve = self.text(names::CRV)?.and_then(Curve::parse_ec).ok_or(JwkError::UnknownCurve)?;
        let (x, y) = (self.fixed(names::X, curve)?, self.fixed(names::Y, curve)?);
        Ok(Material::Ec { curve, x, y, d: self.private_value(curve)? })
    }

    fn okp(&self) -> Result<Material, JwkError> {
        let curve = Curve::Ed25519;
        if self.text(names::CRV)? != Some(curve.name()) {
            return Err(JwkError::UnknownCurve);
        }
        Ok(Material::Ed25519 { x: self.fixed(names::X, curve)?, d: self.private_value(curve)? })
    }
}
