//! Signing keys and the published key set.
//!
//! Reading takes no lock: the ring is an immutable snapshot. Keys are kept in the store, sealed, so that
//! nodes of one store sign with the same ones: whoever is first makes the next key, and the others follow.
//! The ES256 key is made at once; the RSA key, which takes long to find, by `Server::background` after the
//! server is ready.

#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod rotation;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use m2m_io::Random;
use m2m_proto::jose::{
    Algorithm, JwkSet, KeyError, PreparedHeader, SigningKey, VerifyingKey, base64url, crypto,
};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::time::UnixTime;
use m2m_proto::token::access_token::AccessTokenClaims;

use crate::audit::{Event, Record, Trail};
use crate::error::{Error, ErrorKind};
use crate::registry::vault::Vault;
use crate::registry::{Change, Conflict, KeyRecord, Registry};
use crate::store::{Store, StoreError};
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

    /// Signs without keeping other requests waiting, where somebody else holds the key.
    pub(crate) fn signed<T>(&self, sign: impl FnOnce() -> T) -> T {
        if self.signing.is_external() { m2m_io::task::in_place(sign) } else { sign() }
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
    /// Sorted by when they start to sign, so that the last one that signs is the newest; those that are held
    /// elsewhere come after all others, which never take over from them.
    fn new(mut keys: Vec<Arc<Key>>) -> Self {
        let usual = |key: &Key| ALWAYS.iter().position(|one| *one == key.algorithm()).unwrap_or(ALWAYS.len());
        keys.sort_by_key(|key| (key.signing.is_external(), key.dates.activates_at(), usual(key)));
        let body = Bytes::from(JwkSet::encode(keys.iter().map(|key| key.verifying.as_ref())));
        let etag = format!("\"{}\"", base64url::encode(crypto::sha256(&body)));
        Self { published: PublishedSet { body, etag }, keys }
    }
}

/// What keys are made and kept with.
#[derive(Clone, Copy)]
pub(crate) struct Workshop<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) vault: &'a Vault,
    pub(crate) random: &'a dyn Random,
    /// Where it is recorded that a key was made because it was time.
    pub(crate) trail: &'a Trail,
}

/// The signing keys of a server: those of its store, and those it was configured with.
#[derive(Debug)]
pub(crate) struct Keys {
    ring: ArcSwap<Ring>,
    /// Configured keys, which no store knows.
    own: Vec<Arc<Key>>,
    plan: RotationPlan,
    /// No key of another algorithm is made, published or signs.
    profile: SecurityProfile,
    /// One change at a time, held while a key is being made.
    changing: tokio::sync::Mutex<()>,
}

impl Keys {
    /// Starts with the keys given, all signing from `now` on.
    ///
    /// # Errors
    /// When one of them is symmetric.
    pub(crate) fn new(keys: Vec<SigningKey>, plan: RotationPlan, now: UnixTime) -> Result<Self, KeyError> {
        // A key that is held elsewhere stays until the configuration says otherwise: whoever keeps it there does
        // not want one of ours to take its place.
        let ever = KeyDates::from_parts(now, END_OF_TIME, END_OF_TIME);
        let starting = KeyDates::starting(now, &plan);
        let dates = |key: &SigningKey| if key.is_external() { ever } else { starting };
        let dated = |key: SigningKey| (dates(&key), named(key));
        let keys: Result<Vec<_>, _> =
            keys.into_iter().map(dated).map(|(dates, key)| Key::new(key, dates).map(Arc::new)).collect();
        let own = keys?;
        Ok(Self {
            ring: ArcSwap::from_pointee(Ring::new(own.clone())),
            own,
            plan,
            profile: SecurityProfile::Baseline,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The same, with no key that the profile does not allow. Keys of the store that it does not allow stay there
    /// and are not published: what they signed is refused from then on.
    pub(crate) fn under(self, profile: SecurityProfile) -> Self {
        Self { profile, ..self }
    }

    /// Takes over what the registry says of keys. One that cannot be unsealed is left out and told.
    pub(crate) fn follow(&self, registry: &Registry, vault: &Vault, now: UnixTime) {
        let ring = self.ring.load();
        let mut keys: Vec<Arc<Key>> = self.own.clone();
        let allowed = |record: &&Arc<KeyRecord>| self.profile.algorithm(record.algorithm).is_ok();
        keys.extend(registry.keys().filter(allowed).filter_map(|record| {
            let known = ring.keys.iter().find(|key| key.id() == Some(&record.kid));
            match known.filter(|key| key.dates == record.dates) {
                Some(known) => Some(Arc::clone(known)),
                None => unsealed(record, vault).map(Arc::new),
            }
        }));
        keys.retain(|key| key.dates.phase(now) != Phase::Retired);
        let same = keys.len() == ring.keys.len()
            && keys.iter().all(|key| ring.keys.iter().any(|known| Arc::ptr_eq(key, known)));
        if !same {
            self.ring.store(Arc::new(Ring::new(keys)));
        }
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

    /// Every key, with its algorithm and dates, in the order in which they sign.
    pub(crate) fn list(&self) -> Vec<(String, Algorithm, KeyDates)> {
        let shown = |key: &Arc<Key>| (key.id().unwrap_or_default().to_owned(), key.algorithm(), key.dates);
        self.ring.load().keys.iter().map(shown).collect()
    }

    /// The algorithms that tokens are or will be signed with.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = self.profile.allowed(&ALWAYS);
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
    /// When the crypto library cannot make a key, or the store cannot keep it.
    pub(crate) async fn ensure(
        &self,
        workshop: Workshop<'_>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<UnixTime, Error> {
        self.check(algorithm)?;
        let _one_at_a_time = self.changing.lock().await;
        let mut others = 0;
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
            let record = self.make(workshop, algorithm, activates_at).await?;
            match self.change(workshop, Change::CreateKey(record), now).await {
                // Another node was faster; its key is ours.
                Err(StoreError::Conflict(Conflict::KeyExists(name))) => {
                    others += 1;
                    if others > 2 {
                        let text = format!("the signing key for {name} in the store cannot be used here");
                        return Err(Error::misconfigured(text));
                    }
                    self.follow(&*workshop.store.registry()?, workshop.vault, now);
                }
                done => {
                    done?;
                    let subject = Some(algorithm.name().to_owned());
                    workshop.trail.append(Record { subject, ..Record::new(now, Event::KeyCreated) });
                }
            }
        }
    }

    fn check(&self, algorithm: Algorithm) -> Result<(), Error> {
        self.profile
            .algorithm(algorithm)
            .map_err(|outside| Error::new(ErrorKind::Invalid, outside.to_string()))
    }

    async fn make(
        &self,
        workshop: Workshop<'_>,
        algorithm: Algorithm,
        activates_at: UnixTime,
    ) -> Result<KeyRecord, Error> {
        let made = m2m_io::task::blocking("signing key", move || SigningKey::generate(algorithm)).await;
        let key = made.unwrap_or(Err(KeyError::Library)).map_err(|error| cannot_make(&error))?;
        sealed(&named(key), KeyDates::starting(activates_at, &self.plan), workshop.vault, workshop.random)
    }

    async fn change(&self, workshop: Workshop<'_>, change: Change, now: UnixTime) -> Result<(), StoreError> {
        let registry = workshop.store.change(change).await?;
        self.follow(&registry, workshop.vault, now);
        Ok(())
    }

    /// Makes a key for `algorithm` that takes over after it was announced.
    ///
    /// # Errors
    /// As [`Keys::ensure`].
    pub(crate) async fn roll(
        &self,
        workshop: Workshop<'_>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check(algorithm)?;
        let _one_at_a_time = self.changing.lock().await;
        if self.own.iter().any(|key| key.signing.is_external() && key.algorithm() == algorithm) {
            return Err(configured(algorithm));
        }
        let record = self.make(workshop, algorithm, now.saturating_add(self.plan.announce)).await?;
        self.change(workshop, Change::RollKey(record, self.plan.retain), now).await?;
        Ok(())
    }

    /// Makes a key for `algorithm` that signs at once, and withdraws all others with what they signed.
    ///
    /// # Errors
    /// As [`Keys::ensure`].
    pub(crate) async fn roll_now(
        &self,
        workshop: Workshop<'_>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check(algorithm)?;
        let _one_at_a_time = self.changing.lock().await;
        if self.own.iter().any(|key| key.algorithm() == algorithm) {
            return Err(configured(algorithm));
        }
        let record = self.make(workshop, algorithm, now).await?;
        self.change(workshop, Change::RollKeyNow(record), now).await?;
        Ok(())
    }

    /// Makes and forgets keys as `now` demands, for every algorithm in use; answers when to look again.
    ///
    /// # Errors
    /// As [`Keys::ensure`].
    pub(crate) async fn maintain(&self, workshop: Workshop<'_>, now: UnixTime) -> Result<UnixTime, Error> {
        let registry = workshop.store.registry()?;
        self.follow(&registry, workshop.vault, now);
        let mut algorithms = self.algorithms();
        algorithms.extend(registry.apis().map(|api| api.algorithm));
        let algorithms = self.profile.allowed(&algorithms);
        let mut next = now.saturating_add(self.plan.announce);
        for algorithm in algorithms {
            next = next.min(self.ensure(workshop, algorithm, now).await?);
        }
        // What is retired leaves the published set: verifiers would believe it for as long as it is there.
        if registry.keys().any(|key| key.dates.leaves_at() <= now) {
            self.change(workshop, Change::ForgetKeys(now), now).await?;
        }
        let leaving = self.ring.load().keys.iter().map(|key| key.dates.leaves_at()).min();
        Ok(leaving.map_or(next, |leaving| next.min(leaving)))
    }
}

/// 9999-12-31T23:59:59Z.
const END_OF_TIME: UnixTime = UnixTime::from_seconds(253_402_300_799);

fn configured(algorithm: Algorithm) -> Error {
    let text = format!("the {} key is configured, not kept in the store: replace it there", algorithm.name());
    Error::new(ErrorKind::Conflict, text)
}

fn cannot_make(error: &KeyError) -> Error {
    Error::internal(format!("cannot make a signing key: {error}"))
}

/// The key as a store keeps it.
pub(crate) fn sealed(
    key: &SigningKey,
    dates: KeyDates,
    vault: &Vault,
    random: &dyn Random,
) -> Result<KeyRecord, Error> {
    let kid = key.key_id().unwrap_or_default().to_owned();
    let plain = key.to_pkcs8_der().map_err(|error| cannot_make(&error))?;
    let (nonce, sealed) =
        vault.seal_key(&plain, &kid, random).map_err(|error| Error::internal(error.to_string()))?;
    Ok(KeyRecord::new(kid, key.algorithm(), nonce, sealed, dates))
}

fn unsealed(record: &KeyRecord, vault: &Vault) -> Option<Key> {
    let key = vault.open_key(record).ok().and_then(|plain| {
        let key = SigningKey::from_pkcs8_der(plain.expose(), Some(record.algorithm)).ok()?;
        Key::new(key.with_key_id(record.kid.clone()), record.dates).ok()
    });
    if key.is_none() {
        tracing::error!(
            kid = record.kid,
            "a signing key cannot be unsealed: was it made under another sealing key?"
        );
    }
    key
}

/// A key without a name gets its thumbprint (RFC 7638): unique, and the same after a restart.
pub(crate) fn named(key: SigningKey) -> SigningKey {
    if key.key_id().is_some() {
        return key;
    }
    let name = key.thumbprint().as_str().to_owned();
    key.with_key_id(name)
}

#[cfg(test)]
mod tests;
