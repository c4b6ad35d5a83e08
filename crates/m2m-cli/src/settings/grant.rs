//! Grants in the words of a profile, and what each needs.
//!
//! Sections: RFC 6749 section 4.4, RFC 7523 section 2.1, RFC 8693 section 2.1

use m2m_client::provider::Provider;
use m2m_proto::names::grant_type;

use super::field::Field;

/// An assertion is shown for the token (RFC 7523 section 2.1).
pub const JWT_BEARER: &str = "jwt_bearer";
/// A workload token is exchanged for the token (RFC 8693).
pub const TOKEN_EXCHANGE: &str = "token_exchange";
/// The assertion itself is the token; nothing is asked for.
pub const SELF_SIGNED: &str = "self_signed";

/// Every grant that has a word; any other `grant_type` is sent as it is stated.
pub const ALL: [&str; 4] = [grant_type::CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE, SELF_SIGNED];

/// The word for a `grant_type`, or the text itself, which may be a word already.
pub fn name_of(grant_type: &str) -> &str {
    match grant_type {
        grant_type::JWT_BEARER => JWT_BEARER,
        grant_type::TOKEN_EXCHANGE => TOKEN_EXCHANGE,
        other => other,
    }
}

/// The grant of a provider.
pub fn of(provider: &Provider) -> &str {
    match provider.request.grant.as_str() {
        _ if provider.assertion.self_signed => SELF_SIGNED,
        "" => grant_type::CLIENT_CREDENTIALS,
        grant_type => name_of(grant_type),
    }
}

/// What has to be named for it.
pub fn needs(grant: &str) -> &'static [Field] {
    match grant {
        JWT_BEARER | SELF_SIGNED => &[Field::PrivateKey],
        TOKEN_EXCHANGE => &[Field::WorkloadToken],
        _ => &[],
    }
}

/// What may go with that.
pub fn optional(grant: &str) -> &'static [Field] {
    match grant {
        JWT_BEARER | SELF_SIGNED => &[Field::KeyId, Field::Algorithm],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use m2m_client::provider;

    use super::*;

    #[test]
    fn a_grant_type_has_a_word() {
        let check = |text, expect| assert_eq!(name_of(text), expect);
        check("urn:ietf:params:oauth:grant-type:jwt-bearer", "jwt_bearer");
        check("urn:ietf:params:oauth:grant-type:token-exchange", "token_exchange");
        check("jwt_bearer", "jwt_bearer");
        check("account_credentials", "account_credentials");
    }

    #[test]
    fn the_catalogue_says_the_same_in_its_own_way() {
        for provider in provider::all() {
            let key = needs(of(provider)) == [Field::PrivateKey];
            assert_eq!(key, provider.signs(), "{}", provider.id);
        }
    }
}
