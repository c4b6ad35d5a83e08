//! The keys of one issuer: fetched by the rules of `m2m_io::RemoteKeys`, or given.

use std::sync::Arc;

use m2m_io::{Clock, HttpClient, KeysError, KeysLocation, Reach, RemoteKeys, RemoteMetadata};
use m2m_proto::jose::{Algorithm, JwkSet, VerifyingKey};
use m2m_proto::uri::Issuer;

use crate::error::Reason;
use crate::issuers::KeysFrom;

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) enum IssuerKeys {
    Remote(RemoteKeys),
    Fixed(JwkSet),
}

impl IssuerKeys {
    pub(crate) fn remote(
        issuer: &Issuer,
        from: KeysFrom,
        http: &Arc<dyn HttpClient>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let location = match from {
            KeysFrom::Discovery => KeysLocation::Metadata(RemoteMetadata::new(
                issuer.clone(),
                Arc::clone(http),
                Arc::clone(clock),
            )),
            KeysFrom::Url(url) => KeysLocation::Url { url, reach: Reach::Configured },
            KeysFrom::Fixed(set) => return Self::Fixed(set),
        };
        Self::Remote(RemoteKeys::new(location, Arc::clone(http), Arc::clone(clock)))
    }

    /// The key that may have signed: unknown is the token's fault, unreachable is not.
    pub(crate) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, Reason> {
        let keys = match self {
            Self::Fixed(set) => return set.find(kid, algorithm).next().cloned().ok_or(Reason::UnknownKey),
            Self::Remote(keys) => keys,
        };
        if let Some(key) = keys.peek(kid, algorithm) {
            return Ok(key);
        }
        keys.find(kid, algorithm).await.map_err(|error| match error {
            KeysError::Unavailable(error) => Reason::Unavailable(format!("the keys of the issuer: {error}")),
            KeysError::TooSoon => Reason::Unavailable(error.to_string()),
            _ => Reason::UnknownKey,
        })
    }
}
