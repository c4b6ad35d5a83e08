//! The answer to a token request: what counts as a token, what as a verdict,
//! and what as neither.
//!
//! Sections: RFC 6749 sections 5.1, 5.2; RFC 8693 section 2.2.1
//! Enforces, when read, in this order:
//!   1. 429 and 5xx say "not now", whatever their body says;
//!   2. 3xx is never followed and never a verdict;
//!   3. 4xx is a verdict only if it carries an OAuth error;
//!   4. 200 and 201 carry a JSON object; with an `error` it is that error;
//!   5. `access_token` is a string that fits into a header; the types of
//!      `token_type`, `expires_in` and `scope`; no negative life.
//! Tolerates, because real services do it: a missing `token_type` (Bearer, and
//!   said so), `expires_in` as numeric string or fraction, `scope` empty or as an
//!   array, JSON under another content type, unknown members.
//! Enforces, when written: never cached; numbers as numbers; no member twice.
//! Does not enforce: that type, scope and life are what was asked for; a longest
//!   life (the caller caps).
//! Limits: 256 KiB of body, 16 KiB of token.
//!
//! Nothing of a successful answer's body is ever part of an error, for it may
//! hold a token; of other bodies, only a well-formed OAuth error.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::{AccessToken, AccessTokenTextError, TokenType};
use crate::error::response::{no_store, showable};
use crate::error::{ErrorResponse, RetryAfter};
use crate::json::{self, JsonError, JsonLimits};
use crate::names::{header, media_type, param};
use crate::scope::{Scope, ScopeError};
use crate::uri::{EndpointUri, Origin};

/// How long the token lives, by the server's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// That long from the moment of the answer.
    In(Duration),
    /// Not said: unknown, neither zero nor forever (RFC 6749 section 5.1).
    Absent,
    /// Zero: usable once at most, never to be cached.
    Zero,
}

impl ExpiresIn {
    /// Longer lives are read as this one: 100 years.
    pub const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// The life, if it was said.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::In(life) => Some(life),
            Self::Zero => Some(Duration::ZERO),
            Self::Absent => None,
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
    /// All other members. They may hold secrets (`refresh_token`, `id_token`),
    /// so `Debug` shows their names only.
    pub extra: Map<String, Value>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenResponseError {
    /// The server's verdict: an OAuth error on a 4xx, 200 or 201.
    #[error("refused with {} ({})", .error.error, .status.as_u16())]
    Refused {
        /// The status.
        status: StatusCode,
        /// The error.
        error: ErrorResponse,
    },
    /// 429 or 5xx: never a verdict, even with an OAuth error in its body.
    #[error("not available ({})", .status.as_u16())]
    Unavailable {
        /// The status.
        status: StatusCode,
        /// The OAuth error of the body, if there was one: detail only.
        error: Option<ErrorResponse>,
        /// When the server wants to be asked again.
        retry_after: Option<RetryAfter>,
    },
    /// A redirect. Credentials are never sent on.
    #[error("redirected ({})", .status.as_u16())]
    Redirected {
        /// The status.
        status: StatusCode,
        /// Where to, if that is readable; without the path, which may hold a
        /// secret.
        to: Option<Origin>,
    },
    /// A 4xx without an OAuth error: a proxy, a firewall, a wrong URL.
    #[error("answered {} without an OAuth error", .status.as_u16())]
    NotOauth {
        /// The status.
        status: StatusCode,
        /// The content type, without parameters.
        content_type: Option<String>,
        /// The length of the body.
        bytes: usize,
        /// When the server wants to be asked again.
        retry_after: Option<RetryAfter>,
    },
    /// A success that holds no readable token.
    #[error("answered {} with a malformed token response", .status.as_u16())]
    Malformed {
        /// The status.
        status: StatusCode,
        /// What is wrong.
        #[source]
        what: MalformedTokenResponse,
    },
}

/// What is wrong with a successful answer. Carries nothing of its body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedTokenResponse {
    /// A status that token responses never have.
    #[error("the status is neither 200 nor 201")]
    Status,
    /// Not a JSON object.
    #[error("the body ({}, {bytes} bytes) is not a JSON object: {reason}", .content_type.as_deref().unwrap_or("no content type"))]
    NotJson {
        /// The content type, without parameters.
        content_type: Option<String>,
        /// The length of the body.
        bytes: usize,
        /// Why not.
        reason: JsonError,
    },
    /// `access_token` is absent.
    #[error("access_token is missing")]
    MissingAccessToken,
    /// `access_token` is not a string that could be a token.
    #[error("access_token is malformed: {0}")]
    AccessToken(AccessTokenTextError),
    /// A member has the wrong JSON type.
    #[error("{0} has the wrong JSON type")]
    MemberType(&'static str),
    /// `expires_in` is negative, NaN, or no number.
    #[error("expires_in is not a non-negative number of seconds")]
    ExpiresIn,
    /// `scope` breaks its grammar.
    #[error("scope is malformed: {0}")]
    Scope(ScopeError),
}

impl TokenResponse {
    /// Reads an answer of any status.
    ///
    /// # Errors
    /// [`TokenResponseError`]: who is at fault, and whether it is a verdict.
    // spec: 6749-C6 6749-C7
    pub fn decode(response: &Response<Bytes>) -> Result<Self, TokenResponseError> {
        let status = response.status();
        check_status(response)?;
        let malformed = |what| TokenResponseError::Malformed { status, what };
        let members = json::parse_object(response.body(), &JsonLimits::DOCUMENT).map_err(|reason| {
            malformed(MalformedTokenResponse::NotJson {
                content_type: content_type(response.headers()),
                bytes: response.body().len(),
                reason,
            })
        })?;
        if let Some(error) = ErrorResponse::from_members(&members) {
            return Err(TokenResponseError::Refused { status, error });
        }
        Self::from_members(members).map_err(malformed)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, MalformedTokenResponse> {
        let access_token = match members.remove(param::ACCESS_TOKEN) {
            Some(Value::String(text)) => {
                AccessToken::parse(&text).map_err(MalformedTokenResponse::AccessToken)?
            }
            None | Some(Value::Null) => return Err(MalformedTokenResponse::MissingAccessToken),
            Some(_) => return Err(MalformedTokenResponse::MemberType(param::ACCESS_TOKEN)),
        };
        let token_type = match members.remove(param::TOKEN_TYPE) {
            Some(Value::String(text)) if !text.is_empty() => Some(TokenType::parse(&showable(&text))),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(MalformedTokenResponse::MemberType(param::TOKEN_TYPE)),
        };
        let expires_in = expires_in(members.remove(param::EXPIRES_IN).as_ref())?;
        let scope = scope(members.remove(param::SCOPE).as_ref())?;
        Ok(Self {
            access_token,
            token_type_missing: token_type.is_none(),
            token_type: token_type.unwrap_or(TokenType::Bearer),
            expires_in,
            scope,
            extra: members,
        })
    }

    /// Writes the answer: 200, JSON, not to be cached. Members of
    /// [`TokenResponse::extra`] that have a field of their own are left out.
    // spec: 6749-AS6
    #[must_use]
    pub fn encode(&self) -> Response<Bytes> {
        // Strings and numbers only: serialization cannot fail.
        let body = serde_json::to_vec(&Wire(self)).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
        no_store(headers);
        response
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("access_token", &self.access_token)
            .field("token_type", &self.token_type)
            .field("token_type_missing", &self.token_type_missing)
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope.as_ref().map(ToString::to_string))
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Members in the order of RFC 6749 section 5.1.
struct Wire<'a>(&'a TokenResponse);

const OWN: [&str; 4] = [param::ACCESS_TOKEN, param::TOKEN_TYPE, param::EXPIRES_IN, param::SCOPE];

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TokenResponse { access_token, token_type, expires_in, scope, extra, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(param::ACCESS_TOKEN, access_token.expose())?;
        map.serialize_entry(param::TOKEN_TYPE, token_type.as_str())?;
        if let Some(life) = expires_in.duration() {
            map.serialize_entry(param::EXPIRES_IN, &life.as_secs())?;
        }
        if let Some(scope) = scope.as_ref().filter(|s| !s.is_empty()) {
            map.serialize_entry(param::SCOPE, &scope.to_string())?;
        }
        for (name, value) in extra.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Sorts out every answer that cannot be a success.
fn check_status(response: &Response<Bytes>) -> Result<(), TokenResponseError> {
    let status = response.status();
    let retry_after = || RetryAfter::parse(response.headers());
    let error = || ErrorResponse::decode(response);
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(TokenResponseError::Unavailable { status, error: error(), retry_after: retry_after() });
    }
    if status.is_redirection() {
        return Err(TokenResponseError::Redirected { status, to: redirect_origin(response.headers()) });
    }
    if status.is_client_error() {
        return Err(match error() {
            Some(error) => TokenResponseError::Refused { status, error },
            None => TokenResponseError::NotOauth {
                status,
                content_type: content_type(response.headers()),
                bytes: response.body().len(),
                retry_after: retry_after(),
            },
        });
    }
    if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
        return Err(TokenResponseError::Malformed { status, what: MalformedTokenResponse::Status });
    }
    Ok(())
}

// spec: 6749-C7
fn expires_in(value: Option<&Value>) -> Result<ExpiresIn, MalformedTokenResponse> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(ExpiresIn::Absent),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(ExpiresIn::Absent),
        Some(Value::String(text)) => decimal(text.trim()),
        Some(_) => None,
    };
    let seconds = seconds.filter(|s| s.is_finite() && *s >= 0.0).ok_or(MalformedTokenResponse::ExpiresIn)?;
    let life = Duration::try_from_secs_f64(seconds).unwrap_or(ExpiresIn::MAX).min(ExpiresIn::MAX);
    Ok(if life.is_zero() { ExpiresIn::Zero } else { ExpiresIn::In(life) })
}

/// Digits with at most one point between them; not `inf`, `nan`, `1e9`, `+1`.
fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.parse().ok())?
}

fn scope(value: Option<&Value>) -> Result<Option<Scope>, MalformedTokenResponse> {
    let wrong_type = || MalformedTokenResponse::MemberType(param::SCOPE);
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.ok_or_else(wrong_type)?.join(" ")
        }
        Some(_) => return Err(wrong_type()),
    };
    let scope = Scope::parse_lenient(&text).map_err(MalformedTokenResponse::Scope)?;
    Ok(Some(scope).filter(|s| !s.is_empty()))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    text.split(';').next().map(|t| showable(t).chars().take(64).collect())
}

fn redirect_origin(headers: &HeaderMap) -> Option<Origin> {
    let location = headers.get(http::header::LOCATION)?.to_str().ok()?;
    EndpointUri::parse(location.split('#').next()?).ok().map(|uri| uri.origin().clone())
}

#[cfg(test)]
mod tests;
