//! For how long what an issuer withdrew may still be accepted: the sum of the times that were set, for the worst case
//! in which the issuer cannot be reached.
//!
//! A document (metadata, key set, status list, feed) is used while it is fresh, counted from when it was asked for, then
//! for the outage that is allowed, and by those who wait for another one when that ends, for the time of a fetch:
//!
//! | What was withdrawn | Seconds, by default |
//! | --- | --- |
//! | a key, with the place of the keys set | 600 + 3600 + 5 = 4205 ([`TrustedIssuer::keys_kept`](crate::TrustedIssuer::keys_kept)) |
//! | a key, by discovery | twice that, 8410: metadata, then the keys where it says they are |
//! | a credential or a client, where every token must name its place in a status list ([`StatusCheck::Required`](crate::StatusCheck::Required)) | 60 + 240 + 5 = 305 ([`TrustedIssuer::withdrawals_kept`](crate::TrustedIssuer::withdrawals_kept)) |
//! | a single token, where the feed is read | 305, the same |
//! | any of them, where the server is asked about every token | for how long an answer is used, 0, and 10 for the question itself |
//! | any of them, otherwise | until the token expires |
//! | a token or a credential from which another token was made by exchange (RFC 8693), for that other one | until it expires, or as long as the server's answer is used, where it is asked about every token |
//!
//! [`StatusCheck::Follow`](crate::StatusCheck::Follow) promises nothing: a token that names no place is not covered.
//! Status lists speak of credentials and the feed of tokens, so one says nothing of what the other is for.
//!
//! While the issuer answers, only the first number of each sum counts, and less where its `max-age` or `ttl` says so.
//! What remembers verified tokens adds nothing: all of this is looked at on every use. The time that the issuer needs
//! to publish is its own and not in here.

use std::fmt;
use std::time::Duration;

use crate::issuers::Trust;
use crate::verifier::Parts;

/// What [`Verifier::revocation_window`](crate::Verifier::revocation_window) says: the worst case over all trusted
/// issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationWindow {
    /// How long a token is accepted whose credential or client was withdrawn; `None`: until it expires, because of some
    /// issuer tokens need not name a status list and it is not asked about each.
    pub credential: Option<Duration>,
    /// How long a single token that was withdrawn is accepted; `None`: until it expires, because of some issuer no feed
    /// is read and it is not asked about each token.
    pub token: Option<Duration>,
    /// How long a token under a withdrawn key is accepted; `None`: until it expires, because the keys of some issuer are
    /// given and not fetched.
    pub key: Option<Duration>,
}

impl RevocationWindow {
    pub(crate) fn of(parts: &Parts) -> Self {
        let all = || parts.issuers.iter();
        Self {
            credential: longest(all().map(Trust::withdrawn_credential)),
            token: longest(all().map(Trust::withdrawn_token)),
            key: longest(all().map(|trust| trust.keys.withdrawn_within())),
        }
    }

    /// The longest of them; `None`: until the token expires.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        longest([self.credential, self.token, self.key].into_iter())
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
            "a withdrawn token is accepted {} at most, one of a withdrawn credential {}, one under a withdrawn key {}",
            time(self.token),
            time(self.credential),
            time(self.key)
        )
    }
}
