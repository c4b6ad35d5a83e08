//! Requests of others on their way to a program: checked, cleaned, forwarded. `m2m gateway` is the caller.
//!
//! [`rules`] (which scope, by method and [`path`]) → [`inbound`] (the token, then who it is, in [`identity`]) →
//! [`upstream`] (connections to the program). Where another proxy forwards, [`forward_auth`] and [`ext_authz`] answer it.

mod ext_authz;
pub(crate) mod forward_auth;
mod hop;
pub(crate) mod identity;
pub(crate) mod inbound;
mod method;
mod observe;
mod path;
pub(crate) mod reverse;
pub(crate) mod rules;
mod tunnel;
pub(crate) mod upstream;
pub(crate) mod way;

#[cfg(test)]
pub(crate) mod fixture;
