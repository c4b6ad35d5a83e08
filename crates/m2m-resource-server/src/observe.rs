//! Names of what this resource server counts. Labels are few and closed: no client id, no token.
//!
//! Fetches of keys, metadata, status lists and feeds are counted where they happen, in `m2m-io`:
//! `m2m_remote_fetches_total`, by `document` and `outcome`.

/// Requests checked, by `outcome`: `accepted`, or the wire code of the refusal (`none` for a
/// request without a token, `unavailable` for 503, `misconfigured` for 500).
pub const REQUESTS: &str = "m2m_rs_requests_total";
/// Requests refused, by `cause`: the words of [`Reason::cause`](crate::Reason::cause).
pub const REFUSALS: &str = "m2m_rs_refusals_total";
/// Introspection answers used, by `source` (`server`, `cache`), and questions that had none (`failed`).
pub const INTROSPECTIONS: &str = "m2m_rs_introspections_total";

/// JWTs found good, possession apart, by `source`: `signature` where one was checked, `cache` where the token was
/// verified before.
pub const VERIFIED: &str = "m2m_rs_verified_total";

pub(crate) fn accepted() {
    metrics::counter!(REQUESTS, "outcome" => "accepted").increment(1);
}

pub(crate) fn refused(outcome: &str, cause: &'static str) {
    metrics::counter!(REQUESTS, "outcome" => outcome.to_owned()).increment(1);
    metrics::counter!(REFUSALS, "cause" => cause).increment(1);
}

// Names and labels are literals, so that nothing is allocated for them.

pub(crate) fn signature_checked() {
    metrics::counter!(VERIFIED, "source" => "signature").increment(1);
}

pub(crate) fn remembered() {
    metrics::counter!(VERIFIED, "source" => "cache").increment(1);
}

#[cfg(feature = "introspection")]
pub(crate) fn introspected() {
    metrics::counter!(INTROSPECTIONS, "source" => "server").increment(1);
}

#[cfg(feature = "introspection")]
pub(crate) fn introspection_kept() {
    metrics::counter!(INTROSPECTIONS, "source" => "cache").increment(1);
}

#[cfg(feature = "introspection")]
pub(crate) fn introspection_failed() {
    metrics::counter!(INTROSPECTIONS, "source" => "failed").increment(1);
}
