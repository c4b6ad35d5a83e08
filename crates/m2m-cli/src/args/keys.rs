//! Arguments of `m2m keygen`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `m2m keygen` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeygenKind {
    /// Private and public key
    Key,
    /// Private key and a self-signed certificate for it
    Certificate,
}

/// `m2m keygen`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m keygen --out billing
      billing.key.pem (private), .pub.pem, .jwk.json, .jwks.json
  m2m keygen --out billing --alg RS256 --key-id 2026-11
  m2m keygen certificate --out edge --subject edge-1 --days 90

The private key has mode 0600 and is never printed. Existing files are not
replaced.")]
pub struct Keygen {
    /// What to make
    #[arg(value_enum, default_value = "key")]
    pub kind: KeygenKind,
    /// Path prefix of the files
    #[arg(long, value_name = "PREFIX")]
    pub out: PathBuf,
    /// ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512 or EdDSA
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    pub alg: String,
    /// Key id; default: the key's thumbprint
    #[arg(long, value_name = "KID")]
    pub key_id: Option<String>,
    /// Certificate: the common name; also the host name or IP address, if it is one
    #[arg(long, value_name = "NAME", default_value = "m2m")]
    pub subject: String,
    /// Certificate: days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
}
