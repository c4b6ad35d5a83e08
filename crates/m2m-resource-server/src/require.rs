//! What a route demands of a token.

use m2m_proto::scope::{Scope, ScopeError};

use crate::error::{Reason, Rejection};
use crate::verified::VerifiedAccessToken;

/// Scopes that a token must have, all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required(Scope);

impl Required {
    /// One or more scopes, separated by single spaces.
    ///
    /// # Errors
    /// When the text is no scope.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Scope::parse(text).map(Self)
    }

    /// The scopes.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0
    }

    /// Whether `token` has every one of them.
    ///
    /// # Errors
    /// A [`Rejection`] with `insufficient_scope`, 403, that names what is demanded.
    // spec: 6750-RS3
    pub fn check(&self, token: &VerifiedAccessToken) -> Result<(), Rejection> {
        if self.0.is_subset(token.scope()) {
            return Ok(());
        }
        Err(token.reject(Reason::InsufficientScope { required: self.0.clone() }))
    }
}

impl From<Scope> for Required {
    fn from(scope: Scope) -> Self {
        Self(scope)
    }
}
