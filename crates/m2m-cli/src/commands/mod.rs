//! One file for each command: settings in, role crate called, output written.

pub(crate) mod admin;
pub(crate) mod completion;
pub(crate) mod console;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod gateway;
pub(crate) mod inspect;
pub(crate) mod introspect;
pub(crate) mod keygen;
pub(crate) mod man;
pub(crate) mod profile;
pub(crate) mod providers;
pub(crate) mod request;
pub(crate) mod revoke;
pub(crate) mod serve;
pub(crate) mod token;
mod typed_token;
pub(crate) mod verify;
