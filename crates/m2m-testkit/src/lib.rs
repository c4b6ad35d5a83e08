//! Test parties: clocks that move, randomness that repeats, servers in memory, servers that misbehave, a token
//! service that behaves like any provider.
//!
//! Never published. With feature `roles` (default) also all three roles in one process.

pub mod binary;
pub mod certificates;
mod clock;
#[cfg(feature = "roles")]
pub mod fixture;
pub mod hostile;
mod in_memory;
pub mod key_server;
mod keys;
pub mod lab;
pub mod peers;
#[cfg(unix)]
pub mod postgres;
mod random;
mod record;
#[cfg(feature = "roles")]
pub mod simulation;
pub mod tls;
pub mod workloads;

pub use crate::clock::{ManualClock, settle};
#[cfg(feature = "roles")]
pub use crate::fixture::Fixture;
pub use crate::in_memory::{Fault, InMemoryHttp};
pub use crate::keys::FixedKeys;
pub use crate::random::SeededRandom;
pub use crate::record::{Record, Recorded};

/// The samples of the README, compiled.
#[cfg(all(doctest, feature = "roles"))]
#[doc = include_str!("../../../README.md")]
mod readme {}
