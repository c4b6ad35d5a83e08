//! The keys of another party, by its key set (RFC 7517), and the one rule for keys that are not in it.
//!
//! Enforces: an unknown key leads to at most one fetch per cooldown, whoever asks. It is unknown
//! ([`KeysError::Unknown`]) only if a fetch that began after the question did not bring it, or if an earlier set had
//! it, and is then so for one cooldown; while none may be made it is too soon to tell ([`KeysError::TooSoon`]). So
//! made-up key ids do not make this party knock on the other's door more often, and no flood of them makes a new key
//! wait longer, or look like none.
//! A set of which no key can be used is damage, and the last good one stays; an empty one withdraws all keys.
//! Limits: 64 absent key ids remembered, each up to 256 bytes; longer ones are unknown without a fetch.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_proto::jose::{Algorithm, JwkSet, VerifyingKey};
use m2m_proto::spiffe::SpiffeBundle;
use m2m_proto::uri::EndpointUri;

use crate::remote::{Ask, Conditional, Fetch, Fetched, Knobs, Remote, RemoteError, Renewal};
use crate::{BoxFuture, Clock, HttpClient, Limits, Reach, RemoteMetadata};

/// Where a key set is.
#[derive(Clone, Debug)]
pub enum KeysLocation {
    /// At this URL.
    Url {
        /// The key set's URL.
        url: EndpointUri,
        /// Who chose it.
        reach: Reach,
    },
    /// Where the server's metadata says (`jwks_uri`), within what a discovered URL may reach.
    Metadata(RemoteMetadata),
}

/// What the document with the keys is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeysForm {
    /// A JWK set (RFC 7517).
    #[default]
    JwkSet,
    /// The bundle of a SPIFFE trust domain: its keys for JWT-SVIDs count, and it is asked for again as often as its
    /// `spiffe_refresh_hint` says, within the limits of [`Knobs`].
    SpiffeBundle,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The key set cannot be fetched; the key may well exist.
    #[error("the key set cannot be fetched: {0}")]
    Unavailable(#[source] RemoteError),
    /// The key set has no such key for this algorithm.
    #[error("the key set has no key with this id for this algorithm")]
    Unknown,
    /// The held key set has no such key, and came too short a time ago to ask for a newer one: the key may well
    /// exist.
    #[error("the held key set has no such key, and it is too soon to ask for a newer one")]
    TooSoon,
    /// No key id was given and several keys would do.
    #[error("without a key id, several keys of the set would do")]
    Ambiguous,
}

/// A remote key set, fetched when first asked for and kept fresh. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Inner>);

struct Inner {
    remote: Remote<JwkSet>,
    clock: Arc<dyn Clock>,
    knobs: Knobs,
    absent: Mutex<VecDeque<Absent>>,
    /// The set that was looked at last.
    seen: Mutex<Option<Arc<JwkSet>>>,
}

/// A key id that a fetch did not bring.
struct Absent {
    key_id: String,
    until: Duration,
}

const MAX_ABSENT: usize = 64;
const MAX_KEY_ID_BYTES: usize = 256;

impl Debug for RemoteKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RemoteKeys").field("remote", &self.0.remote).finish_non_exhaustive()
    }
}

impl RemoteKeys {
    /// A key set not yet fetched, with default times.
    #[must_use]
    pub fn new(location: KeysLocation, http: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        Self::with_knobs(location, Knobs::default(), http, clock)
    }

    /// As [`Self::new`], with other times.
    #[must_use]
    pub fn with_knobs(
        location: KeysLocation,
        knobs: Knobs,
        http: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::of_form(KeysForm::JwkSet, location, knobs, http, clock)
    }

    /// As [`Self::with_knobs`], for a document of another form.
    #[must_use]
    pub fn of_form(
        form: KeysForm,
        location: KeysLocation,
        knobs: Knobs,
        http: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut flight = knobs;
        if matches!(location, KeysLocation::Metadata(_)) {
            // Two fetches, each with its own limit: metadata that hang must not take the time for the keys.
            flight.timeout = knobs.timeout.saturating_mul(2);
        }
        let held = Arc::default();
        let fetch = Box::new(KeySet { form, location, http, timeout: knobs.timeout, held });
        let remote = Remote::new("key set", flight, Arc::clone(&clock), fetch);
        Self(Arc::new(Inner { remote, clock, knobs, absent: Mutex::default(), seen: Mutex::default() }))
    }

    /// The key if the held set has exactly one that fits and may be used without waiting. The path without a future.
    #[must_use]
    pub fn peek(&self, key_id: Option<&str>, algorithm: Algorithm) -> Option<Arc<VerifyingKey>> {
        self.0.remote.peek().and_then(|set| pick(&set, key_id, algorithm).ok())
    }

    /// The one key with this id that may be used with this algorithm; without an id, the only one that may.
    ///
    /// # Errors
    ///
    /// [`KeysError::Unavailable`] and [`KeysError::TooSoon`] are transient (see [`RemoteError::is_transient`]), the
    /// others are about the token.
    pub async fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, KeysError> {
        let (set, is_new) = self.0.remote.obtain().await.map_err(KeysError::Unavailable)?;
        self.0.notice_withdrawals(&set);
        match pick(&set, key_id, algorithm) {
            Err(KeysError::Unknown) => {}
            result => return result,
        }
        let name = key_id.unwrap_or_default();
        if name.len() > MAX_KEY_ID_BYTES || self.0.is_absent(name) {
            return Err(KeysError::Unknown);
        }
        let found = if is_new { Err(KeysError::Unknown) } else { self.newer(key_id, algorithm).await };
        if matches!(found, Err(KeysError::Unknown)) {
            self.0.remember_absent(name);
        }
        found
    }

    /// As [`Self::find`], in a set newer than the held one.
    async fn newer(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerifyingKey>, KeysError> {
        let renewal = self.0.remote.renewal().await;
        if let Renewal::Fetched(set) | Renewal::Joined(set) = &renewal {
            self.0.notice_withdrawals(set);
        }
        match renewal {
            Renewal::Fetched(set) => pick(&set, key_id, algorithm),
            // What was on its way before the question says nothing of a key that is younger.
            Renewal::Joined(set) => pick(&set, key_id, algorithm).map_err(|error| match error {
                KeysError::Unknown => KeysError::TooSoon,
                other => other,
            }),
            Renewal::Failed(error) => Err(KeysError::Unavailable(error)),
            Renewal::TooSoon => Err(KeysError::TooSoon),
        }
    }

    /// Whether a set is held that may be used without waiting.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.remote.peek().is_some()
    }

    /// How long until an unknown key may lead to a fetch: what to tell whoever got [`KeysError::Unavailable`] or
    /// [`KeysError::TooSoon`].
    #[must_use]
    pub fn cooldown_left(&self) -> Duration {
        self.0.remote.cooldown_left()
    }

    /// The whole set.
    ///
    /// # Errors
    ///
    /// When it cannot be fetched and none is held.
    pub async fn set(&self) -> Result<Arc<JwkSet>, RemoteError> {
        let set = self.0.remote.get().await?;
        self.0.notice_withdrawals(&set);
        Ok(set)
    }
}

fn pick(set: &JwkSet, key_id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, KeysError> {
    let mut found = set.find(key_id, algorithm);
    let first = found.next().ok_or(KeysError::Unknown)?;
    // Two keys of one id are the publisher's mistake; the first counts, as nothing better is known.
    if key_id.is_none() && found.next().is_some() {
        return Err(KeysError::Ambiguous);
    }
    Ok(Arc::clone(first))
}

impl Inner {
    fn is_absent(&self, key_id: &str) -> bool {
        let now = self.clock.monotonic();
        self.absent().iter().any(|absent| absent.key_id == key_id && now < absent.until)
    }

    /// Keys that the set before had and this one has not are withdrawn, and nobody waits for them to come back.
    fn notice_withdrawals(&self, set: &Arc<JwkSet>) {
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(set));
        let Some(before) = before.filter(|before| !Arc::ptr_eq(before, set)) else { return };
        let has = |key_id: &str| set.keys().iter().any(|key| key.key_id() == Some(key_id));
        let gone = before.keys().iter().filter_map(|key| key.key_id()).filter(|key_id| !has(key_id));
        gone.for_each(|key_id| self.remember_absent(key_id));
    }

    fn remember_absent(&self, key_id: &str) {
        let until = self.clock.monotonic().saturating_add(self.knobs.cooldown);
        let mut absent = self.absent();
        absent.retain(|entry| entry.key_id != key_id);
        if absent.len() >= MAX_ABSENT {
            absent.pop_front();
        }
        absent.push_back(Absent { key_id: key_id.to_owned(), until });
    }

    fn absent(&self) -> std::sync::MutexGuard<'_, VecDeque<Absent>> {
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct KeySet {
    form: KeysForm,
    location: KeysLocation,
    http: Arc<dyn HttpClient>,
    timeout: Duration,
    held: Arc<Conditional<Published>>,
}

impl Fetch<JwkSet> for KeySet {
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<JwkSet>, RemoteError>> {
        Box::pin(self.clone().asked(Ask::IfChanged))
    }

    fn fetch_whole(&self) -> BoxFuture<'static, Result<Fetched<JwkSet>, RemoteError>> {
        Box::pin(self.clone().asked(Ask::Whole))
    }
}

/// The keys, and how often their document wants to be asked for, if it says so itself.
type Published = (JwkSet, Option<Duration>);

fn read(form: KeysForm, body: &[u8]) -> Result<Published, RemoteError> {
    let unusable = |error: m2m_proto::jose::JwkSetError| RemoteError::Document(error.to_string());
    let (set, hint) = match form {
        KeysForm::JwkSet => (JwkSet::decode(body).map_err(unusable)?, None),
        KeysForm::SpiffeBundle => {
            let bundle = SpiffeBundle::decode(body).map_err(unusable)?;
            let hint = bundle.refresh_hint();
            (bundle.into_keys(), hint)
        }
    };
    Ok((usable(set)?, hint))
}

/// A set with keys of which none can be used is not what its issuer meant to publish.
fn usable(set: JwkSet) -> Result<JwkSet, RemoteError> {
    for (index, reason) in set.skipped() {
        tracing::warn!(index, %reason, "a key of a key set is not used");
    }
    match set.skipped().first() {
        Some((_, reason)) if set.keys().is_empty() => {
            Err(RemoteError::Document(format!("no key of the set can be used; the first: {reason}")))
        }
        _ => Ok(set),
    }
}

impl KeySet {
    async fn asked(self, ask: Ask) -> Result<Fetched<JwkSet>, RemoteError> {
        let (url, reach) = self.locate().await?;
        let limits = Limits { timeout: self.timeout, reach, ..Limits::default() };
        let form = self.form;
        let fetched = self.held.get(&*self.http, (&url, ask), &limits, |body| read(form, body)).await?;
        let (value, hint) = fetched.value;
        Ok(Fetched { value, max_age: hint.or(fetched.max_age) })
    }

    async fn locate(&self) -> Result<(EndpointUri, Reach), RemoteError> {
        match &self.location {
            KeysLocation::Url { url, reach } => Ok((url.clone(), reach.clone())),
            KeysLocation::Metadata(metadata) => {
                let document = metadata.get().await?;
                let missing = || RemoteError::Document("the server's metadata has no jwks_uri".to_owned());
                Ok((document.jwks_uri.clone().ok_or_else(missing)?, metadata.reach()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
