//! The token request of a machine.
//!
//! Sections: RFC 6749 sections 3.2, 4.4.2, 4.5; RFC 8707 section 2.2; RFC 8693
//!   section 2.1 (`audience`)
//! Enforces, when read: `grant_type` is there; the grammar of `scope` and of each
//!   `resource`; how many targets. Unknown parameters are ignored by the server
//!   but kept in [`TokenRequest::params`], client authentication and the
//!   parameters of the grant left out.
//! Enforces, when written: extra parameters do not take the names of those that
//!   have a field of their own, nor of client authentication or the grant.
//! Does not enforce: that the grant, the scopes and the targets are granted;
//!   policy does. Client authentication: `client_auth`. What a grant brings
//!   along: [`crate::grant`].
//! Limits: 16 resources, 16 audiences of 2048 bytes each.

use std::fmt;

use super::dialect::{GrantTypePlace, Parameters, RequestDialect};
use crate::form::{Form, FormWriter};
use crate::grant;
use crate::names::{grant_type, param};
use crate::scope::{Scope, ScopeError};
use crate::uri::{ResourceUri, UriError};

/// A value of `grant_type`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// RFC 6749 section 4.4: the client acts for itself.
    ClientCredentials,
    /// RFC 7523 section 2.1: an assertion of another issuer is the grant
    /// ([`crate::grant::jwt_bearer`]).
    JwtBearer,
    /// RFC 8693: a token for a token ([`crate::grant::token_exchange`]).
    TokenExchange,
    /// Any other, by its name; what it needs goes into extra parameters.
    Other(String),
}

impl GrantKind {
    /// Reads a value of `grant_type`. Case counts.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            grant_type::CLIENT_CREDENTIALS => Self::ClientCredentials,
            grant_type::JWT_BEARER => Self::JwtBearer,
            grant_type::TOKEN_EXCHANGE => Self::TokenExchange,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The wire text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ClientCredentials => grant_type::CLIENT_CREDENTIALS,
            Self::JwtBearer => grant_type::JWT_BEARER,
            Self::TokenExchange => grant_type::TOKEN_EXCHANGE,
            Self::Other(name) => name,
        }
    }

    /// The parameters that belong to this grant alone. Its own module reads
    /// and writes them, so they are never extra parameters of its requests.
    #[must_use]
    pub fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::ClientCredentials | Self::Other(_) => &[],
            Self::JwtBearer => &grant::jwt_bearer::PARAMETERS,
            Self::TokenExchange => &grant::token_exchange::PARAMETERS,
        }
    }

    /// Whether `name` may be an extra parameter of a request with this grant.
    fn takes_extra(&self, name: &str) -> bool {
        !TokenRequest::is_reserved(name) && !self.parameters().contains(&name)
    }
}

/// A token request, client authentication apart.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// `grant_type`.
    pub grant: GrantKind,
    /// `scope`; `None` asks for the server's default.
    pub scope: Option<Scope>,
    /// `audience`, as often as there are values: the name under which the
    /// server knows the API, not necessarily a URI.
    pub audience: Vec<String>,
    /// `resource`, as often as there are values (RFC 8707).
    pub resources: Vec<ResourceUri>,
    /// Further parameters, in order, without those of the grant. They may hold
    /// secrets, so `Debug` shows their names only.
    pub params: Vec<(String, String)>,
}

/// Why a form is not a token request, or cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRequestError {
    /// `grant_type` is absent.
    #[error("grant_type is missing")]
    MissingGrantType,
    /// `scope` breaks its grammar.
    #[error("scope is malformed")]
    Scope(#[source] ScopeError),
    /// A `resource` is no absolute URI without fragment.
    #[error("resource is malformed")]
    Resource(#[source] UriError),
    /// An `audience` is too long or has control characters.
    #[error("audience is malformed")]
    Audience,
    /// More than [`TokenRequest::MAX_TARGETS`] resources or audiences.
    #[error("more than {} resources or audiences", TokenRequest::MAX_TARGETS)]
    TooManyTargets,
    /// An extra parameter has the name of one that the protocol uses itself.
    #[error("{name:?} cannot be an extra parameter; it has a setting of its own")]
    ReservedParameter {
        /// The parameter's name.
        name: String,
    },
}

/// Names that have a field of their own or belong to client authentication.
const RESERVED: [&str; 8] = [
    param::GRANT_TYPE,
    param::SCOPE,
    param::AUDIENCE,
    param::RESOURCE,
    param::CLIENT_ID,
    param::CLIENT_SECRET,
    param::CLIENT_ASSERTION,
    param::CLIENT_ASSERTION_TYPE,
];

impl TokenRequest {
    /// The most `resource` values, and the most `audience` values: 16.
    pub const MAX_TARGETS: usize = 16;
    /// The longest `audience`: 2048 bytes.
    pub const MAX_AUDIENCE_BYTES: usize = 2048;

    /// A request for the server's defaults.
    #[must_use]
    pub fn new(grant: GrantKind) -> Self {
        Self { grant, scope: None, audience: Vec::new(), resources: Vec::new(), params: Vec::new() }
    }

    /// Whether the parameter has a field of its own, or is not ours to set.
    fn is_reserved(name: &str) -> bool {
        name.is_empty() || RESERVED.contains(&name)
    }

    /// Whether `name` may be used for an extra parameter.
    ///
    /// # Errors
    /// [`TokenRequestError::ReservedParameter`].
    pub fn check_extra(name: &str) -> Result<(), TokenRequestError> {
        if Self::is_reserved(name) {
            return Err(TokenRequestError::ReservedParameter { name: name.to_owned() });
        }
        Ok(())
    }

    /// Writes the parameters; client authentication and the grant add their
    /// own ([`GrantKind::parameters`]).
    ///
    /// Extra parameters that [`TokenRequest::check_extra`] refuses, or that
    /// belong to the grant, are left out, for a parameter must never be sent
    /// twice; check them where they are configured.
    // spec: 6749-C3 6749-C4 8707-C1
    pub fn write(&self, form: &mut FormWriter) {
        let mut parameters = Parameters { form: std::mem::take(form), ..Parameters::default() };
        self.write_as(&RequestDialect::default(), &mut parameters);
        *form = parameters.form;
    }

    /// As [`TokenRequest::write`], as this service wants it.
    pub fn write_as(&self, dialect: &RequestDialect, parameters: &mut Parameters) {
        match dialect.grant_type {
            GrantTypePlace::Parameters => parameters.form.push(param::GRANT_TYPE, self.grant.as_str()),
            GrantTypePlace::Query => parameters.query.push(param::GRANT_TYPE, self.grant.as_str()),
            GrantTypePlace::Absent => {}
        }
        let form = &mut parameters.form;
        if let Some(scope) = &self.scope {
            form.push(param::SCOPE, &scope.joined(dialect.scope_separator));
        }
        for audience in self.audience.iter().filter(|_| dialect.audience.is_some()) {
            form.push(dialect.audience.as_deref().unwrap_or_default(), audience);
        }
        for resource in &self.resources {
            form.push(param::RESOURCE, resource.as_str());
        }
        for (i, (name, value)) in self.params.iter().enumerate() {
            let repeated = self.params.iter().take(i).any(|(n, _)| n == name);
            if !repeated && self.grant.takes_extra(name) {
                form.push(name, value);
            }
        }
    }

    /// Reads the parameters of a form.
    ///
    /// # Errors
    /// [`TokenRequestError`], naming the first rule broken.
    pub fn decode(form: &Form<'_>) -> Result<Self, TokenRequestError> {
        let grant = form.get(param::GRANT_TYPE).ok_or(TokenRequestError::MissingGrantType)?;
        let grant = GrantKind::parse(grant);
        let scope = form.get(param::SCOPE).map(Scope::parse).transpose().map_err(TokenRequestError::Scope)?;
        let resources: Vec<&str> = form.get_all(param::RESOURCE).collect();
        let audience: Vec<String> = form.get_all(param::AUDIENCE).map(str::to_owned).collect();
        if resources.len() > Self::MAX_TARGETS || audience.len() > Self::MAX_TARGETS {
            return Err(TokenRequestError::TooManyTargets);
        }
        let fine = |a: &String| a.len() <= Self::MAX_AUDIENCE_BYTES && !a.chars().any(char::is_control);
        if !audience.iter().all(fine) {
            return Err(TokenRequestError::Audience);
        }
        Ok(Self {
            scope,
            audience,
            resources: resources
                .into_iter()
                .map(ResourceUri::parse)
                .collect::<Result<_, _>>()
                .map_err(TokenRequestError::Resource)?,
            params: form
                .iter()
                .filter(|(name, _)| grant.takes_extra(name))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            grant,
        })
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("grant", &self.grant)
            .field("scope", &self.scope.as_ref().map(ToString::to_string))
            .field("audience", &self.audience)
            .field("resources", &self.resources)
            .field("params", &self.params.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests;
