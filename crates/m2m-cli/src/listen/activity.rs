//! What a connection is used for, and when it has been of no use for too long.
//!
//! Enforces: somebody who connects asks something within 10 s; who has asked before and asks nothing more loses the
//! connection after 30 to 60 s. hyper has a limit for the headers of HTTP/1.1 requests alone, and none for the bytes
//! that tell the version or for an HTTP/2 connection without streams.
//! Does not enforce: how long a request takes; its body and its answer have limits of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use m2m_io::Clock;

/// For the first request, its headers complete.
pub(super) const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Between two looks; a connection on which nothing happened between them is given up.
pub(super) const LOOK: Duration = Duration::from_secs(30);

/// Requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Begun and ended, one each.
    steps: AtomicU64,
    under_way: AtomicUsize,
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    /// There never was a request.
    Silent,
    /// There is none any more.
    Idle,
}

/// A request that is being answered; ended when dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// A request has begun.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Completes when the connection should be given up.
    pub(super) async fn useless(&self, clock: &dyn Clock) -> Useless {
        clock.sleep(FIRST_REQUEST).await;
        if self.steps.load(Ordering::Relaxed) == 0 {
            return Useless::Silent;
        }
        loop {
            let seen = self.steps.load(Ordering::Relaxed);
            clock.sleep(LOOK).await;
            let is_busy = self.under_way.load(Ordering::Relaxed) > 0;
            if !is_busy && self.steps.load(Ordering::Relaxed) == seen {
                return Useless::Idle;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }
}
