//! Federation: tokens of platforms that this server trusts, in place of secrets.
//!
//! Sections: RFC 7521 §4; RFC 7523 §2.1, §2.2, §3; draft-ietf-oauth-spiffe-client-auth
//!
//! There is one way through, `verify`, for every request that brings such a token, as the client's assertion or in
//! the JWT authorization grant; what it returns is evidence that only it can make. [`explain`] tells of the same
//! checks, one by one, to an administrator.
//!
//! [`conditions`] and [`pattern`] are pure: what claims must be; [`overlap`] sees where two mappings may mean one workload. `keys` has the keys of the issuers.

pub mod conditions;
pub mod explain;
mod keys;
pub mod overlap;
pub mod pattern;
pub(crate) mod verify;

pub use conditions::{ClaimPath, Condition, ConditionError, Judged, Literal, MAX_CONDITIONS, Test};
pub use explain::{Check, Explanation, Outcome};
pub use pattern::{Pattern, PatternError};
pub use verify::FederationError;

pub(crate) use keys::{IssuerKeySets, KeySource};
pub(crate) use verify::{External, ExternalToken, Federation, Way};
