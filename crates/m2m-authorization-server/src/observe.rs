//! Names of what this server counts. Labels are few and closed: no client id, no token.

use std::sync::OnceLock;

use m2m_proto::jose::Algorithm;

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

/// Every name with what it counts, for whoever shows the numbers.
pub const HELP: [(&str, &str); 9] = [
    (TOKENS_ISSUED, "Tokens issued, by signature algorithm and binding."),
    (REFUSALS, "Answers with an error, by endpoint and error code."),
    (AUTHENTICATION_FAILURES, "Failed client authentications, by method."),
    (OVER_BUDGET, "Requests refused because of too many failures before."),
    (INTROSPECTIONS, "Introspection answers, by whether the token was active."),
    (REVOCATIONS, "Tokens and credentials withdrawn."),
    (UNCACHED_CLIENTS, "Warnings about clients that evidently do not cache their tokens."),
    (AUDIT_LOST, "Audit records given up because the database was away for too long."),
    (OVER_QUOTA, "Token requests refused because the client used up its quota."),
];

/// What a token is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Binding {
    None,
    Dpop,
    Mtls,
}

/// The counters of issued tokens, looked up once each: looking one up costs as much as a keyed hash.
#[derive(Default)]
pub(crate) struct Issued([[OnceLock<metrics::Counter>; 3]; KINDS]);

/// Every algorithm, and sealed tokens.
const KINDS: usize = Algorithm::ALL.len() + 1;

impl Issued {
    /// Counts a token, signed with `algorithm` or sealed.
    pub(crate) fn count(&self, algorithm: Option<Algorithm>, binding: Binding) {
        let row = algorithm.and_then(|one| Algorithm::ALL.iter().position(|other| *other == one));
        let (column, bound) = match binding {
            Binding::None => (0, "none"),
            Binding::Dpop => (1, "dpop"),
            Binding::Mtls => (2, "mtls"),
        };
        let alg = algorithm.map_or("sealed", Algorithm::name);
        let look_up = || metrics::counter!(TOKENS_ISSUED, "alg" => alg, "binding" => bound);
        let counter = self.0.get(row.unwrap_or(KINDS - 1)).and_then(|row| row.get(column));
        if let Some(counter) = counter {
            counter.get_or_init(look_up).increment(1);
        }
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issued")
    }
}

/// The counters of introspection answers, looked up once each.
#[derive(Default)]
pub(crate) struct Introspected {
    active: OnceLock<metrics::Counter>,
    inactive: OnceLock<metrics::Counter>,
}

impl Introspected {
    pub(crate) fn count_active(&self) {
        self.active.get_or_init(|| metrics::counter!(INTROSPECTIONS, "active" => "true")).increment(1);
    }

    pub(crate) fn count_inactive(&self) {
        self.inactive.get_or_init(|| metrics::counter!(INTROSPECTIONS, "active" => "false")).increment(1);
    }
}

impl std::fmt::Debug for Introspected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Introspected")
    }
}

pub(crate) fn count(name: &'static str) {
    metrics::counter!(name).increment(1);
}

pub(crate) fn count_by(name: &'static str, label: &'static str, value: impl Into<metrics::SharedString>) {
    metrics::counter!(name, label => value.into()).increment(1);
}
