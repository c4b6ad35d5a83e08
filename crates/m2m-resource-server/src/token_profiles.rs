//! How the access tokens of well-known issuers look, as data: RFC 9068, and those that are older than it.
//!
//! What a row may say is in [`TokenProfile`]: never anything about algorithms, issuer or expiry. In each, an ID token of
//! the same issuer is refused by more than its audience, because an API and a client may be one registration: by a claim
//! that only ID tokens have, by one that they lack, or by one that says what it is.
//!
//! | Name | Issuer | Client | Scope | Told from ID tokens by |
//! | --- | --- | --- | --- | --- |
//! | `rfc9068` | whoever follows it | `client_id` | `scope` | `typ` `at+jwt` |
//! | `auth0` | `https://TENANT.auth0.com/` | `azp` or `client_id` | `scope` | the client's claim |
//! | `entra-v1` | `https://sts.windows.net/TENANT/` | `appid` | `scp`, else `roles` | the client's claim |
//! | `entra-v2` | `https://login.microsoftonline.com/TENANT/v2.0` | `azp` | `scp`, else `roles` | the client's claim |
//! | `okta` | `https://DOMAIN/oauth2/SERVER` | `cid` | `scp` | the client's claim |
//! | `cognito` | `https://cognito-idp.REGION.amazonaws.com/POOL` | `client_id` | `scope` | `token_use` |
//! | `keycloak` | `https://HOST/realms/REALM` | `azp` or `client_id` | `scope` | the claim `typ` |
//!
//! Entra's tokens for applications have no scope; the application permissions in `roles` take its place there. Cognito
//! writes no `aud` unless asked: the audience is the identifier of the resource server, with which its scopes begin.

use m2m_proto::names::{claim, typ};
use m2m_proto::token_profile::{AudiencePlace, TokenProfile};

/// Claims that only ID tokens have (OpenID Connect Core §2, §3.1.3.6, §3.3.2.11).
const ID_TOKEN_MARKS: &[&str] = &[claim::NONCE, "at_hash", "c_hash", "s_hash"];

const REQUIRED: &[&str] = &[claim::ISS, claim::EXP, claim::AUD, claim::SUB, claim::IAT];
const REQUIRED_WITH_ID: &[&str] = &[claim::ISS, claim::EXP, claim::AUD, claim::SUB, claim::IAT, claim::JTI];

/// RFC 9068: the default.
pub const RFC9068: TokenProfile = TokenProfile::rfc9068();

/// Auth0, in its own form and in that of RFC 9068.
pub const AUTH0: TokenProfile = TokenProfile {
    name: "auth0",
    accepted_typ: &["JWT", typ::AT_JWT],
    client_claims: &[claim::AZP, claim::CLIENT_ID],
    scope_claims: &[claim::SCOPE],
    required: REQUIRED,
    fixed: &[],
    id_token_marks: ID_TOKEN_MARKS,
    audience: AudiencePlace::Claim,
};

/// Microsoft Entra ID, version 1.0 (`accessTokenAcceptedVersion` 1 or null).
pub const ENTRA_V1: TokenProfile = TokenProfile {
    name: "entra-v1",
    accepted_typ: &["JWT"],
    client_claims: &["appid"],
    scope_claims: &["scp", claim::ROLES],
    required: REQUIRED,
    fixed: &[("ver", &["1.0"])],
    id_token_marks: ID_TOKEN_MARKS,
    audience: AudiencePlace::Claim,
};

/// Microsoft Entra ID, version 2.0 (`accessTokenAcceptedVersion` 2).
pub const ENTRA_V2: TokenProfile =
    TokenProfile { name: "entra-v2", client_claims: &[claim::AZP], fixed: &[("ver", &["2.0"])], ..ENTRA_V1 };

/// Okta, custom authorization servers. Tokens of the organization's own server are opaque by Okta's word.
pub const OKTA: TokenProfile = TokenProfile {
    name: "okta",
    accepted_typ: &["", "JWT", typ::AT_JWT],
    client_claims: &["cid"],
    scope_claims: &["scp"],
    required: REQUIRED_WITH_ID,
    fixed: &[],
    id_token_marks: ID_TOKEN_MARKS,
    audience: AudiencePlace::Claim,
};

/// Amazon Cognito user pools.
pub const COGNITO: TokenProfile = TokenProfile {
    name: "cognito",
    accepted_typ: &["", "JWT"],
    client_claims: &[claim::CLIENT_ID],
    scope_claims: &[claim::SCOPE],
    required: &[claim::ISS, claim::EXP, claim::SUB, claim::IAT, claim::JTI],
    fixed: &[("token_use", &["access"])],
    id_token_marks: ID_TOKEN_MARKS,
    audience: AudiencePlace::ClaimOrScope,
};

/// Keycloak, with an audience mapper for the API.
pub const KEYCLOAK: TokenProfile = TokenProfile {
    name: "keycloak",
    accepted_typ: &["JWT", typ::AT_JWT],
    client_claims: &[claim::AZP, claim::CLIENT_ID],
    scope_claims: &[claim::SCOPE],
    required: REQUIRED_WITH_ID,
    fixed: &[("typ", &["Bearer", "DPoP"])],
    id_token_marks: ID_TOKEN_MARKS,
    audience: AudiencePlace::Claim,
};

/// All of them.
pub const ALL: [TokenProfile; 7] = [RFC9068, AUTH0, ENTRA_V1, ENTRA_V2, OKTA, COGNITO, KEYCLOAK];

/// The profile of that name.
#[must_use]
pub fn named(name: &str) -> Option<TokenProfile> {
    ALL.into_iter().find(|profile| profile.name == name)
}
