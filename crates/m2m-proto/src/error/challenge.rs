//! `WWW-Authenticate`: what a protected resource demands, and why it refused.
//!
//! Sections: RFC 9110 sections 11.2 to 11.4, 11.6.1; RFC 6750 section 3;
//!   RFC 9449 section 7.1; RFC 9728 section 5.1; RFC 7617 section 2
//! Enforces, when written: each attribute once; the characters that each may
//!   have; the status of the code table.
//! Enforces, when read: the grammar, from left to right, keeping the challenges
//!   before the first fault of a header line; a challenge that names an attribute
//!   twice is dropped, as is an attribute that does not parse.
//! Does not enforce: that `resource_metadata` may be fetched (egress rules).
//! Limits: 16 KiB and 16 challenges per message, 32 attributes per challenge.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::response::{no_store, sendable, showable};
use super::{Endpoint, ErrorCode, WireError};
use crate::names::{auth_scheme, challenge as attribute, header};
use crate::scope::Scope;
use crate::text;
use crate::uri::EndpointUri;

mod parse;

/// An HTTP authentication scheme.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthScheme {
    /// RFC 7617.
    Basic,
    /// RFC 6750.
    Bearer,
    /// RFC 9449.
    Dpop,
    /// Any other, as it was written.
    Other(String),
}

impl AuthScheme {
    /// Reads a scheme, without regard to case (RFC 9110 section 11.1).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        [Self::Basic, Self::Bearer, Self::Dpop]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
            .unwrap_or_else(|| Self::Other(text.to_owned()))
    }

    /// The scheme as we write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Basic => auth_scheme::BASIC,
            Self::Bearer => auth_scheme::BEARER,
            Self::Dpop => auth_scheme::DPOP,
            Self::Other(text) => text,
        }
    }
}

/// One challenge. Attributes that this crate has no use for are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What to present.
    pub scheme: AuthScheme,
    /// The protection space.
    pub realm: Option<String>,
    /// Why the request was refused; `None` if it came without a token.
    pub error: Option<ErrorCode>,
    /// Text for the developer at the other side.
    pub error_description: Option<String>,
    /// A page about the error.
    pub error_uri: Option<String>,
    /// What the resource wants, with `insufficient_scope`.
    pub scope: Option<Scope>,
    /// Signature algorithms acceptable for DPoP proofs.
    pub algs: Vec<String>,
    /// Where the resource describes itself (RFC 9728).
    pub resource_metadata: Option<EndpointUri>,
}

impl Challenge {
    /// A bare challenge: what a request without any token gets (RFC 6750
    /// section 3.1).
    // spec: 6750-RS2
    #[must_use]
    pub fn new(scheme: AuthScheme) -> Self {
        Self {
            scheme,
            realm: None,
            error: None,
            error_description: None,
            error_uri: None,
            scope: None,
            algs: Vec::new(),
            resource_metadata: None,
        }
    }

    /// A challenge that tells what a stranger may learn about a fact.
    #[must_use]
    pub fn of(scheme: AuthScheme, fact: &dyn WireError) -> Self {
        Self {
            error: Some(fact.code()),
            error_description: Some(fact.description().into_owned()),
            ..Self::new(scheme)
        }
    }

    /// Reads every challenge of a response, in order. Never fails: what cannot
    /// be read is left out.
    #[must_use]
    pub fn parse_all(headers: &HeaderMap) -> Vec<Self> {
        parse::parse_all(headers)
    }

    /// Writes the value of one `WWW-Authenticate` header.
    // spec: 6750-RS4
    #[must_use]
    pub fn encode(&self) -> HeaderValue {
        let mut out = Attributes(self.scheme.as_str().to_owned(), Separator::Space);
        out.push(attribute::REALM, self.realm.as_deref().map(sendable));
        out.push(attribute::SCOPE, self.scope.as_ref().filter(|s| !s.is_empty()).map(ToString::to_string));
        out.push(attribute::ERROR, self.error.as_ref().map(|e| sendable(e.as_str())));
        out.push(attribute::ERROR_DESCRIPTION, self.error_description.as_deref().map(sendable));
        let uri = self.error_uri.as_deref().filter(|u| u.bytes().all(text::is_nqchar));
        out.push(attribute::ERROR_URI, uri.map(str::to_owned));
        out.push(
            attribute::RESOURCE_METADATA,
            self.resource_metadata.as_ref().map(|u| u.as_str().to_owned()),
        );
        let algs = (!self.algs.is_empty()).then(|| sendable(&self.algs.join(" ")));
        out.push(attribute::ALGS, algs);
        // All attributes are visible ASCII by now; only a strange scheme is not.
        HeaderValue::from_str(&out.0).unwrap_or_else(|_| HeaderValue::from_static(auth_scheme::BEARER))
    }

    /// The status that goes with this challenge at a protected resource.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.error.as_ref().map_or(StatusCode::UNAUTHORIZED, |e| e.status(Endpoint::Resource))
    }

    /// A whole response: the status of the first challenge, one header line
    /// each, not to be cached, no body.
    #[must_use]
    pub fn response(challenges: &[Self]) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = challenges.first().map_or(StatusCode::UNAUTHORIZED, Self::status);
        let headers = response.headers_mut();
        no_store(headers);
        for challenge in challenges {
            headers.append(header::WWW_AUTHENTICATE, challenge.encode());
        }
        response
    }

    /// Takes one attribute in; unknown and unreadable ones leave no trace.
    fn set(&mut self, name: &str, value: &str) {
        let shown = || Some(showable(value)).filter(|v| !v.is_empty());
        match name {
            attribute::REALM => self.realm = shown(),
            attribute::ERROR => self.error = ErrorCode::parse(value),
            attribute::ERROR_DESCRIPTION => self.error_description = shown(),
            attribute::ERROR_URI => self.error_uri = shown(),
            attribute::SCOPE => self.scope = Scope::parse_lenient(value).ok().filter(|s| !s.is_empty()),
            attribute::ALGS => {
                self.algs = value.split_ascii_whitespace().take(32).map(str::to_owned).collect();
            }
            attribute::RESOURCE_METADATA => self.resource_metadata = EndpointUri::parse(value).ok(),
            _ => {}
        }
    }
}

enum Separator {
    Space,
    Comma,
}

struct Attributes(String, Separator);

impl Attributes {
    fn push(&mut self, name: &str, value: Option<String>) {
        let Some(value) = value else { return };
        self.0.push_str(match std::mem::replace(&mut self.1, Separator::Comma) {
            Separator::Space => " ",
            Separator::Comma => ", ",
        });
        self.0.push_str(name);
        self.0.push_str("=\"");
        self.0.push_str(&value);
        self.0.push('"');
    }
}

#[cfg(test)]
mod tests;
