//! Events of the libraries, written in the tool's voice on standard error: `m2m: warning: …`.
//!
//! Only our own crates are heard: an HTTP library's trace may hold headers, and headers hold tokens.

mod json;

use std::fmt;
use std::sync::Arc;

use m2m_io::Clock;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::trace::Traces;

/// Our crates, and from which level each is heard without `-v`. What the last two warn of (a document that cannot be
/// fetched, a token that cannot be checked) ends the command, whose error says it with a hint.
const OURS: [(&str, LevelFilter); 5] = [
    ("m2m_cli", LevelFilter::WARN),
    ("m2m_client", LevelFilter::WARN),
    ("m2m_authorization_server", LevelFilter::WARN),
    ("m2m_io", LevelFilter::ERROR),
    ("m2m_resource_server", LevelFilter::ERROR),
];

/// Starts logging: errors and warnings; with `-v` what happens, with `-vv` details.
pub(crate) fn start(verbose: u8, traces: Option<&Traces>) {
    let heard = filter_fn(move |metadata| {
        is_heard(metadata, verbose) && (verbose > 0 || !is_told_by_the_failure(metadata))
    });
    let written = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(Voice);
    set(tracing_subscriber::registry().with(told(traces)).with(written.with_filter(heard)));
}

/// As [`start`], for a program that goes on: what ends a command with an error of its own is a warning here.
pub(crate) fn start_service(verbose: u8, traces: Option<&Traces>) {
    let heard = filter_fn(move |metadata| is_heard(metadata, verbose) || is_warned_of(metadata));
    let written = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(Voice);
    set(tracing_subscriber::registry().with(told(traces)).with(written.with_filter(heard)));
}

/// The spans of our crates, for a collector.
#[cfg(feature = "otel")]
fn told<S>(traces: Option<&Traces>) -> Option<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let ours = filter_fn(|metadata| {
        metadata.is_span()
            && *metadata.level() <= LevelFilter::INFO
            && OURS.iter().any(|(name, _)| is_of(metadata.target(), name))
    });
    traces.map(|traces| traces.layer().with_filter(ours).boxed())
}

#[cfg(not(feature = "otel"))]
fn told<S: Subscriber>(_: Option<&Traces>) -> Option<Box<dyn Layer<S> + Send + Sync>> {
    None
}

fn is_warned_of(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= LevelFilter::WARN && OURS.iter().any(|(name, _)| is_of(metadata.target(), name))
}

/// Starts logging for programs that collect logs: one JSON object per line, what happens among it; with `-v` details.
pub(crate) fn start_json(verbose: u8, clock: Arc<dyn Clock>, traces: Option<&Traces>) {
    let heard = filter_fn(move |metadata| is_heard(metadata, verbose.saturating_add(1)));
    let written =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).event_format(json::Lines(clock));
    set(tracing_subscriber::registry().with(told(traces)).with(written.with_filter(heard)));
}

fn is_heard(metadata: &Metadata<'_>, verbose: u8) -> bool {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    OURS.iter()
        .any(|(name, least)| is_of(metadata.target(), name) && *metadata.level() <= (*least).max(level))
}

/// Whether a target is this crate or a module of it.
fn is_of(target: &str, name: &str) -> bool {
    target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn set(subscriber: impl Subscriber + Send + Sync) {
    // A second run in one process (a test) keeps the first subscriber.
    let _already_set = tracing::subscriber::set_global_default(subscriber);
}

/// A failed token request ends the command, whose error says the same with a hint.
fn is_told_by_the_failure(metadata: &Metadata<'_>) -> bool {
    let fields = metadata.fields();
    fields.field("transient").is_some() && fields.field("hint").is_some()
}

struct Voice;

impl<S, N> FormatEvent<S, N> for Voice
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let label = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        let mut said = Said::default();
        event.record(&mut said);
        writeln!(writer, "m2m: {label}{}{}", said.message, said.rest)
    }
}

/// The sentence, and after it what it is about.
#[derive(Default)]
struct Said {
    message: String,
    rest: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = crate::output::printable(&format!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            // One process, one client: its labels say nothing here.
            "client" | "key" => {}
            name => {
                self.rest.push_str(if self.rest.is_empty() { ": " } else { ", " });
                self.rest.push_str(&format!("{name} {text}"));
            }
        }
    }
}
