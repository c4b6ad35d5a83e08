//! Token introspection, both messages.
//!
//! Sections: RFC 7662 sections 2.1 to 2.3 and 4
//! Enforces, when read: status 200; a JSON object; `active` is there and a
//!   boolean; registered claims of the right type. Everything else is an error,
//!   and an error is never "active".
//! Enforces, when written: an inactive answer says `active` and nothing else.
//! Enforces, when checked ([`Introspection::check`]), in this order: `active`;
//!   it is an access token, where `token_type`, `token_use` or `typ` say what it is (servers answer for
//!   refresh tokens too); `iss`, where there is one; `aud`; `exp`, `nbf`, `iat`, by the rules of
//!   [`crate::jose::kind`]; `cnf` is understood; `token_type` `DPoP` has its key.
//! Does not enforce: possession (`token::confirmation`), that `scope` suffices,
//!   client authentication (`client_auth`). Signed answers are in [`signed`].
//! Limits: 16 KiB of answer.

pub mod signed;

use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use crate::error::answer::{check_status, members};
use crate::error::response::{json_bytes, json_response};
use crate::error::{MalformedResponse, ResponseError};
use crate::form::{Form, FormWriter};
use crate::jose::kind::{self, AudienceRule};
use crate::jose::{Claims, KindError};
use crate::names::{claim, typ};
use crate::revocation::{self, TokenTypeHint};
use crate::scope::Scope;
use crate::secret::SecretString;
use crate::time::{Skew, UnixTime};
use crate::token::confirmation::{Confirmation, ConfirmationError};
use crate::token::{AccessToken, TokenType};
use crate::uri::Issuer;

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
    pub fn decode(form: &Form<'_>) -> Result<Self, IntrospectionRequestError> {
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
    /// [`Introspection::check`].
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

    /// Checks that the answer lets the token be used here and now, as the claims
    /// of a JWT would be checked. `aud` and `exp` must be there, `iss` need not.
    ///
    /// # Errors
    /// One variant for each step of the module's description.
    // spec: 7662-RS1
    pub fn check(self, expect: &Expect<'_>) -> Result<VerifiedIntrospection, IntrospectionError> {
        if !self.active {
            return Err(IntrospectionError::Inactive);
        }
        let claims = &self.claims;
        if !says_access_token(claims) {
            return Err(IntrospectionError::NotAccessToken);
        }
        if claims.iss.as_deref().is_some_and(|iss| iss != expect.issuer.as_str()) {
            return Err(KindError::WrongIssuer { found: claims.iss.clone() }.into());
        }
        kind::check_audience(AudienceRule::Contains, claims, &[expect.audience])?;
        let expires_at = claims.exp.ok_or_else(|| KindError::MissingClaim(claim::EXP.to_owned()))?;
        kind::check_times(claims, &kind::Expect::at(expect.now).skew(expect.skew))?;
        let confirmation = self.cnf().map(Confirmation::from_json).transpose()?;
        // A server that says "bound to a key" and not to which would make a bearer token of it.
        // spec: 9449-RS1
        let has_key = confirmation.as_ref().is_some_and(|confirmation| confirmation.jkt().is_some());
        if self.token_type() == Some(TokenType::Dpop) && !has_key {
            return Err(IntrospectionError::KeyMissing);
        }
        let scope = self.scope().unwrap_or_else(Scope::empty);
        let issuer = expect.issuer.clone();
        Ok(VerifiedIntrospection { claims: self.claims, issuer, scope, confirmation, expires_at })
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

/// What a server says of a good token, written once however often it is asked.
#[derive(Clone)]
pub struct ActiveAnswer(Bytes);

impl ActiveAnswer {
    /// The claims of the token, and how it is to be presented. A `token_type` among the claims gives way.
    // spec: 7662-AS2, 9449-AS4
    #[must_use]
    pub fn new(claims: &Claims, token_type: &TokenType) -> Self {
        // Written without a document in between, which would cost as much as the check of a signature.
        let mut body = Vec::with_capacity(512);
        let mut json = serde_json::Serializer::new(&mut body);
        let written = Self::write(&mut json, claims, token_type.as_str());
        debug_assert!(written.is_ok(), "writing text-keyed members into memory cannot fail");
        Self(body.into())
    }

    fn write<S: Serializer>(json: S, claims: &Claims, token_type: &str) -> Result<S::Ok, S::Error> {
        let mut members = json.serialize_map(None)?;
        members.serialize_entry(claim::ACTIVE, &true)?;
        claims.write_members(&mut members, &[claim::ACTIVE, claim::TOKEN_TYPE])?;
        members.serialize_entry(claim::TOKEN_TYPE, token_type)?;
        members.end()
    }

    /// The answer: 200, JSON, not to be cached.
    #[must_use]
    pub fn to_response(&self) -> Response<Bytes> {
        json_bytes(StatusCode::OK, self.0.clone())
    }
}

/// Its claims say who may do what.
impl fmt::Debug for ActiveAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActiveAnswer({} bytes)", self.0.len())
    }
}

/// What an active token must be, besides active.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// The server that was asked. `iss` must be exactly this; many servers leave
    /// it out, and the caller answers for there being no doubt then.
    pub issuer: &'a Issuer,
    /// The identifier of this API: must be among the values of `aud`.
    pub audience: &'a str,
    /// The time of the check.
    pub now: UnixTime,
    /// How far clocks may differ.
    pub skew: Skew,
}

/// Why a token that was asked about is not to be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// The server does not vouch for it.
    #[error("the token is not active")]
    Inactive,
    /// It is a refresh token, an ID token, or something else that opens no API.
    #[error("the token is active, but no access token")]
    NotAccessToken,
    /// It is for somebody else or for another time.
    #[error("the token is active, but not usable here: {0}")]
    Claims(#[from] KindError),
    /// It is bound in a way that is not understood.
    #[error(transparent)]
    Confirmation(#[from] ConfirmationError),
    /// It is a DPoP token, and the answer names no key.
    #[error("the token is bound to a key, but the server does not say to which")]
    KeyMissing,
}

/// Nothing said is nothing against it; what is said must be what an access token is called somewhere.
fn says_access_token(claims: &Claims) -> bool {
    let is = |name: &str, called: &[&str]| match claims.get(name) {
        None | Some(Value::Null) => true,
        Some(said) => {
            said.as_str().is_some_and(|said| called.iter().any(|name| name.eq_ignore_ascii_case(said)))
        }
    };
    let called = ["access", "access_token", "bearer", "dpop", typ::JWT, typ::AT_JWT];
    is(claim::TOKEN_TYPE, &["bearer", "dpop", "access_token"])
        && is(claim::TOKEN_USE, &["access", "access_token"])
        && is(claim::TYP, &called)
}

/// What the server says of a token that may be used here and now, possession
/// apart. Only [`Introspection::check`] makes one.
#[derive(Clone)]
pub struct VerifiedIntrospection {
    claims: Claims,
    issuer: Issuer,
    scope: Scope,
    confirmation: Option<Confirmation>,
    expires_at: UnixTime,
}

impl VerifiedIntrospection {
    /// All that the server says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whose answer it is, whether or not it says so in `iss`.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// `scope`; empty if absent.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// `client_id`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.claims.text(claim::CLIENT_ID)
    }

    /// `cnf`: what the sender must still show.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// `exp`, without skew.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// Checks `exp`, `nbf` and `iat` again, for whoever keeps the answer.
    ///
    /// # Errors
    /// `Claims`.
    // spec: 7662-RS1
    pub fn check_times(&self, now: UnixTime, skew: Skew) -> Result<(), IntrospectionError> {
        Ok(kind::check_times(&self.claims, &kind::Expect::at(now).skew(skew))?)
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

/// As above.
impl fmt::Debug for VerifiedIntrospection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIntrospection")
            .field("sub", &self.claims.sub)
            .field("jti", &self.claims.jti)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
