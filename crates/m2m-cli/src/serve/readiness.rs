//! Whether new requests should come here: from the first signal on, `/readyz` answers 503 whatever the server says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

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
    pub(crate) fn answer(&self, request: &Request) -> Option<Response> {
        let refused = self.stopping.load(Ordering::Relaxed) && request.uri().path() == PATH;
        refused.then(|| (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response())
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::serve::forwarded::TrustedProxies;
    use crate::serve::running::at_the_door;

    #[tokio::test]
    async fn a_stopping_server_is_not_ready_and_still_answers() {
        let readiness = Readiness::default();
        let router =
            Router::new().route(PATH, get(async || "ready")).route("/oauth2/token", get(async || "token"));
        let router = at_the_door(router, TrustedProxies::default(), readiness.clone());
        let ask = async |path: &str| {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status().as_u16()
        };
        assert_eq!((ask(PATH).await, ask("/oauth2/token").await), (200, 200));
        readiness.stop();
        assert_eq!((ask(PATH).await, ask("/oauth2/token").await), (503, 200));
    }
}
