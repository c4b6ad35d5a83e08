//! Token profiles: how the access tokens of one trusted issuer look.
//!
//! Sections: RFC 9068 sections 2 and 4
//!
//! RFC 9068 is the default. Issuers that are older than it name claims
//! differently; a profile says so as data, so that the verifier has one path.
//! A profile can never loosen the algorithms, the issuer or the expiry: those
//! are not part of it. It can say where the audience stands, not that there is
//! none.

use crate::names::{claim, typ};

/// What differs between issuers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenProfile {
    /// The profile's name in configuration.
    pub name: &'static str,
    /// Accepted values of the header's `typ`; `application/x` is the same as
    /// `x`, case does not count (RFC 7515 section 4.1.9). An empty text stands
    /// for no `typ` at all.
    // spec: 9068-RS1
    // spec: JWT-V3
    pub accepted_typ: &'static [&'static str],
    /// The claims that may hold the client's identifier: the first that is
    /// there does, and one of them must be.
    pub client_claims: &'static [&'static str],
    /// The claims that may hold the scope, as text or as array: the first that
    /// is there does.
    pub scope_claims: &'static [&'static str],
    /// Claims that must be there; `iss` and `exp` must in any case.
    pub required: &'static [&'static str],
    /// Claims that must be one of these texts: how an issuer whose tokens of
    /// all kinds have the same `typ` tells access tokens.
    pub fixed: &'static [(&'static str, &'static [&'static str])],
    /// Claims whose presence tells an ID token, where `typ` does not.
    pub id_token_marks: &'static [&'static str],
    /// Where the audience stands.
    pub audience: AudiencePlace,
}

/// Where a token says for whom it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AudiencePlace {
    /// In `aud`.
    #[default]
    Claim,
    /// In `aud` if there is one, else before the last slash of a scope: for
    /// issuers that name scopes `audience/scope` and write no `aud`.
    ClaimOrScope,
}

/// RFC 9068 section 2.2.
const RFC9068: TokenProfile = TokenProfile {
    name: "rfc9068",
    accepted_typ: &[typ::AT_JWT],
    client_claims: &[claim::CLIENT_ID],
    scope_claims: &[claim::SCOPE],
    required: &[claim::ISS, claim::EXP, claim::AUD, claim::SUB, claim::CLIENT_ID, claim::IAT, claim::JTI],
    fixed: &[],
    id_token_marks: &[],
    audience: AudiencePlace::Claim,
};

impl TokenProfile {
    /// RFC 9068 to the letter. Its `typ` keeps ID tokens out (section 2.1).
    #[must_use]
    pub const fn rfc9068() -> Self {
        RFC9068
    }
}

impl Default for TokenProfile {
    fn default() -> Self {
        RFC9068
    }
}
