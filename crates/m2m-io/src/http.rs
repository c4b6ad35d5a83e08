//! HTTP as a value: [`HttpClient`] sends one buffered request and returns one buffered response within [`Limits`].
//!
//! The limits are part of the call, so that no implementation can forget them.

use std::fmt::Debug;
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use m2m_proto::uri::Origin;

use crate::BoxFuture;

/// One request, one response, both in memory.
///
/// An implementation follows no redirect (see [`HttpError::Redirect`]), retries nothing, keeps no cookies, counts
/// the body after decompression, and logs neither bodies nor queries.
pub trait HttpClient: Send + Sync + Debug {
    /// Sends `request`, whose URI must be absolute.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when there is no whole response within `limits`. Any status but a redirect is a response.
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>>;
}

/// What one exchange may cost and where it may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the response's body, counted after decompression; default 256 KiB.
    pub max_body_bytes: usize,
    /// From the call to the last byte of the body, connecting included; default 10 s.
    pub timeout: Duration,
    /// Who chose the URL; default [`Reach::Configured`].
    pub reach: Reach,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_body_bytes: 256 * 1024, timeout: Duration::from_secs(10), reach: Reach::Configured }
    }
}

/// Who chose a URL, which decides where it may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The operator: it may lead anywhere. Whether plain HTTP is acceptable is the configuration's question
    /// (`EndpointUri::check_transport`), not asked again here.
    Configured,
    /// A document of a configured party (`jwks_uri`, endpoint aliases): https and a public address, or on `origin`, or
    /// allowed by [`EgressRules`](crate::EgressRules). The address is checked when it is dialled.
    Discovered {
        /// The configured origin whose word is followed, and which may point at itself. Never the URL's own.
        origin: Origin,
    },
    /// Somebody who registered it (a client's `jwks_uri`): as `Discovered`, but no origin is excepted, for nothing
    /// about the URL was configured.
    Registered,
}

/// Why there is no response. No variant carries a query, a body or a header's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No whole response in the time allowed.
    #[error("no complete response in time")]
    Timeout,
    /// No connection: refused, unreachable, or lost before or during the response.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The TLS handshake failed: unknown issuer, wrong name, expired, or our certificate was refused.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The host's name has no address.
    #[error("cannot resolve the host's name: {0}")]
    Dns(String),
    /// The body, decompressed, is longer than allowed.
    #[error("the response is longer than {limit} bytes")]
    TooLarge {
        /// The allowance in bytes.
        limit: usize,
    },
    /// The server answered with a redirect, which is never followed: it would carry credentials elsewhere. For a
    /// token endpoint this is misbehaviour of the peer.
    #[error("the server answered {status} with a redirect{}", to(.location_origin.as_ref()))]
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
        /// Where to, without path and query; absent when `Location` is not an absolute URL.
        location_origin: Option<Origin>,
    },
    /// The egress rules forbid this destination.
    #[error("not allowed to connect to {destination}: {reason}")]
    EgressDenied {
        /// Host or address.
        destination: String,
        /// The rule that was broken.
        reason: &'static str,
    },
    /// The proxy cannot be reached or refused.
    #[error("the proxy failed: {0}")]
    Proxy(String),
    /// The peer does not speak HTTP, or the request cannot be sent.
    #[error("HTTP failed: {0}")]
    Protocol(String),
}

fn to(origin: Option<&Origin>) -> String {
    origin.map(|origin| format!(" to {origin}")).unwrap_or_default()
}

impl HttpError {
    /// The TLS handshake failed: a question of certificates, not of protocol or network.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether the same request may succeed later without anybody changing a setting.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Timeout | Self::Connect(_) | Self::Dns(_) | Self::Proxy(_) | Self::Protocol(_) => true,
            Self::Tls(_) | Self::TooLarge { .. } | Self::Redirect { .. } | Self::EgressDenied { .. } => false,
        }
    }

    /// The network or the peer's machine failed, rather than the peer breaking the protocol.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Timeout | Self::Connect(_) | Self::Tls(_) | Self::Dns(_) | Self::Proxy(_))
    }
}

#[cfg(test)]
mod tests {
    use ::http::StatusCode;
    use m2m_proto::uri::Origin;

    use super::HttpError;

    #[test]
    fn redirect_names_the_origin_only() {
        let location_origin = Origin::parse("https://other.example").ok();
        let error = HttpError::Redirect { status: StatusCode::FOUND, location_origin };
        assert_eq!(
            error.to_string(),
            "the server answered 302 Found with a redirect to https://other.example"
        );
        let error = HttpError::Redirect { status: StatusCode::FOUND, location_origin: None };
        assert_eq!(error.to_string(), "the server answered 302 Found with a redirect");
    }

    #[test]
    fn kinds() {
        let check = |error: HttpError, transient: bool, unreachable: bool| {
            assert_eq!((error.is_transient(), error.is_unreachable()), (transient, unreachable), "{error}");
        };
        check(HttpError::Timeout, true, true);
        check(HttpError::Connect("refused".into()), true, true);
        check(HttpError::Dns("no such host".into()), true, true);
        check(HttpError::Proxy("refused".into()), true, true);
        check(HttpError::Tls("UnknownIssuer".into()), false, true);
        check(HttpError::Protocol("not HTTP".into()), true, false);
        check(HttpError::TooLarge { limit: 1 }, false, false);
        check(HttpError::EgressDenied { destination: "10.0.0.1".into(), reason: "private" }, false, false);
        assert!(HttpError::Tls(String::new()).is_tls() && !HttpError::Timeout.is_tls());
    }
}
