//! Signing keys and the published key set.
//!
//! Reading takes no lock: the ring is an immutable snapshot. The ES256 key is made at once; the RSA
//! key, which takes long to find, by `Server::background` after the server is ready.

pub mod rotation;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use m2m_proto::jose::{
    Algorithm, JwkSet, KeyError, PreparedHeader, SigningKey, VerifyingKey, base64url, crypto,
};
use m2m_proto::time::UnixTime;
use m2m_proto::token::access_token::AccessTokenClaims;

use rotation::{Advice, KeyDates, Phase, RotationPlan, advise};

/// Algorithms whose keys every server publishes: the default, and the one that every verifier of
/// RFC 9068 tokens must know.
// spec: 9068-AS1, 9068-AS4
pub const ALWAYS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Rs256];

/// One signing key, ready: parsed once, its header encoded once.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) signing: SigningKey,
    pub(crate) header: PreparedHeader,
    pub(crate) verifying: Arc<VerifyingKey>,
    dates: KeyDates,
}

impl Key {
    fn new(signing: SigningKey, dates: KeyDates) -> Result<Self, KeyError> {
        if signing.algorithm().is_symmetric() {
            return Err(KeyError::Symmetric(signing.algorithm()));
        }
        let header = AccessTokenClaims::header(&signing);
        let verifying = Arc::clone(signing.verifying_key());
        Ok(Self { header, verifying, dates, signing })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.signing.algorithm()
    }

    fn id(&self) -> Option<&str> {
        self.signing.key_id()
    }
}

/// The published set, as bytes, with the tag that names these bytes.
#[derive(Debug, Clone)]
pub(crate) struct PublishedSet {
    pub(crate) body: Bytes,
    pub(crate) etag: String,
}

#[derive(Debug)]
struct Ring {
    keys: Vec<Arc<Key>>,
    published: PublishedSet,
}

impl Ring {
    fn new(keys: Vec<Arc<Key>>) -> Self {
        let body = Bytes::from(JwkSet::encode(keys.iter().map(|key| key.verifying.as_ref())));
        let etag = format!("\"{}\"", base64url::encode(crypto::sha256(&body)));
        Self { published: PublishedSet { body, etag }, keys }
    }

    fn kept(&self, now: UnixTime) -> Vec<Arc<Key>> {
        self.keys.iter().filter(|key| key.dates.phase(now) != Phase::Retired).cloned().collect()
    }
}

/// The signing keys of a server.
#[derive(Debug)]
pub(crate) struct Keys {
    ring: ArcSwap<Ring>,
    plan: RotationPlan,
    /// One change at a time, held while a key is being made.
    changing: tokio::sync::Mutex<()>,
}

impl Keys {
    /// Starts with the keys given, all signing from `now` on.
    ///
    /// # Errors
    /// When one of them is symmetric.
    pub(crate) fn new(keys: Vec<SigningKey>, plan: RotationPlan, now: UnixTime) -> Result<Self, KeyError> {
        let dates = KeyDates::starting(now, &plan);
        let keys: Result<Vec<_>, _> =
            keys.into_iter().map(|key| Key::new(named(key), dates).map(Arc::new)).collect();
        Ok(Self {
            ring: ArcSwap::from_pointee(Ring::new(keys?)),
            plan,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The key that signs with `algorithm` now; `None` while it is being made.
    pub(crate) fn active(&self, algorithm: Algorithm, now: UnixTime) -> Option<Arc<Key>> {
        let ring = self.ring.load();
        let signs = |key: &&Arc<Key>| key.algorithm() == algorithm && key.dates.phase(now) == Phase::Active;
        // The newest one: the others are about to retire.
        ring.keys.iter().rev().find(signs).cloned()
    }

    /// The key that may have signed a token with this `kid`.
    pub(crate) fn find(&self, kid: &str, now: UnixTime) -> Option<Arc<Key>> {
        let ring = self.ring.load();
        let known = |key: &&Arc<Key>| key.id() == Some(kid) && key.dates.phase(now) != Phase::Retired;
        ring.keys.iter().find(known).cloned()
    }

    /// What is served as the key set.
    pub(crate) fn published(&self) -> PublishedSet {
        self.ring.load().published.clone()
    }

    /// The algorithms that tokens are or will be signed with.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = ALWAYS.to_vec();
        for key in &self.ring.load().keys {
            if !algorithms.contains(&key.algorithm()) {
                algorithms.push(key.algorithm());
            }
        }
        algorithms
    }

    /// Makes what is missing for `algorithm` at `now`, and answers until when nothing is.
    ///
    /// Making an RSA key takes long, so it is done on a thread of its own.
    ///
    /// # Errors
    /// When the crypto library cannot make a key.
    pub(crate) async fn ensure(&self, algorithm: Algorithm, now: UnixTime) -> Result<UnixTime, KeyError> {
        let _one_at_a_time = self.changing.lock().await;
        loop {
            let dates: Vec<KeyDates> = {
                let ring = self.ring.load();
                ring.keys.iter().filter(|key| key.algorithm() == algorithm).map(|key| key.dates).collect()
            };
            let activates_at = match advise(&dates, &self.plan, now) {
                Advice::WaitUntil(then) => return Ok(then),
                Advice::MakeNext(then) => then,
                Advice::MakeActive => now,
            };
            let made = m2m_io::task::blocking("signing key", move || SigningKey::generate(algorithm)).await;
            let made = made.ok_or(KeyError::Library)??;
            self.add(Key::new(named(made), KeyDates::starting(activates_at, &self.plan))?, now);
        }
    }

    /// Makes and forgets keys as `now` demands, for every algorithm in use; answers when to look again.
    ///
    /// # Errors
    /// When the crypto library cannot make a key.
    pub(crate) async fn maintain(&self, now: UnixTime) -> Result<UnixTime, KeyError> {
        let mut next = now.saturating_add(self.plan.announce);
        for algorithm in self.algorithms() {
            next = next.min(self.ensure(algorithm, now).await?);
        }
        self.forget(now).await;
        let leaving = self.ring.load().keys.iter().map(|key| key.dates.leaves_at()).min();
        Ok(leaving.map_or(next, |leaving| next.min(leaving)))
    }

    /// Stops publishing what is retired: verifiers would believe it for as long as it is there.
    async fn forget(&self, now: UnixTime) {
        let _one_at_a_time = self.changing.lock().await;
        let ring = self.ring.load();
        let kept = ring.kept(now);
        if kept.len() < ring.keys.len() {
            self.ring.store(Arc::new(Ring::new(kept)));
        }
    }

    fn add(&self, key: Key, now: UnixTime) {
        let mut keys = self.ring.load().kept(now);
        keys.push(Arc::new(key));
        self.ring.store(Arc::new(Ring::new(keys)));
    }
}

/// A key without a name gets its thumbprint (RFC 7638): unique, and the same after a restart.
fn named(key: SigningKey) -> SigningKey {
    if key.key_id().is_some() {
        return key;
    }
    let name = key.thumbprint().as_str().to_owned();
    key.with_key_id(name)
}

#[cfg(test)]
mod tests;
