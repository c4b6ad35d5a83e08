//! `/metrics`: what the libraries count, in the text format that Prometheus reads (version 0.0.4).
//!
//! Enforces: the numbers are on the main listener, or on one of their own and then on no other. They hold no client
//! ids, no tokens and no addresses, and whoever reaches the listener may read them.
//! Limits: names and labels are those of the code, a closed set; times are counted in 11 buckets up to 10 s.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use m2m_io::Clock;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::exit::Failure;

/// Where it is answered.
const PATH: &str = "/metrics";
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How often samples are folded into their buckets: between two scrapes they take memory.
const UPKEEP: Duration = Duration::from_secs(5);
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Reads what was counted.
#[derive(Clone)]
pub(crate) struct Exposition {
    handle: PrometheusHandle,
}

impl Exposition {
    /// Counts from now on, for the whole process. A second call reads the same numbers.
    ///
    /// # Errors
    /// When somebody else counts already.
    pub(crate) fn install() -> Result<Self, Failure> {
        if let Some(handle) = INSTALLED.get() {
            return Ok(Self { handle: handle.clone() });
        }
        let wrong = |error: &dyn std::fmt::Display| Failure::internal(format!("cannot count: {error}"));
        let handle = PrometheusBuilder::new()
            .set_buckets(&BUCKETS)
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(|error| wrong(&error))?;
        for (name, help) in m2m_authorization_server::observe::HELP {
            metrics::describe_counter!(name, help);
        }
        Ok(Self { handle: INSTALLED.get_or_init(|| handle).clone() })
    }

    /// The one route.
    pub(crate) fn router(&self) -> Router {
        let handle = self.handle.clone();
        let answer = move || {
            let text = text(&handle);
            async move { ([(CONTENT_TYPE, MEDIA_TYPE)], text) }
        };
        Router::new().route(PATH, get(answer))
    }

    /// Folds samples. Never ends; spawn it as a task.
    pub(crate) async fn upkeep(self, clock: Arc<dyn Clock>) {
        loop {
            clock.sleep(UPKEEP).await;
            self.handle.run_upkeep();
        }
    }
}

/// The numbers, and which build they are of.
fn text(handle: &PrometheusHandle) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let counted = handle.render();
    format!("# TYPE m2m_build_info gauge\nm2m_build_info{{version=\"{version}\"}} 1\n\n{counted}")
}
