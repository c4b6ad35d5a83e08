//! Client authentication: exactly one method in a request, and who it claims
//! to be.
//!
//! Sections: RFC 6749 sections 2.3, 3.2.1 and 5.2, RFC 7521 section 4.2,
//! RFC 8705 section 2
//!
//! Enforces, in this order:
//! 1. at most one `Authorization` header, of the scheme `Basic`
//! 2. at most one of: that header, `client_secret`, `client_assertion`
//! 3. `client_assertion` and `client_assertion_type` come together, and the
//!    type is the JWT one or the one for JWT-SVIDs
//! 4. the method's own form (see [`secret`], [`assertion`])
//! 5. `client_id` in the form, where both appear, is the same client
//! 6. without any of them: a client certificate and `client_id`
//!
//! Does not enforce: that the credential is right, nor that the client may use
//! this method. A request with `client_id` alone is refused: there are no
//! public clients here.
//!
//! Limits: those of [`crate::form`], [`secret`] and [`assertion`].

pub mod assertion;
mod der;
mod distinguished_name;
pub mod method;
pub mod mutual_tls;
pub mod secret;

use http::{HeaderMap, HeaderValue};

pub use assertion::{
    AssertionAudience, AssertionError, AssertionType, ClientAssertion, UnverifiedAssertion, VerifiedAssertion,
};
pub use method::ClientAuthMethod;
pub use mutual_tls::{CertificateThumbprint, ClientAuthorities, PeerCertificate, SubjectName};
pub use secret::{BasicEncoding, BasicPair, ClientSecret, SecretPair};

use crate::client_id::ClientId;
use crate::form::Form;
use crate::names::{assertion_type, header, param};
use crate::workload_token::{UnverifiedWorkloadToken, WorkloadTokenError};
use secret::SecretError;

/// Why a request does not authenticate a client in a way that we understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresentedError {
    /// Several `Authorization` headers.
    #[error("more than one Authorization header")]
    RepeatedHeader,
    /// More than one method (RFC 6749 section 2.3).
    #[error("more than one client authentication method")]
    SeveralMethods,
    /// The `Authorization` header is not usable Basic credentials.
    #[error("the Authorization header is not usable: {0}")]
    Basic(SecretError),
    /// `client_secret` cannot be a secret.
    #[error("client_secret is not usable: {0}")]
    Post(SecretError),
    /// `client_secret` without `client_id`.
    #[error("client_id is missing")]
    ClientIdMissing,
    /// `client_id` breaks its grammar.
    #[error("client_id is malformed")]
    ClientIdMalformed,
    /// `client_assertion` without its type, or the type without it.
    #[error("client_assertion and client_assertion_type belong together")]
    AssertionIncomplete,
    /// An assertion type that is not supported.
    #[error("client_assertion_type is not supported")]
    AssertionTypeUnknown,
    /// The assertion is not well-formed.
    #[error("client_assertion is malformed: {0}")]
    Assertion(AssertionError),
    /// The JWT-SVID is not well-formed.
    #[error("client_assertion is malformed: {0}")]
    Svid(WorkloadTokenError),
    /// `client_id` names another client than the credential.
    #[error("client_id is not the authenticated client")]
    ClientIdMismatch,
    /// Only `client_id`: there are no public clients.
    #[error("the client did not authenticate")]
    Unauthenticated,
}

/// The one credential that a request presents. Nothing is proven yet, but the
/// checks of this module were made: only [`Presented::from_request`] makes one.
///
/// ```compile_fail,E0423
/// use m2m_proto::client_auth::{PeerCertificate, Presented, PresentedKind};
/// use m2m_proto::client_id::ClientId;
/// fn forged(client_id: ClientId, certificate: PeerCertificate) -> Presented {
///     Presented(PresentedKind::Certificate { client_id, certificate })
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Presented(PresentedKind);

/// What [`Presented`] holds. By itself it says nothing of any request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PresentedKind {
    /// `client_secret_basic`.
    SecretBasic(BasicPair),
    /// `client_secret_post`.
    SecretPost(SecretPair),
    /// `client_secret_jwt`, `private_key_jwt`, or the token of a trusted issuer.
    Assertion {
        /// The form's `client_id`, else the assertion's own `iss` = `sub`.
        client_id: ClientId,
        /// The assertion, read but not verified.
        assertion: Box<UnverifiedAssertion>,
    },
    /// A JWT-SVID (draft-ietf-oauth-spiffe-client-auth), which is never a client's own assertion.
    Svid {
        /// The form's `client_id`.
        client_id: ClientId,
        /// The token, read but not verified.
        token: Box<UnverifiedWorkloadToken>,
    },
    /// `tls_client_auth` or `self_signed_tls_client_auth`.
    Certificate {
        /// The form's `client_id`.
        client_id: ClientId,
        /// The certificate of the connection.
        certificate: PeerCertificate,
    },
}

impl Presented {
    /// Finds the one method. The checks and their order are in the module's
    /// description.
    ///
    /// A certificate counts only where nothing else does: with another method
    /// it may still bind the token.
    ///
    /// # Errors
    /// One variant per check; the table in `error::code` says which are
    /// `invalid_request` and which `invalid_client`.
    // spec: 6749-C5
    // spec: 6749-AS2, OIDF-AS7, OIDF-AS10
    // spec: 8705-C1
    pub fn from_request(
        headers: &HeaderMap,
        form: &Form<'_>,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Self, PresentedError> {
        let authorization = sole_authorization(headers)?;
        let secret = form.get(param::CLIENT_SECRET);
        let assertion = assertion_of(form)?;
        let methods = [authorization.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|present| *present).count() > 1 {
            return Err(PresentedError::SeveralMethods);
        }
        let client_id = form.get(param::CLIENT_ID);
        if let Some(header) = authorization {
            return basic(header, client_id);
        }
        if let Some(secret) = secret {
            return post(client_id, secret);
        }
        if let Some((assertion, of_type)) = assertion {
            return match of_type {
                assertion_type::JWT_SPIFFE => svid(client_id, assertion),
                _ => asserted(client_id, assertion),
            };
        }
        match (client_id.map(parse_client_id).transpose()?, certificate) {
            (Some(client_id), Some(certificate)) => {
                Ok(Self(PresentedKind::Certificate { client_id, certificate: certificate.clone() }))
            }
            _ => Err(PresentedError::Unauthenticated),
        }
    }

    /// Who the request claims to come from.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        match &self.0 {
            PresentedKind::SecretBasic(pair) => pair.client_id(),
            PresentedKind::SecretPost(pair) => pair.client_id(),
            PresentedKind::Assertion { client_id, .. }
            | PresentedKind::Svid { client_id, .. }
            | PresentedKind::Certificate { client_id, .. } => client_id,
        }
    }

    /// The credential, to be checked by its kind.
    #[must_use]
    pub fn kind(&self) -> &PresentedKind {
        &self.0
    }
}

fn sole_authorization(headers: &HeaderMap) -> Result<Option<&HeaderValue>, PresentedError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() { Err(PresentedError::RepeatedHeader) } else { Ok(first) }
}

/// The assertion and its type.
// spec: 7523-C1
fn assertion_of<'f>(form: &'f Form<'_>) -> Result<Option<(&'f str, &'f str)>, PresentedError> {
    match (form.get(param::CLIENT_ASSERTION), form.get(param::CLIENT_ASSERTION_TYPE)) {
        (None, None) => Ok(None),
        (Some(assertion), Some(of_type @ (assertion_type::JWT_BEARER | assertion_type::JWT_SPIFFE))) => {
            Ok(Some((assertion, of_type)))
        }
        (Some(_), Some(_)) => Err(PresentedError::AssertionTypeUnknown),
        _ => Err(PresentedError::AssertionIncomplete),
    }
}

fn basic(header: &HeaderValue, client_id: Option<&str>) -> Result<Presented, PresentedError> {
    let pair = secret::decode_basic(header).map_err(PresentedError::Basic)?;
    match client_id {
        Some(client_id) if !pair.readings().any(|reading| reading.client_id().as_str() == client_id) => {
            Err(PresentedError::ClientIdMismatch)
        }
        _ => Ok(Presented(PresentedKind::SecretBasic(pair))),
    }
}

fn post(client_id: Option<&str>, secret: &str) -> Result<Presented, PresentedError> {
    let client_id = parse_client_id(client_id.ok_or(PresentedError::ClientIdMissing)?)?;
    let secret = ClientSecret::parse(secret).map_err(PresentedError::Post)?;
    Ok(Presented(PresentedKind::SecretPost(SecretPair::new(client_id, secret))))
}

// spec: 7523-AS3, 7523-AS3a
fn asserted(client_id: Option<&str>, text: &str) -> Result<Presented, PresentedError> {
    let assertion = UnverifiedAssertion::parse(text).map_err(PresentedError::Assertion)?;
    let client_id = match (client_id, assertion.self_issued()) {
        (Some(named), Some(signer)) if named != signer => return Err(PresentedError::ClientIdMismatch),
        (Some(client_id), _) | (None, Some(client_id)) => parse_client_id(client_id)?,
        (None, None) => return Err(PresentedError::ClientIdMissing),
    };
    Ok(Presented(PresentedKind::Assertion { client_id, assertion: Box::new(assertion) }))
}

// spec: SPIFFE-C1
fn svid(client_id: Option<&str>, text: &str) -> Result<Presented, PresentedError> {
    let client_id = parse_client_id(client_id.ok_or(PresentedError::ClientIdMissing)?)?;
    let token = UnverifiedWorkloadToken::parse(text).map_err(PresentedError::Svid)?;
    Ok(Presented(PresentedKind::Svid { client_id, token: Box::new(token) }))
}

fn parse_client_id(text: &str) -> Result<ClientId, PresentedError> {
    ClientId::parse(text).map_err(|_| PresentedError::ClientIdMalformed)
}

#[cfg(test)]
mod tests;
