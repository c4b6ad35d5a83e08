//! What a refusal means where somebody else's token is shown, or an answer is believed by its signature alone. No secret
//! of ours is in that, so no advice here speaks of one.
//!
//! Whether the server says more in its description is its own matter; most tell a stranger nothing, so that this is all
//! that a person has.

use m2m_proto::error::ErrorCode;

use super::{Advice, Passes};

/// On what the request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// What is the client's own.
    Own,
    /// The token of a platform, as credential or as grant (RFC 7523).
    Workload,
    /// A token for a token (RFC 8693).
    Exchange,
    /// The same, by a client whose credential is the token of a platform.
    WorkloadExchange,
}

impl Ground {
    /// What the code means on this ground; `None` where it means what it always does.
    pub(crate) fn advice(self, code: &ErrorCode) -> Option<Advice> {
        let text = match self {
            Self::Own => None,
            Self::Workload => workload(code),
            Self::Exchange => exchange(code),
            Self::WorkloadExchange => exchange(code).or_else(|| workload(code)),
        };
        text.map(advice)
    }
}

/// Of a signed answer that cannot be believed, or does not come.
pub(crate) fn unsigned() -> Advice {
    advice(
        "only an answer that the issuer has signed for this client counts (RFC 9701): have the server sign its answers, check that the configured issuer is the one that answers and that the clocks agree, or ask without signature",
    )
}

fn advice(text: &str) -> Advice {
    Advice { means: None, passes: Passes::AsItsCodeSays, text: text.to_owned() }
}

fn workload(code: &ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidClient | ErrorCode::InvalidGrant => Some(
            "the server does not take the platform's token: it must trust the token's issuer, be named in its aud, and have exactly one credential that stands for its sub and claims, of this client where one is named; whoever administers the server can see which of these fails (m2m serve: m2m admin issuer explain)",
        ),
        ErrorCode::UnsupportedGrantType => Some(
            "the server takes no token of others as a grant (RFC 7523): it may trust no issuer yet, or want the token as a client assertion",
        ),
        _ => None,
    }
}

fn exchange(code: &ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidGrant => Some(
            "the server does not take the subject token: it may have expired or been withdrawn, be another server's or of another type than subject_token_type says, or be bound to a key or certificate that this request does not prove",
        ),
        ErrorCode::UnauthorizedClient => Some(
            "this client may not exchange tokens: have that allowed at the server (m2m serve: m2m admin client update --token-exchange)",
        ),
        ErrorCode::UnsupportedGrantType => {
            Some("the server exchanges no tokens (RFC 8693) at this endpoint: check the token URL")
        }
        ErrorCode::InvalidTarget => Some(
            "the subject token is not exchanged for that API: the subject and this client both need access to it there, and some servers let only the API that the token was for go on to another one",
        ),
        ErrorCode::InvalidScope => Some(
            "the scope goes beyond the subject token, or beyond what its subject and this client have there: ask for fewer scopes",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_secret_is_no_matter_of_secrets() {
        use ErrorCode as C;
        let codes = [
            C::InvalidClient,
            C::InvalidGrant,
            C::InvalidRequest,
            C::InvalidScope,
            C::InvalidTarget,
            C::UnauthorizedClient,
            C::UnsupportedGrantType,
            C::AccessDenied,
        ];
        let mut told = vec![unsigned().text];
        for ground in [Ground::Own, Ground::Workload, Ground::Exchange, Ground::WorkloadExchange] {
            told.extend(codes.iter().filter_map(|code| ground.advice(code)).map(|advice| advice.text));
        }
        assert_eq!(told.len(), 1 + 3 + 6 + 7);
        for text in told {
            assert!(!text.contains("secret") && !text.contains("client_credentials"), "{text}");
        }
    }

    #[test]
    fn each_ground_has_its_own_meaning() {
        let check = |ground: Ground, code: ErrorCode, expect: Option<&str>| {
            let text = ground.advice(&code).map(|advice| advice.text);
            assert_eq!(text.is_some(), expect.is_some(), "{ground:?} {code:?}");
            assert!(text.unwrap_or_default().contains(expect.unwrap_or_default()), "{ground:?} {code:?}");
        };
        check(Ground::Own, ErrorCode::InvalidClient, None);
        check(Ground::Workload, ErrorCode::InvalidClient, Some("issuer explain"));
        check(Ground::Workload, ErrorCode::InvalidScope, None);
        check(Ground::Exchange, ErrorCode::InvalidClient, None);
        check(Ground::Exchange, ErrorCode::UnauthorizedClient, Some("--token-exchange"));
        check(Ground::WorkloadExchange, ErrorCode::InvalidClient, Some("the platform's token"));
        check(Ground::WorkloadExchange, ErrorCode::InvalidGrant, Some("the subject token"));
    }
}
