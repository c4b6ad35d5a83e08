//! Envoy's `ext_authz` over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! One unary call over HTTP/2, framed by hand: the messages are small and fixed ([`messages`]), and neither a code
//! generator nor a gRPC library is needed for them.
//!
//! Enforces: the answer to every question is a decision; what cannot be read is an error of gRPC, which Envoy takes for
//! a refusal unless `failure_mode_allow` says otherwise. Fields that others believe are named for removal, as they were
//! sent and as they are usually written; ours replace whatever has their name.
//! Limits: 256 KiB a question.

mod messages;
mod wire;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use m2m_proto::names::header;
use m2m_resource_server::RequestParts;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::forward_auth::{is_own_to_envoy, removed, target_of};
use super::identity;
use super::inbound::{Gate, Refused, Verdict};
use super::observe;
use messages::CheckRequest;
use wire::{Frame, Message};

const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";
const MAX_BYTES: usize = 256 * 1024;

/// Codes of `google.rpc.Code`, which gRPC shares.
mod code {
    pub(super) const INVALID_ARGUMENT: u64 = 3;
    pub(super) const PERMISSION_DENIED: u64 = 7;
    pub(super) const UNIMPLEMENTED: u64 = 12;
    pub(super) const UNAVAILABLE: u64 = 14;
    pub(super) const UNAUTHENTICATED: u64 = 16;
}

/// Whether this is a call over gRPC. By its path alone: the content type of a question over HTTP is the client's, and
/// an error of gRPC is 200 in HTTP, which means yes there.
pub(super) fn is_grpc(parts: &Parts) -> bool {
    parts.uri.path() == PATH
}

/// Answers the call.
pub(super) async fn answer(gate: &Gate, parts: &Parts, body: Body) -> Response<Body> {
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !is_grpc(parts)
        || parts.method != Method::POST
        || !kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
    {
        return ended(code::UNIMPLEMENTED, None);
    }
    let Ok(collected) = Limited::new(body, MAX_BYTES).collect().await else {
        return ended(code::INVALID_ARGUMENT, None);
    };
    let bytes = collected.to_bytes();
    let message = match wire::unframed(&bytes) {
        Ok(message) => message,
        Err(Frame::Compressed) => return ended(code::UNIMPLEMENTED, None),
        Err(Frame::Broken) => return ended(code::INVALID_ARGUMENT, None),
    };
    match CheckRequest::decode(message) {
        Ok(question) => ended(0, Some(decide(gate, &question).await)),
        Err(wire::Malformed) => ended(code::INVALID_ARGUMENT, None),
    }
}

/// The message, if there is one, and how the call ended.
fn ended(status: u64, message: Option<Message>) -> Response<Body> {
    let framed = message.map(|message| Bytes::from(message.framed())).unwrap_or_default();
    let mut trailers = HeaderMap::new();
    trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(status));
    let body = Full::new(framed).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut answer = Response::new(Body::new(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

async fn decide(gate: &Gate, question: &CheckRequest) -> Message {
    match judge(gate, question).await {
        Ok(verdict) => {
            observe::allowed(verdict.cause());
            let nonce = verdict.nonce().map(|nonce| (header::DPOP_NONCE, nonce.clone()));
            let told: Vec<_> = nonce.into_iter().collect();
            messages::allowed(verdict.fields(), &unwanted(gate, question, &verdict), &told)
        }
        Err(refused) => {
            observe::refused(&refused);
            let (parts, body) = (*refused.answer).into_parts();
            let code = match parts.status {
                StatusCode::UNAUTHORIZED => code::UNAUTHENTICATED,
                status if status.is_server_error() => code::UNAVAILABLE,
                _ => code::PERMISSION_DENIED,
            };
            messages::denied(code, parts.status.as_u16(), &parts.headers, &body)
        }
    }
}

async fn judge(gate: &Gate, question: &CheckRequest) -> Result<Verdict, Refused> {
    let method = Method::from_bytes(question.method.as_bytes())
        .map_err(|_| Refused::plain(StatusCode::BAD_REQUEST, "malformed", "the method is none"))?;
    let uri = target_of(&question.path)?;
    let certificate = certificate(&question.certificate)?;
    let asked = RequestParts {
        method: &method,
        uri: &uri,
        headers: &question.headers,
        certificate: certificate.as_ref(),
    };
    gate.judge(&asked).await
}

/// Everything that is believed somewhere and not set by us, as it was sent and as it is usually written.
fn unwanted(gate: &Gate, question: &CheckRequest, verdict: &Verdict) -> Vec<String> {
    let is_set = |name: &str| verdict.fields().iter().any(|(set, _)| set == name);
    let unset: Vec<HeaderName> = identity::SET.into_iter().filter(|name| !is_set(name.as_str())).collect();
    let mut names = removed(gate, verdict, &question.headers, &unset);
    let sent = question.headers.keys().map(HeaderName::as_str);
    let sent = sent.filter(|name| gate.believed().holds(name) && !is_set(name) && !is_own_to_envoy(name));
    names.extend(sent.map(str::to_owned));
    names.sort_unstable();
    names.dedup();
    names
}

/// As Envoy includes it: one certificate in PEM, percent-encoded. What is none is a refusal, never no certificate.
fn certificate(encoded: &str) -> Result<Option<PeerCertificate>, Refused> {
    if encoded.is_empty() {
        return Ok(None);
    }
    let decoded = percent_decoded(encoded);
    let der = decoded.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
    let certificate = der.and_then(|der| PeerCertificate::new(der.to_vec(), Vec::new()).ok());
    certificate.map(Some).ok_or_else(|| {
        Refused::plain(StatusCode::BAD_REQUEST, "malformed", "the client's certificate cannot be read")
    })
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests;
