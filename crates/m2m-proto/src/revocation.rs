//! Token revocation, both messages.
//!
//! Sections: RFC 7009 sections 2.1, 2.2
//! Enforces: `token` is there; an answer counts as done only on success.
//! Does not enforce: that the token is the caller's; the server does. Client
//!   authentication: `client_auth`.
//!
//! A hint is only a hint: a server must look further if it is wrong, so an
//! unknown one is kept and ignored.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::error::ErrorResponse;
use crate::error::ResponseError;
use crate::error::answer::check_status;
use crate::error::response::no_store;
use crate::form::{Form, FormWriter};
use crate::names::param;
use crate::secret::SecretString;
use crate::token::AccessToken;

/// `token_type_hint` (RFC 7009 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenTypeHint {
    /// `access_token`.
    AccessToken,
    /// `refresh_token`.
    RefreshToken,
    /// Any other, as it was written.
    Other(String),
}

impl TokenTypeHint {
    /// Reads a hint; every text is one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            param::ACCESS_TOKEN => Self::AccessToken,
            param::REFRESH_TOKEN => Self::RefreshToken,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The wire text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::AccessToken => param::ACCESS_TOKEN,
            Self::RefreshToken => param::REFRESH_TOKEN,
            Self::Other(text) => text,
        }
    }
}

/// A request to withdraw a token, client authentication apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRequest {
    /// `token`, whatever was sent: a text that cannot be a token must be
    /// answered like an unknown token (RFC 7009 section 2.2), so it is no error.
    pub token: SecretString,
    /// `token_type_hint`.
    pub hint: Option<TokenTypeHint>,
}

/// Why a form is not a revocation request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationRequestError {
    /// `token` is absent.
    #[error("token is missing")]
    MissingToken,
}

impl RevocationRequest {
    /// A request to withdraw an access token, with the hint that says so.
    #[must_use]
    pub fn new(token: &AccessToken) -> Self {
        Self { token: token.expose().into(), hint: Some(TokenTypeHint::AccessToken) }
    }

    /// Writes the parameters; client authentication adds its own.
    // spec: 7009-C1
    pub fn write(&self, form: &mut FormWriter) {
        write(&self.token, self.hint.as_ref(), form);
    }

    /// Reads the parameters of a form.
    ///
    /// # Errors
    /// [`RevocationRequestError`].
    pub fn decode(form: &Form<'_>) -> Result<Self, RevocationRequestError> {
        let (token, hint) = read(form).ok_or(RevocationRequestError::MissingToken)?;
        Ok(Self { token, hint })
    }
}

/// Introspection requests have the same parameters (RFC 7662 section 2.1).
pub(crate) fn write(token: &SecretString, hint: Option<&TokenTypeHint>, form: &mut FormWriter) {
    form.push(param::TOKEN, token.expose());
    if let Some(hint) = hint {
        form.push(param::TOKEN_TYPE_HINT, hint.as_str());
    }
}

pub(crate) fn read(form: &Form<'_>) -> Option<(SecretString, Option<TokenTypeHint>)> {
    Some((form.get(param::TOKEN)?.into(), form.get(param::TOKEN_TYPE_HINT).map(TokenTypeHint::parse)))
}

/// Reads the answer: done, or not. Unknown tokens are done too.
///
/// # Errors
/// [`ResponseError`]; a 503 carries the time to come back.
// spec: 7009-C1
pub fn decode_response(response: &Response<Bytes>) -> Result<(), ResponseError> {
    check_status(response, &[StatusCode::OK, StatusCode::ACCEPTED, StatusCode::NO_CONTENT])?;
    // RFC 7009 section 2.2: the body is ignored. An OAuth error in it is not.
    match ErrorResponse::decode(response) {
        Some(error) => Err(ResponseError::Refused { status: response.status(), error }),
        None => Ok(()),
    }
}

/// The answer to every request that is not an error: 200 without a body, for
/// unknown tokens as for withdrawn ones.
// spec: 7009-AS1
#[must_use]
pub fn encode_response() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    no_store(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::names::media_type;

    fn decode(body: &str) -> Result<RevocationRequest, RevocationRequestError> {
        RevocationRequest::decode(&Form::parse(Some(media_type::FORM), body.as_bytes()).unwrap())
    }

    fn answer(status: u16, body: &'static str) -> Result<(), ResponseError> {
        let mut response = Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        decode_response(&response)
    }

    // spec-test: 7009-C1
    #[test]
    fn golden_bytes() {
        let mut form = FormWriter::new();
        RevocationRequest::new(&AccessToken::parse("45ghiukldjahdnhzdauz").unwrap()).write(&mut form);
        let body = form.finish();
        assert_eq!(body, "token=45ghiukldjahdnhzdauz&token_type_hint=access_token");
        let again = decode(std::str::from_utf8(&body).unwrap()).unwrap();
        assert_eq!(again.hint, Some(TokenTypeHint::AccessToken));
        assert_eq!(again.token.expose(), "45ghiukldjahdnhzdauz");
    }

    #[test]
    fn only_the_token_is_needed_and_it_is_not_shown() {
        assert_eq!(decode("token_type_hint=access_token"), Err(RevocationRequestError::MissingToken));
        assert_eq!(decode("token="), Err(RevocationRequestError::MissingToken));
        assert_eq!(decode("token=a").unwrap().hint, None);
        let odd = decode("token=canary+x&token_type_hint=odd").unwrap();
        assert_eq!(odd.hint, Some(TokenTypeHint::Other("odd".into())));
        assert!(!format!("{odd:?}").contains("canary"));
        assert_eq!(
            decode("token=a&token_type_hint=refresh_token").unwrap().hint.unwrap().as_str(),
            "refresh_token"
        );
    }

    // spec-test: 7009-AS1
    #[test]
    fn the_answer() {
        let response = encode_response();
        assert_eq!((response.status(), response.body().len()), (StatusCode::OK, 0));
        assert_eq!(decode_response(&response), Ok(()));
        assert_eq!(answer(200, "whatever"), Ok(()));
        assert_eq!(answer(204, ""), Ok(()));
    }

    #[test]
    fn not_done() {
        match answer(400, r#"{"error":"unsupported_token_type"}"#) {
            Err(ResponseError::Refused { error, .. }) => {
                assert_eq!(error.error, ErrorCode::UnsupportedTokenType);
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(answer(200, r#"{"error":"invalid_client"}"#), Err(ResponseError::Refused { .. })));
        assert!(matches!(answer(503, ""), Err(ResponseError::Unavailable { .. })));
        assert!(matches!(answer(302, ""), Err(ResponseError::Redirected { .. })));
        assert!(matches!(answer(404, "<html>"), Err(ResponseError::NotOauth { .. })));
    }
}
