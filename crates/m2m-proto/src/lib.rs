//! The protocol core of m2m: what the RFCs say about OAuth 2.0 between
//! machines, as pure functions.
//!
//! **The invariant.** Nothing here reads a clock, makes randomness, opens a
//! socket or a file, or logs. Time, random bytes and documents come in as
//! values; messages, evidence and errors go out as values. So every rule can be
//! tested by choosing numbers, and client, authorization server and resource
//! server share one reading of each message: the encoder and the decoder live in
//! the same file.
//!
//! # Map
//!
//! | Modules | Hold |
//! | --- | --- |
//! | [`time`], [`secret`], [`text`], [`names`] | values without protocol |
//! | [`json`], [`form`], [`uri`] | the three syntaxes, with limits |
//! | [`scope`], [`client_id`] | the small vocabulary of RFC 6749 |
//! | [`error`] | error codes, error responses, challenges, verdicts |
//! | [`jose`], [`seal`] | signatures, keys and sealed values |
//! | [`client_auth`] | how a client says who it is |
//! | [`grant`] | what a client brings besides its own name: assertions, tokens |
//! | [`dpop`] | proofs of possession (RFC 9449) |
//! | [`token`], [`token_profile`] | asking for, carrying and checking tokens |
//! | [`workload_token`], [`spiffe`] | tokens of platforms that an authorization server trusts |
//! | [`introspection`], [`revocation`] | asking about and withdrawing tokens |
//! | [`status_list`], [`revocation_feed`] | what is withdrawn, published for offline checks |
//! | [`metadata`] | what the parties publish about themselves |
//! | [`security_profile`] | what a profile demands beyond the standards |
//!
//! # Conventions
//!
//! `parse` reads text; `decode` and `encode` are the two halves of a wire
//! message; `build` needs a key and the time; `verify` returns evidence that only
//! it can make; `check` returns nothing but agreement. Errors name the violated
//! rule and never carry a secret or the text of a token; what a stranger may be
//! told of them is decided in [`error::facts`] alone. Comments of the form
//! `spec: 6749-C1` name the requirement that a line fulfils.

// Every input comes from a stranger: none may end the process.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod client_auth;
pub mod client_id;
pub mod dpop;
pub mod error;
pub mod form;
pub mod grant;
pub mod introspection;
pub mod jose;
pub mod json;
pub mod metadata;
pub mod names;
pub mod revocation;
pub mod revocation_feed;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod security_profile;
pub mod spiffe;
pub mod status_list;
pub mod text;
pub mod time;
pub mod token;
pub mod token_profile;
pub mod uri;
pub mod workload_token;
