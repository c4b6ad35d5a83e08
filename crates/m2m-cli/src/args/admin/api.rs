//! Arguments of `m2m admin api …`.

use clap::{Args, Subcommand, ValueEnum};

use super::{Named, Removed};

/// `m2m admin api`
#[derive(Args, Clone, Debug)]
pub struct AdminApi {
    /// What to do with APIs.
    #[command(subcommand)]
    pub command: ApiCommand,
}

/// What to do with APIs.
#[derive(Clone, Debug, Subcommand)]
pub enum ApiCommand {
    /// Register an API
    Create(ApiCreate),
    /// List the APIs
    List,
    /// Show one API
    Show(Named),
    /// Change what is said of an API
    Update(ApiUpdate),
    /// Remove an API
    Delete(Removed),
}

/// The form of an API's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokenFormat {
    /// Signed claims that the API can check by itself
    Jwt,
    /// Sealed: only the server can read them, so the API introspects
    Opaque,
}

/// What tokens must be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Constraint {
    /// Nothing is demanded
    None,
    /// A key of the caller (RFC 9449)
    Dpop,
    /// A client certificate (RFC 8705)
    Mtls,
}

/// What can be said of an API.
#[derive(Args, Clone, Debug, Default)]
pub struct ApiFields {
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// A scope that it knows; repeat, or separate by spaces
    #[arg(long, value_name = "SCOPE")]
    pub scope: Vec<String>,
    /// What one of its scopes allows, for people; may be repeated
    #[arg(long, value_name = "SCOPE=TEXT")]
    pub describe: Vec<String>,
    /// Form of its tokens [server's default: jwt]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<TokenFormat>,
    /// How long its tokens live, at most 24h [server's default: 600]
    #[arg(long, value_name = "TIME")]
    pub lifetime: Option<String>,
    /// How its tokens are signed [server's default: ES256]
    #[arg(long, value_name = "ALG")]
    pub alg: Option<String>,
    /// What its tokens must be bound to [server's default: none]
    #[arg(long, value_name = "WHAT")]
    pub sender_constraint: Option<Constraint>,
    /// A client that may introspect tokens for it; may be repeated
    #[arg(long, value_name = "CLIENT")]
    pub resource_server: Vec<String>,
}

/// `m2m admin api create`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m admin api create https://orders.example --scope orders:read \\
      --scope orders:write --describe 'orders:write=change orders'

Making one again that is the same changes nothing and succeeds.")]
pub struct ApiCreate {
    /// What aud of its tokens will say; usually its URL
    #[arg(value_name = "IDENTIFIER")]
    pub identifier: String,
    /// What is said of it.
    #[command(flatten)]
    pub fields: ApiFields,
}

/// `m2m admin api update`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m admin api update https://orders.example --lifetime 5m
  m2m admin api update https://orders.example --scope orders:refund

What is not named stays as it is. --scope and --resource-server add, --no-scope
and --no-resource-server take away. --name '' goes back to the default.")]
pub struct ApiUpdate {
    /// The API
    #[arg(value_name = "IDENTIFIER")]
    pub identifier: String,
    /// What changes.
    #[command(flatten)]
    pub fields: ApiFields,
    /// A scope that it knows no more; may be repeated
    #[arg(long, value_name = "SCOPE")]
    pub no_scope: Vec<String>,
    /// A client that may introspect for it no more; may be repeated
    #[arg(long, value_name = "CLIENT")]
    pub no_resource_server: Vec<String>,
    /// Only if it is still this version, as show tells it
    #[arg(long, value_name = "N")]
    pub if_version: Option<String>,
}

impl TokenFormat {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
        }
    }
}

impl Constraint {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dpop => "dpop",
            Self::Mtls => "mtls",
        }
    }
}
