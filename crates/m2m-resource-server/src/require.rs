//! What a route demands of a token.

use std::sync::Arc;

use m2m_proto::scope::{Scope, ScopeError};
use m2m_proto::token::access_token::AccessTokenError;

use crate::error::{Reason, Rejection};
use crate::verified::VerifiedAccessToken;

/// Scopes that a token must have, all of them, and an audience that it must name. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    scope: Arc<Scope>,
    audience: Option<Arc<str>>,
}

impl Required {
    /// One or more scopes, separated by single spaces.
    ///
    /// # Errors
    /// When the text is no scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Scope::parse(text).map(Self::from)
    }

    /// No scope: any token that the verifier accepts.
    #[must_use]
    pub fn nothing() -> Self {
        Self::from(Scope::empty())
    }

    /// And this audience, for a verifier that accepts several
    /// ([`TrustedIssuer::audiences`](crate::TrustedIssuer::audiences)).
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into().into());
        self
    }

    /// The scopes.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether `token` names the audience and has every one of the scopes.
    ///
    /// # Errors
    /// A [`Rejection`]: for the audience with `invalid_token`, 401; for the scope with `insufficient_scope`, 403, that
    /// names what is demanded.
    // spec: 6750-RS3, 9700-RS1
    pub fn check(&self, token: &VerifiedAccessToken) -> Result<(), Rejection> {
        if let Some(expected) = &self.audience
            && !token.is_for(expected)
        {
            return Err(token.reject(AccessTokenError::Audience { expected: expected.to_string() }.into()));
        }
        if self.scope.is_subset(token.scope()) {
            return Ok(());
        }
        Err(token.reject(Reason::InsufficientScope { required: Scope::clone(&self.scope) }))
    }
}

impl From<Scope> for Required {
    fn from(scope: Scope) -> Self {
        Self { scope: Arc::new(scope), audience: None }
    }
}
