//! For how long what an issuer withdrew may still be accepted: the sum of the times that were set, for the worst case
//! in which the issuer cannot be reached.
//!
//! A document (key set, status list, feed) is used while it is fresh, then for the outage that is allowed, and by
//! those who were waiting when that ended, for the timeout of one fetch:
//!
//! | What was withdrawn | Seconds, by default |
//! | --- | --- |
//! | a key | 600 + 3600 + 5 = 4205 ([`TrustedIssuer::keys_kept`](crate::TrustedIssuer::keys_kept)) |
//! | a token, by status list or feed, where they are read | 60 + 240 + 5 = 305 ([`TrustedIssuer::withdrawals_kept`](crate::TrustedIssuer::withdrawals_kept)) |
//! | a token, by introspection | for how long an answer is used: 10 for opaque tokens, 0 where every token is asked about |
//! | a token, where none of these is read | until it expires |
//!
//! While the issuer answers, only the first number of each sum counts, and less where its `max-age` or `ttl` says so.
//! What remembers verified tokens adds nothing: all of this is looked at on every use. The time that the issuer needs
//! to publish is its own and not in here.

use std::fmt;
use std::time::Duration;

use crate::verifier::Parts;

/// What [`Verifier::revocation_window`](crate::Verifier::revocation_window) says: the worst case over all trusted
/// issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationWindow {
    /// How long a withdrawn token is accepted; `None`: until it expires, because of some issuer neither status lists
    /// nor a feed are read and it is not asked.
    pub token: Option<Duration>,
    /// How long a token under a withdrawn key is accepted; `None`: until it expires, because the keys of some issuer are
    /// given and not fetched.
    pub key: Option<Duration>,
}

impl RevocationWindow {
    pub(crate) fn of(parts: &Parts) -> Self {
        let all = || parts.issuers.iter();
        Self {
            token: longest(all().map(|trust| parts.withdrawn_token(trust))),
            key: longest(all().map(|trust| trust.keys.withdrawn_within())),
        }
    }

    /// The longer of the two; `None`: until the token expires.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        longest([self.token, self.key].into_iter())
    }
}

/// `None` is longer than anything.
fn longest(times: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    times.reduce(|a, b| Some(a?.max(b?))).flatten()
}

impl fmt::Display for RevocationWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<Duration>| match time {
            Some(time) => format!("for {} s", time.as_secs_f64().ceil()),
            None => "until it expires".to_owned(),
        };
        write!(
            f,
            "a withdrawn token is accepted {} at most, one under a withdrawn key {}",
            time(self.token),
            time(self.key)
        )
    }
}
