//! The reverse proxy: every request through the gate, then to the program, and the answer back as it comes.
//!
//! Sections: RFC 9110 §9.3.6, §9.3.8; RFC 9112 §3.2, §6.1
//! Enforces: one host; no body whose length is told in two ways, or that is coded in another way than chunked.
//! Does not enforce: what a program does with a body of a `GET`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use m2m_io::Clock;

use super::hop;
use super::inbound::{Gate, Refused};
use super::observe;
use super::upstream::{Besides, Upstream};
use super::way::{Scheme, Way};
use crate::listen::Held;

/// A gate and what is behind it.
#[derive(Debug)]
pub(crate) struct Reverse {
    gate: Gate,
    upstream: Upstream,
    scheme: Scheme,
    clock: Arc<dyn Clock>,
}

impl Reverse {
    /// Lets requests through this gate to that program; `scheme` is what clients speak to us.
    pub(crate) fn new(gate: Gate, upstream: Upstream, scheme: Scheme, clock: Arc<dyn Clock>) -> Self {
        Self { gate, upstream, scheme, clock }
    }

    /// Takes every request.
    pub(crate) fn router(self) -> Router {
        let shared = Arc::new(self);
        Router::new().fallback(move |request: Request<Body>| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        })
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let began = self.clock.monotonic();
        let answer = match self.pass(request).await {
            Ok(answer) => answer,
            Err(refused) => {
                observe::refused(&refused);
                (*refused.answer).map(Body::from)
            }
        };
        let took: Duration = self.clock.monotonic().saturating_sub(began);
        metrics::histogram!(observe::SECONDS).record(took.as_secs_f64());
        answer
    }

    async fn pass(&self, request: Request<Body>) -> Result<Response<Body>, Refused> {
        let (mut parts, body) = request.into_parts();
        check(&parts)?;
        let way = Way::of(&parts, self.scheme).ok_or_else(|| {
            Refused::plain(StatusCode::BAD_REQUEST, "malformed", "the request does not name one host")
        })?;
        let wants = hop::is_websocket(&parts.method, parts.version, &parts.headers);
        let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| wants);
        let held = parts.extensions.remove::<Held>();
        let takes_trailers = hop::takes_trailers(&parts.headers);
        let admitted = self.gate.admit(Request::from_parts(parts, body)).await?;
        let cause = admitted.cause();
        let answer = self.upstream.send(admitted, Besides { way, takes_trailers, upgrade, held }).await?;
        observe::allowed(cause);
        Ok(answer)
    }
}

/// What is refused whoever asks.
fn check(parts: &Parts) -> Result<(), Refused> {
    let coded = parts.headers.get_all(TRANSFER_ENCODING).iter();
    if coded
        .enumerate()
        .any(|(index, coding)| index > 0 || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        // RFC 9112 §6.1; what is coded besides would reach the program as if it were not.
        let text = "the one transfer coding is chunked";
        return Err(closing(Refused::plain(StatusCode::NOT_IMPLEMENTED, "malformed", text)));
    }
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    let is_chunked = parts.headers.contains_key(TRANSFER_ENCODING);
    if lengths > 1 || (lengths == 1 && is_chunked) {
        let text = "the length of the body is told in two ways";
        return Err(closing(Refused::plain(StatusCode::BAD_REQUEST, "malformed", text)));
    }
    Ok(())
}

/// RFC 9112 §6.1: such a sender may be an attacker; nothing more is read from it.
fn closing(mut refused: Refused) -> Refused {
    refused.answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refused
}

#[cfg(test)]
mod tests;
