//! Traces, where the binary was built with feature `otel`; nothing at all where it was not.

#[cfg(feature = "otel")]
mod collector;
#[cfg(not(feature = "otel"))]
mod nobody;

#[cfg(feature = "otel")]
pub(crate) use collector::{Traces, traced};
#[cfg(not(feature = "otel"))]
pub(crate) use nobody::{Traces, traced};

/// What a span says of where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Method and path, which are those of the authorization server.
    Path,
    /// The method alone, and the program behind is told of the trace: its paths may hold anything.
    Method,
}
