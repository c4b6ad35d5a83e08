//! OAuth 2.0 for machines: get tokens.
//!
//! A [`Client`] holds one credential at one authorization server and gives
//! valid access tokens, one for each [`TokenSpec`]: cached, renewed ahead of
//! time, asked for once however many callers wait, and served on while the
//! server is down.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use m2m_client::{Client, Credentials, FileSecret, Server, TokenSpec};
//! use m2m_proto::client_auth::ClientAuthMethod;
//! use m2m_proto::client_id::ClientId;
//! use m2m_proto::uri::Issuer;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let secret = Arc::new(FileSecret::new("/run/secrets/orders"));
//! let client = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
//!     .client_id(ClientId::parse("svc-orders")?)
//!     .credentials(Credentials::secret(secret, None, ClientAuthMethod::ClientSecretBasic))
//!     .audience("https://api.example.com")
//!     .build()?;
//! let request = http::Request::get("https://api.example.com/orders").body(bytes::Bytes::new())?;
//! let executed = client.execute(&TokenSpec::default(), request).await?;
//! println!("{}", executed.response.status());
//! # Ok(())
//! # }
//! ```
//!
//! Everything runs on tokio. Time, randomness and HTTP are parameters
//! ([`ClientBuilder::clock`], [`ClientBuilder::random`], [`ClientBuilder::http`]),
//! so an application can test its own outages.

mod attach;
mod cache;
mod client;
mod config;
mod credentials;
mod dialect;
mod dpop;
mod error;
mod exchange;
mod grant;
mod handle;
mod inspect;
#[cfg(feature = "tower")]
pub mod layer;
mod lifecycle;
mod mint;
pub mod observe;
pub mod provider;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod signed_answer;
mod source;
mod spec;
mod store;
mod template;
#[cfg(test)]
mod testing;
mod token;

pub use attach::{Executed, Repeats, Review};
pub use cache::{CacheKey, CacheState, Renewal, RenewalReason, Snapshot, Watch};
pub use client::{Client, Readiness, Rejection};
pub use config::{
    AssertionAudienceRule, ClientBuilder, DEFAULT_FALLBACK_LIFETIME, DEFAULT_REFRESH_LEAD, Endpoints,
    Inspect, Server,
};
pub use credentials::{
    CertificateSource, ClientCertificate, Credentials, FileSecret, FixedSecret, HttpFactory, IdTokenRequest,
    KeySource, ProjectedToken, SecretFn, SecretSource,
};
pub use dpop::Dpop;
pub use error::{Error, ErrorKind};
pub use grant::Grant;
pub use handle::TokenHandle;
pub use source::{StaticToken, TokenSource};
pub use spec::TokenSpec;
pub use store::{EncryptedFileStore, MemoryStore, StoreLock, TokenStore};
pub use token::{Token, TokenOrigin};
