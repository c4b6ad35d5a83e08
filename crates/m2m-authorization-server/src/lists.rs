//! What offline verifiers read of withdrawals: status lists and the revocation feed, signed and kept
//! until something changes or they grow old.
//!
//! Sections: Token Status List (draft-ietf-oauth-status-list) §4, §5, §8; the feed is our own
//! Enforces: a credential that is not active or has expired, or whose client is not active, is invalid in its list; so is a place
//! that was never given away or whose owner is gone. A node that cannot vouch for what stands signs nothing.
//! Limits: 65,536 places a list; at most 256 lists are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use m2m_proto::jose::Algorithm;
use m2m_proto::revocation_feed::RevocationFeedClaims;
use m2m_proto::status_list::{self, StatusList, StatusListClaims};
use m2m_proto::time::UnixTime;

use crate::registry::{Registry, Status};
use crate::server::State;
use crate::store::StoreError;

/// Places in one list: 8 KiB before compression.
pub(crate) const PLACES: u64 = 65_536;
/// Lists kept: more places than a server of this kind has credentials.
const MAX_LISTS: usize = 256;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Document {
    /// The status list of that number.
    StatusList(u64),
    /// The feed of revoked tokens.
    Feed,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unpublished {
    #[error("there is no such list")]
    Unknown,
    #[error("the signing key is being made")]
    KeyNotReady,
    #[error("the list cannot be signed")]
    SigningFailed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A document as it was signed.
#[derive(Debug, Clone)]
struct Kept {
    body: Bytes,
    signed_at: UnixTime,
    /// How many changes the store had told of.
    change: u64,
    kid: String,
}

/// The documents, each signed when it is asked for and not fresh, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Held for moments only: anybody may ask.
    kept: Mutex<HashMap<Document, Kept>>,
    signing: Mutex<()>,
}

/// The list that a place is in, and the place in it.
pub(crate) fn place(status_index: u64) -> (u64, u64) {
    (status_index / PLACES, status_index % PLACES)
}

impl Lists {
    /// The document as of now.
    ///
    /// # Errors
    /// [`Unpublished`].
    pub(crate) fn get(&self, state: &State, which: Document, now: UnixTime) -> Result<Bytes, Unpublished> {
        state.store.vouch()?;
        let change = *state.store.changes().borrow();
        let key = state.keys.active(Algorithm::Es256, now).ok_or(Unpublished::KeyNotReady)?;
        let kid = key.signing.key_id().unwrap_or_default();
        // A quarter of its time is spent here at most, three are left to whoever fetches it.
        let fresh = |kept: &&Kept| {
            kept.change == change && kept.kid == kid && now.since(kept.signed_at) * 4 < state.status_ttl
        };
        let known = || self.kept().get(&which).filter(fresh).map(|kept| kept.body.clone());
        if let Some(body) = known() {
            return Ok(body);
        }
        // With the wait for whoever signs: a key that is held elsewhere may take long.
        key.signed(|| {
            let _one_at_a_time = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(body) = known() {
                return Ok(body);
            }
            let body = Bytes::from(match which {
                Document::StatusList(number) => sign_list(state, number, &key, now)?,
                Document::Feed => sign_feed(state, &key, now)?,
            });
            let mut kept = self.kept();
            if kept.len() >= MAX_LISTS {
                kept.clear();
            }
            kept.insert(which, Kept { body: body.clone(), signed_at: now, change, kid: kid.to_owned() });
            Ok(body)
        })
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Document, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Twice its `ttl`: whoever cannot fetch the next one in time must not believe it any longer.
fn life(state: &State) -> Duration {
    state.status_ttl * 2
}

// spec: TSL-AS1
fn sign_list(
    state: &State,
    number: u64,
    key: &crate::keys::Key,
    now: UnixTime,
) -> Result<String, Unpublished> {
    let registry = state.store.registry()?;
    let last = registry.status_indexes().checked_sub(1).map(|index| place(index).0);
    if last.is_none_or(|last| number > last) {
        return Err(Unpublished::Unknown);
    }
    let list = bits(&registry, number, now).ok_or(Unpublished::SigningFailed)?;
    let claims = StatusListClaims {
        subject: &state.endpoints.status_list(number),
        issuer: Some(&state.issuer),
        issued_at: now,
        expires_at: now.saturating_add(life(state)),
        ttl: state.status_ttl,
        list: &list,
    };
    let header = StatusListClaims::header(&key.signing);
    claims.sign(&header, &key.signing).map_err(|_| Unpublished::SigningFailed)
}

fn bits(registry: &Registry, number: u64, now: UnixTime) -> Option<StatusList> {
    let mut list = StatusList::new(PLACES).ok()?;
    for index in 0..PLACES {
        list.set(index, status_list::Status::Invalid).ok()?;
    }
    for registration in registry.registrations() {
        if registration.client().status != Status::Active {
            continue;
        }
        for credential in registration.credentials() {
            let (own, index) = place(credential.status_index);
            if own == number && !registry.is_void(credential, now) {
                list.set(index, status_list::Status::Valid).ok()?;
            }
        }
    }
    Some(list)
}

fn sign_feed(state: &State, key: &Arc<crate::keys::Key>, now: UnixTime) -> Result<String, Unpublished> {
    let revoked = state.store.revoked(now)?;
    let revoked: Vec<&str> = revoked.iter().map(String::as_str).collect();
    let claims = RevocationFeedClaims {
        issuer: &state.issuer,
        issued_at: now,
        expires_at: now.saturating_add(life(state)),
        ttl: state.status_ttl,
        revoked: &revoked,
    };
    let header = RevocationFeedClaims::header(&key.signing);
    claims.sign(&header, &key.signing).map_err(|_| Unpublished::SigningFailed)
}
