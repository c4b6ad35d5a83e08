//! Keys that nobody has: what an assertion of an unknown client is checked against, so that time does not
//! tell who is registered.
//!
//! Enforces: the same work as for a client with one key of the algorithm.
//! Does not enforce: anything about the outcome, which is thrown away.

use std::sync::Arc;

use m2m_proto::client_auth::UnverifiedAssertion;
use m2m_proto::client_auth::assertion::{self, Expect};
use m2m_proto::jose::{Algorithm, Compact, Jwk, KeyError, SigningKey, VerifyingKey};
use m2m_proto::secret::Secret;
use m2m_proto::workload_token::UnverifiedWorkloadToken;

/// The example of RFC 7638 §3.1. Making an RSA key takes too long at start; whoever knew the private half
/// would gain nothing.
const RSA: &str = r#"{"kty":"RSA","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;

/// One key per algorithm.
#[derive(Debug)]
pub(crate) struct Decoys(Vec<Arc<VerifyingKey>>);

impl Decoys {
    /// Makes the keys: a few milliseconds.
    ///
    /// # Errors
    /// When the crypto library cannot make a key.
    pub(crate) fn new() -> Result<Self, KeyError> {
        let made = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];
        let pairs = made
            .into_iter()
            .map(|algorithm| Ok(Arc::clone(SigningKey::generate(algorithm)?.verifying_key())));
        let mut keys = pairs.collect::<Result<Vec<_>, KeyError>>()?;
        let rsa = Jwk::parse(RSA.as_bytes()).map_err(|_| KeyError::Inconsistent)?;
        keys.push(Arc::new(VerifyingKey::from_jwk(&rsa)?));
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            keys.push(Arc::new(VerifyingKey::hmac(&Secret::new(vec![0; 64]), algorithm)?));
        }
        Ok(Self(keys))
    }

    /// Does what is done for a client whose key did not sign.
    pub(crate) fn check(&self, presented: &UnverifiedAssertion, expect: &Expect<'_>) {
        let algorithm = presented.algorithm();
        let keys: Vec<Arc<VerifyingKey>> =
            self.0.iter().filter(|key| key.allows(algorithm)).take(1).cloned().collect();
        let verified = presented.verify(expect, keys.iter().map(AsRef::as_ref)).is_ok();
        std::hint::black_box(verified || signed_by_any(presented, &keys));
    }

    /// Does what is done for the token of a trusted issuer whose key did not sign.
    pub(crate) fn check_workload(&self, token: &UnverifiedWorkloadToken) {
        let keys = self.0.iter().filter(|key| key.allows(token.algorithm())).take(1);
        std::hint::black_box(token.check_signature(keys.map(AsRef::as_ref)).is_ok());
    }
}

/// Whether one of the keys signed, so that explaining what else is wrong tells no stranger anything.
pub(crate) fn signed_by_any(presented: &UnverifiedAssertion, keys: &[Arc<VerifyingKey>]) -> bool {
    let Ok(compact) = Compact::parse(presented.expose()) else { return false };
    keys.iter().take(assertion::MAX_TRIED_KEYS).any(|key| compact.verify(key).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_for_every_algorithm() {
        let decoys = Decoys::new().unwrap();
        for algorithm in Algorithm::ALL {
            assert!(decoys.0.iter().any(|key| key.allows(algorithm)), "{}", algorithm.name());
        }
    }
}
