//! Arguments of `m2m serve`. Each one that is a key of `m2m-server.toml` too wins over it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::serve::key;

const EXAMPLES: &str = "\
Examples:
  m2m serve --dev --env-file dev.env & sleep 1; . ./dev.env
  m2m token --scope orders:read

  m2m serve --issuer https://login.example.com --listen 0.0.0.0:443 \\
      --tls-cert server.pem --tls-key server.key.pem
  m2m serve --config m2m-server.toml --log json

It prints `issuer URL` and, when it is ready, `ready URL`. Ctrl-C and SIGTERM
stop it: /readyz answers 503, no connection is accepted any more, requests under
way get 10 s, then exit 0. A second signal ends it at once with exit 130.";

/// What was typed is not repeated: it may be a secret that stands where it should not.
pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected an IP address and a port such as 127.0.0.1:8400 or [::]:443")
}

/// How a server writes its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Sentences, as every command writes them
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// `m2m serve`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", key::reference()))]
pub struct Serve {
    /// In memory, on loopback, with a demo client and API
    #[arg(long, conflicts_with_all = [
        "issuer", "database", "tls_cert", "tls_key", "mtls_listen", "client_ca", "behind_tls_proxy", "metrics_listen",
    ])]
    pub dev: bool,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8400]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// The name of this server, as clients know it [default: where it listens]
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// sqlite:PATH, postgres://…, memory: [default: sqlite:m2m-server.db here]
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Certificate chain of this server (PEM); a renewed one is used at once
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// A second listener, which asks for client certificates
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub mtls_listen: Option<SocketAddr>,
    /// Authorities of client certificates (PEM)
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// A proxy in front ends TLS; plain HTTP may then leave this machine
    #[arg(long)]
    pub behind_tls_proxy: bool,
    /// Answer /metrics here instead of on the main listener
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,
    /// How to write the log [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
    /// With --dev: write exports for a shell to this file (0600) when ready
    #[arg(long, value_name = "FILE", requires = "dev")]
    pub env_file: Option<PathBuf>,
    /// Answer failures as JSON
    #[arg(long)]
    pub json: bool,
}
