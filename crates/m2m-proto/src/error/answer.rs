//! What an answer means that is not the success hoped for: a verdict, a bad
//! moment, or a misbehaving peer. The same for every endpoint that a client asks.
//!
//! Sections: RFC 6749 section 5.2; RFC 7009 section 2.2.1; RFC 7662 section 2.3;
//!   RFC 9110 section 15
//! Enforces, in this order:
//!
//! 1. 429 and 5xx say "not now", whatever their body says;
//! 2. 3xx is never followed and never a verdict;
//! 3. 4xx is a verdict only if it carries an OAuth error.
//!
//! Does not enforce: anything about successes; each message's `decode` does.
//!
//! Nothing of a successful answer's body is ever part of an error, for it may
//! hold a token; of other bodies, only a well-formed OAuth error.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::response::{ErrorShape, showable};
use super::{ErrorResponse, RetryAfter};
use crate::jose::{ClaimsError, JwsError};
use crate::json::{self, JsonError, JsonLimits};
use crate::names::{header, param};
use crate::scope::ScopeError;
use crate::token::AccessTokenTextError;
use crate::uri::{EndpointUri, Origin};

/// Why a request to an endpoint did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
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
    /// A success that does not hold what it should.
    #[error("answered {} with a malformed response", .status.as_u16())]
    Malformed {
        /// The status.
        status: StatusCode,
        /// What is wrong.
        #[source]
        what: MalformedResponse,
    },
}

/// What is wrong with a successful answer. Carries nothing of its body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedResponse {
    /// A status that this message never has.
    #[error("the status is none that this answer can have")]
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
    /// A member that must be there is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member has the wrong JSON type, or `error` is no error code.
    #[error("{0} has the wrong JSON type or text")]
    MemberType(&'static str),
    /// `access_token` is not a text that could be a token.
    #[error("access_token is malformed: {0}")]
    AccessToken(AccessTokenTextError),
    /// `expires_in` is negative, NaN, or no number.
    #[error("expires_in is not a non-negative number of seconds")]
    ExpiresIn,
    /// `scope` breaks its grammar.
    #[error("scope is malformed: {0}")]
    Scope(ScopeError),
    /// A claim about the token has the wrong type, or there are too many.
    #[error("the claims are malformed: {0}")]
    Claims(ClaimsError),
    /// A signed answer was asked for, and this is none.
    #[error("the answer is not the signed one that was asked for")]
    NotSigned,
    /// A signed answer is not a compact JWS that we read.
    #[error("the signed answer is malformed: {0}")]
    Jws(JwsError),
}

/// Sorts out every answer whose status is not one of `successes`.
pub(crate) fn check_status(
    response: &Response<Bytes>,
    successes: &[StatusCode],
) -> Result<(), ResponseError> {
    check_status_as(response, successes, &[])
}

/// The same, with errors in these shapes, too.
pub(crate) fn check_status_as(
    response: &Response<Bytes>,
    successes: &[StatusCode],
    shapes: &[ErrorShape],
) -> Result<(), ResponseError> {
    let status = response.status();
    let retry_after = || RetryAfter::parse(response.headers());
    let error = || ErrorResponse::decode_as(response, shapes);
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Err(ResponseError::Unavailable { status, error: error(), retry_after: retry_after() });
    }
    if status.is_redirection() {
        return Err(ResponseError::Redirected { status, to: redirect_origin(response.headers()) });
    }
    if status.is_client_error() {
        return Err(match error() {
            Some(error) => ResponseError::Refused { status, error },
            None => ResponseError::NotOauth {
                status,
                content_type: content_type(response.headers()),
                bytes: response.body().len(),
                retry_after: retry_after(),
            },
        });
    }
    if !successes.contains(&status) {
        return Err(ResponseError::Malformed { status, what: MalformedResponse::Status });
    }
    Ok(())
}

/// The members of a successful answer; an `error` among them makes it a refusal.
pub(crate) fn members(response: &Response<Bytes>) -> Result<Map<String, Value>, ResponseError> {
    let status = response.status();
    let members = json::parse_object(response.body(), &JsonLimits::DOCUMENT).map_err(|reason| {
        let content_type = content_type(response.headers());
        let what = MalformedResponse::NotJson { content_type, bytes: response.body().len(), reason };
        ResponseError::Malformed { status, what }
    })?;
    if let Some(error) = ErrorResponse::from_members(&members) {
        return Err(ResponseError::Refused { status, error });
    }
    match members.get(param::ERROR) {
        // Some servers write the member and leave it empty.
        None | Some(Value::Null) => Ok(members),
        Some(Value::String(code)) if code.is_empty() => Ok(members),
        // It says "error" in words that we cannot read. That is no success either.
        Some(_) => {
            let what = MalformedResponse::MemberType(param::ERROR);
            Err(ResponseError::Malformed { status, what })
        }
    }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    text.split(';').next().map(|t| showable(t).chars().take(64).collect())
}

fn redirect_origin(headers: &HeaderMap) -> Option<Origin> {
    let location = headers.get(http::header::LOCATION)?.to_str().ok()?;
    EndpointUri::parse(location.split('#').next()?).ok().map(|uri| uri.origin().clone())
}
