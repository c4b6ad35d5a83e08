//! Private keys that are held elsewhere: in a hardware security module, at a key service.
//!
//! Sections: RFC 7515 §3.1, RFC 7518 §3.3 and §3.4 (the form of signatures)
//! Enforces, with every signature: its length, and that the public key verifies it, so that a holder who takes
//! another key or makes a fault is noticed before anybody has the signature; the first one is asked for when the
//! key is bound ([`super::SigningKey::external`]).
//! Does not enforce: anything about where the private key is, and how long a signature takes. Whoever
//! must not be kept waiting asks [`super::SigningKey::is_external`] first.
//! Limits: none of its own.

use std::fmt;
use std::sync::Arc;

use super::alg::Algorithm;
use super::crypto::CryptoError;
use super::key::VerifyingKey;

/// The holder of the private key did not sign. It may say why in its own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the holder of the private key did not sign")]
pub struct ExternalSignerError;

/// Signs with a private key that this process does not have, for the one algorithm that it was bound to.
pub trait ExternalSigner: Send + Sync {
    /// The signature of `message` (which is not hashed yet), as JWS wants it: R and S at their full length
    /// for ECDSA, as long as the modulus for RSA. May block.
    ///
    /// # Errors
    /// [`ExternalSignerError`]; the caller does not try again.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError>;
}

/// A bound signer, which answers with signatures of its key only.
#[derive(Clone)]
pub(crate) struct External {
    pub(crate) signer: Arc<dyn ExternalSigner>,
    pub(crate) signature_bytes: usize,
    pub(crate) algorithm: Algorithm,
    pub(crate) verifying: Arc<VerifyingKey>,
}

impl External {
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = self.unverified(message)?;
        self.verify(message, &signature).map(|()| signature)
    }

    /// A signature of the right length.
    pub(crate) fn unverified(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = self.signer.sign(message).map_err(|_| CryptoError)?;
        if signature.len() == self.signature_bytes { Ok(signature) } else { Err(CryptoError) }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        self.verifying.verifier(self.algorithm).ok_or(CryptoError)?.verify(message, signature)
    }
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("External")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{Compact, HeaderFields, Jwk, KeyError, SigningKey, jws};
    use super::*;

    /// A key of this process that plays one of elsewhere, and may fail.
    struct Elsewhere(SigningKey, fn(Vec<u8>) -> Result<Vec<u8>, ExternalSignerError>);

    impl ExternalSigner for Elsewhere {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
            self.0.sign(message).map_err(|_| ExternalSignerError).and_then(self.1)
        }
    }

    fn bound(
        key: SigningKey,
        public: &Jwk,
        then: fn(Vec<u8>) -> Result<Vec<u8>, ExternalSignerError>,
    ) -> Result<SigningKey, KeyError> {
        SigningKey::external(Arc::new(Elsewhere(key, then)), public)
    }

    #[test]
    fn what_it_signs_is_what_the_public_key_checks() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256] {
            let key = SigningKey::generate(algorithm).unwrap().with_key_id("hsm".to_owned());
            let public = key.public_jwk().unwrap().clone();
            let key = bound(key, &public, Ok).unwrap();
            assert!(key.is_external());
            assert_eq!((key.algorithm(), key.key_id()), (algorithm, Some("hsm")));
            let token = jws::sign(&HeaderFields::default(), b"{}", &key).unwrap();
            Compact::parse(&token).unwrap().verify(key.verifying_key()).unwrap();
            assert_eq!(key.to_pkcs8_der().map(drop), Err(KeyError::Elsewhere), "it is not here");
        }
    }

    #[test]
    fn a_signer_of_another_key_is_refused_at_once() {
        let key = || SigningKey::generate(Algorithm::Es256).unwrap();
        let other = key().public_jwk().unwrap().clone();
        assert_eq!(bound(key(), &other, Ok).map(drop), Err(KeyError::Inconsistent));
        let rsa = SigningKey::generate(Algorithm::Rs256).unwrap().public_jwk().unwrap().clone();
        assert_eq!(bound(key(), &rsa, Ok).map(drop), Err(KeyError::Library), "of another length");
        let own = key();
        let public = own.public_jwk().unwrap().clone();
        assert_eq!(bound(own, &public, |_| Err(ExternalSignerError)).map(drop), Err(KeyError::Library));
    }

    #[test]
    fn a_signature_of_another_length_reaches_nobody() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        for signature in [vec![], vec![0; 63], vec![0; 65]] {
            struct Broken(Vec<u8>);
            impl ExternalSigner for Broken {
                fn sign(&self, _: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
                    Ok(self.0.clone())
                }
            }
            let public = key.public_jwk().unwrap();
            let made = SigningKey::external(Arc::new(Broken(signature)), public);
            assert_eq!(made.map(drop), Err(KeyError::Library));
        }
    }

    /// Another key took the place of the one that was bound.
    #[test]
    fn a_signature_of_another_key_reaches_nobody() {
        struct Changing(Vec<SigningKey>, AtomicUsize);
        impl ExternalSigner for Changing {
            fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ExternalSignerError> {
                let key = &self.0[self.1.fetch_add(1, Ordering::SeqCst).min(1)];
                key.sign(message).map_err(|_| ExternalSignerError)
            }
        }
        let keys = vec![
            SigningKey::generate(Algorithm::Es256).unwrap(),
            SigningKey::generate(Algorithm::Es256).unwrap(),
        ];
        let public = keys[0].public_jwk().unwrap().clone();
        let key = SigningKey::external(Arc::new(Changing(keys, AtomicUsize::new(0))), &public).unwrap();
        assert!(jws::sign(&HeaderFields::default(), b"{}", &key).is_err());
    }

    #[test]
    fn a_shared_secret_is_never_elsewhere() {
        let public =
            Jwk::parse(br#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#).unwrap();
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        assert!(bound(key, &public, Ok).is_err());
    }
}
