//! What can go wrong, by whose fault it is, and what to do about it.
//!
//! One opaque [`Error`]; [`Error::kind`] says who has to act, and
//! [`Error::hint`] says it to a person. Errors are shared by everyone who
//! waited for the same request, so they are cheap to clone. They never hold a
//! secret or a token.

mod advice;
mod fault;
mod ground;
mod hint;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use m2m_proto::error::ErrorCode;

pub(crate) use advice::{Advice, Asked, Passes, Shows};
pub(crate) use fault::Fault;
pub(crate) use ground::{Ground, unsigned};

/// Who has to act. The command line has one exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server answered with an OAuth error: its verdict on this request.
    Refused,
    /// The server broke a rule of the protocol: HTML, a redirect, bad JSON.
    PeerMisbehaved,
    /// No answer, or an answer that says "not now": network, timeout, 5xx, 429.
    Unreachable,
    /// Local settings are wrong; no retry will help.
    Misconfigured,
    /// A local secret cannot be read.
    SecretUnavailable,
    /// A defect of this library.
    Internal,
}

impl ErrorKind {
    /// The kind in lower case with underscores, as metrics and `--json` print it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::PeerMisbehaved => "peer_misbehaved",
            Self::Unreachable => "unreachable",
            Self::Misconfigured => "misconfigured",
            Self::SecretUnavailable => "secret_unavailable",
            Self::Internal => "internal",
        }
    }
}

/// When it makes sense to ask again; the slot's backoff follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// From half a second on, doubling.
    Soon,
    /// At the slow end of the backoff: half a minute.
    Slow,
    /// Only when somebody asks, after a minute, doubling to an hour; or at
    /// once when the credential has changed.
    OnDemand,
}

/// Why there is no token, no answer, or no call.
///
/// `Display` prints one level, without a full stop; [`StdError::source`] holds
/// the rest. Comparing and matching goes through [`Error::kind`] and
/// [`Error::code`]; the text may change.
#[derive(Clone)]
pub struct Error(Arc<Facts>);

struct Facts {
    fault: Fault,
    retry_after: Option<Duration>,
    advice: Option<Advice>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn of(fault: Fault) -> Self {
        Self(Arc::new(Facts { fault, retry_after: None, advice: None, source: None }))
    }

    pub(crate) fn caused(fault: Fault, source: impl StdError + Send + Sync + 'static) -> Self {
        Self(Arc::new(Facts { fault, retry_after: None, advice: None, source: Some(Arc::new(source)) }))
    }

    pub(crate) fn after(fault: Fault, retry_after: Option<Duration>) -> Self {
        Self(Arc::new(Facts { fault, retry_after, advice: None, source: None }))
    }

    /// The same with what the catalogue knows about it. A code that it reads
    /// differently counts as that one.
    pub(crate) fn advised(self, advice: Option<Advice>) -> Self {
        let Some(advice) = advice else { return self };
        let fault = self.0.fault.clone().meaning(advice.means.as_ref());
        Self(Arc::new(Facts { fault, retry_after: self.0.retry_after, advice: Some(advice), source: None }))
    }

    /// For a [`SecretSource`](crate::SecretSource): the secret cannot be read,
    /// for this reason. The reason must not quote the secret.
    #[must_use]
    pub fn secret_unavailable(reason: impl Into<String>) -> Self {
        Self::of(Fault::Secret { reason: reason.into() })
    }

    /// Local settings are wrong, for this reason.
    #[must_use]
    pub fn misconfigured(reason: impl Into<String>) -> Self {
        Self::of(Fault::Settings { reason: reason.into() })
    }

    pub(crate) fn internal(what: &'static str) -> Self {
        Self::of(Fault::Internal { what })
    }

    /// Who has to act.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.fault.kind()
    }

    /// The OAuth error code, if the server gave one; where the provider
    /// catalogue knows that a service means another code of RFC 6749 by it,
    /// that other one.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        match &self.0.fault {
            Fault::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The code as the server wrote it, where [`Error::code`] is what it means
    /// by that.
    #[must_use]
    pub fn said(&self) -> Option<&ErrorCode> {
        match &self.0.fault {
            Fault::Refused { code, said, .. } => said.as_ref().or(Some(code)),
            _ => None,
        }
    }

    /// The server's `error_description`: text of a stranger, printable ASCII
    /// and bounded, with our own secrets blacked out.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        match &self.0.fault {
            Fault::Refused { description, .. } => description.as_deref(),
            _ => None,
        }
    }

    /// The server's `error_uri`.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        match &self.0.fault {
            Fault::Refused { uri, .. } => uri.as_deref(),
            _ => None,
        }
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.fault.status()
    }

    /// Whether the same request may succeed later without anybody acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.retry() != Retry::OnDemand
    }

    /// How long the server asked us to wait (`Retry-After`).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the TLS handshake failed: an unknown authority, a wrong name.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.0.fault, Fault::Tls { .. })
    }

    /// Whether the server answered 429, with or without an OAuth error.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        self.status() == Some(http::StatusCode::TOO_MANY_REQUESTS.as_u16())
    }

    /// What to do about it, for a person: one or two short sentences; those of
    /// the provider catalogue where it knows this error.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.0.advice {
            Some(advice) => advice.text.clone(),
            None => hint::text(&self.0.fault),
        }
    }

    /// The same error with `scrub` applied to whatever the peer wrote.
    pub(crate) fn scrubbed(&self, scrub: impl Fn(&str) -> String) -> Self {
        let fault = self.0.fault.scrubbed(&scrub);
        let advice = self.0.advice.clone();
        Self(Arc::new(Facts { fault, retry_after: self.0.retry_after, advice, source: None }))
    }

    pub(crate) fn retry(&self) -> Retry {
        match &self.0.advice {
            Some(advice) if advice.passes == Passes::ByItself => Retry::Soon,
            _ => self.0.fault.retry(),
        }
    }

    /// The label under which metrics count this failure.
    pub(crate) fn cause(&self) -> &str {
        match self.code() {
            // A stranger's own codes would make labels without bound.
            Some(ErrorCode::Other(_)) | None => self.0.fault.cause(),
            Some(code) => code.as_str(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.fault, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &self.kind()).field("message", &self.0.fault.to_string());
        if let Some(source) = &self.0.source {
            shown.field("source", &source.to_string());
        }
        shown.finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
