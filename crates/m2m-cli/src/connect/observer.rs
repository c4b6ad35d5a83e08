//! Who is told what a client does: what it reads, and what it sends and gets.
//!
//! [`Watched`] sits between a client and its HTTP client and changes nothing, so what is told is what production does.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits};
use m2m_proto::time::UnixTime;

use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// Is told, and changes nothing. It keeps secrets to itself.
pub trait Observer: Send + Sync + Debug {
    /// A request was sent, and this came of it.
    fn exchanged(&self, passed: &Passed<'_>);

    /// A setting's secret was read when the client was made.
    fn read(&self, _field: Field, _read: &ReadSecret) {}
}

/// One request and what came of it, with all their secrets.
#[derive(Debug)]
pub struct Passed<'a> {
    /// As it was sent.
    pub request: &'a Request<Bytes>,
    /// The answer, or why there is none.
    pub outcome: &'a Result<Response<Bytes>, HttpError>,
    /// By this machine's clock, when that was known.
    pub at: UnixTime,
    /// From the request to the last byte.
    pub took: Duration,
}

/// An HTTP client whose exchanges are told.
#[derive(Debug)]
pub struct Watched {
    inner: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Watched {
    /// Sends through `inner`, and tells `observer`.
    pub fn over(inner: Arc<dyn HttpClient>, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        Self { inner, clock, observer }
    }
}

impl HttpClient for Watched {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        Box::pin(async move {
            let sent = request.clone();
            let started = self.clock.monotonic();
            let outcome = self.inner.send(request, &limits).await;
            let took = self.clock.monotonic().saturating_sub(started);
            let at = self.clock.wall();
            self.observer.exchanged(&Passed { request: &sent, outcome: &outcome, at, took });
            outcome
        })
    }
}
