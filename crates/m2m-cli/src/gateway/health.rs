//! `/livez` and `/readyz`, beside `/metrics` on the listener of its own: the paths of the main one are the program's.
//!
//! Enforces: not ready from the first signal on. An issuer or a program that is down makes no gateway less ready than
//! another one: taking all of them away at once would help nobody, and public paths go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use http::StatusCode;

/// Whether the end has begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Arc<AtomicBool>);

impl Health {
    /// From now on `/readyz` is 503.
    pub(super) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The two routes.
    pub(super) fn router(&self) -> Router {
        let own = self.clone();
        let ready = move || {
            let is_stopping = own.0.load(Ordering::Relaxed);
            async move {
                match is_stopping {
                    false => (StatusCode::OK, "ready\n"),
                    true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
                }
            }
        };
        Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
    }
}
