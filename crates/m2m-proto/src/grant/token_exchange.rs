//! Token exchange: a token of one kind or issuer for a token of another.
//!
//! Sections: RFC 8693 sections 2.1, 2.2 and 3
//!
//! Enforces, when read, in this order:
//! 1. `subject_token` and `subject_token_type` are there
//! 2. `actor_token` and `actor_token_type` come together or not at all
//! 3. each token type is 1 to [`TokenTypeUri::MAX_BYTES`] printable characters
//!    of US-ASCII without spaces
//!
//! Enforces of an answer ([`check_response`]): it says what was issued, and that
//! this is usable as an access token.
//! Does not enforce: that the tokens are valid, trusted and of the types they are
//! said to be; the server that takes them does. Which type may be asked for, and
//! that the issued one is the one asked for: policy, and the caller.
//! Limits: those of [`crate::form`].
//!
//! `audience`, `resource` and `scope` are those of [`crate::token::TokenRequest`].

use std::fmt;

use crate::form::{Form, FormWriter};
use crate::names::{param, token_type_uri};
use crate::secret::SecretString;
use crate::token::TokenResponse;

/// The parameters that belong to this grant.
pub(crate) const PARAMETERS: [&str; 5] = [
    param::SUBJECT_TOKEN,
    param::SUBJECT_TOKEN_TYPE,
    param::ACTOR_TOKEN,
    param::ACTOR_TOKEN_TYPE,
    param::REQUESTED_TOKEN_TYPE,
];

/// What a token is (RFC 8693 section 3), said by a URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TokenTypeUri {
    /// An access token of the server that is asked, or as it defines them.
    AccessToken,
    /// A refresh token of the server that is asked.
    RefreshToken,
    /// An ID token (OpenID Connect).
    IdToken,
    /// A SAML 1.1 assertion in base64url.
    Saml1,
    /// A SAML 2.0 assertion in base64url.
    Saml2,
    /// Any JWT; also an access token or ID token in that form.
    Jwt,
    /// Any other, by its URI.
    Other(String),
}

impl TokenTypeUri {
    /// The longest identifier read in a request.
    pub const MAX_BYTES: usize = 256;

    /// Reads an identifier. Case counts.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            token_type_uri::ACCESS_TOKEN => Self::AccessToken,
            token_type_uri::REFRESH_TOKEN => Self::RefreshToken,
            token_type_uri::ID_TOKEN => Self::IdToken,
            token_type_uri::SAML1 => Self::Saml1,
            token_type_uri::SAML2 => Self::Saml2,
            token_type_uri::JWT => Self::Jwt,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The wire text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken => token_type_uri::ACCESS_TOKEN,
            Self::RefreshToken => token_type_uri::REFRESH_TOKEN,
            Self::IdToken => token_type_uri::ID_TOKEN,
            Self::Saml1 => token_type_uri::SAML1,
            Self::Saml2 => token_type_uri::SAML2,
            Self::Jwt => token_type_uri::JWT,
            Self::Other(uri) => uri,
        }
    }

    fn of_parameter(name: &'static str, text: &str) -> Result<Self, TokenExchangeError> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self::parse(text)) } else { Err(TokenExchangeError::TokenType(name)) }
    }
}

impl fmt::Display for TokenTypeUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token to be exchanged, and what it is. Nothing in it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityToken {
    /// The token itself.
    pub text: SecretString,
    /// What it is said to be.
    pub token_type: TokenTypeUri,
}

/// What a token exchange adds to a token request. An actor has its type and a
/// type has its actor, by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenExchange {
    /// `subject_token`: on whose behalf the request is made.
    pub subject: SecurityToken,
    /// `actor_token`: who acts, where that is somebody else.
    pub actor: Option<SecurityToken>,
    /// `requested_token_type`; `None` leaves it to the server.
    pub requested_token_type: Option<TokenTypeUri>,
}

/// Why a form is not a token exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenExchangeError {
    /// `subject_token` is absent.
    #[error("subject_token is missing")]
    SubjectToken,
    /// `subject_token_type` is absent.
    #[error("subject_token_type is missing")]
    SubjectTokenType,
    /// `actor_token_type` without `actor_token`.
    #[error("actor_token_type without actor_token")]
    ActorToken,
    /// `actor_token` without `actor_token_type`.
    #[error("actor_token without actor_token_type")]
    ActorTokenType,
    /// The parameter is no identifier of a token type.
    #[error("{0} is malformed")]
    TokenType(&'static str),
}

impl TokenExchange {
    /// Exchanges `subject` for what the server likes to issue.
    #[must_use]
    pub fn new(subject: SecurityToken) -> Self {
        Self { subject, actor: None, requested_token_type: None }
    }

    /// Writes the parameters of the grant; [`crate::token::TokenRequest`] writes
    /// the others.
    // spec: 8693-C1
    pub fn write(&self, form: &mut FormWriter) {
        form.push(param::SUBJECT_TOKEN, self.subject.text.expose());
        form.push(param::SUBJECT_TOKEN_TYPE, self.subject.token_type.as_str());
        if let Some(actor) = &self.actor {
            form.push(param::ACTOR_TOKEN, actor.text.expose());
            form.push(param::ACTOR_TOKEN_TYPE, actor.token_type.as_str());
        }
        if let Some(requested) = &self.requested_token_type {
            form.push(param::REQUESTED_TOKEN_TYPE, requested.as_str());
        }
    }

    /// Reads the parameters of the grant. The checks and their order are in the
    /// module's description.
    ///
    /// # Errors
    /// One variant per check.
    // spec: 8693-C1
    pub fn decode(form: &Form<'_>) -> Result<Self, TokenExchangeError> {
        let text = form.get(param::SUBJECT_TOKEN).ok_or(TokenExchangeError::SubjectToken)?;
        let kind = form.get(param::SUBJECT_TOKEN_TYPE).ok_or(TokenExchangeError::SubjectTokenType)?;
        let actor = match (form.get(param::ACTOR_TOKEN), form.get(param::ACTOR_TOKEN_TYPE)) {
            (None, None) => None,
            (Some(text), Some(kind)) => Some((text, kind)),
            (Some(_), None) => return Err(TokenExchangeError::ActorTokenType),
            (None, Some(_)) => return Err(TokenExchangeError::ActorToken),
        };
        let token = |text: &str, name, kind| {
            let token_type = TokenTypeUri::of_parameter(name, kind)?;
            Ok(SecurityToken { text: SecretString::from(text), token_type })
        };
        Ok(Self {
            subject: token(text, param::SUBJECT_TOKEN_TYPE, kind)?,
            actor: actor.map(|(text, kind)| token(text, param::ACTOR_TOKEN_TYPE, kind)).transpose()?,
            requested_token_type: form
                .get(param::REQUESTED_TOKEN_TYPE)
                .map(|kind| TokenTypeUri::of_parameter(param::REQUESTED_TOKEN_TYPE, kind))
                .transpose()?,
        })
    }
}

/// Why an answer to a token exchange is no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuedTokenError {
    /// `token_type` is `N_A`: whatever was issued, no API takes it.
    #[error("the issued token is not usable as an access token")]
    NotApplicable,
    /// `issued_token_type`, which the RFC requires, is absent. Some servers
    /// leave it out; whether to use the token all the same is the caller's choice.
    #[error("issued_token_type is missing")]
    TypeMissing,
}

/// What the answer to a token exchange issued. Its `access_token` is the issued
/// token whatever its type, and `expires_in` is that token's.
///
/// # Errors
/// [`IssuedTokenError`]: the token must not, or should not, be used at an API.
// spec: 8693-C2
pub fn check_response(response: &TokenResponse) -> Result<&TokenTypeUri, IssuedTokenError> {
    if response.token_type.is_not_applicable() {
        return Err(IssuedTokenError::NotApplicable);
    }
    response.issued_token_type.as_ref().ok_or(IssuedTokenError::TypeMissing)
}

#[cfg(test)]
mod tests;
