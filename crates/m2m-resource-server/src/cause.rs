//! Refusals by cause, in few and closed words: for metrics, and for whoever reports decisions.

use m2m_proto::dpop::ProofError;
use m2m_proto::error::{ErrorCode, WireError};
use m2m_proto::jose::{JwsError, KindError};
use m2m_proto::token::access_token::AccessTokenError;

use crate::error::Reason;

impl Reason {
    /// What was wrong, in one word of a closed list: finer than the wire code, and never shown to strangers.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Presentation(_) => "malformed_request",
            Self::Token(error) => token(error),
            Self::UnknownIssuer => "issuer",
            Self::UnknownKey => "unknown_key",
            Self::Withdrawn => "withdrawn",
            Self::Suspended => "suspended",
            Self::UnknownStatus(_) => "unknown_status",
            Self::Inactive => "inactive",
            Self::DpopNotAccepted => "dpop_not_accepted",
            Self::Proof(error) => proof(error),
            Self::ProofReplayed => "proof_replayed",
            Self::Possession(_) => "possession",
            Self::InsufficientScope { .. } => "scope",
            Self::Unavailable(_) => "unavailable",
            Self::Misconfigured(_) => "misconfigured",
        }
    }
}

fn token(error: &AccessTokenError) -> &'static str {
    match error {
        AccessTokenError::Jws(JwsError::WrongSignature) => "signature",
        AccessTokenError::Jws(_) => "malformed_token",
        AccessTokenError::Kind(KindError::Expired { .. }) => "expired",
        AccessTokenError::Kind(KindError::NotYetValid { .. } | KindError::IssuedInFuture { .. }) => {
            "too_early"
        }
        AccessTokenError::Kind(KindError::WrongIssuer { .. }) => "issuer",
        AccessTokenError::Kind(KindError::WrongTyp { .. })
        | AccessTokenError::IdToken
        | AccessTokenError::NotAccessToken(_) => "not_access_token",
        AccessTokenError::Kind(KindError::SymmetricAlgorithm(_)) | AccessTokenError::Algorithm(_) => {
            "algorithm"
        }
        AccessTokenError::Audience { .. } => "audience",
        _ => "claims",
    }
}

fn proof(error: &ProofError) -> &'static str {
    if error.code() == ErrorCode::UseDpopNonce { "dpop_nonce" } else { "dpop_proof" }
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::Algorithm;
    use serde_json::json;

    use crate::fixture::*;

    #[tokio::test]
    async fn causes_tell_apart_what_one_code_does_not() {
        let key = key(Algorithm::Es256, "k1");
        let verifier = verifier(&key, |builder| builder);
        let mut cut = token(&key);
        cut.replace_range(cut.len() - 8.., "AAAAAAAA");
        let stranger = crate::fixture::key(Algorithm::Es256, "k2");
        for (text, cause) in [
            (token_with(&key, "exp", json!(1)), "expired"),
            (token_with(&key, "nbf", json!(NOW.seconds() + 60)), "too_early"),
            (token_with(&key, "aud", json!("else")), "audience"),
            (token_with(&key, "iss", json!("https://else.example")), "issuer"),
            (token_with(&key, "sub", json!(null)), "claims"),
            (signed(&key, "JWT", &claims()), "not_access_token"),
            (cut, "signature"),
            (token(&stranger), "unknown_key"),
            ("garbage".to_owned(), "malformed_token"),
        ] {
            let rejection = verifier.verify(&Asked::bearer(&text).parts()).await.unwrap_err();
            assert_eq!(rejection.reason().cause(), cause, "{rejection}");
        }
        let rejection = verifier.verify(&Asked::bare().parts()).await.unwrap_err();
        assert_eq!(rejection.reason().cause(), "no_token");
    }
}
