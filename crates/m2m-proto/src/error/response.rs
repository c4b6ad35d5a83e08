//! The error response of the token, introspection and revocation endpoints.
//!
//! Sections: RFC 6749 section 5.2; RFC 7009 section 2.2.1; RFC 7662 section 2.3
//! Enforces, when written: a code that is legal at the endpoint; the characters
//!   allowed in descriptions; never cached; 401 with a challenge where the client
//!   used the `Authorization` header.
//! Enforces, when read: a JSON object with a non-empty string `error`; length
//!   and characters of what is kept.
//! Does not enforce: that the status fits; whether the code is a verdict is a
//!   question for the message's own `decode`.
//! Limits: 64 KiB of body, 1 KiB of description.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::{AuthScheme, Challenge, Endpoint, ErrorCode, WireError};
use crate::json::{self, JsonLimits};
use crate::names::{header, media_type, param};
use crate::text;

const LIMITS: JsonLimits = JsonLimits { max_bytes: 64 * 1024, max_depth: 16 };
const MAX_TEXT_BYTES: usize = 1024;

/// An OAuth error as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The code.
    pub error: ErrorCode,
    /// Text for the developer at the other side.
    pub error_description: Option<String>,
    /// A page about the error.
    pub error_uri: Option<String>,
}

/// Where an error body that is not RFC 6749's holds what: JSON pointers
/// (RFC 6901) such as `/errors/0/code`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The code: a string or a number. Characters that no code may have become
    /// `_`.
    pub code: String,
    /// The text for people, if there is one.
    pub description: Option<String>,
}

impl ErrorShape {
    fn read(&self, body: &Value) -> Option<ErrorResponse> {
        let code = text_at(body, &self.code)?;
        let error = ErrorCode::parse(&code).or_else(|| ErrorCode::parse(&as_code(&code)))?;
        let description = self.description.as_deref().and_then(|pointer| text_at(body, pointer));
        // Where the code was a sentence, it is the description.
        let description = description.or_else(|| (error.as_str() != code).then_some(code));
        let error_description = description.map(|text| showable(&text)).filter(|text| !text.is_empty());
        Some(ErrorResponse { error, error_description, error_uri: None })
    }
}

fn text_at(body: &Value, pointer: &str) -> Option<String> {
    match body.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn as_code(text: &str) -> String {
    let fine = |c: char| u8::try_from(c).is_ok_and(text::is_nqchar);
    text.chars().take(ErrorCode::MAX_BYTES).map(|c| if fine(c) { c } else { '_' }).collect()
}

/// How the client that gets an error had authenticated, or tried to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticatedBy {
    /// With the `Authorization` header: a failure is 401 with a challenge.
    Header,
    /// In the body, by certificate, or not at all.
    Other,
}

impl ErrorResponse {
    /// A response with a code alone.
    #[must_use]
    pub fn new(error: ErrorCode) -> Self {
        Self { error, error_description: None, error_uri: None }
    }

    /// The same with a description, which strangers will read.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.error_description = Some(description.into());
        self
    }

    /// What a stranger may learn about a fact.
    #[must_use]
    pub fn of(fact: &dyn WireError) -> Self {
        Self::new(fact.code()).with_description(fact.description())
    }

    /// Reads an OAuth error out of a response of any status, 200 included; the
    /// content type is not looked at, because errors come with many. `None` if
    /// the body is no JSON object or has no `error` that is a code.
    ///
    /// Descriptions are cut to 1 KiB and stripped of control characters, so
    /// that they can be shown. A server may repeat in them what we sent.
    #[must_use]
    pub fn decode(response: &Response<Bytes>) -> Option<Self> {
        Self::from_members(&json::parse_object(response.body(), &LIMITS).ok()?)
    }

    /// As [`ErrorResponse::decode`]; where the body has no `error`, in the first
    /// of these shapes that has a code.
    #[must_use]
    pub fn decode_as(response: &Response<Bytes>, shapes: &[ErrorShape]) -> Option<Self> {
        let members = json::parse_object(response.body(), &LIMITS).ok()?;
        Self::from_members(&members).or_else(|| {
            let body = Value::Object(members);
            shapes.iter().find_map(|shape| shape.read(&body))
        })
    }

    pub(crate) fn from_members(members: &Map<String, Value>) -> Option<Self> {
        let string = |name| members.get(name).and_then(Value::as_str);
        let error = ErrorCode::parse(string(param::ERROR)?)?;
        let shown = |name| string(name).map(showable).filter(|t| !t.is_empty());
        Some(Self {
            error,
            error_description: shown(param::ERROR_DESCRIPTION),
            error_uri: shown(param::ERROR_URI),
        })
    }

    /// Writes the response with status, headers and body.
    ///
    /// A code that `endpoint` may not send becomes `server_error` without a
    /// description: a defect here must not tell strangers more than that.
    // spec: 6749-AS6 6749-AS8
    #[must_use]
    pub fn encode(&self, endpoint: Endpoint, auth: AuthenticatedBy) -> Response<Bytes> {
        if !self.error.allowed_at(endpoint) && self.error != ErrorCode::ServerError {
            return Self::new(ErrorCode::ServerError).encode(endpoint, auth);
        }
        let challenged = self.error == ErrorCode::InvalidClient && auth == AuthenticatedBy::Header;
        let status = if challenged { StatusCode::UNAUTHORIZED } else { self.error.status(endpoint) };
        let mut response = json_response(status, &Value::Object(self.to_members()));
        if challenged {
            let basic = Challenge { realm: Some(REALM.to_owned()), ..Challenge::new(AuthScheme::Basic) };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic.encode());
        }
        response
    }

    fn to_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert(param::ERROR.into(), self.error.as_str().into());
        if let Some(description) = self.error_description.as_deref().map(sendable) {
            members.insert(param::ERROR_DESCRIPTION.into(), description.into());
        }
        if let Some(uri) = self.error_uri.as_deref().filter(|u| u.bytes().all(text::is_nqchar)) {
            members.insert(param::ERROR_URI.into(), uri.into());
        }
        members
    }
}

/// The realm of our Basic challenges. It has no meaning to any client.
const REALM: &str = "oauth2";

/// A JSON response that nobody may cache (RFC 6749 section 5.1).
// spec: 6749-AS6
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Bytes> {
    json_bytes(status, Bytes::from(body.to_string()))
}

/// As [`json_response`], for what is text already.
pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
    no_store(headers);
    response
}

/// Marks a response as one that nobody may cache.
pub(crate) fn no_store(headers: &mut http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

/// The text with every character that `error_description` may not have replaced
/// by `'` (for quotes) or `?`, at most 1 KiB of it.
// spec: 6749-AS8a
pub(crate) fn sendable(text: &str) -> String {
    let allowed = |c: char| u8::try_from(c).is_ok_and(text::is_nqschar);
    let replace = |c: char| match c {
        _ if allowed(c) => c,
        '"' => '\'',
        _ => '?',
    };
    text.chars().map(replace).take(MAX_TEXT_BYTES).collect()
}

/// What a peer wrote, made fit to be shown on a terminal or in a log: control
/// characters, and those that turn the direction of text, become spaces.
pub(crate) fn showable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    let mut shown = String::new();
    for c in text.trim().chars().map(|c| if hidden(c) { ' ' } else { c }) {
        if shown.len() + c.len_utf8() > MAX_TEXT_BYTES {
            break;
        }
        shown.push(c);
    }
    shown
}

#[cfg(test)]
mod tests;
