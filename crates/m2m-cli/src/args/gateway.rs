//! Arguments of `m2m gateway`. Each one that is a key of `[gateway]` in `m2m.toml` too wins over it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::LogFormat;
use super::serve::address;
use crate::gateway::key;

const EXAMPLES: &str = "\
Examples:
  m2m gateway --upstream http://127.0.0.1:3000 \\
      --issuer https://login.example.com --audience https://orders.example \\
      --rule 'GET /orders/** orders:read' --public 'GET /healthz'

  m2m gateway --forward-auth nginx --listen 127.0.0.1:8480 \\
      --issuer https://login.example.com --audience https://orders.example

It prints `ready URL` when it is ready. A request without a good token is
answered with 401 or 403 as RFC 6750 has it, with 503 while the issuer's keys
cannot be had, and never passed on. Ctrl-C and SIGTERM stop it: requests under
way get 10 s, then exit 0.";

/// For which proxy requests are judged: each tells the original request in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// auth_request: X-Original-URI and X-Original-Method
    Nginx,
    /// forwardAuth: X-Forwarded-Uri and X-Forwarded-Method
    Traefik,
    /// forward_auth: X-Forwarded-Uri and X-Forwarded-Method
    Caddy,
    /// ext_authz over gRPC, and over HTTP below /ext_authz
    Envoy,
}

/// `m2m gateway`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", key::reference()))]
pub struct Gateway {
    /// Where to listen [default: 127.0.0.1:8480]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// The program to protect: http, https, h2c, unix:PATH
    #[arg(long, value_name = "URL", conflicts_with = "forward_auth")]
    pub upstream: Option<String>,
    /// Answer the questions of this proxy instead
    #[arg(long, value_enum, value_name = "PROXY")]
    pub forward_auth: Option<Dialect>,
    /// The issuer whose tokens are accepted
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The API that must be named in the token
    #[arg(long, value_name = "AUD")]
    pub audience: Option<String>,
    /// Where the issuer's keys are [default: as its metadata says]
    #[arg(long, hide_short_help = true, value_name = "URL")]
    pub jwks_uri: Option<String>,
    /// How its tokens look: auth0, okta, entra-v2, … [default: rfc9068]
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    pub token_profile: Option<String>,
    /// Refuse withdrawn tokens by the issuer's status lists: follow, required
    #[arg(long, hide_short_help = true, value_name = "WHICH")]
    pub status_list: Option<String>,
    /// Refuse withdrawn tokens that the issuer lists here
    #[arg(long, hide_short_help = true, value_name = "URL")]
    pub revocation_feed: Option<String>,
    /// Ask the issuer about tokens: opaque, jwt, always
    #[arg(long, hide_short_help = true, value_name = "WHICH")]
    pub introspect: Option<String>,
    /// Profile of m2m.toml whose client asks
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    pub introspect_profile: Option<String>,
    /// Scope that every token must carry; repeatable
    #[arg(long, value_name = "SCOPE")]
    pub require_scope: Vec<String>,
    /// METHOD PATH SCOPE…: what a request needs; repeatable
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    /// METHOD PATH that needs no token; repeatable
    #[arg(long, value_name = "RULE")]
    pub public: Vec<String>,
    /// Let the program see the token
    #[arg(long)]
    pub pass_token: bool,
    /// Remove this header too, such as X-Acme-*; may be repeated
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    pub strip_header: Vec<String>,
    /// Authorities of an https upstream (PEM) in place of the system's
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub upstream_ca: Option<PathBuf>,
    /// Certificate chain (PEM); a renewed one is used at once
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Ask for client certificates, for tokens that are bound to one
    #[arg(long, hide_short_help = true)]
    pub client_certs: bool,
    /// A proxy in front ends TLS; plain HTTP may then leave this machine
    #[arg(long, hide_short_help = true)]
    pub behind_tls_proxy: bool,
    /// Address or network of a proxy that may say who calls; may be repeated
    #[arg(long, hide_short_help = true, value_name = "ADDR")]
    pub trusted_proxy: Vec<String>,
    /// Accept DPoP; proofs are for this origin, scheme and host
    #[arg(long, hide_short_help = true, value_name = "ORIGIN")]
    pub dpop_origin: Option<String>,
    /// Answer /metrics, /livez and /readyz here
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,
    /// How to write the log [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
    /// Trust these certificates (PEM) of the issuer besides the system's
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Answer failures as JSON
    #[arg(long)]
    pub json: bool,
}
