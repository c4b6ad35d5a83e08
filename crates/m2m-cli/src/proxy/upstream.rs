//! The program behind the gateway: requests to it, answers from it.
//!
//! Sections: RFC 9110 §3.7, §7.6, §15.6.3, §15.6.5; RFC 9209 (Proxy-Status)
//! Enforces: only an [`Admitted`] request is sent; connections are made to the configured place alone and reused; time
//! limits for a connection and for the head of an answer; an answer's own hop stays here. A request that may have
//! reached the program is never sent twice.
//! Does not enforce: how long a body takes; whoever reads or writes it gives up.
//! Limits: 5 s for a connection; 60 s without an answer while no more of the request comes; 4096 requests at a time, 1024
//! of one address (`shares`);
//! 256 idle connections, for 60 s each.

mod body;
pub(crate) mod connect;
pub(super) mod shares;
mod target;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{HOST, UPGRADE};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioTimer;
use m2m_io::{BoxFuture, Clock};

use super::hop::{self, Next};
use super::inbound::{Admitted, Refused};
use super::tunnel::Tunnel;
use super::way::Way;
use crate::listen::{Held, NamedTasks};
use body::{Answered, Progress, Sent};
use connect::Connector;
use shares::{Share, Shares};

pub(crate) use target::Target;

/// Time for the head of an answer, where nobody says.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);
const MAX_IDLE: usize = 256;
const IDLE: Duration = Duration::from_secs(60);
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// How the program is to be spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Time for a connection.
    pub(crate) connect: Duration,
    /// Time for the head of an answer.
    pub(crate) answer: Duration,
    /// `Host` in place of the client's.
    pub(crate) host: Option<HeaderValue>,
}

/// Sends requests to one program.
pub(crate) struct Upstream {
    client: Client<Connector, Sent>,
    authority: Authority,
    scheme: &'static str,
    next: Next,
    settings: Settings,
    clock: Arc<dyn Clock>,
    shares: Shares,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// What is besides the request itself.
pub(super) struct Besides {
    pub(super) way: Way,
    pub(super) takes_trailers: bool,
    /// The client's end of a WebSocket, where it asks for one.
    pub(super) upgrade: Option<OnUpgrade>,
    pub(super) held: Option<Held>,
}

impl Upstream {
    /// A client of this program. Nothing is connected yet.
    pub(crate) fn new(target: Target, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let (authority, scheme) = (target.stand_in(), target.scheme());
        let next = target.next();
        let connector = target.connector(Arc::clone(&clock), settings.connect);
        let mut builder = Client::builder(NamedTasks);
        builder.pool_max_idle_per_host(MAX_IDLE).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        builder.timer(TokioTimer::new()).http2_only(next == Next::Http2);
        let client = builder.build(connector);
        Self { client, authority, scheme, next, settings, clock, shares: Shares::new() }
    }

    /// Sends the request and hands the answer back as it comes.
    ///
    /// # Errors
    /// What to answer instead: 502, 503, 504.
    pub(super) async fn send(
        &self,
        admitted: Admitted<Body>,
        besides: Besides,
    ) -> Result<Response<Body>, Refused> {
        let Some(share) = self.shares.take(besides.way.counted()) else {
            return Err(failed(Fault::Busy));
        };
        let (request, verdict, trailers) = admitted.open();
        let progress = Progress::default();
        let is_upgrade = besides.upgrade.is_some();
        let (mut parts, body) = request.into_parts();
        self.address(&mut parts, &besides);
        let request = Request::from_parts(parts, Sent::new(body, trailers, progress.clone()));
        let answered = tokio::select! {
            biased;
            answered = self.client.request(request) => answered.map_err(|error| failed(fault(&error)))?,
            () = self.silence(&progress) => return Err(failed(Fault::Silent)),
        };
        let mut answer = if is_upgrade && answered.status() == StatusCode::SWITCHING_PROTOCOLS {
            let rest = verdict.expires_at().map(|end| end.since(self.clock.wall()));
            let end = rest.map(|rest| self.clock.sleep(rest));
            tunnelled(answered, besides, share, end)?
        } else if answered.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(failed(Fault::Protocol));
        } else {
            passed(answered, besides.held, share)
        };
        // spec: 9449-AS3
        if let Some(nonce) = verdict.nonce() {
            answer.headers_mut().insert(m2m_proto::names::header::DPOP_NONCE, nonce.clone());
        }
        Ok(answer)
    }

    /// Where it goes, and what this hop says of itself.
    fn address(&self, parts: &mut http::request::Parts, besides: &Besides) {
        let path = parts.uri.path_and_query().cloned();
        parts.uri = self.uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        besides.way.tell(&mut parts.headers);
        hop::add_via(&mut parts.headers, besides.way.version);
        hop::join_cookies(&mut parts.headers);
        if besides.takes_trailers {
            hop::ask_for_trailers(&mut parts.headers, self.next);
        }
        if besides.upgrade.is_some() {
            hop::upgrade(&mut parts.headers);
        }
        parts.headers.remove(HOST);
        parts.version = if self.next == Next::Http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        let host = self.settings.host.as_ref().or(besides.way.host());
        if let Some(host) = host.filter(|_| self.next == Next::Http1) {
            parts.headers.insert(HOST, host.clone());
        }
        parts.extensions = http::Extensions::new();
    }

    fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = self.scheme.parse().ok();
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        // All three parts are there, and each is well-formed by its type.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// Completes when the program has been silent for too long, though nothing more came for it.
    async fn silence(&self, progress: &Progress) {
        loop {
            let seen = progress.count();
            self.clock.sleep(self.settings.answer).await;
            if progress.count() == seen {
                return;
            }
        }
    }
}

/// An answer without its last hop.
fn passed(answered: Response<Incoming>, held: Option<Held>, share: Share) -> Response<Body> {
    let (mut parts, body) = answered.into_parts();
    hop::strip(&mut parts.headers);
    parts.version = Version::default();
    parts.extensions = http::Extensions::new();
    Response::from_parts(parts, Body::new(Answered { body, _kept: (held, share) }))
}

/// The client is told of the agreement, and bytes pass once both ends are there.
fn tunnelled(
    mut answered: Response<Incoming>,
    besides: Besides,
    share: Share,
    end: Option<BoxFuture<'static, ()>>,
) -> Result<Response<Body>, Refused> {
    let agreed =
        answered.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let Some(client) = besides.upgrade.filter(|_| agreed) else { return Err(failed(Fault::Protocol)) };
    let program = hyper::upgrade::on(&mut answered);
    Tunnel { client, program, held: besides.held, share, end }.open();
    let (mut parts, _) = answered.into_parts();
    hop::strip(&mut parts.headers);
    hop::upgrade(&mut parts.headers);
    parts.extensions = http::Extensions::new();
    Ok(Response::from_parts(parts, Body::empty()))
}

/// Why there is no answer of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Unreachable,
    NoConnection,
    Silent,
    Broken,
    Protocol,
    Busy,
}

fn fault(error: &Error) -> Fault {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if error.is_connect() && io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return Fault::NoConnection;
        }
        cause = inner.source();
    }
    if error.is_connect() { Fault::Unreachable } else { Fault::Broken }
}

/// The answer in place of the program's, and its name in RFC 9209 §2.3.
fn failed(fault: Fault) -> Refused {
    let (status, cause, name, text) = match fault {
        Fault::Unreachable => (
            StatusCode::BAD_GATEWAY,
            "upstream_unreachable",
            "connection_refused",
            "the upstream cannot be reached",
        ),
        Fault::NoConnection => (
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_unreachable",
            "connection_timeout",
            "the upstream cannot be reached in time",
        ),
        Fault::Silent => (
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            "http_response_timeout",
            "the upstream does not answer in time",
        ),
        Fault::Broken => (
            StatusCode::BAD_GATEWAY,
            "upstream_broken",
            "http_response_incomplete",
            "the upstream broke off its answer",
        ),
        Fault::Protocol => (
            StatusCode::BAD_GATEWAY,
            "upstream_broken",
            "http_protocol_error",
            "the upstream broke the protocol",
        ),
        Fault::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "connection_limit_reached",
            "too many requests are under way",
        ),
    };
    let mut refused = Refused::plain(status, cause, text);
    let headers = refused.answer.headers_mut();
    if let Ok(value) = HeaderValue::try_from(format!("m2m; error={name}")) {
        headers.insert(PROXY_STATUS, value);
    }
    if fault == Fault::Busy {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    refused
}
