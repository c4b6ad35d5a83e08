//! Grants: what a client shows to get a token, besides the proof of who it is.
//!
//! Sections: RFC 6749 sections 1.3 and 4.5
//!
//! | Module | `grant_type` | The grant |
//! | --- | --- | --- |
//! | none | `client_credentials` | none: the client acts for itself |
//! | [`jwt_bearer`] | `urn:ietf:params:oauth:grant-type:jwt-bearer` | a JWT of an issuer whom the server trusts (RFC 7523 section 2.1) |
//! | [`token_exchange`] | `urn:ietf:params:oauth:grant-type:token-exchange` | another token (RFC 8693) |
//!
//! Each module reads and writes the parameters of its grant alone
//! ([`crate::token::GrantKind::parameters`]). `grant_type`, `scope`, `audience`
//! and `resource` are those of [`crate::token::TokenRequest`], and client
//! authentication, which both grants leave optional, is [`crate::client_auth`].

pub mod jwt_bearer;
pub mod token_exchange;

pub use jwt_bearer::{AuthorizationGrant, AuthorizationGrantError, GrantTyp, UnverifiedGrant, VerifiedGrant};
pub use token_exchange::{SecurityToken, TokenExchange, TokenExchangeError, TokenTypeUri};
