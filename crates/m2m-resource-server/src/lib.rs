//! OAuth 2.0 for machines: check tokens.
//!
//! [`Verifier`] decides whether a request may use the access token it carries: signature, issuer,
//! audience, times, binding, and by introspection whether it still stands. It answers refusals with
//! the challenges of RFC 6750, 9449 and 9728. [`Verifier::layer`] puts it in front of a service.
//!
//! Not here: routes' own permissions beyond scopes, TLS, offline revocation lists.

#[cfg(feature = "axum")]
mod axum;
mod cache;
pub mod config;
mod dpop;
pub mod error;
#[cfg(test)]
mod fixture;
#[cfg(feature = "tonic")]
pub mod grpc;
#[cfg(feature = "introspection")]
mod introspect;
mod issuers;
mod keys;
#[cfg(feature = "tower")]
pub mod layer;
mod metadata;
pub mod observe;
pub mod replay;
pub mod require;
pub mod token_profiles;
mod trusted;
mod verified;
mod verifier;
mod window;
mod withdrawals;

#[cfg(feature = "axum")]
pub use crate::axum::RequireScope;
pub use crate::config::VerifierBuilder;
pub use crate::dpop::{Dpop, Nonce};
pub use crate::error::{Error, Reason, Rejection};
#[cfg(feature = "introspection")]
pub use crate::introspect::Introspect;
pub use crate::require::Required;
pub use crate::trusted::{KeysFrom, TrustedIssuer};
pub use crate::verified::VerifiedAccessToken;
pub use crate::verifier::{RequestParts, Verifier};
pub use crate::window::RevocationWindow;
pub use crate::withdrawals::StatusCheck;
