//! Tests across crates: whole systems in one process, TLS, and other people's servers.

mod canary;
mod console_profiles;
#[cfg(feature = "roles")]
mod console_server;
mod crash;
#[cfg(feature = "roles")]
mod demo_fails;
mod doctor;
#[cfg(feature = "roles")]
mod fapi2;
mod federation;
#[cfg(feature = "roles")]
mod federation_binary;
#[cfg(unix)]
mod gateway_opaque;
mod gateway_peers;
#[cfg(unix)]
mod guide;
#[cfg(feature = "roles")]
mod hostile;
mod io;
#[cfg(feature = "roles")]
mod issuers;
#[cfg(feature = "roles")]
mod jwt_attacks;
#[cfg(feature = "roles")]
mod key_server;
mod lab;
#[cfg(feature = "roles")]
mod many_tokens;
#[cfg(all(feature = "roles", unix))]
mod nodes;
#[cfg(feature = "roles")]
mod packaging;
mod peer;
#[cfg(feature = "roles")]
mod peer_authlib;
#[cfg(feature = "roles")]
mod peer_clients;
#[cfg(feature = "roles")]
mod peer_mock_server;
#[cfg(feature = "roles")]
mod peer_oidc_provider;
#[cfg(feature = "roles")]
mod peer_verifiers;
#[cfg(unix)]
mod postgres;
#[cfg(feature = "roles")]
mod quirks;
mod react_form;
#[cfg(feature = "roles")]
mod resource_server_revocation;
#[cfg(unix)]
mod schemathesis;
#[cfg(feature = "roles")]
mod simulation;
#[cfg(feature = "roles")]
mod six;
#[cfg(all(feature = "roles", unix))]
mod store_postgres;
#[cfg(feature = "roles")]
mod system;
#[cfg(feature = "roles")]
mod timing;
