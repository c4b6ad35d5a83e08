//! Names of what this resource server counts. Labels are few and closed: no client id, no token.

/// Requests checked, by `outcome`: `accepted`, or the wire code of the refusal (`none` for a
/// request without a token, `unavailable` for 503, `misconfigured` for 500).
pub const REQUESTS: &str = "m2m_rs_requests_total";
/// Introspection answers used, by `source` (`server`, `cache`).
pub const INTROSPECTIONS: &str = "m2m_rs_introspections_total";

pub(crate) fn outcome(label: &str) {
    metrics::counter!(REQUESTS, "outcome" => label.to_owned()).increment(1);
}

#[cfg(feature = "introspection")]
pub(crate) fn introspection(source: &'static str) {
    metrics::counter!(INTROSPECTIONS, "source" => source).increment(1);
}
