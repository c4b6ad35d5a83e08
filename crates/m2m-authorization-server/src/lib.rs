//! OAuth 2.0 for machines: issue tokens.
//!
//! [`Server`] is an authorization server (RFC 6749 §1.1) for machines, and for the exchange of its own tokens
//! for narrower ones (RFC 8693): it authenticates clients by all six methods of the registry, decides by
//! policy, admits each assertion and proof once, and signs RFC 9068 access tokens or seals opaque ones. What
//! is registered, revoked and decided lives in a [`store`]: memory, SQLite or PostgreSQL. It is a router:
//! whoever embeds it owns the sockets. Platforms whose tokens stand for clients, instead of secrets, are in
//! [`federation`].
//!
//! One way through the crate, in the order of a request: `endpoints::token`, [`authenticate`],
//! [`policy`], [`admission`], `mint`. Each step takes what only the step before can make.
//!
//! Grants: client credentials, and the JWT authorization grant with tokens of trusted issuers.

pub mod admin;
pub mod admission;
pub mod audit;
pub mod authenticate;
pub mod config;
mod decoy;
mod endpoints;
pub mod error;
pub mod federation;
#[cfg(test)]
mod fixture;
mod frequency;
pub mod keys;
mod limits;
mod lists;
mod mint;
pub mod observe;
mod own_token;
pub mod policy;
mod profile;
pub mod registry;
pub mod replay;
mod server;
pub mod store;

pub use admin::Admin;
pub use audit::AuditMode;
pub use config::{MutualTls, ServerBuilder, ServerNonce, TrustingHttp};
pub use endpoints::ClientAddress;
pub use error::{Error, ErrorKind};
pub use keys::rotation::RotationPlan;
pub use limits::FailureBudget;
pub use server::Server;
