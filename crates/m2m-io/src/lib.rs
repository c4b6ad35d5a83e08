//! The only door to the outside world: time, randomness, HTTP, files and tasks.
//!
//! Every role receives these as values, so a whole system runs in a test without sockets and without waiting. The
//! security rules of fetching (limits of bytes and time, no redirects, which addresses may be dialled, one flight
//! per document) exist here once.

mod bearer;
mod clock;
pub mod egress;
pub mod file;
mod http;
mod keys;
mod metadata;
mod network;
mod random;
pub mod remote;
#[cfg(feature = "reqwest")]
pub mod reqwest;
mod retry;
pub mod task;
#[cfg(test)]
mod testing;

use std::future::Future;
use std::pin::Pin;

pub use crate::bearer::BearerHttp;
pub use crate::clock::{Clock, Now, SystemClock};
pub use crate::egress::EgressRules;
pub use crate::http::{HttpClient, HttpError, Limits, Reach};
pub use crate::keys::{KeysError, KeysForm, KeysLocation, RemoteKeys};
pub use crate::metadata::RemoteMetadata;
pub use crate::network::{Network, NetworkError};
pub use crate::random::{OsRandom, Random, fraction, token};
pub use crate::remote::{Remote, RemoteError};
#[cfg(feature = "reqwest")]
pub use crate::reqwest::{ReqwestHttp, RootedHttp};
pub use crate::retry::Backoff;

/// A boxed future that may move between threads: what the traits of this crate return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
