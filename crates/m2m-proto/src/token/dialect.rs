//! What real token services do otherwise than RFC 6749 says, as data.
//!
//! Sections: RFC 6749 sections 4.4.2, 5.1, 5.2 (what is departed from)
//! Enforces: nothing of its own. The encoder of a token request takes a
//!   [`RequestDialect`], the decoder of its answer a [`ResponseDialect`]; the
//!   defaults of both are the RFC.
//! Does not enforce: which service needs what; a catalogue of services says it.
//!   No dialect loosens what keeps us safe: sizes, redirects, the characters of a
//!   token, and what counts as a verdict.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

use crate::form::FormWriter;
use crate::names::{header, media_type, param};
use crate::uri::UriError;

/// Where the parameters of a token request go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParameterPlace {
    /// A form in the body (RFC 6749 section 4.4.2).
    #[default]
    Form,
    /// The query of the URL. Secrets in URLs end in logs; only for services
    /// that take them nowhere else.
    Query,
    /// A JSON object in the body, all values strings.
    Json,
}

/// Where `grant_type` goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantTypePlace {
    /// To the other parameters.
    #[default]
    Parameters,
    /// Into the query of the URL, wherever the others go.
    Query,
    /// Nowhere: the service knows one grant and no parameter for it.
    Absent,
}

/// How a token request is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDialect {
    /// POST but for odd services.
    pub method: Method,
    /// Where parameters go.
    pub place: ParameterPlace,
    /// Where `grant_type` goes.
    pub grant_type: GrantTypePlace,
    /// What stands between two scopes: a space (RFC 6749 section 3.3) or a comma.
    pub scope_separator: char,
    /// The name of the parameter for the audience; `None`: there is none.
    pub audience: Option<String>,
}

impl Default for RequestDialect {
    fn default() -> Self {
        Self {
            method: Method::POST,
            place: ParameterPlace::Form,
            grant_type: GrantTypePlace::Parameters,
            scope_separator: ' ',
            audience: Some(param::AUDIENCE.to_owned()),
        }
    }
}

/// A token request under construction: the parameters, and what goes into the
/// query of the URL whatever the dialect does with the rest.
#[derive(Debug, Default)]
pub struct Parameters {
    /// Go where the dialect says.
    pub form: FormWriter,
    /// Go into the query.
    pub query: FormWriter,
}

impl RequestDialect {
    /// Makes a request of the parameters. The URL keeps its own query
    /// (RFC 6749 section 3.2). `Content-Type` and `Accept` are set.
    ///
    /// # Errors
    /// [`UriError`] if the URL with its query is none any more, for it has
    /// become too long.
    // spec: 6749-C3
    pub fn assemble(
        &self,
        endpoint: &Uri,
        parameters: Parameters,
        mut headers: HeaderMap,
    ) -> Result<Request<Bytes>, UriError> {
        let Parameters { form, query } = parameters;
        let (mut queries, mut body, mut content_type) = (vec![query], Bytes::new(), None);
        match self.place {
            ParameterPlace::Form => (body, content_type) = (form.finish(), Some(media_type::FORM)),
            ParameterPlace::Json => (body, content_type) = (form.finish_json(), Some(media_type::JSON)),
            ParameterPlace::Query => queries.push(form),
        }
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static(media_type::JSON));
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = with_queries(endpoint, queries)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

fn with_queries(endpoint: &Uri, queries: Vec<FormWriter>) -> Result<Uri, UriError> {
    let mut text = zeroize::Zeroizing::new(endpoint.to_string());
    for query in queries.into_iter().filter(|query| !query.is_empty()) {
        let separator = if text.contains('?') { '&' } else { '?' };
        text.push(separator);
        text.push_str(query.as_str());
    }
    text.parse().map_err(|_| UriError::TooLong)
}

/// The unit of `expires_in`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifetimeUnit {
    /// RFC 6749 section 5.1.
    #[default]
    Seconds,
    /// A thousandth of that.
    Milliseconds,
}

/// How a token response is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseDialect {
    /// The member that holds the token.
    pub token: String,
    /// The member that holds its life; `None`: no member does.
    pub expires_in: Option<String>,
    /// The unit of that.
    pub unit: LifetimeUnit,
    /// The member that holds the moment of its end, as RFC 3339 text or seconds
    /// since 1970; read where there is no life.
    pub expires_at: Option<String>,
    /// Values of `token_type` that mean Bearer, without regard to case.
    pub bearer_names: Vec<String>,
    /// What stands between two scopes.
    pub scope_separator: char,
    /// Where errors are that are not RFC 6749's; the first that has a code counts.
    pub errors: Vec<ErrorShape>,
}

impl Default for ResponseDialect {
    fn default() -> Self {
        Self {
            token: param::ACCESS_TOKEN.to_owned(),
            expires_in: Some(param::EXPIRES_IN.to_owned()),
            unit: LifetimeUnit::Seconds,
            expires_at: None,
            bearer_names: Vec::new(),
            scope_separator: ' ',
            errors: Vec::new(),
        }
    }
}

pub use crate::error::ErrorShape;

#[cfg(test)]
mod tests;
