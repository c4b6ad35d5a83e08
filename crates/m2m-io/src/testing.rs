//! A clock and an HTTP client for this crate's own tests; the testkit depends on this crate and cannot serve here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use m2m_proto::time::UnixTime;
use tokio::sync::watch;

use crate::{BoxFuture, Clock, HttpClient, HttpError, Limits};

/// Stands still until it is moved.
#[derive(Clone, Debug)]
pub(crate) struct StillClock(Arc<watch::Sender<Duration>>);

impl StillClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Duration::from_secs(1000))))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.send_modify(|now| *now += Duration::from_secs(seconds));
    }
}

impl Clock for StillClock {
    fn wall(&self) -> UnixTime {
        UnixTime::from_seconds(1_700_000_000 + self.monotonic().as_secs())
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let deadline = self.monotonic() + duration;
        let mut moved = self.0.subscribe();
        Box::pin(async move {
            let _gone = moved.wait_for(|now| *now >= deadline).await;
        })
    }
}

/// An answer; `None` is one that never comes.
type Scripted = Option<Result<Response<Bytes>, HttpError>>;

/// Answers from a list and remembers what it was asked.
#[derive(Debug, Default)]
pub(crate) struct ScriptedHttp {
    answers: Mutex<VecDeque<Scripted>>,
    asked: Mutex<Vec<(String, Limits)>>,
    headers: Mutex<HeaderMap>,
}

impl ScriptedHttp {
    pub(crate) fn answer(&self, status: u16, body: impl Into<Bytes>) {
        self.respond(Response::builder().status(status).body(body.into()).unwrap());
    }

    pub(crate) fn respond(&self, response: Response<Bytes>) {
        self.answers.lock().unwrap().push_back(Some(Ok(response)));
    }

    pub(crate) fn fail(&self, error: HttpError) {
        self.answers.lock().unwrap().push_back(Some(Err(error)));
    }

    /// The next request is never answered.
    pub(crate) fn hang(&self) {
        self.answers.lock().unwrap().push_back(None);
    }

    /// The URLs asked for since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().drain(..).map(|(url, _)| url).collect()
    }

    /// The limits of the last request.
    pub(crate) fn last_limits(&self) -> Limits {
        self.asked.lock().unwrap().last().unwrap().1.clone()
    }

    /// The headers of the last request.
    pub(crate) fn last_headers(&self) -> HeaderMap {
        self.headers.lock().unwrap().clone()
    }
}

impl HttpClient for ScriptedHttp {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.asked.lock().unwrap().push((request.uri().to_string(), limits.clone()));
        self.headers.lock().unwrap().clone_from(request.headers());
        let answer =
            self.answers.lock().unwrap().pop_front().expect("a request that the test did not foresee");
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

/// Lets spawned tasks of a current-thread runtime run until they wait.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
