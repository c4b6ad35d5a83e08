//! An answer without its secrets.
//!
//! Kept are: status, time of the server, content type, quota headers, length; the whole body only of public documents
//! (metadata, key sets). Of a token endpoint's answer it keeps harmless members, and of a JWT header and claims, never
//! its text.
//! Limits: texts of a peer are cut after 200 characters, and hold nothing that a terminal obeys.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Response, StatusCode};
use m2m_proto::error::{MalformedResponse, http_date};
use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::param;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{ExpiresIn, LifetimeUnit};
use serde_json::{Map, Value};

use crate::output::printable;

/// Texts of a peer are cut here.
const LONGEST_TEXT: usize = 200;

/// What a service calls the members of its token answer, and what else is its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// The token.
    pub token: String,
    /// Its life.
    pub expires_in: String,
    /// The unit of that.
    pub unit: LifetimeUnit,
    /// The member with its end as a point in time; empty if there is none.
    pub expires_at: String,
    /// Headers that speak of its quota.
    pub quota: Vec<String>,
    /// Whether tokens may be looked into.
    pub tokens: Readable,
}

/// Whether a token may be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// If it is a JWT.
    Jwt,
    /// Never: the service or the settings say so.
    Nothing,
}

impl Default for Dictionary {
    /// Those of RFC 6749 section 5.1.
    fn default() -> Self {
        Self {
            token: param::ACCESS_TOKEN.to_owned(),
            expires_in: param::EXPIRES_IN.to_owned(),
            unit: LifetimeUnit::Seconds,
            expires_at: String::new(),
            quota: Vec::new(),
            tokens: Readable::Jwt,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What the server's clock said, with the time that the answer lay in a cache (`Age`) added.
    pub date: Option<UnixTime>,
    /// The content type without parameters.
    pub content_type: Option<String>,
    /// Headers that speak of quotas and waiting.
    pub quota: Vec<(String, String)>,
    /// Length of the body.
    pub bytes: usize,
    /// What the body is.
    pub body: Body,
}

/// What a body is.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A web page, by its first characters.
    Html,
    /// Neither JSON nor a web page.
    Other,
    /// The JSON object that a `GET` brought.
    Document(Map<String, Value>),
    /// What may be known of the JSON object that a `POST` brought.
    Token(Box<TokenAnswer>),
}

/// The answer of a token endpoint without what must not be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenAnswer {
    /// Whether there is an `access_token`.
    pub token: Option<TokenShape>,
    /// `error`, as sent.
    pub error: Option<String>,
    /// `token_type`, as sent.
    pub token_type: Option<String>,
    /// The life.
    pub expires_in: Life,
    /// Whether its end is said as a point in time.
    pub has_end: bool,
    /// `scope`, as sent; an array joined by spaces.
    pub scope: Option<String>,
}

/// The life that a token endpoint states.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// As the engine reads it.
    pub read: Result<ExpiresIn, MalformedResponse>,
    /// As sent, where it is a number, a text or a truth value.
    pub sent: Option<Value>,
}

impl Default for Life {
    /// None is stated.
    fn default() -> Self {
        Self::of(None, LifetimeUnit::Seconds)
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenShape {
    /// Not for clients to read.
    Opaque,
    /// A JWT; its signature is not checked.
    Jwt {
        /// The header's members.
        header: Map<String, Value>,
        /// The claims.
        claims: Map<String, Value>,
    },
}

impl Answer {
    pub(super) fn of(names: Option<&Dictionary>, response: &Response<Bytes>) -> Self {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let age = text(header::AGE)
            .and_then(|age| age.trim().parse().ok())
            .map_or(Duration::ZERO, Duration::from_secs);
        let media = text(header::CONTENT_TYPE).and_then(|media| media.split(';').next());
        Self {
            status: response.status(),
            date: text(header::DATE).and_then(http_date).map(|date| date.saturating_add(age)),
            content_type: media.map(|media| short(media.trim())),
            quota: quota(headers, names.map_or(&[], |names| &names.quota)),
            bytes: response.body().len(),
            body: Body::of(names, response.body()),
        }
    }

    /// The public document that a `GET` brought.
    pub fn document(&self) -> Option<&Map<String, Value>> {
        match &self.body {
            Body::Document(document) => Some(document),
            _ => None,
        }
    }

    /// What the token endpoint said in JSON.
    pub fn token(&self) -> Option<&TokenAnswer> {
        match &self.body {
            Body::Token(answer) => Some(answer),
            _ => None,
        }
    }
}

impl Body {
    fn of(names: Option<&Dictionary>, body: &[u8]) -> Self {
        match (parse_object(body, &JsonLimits::DOCUMENT), names) {
            (Ok(document), None) => Self::Document(document),
            (Ok(members), Some(names)) => Self::Token(Box::new(TokenAnswer::of(&members, names))),
            (Err(_), _) if body.iter().all(u8::is_ascii_whitespace) => Self::Empty,
            (Err(_), _) if is_markup(body) => Self::Html,
            (Err(_), _) => Self::Other,
        }
    }
}

impl TokenAnswer {
    fn of(members: &Map<String, Value>, names: &Dictionary) -> Self {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let scope = match members.get(param::SCOPE) {
            Some(Value::String(text)) => Some(short(text)),
            Some(Value::Array(items)) => {
                Some(short(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")))
            }
            _ => None,
        };
        Self {
            token: text(&names.token).map(|token| match names.tokens {
                Readable::Jwt => TokenShape::of(token),
                Readable::Nothing => TokenShape::Opaque,
            }),
            error: text(param::ERROR).filter(|code| !code.is_empty()).map(short),
            token_type: text(param::TOKEN_TYPE).map(short),
            expires_in: Life::of(members.get(&names.expires_in), names.unit),
            has_end: members.get(&names.expires_at).is_some_and(|end| !end.is_null()),
            scope,
        }
    }
}

impl Life {
    /// Reads the member.
    pub fn of(value: Option<&Value>, unit: LifetimeUnit) -> Self {
        let sent = match value {
            Some(Value::String(text)) => Some(Value::String(short(text))),
            Some(Value::Number(_) | Value::Bool(_)) => value.cloned(),
            _ => None,
        };
        Self { read: ExpiresIn::read(value, unit), sent }
    }
}

impl TokenShape {
    /// A text of three parts, of which the first two are JSON objects in base64url, is a JWT.
    fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let object = |part: &str| parse_object(&base64url::decode(part).ok()?, &JsonLimits::CLAIMS).ok();
        match parts.as_slice() {
            [header, claims, _] => match (object(header), object(claims)) {
                (Some(header), Some(claims)) => Self::Jwt { header, claims },
                _ => Self::Opaque,
            },
            _ => Self::Opaque,
        }
    }
}

/// Headers of RFC 9110 section 10.2.3 and of what services send until there is a standard.
fn quota(headers: &HeaderMap, own: &[String]) -> Vec<(String, String)> {
    let speaks = |name: &str| {
        ["retry-after", "ratelimit", "rate-limit", "quota"].iter().any(|word| name.contains(word))
            || own.iter().any(|own| own.eq_ignore_ascii_case(name))
    };
    let pairs = headers.iter().filter(|(name, _)| speaks(name.as_str()));
    pairs.map(|(name, value)| (name.to_string(), short(&String::from_utf8_lossy(value.as_bytes())))).collect()
}

fn is_markup(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    text.first() == Some(&b'<')
}

fn short(text: &str) -> String {
    printable(text).chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests;
