//! Names of what the gateway counts. Labels are few and closed: no client id, no path, no token.

use super::inbound::Refused;

/// Requests, by `decision` (`allow`, `deny`, `error`) and `cause` (`token`, `public`; `no_rule`,
/// `ambiguous_path` or what was wrong with the token as [`Reason::cause`](m2m_resource_server::Reason::cause) has it;
/// `unavailable`, `upstream_timeout` and so on).
pub(crate) const REQUESTS: &str = "m2m_gateway_requests_total";
/// Seconds until the head of the program's answer, the check included.
pub(crate) const SECONDS: &str = "m2m_gateway_request_seconds";

/// Counts one that went on.
pub(super) fn allowed(cause: &'static str) {
    metrics::counter!(REQUESTS, "decision" => "allow", "cause" => cause).increment(1);
}

/// Counts one that did not, and says why.
pub(super) fn refused(refused: &Refused) {
    let decision = if refused.is_error() { "error" } else { "deny" };
    metrics::counter!(REQUESTS, "decision" => decision, "cause" => refused.cause).increment(1);
    let (cause, status) = (refused.cause, refused.answer.status().as_u16());
    // What cannot be had is warned of where it fails, once a cooldown; a stranger can ask for it at any rate.
    if refused.is_error() && cause != "unavailable" {
        tracing::warn!(cause, status, "a request failed");
    } else {
        tracing::debug!(cause, status, "a request was refused");
    }
}
