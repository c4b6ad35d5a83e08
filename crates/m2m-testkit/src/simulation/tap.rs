//! What a listener beside each node sees: which request was answered with success, and what it used up.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use m2m_proto::jose::base64url;
use m2m_proto::names;
use m2m_proto::time::UnixTime;
use serde_json::Value;

use super::ledger::{Ledger, Token};

/// A part of a compact JWS, read without asking whether it is genuine.
fn part(text: &str, place: usize) -> Option<Value> {
    let decoded = base64url::decode(text.split('.').nth(place)?).ok()?;
    serde_json::from_slice(&decoded).ok()
}

/// A claim of a JWT, as text.
pub(super) fn claim(text: &str, name: &str) -> Option<String> {
    Some(part(text, 1)?.get(name)?.as_str()?.to_owned())
}

/// The parameter of a form. JWTs need no escapes.
fn parameter<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let body = std::str::from_utf8(body).ok()?;
    body.split('&')
        .find_map(|pair| pair.split_once('=').filter(|(own, _)| *own == name))
        .map(|(_, value)| value)
}

/// The `jti` of what a request to the authorization server is about.
pub(super) fn about(body: &[u8]) -> Option<String> {
    ["token", "client_assertion"].iter().find_map(|name| claim(parameter(body, name)?, "jti"))
}

/// The proof of a request to a token endpoint or an API.
pub(super) fn proof_of(headers: &http::HeaderMap) -> Option<String> {
    claim(headers.get("dpop")?.to_str().ok()?, "jti")
}

/// Notes what a node answered with success.
pub(super) fn observe(
    ledger: &mut Ledger,
    process: &str,
    request: &Request<Bytes>,
    response: &Response<Bytes>,
    now: Duration,
) {
    if response.status() != StatusCode::OK || request.method() != http::Method::POST {
        return;
    }
    if let Some(assertion) = parameter(request.body(), "client_assertion")
        && let (Some(client), Some(jti)) = (claim(assertion, "sub"), claim(assertion, "jti"))
    {
        ledger.consumed(&format!("the assertion {jti} of {client}"));
    }
    if let Some(jti) = proof_of(request.headers()) {
        ledger.consumed(&format!("the proof {jti} at the token endpoint"));
    }
    let answer: Option<Value> = serde_json::from_slice(response.body()).ok();
    let text = answer.as_ref().and_then(|answer| answer.get("access_token")).and_then(Value::as_str);
    if let Some(token) = text.and_then(token) {
        ledger.minted(process, token, now);
    }
}

fn token(text: &str) -> Option<Token> {
    let claims = part(text, 1)?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Token {
        jti: claim("jti")?,
        client: claim("client_id")?,
        credential: claim(names::claim::CRED)?,
        kid: part(text, 0)?.get("kid")?.as_str()?.to_owned(),
        expires_at: UnixTime::from_seconds(claims.get("exp")?.as_u64()?),
        bound: claims.get("cnf").is_some(),
        text: text.to_owned(),
    })
}
