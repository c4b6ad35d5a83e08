//! Calls of the admin API: by the router of this very server, with the token of who is signed in.
//!
//! Enforces: whatever the console shows or does goes through `/admin/v1`, so it can do nothing that the API cannot; the
//! address of the browser goes with each call, so that wrong tokens count against it. Limits: answers of 16 MiB.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, RETRY_AFTER};
use http::{HeaderValue, Method, Request, StatusCode};
use m2m_authorization_server::ClientAddress;
use m2m_authorization_server::admin::ADMIN_PATH;
use m2m_proto::names::{auth_scheme, media_type};
use m2m_proto::secret::SecretString;
use serde_json::Value;
use tower::ServiceExt as _;

const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Why the API did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The problem's own code, as the API's description lists them.
    pub(super) code: String,
    pub(super) detail: String,
    /// Seconds until it may be tried again.
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn of(status: StatusCode, detail: &str) -> Self {
        Self { status, code: String::new(), detail: detail.to_owned(), retry_after: None }
    }

    /// Whether somebody else changed the thing meanwhile.
    pub(super) fn is_outdated(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// Whether the form can be mended and sent again.
    pub(super) fn is_about_the_form(&self) -> bool {
        matches!(
            self.status,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT | StatusCode::BAD_REQUEST
        )
    }
}

/// One call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    /// Below `/admin/v1`, percent-encoded.
    path: &'a str,
    body: Option<Value>,
    /// Only if the object has this version.
    version: Option<&'a str>,
    /// A repeat with the same key makes nothing anew.
    key: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, body: None, version: None, key: "" }
    }

    pub(super) fn post(path: &'a str, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub(super) fn patch(path: &'a str, body: Value) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::get(path) }
    }

    pub(super) fn delete(path: &'a str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// The version that the caller decided on; one that a form left out fits none.
    pub(super) fn at(self, version: &'a str) -> Self {
        Self { version: Some(version), ..self }
    }

    pub(super) fn once(self, key: &'a str) -> Self {
        Self { key, ..self }
    }
}

/// Who calls.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) router: &'a Router,
    /// The issuer's path without a slash at its end.
    pub(super) base_path: &'a str,
    pub(super) token: &'a SecretString,
    pub(super) address: Option<ClientAddress>,
}

impl Caller<'_> {
    /// What the API answers; `null` where it answers nothing.
    ///
    /// # Errors
    /// The problem that it answers.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Value, Refusal> {
        let wrong = || Refusal::of(StatusCode::BAD_REQUEST, "this cannot be sent");
        let (status, headers, body) = run(self.router, self.request(call).ok_or_else(wrong)?).await?;
        if status.is_success() {
            return Ok(body);
        }
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let member = |name| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(Refusal { status, code: member("code"), detail: member("detail"), retry_after })
    }

    fn request(&self, call: Call<'_>) -> Option<Request<Body>> {
        let uri = format!("{}{ADMIN_PATH}{}", self.base_path, call.path);
        let mut bearer =
            HeaderValue::from_str(&format!("{} {}", auth_scheme::BEARER, self.token.expose())).ok()?;
        bearer.set_sensitive(true);
        let mut request = Request::builder().method(call.method).uri(uri).header(AUTHORIZATION, bearer);
        if let Some(version) = call.version {
            request = request.header(IF_MATCH, format!("\"{version}\""));
        }
        if !call.key.is_empty() {
            request = request.header("idempotency-key", call.key);
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, media_type::JSON);
        }
        let body = call.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.body(body).ok()?;
        request.extensions_mut().extend_with(self.address);
        Some(request)
    }
}

/// The address of the browser goes with what is asked for it.
pub(super) trait WithAddress {
    fn extend_with(&mut self, address: Option<ClientAddress>);
}

impl WithAddress for http::Extensions {
    fn extend_with(&mut self, address: Option<ClientAddress>) {
        if let Some(address) = address {
            self.insert(address);
        }
    }
}

/// Runs a request through the server, and reads the answer as JSON.
///
/// # Errors
/// An answer that is too long.
pub(super) async fn run(
    router: &Router,
    request: Request<Body>,
) -> Result<(StatusCode, http::HeaderMap, Value), Refusal> {
    let answer = match router.clone().oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let (parts, body) = answer.into_parts();
    let too_long = |_| Refusal::of(StatusCode::BAD_GATEWAY, "the answer is longer than this page can show");
    let bytes = to_bytes(body, MAX_ANSWER).await.map_err(too_long)?;
    Ok((parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}
