//! From what went wrong here to what a client is told: one row per fact, the text apart from the
//! reason in the log. Facts of the protocol core have their rows there.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use http::{HeaderValue, Response};
use m2m_proto::client_auth::PresentedError;
use m2m_proto::dpop::ProofError;
use m2m_proto::error::{AuthenticatedBy, Endpoint, ErrorCode, ErrorResponse, WireError};
use m2m_proto::form::FormError;
use m2m_proto::grant::{AuthorizationGrantError, TokenExchangeError};
use m2m_proto::introspection::IntrospectionRequestError;
use m2m_proto::names::header;
use m2m_proto::revocation::RevocationRequestError;
use m2m_proto::security_profile::OutsideProfile;
use m2m_proto::token::TokenRequestError;

use crate::admission::NotAdmitted;
use crate::authenticate::AuthenticationError;
use crate::federation::FederationError;
use crate::limits::OverBudget;
use crate::mint::SigningFailed;
use crate::policy::Denied;
use crate::policy::exchange::NotExchanged;
use crate::store::StoreError;

/// When to come back, where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Form(#[from] FormError),
    #[error("the body did not come in time")]
    BodyTooSlow,
    #[error(transparent)]
    TokenRequest(#[from] TokenRequestError),
    #[error(transparent)]
    TokenExchange(#[from] TokenExchangeError),
    #[error(transparent)]
    IntrospectionRequest(#[from] IntrospectionRequestError),
    #[error(transparent)]
    RevocationRequest(#[from] RevocationRequestError),
    #[error(transparent)]
    Presented(#[from] PresentedError),
    #[error(transparent)]
    OutsideProfile(#[from] OutsideProfile),
    #[error("too many failed authentications")]
    OverBudget(OverBudget),
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    #[error(transparent)]
    Grant(#[from] AuthorizationGrantError),
    #[error("{0}")]
    AssertionGrant(Box<FederationError>),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the signing key is being made")]
    KeyNotReady,
    #[error(transparent)]
    SigningFailed(#[from] SigningFailed),
}

impl WireError for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Form(fact) => fact.code(),
            Self::BodyTooSlow => ErrorCode::InvalidRequest,
            Self::TokenRequest(fact) => fact.code(),
            Self::TokenExchange(fact) => fact.code(),
            Self::IntrospectionRequest(fact) => fact.code(),
            Self::RevocationRequest(fact) => fact.code(),
            Self::Presented(fact) => fact.code(),
            Self::Proof(fact) => fact.code(),
            Self::Grant(fact) => fact.code(),
            Self::AssertionGrant(_) => ErrorCode::InvalidGrant,
            Self::OutsideProfile(_) => ErrorCode::InvalidClient,
            Self::OverBudget(_) => ErrorCode::SlowDown,
            Self::Authentication(AuthenticationError::KeysUnreachable | AuthenticationError::Busy) => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Authentication(_) => ErrorCode::InvalidClient,
            Self::Denied(denied) => denied_code(denied),
            Self::NotAdmitted(NotAdmitted::AssertionReplayed) => ErrorCode::InvalidClient,
            Self::NotAdmitted(NotAdmitted::GrantReplayed) => ErrorCode::InvalidGrant,
            Self::NotAdmitted(NotAdmitted::ProofReplayed) => ErrorCode::InvalidDpopProof,
            Self::NotAdmitted(NotAdmitted::OverQuota { .. }) => ErrorCode::SlowDown,
            Self::NotAdmitted(NotAdmitted::Unavailable(_) | NotAdmitted::BeforeStart)
            | Self::Store(_)
            | Self::KeyNotReady => ErrorCode::TemporarilyUnavailable,
            Self::SigningFailed(_) => ErrorCode::ServerError,
        }
    }

    fn description(&self) -> Cow<'static, str> {
        match self {
            Self::Form(fact) => fact.description(),
            Self::TokenRequest(fact) => fact.description(),
            Self::TokenExchange(fact) => fact.description(),
            Self::IntrospectionRequest(fact) => fact.description(),
            Self::RevocationRequest(fact) => fact.description(),
            Self::Presented(fact) => fact.description(),
            Self::Proof(fact) => fact.description(),
            Self::Grant(fact) => fact.description(),
            // Which issuers are trusted, whom they may speak for and what else was wrong is not told.
            Self::AssertionGrant(_) => AuthorizationGrantError::Issuer.description(),
            Self::Authentication(AuthenticationError::External(_)) => {
                Cow::Owned(AuthenticationError::Refused.to_string())
            }
            // These say themselves no more than a stranger may know; see their modules.
            Self::OutsideProfile(_)
            | Self::Authentication(_)
            | Self::Denied(_)
            | Self::OverBudget(_)
            | Self::BodyTooSlow => Cow::Owned(self.to_string()),
            Self::NotAdmitted(NotAdmitted::Unavailable(_)) | Self::Store(_) | Self::KeyNotReady => {
                Cow::Borrowed("the server cannot do this now")
            }
            Self::NotAdmitted(_) => Cow::Owned(self.to_string()),
            Self::SigningFailed(_) => Cow::Borrowed("the server failed"),
        }
    }
}

fn denied_code(denied: &Denied) -> ErrorCode {
    match denied {
        Denied::GrantType => ErrorCode::UnsupportedGrantType,
        Denied::NothingGranted => ErrorCode::UnauthorizedClient,
        Denied::Target | Denied::ManyTargets | Denied::AmbiguousTarget | Denied::ApiAlgorithm => {
            ErrorCode::InvalidTarget
        }
        Denied::Scope => ErrorCode::InvalidScope,
        Denied::DpopRequired => ErrorCode::InvalidDpopProof,
        Denied::CertificateRequired | Denied::Unbound => ErrorCode::InvalidRequest,
        Denied::Exchange(fact) => not_exchanged_code(*fact),
    }
}

/// Whatever is wrong with a subject or actor token is `invalid_request` (RFC 8693 §2.2.2).
// spec: 8693-AS1, 8693-AS3
fn not_exchanged_code(fact: NotExchanged) -> ErrorCode {
    match fact {
        NotExchanged::Client => ErrorCode::UnauthorizedClient,
        NotExchanged::Target => ErrorCode::InvalidTarget,
        NotExchanged::Scope => ErrorCode::InvalidScope,
        NotExchanged::Subject
        | NotExchanged::Actor
        | NotExchanged::TokenType
        | NotExchanged::RequestedType
        | NotExchanged::Bound
        | NotExchanged::TooOften => ErrorCode::InvalidRequest,
    }
}

impl Refusal {
    /// The whole answer.
    // spec: 6749-AS8
    pub(crate) fn to_response(&self, endpoint: Endpoint, by: AuthenticatedBy) -> Response<Bytes> {
        let mut response = ErrorResponse::of(self).encode(endpoint, by);
        if let Some(status) = self.transport_status() {
            *response.status_mut() = status;
        }
        if let Some(wait) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }

    /// What HTTP itself has a status for, before OAuth comes into it (RFC 9110 §15.5).
    fn transport_status(&self) -> Option<StatusCode> {
        match self {
            Self::Form(FormError::ContentType) => Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Form(FormError::TooLarge) => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::BodyTooSlow => Some(StatusCode::REQUEST_TIMEOUT),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::OverBudget(over) => Some(over.retry_after),
            Self::NotAdmitted(NotAdmitted::OverQuota { retry_after }) => Some(*retry_after),
            _ if self.code() == ErrorCode::TemporarilyUnavailable => Some(SOON),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use m2m_proto::error::Endpoint::{Introspection, Revocation, Token};

    fn stranger() -> FederationError {
        FederationError::UnknownIssuer { found: "\"https://evil.example\"".to_owned() }
    }

    #[test]
    fn a_stranger_learns_nothing_of_trusted_issuers() {
        let told = Refusal::from(AuthenticationError::External(Box::new(stranger())));
        assert_eq!(told.description(), Refusal::from(AuthenticationError::Refused).description());
        let told = Refusal::AssertionGrant(Box::new(stranger())).description().into_owned();
        assert!(!told.contains("evil"), "{told}");
    }

    /// Every fact of this crate, with the endpoints where it can occur.
    fn facts() -> Vec<(Refusal, &'static [Endpoint])> {
        const ALL: &[Endpoint] = &[Token, Introspection, Revocation];
        let over = OverBudget { retry_after: SOON };
        let mut facts = vec![
            (Refusal::OverBudget(over), ALL),
            (Refusal::BodyTooSlow, ALL),
            (OutsideProfile::NoMethod.into(), ALL),
            (AuthenticationError::Refused.into(), ALL),
            (AuthenticationError::KeysUnreachable.into(), ALL),
            (AuthenticationError::Busy.into(), ALL),
            (NotAdmitted::AssertionReplayed.into(), ALL),
            (NotAdmitted::GrantReplayed.into(), &[Token][..]),
            (NotAdmitted::ProofReplayed.into(), &[Token][..]),
            (NotAdmitted::Unavailable(None).into(), ALL),
            (NotAdmitted::BeforeStart.into(), ALL),
            (NotAdmitted::OverQuota { retry_after: SOON }.into(), &[Token, Revocation][..]),
            (AuthenticationError::Network.into(), ALL),
            (AuthenticationError::External(Box::new(stranger())).into(), ALL),
            (Refusal::AssertionGrant(Box::new(stranger())), &[Token][..]),
            (AuthorizationGrantError::Missing.into(), &[Token][..]),
            (StoreError::Full("x").into(), ALL),
            (Refusal::KeyNotReady, &[Token, Introspection][..]),
            (SigningFailed.into(), &[Token, Introspection][..]),
        ];
        let denied = [
            Denied::GrantType,
            Denied::NothingGranted,
            Denied::Target,
            Denied::ManyTargets,
            Denied::AmbiguousTarget,
            Denied::Scope,
            Denied::DpopRequired,
            Denied::CertificateRequired,
            Denied::Unbound,
            Denied::ApiAlgorithm,
        ];
        facts.extend(denied.into_iter().map(|denied| (denied.into(), &[Token][..])));
        let not_exchanged = [
            NotExchanged::Client,
            NotExchanged::Subject,
            NotExchanged::Actor,
            NotExchanged::TokenType,
            NotExchanged::RequestedType,
            NotExchanged::Bound,
            NotExchanged::TooOften,
            NotExchanged::Target,
            NotExchanged::Scope,
        ];
        facts.extend(not_exchanged.into_iter().map(|fact| (Denied::from(fact).into(), &[Token][..])));
        facts.push((TokenExchangeError::SubjectToken.into(), &[Token][..]));
        facts
    }

    #[test]
    fn every_fact_has_a_code_that_its_endpoints_may_send() {
        for (fact, endpoints) in facts() {
            for endpoint in endpoints {
                assert!(fact.code().allowed_at(*endpoint), "{fact:?} at {endpoint:?}: {:?}", fact.code());
            }
        }
    }

    // spec-test: 6749-AS8
    #[test]
    fn descriptions_hold_no_character_that_the_header_of_a_proxy_would_choke_on() {
        for (fact, _) in facts() {
            let text = fact.description();
            assert!(!text.is_empty());
            assert!(text.bytes().all(m2m_proto::text::is_nqschar), "{text}");
        }
    }

    #[test]
    fn what_is_temporary_says_when_to_come_back() {
        for (fact, endpoints) in facts() {
            let response = fact.to_response(endpoints[0], AuthenticatedBy::Other);
            let temporary = [429, 503].contains(&response.status().as_u16());
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), temporary, "{fact:?}");
        }
    }
}
