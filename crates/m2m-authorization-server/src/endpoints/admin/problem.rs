//! What the admin API answers when it does not do what was asked: problem details.
//!
//! Sections: RFC 9457 §3; RFC 6750 §3

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use m2m_proto::names::{header, media_type};
use serde_json::json;

use crate::error::{Error, ErrorKind};
use crate::store::StoreError;

/// When to come back, where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

/// A refusal with its reason, for people and for programs.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// `WWW-Authenticate`, and a nonce.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// When to come back, where it is temporary.
    retry_after: Duration,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), headers: Vec::new(), retry_after: SOON }
    }

    /// The request cannot be understood.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// It is understood, and names what cannot be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    pub(crate) fn unknown(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", format!("there is no {what} {name}"))
    }

    pub(crate) fn exists(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "exists", detail)
    }

    pub(crate) fn media_type() -> Self {
        let detail = "the body must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", detail)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body has more than 1 MiB")
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not come in time")
    }

    /// Our bug; what it was stays in the log.
    pub(crate) fn internal(reason: &str) -> Self {
        tracing::error!(reason, "an administrative act failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says why")
    }

    /// It cannot be done now, and nothing was done.
    pub(crate) fn later(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// Too many tokens that are none came from there.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let detail = "too many calls without a valid token came from this address";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", detail);
        Self { retry_after: wait, ..problem }
    }

    /// The token is missing, wrong or not enough.
    pub(crate) fn unauthorized(
        status: StatusCode,
        detail: impl Into<String>,
        challenges: Vec<HeaderValue>,
    ) -> Self {
        let code = if status == StatusCode::FORBIDDEN { "forbidden" } else { "unauthorized" };
        let headers = challenges.into_iter().map(|challenge| (header::WWW_AUTHENTICATE, challenge)).collect();
        Self { headers, ..Self::new(status, code, detail) }
    }

    /// The same, with a nonce for the next proof.
    pub(crate) fn with_nonce(mut self, nonce: Option<HeaderValue>) -> Self {
        self.headers.extend(nonce.map(|nonce| (header::DPOP_NONCE, nonce)));
        self
    }

    /// Nothing is at this path.
    pub(crate) async fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", "there is nothing at this path; /openapi.json lists them")
    }

    pub(crate) async fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not have that method")
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            ErrorKind::Conflict => Self::new(StatusCode::CONFLICT, "conflict", detail),
            ErrorKind::Outdated => Self::new(StatusCode::PRECONDITION_FAILED, "version", detail),
            ErrorKind::Invalid | ErrorKind::Misconfigured => Self::invalid(detail),
            ErrorKind::Unknown => Self::new(StatusCode::NOT_FOUND, "unknown", detail),
            ErrorKind::Unavailable => {
                tracing::warn!(reason = detail, "an administrative act has to wait");
                Self::later(
                    "the database does not answer; look whether the change was made before you repeat it",
                )
            }
            ErrorKind::Full => Self::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail),
            ErrorKind::Internal => Self::internal(&detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(),
            "detail": self.detail, "code": self.code,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&self.status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after.as_secs().max(1)));
        }
        response
    }
}
