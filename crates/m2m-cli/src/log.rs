//! Events of the libraries, written in the tool's voice on standard error: `m2m: warning: …`.
//!
//! Only our own crates are heard: an HTTP library's trace may hold headers, and headers hold tokens.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging: errors and warnings; with `-v` what happens, with `-vv` details.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let crates = ["m2m_cli", "m2m_client", "m2m_io", "m2m_resource_server", "m2m_authorization_server"];
    let filter = crates.map(|name| format!("{name}={level}")).join(",");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .event_format(Voice)
        .finish();
    // A second run in one process (a test) keeps the first subscriber.
    let _already_set = tracing::subscriber::set_global_default(subscriber);
}

struct Voice;

impl<S, N> FormatEvent<S, N> for Voice
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let label = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        write!(writer, "m2m: {label}")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
