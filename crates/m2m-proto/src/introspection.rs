//! Token introspection, both messages.
//!
//! Sections: RFC 7662 sections 2.1 to 2.3
//! Enforces, when read: status 200; a JSON object; `active` is there and a
//!   boolean; registered claims of the right type. Everything else is an error,
//!   and an error is never "active".
//! Enforces, when written: an inactive answer says `active` and nothing else.
//! Does not enforce: that an active token is for the asker: `exp`, `aud`, `scope`
//!   and `cnf` are checked by the resource server like those of a JWT. Signed
//!   answers (RFC 9701). Client authentication: `client_auth`.
//! Limits: 16 KiB of answer.

use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::answer::{check_status, members};
use crate::error::response::json_response;
use crate::error::{MalformedResponse, ResponseError};
use crate::form::{Form, FormWriter};
use crate::jose::Claims;
use crate::names::claim;
use crate::revocation::{self, TokenTypeHint};
use crate::scope::Scope;
use crate::secret::SecretString;
use crate::token::{AccessToken, TokenType};

/// A question about a token, client authentication apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntrospectionRequest {
    /// `token`, whatever was sent: a text that cannot be a token is inactive,
    /// not an error (RFC 7662 section 2.2).
    pub token: SecretString,
    /// `token_type_hint`.
    pub hint: Option<TokenTypeHint>,
}

/// Why a form is not an introspection request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionRequestError {
    /// `token` is absent.
    #[error("token is missing")]
    MissingToken,
}

impl IntrospectionRequest {
    /// A question about an access token, with the hint that says so.
    #[must_use]
    pub fn new(token: &AccessToken) -> Self {
        Self { token: token.expose().into(), hint: Some(TokenTypeHint::AccessToken) }
    }

    /// Writes the parameters; client authentication adds its own.
    pub fn write(&self, form: &mut FormWriter) {
        revocation::write(&self.token, self.hint.as_ref(), form);
    }

    /// Reads the parameters of a form.
    ///
    /// # Errors
    /// [`IntrospectionRequestError`].
    pub fn decode(form: &Form) -> Result<Self, IntrospectionRequestError> {
        let (token, hint) = revocation::read(form).ok_or(IntrospectionRequestError::MissingToken)?;
        Ok(Self { token, hint })
    }
}

/// What the server says about a token.
#[derive(Clone, PartialEq)]
pub struct Introspection {
    active: bool,
    claims: Claims,
}

impl Introspection {
    /// The answer for every token that is unknown, expired, withdrawn, or not
    /// the asker's business.
    // spec: 7662-AS1
    #[must_use]
    pub fn inactive() -> Self {
        Self { active: false, claims: Claims::default() }
    }

    /// The answer for a good token.
    #[must_use]
    pub fn active(claims: Claims) -> Self {
        Self { active: true, claims }
    }

    /// Whether the server vouches for the token now. Not yet permission: see
    /// the module's head.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// What the server says about the token, `active` left out; nothing if it
    /// is inactive.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `scope`; `None` if absent, empty or malformed.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        let scope = Scope::parse_lenient(self.claims.text(claim::SCOPE)?).ok()?;
        Some(scope).filter(|s| !s.is_empty())
    }

    /// `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.claims.text(claim::CLIENT_ID)
    }

    /// `token_type`.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType> {
        self.claims.text(claim::TOKEN_TYPE).map(TokenType::parse)
    }

    /// `cnf`, for `token::confirmation` to read.
    #[must_use]
    pub fn cnf(&self) -> Option<&Value> {
        self.claims.get(claim::CNF).filter(|v| !v.is_null())
    }

    /// Reads the answer. Fails closed: whatever is not a clear "active" is
    /// either inactive or an error.
    ///
    /// # Errors
    /// [`ResponseError`]. To a resource server every one means "not active";
    /// which one it is tells whether to ask again.
    // spec: 7662-RS2
    pub fn decode(response: &Response<Bytes>) -> Result<Self, ResponseError> {
        check_status(response, &[StatusCode::OK])?;
        let malformed = |what| ResponseError::Malformed { status: response.status(), what };
        match members(response)?.get(claim::ACTIVE) {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(Self::inactive()),
            Some(_) => return Err(malformed(MalformedResponse::MemberType(claim::ACTIVE))),
            None => return Err(malformed(MalformedResponse::Missing(claim::ACTIVE))),
        }
        let claims = Claims::parse(response.body()).map_err(|e| malformed(MalformedResponse::Claims(e)))?;
        let claims = check_texts(claims).map_err(malformed)?;
        Ok(Self::active(claims))
    }

    /// Writes the answer: 200, JSON, not to be cached.
    #[must_use]
    pub fn encode(&self) -> Response<Bytes> {
        json_response(StatusCode::OK, &Value::Object(self.to_members()))
    }

    /// The members as they are on the wire, `active` among them: what the
    /// command line prints.
    #[must_use]
    pub fn to_members(&self) -> Map<String, Value> {
        let mut members = match serde_json::to_value(&self.claims) {
            Ok(Value::Object(members)) if self.active => members,
            _ => Map::new(),
        };
        members.insert(claim::ACTIVE.to_owned(), self.active.into());
        members
    }
}

/// `active` taken out; texts that decide something must be texts. A scope that
/// comes as an array, as some servers send it, is joined.
fn check_texts(mut claims: Claims) -> Result<Claims, MalformedResponse> {
    claims.rest.remove(claim::ACTIVE);
    if let Some(Value::Array(items)) = claims.rest.get(claim::SCOPE) {
        let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
        let joined = texts.ok_or(MalformedResponse::MemberType(claim::SCOPE))?.join(" ");
        claims.rest.insert(claim::SCOPE.to_owned(), joined.into());
    }
    for name in [claim::SCOPE, claim::CLIENT_ID, claim::TOKEN_TYPE] {
        if !matches!(claims.rest.get(name), None | Some(Value::Null | Value::String(_))) {
            return Err(MalformedResponse::MemberType(name));
        }
    }
    if let Some(scope) = claims.text(claim::SCOPE) {
        Scope::parse_lenient(scope).map_err(MalformedResponse::Scope)?;
    }
    Ok(claims)
}

/// Claims say who may do what; they are shown only where somebody asks for them.
impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("active", &self.active)
            .field("sub", &self.claims.sub)
            .field("jti", &self.claims.jti)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
