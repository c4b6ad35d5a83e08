//! From facts to the wire: what each error of this crate becomes when a
//! stranger has to be told.
//!
//! One row for each variant: the code, and a description that is safe for
//! anybody to read. The compiler refuses a variant without a row; a test refuses
//! a row whose code is not legal where its type can occur. Facts that say the
//! same to a stranger (unknown client, wrong secret) have the same text.

use std::borrow::Cow;

use super::ErrorCode;
use crate::client_auth::AssertionError;
use crate::grant::AuthorizationGrantError;
use crate::jose::KindError;

/// An error that has a form on the wire.
pub trait WireError {
    /// The OAuth error code.
    fn code(&self) -> ErrorCode;

    /// A description that any stranger may read.
    fn description(&self) -> Cow<'static, str>;
}

/// `path::Type, at PLACE { pattern => Code, "description"; … }`, where PLACE is
/// one of `places`.
macro_rules! facts {
    ($($type:path, at $place:ident { $($pattern:pat => $code:ident, $text:expr;)* })*) => {
        $(impl WireError for $type {
            fn code(&self) -> ErrorCode {
                match self { $($pattern => ErrorCode::$code,)* }
            }

            fn description(&self) -> Cow<'static, str> {
                Cow::Borrowed(match self { $($pattern => $text,)* })
            }
        })*

        #[cfg(test)]
        static ROWS: &[tests::Row] = &[
            $($(tests::Row {
                fact: concat!(stringify!($type), " ", stringify!($pattern)),
                code: ErrorCode::$code,
                description: $text,
                endpoints: places::$place,
            },)*)*
        ];
    };
}

facts! {
    crate::form::FormError, at AUTHORIZATION_SERVER {
        Self::ContentType => InvalidRequest, "the body must be application/x-www-form-urlencoded";
        Self::TooLarge => InvalidRequest, "the body is too large";
        Self::TooMany => InvalidRequest, "too many parameters";
        Self::Escape => InvalidRequest, "the body has a malformed escape";
        Self::NotUtf8 => InvalidRequest, "the body is not UTF-8";
        Self::Duplicate { .. } => InvalidRequest, "a parameter is repeated";
    }
    crate::token::TokenRequestError, at TOKEN {
        Self::MissingGrantType => InvalidRequest, "grant_type is missing";
        Self::Scope(_) => InvalidScope, "scope is malformed";
        Self::Resource(_) => InvalidTarget, "resource must be an absolute URI without fragment";
        Self::Audience => InvalidTarget, "audience is malformed";
        Self::TooManyTargets => InvalidTarget, "too many resources or audiences";
        Self::ReservedParameter { .. } => InvalidRequest, "a parameter is not allowed here";
    }
    crate::grant::TokenExchangeError, at TOKEN {
        // RFC 8693 section 2.2.2 has this one code for all faults of a request and its tokens.
        Self::SubjectToken => InvalidRequest, "subject_token is missing";
        Self::SubjectTokenType => InvalidRequest, "subject_token_type is missing";
        Self::ActorToken => InvalidRequest, "actor_token_type without actor_token";
        Self::ActorTokenType => InvalidRequest, "actor_token without actor_token_type";
        Self::TokenType(_) => InvalidRequest, "a token type is malformed";
    }
    crate::introspection::IntrospectionRequestError, at INTROSPECTION {
        Self::MissingToken => InvalidRequest, "token is missing";
    }
    crate::introspection::IntrospectionError, at RESOURCE {
        Self::Claims(KindError::WrongIssuer { .. }) => InvalidToken, "the issuer of the token is not trusted";
        Self::Confirmation(_) => InvalidToken, "the confirmation of the token is not understood";
        // What else the server said of a token that is not for this API is not told.
        Self::Inactive | Self::NotAccessToken | Self::Claims(_) | Self::KeyMissing => InvalidToken, "the token is not active";
    }
    crate::revocation::RevocationRequestError, at REVOCATION {
        Self::MissingToken => InvalidRequest, "token is missing";
    }
    crate::client_id::ClientIdError, at AUTHORIZATION_SERVER {
        Self::Empty | Self::TooLong | Self::Character => InvalidRequest, "client_id is malformed";
    }
    crate::client_auth::PresentedError, at AUTHORIZATION_SERVER {
        Self::RepeatedHeader => InvalidRequest, "more than one Authorization header";
        Self::SeveralMethods => InvalidRequest, "more than one client authentication method";
        Self::ClientIdMissing => InvalidRequest, "client_id is missing";
        Self::ClientIdMalformed => InvalidRequest, "client_id is malformed";
        Self::ClientIdMismatch => InvalidRequest, "client_id is not the authenticated client";
        Self::AssertionIncomplete => InvalidRequest, "client_assertion and client_assertion_type belong together";
        Self::AssertionTypeUnknown => InvalidClient, "client_assertion_type is not supported";
        Self::Assertion(_) | Self::Svid(_) => InvalidClient, "client_assertion is malformed";
        Self::Basic(_) => InvalidClient, "the Authorization header holds no usable Basic credentials";
        Self::Post(_) => InvalidClient, "client authentication failed";
        Self::Unauthenticated => InvalidClient, "the client did not authenticate";
    }
    crate::client_auth::mutual_tls::CertificateError, at AUTHORIZATION_SERVER {
        Self::Size | Self::TooManyIntermediates | Self::Malformed => InvalidClient, "client authentication failed";
        Self::Chain { .. } | Self::Subject { .. } => InvalidClient, "client authentication failed";
        Self::NotRegistered => InvalidClient, "client authentication failed";
        Self::Thumbprint | Self::Address | Self::DistinguishedName(_) | Self::SubjectKind => InvalidRequest,
            "malformed certificate registration";
    }
    crate::dpop::ProofError, at TOKEN_AND_RESOURCE {
        Self::NonceMissing => UseDpopNonce, "a nonce is required in the DPoP proof";
        Self::Nonce(_) => UseDpopNonce, "the nonce of the DPoP proof is not accepted";
        Self::Missing => InvalidDpopProof, "the DPoP header is missing";
        Self::Repeated => InvalidDpopProof, "more than one DPoP header";
        Self::Size => InvalidDpopProof, "the DPoP header is not a proof";
        Self::Jws(_) => InvalidDpopProof, "the proof is malformed or its signature is wrong";
        Self::Kind(_) => InvalidDpopProof, "typ, jwk, a claim or iat of the proof is not acceptable";
        Self::Algorithm(_) => InvalidDpopProof, "the algorithm of the proof is not accepted";
        Self::Key => InvalidDpopProof, "jwk is not usable";
        Self::Claim(_) => InvalidDpopProof, "a claim of the proof is malformed";
        Self::Method => InvalidDpopProof, "htm is not the method of the request";
        Self::Uri | Self::RequestUri => InvalidDpopProof, "htu is not the URI of the request";
        Self::TooOld => InvalidDpopProof, "the proof is too old";
        Self::TokenHash => InvalidDpopProof, "ath is not the hash of the access token";
        Self::AnotherKey => InvalidDpopProof, "the proof was made with another key";
    }
    crate::token::presentation::PresentationError, at RESOURCE {
        Self::Repeated => InvalidRequest, "more than one Authorization header";
        Self::Malformed | Self::TooLong => InvalidRequest, "the Authorization header holds no well-formed token";
        Self::UnknownTokenType => InvalidRequest, "the token type is not understood";
    }
    crate::token::access_token::AccessTokenError, at RESOURCE {
        Self::Jws(_) => InvalidToken, "the token is malformed or its signature is wrong";
        Self::Kind(KindError::Expired { .. }) => InvalidToken, "the token has expired";
        Self::Kind(KindError::WrongTyp { .. }) | Self::IdToken | Self::NotAccessToken(_) => InvalidToken,
            "this is not an access token";
        Self::Kind(KindError::WrongIssuer { .. }) => InvalidToken, "the issuer is not trusted here";
        Self::Audience { .. } => InvalidToken, "the token is for another audience";
        Self::Kind(_) | Self::Claim(_) => InvalidToken, "a claim of the token is missing or not acceptable";
        Self::Algorithm(_) => InvalidToken, "the algorithm of the token is not accepted";
    }
    crate::token::access_token::MintError, at TOKEN {
        Self::Unusable | Self::Jws(_) => ServerError, "the token could not be made";
        Self::Seal(_) | Self::TooLong { .. } => ServerError, "the token could not be made";
    }
    crate::token::confirmation::ConfirmationError, at RESOURCE {
        Self::Malformed | Self::UnknownMethod => InvalidToken, "the confirmation of the token is not understood";
        Self::NotBound => InvalidToken, "a sender-constrained token is required";
        Self::UnboundAsDpop => InvalidToken, "the token is not bound to a key";
        Self::BoundAsBearer => InvalidToken, "the token is bound to a key and must be presented as DPoP";
        Self::ProofMissing => InvalidDpopProof, "the DPoP header is missing";
        Self::ProofForAnotherToken => InvalidDpopProof, "ath is not the hash of the access token";
        Self::AnotherKey => InvalidToken, "the DPoP proof was made with another key than the token's";
        Self::CertificateMissing | Self::AnotherCertificate => InvalidToken, "the token is bound to another certificate";
    }
}

/// By hand, because one description holds a value: our own issuer identifier,
/// so that the reader can put it right.
// spec: 7523-AS1
impl WireError for AssertionError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidClient
    }

    fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Audience { expected } => return Cow::Owned(format!("aud must be {expected}")),
            Self::Kind(KindError::WrongTyp { .. }) => "typ must be client-authentication+jwt",
            Self::Kind(KindError::MissingClaim(_)) => "a required claim is missing from the assertion",
            Self::Kind(KindError::LivesTooLong { .. }) => "exp must be at most 300 seconds away",
            Self::Kind(_) | Self::IssuedTooEarly => "the assertion is expired or not valid yet",
            Self::Jti => "jti must have 1 to 256 bytes",
            // The second is an error of building, which reaches no stranger.
            Self::Claims | Self::ExtraClaim(_) => "the claims of the assertion are malformed",
            // Whether the client exists, and which keys it has, is not told.
            Self::Jws(_) | Self::NoKey | Self::Subject => "client authentication failed",
        })
    }
}

/// By hand for the same reason.
// spec: 7523-AS5
impl WireError for AuthorizationGrantError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Missing => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidGrant,
        }
    }

    fn description(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Missing => "assertion is missing",
            Self::Audience { expected } => return Cow::Owned(format!("aud must be {expected}")),
            Self::Kind(KindError::WrongTyp { .. }) => "typ is that of another kind of token",
            Self::Kind(KindError::SymmetricAlgorithm(_)) => "the algorithm of the assertion is not accepted",
            Self::Kind(KindError::MissingClaim(_)) => "a required claim is missing from the assertion",
            Self::Kind(KindError::LivesTooLong { .. }) => "exp must be at most 3600 seconds away",
            Self::Kind(_) => "the assertion is expired or not valid yet",
            Self::Subject => "sub is empty",
            Self::Jti => "jti must have 1 to 256 bytes",
            // The second is an error of building, which reaches no stranger.
            Self::Claims | Self::ExtraClaim(_) => "the claims of the assertion are malformed",
            // Which issuers are trusted, and which keys they have, is not told.
            Self::Jws(_) | Self::NoKey | Self::Issuer => "the assertion is not accepted",
        })
    }
}

/// Where the errors of a type can occur.
#[cfg(test)]
mod places {
    use super::super::Endpoint::{self, Introspection, Resource, Revocation, Token};

    pub(super) const AUTHORIZATION_SERVER: &[Endpoint] = &[Token, Introspection, Revocation];
    pub(super) const TOKEN: &[Endpoint] = &[Token];
    pub(super) const INTROSPECTION: &[Endpoint] = &[Introspection];
    pub(super) const REVOCATION: &[Endpoint] = &[Revocation];
    pub(super) const RESOURCE: &[Endpoint] = &[Resource];
    pub(super) const TOKEN_AND_RESOURCE: &[Endpoint] = &[Token, Resource];
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;
    use crate::text;

    pub(super) struct Row {
        pub(super) fact: &'static str,
        pub(super) code: ErrorCode,
        pub(super) description: &'static str,
        pub(super) endpoints: &'static [Endpoint],
    }

    #[test]
    fn every_code_is_legal_where_its_fact_occurs() {
        for row in ROWS {
            assert!(!row.endpoints.is_empty(), "{}: occurs nowhere", row.fact);
            for endpoint in row.endpoints {
                assert!(
                    row.code.allowed_at(*endpoint),
                    "{}: {} is not legal at {endpoint:?}",
                    row.fact,
                    row.code
                );
            }
        }
    }

    // spec-test: 6749-AS8, 6749-AS8a
    #[test]
    fn every_description_is_sendable() {
        for row in ROWS {
            assert!(!row.description.is_empty(), "{}", row.fact);
            assert!(row.description.bytes().all(text::is_nqschar), "{}", row.fact);
            assert!(row.description.len() <= 120, "{}: keep it short", row.fact);
        }
    }

    // spec-test: 7523-AS1
    #[test]
    fn the_refusal_of_an_audience_names_the_right_one() {
        let fact = AssertionError::Audience { expected: "https://as.example".to_owned() };
        assert_eq!(
            (fact.code(), fact.description().as_ref()),
            (ErrorCode::InvalidClient, "aud must be https://as.example")
        );
    }

    // spec-test: 7523-AS5
    #[test]
    fn a_refused_grant_is_invalid_grant_and_says_what_a_stranger_may_know() {
        use AuthorizationGrantError as E;
        let aud = E::Audience { expected: "https://as.example".to_owned() };
        let kind = |error: KindError| E::Kind(error);
        let facts = [
            (E::NoKey, "the assertion is not accepted"),
            (E::Issuer, "the assertion is not accepted"),
            (crate::jose::JwsError::WrongSignature.into(), "the assertion is not accepted"),
            (aud, "aud must be https://as.example"),
            (E::Claims, "the claims of the assertion are malformed"),
            (E::Subject, "sub is empty"),
            (E::Jti, "jti must have 1 to 256 bytes"),
            (kind(KindError::WrongAudience), "the assertion is expired or not valid yet"),
            (
                kind(KindError::LivesTooLong { limit: crate::grant::jwt_bearer::MAX_LIFETIME }),
                "exp must be at most 3600 seconds away",
            ),
        ];
        for (fact, text) in facts {
            assert_eq!((fact.code(), fact.description().as_ref()), (ErrorCode::InvalidGrant, text), "{fact}");
            assert!(fact.code().allowed_at(Endpoint::Token));
        }
        assert_eq!(E::Missing.code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn unknown_key_wrong_signature_and_wrong_client_look_the_same() {
        let texts =
            [AssertionError::NoKey, AssertionError::Subject, crate::jose::JwsError::WrongSignature.into()]
                .map(|fact| fact.description().into_owned());
        assert!(texts.iter().all(|text| text == "client authentication failed"));
        assert!(ErrorCode::InvalidClient.allowed_at(Endpoint::Token));
    }
}
