//! What operators see: names of metrics, and the spans around token requests.
//!
//! Labels: `client` is the client's label, `key` the spec's label; both are
//! chosen by the application, so their number is bounded by it. No metric and
//! no span carries a secret, a token or a URL with a query.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::cache::{CacheState, Job, Minted, Rejected};
use crate::error::Error;

/// Counter: token requests that brought a token, by `client`, `key` and `reason`.
pub const MINTS: &str = "m2m_client_mints_total";
/// Counter: token requests that failed, by `client`, `key` and `cause`.
pub const MINT_FAILURES: &str = "m2m_client_mint_failures_total";
/// Histogram: seconds from the start of a flight to its end, by `client`.
pub const MINT_SECONDS: &str = "m2m_client_mint_seconds";
/// Gauge: 1 for the state a key is in, 0 for the others, by `client`, `key` and `state`.
pub const TOKEN_STATE: &str = "m2m_client_token_state";
/// Gauge: for how many seconds this process can go on if the server dies now,
/// by `client` and `key`.
pub const OUTAGE_RUNWAY: &str = "m2m_client_outage_runway_seconds";
/// Gauge: how many keys are cached, by `client`.
pub const KEYS: &str = "m2m_client_keys";
/// Counter: keys that made room for others, by `client`.
pub const EVICTIONS: &str = "m2m_client_key_evictions_total";
/// Counter: tokens that an API rejected, by `client` and `outcome`.
pub const REJECTIONS: &str = "m2m_client_rejections_total";
/// Counter: secrets promoted during rotation, by `client`.
pub const PROMOTIONS: &str = "m2m_client_secret_promotions_total";
/// Counter: stored tokens looked for, by `client` and `outcome` (`hit`, `miss`, `failed`).
pub const STORE_LOADS: &str = "m2m_client_store_loads_total";

const STATES: [CacheState; 4] =
    [CacheState::Fresh, CacheState::Due, CacheState::UsableWhileFailing, CacheState::Expired];

pub(crate) fn mint_span(client: &str, job: &Job) -> tracing::Span {
    tracing::info_span!("m2m.token_request", client, key = %job.spec.label, reason = job.reason.as_str())
}

/// One flight has ended.
pub(crate) fn minted(client: &str, job: &Job, minted: &Result<Minted, Error>, took: Duration) {
    let labels = |name: &'static str, value: String| {
        [("client", client.to_owned()), ("key", job.spec.label.clone()), (name, value)]
    };
    histogram!(MINT_SECONDS, "client" => client.to_owned()).record(took.as_secs_f64());
    let failure = match minted {
        Ok(minted) => {
            counter!(MINTS, &labels("reason", job.reason.as_str().to_owned())).increment(1);
            tracing::debug!(client, key = %job.spec.label, token = ?minted.token, "token obtained");
            minted.failing.as_ref()
        }
        Err(error) => Some(error),
    };
    if let Some(error) = failure {
        counter!(MINT_FAILURES, &labels("cause", error.cause().to_owned())).increment(1);
        tracing::warn!(
            client,
            key = %job.spec.label,
            kind = error.kind().as_str(),
            transient = error.is_transient(),
            error = %error,
            hint = error.hint(),
            "token request failed"
        );
    }
}

/// The driver's view of one label, once a second.
pub(crate) fn label(client: &str, key: &str, now_in: CacheState, runway: Option<Duration>) {
    for state in STATES {
        let labels =
            [("client", client.to_owned()), ("key", key.to_owned()), ("state", state.as_str().to_owned())];
        gauge!(TOKEN_STATE, &labels).set(if state == now_in { 1.0 } else { 0.0 });
    }
    let labels = [("client", client.to_owned()), ("key", key.to_owned())];
    gauge!(OUTAGE_RUNWAY, &labels).set(runway.map_or(f64::NAN, |runway| runway.as_secs_f64()));
}

/// No key has this label any more: its gauges say nothing.
pub(crate) fn gone(client: &str, key: &str) {
    for state in STATES {
        let labels =
            [("client", client.to_owned()), ("key", key.to_owned()), ("state", state.as_str().to_owned())];
        gauge!(TOKEN_STATE, &labels).set(0.0);
    }
    let labels = [("client", client.to_owned()), ("key", key.to_owned())];
    gauge!(OUTAGE_RUNWAY, &labels).set(f64::NAN);
}

pub(crate) fn keys(client: &str, keys: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and the number of keys is bounded")]
    gauge!(KEYS, "client" => client.to_owned()).set(keys as f64);
}

pub(crate) fn evicted(client: &str) {
    counter!(EVICTIONS, "client" => client.to_owned()).increment(1);
}

pub(crate) fn rejected(client: &str, rejected: &Rejected) {
    let outcome = match rejected {
        Rejected::Dropped => "renew",
        Rejected::Superseded(_) => "superseded",
        Rejected::Renewing => "renewing",
        Rejected::Ignored => "ignored",
    };
    counter!(REJECTIONS, "client" => client.to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn promoted(client: &str) {
    counter!(PROMOTIONS, "client" => client.to_owned()).increment(1);
    tracing::warn!(
        client,
        "the server refused the preferred client secret and accepted the other one, which is used first from now on"
    );
}

pub(crate) fn store_load(client: &str, outcome: &'static str) {
    counter!(STORE_LOADS, "client" => client.to_owned(), "outcome" => outcome).increment(1);
}
