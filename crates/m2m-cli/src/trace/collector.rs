//! Traces for an OpenTelemetry collector: one span for each request, and for each token request of ours below it.
//!
//! Sections: W3C Trace Context (`traceparent`); OTLP over HTTP with protobuf, `/v1/traces`
//! Enforces: nothing is sent unless `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` says where to;
//! spans hold method, path (of the authorization server; never of a program behind the gateway) and status, and no
//! header, query, body or token.
//! Does not enforce: whose `traceparent` is believed. A stranger can join a trace, and gains nothing by it.
//! Limits: 2048 spans wait for the collector; more are dropped, and no request waits for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use bytes::Bytes;
use m2m_io::{BoxFuture, HttpClient, Limits, ReqwestHttp, task};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::Told;
use crate::exit::Failure;
use crate::settings::env::Environment;

/// One export, with its answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A collector that is told.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Tells the collector that the environment names; nobody where it names none.
    ///
    /// # Errors
    /// Exit 3: what it names is no URL.
    pub(crate) fn start(environment: &Environment, role: &'static str) -> Result<Option<Self>, Failure> {
        let endpoint = environment.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
        let whole = |url: &str| format!("{}/v1/traces", url.trim_end_matches('/'));
        let Some(endpoint) = endpoint.or_else(|| environment.text("OTEL_EXPORTER_OTLP_ENDPOINT").map(whole))
        else {
            return Ok(None);
        };
        let wrong = |problem: &dyn fmt::Display| {
            Failure::configuration(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {problem}")).hint(
                "expected the URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318",
            )
        };
        let http = ReqwestHttp::builder().build().map_err(|error| wrong(&error))?;
        let collector = Collector { http: Arc::new(http), runtime: Handle::current() };
        let exporter = SpanExporter::builder().with_http().with_http_client(collector);
        let exporter =
            exporter.with_endpoint(endpoint).with_timeout(TIMEOUT).build().map_err(|error| wrong(&error))?;
        let name = environment.text("OTEL_SERVICE_NAME").unwrap_or(role).to_owned();
        let resource = Resource::builder_empty().with_service_name(name).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
        Ok(Some(Self(provider.build())))
    }

    /// What turns spans of `tracing` into spans of the collector.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("m2m"));
        layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false)
    }

    /// Sends what waits. Takes as long as one export may.
    pub(crate) async fn end(self) {
        // The exporter's thread is waited for, and it waits for what the runtime sends.
        if let Err(error) = task::in_place(|| self.0.shutdown_with_timeout(TIMEOUT)) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// A span for each request of this router.
pub(crate) fn traced(router: Router, told: Told) -> Router {
    router.layer(from_fn(move |mut request: Request, next: Next| {
        let span = span(&request, told);
        // Without a subscriber there is no trace to be part of; then nothing is changed.
        let _apart =
            span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(request.headers())));
        if told == Told::Method && !span.is_disabled() {
            let propagator = TraceContextPropagator::new();
            propagator.inject_context(&span.context(), &mut HeaderInjector(request.headers_mut()));
        }
        answered(next, request, span)
    }))
}

async fn answered(next: Next, request: Request, span: Span) -> Response {
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

fn span(request: &Request, told: Told) -> Span {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.name = field::Empty,
        otel.status_code = field::Empty,
        http.request.method = method,
        url.path = field::Empty,
        http.response.status_code = field::Empty,
    );
    match told {
        Told::Path => {
            // What follows are names of clients and credentials: too many for the name of a span.
            let named: String = path.split_inclusive('/').take(4).collect();
            span.record("otel.name", format!("{method} {}", named.trim_end_matches('/')));
            span.record("url.path", path);
        }
        Told::Method => drop(span.record("otel.name", method)),
    }
    span
}

/// Our HTTP client, for the exporter's thread, which has no runtime.
struct Collector {
    http: Arc<dyn HttpClient>,
    runtime: Handle,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl opentelemetry_http::HttpClient for Collector {
    fn send_bytes<'own, 'sent>(
        &'own self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'sent, Result<http::Response<Bytes>, HttpError>>
    where
        'own: 'sent,
        Self: 'sent,
    {
        let (http, (done, answered)) = (Arc::clone(&self.http), oneshot::channel());
        let _runtime = self.runtime.enter();
        task::spawn_detached("traces", async move {
            let limits = Limits { timeout: TIMEOUT, ..Limits::default() };
            let _nobody_waits = done.send(http.send(request, &limits).await);
        });
        Box::pin(async move { Ok(answered.await??) })
    }
}

#[cfg(test)]
mod tests;
