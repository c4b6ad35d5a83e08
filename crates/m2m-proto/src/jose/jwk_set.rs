//! Sets of public keys, as issuers and clients publish them.
//!
//! Sections: RFC 7517 §5, RFC 8725 §3.1, FAPI 2.0 §5.6.3 (duplicate `kid`)
//! Enforces: an object with an array `keys`; at most 100 of them. Then key by key,
//! skipping and remembering why: everything [`super::Jwk`] and
//! [`super::VerifyingKey`] check; private and shared keys, which nobody may
//! publish; different keys that share `kid`, type and curve, between which nobody
//! could tell
//! Does not enforce: who published it
//! Limits: 256 KiB, 100 keys

use std::sync::Arc;

use serde_json::{Map, Value};

use super::alg::Algorithm;
use super::jwk::{Jwk, JwkError};
use super::key::{KeyError, VerifyingKey};
use crate::json::{self, JsonLimits};
use crate::names::jose as names;

/// The most keys a set may hold.
pub const MAX_KEYS: usize = 100;

/// Why a whole set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// Not a JSON object with an array `keys`, or too big.
    #[error("not a JWK set")]
    NotASet,
    /// More keys than allowed.
    #[error("{keys} keys, {MAX_KEYS} allowed")]
    TooMany {
        /// Keys found.
        keys: usize,
    },
}

/// Why one key of a set was skipped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkippedKey {
    /// Not a JSON object.
    #[error("not an object")]
    NotAnObject,
    /// Not well formed, or of an unknown type.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// Not fit for verifying.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Holds a private key or a shared secret, which is none any more.
    #[error("a secret key in a published set")]
    Secret,
    /// A shared secret among public keys.
    #[error("a shared secret among public keys")]
    Mixed,
    /// Another key of the same type has the same `kid`.
    #[error("another key has the same `kid`")]
    AmbiguousKeyId,
}

/// A set of keys, each parsed once.
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<Arc<VerifyingKey>>,
    skipped: Vec<(usize, SkippedKey)>,
}

impl JwkSet {
    /// Parses a published set. Keys that we cannot use are skipped one by one.
    ///
    /// # Errors
    /// If it is no set at all, or too large.
    // spec: JOSE-V4
    pub fn decode(bytes: &[u8]) -> Result<Self, JwkSetError> {
        let object = json::parse_object(bytes, &JsonLimits::DOCUMENT).map_err(|_| JwkSetError::NotASet)?;
        let Some(Value::Array(keys)) = object.get(names::KEYS) else {
            return Err(JwkSetError::NotASet);
        };
        Self::from_values(keys)
    }

    /// As [`JwkSet::decode`], of keys out of a document that was read already.
    pub(crate) fn from_values(keys: &[Value]) -> Result<Self, JwkSetError> {
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooMany { keys: keys.len() });
        }
        let published = |value: &Value| {
            let jwk = Jwk::from_object(value.as_object().ok_or(SkippedKey::NotAnObject)?)?;
            if jwk.is_private() { Err(SkippedKey::Secret) } else { Ok(jwk) }
        };
        Ok(Self::collect(keys.iter().map(published)))
    }

    /// A set of keys that the caller holds, in which shared secrets may stand, but not beside
    /// public keys (RFC 8725 §2.1: the bytes of one could be taken for the other).
    #[must_use]
    pub fn from_keys<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> Self {
        Self::collect(keys.into_iter().cloned().map(Ok))
    }

    fn collect(jwks: impl Iterator<Item = Result<Jwk, SkippedKey>>) -> Self {
        let mut parsed: Vec<Result<(Jwk, VerifyingKey), SkippedKey>> = jwks
            .map(|jwk| {
                let jwk = jwk?;
                let key = VerifyingKey::from_jwk(&jwk)?;
                Ok((jwk, key))
            })
            .collect();
        refuse_mixed(&mut parsed);
        refuse_ambiguous(&mut parsed);
        let mut set = Self::default();
        for (index, one) in parsed.into_iter().enumerate() {
            match one {
                Ok((_, key)) if set.keys.iter().any(|known| is_same(known, &key)) => {}
                Ok((_, key)) => set.keys.push(Arc::new(key)),
                Err(reason) => set.skipped.push((index, reason)),
            }
        }
        set
    }

    /// The usable keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[Arc<VerifyingKey>] {
        &self.keys
    }

    /// The others: position and reason.
    #[must_use]
    pub fn skipped(&self) -> &[(usize, SkippedKey)] {
        &self.skipped
    }

    /// The keys to try for a header: those bound to `algorithm` whose id is `key_id`. A header
    /// without `kid` gets every key of the algorithm; a key without `kid` is tried for none but
    /// such headers, unless the whole set has no ids.
    pub fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Arc<VerifyingKey>> {
        let anonymous = self.keys.iter().all(|key| key.key_id().is_none());
        self.keys.iter().filter(move |key| {
            key.allows(algorithm) && (key_id.is_none() || anonymous || key.key_id() == key_id)
        })
    }

    /// The text of a set of the public halves of `keys`; shared secrets are left out.
    // spec: JOSE-V9
    #[must_use]
    pub fn encode<'a>(keys: impl IntoIterator<Item = &'a VerifyingKey>) -> Vec<u8> {
        let public = keys.into_iter().filter_map(VerifyingKey::public_jwk);
        let list = public.map(|jwk| Value::Object(jwk.to_public_json())).collect();
        let mut object = Map::new();
        object.insert(names::KEYS.to_owned(), Value::Array(list));
        Value::Object(object).to_string().into_bytes()
    }
}

type Parsed = Result<(Jwk, VerifyingKey), SkippedKey>;

/// One key published twice is one key; with other bindings it is another.
fn is_same(known: &VerifyingKey, key: &VerifyingKey) -> bool {
    known.thumbprint() == key.thumbprint()
        && known.key_id() == key.key_id()
        && known.algorithms().eq(key.algorithms())
}

fn refuse_mixed(parsed: &mut [Parsed]) {
    let is_shared = |key: &VerifyingKey| key.public_jwk().is_none();
    if parsed.iter().flatten().all(|(_, key)| is_shared(key)) {
        return;
    }
    for one in parsed {
        if matches!(one, Ok((_, key)) if is_shared(key)) {
            *one = Err(SkippedKey::Mixed);
        }
    }
}

// spec: FAPI-X2
fn refuse_ambiguous(parsed: &mut [Parsed]) {
    let ambiguous: Vec<bool> = parsed
        .iter()
        .map(|one| {
            one.as_ref().is_ok_and(|one| parsed.iter().flatten().any(|other| is_ambiguous(one, other)))
        })
        .collect();
    for (one, ambiguous) in parsed.iter_mut().zip(ambiguous) {
        if ambiguous {
            *one = Err(SkippedKey::AmbiguousKeyId);
        }
    }
}

fn is_ambiguous((jwk, key): &(Jwk, VerifyingKey), (other_jwk, other): &(Jwk, VerifyingKey)) -> bool {
    key.key_id().is_some()
        && key.key_id() == other.key_id()
        && jwk.key_type() == other_jwk.key_type()
        && jwk.curve() == other_jwk.curve()
        && key.algorithms().any(|algorithm| other.allows(algorithm))
        && key.thumbprint() != other.thumbprint()
}
