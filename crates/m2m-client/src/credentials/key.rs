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
    parsed: Mutex<Option<([u8; 32], Arc<SigningKey>)>>,
}

impl KeySource {
    /// A key that never changes while the program runs.
    #[must_use]
    pub fn fixed(key: Arc<SigningKey>) -> Self {
        Self(Origin::Fixed(key))
    }

    /// A key as text: PKCS#8, SEC1 or PKCS#1 PEM, or a private JWK. Without
    /// `algorithm` the key's own first one is used (a JWK may name it);
    /// `key_id` goes into the assertion's header, over the one of a JWK.
    #[must_use]
    pub fn text(source: Arc<dyn SecretSource>, algorithm: Option<Algorithm>, key_id: Option<String>) -> Self {
        Self(Origin::Text(Text { source, algorithm, key_id, parsed: Mutex::new(None) }))
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
                let key = Arc::new(parse(&text, self.algorithm, self.key_id.as_deref())?);
                *parsed = Some((digest, Arc::clone(&key)));
                Ok(key)
            }
        }
    }
}

/// The text of a broken key is not quoted, nor what a parser says about it.
fn parse(
    text: &SecretString,
    algorithm: Option<Algorithm>,
    key_id: Option<&str>,
) -> Result<SigningKey, Error> {
    let text = text.expose().trim();
    let key = if text.starts_with('{') {
        let jwk = Jwk::parse(text.as_bytes())
            .map_err(|_| Error::misconfigured("the private key is not a usable JWK"))?;
        let key = SigningKey::from_jwk(&jwk).map_err(|error| unusable(&error))?;
        match algorithm {
            // A JWK that leaves the algorithm open takes the configured one.
            Some(algorithm) if jwk.alg().is_none() => rebind(&key, algorithm)?,
            _ => key,
        }
    } else {
        SigningKey::from_pkcs8_pem(text.as_bytes(), algorithm).map_err(|error| unusable(&error))?
    };
    if algorithm.is_some_and(|wanted| wanted != key.algorithm()) {
        return Err(Error::misconfigured(format!(
            "the private key signs {}, not what is configured",
            key.algorithm()
        )));
    }
    Ok(match key_id {
        Some(key_id) => key.with_key_id(key_id.to_owned()),
        None => key,
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
