//! A binary without feature `otel`: no collector is told anything.

use axum::Router;

use super::Told;
use crate::exit::Failure;
use crate::settings::env::Environment;

/// There is none.
pub(crate) enum Traces {}

impl Traces {
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
    pub(crate) fn start(_: &Environment, _: &'static str) -> Result<Option<Self>, Failure> {
        Ok(None)
    }

    /// Never called.
    pub(crate) async fn end(self) {
        match self {}
    }
}

/// The router as it is.
pub(crate) fn traced(router: Router, _: Told) -> Router {
    router
}
