//! The answer to a token request: what counts as a token, what as a verdict,
//! and what as neither.
//!
//! Sections: RFC 6749 sections 5.1, 5.2; RFC 8693 section 2.2.1
//! Enforces, when read, in this order:
//!
//! 1. what every answer must pass: [`crate::error::answer`];
//! 2. 200 and 201 carry a JSON object; with an `error` it is that error;
//! 3. `access_token` is a string that fits into a header; the types of
//!    `token_type`, `expires_in`, `scope` and `issued_token_type`; no negative
//!    life.
//!
//! Tolerates, because real services do it: a missing `token_type` (Bearer, and
//!   said so), `expires_in` as numeric string or fraction, `scope` empty or as an
//!   array, JSON under another content type, unknown members.
//! Enforces, when written: never cached; numbers as numbers; no member twice.
//! Does not enforce: that type, scope and life are what was asked for; a longest
//!   life (the caller caps).
//! Limits: 256 KiB of body, 16 KiB of token.

use std::fmt;
use std::time::Duration;

use super::object::ObjectWriter;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::dialect::{LifetimeUnit, ResponseDialect};
use super::{AccessToken, TokenType};
use crate::error::answer::{self, check_status_as};
use crate::error::response::{no_store, showable};
use crate::error::{MalformedResponse, ResponseError};
use crate::grant::token_exchange::TokenTypeUri;
use crate::names::{header, media_type, param};
use crate::scope::Scope;
use crate::time::UnixTime;

/// How long the token lives, by the server's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// That long from the moment of the answer.
    In(Duration),
    /// Not said: unknown, neither zero nor forever (RFC 6749 section 5.1).
    Absent,
    /// Zero: usable once at most, never to be cached.
    Zero,
    /// Until that moment by the server's clock, for services that say this
    /// instead of a life.
    Until(UnixTime),
}

impl ExpiresIn {
    /// Longer lives are read as this one: 100 years.
    pub const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// Reads the member that holds a life: a number, or digits as text, with
    /// at most one point between them; not `inf`, `nan`, `1e9`, `+1`. Absent,
    /// `null` and empty are [`ExpiresIn::Absent`].
    ///
    /// # Errors
    /// [`MalformedResponse::ExpiresIn`]: another type, another text, or less
    /// than zero.
    // spec: 6749-C7
    pub fn read(value: Option<&Value>, unit: LifetimeUnit) -> Result<Self, MalformedResponse> {
        let seconds = match value {
            None | Some(Value::Null) => return Ok(Self::Absent),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(Self::Absent),
            Some(Value::String(text)) => decimal(text.trim()),
            Some(_) => None,
        };
        let seconds = seconds.filter(|s| s.is_finite() && *s >= 0.0).ok_or(MalformedResponse::ExpiresIn)?;
        let seconds = match unit {
            LifetimeUnit::Seconds => seconds,
            LifetimeUnit::Milliseconds => seconds / 1000.0,
        };
        let life = Duration::try_from_secs_f64(seconds).unwrap_or(Self::MAX).min(Self::MAX);
        Ok(if life.is_zero() { Self::Zero } else { Self::In(life) })
    }

    /// The life, if one was said.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::In(life) => Some(life),
            Self::Zero => Some(Duration::ZERO),
            Self::Absent | Self::Until(_) => None,
        }
    }
}

/// A successful token response.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenResponse {
    /// `access_token`.
    pub access_token: AccessToken,
    /// `token_type`. Whether an unknown type is acceptable is the caller's
    /// decision; it must not be presented (RFC 6749 section 7.1).
    pub token_type: TokenType,
    /// Whether `token_type` was missing and Bearer assumed. Never written.
    pub token_type_missing: bool,
    /// `expires_in`.
    pub expires_in: ExpiresIn,
    /// `scope`; `None` means "as asked" (RFC 6749 section 5.1).
    pub scope: Option<Scope>,
    /// `issued_token_type`: what a token exchange issued. Not a member of the
    /// answers to other grants.
    pub issued_token_type: Option<TokenTypeUri>,
    /// All other members. They may hold secrets (`refresh_token`, `id_token`),
    /// so `Debug` shows their names only.
    pub extra: Map<String, Value>,
}

/// Why there is no token; [`crate::error::ResponseError`] under the name of this
/// message.
pub type TokenResponseError = ResponseError;

const SUCCESSES: [StatusCode; 2] = [StatusCode::OK, StatusCode::CREATED];

impl TokenResponse {
    /// Reads an answer of any status.
    ///
    /// # Errors
    /// [`TokenResponseError`]: who is at fault, and whether it is a verdict.
    // spec: 6749-C6 6749-C7
    pub fn decode(response: &Response<Bytes>) -> Result<Self, TokenResponseError> {
        Self::decode_as(response, &ResponseDialect::default())
    }

    /// Reads an answer as this service writes it.
    ///
    /// # Errors
    /// As [`TokenResponse::decode`].
    pub fn decode_as(
        response: &Response<Bytes>,
        dialect: &ResponseDialect,
    ) -> Result<Self, TokenResponseError> {
        check_status_as(response, &SUCCESSES, &dialect.errors)?;
        let status = response.status();
        Self::from_members(answer::members(response)?, dialect)
            .map_err(|what| ResponseError::Malformed { status, what })
    }

    fn from_members(
        mut members: Map<String, Value>,
        dialect: &ResponseDialect,
    ) -> Result<Self, MalformedResponse> {
        let access_token = match members.remove(&dialect.token) {
            Some(Value::String(text)) => {
                AccessToken::parse(&Zeroizing::new(text)).map_err(MalformedResponse::AccessToken)?
            }
            None | Some(Value::Null) => return Err(MalformedResponse::Missing(param::ACCESS_TOKEN)),
            Some(_) => return Err(MalformedResponse::MemberType(param::ACCESS_TOKEN)),
        };
        let token_type = match members.remove(param::TOKEN_TYPE) {
            Some(Value::String(text)) if !text.is_empty() => Some(token_type(&showable(&text), dialect)),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(MalformedResponse::MemberType(param::TOKEN_TYPE)),
        };
        let expires_in = life(&mut members, dialect)?;
        let scope = scope(members.remove(param::SCOPE).as_ref(), dialect.scope_separator)?;
        let issued_token_type = match members.remove(param::ISSUED_TOKEN_TYPE) {
            Some(Value::String(text)) if !text.is_empty() => Some(TokenTypeUri::parse(&showable(&text))),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(MalformedResponse::MemberType(param::ISSUED_TOKEN_TYPE)),
        };
        Ok(Self {
            access_token,
            token_type_missing: token_type.is_none(),
            token_type: token_type.unwrap_or(TokenType::Bearer),
            expires_in,
            scope,
            issued_token_type,
            extra: members,
        })
    }

    /// Writes the answer: 200, JSON, not to be cached. Members of
    /// [`TokenResponse::extra`] that have a field of their own are left out.
    // spec: 6749-AS6
    #[must_use]
    pub fn encode(&self) -> Response<Bytes> {
        let scope = self.scope.as_ref().map(ToString::to_string).unwrap_or_default();
        let issued = IssuedToken {
            access_token: &self.access_token,
            token_type: &self.token_type,
            expires_in: self.expires_in.duration(),
            scope: &scope,
            issued_token_type: self.issued_token_type.as_ref(),
        };
        let mut object = issued.members();
        for (name, value) in self.extra.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            object.value(name, value);
        }
        answer_with(object)
    }
}

/// What a server hands out, borrowed: the members of RFC 6749 section 5.1 in their order. A document in
/// between would cost more time than all else about the answer.
#[derive(Clone, Copy, Debug)]
pub struct IssuedToken<'a> {
    /// `access_token`.
    pub access_token: &'a AccessToken,
    /// `token_type`.
    pub token_type: &'a TokenType,
    /// `expires_in`, in whole seconds; left out where it is `None`.
    pub expires_in: Option<Duration>,
    /// `scope` as it stands on the wire; left out where it is empty.
    pub scope: &'a str,
    /// `issued_token_type`, which only the answer to a token exchange has (RFC 8693 section 2.2.1).
    pub issued_token_type: Option<&'a TokenTypeUri>,
}

impl IssuedToken<'_> {
    /// Writes the answer: 200, JSON, not to be cached.
    // spec: 6749-AS6
    #[must_use]
    pub fn encode(&self) -> Response<Bytes> {
        answer_with(self.members())
    }

    fn members(&self) -> ObjectWriter {
        let token = self.access_token.expose();
        let mut object = ObjectWriter::with_capacity(token.len() + self.scope.len() + 96);
        object.text(param::ACCESS_TOKEN, token);
        object.text(param::TOKEN_TYPE, self.token_type.as_str());
        if let Some(life) = self.expires_in {
            object.number(param::EXPIRES_IN, life.as_secs());
        }
        if !self.scope.is_empty() {
            object.text(param::SCOPE, self.scope);
        }
        // spec: 8693-AS1
        if let Some(kind) = self.issued_token_type.filter(|kind| !kind.as_str().is_empty()) {
            object.text(param::ISSUED_TOKEN_TYPE, kind.as_str());
        }
        object
    }
}

fn answer_with(object: ObjectWriter) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(object.finish()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    no_store(headers);
    response
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("token_type_missing", &self.token_type_missing)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope.as_ref().map(ToString::to_string))
            .field("issued_token_type", &self.issued_token_type)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

const OWN: [&str; 5] =
    [param::ACCESS_TOKEN, param::TOKEN_TYPE, param::EXPIRES_IN, param::SCOPE, param::ISSUED_TOKEN_TYPE];

fn token_type(text: &str, dialect: &ResponseDialect) -> TokenType {
    if dialect.bearer_names.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return TokenType::Bearer;
    }
    TokenType::parse(text)
}

/// The life, else the moment of the end, else nothing.
fn life(members: &mut Map<String, Value>, dialect: &ResponseDialect) -> Result<ExpiresIn, MalformedResponse> {
    let stated = match &dialect.expires_in {
        Some(name) => ExpiresIn::read(members.remove(name).as_ref(), dialect.unit)?,
        None => ExpiresIn::Absent,
    };
    let end = dialect.expires_at.as_ref().and_then(|name| members.get(name));
    match (stated, end) {
        (ExpiresIn::Absent, Some(end)) => end_of_life(end),
        (stated, _) => Ok(stated),
    }
}

fn end_of_life(value: &Value) -> Result<ExpiresIn, MalformedResponse> {
    let seconds = |text: &str| decimal(text).map(|seconds| UnixTime::from_millis((seconds * 1000.0) as u64));
    let end = match value {
        Value::Null => return Ok(ExpiresIn::Absent),
        Value::Number(number) => number.as_u64().map(UnixTime::from_seconds),
        Value::String(text) => seconds(text.trim()).or_else(|| UnixTime::parse_rfc3339(text.trim())),
        _ => None,
    };
    end.map(ExpiresIn::Until).ok_or(MalformedResponse::ExpiresIn)
}

/// Digits with at most one point between them; not `inf`, `nan`, `1e9`, `+1`.
fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.parse().ok())?
}

fn scope(value: Option<&Value>, separator: char) -> Result<Option<Scope>, MalformedResponse> {
    let wrong_type = || MalformedResponse::MemberType(param::SCOPE);
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if separator != ' ' => text.replace(separator, " "),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.ok_or_else(wrong_type)?.join(" ")
        }
        Some(_) => return Err(wrong_type()),
    };
    let scope = Scope::parse_lenient(&text).map_err(MalformedResponse::Scope)?;
    Ok(Some(scope).filter(|s| !s.is_empty()))
}

#[cfg(test)]
mod tests;
