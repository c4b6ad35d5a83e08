//! Secrets that another system made: found among the credentials of the client, because they name none.
//!
//! Sections: RFC 6749 §2.3.1
//! Enforces: after its first use such a secret costs what any other does, one keyed hash, whether the client has one
//! or not. Before that, the slow hash is checked by two workers at a time and for at most 64 requests, those that
//! wait included; the next one is told to come back. Of one client one is checked at a time, and half of the places are
//! for others. A place is kept until the work is done, also when the client
//! has hung up.
//! Does not enforce: the budget of failures, and that the slow hash goes away: `endpoints::first_use`.
//! Limits: 16 imported secrets compared, 4 slow hashes checked. A client with a slow hash answers later than others,
//! and can be told from them by that, until its secret is used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use m2m_proto::client_auth::{ClientAuthMethod, Presented, PresentedKind, SecretPair};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{AuthenticatedClient, AuthenticationError, Authenticator, accepts, active};
use crate::registry::{Credential, ImportedHash, Material, Registration, Registry, SlowHash};

/// Imported secrets of a client that are compared.
const MAX_COMPARED: usize = 16;
/// Slow hashes of a client that are checked for one request, in each reading of its secret.
pub(crate) const MAX_SLOW: usize = 4;
/// Most processors go on making tokens meanwhile.
const WORKERS: usize = 2;
/// Requests that are checked or wait for it.
pub(crate) const PLACES: usize = 64;
/// Of those, for one client.
pub(crate) const OF_ONE_CLIENT: usize = 32;

/// The bound on slow hashes.
#[derive(Debug)]
pub(crate) struct SlowChecks {
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    /// The clients whose secrets are checked or wait for it: one at a time of each, so that whoever calls for one
    /// client keeps no other one waiting. As many as there are places.
    lines: Mutex<HashMap<ClientId, Arc<Line>>>,
    #[cfg(test)]
    pub(crate) made: std::sync::atomic::AtomicUsize,
}

impl Default for SlowChecks {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            workers: Arc::new(Semaphore::new(WORKERS)),
            lines: Mutex::default(),
            #[cfg(test)]
            made: std::sync::atomic::AtomicUsize::new(0),
        }
    }
}

/// The right to check slow hashes now. It ends with the work, also when nobody waits for that any more.
#[derive(Debug)]
pub(crate) struct Turn {
    _held: ([OwnedSemaphorePermit; 2], OwnedMutexGuard<()>),
}

/// Those who wait for one client.
type Line = tokio::sync::Mutex<()>;

/// Too many are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A secret of which only slow hashes are known.
#[derive(Debug)]
pub(crate) struct FirstUse {
    registration: Arc<Registration>,
    method: ClientAuthMethod,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    credential: Arc<Credential>,
    hash: SlowHash,
    secret: SecretString,
}

impl Attempt {
    fn is_right(&self) -> bool {
        self.hash.check(self.secret.expose())
    }
}

/// A client that used an imported secret for the first time, and the secret.
#[derive(Debug)]
pub(crate) struct FirstUsed {
    pub(crate) client: AuthenticatedClient,
    pub(crate) secret: SecretString,
}

impl FirstUsed {
    /// Whether client and credential may still be used: checking took a while.
    pub(crate) fn stands(&self, registry: &Registry, now: UnixTime) -> bool {
        let (client, credential) = (self.client.client(), self.client.credential());
        active(registry, &client.id)
            .and_then(|registration| registration.credential(credential.id.as_str()))
            .is_some_and(|credential| credential.usable(now))
    }
}

impl SlowChecks {
    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Full`], at once.
    pub(crate) async fn turn(&self, client: &ClientId) -> Result<Arc<Turn>, Full> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full)?;
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.retain(|_, line| Arc::strong_count(line) > 1);
            let line = lines.entry(client.clone()).or_default();
            if Arc::strong_count(line) > OF_ONE_CLIENT {
                return Err(Full);
            }
            Arc::clone(line)
        };
        let first = line.lock_owned().await;
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| Full)?;
        Ok(Arc::new(Turn { _held: ([place, worker], first) }))
    }

    /// Checks all that `first` says, away from the workers that answer; `None` where nothing fits.
    pub(crate) async fn check(&self, first: FirstUse, turn: Arc<Turn>) -> Option<FirstUsed> {
        #[cfg(test)]
        self.made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let FirstUse { registration, method, attempts } = first;
        let right = m2m_io::task::blocking("imported secret", move || {
            let _turn = turn;
            attempts.into_iter().find(Attempt::is_right)
        });
        let Attempt { credential, secret, .. } = right.await.flatten()?;
        let client =
            AuthenticatedClient { registration, credential, method, assertion: None, external: None };
        Some(FirstUsed { client, secret })
    }

    #[cfg(test)]
    pub(crate) fn bounds(&self) -> [&Arc<Semaphore>; 2] {
        [&self.places, &self.workers]
    }
}

/// The usable imported secrets of a client for this method.
fn imported(
    registration: &Registration,
    method: ClientAuthMethod,
    now: UnixTime,
) -> impl Iterator<Item = (&Arc<Credential>, &ImportedHash)> {
    let fitting = move |credential: &'_ &Arc<Credential>| credential.usable(now);
    registration.credentials().iter().filter(fitting).filter_map(move |credential| {
        match &credential.material {
            Material::ImportedSecret { hash, accepted } if accepts(*accepted, method) => {
                Some((credential, hash))
            }
            _ => None,
        }
    })
}

impl Authenticator {
    /// A secret that names no credential: one keyed hash, and a comparison with each imported secret of the client.
    pub(super) fn imported_secret(
        &self,
        text: &str,
        registration: Option<&Arc<Registration>>,
        method: ClientAuthMethod,
        now: UnixTime,
    ) -> Result<AuthenticatedClient, AuthenticationError> {
        let keyed = registration.into_iter().flat_map(|registration| {
            imported(registration, method, now).filter_map(move |(credential, hash)| match hash {
                ImportedHash::Keyed(hash) => Some(((registration, credential), hash)),
                ImportedHash::Slow(_) => None,
            })
        });
        let (registration, credential) =
            self.vault.find(text, keyed.take(MAX_COMPARED)).ok_or(AuthenticationError::Refused)?;
        Ok(AuthenticatedClient {
            registration: Arc::clone(registration),
            credential: Arc::clone(credential),
            method,
            assertion: None,
            external: None,
        })
    }

    /// What is left to check of a secret that was refused; `None` for all clients that have no slow hash.
    pub(crate) fn first_use(
        &self,
        presented: &Presented,
        registry: &Registry,
        now: UnixTime,
    ) -> Option<FirstUse> {
        let (readings, method): (Vec<&SecretPair>, _) = match presented.kind() {
            PresentedKind::SecretBasic(pair) => {
                (pair.readings().collect(), ClientAuthMethod::ClientSecretBasic)
            }
            PresentedKind::SecretPost(pair) => (vec![pair], ClientAuthMethod::ClientSecretPost),
            _ => return None,
        };
        let mut attempts = Vec::new();
        let mut owner = None;
        for pair in readings {
            let Some(registration) = active(registry, pair.client_id()) else { continue };
            let slow = imported(registration, method, now).filter_map(|(credential, hash)| match hash {
                ImportedHash::Slow(hash) => Some((credential, hash)),
                ImportedHash::Keyed(_) => None,
            });
            let before = attempts.len();
            attempts.extend(slow.take(MAX_SLOW).map(|(credential, hash)| Attempt {
                credential: Arc::clone(credential),
                hash: hash.clone(),
                secret: SecretString::new(pair.secret().expose().to_owned()),
            }));
            // Two readings of one header are one client here: the first that has such a secret.
            if attempts.len() > before && owner.is_none_or(|owner| Arc::ptr_eq(owner, registration)) {
                owner = Some(registration);
            } else {
                attempts.truncate(before);
            }
        }
        Some(FirstUse { registration: Arc::clone(owner?), method, attempts })
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;
    use crate::fixture::client_id;

    /// One client's slow hashes hold up nobody else's, up to the last place that it has.
    #[tokio::test]
    async fn one_client_has_half_of_the_places() {
        let checks = SlowChecks::default();
        let (one, other) = (client_id("one"), client_id("other"));
        let turn = |client| -> Pin<Box<dyn Future<Output = Result<Arc<Turn>, Full>> + Send + '_>> {
            Box::pin(checks.turn(client))
        };
        let mut turns: Vec<_> = (0..32).map(|_| turn(&one)).collect();
        let mut held = Vec::new();
        for turn in &mut turns {
            let polled = std::future::poll_fn(|cx| Poll::Ready(turn.as_mut().poll(cx))).await;
            match polled {
                Poll::Ready(turn) => held.push(turn.unwrap_or_else(|_| panic!("there is a place"))),
                Poll::Pending => {}
            }
        }
        assert_eq!(held.len(), 1, "one at a time, and the others wait");
        assert!(turn(&one).await.is_err(), "the thirty-third");
        assert!(turn(&other).await.is_ok());
        drop((held, turns));
        assert!(turn(&other).await.is_ok());
        assert_eq!(checks.lines.lock().unwrap().len(), 1, "nothing is left of who waits no more");
    }
}
