//! Every parameter, claim, header and metadata name, once.
//!
//! A name typed twice is a typing error that the compiler cannot see; string
//! literals of these names do not belong anywhere else.

#![expect(missing_docs, reason = "the name is the documentation: each constant holds the registered text")]

/// Request and response parameters (RFC 6749 section 11.2 and its successors).
pub mod param {
    pub const ACCESS_TOKEN: &str = "access_token";
    pub const ACTOR_TOKEN: &str = "actor_token";
    pub const ACTOR_TOKEN_TYPE: &str = "actor_token_type";
    pub const ASSERTION: &str = "assertion";
    pub const AUDIENCE: &str = "audience";
    pub const AUTHORIZATION_DETAILS: &str = "authorization_details";
    pub const CLIENT_ASSERTION: &str = "client_assertion";
    pub const CLIENT_ASSERTION_TYPE: &str = "client_assertion_type";
    pub const CLIENT_ID: &str = "client_id";
    pub const CLIENT_SECRET: &str = "client_secret";
    pub const ERROR: &str = "error";
    pub const ERROR_DESCRIPTION: &str = "error_description";
    pub const ERROR_URI: &str = "error_uri";
    pub const EXPIRES_IN: &str = "expires_in";
    pub const GRANT_TYPE: &str = "grant_type";
    pub const ISSUED_TOKEN_TYPE: &str = "issued_token_type";
    pub const REFRESH_TOKEN: &str = "refresh_token";
    pub const REQUESTED_TOKEN_TYPE: &str = "requested_token_type";
    pub const RESOURCE: &str = "resource";
    pub const SCOPE: &str = "scope";
    pub const SUBJECT_TOKEN: &str = "subject_token";
    pub const SUBJECT_TOKEN_TYPE: &str = "subject_token_type";
    pub const TOKEN: &str = "token";
    pub const TOKEN_TYPE: &str = "token_type";
    pub const TOKEN_TYPE_HINT: &str = "token_type_hint";
}

/// JWT claims and introspection members (RFC 7519, 7662, 7800, 9068, 9449).
pub mod claim {
    pub const ACT: &str = "act";
    pub const ACTIVE: &str = "active";
    pub const ATH: &str = "ath";
    pub const AUD: &str = "aud";
    pub const AZP: &str = "azp";
    /// Inside `status_list` of a list: Token Status List section 4.2.
    pub const BITS: &str = "bits";
    pub const CLIENT_ID: &str = "client_id";
    pub const CNF: &str = "cnf";
    /// The identifier of the credential that obtained the token (our own).
    pub const CRED: &str = "cred";
    pub const ENTITLEMENTS: &str = "entitlements";
    /// The tokens that a token was exchanged from (our own).
    pub const EXCHANGED_FROM: &str = "exchanged_from";
    pub const EXP: &str = "exp";
    pub const GROUPS: &str = "groups";
    pub const HTM: &str = "htm";
    pub const HTU: &str = "htu";
    pub const IAT: &str = "iat";
    /// Inside `status_list` of a token: Token Status List section 6.2.
    pub const IDX: &str = "idx";
    pub const ISS: &str = "iss";
    /// Inside `cnf`: RFC 9449 section 6.1.
    pub const JKT: &str = "jkt";
    pub const JTI: &str = "jti";
    /// Inside `status_list` of a list: Token Status List section 4.2.
    pub const LST: &str = "lst";
    pub const NBF: &str = "nbf";
    pub const NONCE: &str = "nonce";
    pub const PERMISSIONS: &str = "permissions";
    pub const REVOKED: &str = "revoked";
    pub const ROLES: &str = "roles";
    pub const SCOPE: &str = "scope";
    pub const STATUS: &str = "status";
    pub const STATUS_LIST: &str = "status_list";
    pub const SUB: &str = "sub";
    pub const TOKEN_INTROSPECTION: &str = "token_introspection";
    pub const TOKEN_TYPE: &str = "token_type";
    /// What some servers say in an introspection answer, as Ory Hydra and Cognito do: `access_token`, `refresh_token`.
    pub const TOKEN_USE: &str = "token_use";
    /// The type of a token where it is a member of an introspection answer, as with Keycloak.
    pub const TYP: &str = "typ";
    pub const TTL: &str = "ttl";
    /// Inside `status_list` of a token: Token Status List section 6.2.
    pub const URI: &str = "uri";
    pub const USERNAME: &str = "username";
    /// Inside `cnf`: RFC 8705 section 3.1.
    pub const X5T_S256: &str = "x5t#S256";
}

/// JOSE header and JWK members (RFC 7515, 7517, 7518, 8037).
pub mod jose {
    pub const ALG: &str = "alg";
    pub const B64: &str = "b64";
    pub const CRIT: &str = "crit";
    pub const CRV: &str = "crv";
    pub const CTY: &str = "cty";
    pub const D: &str = "d";
    pub const DP: &str = "dp";
    pub const DQ: &str = "dq";
    pub const E: &str = "e";
    pub const ENC: &str = "enc";
    pub const JKU: &str = "jku";
    pub const JWK: &str = "jwk";
    pub const K: &str = "k";
    pub const KEYS: &str = "keys";
    pub const KEY_OPS: &str = "key_ops";
    pub const KID: &str = "kid";
    pub const KTY: &str = "kty";
    pub const N: &str = "n";
    pub const OTH: &str = "oth";
    pub const P: &str = "p";
    pub const Q: &str = "q";
    pub const QI: &str = "qi";
    pub const TYP: &str = "typ";
    pub const USE: &str = "use";
    pub const X: &str = "x";
    pub const X5C: &str = "x5c";
    pub const X5T: &str = "x5t";
    pub const X5T_S256: &str = "x5t#S256";
    pub const X5U: &str = "x5u";
    pub const Y: &str = "y";
}

/// HTTP fields, in lower case as `http::HeaderMap` wants them.
pub mod header {
    use http::HeaderName;

    pub const ACCEPT: HeaderName = http::header::ACCEPT;
    pub const AUTHORIZATION: HeaderName = http::header::AUTHORIZATION;
    pub const CACHE_CONTROL: HeaderName = http::header::CACHE_CONTROL;
    pub const CONTENT_TYPE: HeaderName = http::header::CONTENT_TYPE;
    pub const DATE: HeaderName = http::header::DATE;
    /// RFC 9449 section 4.1.
    pub const DPOP: HeaderName = HeaderName::from_static("dpop");
    /// RFC 9449 section 8.
    pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
    pub const PRAGMA: HeaderName = http::header::PRAGMA;
    pub const RETRY_AFTER: HeaderName = http::header::RETRY_AFTER;
    pub const WWW_AUTHENTICATE: HeaderName = http::header::WWW_AUTHENTICATE;
}

/// Media types.
pub mod media_type {
    pub const FORM: &str = "application/x-www-form-urlencoded";
    pub const JSON: &str = "application/json";
    pub const JWK_SET: &str = "application/jwk-set+json";
    /// Our signed feed of revoked, unexpired `jti`.
    pub const M2M_REVOCATIONS_JWT: &str = "application/m2m-revocations+jwt";
    /// Token Status List section 5.1.
    pub const STATUSLIST_JWT: &str = "application/statuslist+jwt";
    /// RFC 9457.
    pub const PROBLEM_JSON: &str = "application/problem+json";
    /// RFC 7396.
    pub const MERGE_PATCH_JSON: &str = "application/merge-patch+json";
    /// RFC 9701 section 5.
    pub const TOKEN_INTROSPECTION_JWT: &str = "application/token-introspection+jwt";
}

/// Values of the JOSE header `typ`, without the `application/` prefix.
pub mod typ {
    /// RFC 9068 section 2.1.
    pub const AT_JWT: &str = "at+jwt";
    /// RFC 10070.
    pub const CLIENT_AUTHENTICATION_JWT: &str = "client-authentication+jwt";
    /// RFC 9449 section 4.2.
    pub const DPOP_JWT: &str = "dpop+jwt";
    pub const JWT: &str = "JWT";
    /// Our signed feed of revoked, unexpired `jti`.
    pub const M2M_REVOCATIONS_JWT: &str = "m2m-revocations+jwt";
    pub const STATUSLIST_JWT: &str = "statuslist+jwt";
    /// RFC 9701 section 5.
    pub const TOKEN_INTROSPECTION_JWT: &str = "token-introspection+jwt";
}

/// Values of `token_type` that are no authentication scheme.
pub mod token_type {
    /// The token is not usable as an access token (RFC 8693 section 2.2.1).
    pub const N_A: &str = "N_A";
}

/// Values of `grant_type`.
pub mod grant_type {
    /// RFC 6749 section 4.2; in metadata only, and nowhere here.
    pub const IMPLICIT: &str = "implicit";
    /// RFC 6749 section 4.3; in metadata only, and nowhere here.
    pub const PASSWORD: &str = "password";
    /// RFC 6749 section 4.4.
    pub const CLIENT_CREDENTIALS: &str = "client_credentials";
    /// RFC 7523 section 2.1.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    /// RFC 8693 section 2.1.
    pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
}

/// Values of `client_assertion_type`.
pub mod assertion_type {
    /// RFC 7523 section 2.2.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    /// A JWT-SVID (draft-ietf-oauth-spiffe-client-auth).
    pub const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
}

/// Values of `subject_token_type` and its kin (RFC 8693 section 3).
pub mod token_type_uri {
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    pub const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
    pub const SAML1: &str = "urn:ietf:params:oauth:token-type:saml1";
    pub const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
}

/// Names of client authentication methods (IANA, from RFC 7591 and 8705).
pub mod auth_method {
    pub const CLIENT_SECRET_BASIC: &str = "client_secret_basic";
    pub const CLIENT_SECRET_JWT: &str = "client_secret_jwt";
    pub const CLIENT_SECRET_POST: &str = "client_secret_post";
    pub const NONE: &str = "none";
    pub const PRIVATE_KEY_JWT: &str = "private_key_jwt";
    /// draft-ietf-oauth-spiffe-client-auth.
    pub const SPIFFE_JWT: &str = "spiffe_jwt";
    pub const SELF_SIGNED_TLS_CLIENT_AUTH: &str = "self_signed_tls_client_auth";
    pub const TLS_CLIENT_AUTH: &str = "tls_client_auth";
}

/// HTTP authentication schemes, as we write them; they compare without case.
pub mod auth_scheme {
    pub const BASIC: &str = "Basic";
    pub const BEARER: &str = "Bearer";
    pub const DPOP: &str = "DPoP";
}

/// Attributes of a challenge (RFC 6750 section 3, RFC 9449 section 7.1,
/// RFC 9728 section 5.1).
pub mod challenge {
    pub const ALGS: &str = "algs";
    pub const CHARSET: &str = "charset";
    pub const ERROR: &str = "error";
    pub const ERROR_DESCRIPTION: &str = "error_description";
    pub const ERROR_URI: &str = "error_uri";
    pub const REALM: &str = "realm";
    pub const RESOURCE_METADATA: &str = "resource_metadata";
    pub const SCOPE: &str = "scope";
}

/// Members of authorization server, client and resource metadata (RFC 8414,
/// 7591, 8705, 9449, 9728).
pub mod metadata {
    pub const AUTHORIZATION_ENDPOINT: &str = "authorization_endpoint";
    pub const AUTHORIZATION_SERVERS: &str = "authorization_servers";
    pub const BEARER_METHODS_SUPPORTED: &str = "bearer_methods_supported";
    pub const CLIENT_ID: &str = "client_id";
    pub const CLIENT_ID_ISSUED_AT: &str = "client_id_issued_at";
    pub const CLIENT_NAME: &str = "client_name";
    pub const CLIENT_SECRET: &str = "client_secret";
    pub const CLIENT_SECRET_EXPIRES_AT: &str = "client_secret_expires_at";
    pub const DPOP_BOUND_ACCESS_TOKENS: &str = "dpop_bound_access_tokens";
    pub const DPOP_BOUND_ACCESS_TOKENS_REQUIRED: &str = "dpop_bound_access_tokens_required";
    pub const DPOP_SIGNING_ALG_VALUES_SUPPORTED: &str = "dpop_signing_alg_values_supported";
    pub const GRANT_TYPES: &str = "grant_types";
    pub const GRANT_TYPES_SUPPORTED: &str = "grant_types_supported";
    pub const INTROSPECTION_ENDPOINT: &str = "introspection_endpoint";
    pub const INTROSPECTION_ENDPOINT_AUTH_METHODS_SUPPORTED: &str =
        "introspection_endpoint_auth_methods_supported";
    pub const INTROSPECTION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED: &str =
        "introspection_endpoint_auth_signing_alg_values_supported";
    /// RFC 9701 section 7.
    pub const INTROSPECTION_SIGNING_ALG_VALUES_SUPPORTED: &str = "introspection_signing_alg_values_supported";
    pub const ISSUER: &str = "issuer";
    pub const JWKS: &str = "jwks";
    pub const JWKS_URI: &str = "jwks_uri";
    pub const MTLS_ENDPOINT_ALIASES: &str = "mtls_endpoint_aliases";
    pub const RESOURCE: &str = "resource";
    pub const RESOURCE_DOCUMENTATION: &str = "resource_documentation";
    pub const RESOURCE_NAME: &str = "resource_name";
    pub const RESPONSE_TYPES_SUPPORTED: &str = "response_types_supported";
    pub const REVOCATION_ENDPOINT: &str = "revocation_endpoint";
    pub const REVOCATION_ENDPOINT_AUTH_METHODS_SUPPORTED: &str = "revocation_endpoint_auth_methods_supported";
    pub const REVOCATION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED: &str =
        "revocation_endpoint_auth_signing_alg_values_supported";
    pub const SCOPE: &str = "scope";
    pub const SCOPES_SUPPORTED: &str = "scopes_supported";
    pub const SERVICE_DOCUMENTATION: &str = "service_documentation";
    pub const TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS: &str = "tls_client_certificate_bound_access_tokens";
    pub const TOKEN_ENDPOINT: &str = "token_endpoint";
    pub const TOKEN_ENDPOINT_AUTH_METHOD: &str = "token_endpoint_auth_method";
    pub const TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED: &str = "token_endpoint_auth_methods_supported";
    pub const TOKEN_ENDPOINT_AUTH_SIGNING_ALG: &str = "token_endpoint_auth_signing_alg";
    pub const TOKEN_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED: &str =
        "token_endpoint_auth_signing_alg_values_supported";
}

/// Well-known path prefixes (RFC 8615).
pub mod well_known {
    /// What they have in common (RFC 8615 section 3).
    pub const ALL: &str = "/.well-known/";
    /// RFC 8414 section 3.
    pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
    /// OpenID Connect Discovery 1.0 section 4.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
    /// RFC 9728 section 3.
    pub const OAUTH_PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";
}
