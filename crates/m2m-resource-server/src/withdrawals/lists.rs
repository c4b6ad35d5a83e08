//! The status lists of one issuer, each fetched when a token first names it.
//!
//! Enforces: a list is fetched only from the issuer's own origin or from one that was configured, encrypted or as the
//! issuer's keys may travel. Only tokens that were verified name lists, so strangers cause no fetch.
//! Limits: 64 lists an issuer, of up to 1 MiB each; one more takes the place of the one that was
//! not used for the longest time, which is fetched again when a token names it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_io::remote::Knobs;
use m2m_io::{Reach, Remote, RemoteError};
use m2m_proto::status_list::VerifiedStatusList;
use m2m_proto::uri::{EndpointUri, Origin, PlainHttp};

use super::document::{ListDocument, Signer};
use crate::error::Reason;
use crate::keys::longest_use;

pub(super) const MAX_LISTS: usize = 64;

/// One list.
#[derive(Debug)]
pub(super) struct List {
    remote: Remote<VerifiedStatusList>,
    /// Seconds of the monotonic clock.
    used: AtomicU64,
}

/// The lists of one issuer, by address.
#[derive(Debug)]
pub(super) struct StatusLists {
    signer: Signer,
    origins: Vec<Origin>,
    plain_http: PlainHttp,
    times: Knobs,
    known: Mutex<HashMap<String, Arc<List>>>,
}

impl StatusLists {
    pub(super) fn new(signer: Signer, origins: Vec<Origin>, plain_http: PlainHttp, times: Knobs) -> Self {
        Self { signer, origins, plain_http, times, known: Mutex::default() }
    }

    /// The list at `uri`, fetched or not.
    ///
    /// # Errors
    /// It is somewhere we do not go.
    pub(super) fn get(&self, uri: &str) -> Result<Arc<List>, Reason> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = known.get(uri) {
            return Ok(Arc::clone(list));
        }
        let (url, reach) = self.place(uri)?;
        let now = self.now();
        if known.len() >= MAX_LISTS {
            let unused = longest_use(&self.times);
            known.retain(|_, list| !list.is_unused_for(unused, now));
        }
        if known.len() >= MAX_LISTS {
            let oldest = known.iter().min_by_key(|(_, list)| list.used.load(Ordering::Relaxed));
            if let Some(uri) = oldest.map(|(uri, _)| uri.clone()) {
                known.remove(&uri);
            }
        }
        let fetch = ListDocument::new(url, self.signer.clone(), self.times.timeout, reach);
        let clock = Arc::clone(&self.signer.clock);
        let remote = Remote::new("status list", self.times, clock, Box::new(fetch));
        let list = Arc::new(List { remote, used: AtomicU64::new(now) });
        known.insert(uri.to_owned(), Arc::clone(&list));
        Ok(list)
    }

    /// What the list says, without waiting where that is possible.
    pub(super) async fn read(&self, list: &List) -> Result<Arc<VerifiedStatusList>, RemoteError> {
        list.used.store(self.now(), Ordering::Relaxed);
        match list.remote.peek() {
            Some(held) => Ok(held),
            None => list.remote.get().await,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.lock().unwrap().len()
    }

    /// Where a list may be.
    fn place(&self, uri: &str) -> Result<(EndpointUri, Reach), Reason> {
        let elsewhere =
            Reason::UnknownStatus("the status list of the token is not where its issuer's may be");
        let url = EndpointUri::parse(uri).map_err(|_| elsewhere.clone())?;
        if url.check_transport(self.plain_http).is_err() {
            return Err(elsewhere);
        }
        let own = self.signer.issuer.origin();
        if url.origin() == own {
            return Ok((url, Reach::Discovered { origin: own.clone() }));
        }
        if self.origins.contains(url.origin()) { Ok((url, Reach::Configured)) } else { Err(elsewhere) }
    }

    fn now(&self) -> u64 {
        self.signer.clock.monotonic().as_secs()
    }
}

impl List {
    pub(super) fn cooldown_left(&self) -> Duration {
        self.remote.cooldown_left()
    }

    fn is_unused_for(&self, time: Duration, now: u64) -> bool {
        now.saturating_sub(self.used.load(Ordering::Relaxed)) > time.as_secs()
    }
}
