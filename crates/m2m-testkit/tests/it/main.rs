//! Tests across crates: whole systems in one process, TLS, and other people's servers.

mod canary;
mod crash;
#[cfg(feature = "roles")]
mod demo_fails;
mod doctor;
#[cfg(unix)]
mod gateway_peers;
#[cfg(feature = "roles")]
mod hostile;
mod io;
mod lab;
#[cfg(all(feature = "roles", unix))]
mod nodes;
#[cfg(feature = "roles")]
mod peer;
#[cfg(feature = "roles")]
mod peer_authlib;
#[cfg(feature = "roles")]
mod peer_clients;
#[cfg(feature = "roles")]
mod peer_mock_server;
#[cfg(feature = "roles")]
mod peer_oidc_provider;
#[cfg(unix)]
mod postgres;
#[cfg(feature = "roles")]
mod quirks;
mod react_form;
#[cfg(feature = "roles")]
mod six;
#[cfg(all(feature = "roles", unix))]
mod store_postgres;
#[cfg(feature = "roles")]
mod system;
#[cfg(feature = "roles")]
mod timing;
