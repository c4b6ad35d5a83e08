//! Arguments of the commands about tokens.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ProfileFlags;
use crate::settings::field;

/// How `m2m token` prints a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// The token and a newline
    Bare,
    /// An Authorization header line
    Header,
    /// One object: access_token, token_type, expires_in, expires_at, scope, from_cache
    Json,
    /// Shell exports of M2M_ACCESS_TOKEN and M2M_EXPIRES_AT
    Env,
    /// A line for curl --config
    CurlConfig,
}

const TOKEN_EXAMPLES: &str = "\
Examples:
  m2m token --issuer https://login.example.com --client-id svc \\
      --secret-env SECRET --scope read
  curl --config <(m2m token -o curl-config) https://api.example.com/orders

Tokens are kept, encrypted, in the user's cache directory and used while they
are valid. On a terminal a summary is shown instead of the token; --show-token
or -o prints it.";

/// `m2m token`
#[derive(Args, Clone, Debug)]
#[command(after_help = TOKEN_EXAMPLES, after_long_help = format!("{TOKEN_EXAMPLES}\n\n{}", field::reference()))]
pub struct Token {
    /// Form of the output; default: bare on a pipe, a summary on a terminal
    #[arg(short, long, value_name = "FORM")]
    pub output: Option<OutputFormat>,
    /// Print the token on a terminal too
    #[arg(long)]
    pub show_token: bool,
    /// Renew a token that lives less long: 60, 60s, 5m
    #[arg(long, value_name = "TIME")]
    pub min_ttl: Option<String>,
    /// Get a new token even if a valid one is kept
    #[arg(long)]
    pub fresh: bool,
    /// Neither read nor write kept tokens
    #[arg(long)]
    pub no_store: bool,
    /// Same as -o json; failures as JSON too
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m request`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m request GET https://api.example.com/orders
  m2m request POST https://api.example.com/orders --json '{\"item\":1}'
  m2m request PUT https://api.example.com/blob --data @big.bin -o answer.json

The origin of the URL may receive the token because you typed it; redirects are
not followed. After a 401 the token is renewed and the request sent once more.
Without a token the API is never called.
For failures as JSON put --json before the command: m2m --json request …")]
pub struct Request {
    /// GET, POST, …
    pub method: String,
    /// The URL to call
    pub url: String,
    /// Add a header; may be repeated. Authorization is ours
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Send this body; @FILE reads a file, @- standard input
    #[arg(short, long, value_name = "BODY|@FILE", group = "body")]
    pub data: Option<String>,
    /// Send this body as application/json; @FILE as with --data
    #[arg(long = "json", value_name = "BODY|@FILE", group = "body", id = "json-body")]
    pub json_body: Option<String>,
    /// Write the answer's body to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show the answer's status and headers too
    #[arg(short, long)]
    pub include: bool,
    /// Exit 22 when the API answers 400 or above
    #[arg(long)]
    pub fail: bool,
    /// Neither read nor write kept tokens
    #[arg(long)]
    pub no_store: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// Where a token comes from. Never the command line, which other users of the machine can read.
#[derive(Args, Clone, Debug, Default)]
pub struct TokenInput {
    /// Take the token from this file, not from stdin
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `m2m introspect`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m token | m2m introspect

Prints the server's JSON. Exit 0: active; 12: not active.")]
pub struct Introspect {
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenInput,
    /// Believe only an answer that the issuer signed (RFC 9701)
    #[arg(long)]
    pub signed: bool,
    /// Failures as JSON too
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m revoke`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m revoke --token-file FILE
  m2m token | m2m revoke          the token on standard input
  m2m revoke                      the kept token: on a terminal, or with nothing
                                  on standard input")]
pub struct Revoke {
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenInput,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m inspect`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m token | m2m inspect

Prints {\"header\",\"claims\",\"verified\":false}. Nothing is checked: anybody can
write such a token. Use m2m verify before you believe it.")]
pub struct Inspect {
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenInput,
    /// Failures as JSON too
    #[arg(long)]
    pub json: bool,
}

/// `m2m verify`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m token | m2m verify --issuer https://login.example.com \\
      --audience https://api.example.com

  m2m verify --issuer https://login.example.com --audience api \\
      --jwks-file keys.json --token-file token.jwt      without a network

Exit 0: the token is valid for that audience; 11: it is not; 5, 6, 9 or 10: the
issuer's keys cannot be had.")]
pub struct Verify {
    /// The only issuer whose tokens are accepted
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The API that must be named in the token
    #[arg(long, value_name = "AUD")]
    pub audience: String,
    /// Scope that the token must carry; may be repeated
    #[arg(long, value_name = "SCOPE")]
    pub require_scope: Vec<String>,
    /// How its tokens look: auth0, okta, entra-v2, … [default: rfc9068]
    #[arg(long, value_name = "NAME")]
    pub token_profile: Option<String>,
    /// Where the issuer's keys are [default: as its metadata says]
    #[arg(long, value_name = "URL", conflicts_with = "jwks_file")]
    pub jwks_uri: Option<String>,
    /// The issuer's keys (a JWK set); nothing is fetched
    #[arg(long, value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenInput,
    /// Print {"valid","claims"} or {"valid","error","reason"}
    #[arg(long)]
    pub json: bool,
    /// Trust these certificates (PEM) besides the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Give up on an answer after this long [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
}
