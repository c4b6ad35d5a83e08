//! One variant for each way to fail, with its evidence.
//!
//! Kind, retry rule and metric label are functions of the variant, so that two
//! places cannot disagree about the same failure.

use std::fmt;
use std::time::Duration;

use m2m_proto::error::ErrorCode;

use super::{ErrorKind, Retry};

/// What happened. No variant may hold a secret or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An OAuth error response.
    Refused {
        status: u16,
        code: ErrorCode,
        /// What the server wrote, where `code` is what it means by that.
        said: Option<ErrorCode>,
        description: Option<String>,
        uri: Option<String>,
    },
    /// 5xx or 429: not a verdict, whatever the body says.
    Unavailable {
        status: u16,
    },
    /// A status from which no token and no OAuth error can be read.
    NotOauth {
        status: u16,
    },
    /// An answer that breaks the protocol.
    Malformed {
        status: u16,
        what: String,
    },
    /// The endpoint wants us to send credentials elsewhere.
    Redirected {
        to: Option<String>,
    },
    /// The answer is larger than any token response has to be.
    TooLarge {
        limit: usize,
    },
    /// The token's type is not one that we can present.
    TokenType {
        asked: &'static str,
        got: &'static str,
    },
    /// The token was not what was asked for, and `inspect = "error"`.
    Inspection {
        finding: String,
    },
    /// `expires_in` was zero again and again.
    DeadOnArrival,
    /// The metadata lacks an endpoint that we need.
    NoEndpoint {
        what: &'static str,
    },
    /// Discovery failed because of the document, not of the network.
    Metadata {
        reason: String,
    },
    Timeout,
    Connect {
        reason: String,
    },
    Dns {
        reason: String,
    },
    Tls {
        reason: String,
    },
    Proxy {
        reason: String,
    },
    Http {
        reason: String,
    },
    /// The mint deadline passed.
    Deadline {
        after: Duration,
    },
    /// A synchronous caller asked while the first request is under way.
    Pending,
    /// An address that the egress rules forbid.
    Egress {
        reason: String,
    },
    /// A secret that cannot be read.
    Secret {
        reason: String,
    },
    /// Settings that cannot work.
    Settings {
        reason: String,
    },
    /// The request goes to an origin that was not declared for this token.
    Destination {
        origin: String,
    },
    /// The request names no origin at all, or the client knows no destinations.
    NoDestination,
    /// The task that asked for the token ended without an answer: its runtime
    /// was shut down, or it panicked.
    Lost,
    /// Something that cannot be: a defect here.
    Internal {
        what: &'static str,
    },
}

impl Fault {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { .. } => ErrorKind::Refused,
            Self::NotOauth { .. }
            | Self::Malformed { .. }
            | Self::Redirected { .. }
            | Self::TooLarge { .. }
            | Self::TokenType { .. }
            | Self::Inspection { .. }
            | Self::DeadOnArrival
            | Self::Http { .. }
            | Self::Metadata { .. } => ErrorKind::PeerMisbehaved,
            Self::Unavailable { .. }
            | Self::Timeout
            | Self::Connect { .. }
            | Self::Dns { .. }
            | Self::Tls { .. }
            | Self::Proxy { .. }
            | Self::Deadline { .. }
            | Self::Pending => ErrorKind::Unreachable,
            Self::NoEndpoint { .. }
            | Self::Egress { .. }
            | Self::Settings { .. }
            | Self::Destination { .. }
            | Self::NoDestination => ErrorKind::Misconfigured,
            Self::Secret { .. } => ErrorKind::SecretUnavailable,
            Self::Lost | Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// Only an OAuth error code is a verdict, and some codes say "later".
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Refused { code, .. } if code.is_transient() => Retry::Soon,
            Self::Refused { .. } => Retry::OnDemand,
            Self::DeadOnArrival | Self::Lost => Retry::Soon,
            _ => match self.kind() {
                ErrorKind::Unreachable | ErrorKind::SecretUnavailable => Retry::Soon,
                ErrorKind::PeerMisbehaved => Retry::Slow,
                ErrorKind::Refused | ErrorKind::Misconfigured | ErrorKind::Internal => Retry::OnDemand,
            },
        }
    }

    /// The same with `scrub` applied to whatever the peer wrote.
    pub(crate) fn scrubbed(&self, scrub: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Refused { status, code, said, description, uri } => Self::Refused {
                status: *status,
                code: scrubbed_code(code, scrub),
                said: said.as_ref().map(|said| scrubbed_code(said, scrub)),
                description: description.as_deref().map(scrub),
                uri: uri.as_deref().map(scrub),
            },
            Self::Malformed { status, what } => Self::Malformed { status: *status, what: scrub(what) },
            Self::Redirected { to } => Self::Redirected { to: to.as_deref().map(scrub) },
            other => other.clone(),
        }
    }

    /// The same with the code that the server means by its own.
    pub(crate) fn meaning(self, means: Option<&ErrorCode>) -> Self {
        match (self, means) {
            (Self::Refused { status, code, description, uri, .. }, Some(means)) if code != *means => {
                Self::Refused { status, code: means.clone(), said: Some(code), description, uri }
            }
            (fault, _) => fault,
        }
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. }
            | Self::Unavailable { status }
            | Self::NotOauth { status }
            | Self::Malformed { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "oauth_error",
            Self::Unavailable { status: 429 } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::NotOauth { .. } => "not_oauth",
            Self::Malformed { .. } => "malformed",
            Self::Redirected { .. } => "redirected",
            Self::TooLarge { .. } => "too_large",
            Self::TokenType { .. } => "token_type",
            Self::Inspection { .. } => "inspection",
            Self::DeadOnArrival => "dead_on_arrival",
            Self::NoEndpoint { .. } => "no_endpoint",
            Self::Metadata { .. } => "metadata",
            Self::Timeout => "timeout",
            Self::Connect { .. } => "connect",
            Self::Dns { .. } => "dns",
            Self::Tls { .. } => "tls",
            Self::Proxy { .. } => "proxy",
            Self::Http { .. } => "http",
            Self::Deadline { .. } => "deadline",
            Self::Pending => "pending",
            Self::Egress { .. } => "egress",
            Self::Secret { .. } => "secret",
            Self::Settings { .. } => "settings",
            Self::Destination { .. } | Self::NoDestination => "destination",
            Self::Lost => "lost",
            Self::Internal { .. } => "internal",
        }
    }
}

fn scrubbed_code(code: &ErrorCode, scrub: &dyn Fn(&str) -> String) -> ErrorCode {
    match code {
        ErrorCode::Other(text) => ErrorCode::Other(scrub(text)),
        code => code.clone(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, said, description, .. } => {
                write!(f, "the server refused: {}", said.as_ref().unwrap_or(code).as_str())?;
                if said.is_some() {
                    write!(f, ", by which it means {}", code.as_str())?;
                }
                description.as_ref().map_or(Ok(()), |description| write!(f, ": {description}"))
            }
            Self::Unavailable { status: 429 } => f.write_str("the server limits our rate (429)"),
            Self::Unavailable { status } => write!(f, "the server is unavailable ({status})"),
            Self::NotOauth { status } => write!(f, "the answer ({status}) is not an OAuth answer"),
            Self::Malformed { status, what } => write!(f, "the answer ({status}) is malformed: {what}"),
            Self::Redirected { to: Some(to) } => write!(f, "the endpoint redirects to {to}; not followed"),
            Self::Redirected { to: None } => f.write_str("the endpoint redirects; not followed"),
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Self::TokenType { asked, got } => {
                write!(f, "asked for a {asked} token, got one of type {got}")
            }
            Self::Inspection { finding } => write!(f, "the token is not what was asked for: {finding}"),
            Self::DeadOnArrival => f.write_str("the server issues tokens that have already expired"),
            Self::NoEndpoint { what } => write!(f, "the server has no {what}"),
            Self::Metadata { reason } => write!(f, "the server's metadata cannot be used: {reason}"),
            Self::Timeout => f.write_str("the server did not answer in time"),
            Self::Connect { reason } => write!(f, "cannot connect to the server: {reason}"),
            Self::Dns { reason } => write!(f, "cannot resolve the server's name: {reason}"),
            Self::Tls { reason } => write!(f, "the TLS handshake with the server failed: {reason}"),
            Self::Proxy { reason } => write!(f, "the proxy failed: {reason}"),
            Self::Http { reason } => write!(f, "the exchange with the server broke: {reason}"),
            Self::Deadline { after } => write!(f, "no token within {} s", after.as_secs_f32()),
            Self::Pending => f.write_str("no token yet: the first request is under way"),
            Self::Egress { reason } => write!(f, "the address may not be contacted: {reason}"),
            Self::Secret { reason } => write!(f, "the credential cannot be read: {reason}"),
            Self::Settings { reason } => f.write_str(reason),
            Self::Destination { origin } => {
                write!(f, "{origin} is not a declared destination of this token")
            }
            Self::NoDestination => f.write_str("no destination is declared for this token"),
            Self::Lost => f.write_str("the token request was lost with the task that made it"),
            Self::Internal { what } => write!(f, "internal error: {what}"),
        }
    }
}
