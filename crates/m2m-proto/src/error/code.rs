//! The code table: every error code that we write or understand.
//!
//! Sections: RFC 6749 section 5.2; RFC 6750 section 3.1; RFC 7009 section 2.2.1;
//!   RFC 8628 section 3.5; RFC 8707 section 2; RFC 9449 sections 5, 7.1, 8
//! Enforces: one status for each code and endpoint; no code at an endpoint that
//!   its RFC does not give it to.
//! Does not enforce: which fact gets which code; that is [`super::facts`].
//!
//! Status numbers of protocol errors occur in this file and nowhere else.

use std::fmt;

use http::StatusCode;

use crate::text;

/// An OAuth error code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// `invalid_request`: malformed, repeated or contradictory parameters.
    InvalidRequest,
    /// `invalid_client`: client authentication failed.
    InvalidClient,
    /// `invalid_grant`: the grant (an assertion, a subject token) is not valid.
    InvalidGrant,
    /// `unauthorized_client`: this client may not use this grant.
    UnauthorizedClient,
    /// `unsupported_grant_type`: this server does not know the grant.
    UnsupportedGrantType,
    /// `invalid_scope`: unknown, malformed, or beyond the grant.
    InvalidScope,
    /// `invalid_target`: RFC 8707, unknown or unacceptable resource.
    InvalidTarget,
    /// `invalid_dpop_proof`: RFC 9449.
    InvalidDpopProof,
    /// `use_dpop_nonce`: RFC 9449, try again with the nonce of this answer.
    UseDpopNonce,
    /// `unsupported_token_type`: RFC 7009.
    UnsupportedTokenType,
    /// `invalid_token`: RFC 6750, expired, revoked, malformed, or not for here.
    InvalidToken,
    /// `insufficient_scope`: RFC 6750.
    InsufficientScope,
    /// `access_denied`: understood when others send it; we never do.
    AccessDenied,
    /// `temporarily_unavailable`: come back later.
    TemporarilyUnavailable,
    /// `server_error`: a fault of the server.
    ServerError,
    /// `slow_down`: too many requests (RFC 8628's word, used for all grants).
    SlowDown,
    /// A code that is not in the table, as the peer wrote it.
    Other(String),
}

/// The kinds of endpoint that answer with error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// RFC 6749 section 3.2.
    Token,
    /// RFC 7662 section 2.
    Introspection,
    /// RFC 7009 section 2.
    Revocation,
    /// A protected resource (RFC 6750 section 3). Its errors travel as
    /// challenges, not as JSON.
    Resource,
}

impl Endpoint {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Token, Self::Introspection, Self::Revocation, Self::Resource];
}

struct Row {
    code: ErrorCode,
    text: &'static str,
    /// Where the code is legal, and with which status.
    legal: &'static [(Endpoint, StatusCode)],
}

const AUTHORIZATION_SERVER: [Endpoint; 3] = [Endpoint::Token, Endpoint::Introspection, Endpoint::Revocation];

const fn row(code: ErrorCode, text: &'static str, legal: &'static [(Endpoint, StatusCode)]) -> Row {
    Row { code, text, legal }
}

const fn everywhere_but_resource(status: StatusCode) -> [(Endpoint, StatusCode); 3] {
    let [token, introspection, revocation] = AUTHORIZATION_SERVER;
    [(token, status), (introspection, status), (revocation, status)]
}

const fn everywhere(status: StatusCode) -> [(Endpoint, StatusCode); 4] {
    let [a, b, c] = everywhere_but_resource(status);
    [a, b, c, (Endpoint::Resource, status)]
}

use Endpoint::{Resource, Revocation, Token};
use StatusCode as S;

const BAD: StatusCode = S::BAD_REQUEST;

// spec: 6749-AS8 6750-RS3 9449-AS1 9449-C4 8707-AS1 7009-AS1
static ROWS: &[Row] = &[
    row(ErrorCode::InvalidRequest, "invalid_request", &everywhere(BAD)),
    // 401 where the client used the Authorization header: see `response`.
    row(ErrorCode::InvalidClient, "invalid_client", &everywhere_but_resource(BAD)),
    row(ErrorCode::InvalidGrant, "invalid_grant", &[(Token, BAD)]),
    row(ErrorCode::UnauthorizedClient, "unauthorized_client", &everywhere_but_resource(BAD)),
    row(ErrorCode::UnsupportedGrantType, "unsupported_grant_type", &[(Token, BAD)]),
    row(ErrorCode::InvalidScope, "invalid_scope", &[(Token, BAD)]),
    row(ErrorCode::InvalidTarget, "invalid_target", &[(Token, BAD)]),
    row(ErrorCode::InvalidDpopProof, "invalid_dpop_proof", &[(Token, BAD), (Resource, S::UNAUTHORIZED)]),
    row(ErrorCode::UseDpopNonce, "use_dpop_nonce", &[(Token, BAD), (Resource, S::UNAUTHORIZED)]),
    row(ErrorCode::UnsupportedTokenType, "unsupported_token_type", &[(Revocation, BAD)]),
    row(ErrorCode::InvalidToken, "invalid_token", &[(Resource, S::UNAUTHORIZED)]),
    row(ErrorCode::InsufficientScope, "insufficient_scope", &[(Resource, S::FORBIDDEN)]),
    row(ErrorCode::AccessDenied, "access_denied", &[]),
    row(
        ErrorCode::TemporarilyUnavailable,
        "temporarily_unavailable",
        &everywhere_but_resource(S::SERVICE_UNAVAILABLE),
    ),
    row(ErrorCode::ServerError, "server_error", &everywhere_but_resource(S::INTERNAL_SERVER_ERROR)),
    row(ErrorCode::SlowDown, "slow_down", &everywhere_but_resource(S::TOO_MANY_REQUESTS)),
];

impl ErrorCode {
    /// The longest code kept from a peer: 64 bytes.
    pub const MAX_BYTES: usize = 64;

    /// Reads a code off the wire. `None` if it is empty, too long, or has
    /// characters that a code may not have; unknown codes are [`Self::Other`].
    ///
    /// The grammar allows spaces, but no code has one, and the status phrases
    /// that web frameworks put into `error` ("Not Found") do: those are no
    /// verdict on a client.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(row) = ROWS.iter().find(|row| row.text == text) {
            return Some(row.code.clone());
        }
        let fine = !text.is_empty() && text.len() <= Self::MAX_BYTES && text.bytes().all(text::is_nqchar);
        fine.then(|| Self::Other(text.to_owned()))
    }

    /// The wire text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => known.find().map_or("", |row| row.text),
        }
    }

    /// The status that goes with this code at `endpoint`; 400 for a pair that
    /// the table does not have.
    #[must_use]
    pub fn status(&self, endpoint: Endpoint) -> StatusCode {
        self.legal(endpoint).unwrap_or(BAD)
    }

    /// Whether an `endpoint` of ours may answer with this code.
    #[must_use]
    pub fn allowed_at(&self, endpoint: Endpoint) -> bool {
        self.legal(endpoint).is_some()
    }

    /// Whether this code says "later" rather than "no": it is a matter of time,
    /// not of the request.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TemporarilyUnavailable | Self::ServerError | Self::SlowDown)
    }

    fn legal(&self, endpoint: Endpoint) -> Option<StatusCode> {
        let row = self.find()?;
        row.legal.iter().find(|(e, _)| *e == endpoint).map(|(_, status)| *status)
    }

    fn find(&self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.code == *self)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_round_trips_and_no_text_repeats() {
        for (i, row) in ROWS.iter().enumerate() {
            assert_eq!(ErrorCode::parse(row.text).as_ref(), Some(&row.code));
            assert_eq!(row.code.as_str(), row.text);
            assert!(ROWS[..i].iter().all(|r| r.text != row.text && r.code != row.code), "{}", row.text);
        }
    }

    #[test]
    fn the_list_of_variants_is_complete() {
        // A variant added without a row would have no wire text; this match
        // stops compiling when one is added.
        for row in ROWS {
            match row.code {
                ErrorCode::InvalidRequest
                | ErrorCode::InvalidClient
                | ErrorCode::InvalidGrant
                | ErrorCode::UnauthorizedClient
                | ErrorCode::UnsupportedGrantType
                | ErrorCode::InvalidScope
                | ErrorCode::InvalidTarget
                | ErrorCode::InvalidDpopProof
                | ErrorCode::UseDpopNonce
                | ErrorCode::UnsupportedTokenType
                | ErrorCode::InvalidToken
                | ErrorCode::InsufficientScope
                | ErrorCode::AccessDenied
                | ErrorCode::TemporarilyUnavailable
                | ErrorCode::ServerError
                | ErrorCode::SlowDown => {}
                ErrorCode::Other(_) => panic!("Other has no row"),
            }
        }
        assert_eq!(ROWS.len(), 16);
    }

    // spec-test: 6749-AS8 6750-RS3 9449-C4
    #[test]
    fn statuses() {
        let check = |code: ErrorCode, endpoint, status: u16| {
            assert_eq!(code.status(endpoint).as_u16(), status, "{code}");
        };
        check(ErrorCode::InvalidRequest, Endpoint::Token, 400);
        check(ErrorCode::InvalidRequest, Endpoint::Resource, 400);
        check(ErrorCode::InvalidToken, Endpoint::Resource, 401);
        check(ErrorCode::InsufficientScope, Endpoint::Resource, 403);
        check(ErrorCode::UseDpopNonce, Endpoint::Token, 400);
        check(ErrorCode::UseDpopNonce, Endpoint::Resource, 401);
        check(ErrorCode::TemporarilyUnavailable, Endpoint::Token, 503);
        check(ErrorCode::SlowDown, Endpoint::Token, 429);
        check(ErrorCode::ServerError, Endpoint::Revocation, 500);
    }

    #[test]
    fn codes_stay_at_their_endpoints() {
        assert!(!ErrorCode::InvalidToken.allowed_at(Endpoint::Token));
        assert!(!ErrorCode::InvalidGrant.allowed_at(Endpoint::Introspection));
        assert!(!ErrorCode::InvalidClient.allowed_at(Endpoint::Resource));
        assert!(!ErrorCode::UnsupportedTokenType.allowed_at(Endpoint::Token));
        for endpoint in Endpoint::ALL {
            assert!(!ErrorCode::AccessDenied.allowed_at(endpoint));
            assert!(!ErrorCode::Other("x".into()).allowed_at(endpoint));
        }
    }

    #[test]
    fn foreign_codes_are_kept_if_they_are_codes() {
        assert_eq!(ErrorCode::parse("AADSTS700016"), Some(ErrorCode::Other("AADSTS700016".into())));
        assert_eq!(ErrorCode::parse("Invalid_Client"), Some(ErrorCode::Other("Invalid_Client".into())));
        for bad in ["", "Not Found", "Internal Server Error", "a\"b", "a\nb", "é", &"x".repeat(65)] {
            assert_eq!(ErrorCode::parse(bad), None, "{bad}");
        }
    }
}
