//! Whether new requests should come here: from the first signal on, `/readyz` answers 503 whatever the server says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode};

/// Where load balancers ask.
pub(crate) const PATH: &str = "/readyz";

/// Set once, read by every answer at [`PATH`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    stopping: Arc<AtomicBool>,
}

impl Readiness {
    /// From now on nobody should come.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// The answer at [`PATH`] while the server stops; everything else goes on.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let refused = self.stopping.load(Ordering::Relaxed) && request.uri().path() == PATH;
        refused.then(|| (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopping_server_is_not_ready_and_still_answers() {
        let readiness = Readiness::default();
        let ask = |path: &str| {
            let answer = readiness.answer(&Request::get(path).body(()).unwrap());
            answer.map(|response| response.status().as_u16())
        };
        assert_eq!((ask(PATH), ask("/oauth2/token")), (None, None));
        readiness.stop();
        assert_eq!((ask(PATH), ask("/oauth2/token")), (Some(503), None));
    }
}
