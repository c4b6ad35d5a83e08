//! OAuth 2.0 for machines: check tokens.
//!
//! [`Verifier`] decides whether a request may use the access token it carries: signature, issuer,
//! audience, times, binding, and whether it still stands. It answers refusals with the challenges of
//! RFC 6750, 9449 and 9728. [`Verifier::layer`] puts it in front of a service.
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # use axum::{Router, routing::get};
//! # use m2m_proto::uri::Issuer;
//! # use m2m_resource_server::{RequireScope, VerifiedAccessToken, Verifier};
//! # async fn orders(token: VerifiedAccessToken) {}
//! let verifier = Verifier::builder().trust(Issuer::parse("https://as.example")?, "https://orders.example").build()?;
//! let app = Router::new()
//!     .route("/orders", get(orders).require_scope("orders:read"))
//!     .layer(verifier.layer());
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How late a withdrawal is seen
//!
//! [`Verifier::revocation_window`] adds up what was set. With the defaults, a token under a withdrawn
//! key is accepted for at most 600 s (age of the key set) + 3600 s (outage of the issuer) + 5 s (one
//! fetch), and as long again for the metadata that leads to the key set; a withdrawn token until it expires.
//! Where every token must name its status list ([`TrustedIssuer::status_list`]), one of a withdrawn
//! credential is accepted for at most 60 s + 240 s + 5 s, and where the feed is read
//! ([`TrustedIssuer::revocation_feed`]), so is a single token that was withdrawn; never past the `exp`
//! of the document. With introspection of every token it is 10 s, the longest that a question may take.
//! While the issuer answers, only the first number counts. What remembers verified tokens adds nothing to any of them.
//!
//! Not here: routes' own permissions beyond scope and audience, TLS.

#[cfg(feature = "axum")]
mod axum;
mod cache;
mod cause;
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
mod profile;
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
pub use crate::error::{Error, Reason, Rejection, Unavailable};
#[cfg(feature = "introspection")]
pub use crate::introspect::Introspect;
pub use crate::require::Required;
pub use crate::trusted::{KeysFrom, TrustedIssuer};
pub use crate::verified::VerifiedAccessToken;
pub use crate::verifier::{RequestParts, Verifier};
pub use crate::window::RevocationWindow;
pub use crate::withdrawals::StatusCheck;
