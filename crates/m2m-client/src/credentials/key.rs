//! Where a client's private key comes from: [`KeySource`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use m2m_proto::jose::crypto::sha256;
use m2m_proto::jose::{Algorithm, Jwk, SigningKey};
use m2m_proto::secret::SecretString;

use super::secret::SecretSource;
use crate::error::Error;

/// A private key for `private_key_jwt`: fixed, or text (PEM or a JWK) from a
/// source that may rotate. Text is parsed when it changes, not per request.
pub struct KeySource(Origin);

enum Origin {
    Fixed(Arc<SigningKey>),
    Text(Text),
}

struct Text {
    source: Arc<dyn SecretSource>,
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    /// What the service takes, the preferred one first; empty: anything.
    accepted: Vec<Algorithm>,
    parsed: Mutex<Option<([u8; 32], Arc<SigningKey>)>>,
}

impl KeySource {
    /// A key that never changes while the program runs.
    #[must_use]
    pub fn fixed(key: Arc<SigningKey>) -> Self {
        Self(Origin::Fixed(key))
    }

    /// A key as text: PKCS#8, SEC1 or PKCS#1 PEM, or a private JWK. Without
    /// `algorithm` the key's own first one is used (a JWK may name it), or the
    /// first that the preset accepts and the key can do;
    /// `key_id` goes into the assertion's header, over the one of a JWK.
    #[must_use]
    pub fn text(source: Arc<dyn SecretSource>, algorithm: Option<Algorithm>, key_id: Option<String>) -> Self {
        let (accepted, parsed) = (Vec::new(), Mutex::new(None));
        Self(Origin::Text(Text { source, algorithm, key_id, accepted, parsed }))
    }

    /// Where nobody has stated an algorithm, one of these is used, the first
    /// that the key can do.
    pub(crate) fn accept(&mut self, algorithms: &[Algorithm]) {
        if let Origin::Text(text) = &mut self.0 {
            text.accepted = algorithms.to_vec();
        }
    }

    /// The thumbprint where it is known without reading anything.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        match &self.0 {
            Origin::Fixed(key) => Some(key.thumbprint().as_str().to_owned()),
            Origin::Text(_) => None,
        }
    }

    pub(crate) async fn read(&self) -> Result<Arc<SigningKey>, Error> {
        match &self.0 {
            Origin::Fixed(key) => Ok(Arc::clone(key)),
            Origin::Text(text) => text.read().await,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        match &self.0 {
            Origin::Fixed(_) => 0,
            Origin::Text(text) => text.source.version(),
        }
    }

    pub(crate) async fn look(&self) {
        if let Origin::Text(text) = &self.0 {
            text.source.look().await;
        }
    }
}

impl Text {
    async fn read(&self) -> Result<Arc<SigningKey>, Error> {
        let text = self.source.read().await?;
        let digest = sha256(text.expose().as_bytes());
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*parsed {
            Some((known, key)) if *known == digest => Ok(Arc::clone(key)),
            _ => {
                let key = Arc::new(parse(&text, self)?);
                *parsed = Some((digest, Arc::clone(&key)));
                Ok(key)
            }
        }
    }
}

/// The text of a broken key is not quoted, nor what a parser says about it.
fn parse(text: &SecretString, settings: &Text) -> Result<SigningKey, Error> {
    let (text, algorithm) = (text.expose().trim(), settings.algorithm);
    let key = if text.starts_with('{') {
        let jwk = Jwk::parse(text.as_bytes())
            .map_err(|_| Error::misconfigured("the private key is not a usable JWK"))?;
        let key = SigningKey::from_jwk(&jwk).map_err(|error| unusable(&error))?;
        match algorithm {
            // A JWK that leaves the algorithm open takes the configured one.
            Some(algorithm) if jwk.alg().is_none() => rebind(&key, algorithm)?,
            None if jwk.alg().is_none() => accepted(key, &settings.accepted)?,
            _ => key,
        }
    } else {
        let key = SigningKey::from_pkcs8_pem(text.as_bytes(), algorithm).map_err(|error| unusable(&error))?;
        if algorithm.is_none() { accepted(key, &settings.accepted)? } else { key }
    };
    if algorithm.is_some_and(|wanted| wanted != key.algorithm()) {
        return Err(Error::misconfigured(format!(
            "the private key signs {}, not what is configured",
            key.algorithm()
        )));
    }
    Ok(match &settings.key_id {
        Some(key_id) => key.with_key_id(key_id.clone()),
        None => key,
    })
}

/// The key with the first of these algorithms that it can do.
fn accepted(key: SigningKey, algorithms: &[Algorithm]) -> Result<SigningKey, Error> {
    if algorithms.is_empty() {
        return Ok(key);
    }
    let possible = algorithms.iter().find_map(|algorithm| rebind(&key, *algorithm).ok());
    possible.ok_or_else(|| {
        let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
        let (own, names) = (key.algorithm(), names.join(", "));
        Error::misconfigured(format!("the private key signs {own}, and the service takes {names}"))
    })
}

fn rebind(key: &SigningKey, algorithm: Algorithm) -> Result<SigningKey, Error> {
    let der = key.to_pkcs8_der().map_err(|error| unusable(&error))?;
    let bound =
        SigningKey::from_pkcs8_der(der.expose(), Some(algorithm)).map_err(|error| unusable(&error))?;
    Ok(match key.key_id() {
        Some(key_id) => bound.with_key_id(key_id.to_owned()),
        None => bound,
    })
}

fn unusable(error: &m2m_proto::jose::KeyError) -> Error {
    Error::misconfigured(format!("the private key cannot be used: {error}"))
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Fixed(_) => f.write_str("KeySource::Fixed"),
            Origin::Text(text) => f.debug_tuple("KeySource::Text").field(&text.source).finish(),
        }
    }
}
