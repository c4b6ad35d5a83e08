//! Arguments of what operators do: tokens, keys, audit, and the first step.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Confirmation;

/// In a line of 80 characters.
const INIT_USAGE: &str = "m2m admin init [OPTIONS] --issuer <URL> --database <URL> \\
                      --sealing-key-file <FILE> --out <FILE>";

/// `m2m admin token`
#[derive(Args, Clone, Debug)]
pub struct AdminToken {
    /// What to do with tokens.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// List the tokens that have not expired
    List(TokenList),
    /// Withdraw one token
    Revoke(TokenRevoke),
}

/// `m2m admin token list`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
FROM is the jti of the token that it was exchanged for, or the workload that it
stands for. When the token before an exchange is withdrawn, introspection refuses
both at once; verifiers that work offline take the exchanged one until it EXPIRES.")]
pub struct TokenList {
    /// Tokens of this client
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// Tokens that this credential got
    #[arg(long, value_name = "ID")]
    pub credential: Option<String>,
}

/// `m2m admin token revoke`
#[derive(Args, Clone, Debug)]
pub struct TokenRevoke {
    /// The token's jti, as token list and audit tell it
    #[arg(long, value_name = "JTI")]
    pub jti: String,
    /// Whether a person is asked.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// `m2m admin key`
#[derive(Args, Clone, Debug)]
pub struct AdminKey {
    /// What to do with signing keys.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What to do with signing keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyCommand {
    /// List the signing keys and what comes next
    List,
    /// Change to a new key; it is announced first
    Roll(KeyRoll),
}

/// `m2m admin key roll`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Keys roll by themselves; this is for doing it now. The new one is announced for
longer than verifiers cache before it signs. With --emergency it signs at once
and the current ones are withdrawn: their tokens fail.")]
pub struct KeyRoll {
    /// The current key may have leaked
    #[arg(long)]
    pub emergency: bool,
    /// Only keys of this algorithm
    #[arg(long, value_name = "ALG")]
    pub alg: Option<String>,
    /// Whether a person is asked.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// `m2m admin audit`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  m2m admin audit --jti JTI
  m2m admin audit --client billing --since 1h --json | jq .error

Newest first. On a pipe, and with --json, one JSON object a line.")]
pub struct Audit {
    /// About this token
    #[arg(long, value_name = "JTI")]
    pub jti: Option<String>,
    /// About this client
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// About this credential
    #[arg(long, value_name = "ID")]
    pub credential: Option<String>,
    /// Events of this name
    #[arg(long, value_name = "NAME")]
    pub event: Option<String>,
    /// Since: 1h ago, or 2026-11-25T10:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Until: 10m ago, or 2026-11-25T11:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// `m2m admin init`
#[derive(Args, Clone, Debug)]
#[command(override_usage = INIT_USAGE)]
#[command(after_help = "\
Example:
  m2m admin init --issuer https://login.example.com \\
      --database postgres://m2m@db/m2m --sealing-key-file sealing.key \\
      --out admin.toml
  m2m --config admin.toml admin client list

It works on the database itself, before a server does; on PostgreSQL also later.
A client that is there gets one more secret, if it is enabled and may
administer; otherwise --client-id makes another one.
The sealing key is made where the file is not there: every node needs the same
one, and without it all secrets and keys in the database are lost.")]
pub struct AdminInit {
    /// The issuer that the servers will have
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub database: String,
    /// The key under which secrets are sealed; made when absent
    #[arg(long, value_name = "FILE")]
    pub sealing_key_file: PathBuf,
    /// Where the profile admin goes; its secret goes beside it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A private key in place of the secret, and bound tokens: what
    /// security_profile = "fapi2" lets in
    #[arg(long)]
    pub with_key: bool,
    /// The client that may administer; made when absent
    #[arg(long, value_name = "ID", default_value = "admin")]
    pub client_id: String,
}
