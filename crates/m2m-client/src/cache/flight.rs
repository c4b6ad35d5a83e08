//! One attempt to get a token, from take-off to landing, whatever happens to
//! whoever asked for it.

use std::sync::Arc;

use m2m_io::fraction;
use tracing::Instrument as _;

use super::entry::{Entry, Landing, Outcome, Takeoff};
use super::{Minted, TokenCache};
use crate::error::{Error, Fault};
use crate::observe;

/// Lands exactly once: with its result, or as lost when it is dropped before
/// (the runtime shut down, or the minter panicked). So nobody waits forever,
/// and the next caller can start another one.
pub(super) struct Flight {
    cache: Arc<TokenCache>,
    entry: Arc<Entry>,
    takeoff: Takeoff,
    version: u64,
    landed: bool,
}

impl Flight {
    pub(super) fn new(cache: Arc<TokenCache>, entry: Arc<Entry>, takeoff: Takeoff) -> Self {
        let version = cache.minter.version();
        Self { cache, entry, takeoff, version, landed: false }
    }

    pub(super) async fn fly(mut self) {
        let started = self.cache.clock.monotonic();
        let span = observe::mint_span(&self.cache.settings.label, &self.takeoff.job);
        let limit = self.cache.settings.mint_deadline;
        let deadline = self.cache.clock.sleep(limit);
        let (minter, version, job) = (&self.cache.minter, &mut self.version, &self.takeoff.job);
        let mint = async {
            // Before the credential is read, so that a change in between is seen.
            self.cache.look_now().await;
            *version = minter.version();
            minter.mint(job).await
        };
        let minted = tokio::select! {
            biased;
            minted = mint.instrument(span) => minted,
            () = deadline => Err(Error::of(Fault::Deadline { after: limit })),
        };
        let took = self.cache.clock.monotonic().saturating_sub(started);
        observe::minted(&self.cache.settings.label, &self.takeoff.job, &minted, took);
        let (outcome, failing) = match minted {
            Ok(Minted { token, failing }) => (Ok(Arc::new(token)), failing),
            Err(error) => (Err(error), None),
        };
        self.land(outcome, failing);
    }

    fn land(&mut self, outcome: Outcome, failing: Option<Error>) {
        self.landed = true;
        let (version, reason) = (self.version, self.takeoff.job.reason);
        let landing = Landing { outcome, failing, version, reason };
        let fraction = fraction(self.cache.random.as_ref());
        let outcome = self.entry.land(landing, self.cache.clock.now(), fraction);
        self.takeoff.landing.send_replace(Some(outcome));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.landed {
            self.land(Err(Error::of(Fault::Lost)), None);
        }
    }
}
