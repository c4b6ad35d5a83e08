//! The protocol core of m2m: what the RFCs say about OAuth 2.0 between machines, as pure functions.

pub mod client_auth;
pub mod client_id;
pub mod dpop;
pub mod error;
pub mod form;
pub mod introspection;
pub mod jose;
pub mod json;
pub mod metadata;
pub mod names;
pub mod revocation;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod text;
pub mod time;
pub mod token;
pub mod token_profile;
pub mod uri;
