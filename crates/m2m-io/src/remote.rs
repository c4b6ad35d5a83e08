//! A small document on somebody else's server, held in memory: one flight for all who wait.
//!
//! The flight belongs to the slot, not to the caller that started it: a caller may give up and the others still get
//! the result, failures included. Needs a tokio runtime.

mod conditional;
mod freshness;
mod slot;

use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::slot::{Advice, Slot};
use crate::{BoxFuture, Clock, HttpError, task};

pub use self::conditional::{Ask, Conditional};
pub use self::freshness::max_age;
pub use self::slot::Knobs;

/// Why a remote document is not available. Cloned to every waiter, so it carries text and no sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No response.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// A response that is not the document.
    #[error("the server answered {0}")]
    Status(::http::StatusCode),
    /// The document breaks its rules; says which, not what it contained.
    #[error("the document is not usable: {0}")]
    Document(String),
    /// The fetch ended without a result: a bug of ours, logged where it happened.
    #[error("the fetch was lost")]
    Lost,
}

impl RemoteError {
    /// The peer or its network may recover without anybody changing a setting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::Status(status) => {
                status.is_server_error() || *status == ::http::StatusCode::TOO_MANY_REQUESTS
            }
            Self::Document(_) => false,
            Self::Lost => true,
        }
    }
}

/// A document as it was fetched.
#[derive(Debug)]
pub struct Fetched<T> {
    /// The document.
    pub value: T,
    /// How long its server allows it to be kept, if it says so; see [`max_age`].
    pub max_age: Option<Duration>,
}

/// Gets a document: called once per flight, within [`Knobs::timeout`].
pub trait Fetch<T>: Send + Sync {
    /// Starts one fetch. The document may be the one that was brought before, if its server says that it still
    /// stands.
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<T>, RemoteError>>;

    /// Starts one fetch because the document that was brought before lacks something: its server must send it anew.
    fn fetch_whole(&self) -> BoxFuture<'static, Result<Fetched<T>, RemoteError>> {
        self.fetch()
    }
}

/// What came of asking for a newer document ([`Remote::renewal`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal<T> {
    /// This was fetched after the question.
    Fetched(Arc<T>),
    /// A fetch that was under way at the question brought this: it may be older than the question.
    Joined(Arc<T>),
    /// The fetch failed, or the last one did and cools down.
    Failed(RemoteError),
    /// The held document came less than a cooldown ago, so nothing was fetched.
    TooSoon,
}

/// A remote document. Cloning gives another handle to the same one.
pub struct Remote<T>(Arc<Inner<T>>);

struct Inner<T> {
    name: &'static str,
    fetch: Box<dyn Fetch<T>>,
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
}

type Outcome<T> = Result<Arc<T>, RemoteError>;

/// Where a flight's result arrives.
type Landing<T> = watch::Receiver<Option<Outcome<T>>>;

type Advised<T> = (Advice<Arc<T>, RemoteError>, Option<Landing<T>>);

struct State<T> {
    slot: Slot<Arc<T>, RemoteError>,
    /// The flight under way, if any; its result arrives here.
    flight: Option<Landing<T>>,
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Debug for Remote<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remote").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Remote<T> {
    /// A document not yet fetched. `name` is for logs.
    pub fn new(name: &'static str, knobs: Knobs, clock: Arc<dyn Clock>, fetch: Box<dyn Fetch<T>>) -> Self {
        let state = Mutex::new(State { slot: Slot::new(knobs), flight: None });
        Self(Arc::new(Inner { name, fetch, clock, state }))
    }

    /// The document: the held one while it is fresh, else what a fetch brings, else the held one while the fetch
    /// fails and the ceiling allows.
    ///
    /// # Errors
    ///
    /// The fetch's, to every waiter and then, at once, to everybody who asks during the cooldown.
    pub async fn get(&self) -> Result<Arc<T>, RemoteError> {
        self.obtain().await.map(|(value, _)| value)
    }

    /// As [`Self::get`], and whether the document was fetched after the question.
    pub(crate) async fn obtain(&self) -> Result<(Arc<T>, bool), RemoteError> {
        let (advice, flight) = self.advised(Slot::poll, Ask::IfChanged);
        let own = matches!(advice, Advice::Fetch(_));
        match advice {
            Advice::Use(value) | Advice::UseAndFetch(value) => Ok((value, false)),
            Advice::Refuse(error) => Err(error),
            Advice::Join(_) | Advice::Fetch(_) => match landed(flight).await {
                Ok(value) => Ok((value, own)),
                Err(error) => self.fallback().map(|value| (value, false)).ok_or(error),
            },
        }
    }

    /// What is held, after a fetch failed; the ceiling may have passed meanwhile.
    fn fallback(&self) -> Option<Arc<T>> {
        let state = self.state();
        match state.slot.poll(self.0.clock.monotonic()) {
            Advice::Use(value) | Advice::UseAndFetch(value) => Some(value),
            _ => None,
        }
    }

    /// The held document if it may be used without waiting; starts a renewal when one is due. The path without a
    /// future, for callers that count nanoseconds.
    #[must_use]
    pub fn peek(&self) -> Option<Arc<T>> {
        // With nothing to use, no flight starts either: `get` follows and starts it.
        let waiting =
            |advice| if let Advice::Fetch(fallback) = advice { Advice::Join(fallback) } else { advice };
        match self.advised(|slot, now| waiting(slot.poll(now)), Ask::IfChanged).0 {
            Advice::Use(value) | Advice::UseAndFetch(value) => Some(value),
            _ => None,
        }
    }

    /// Asks for a newer document, for callers to whom the held one lacks something: at most one fetch per cooldown,
    /// whoever asks, and none while another is under way.
    pub async fn renewal(&self) -> Renewal<T> {
        let (advice, flight) = self.advised(Slot::demand, Ask::Whole);
        let brought: fn(Arc<T>) -> Renewal<T> = match advice {
            Advice::Fetch(_) => Renewal::Fetched,
            Advice::Join(_) => Renewal::Joined,
            Advice::Refuse(error) => return Renewal::Failed(error),
            Advice::Use(_) | Advice::UseAndFetch(_) => return Renewal::TooSoon,
        };
        landed(flight).await.map_or_else(Renewal::Failed, brought)
    }

    /// How long until another fetch may be made out of turn: what to tell those who were refused meanwhile.
    #[must_use]
    pub fn cooldown_left(&self) -> Duration {
        self.state().slot.cooldown_left(self.0.clock.monotonic())
    }

    /// Asks the slot, and starts the flight it advises. Returns the flight under way, if any.
    fn advised(
        &self,
        ask: impl FnOnce(&Slot<Arc<T>, RemoteError>, Duration) -> Advice<Arc<T>, RemoteError>,
        how: Ask,
    ) -> Advised<T> {
        let mut state = self.state();
        let began = self.0.clock.monotonic();
        let advice = ask(&state.slot, began);
        if !matches!(advice, Advice::Fetch(_) | Advice::UseAndFetch(_)) {
            return (advice, state.flight.clone());
        }
        let (sender, receiver) = watch::channel(None);
        state.slot.started();
        state.flight = Some(receiver.clone());
        let timeout = state.slot.knobs().timeout;
        // A runtime that is shutting down drops the flight inside this call, and a flight locks the state to land.
        drop(state);
        self.launch(Flight { remote: self.clone(), began, sender: Some(sender) }, timeout, how);
        (advice, Some(receiver))
    }

    fn launch(&self, flight: Flight<T>, timeout: Duration, how: Ask) {
        task::spawn_detached(self.0.name, async move {
            let (fetch, clock) = (&flight.remote.0.fetch, &flight.remote.0.clock);
            let fetch = match how {
                Ask::IfChanged => fetch.fetch(),
                Ask::Whole => fetch.fetch_whole(),
            };
            let result = tokio::select! {
                result = fetch => result,
                () = clock.sleep(timeout) => Err(RemoteError::Http(HttpError::Timeout)),
            };
            flight.land(result);
        });
    }

    fn finish(&self, result: Result<Fetched<T>, RemoteError>, began: Duration) -> Outcome<T> {
        let now = self.0.clock.monotonic();
        let mut state = self.state();
        state.flight = None;
        let outcome = if result.is_ok() { "fetched" } else { "failed" };
        metrics::counter!("m2m_remote_fetches_total", "document" => self.0.name, "outcome" => outcome)
            .increment(1);
        match result {
            Ok(fetched) => {
                let value = Arc::new(fetched.value);
                state.slot.succeeded(Arc::clone(&value), fetched.max_age, began, now);
                Ok(value)
            }
            Err(error) => {
                tracing::warn!(document = self.0.name, %error, "cannot fetch");
                state.slot.failed(error.clone(), now);
                Err(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flight that lands in any case: if its task dies, the slot learns of a failure instead of waiting for ever.
struct Flight<T: Send + Sync + 'static> {
    remote: Remote<T>,
    began: Duration,
    sender: Option<watch::Sender<Option<Outcome<T>>>>,
}

impl<T: Send + Sync + 'static> Flight<T> {
    fn land(mut self, result: Result<Fetched<T>, RemoteError>) {
        self.deliver(result);
    }

    fn deliver(&mut self, result: Result<Fetched<T>, RemoteError>) {
        if let Some(sender) = self.sender.take() {
            let outcome = self.remote.finish(result, self.began);
            sender.send_replace(Some(outcome));
        }
    }
}

impl<T: Send + Sync + 'static> Drop for Flight<T> {
    fn drop(&mut self) {
        self.deliver(Err(RemoteError::Lost));
    }
}

async fn landed<T>(flight: Option<Landing<T>>) -> Outcome<T> {
    let mut flight = flight.ok_or(RemoteError::Lost)?;
    let outcome = flight.wait_for(Option::is_some).await.map_err(|_| RemoteError::Lost)?;
    outcome.clone().unwrap_or(Err(RemoteError::Lost))
}

#[cfg(test)]
mod tests;
