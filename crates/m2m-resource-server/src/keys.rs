//! The keys of one issuer: fetched by the rules of `m2m_io::RemoteKeys`, or given.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_io::{Clock, HttpClient, KeysError, KeysLocation, Reach, RemoteError, RemoteKeys, RemoteMetadata};
use m2m_proto::jose::{Algorithm, JwkSet, VerifyingKey};
use m2m_proto::uri::Issuer;

use crate::error::{Reason, Unavailable};
use crate::trusted::KeysFrom;

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) enum IssuerKeys {
    Remote {
        keys: RemoteKeys,
        /// How long a key that the issuer withdrew may be in use here.
        withdrawn: Duration,
    },
    Fixed(JwkSet),
}

impl IssuerKeys {
    pub(crate) fn remote(
        issuer: &Issuer,
        from: KeysFrom,
        knobs: Knobs,
        http: &Arc<dyn HttpClient>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let one = longest_use(&knobs);
        let (location, withdrawn) = match from {
            KeysFrom::Discovery => {
                let (http, clock) = (Arc::clone(http), Arc::clone(clock));
                let metadata =
                    RemoteMetadata::with_knobs(issuer.clone(), Reach::Configured, knobs, http, clock);
                // Metadata at the end of its life still leads to where the keys were before.
                (KeysLocation::Metadata(metadata), one.saturating_add(one))
            }
            KeysFrom::Url(url) => (KeysLocation::Url { url, reach: Reach::Configured }, one),
            KeysFrom::Fixed(set) => return Self::Fixed(set),
        };
        let keys = RemoteKeys::with_knobs(location, knobs, Arc::clone(http), Arc::clone(clock));
        Self::Remote { keys, withdrawn }
    }

    /// How long a key that the issuer withdrew may be in use here; `None` for given keys, which only
    /// another configuration withdraws.
    pub(crate) fn withdrawn_within(&self) -> Option<Duration> {
        match self {
            Self::Remote { withdrawn, .. } => Some(*withdrawn),
            Self::Fixed(_) => None,
        }
    }

    /// Fetches the keys, unless they are held.
    pub(crate) async fn prepare(&self) -> Result<(), Reason> {
        match self {
            Self::Fixed(_) => Ok(()),
            Self::Remote { keys, .. } => {
                keys.set().await.map(drop).map_err(|error| unavailable(keys, &error))
            }
        }
    }

    /// Whether there are any that may be used without waiting.
    pub(crate) fn are_held(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Remote { keys, .. } => keys.is_held(),
        }
    }

    /// The key that may have signed, if that can be told without waiting.
    pub(crate) fn peek(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Arc<VerifyingKey>> {
        match self {
            Self::Fixed(set) => set.find(kid, algorithm).next().cloned(),
            Self::Remote { keys, .. } => keys.peek(kid, algorithm),
        }
    }

    /// The key that may have signed: unknown is the token's fault, unreachable is not.
    pub(crate) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, Reason> {
        if let Some(key) = self.peek(kid, algorithm) {
            return Ok(key);
        }
        let Self::Remote { keys, .. } = self else { return Err(Reason::UnknownKey) };
        keys.find(kid, algorithm).await.map_err(|error| match error {
            KeysError::Unavailable(error) => unavailable(keys, &error),
            KeysError::TooSoon => {
                Reason::Unavailable(Unavailable::after(keys.cooldown_left(), error.to_string()))
            }
            _ => Reason::UnknownKey,
        })
    }
}

fn unavailable(keys: &RemoteKeys, error: &RemoteError) -> Reason {
    let error = format!("the keys of the issuer: {error}");
    Reason::Unavailable(Unavailable::after(keys.cooldown_left(), error))
}

/// How old a document of these times can be when it is used: fresh, then unreachable, and for those who then wait for
/// another one, the time of a fetch.
pub(crate) fn longest_use(knobs: &Knobs) -> Duration {
    knobs.max_age.saturating_add(knobs.stale_if_error).saturating_add(knobs.timeout)
}
