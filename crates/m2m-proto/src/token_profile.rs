//! Token profiles: how the access tokens of one trusted issuer look.
//!
//! Sections: RFC 9068 sections 2 and 4
//!
//! RFC 9068 is the default. Issuers that are older than it name claims
//! differently; a profile says so as data, so that the verifier has one path.
//! A profile can never loosen the algorithms, the issuer, the expiry or the
//! audience: those are not part of it.

use crate::names::{claim, typ};

/// What differs between issuers. Made only from the rows of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenProfile {
    name: &'static str,
    accepted_typ: &'static [&'static str],
    client_claim: &'static str,
    scope_claim: &'static str,
    required: &'static [&'static str],
    id_token_marks: &'static [&'static str],
}

/// RFC 9068 section 2.2.
const RFC9068: TokenProfile = TokenProfile {
    name: "rfc9068",
    accepted_typ: &[typ::AT_JWT],
    client_claim: claim::CLIENT_ID,
    scope_claim: claim::SCOPE,
    required: &[claim::ISS, claim::EXP, claim::AUD, claim::SUB, claim::CLIENT_ID, claim::IAT, claim::JTI],
    id_token_marks: &[],
};

impl TokenProfile {
    /// RFC 9068 to the letter. Its `typ` keeps ID tokens out (section 2.1).
    #[must_use]
    pub const fn rfc9068() -> Self {
        RFC9068
    }

    /// The profile's name in configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The profile of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [RFC9068].into_iter().find(|profile| profile.name == name)
    }

    /// The claim that holds the client's identifier.
    #[must_use]
    pub const fn client_claim(&self) -> &'static str {
        self.client_claim
    }

    /// The claim that holds the scope.
    #[must_use]
    pub const fn scope_claim(&self) -> &'static str {
        self.scope_claim
    }

    /// Claims that must be present; `iss`, `exp` and `aud` are always among them.
    #[must_use]
    pub const fn required(&self) -> &'static [&'static str] {
        self.required
    }

    /// Claims whose presence tells an ID token, where `typ` does not.
    #[must_use]
    pub const fn id_token_marks(&self) -> &'static [&'static str] {
        self.id_token_marks
    }

    /// Accepted values of the header's `typ`; `application/x` is the same as
    /// `x`, case does not count (RFC 7515 section 4.1.9).
    // spec: 9068-RS1
    // spec: JWT-V3
    #[must_use]
    pub const fn accepted_typ(&self) -> &'static [&'static str] {
        self.accepted_typ
    }
}

impl Default for TokenProfile {
    fn default() -> Self {
        RFC9068
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_name() {
        assert_eq!(TokenProfile::named("rfc9068"), Some(TokenProfile::rfc9068()));
        assert_eq!(TokenProfile::named("RFC9068"), None);
        assert_eq!(TokenProfile::default().client_claim(), "client_id");
    }
}
