//! Keys that are the same in every run: one of each type, for all algorithms. They are public, so they protect
//! nothing.

use base64::Engine as _;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::secret::SecretBytes;

const RSA: &str = include_str!("../testdata/keys/rsa-2048.pem");
const P256: &str = include_str!("../testdata/keys/p256.pem");
const P384: &str = include_str!("../testdata/keys/p384.pem");
const P521: &str = include_str!("../testdata/keys/p521.pem");
const ED25519: &str = include_str!("../testdata/keys/ed25519.pem");
const HMAC: &str = include_str!("../testdata/keys/hmac.b64");

/// The fixed keys.
#[derive(Clone, Copy, Debug)]
pub struct FixedKeys;

impl FixedKeys {
    /// The key for `algorithm`, its id `test-` and the algorithm's name.
    ///
    /// # Panics
    ///
    /// If the embedded key is not one for this algorithm.
    #[must_use]
    pub fn signing(algorithm: Algorithm) -> SigningKey {
        let key = if algorithm.is_symmetric() {
            SigningKey::hmac(&Self::secret(), algorithm)
        } else {
            SigningKey::from_pkcs8_pem(Self::pem(algorithm).as_bytes(), Some(algorithm))
        };
        key.expect("the embedded key").with_key_id(format!("test-{}", algorithm.name()))
    }

    /// The private key as a PKCS#8 PEM text. Keys of one type are one key: all RSA algorithms share theirs.
    ///
    /// # Panics
    ///
    /// For HMAC, which has no PEM form.
    #[must_use]
    pub fn pem(algorithm: Algorithm) -> &'static str {
        match algorithm {
            Algorithm::Es256 => P256,
            Algorithm::Es384 => P384,
            Algorithm::Es512 => P521,
            Algorithm::EdDsa | Algorithm::Ed25519 => ED25519,
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                panic!("a shared secret has no PEM form")
            }
            _ => RSA,
        }
    }

    /// The shared secret of the HMAC algorithms: 64 bytes.
    ///
    /// # Panics
    ///
    /// If the embedded text is no base64.
    #[must_use]
    pub fn secret() -> SecretBytes {
        SecretBytes::new(base64::engine::general_purpose::STANDARD.decode(HMAC).expect("the embedded secret"))
    }

    /// The public keys of these algorithms as a key set document.
    #[must_use]
    pub fn set(algorithms: &[Algorithm]) -> Vec<u8> {
        let keys = algorithms.iter().map(|algorithm| Self::signing(*algorithm)).collect::<Vec<_>>();
        JwkSet::encode(keys.iter().map(|key| &**key.verifying_key()))
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::{Algorithm, JwkSet};

    use super::FixedKeys;

    #[test]
    fn there_is_a_key_for_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let key = FixedKeys::signing(algorithm);
            assert_eq!(key.algorithm(), algorithm);
            assert!(!key.sign(b"message").unwrap().is_empty());
        }
    }

    #[test]
    fn the_set_finds_each_by_its_id() {
        let public =
            Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect::<Vec<_>>();
        let set = JwkSet::decode(&FixedKeys::set(&public)).unwrap();
        for algorithm in public {
            let id = format!("test-{}", algorithm.name());
            assert_eq!(set.find(Some(&id), algorithm).count(), 1, "{id}");
        }
    }
}
