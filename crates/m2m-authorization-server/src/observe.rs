//! Names of what this server counts. Labels are few and closed: no client id, no token.

/// Tokens issued, by `alg` and `binding` (`none`, `dpop`, `mtls`).
pub const TOKENS_ISSUED: &str = "m2m_as_tokens_issued_total";
/// Answers with an error, by `endpoint` and `error` (the wire code).
pub const REFUSALS: &str = "m2m_as_refusals_total";
/// Failed client authentications, by `method`: `client_secret_basic`, `client_secret_post`,
/// `assertion` or `certificate`.
pub const AUTHENTICATION_FAILURES: &str = "m2m_as_authentication_failures_total";
/// Requests refused because of too many failures before.
pub const OVER_BUDGET: &str = "m2m_as_over_budget_total";
/// Introspection answers, by `active`.
pub const INTROSPECTIONS: &str = "m2m_as_introspections_total";
/// Tokens and credentials withdrawn, by `what`.
pub const REVOCATIONS: &str = "m2m_as_revocations_total";
/// Token requests of clients that evidently do not cache: warnings, nothing is refused.
pub const UNCACHED_CLIENTS: &str = "m2m_as_uncached_client_warnings_total";
/// Audit records that were given up because the store was away for too long.
pub const AUDIT_LOST: &str = "m2m_as_audit_records_lost_total";
/// Token requests refused because the client used up its quota.
pub const OVER_QUOTA: &str = "m2m_as_over_quota_total";

pub(crate) fn count(name: &'static str) {
    metrics::counter!(name).increment(1);
}

pub(crate) fn count_by(name: &'static str, label: &'static str, value: impl Into<metrics::SharedString>) {
    metrics::counter!(name, label => value.into()).increment(1);
}
