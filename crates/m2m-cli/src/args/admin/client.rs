//! Arguments of `m2m admin client …`.

use clap::{Args, Subcommand};

use super::{Confirmed, Constraint, Named, Removed};

/// `m2m admin client`
#[derive(Args, Clone, Debug)]
pub struct AdminClient {
    /// What to do with clients.
    #[command(subcommand)]
    pub command: ClientCommand,
}

/// What to do with clients.
#[derive(Clone, Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client
    Create(ClientCreate),
    /// List the clients
    List,
    /// Show one client, and which of its scopes it never used
    Show(Named),
    /// Change what is said of a client
    Update(ClientUpdate),
    /// Switch a client off: its tokens are inactive meanwhile
    Disable(Confirmed),
    /// Switch a client on again
    Enable(Named),
    /// Withdraw a client for good, with all credentials and tokens
    Revoke(Confirmed),
    /// Remove a client from the registry
    Delete(Removed),
}

/// What can be said of a client.
#[derive(Args, Clone, Debug, Default)]
pub struct ClientFields {
    /// Scopes it may ask for at an API; may be repeated
    #[arg(long, value_name = "API=S1,S2")]
    pub grant: Vec<String>,
    /// Scopes it gets there when it asks for none [default: all]
    #[arg(long, value_name = "API=S1,S2")]
    pub default_scope: Vec<String>,
    /// A role for the claim roles there; may be repeated
    #[arg(long, value_name = "API=ROLE")]
    pub role: Vec<String>,
    /// A permission for the claim permissions there; may be repeated
    #[arg(long, value_name = "API=PERM")]
    pub permission: Vec<String>,
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Who answers for it
    #[arg(long, value_name = "TEXT")]
    pub owner: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub purpose: Option<String>,
    /// When somebody should ask whether it is still needed
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub review_by: Option<String>,
    /// Longest life of its tokens
    #[arg(long, value_name = "TIME")]
    pub lifetime_cap: Option<String>,
    /// What its tokens must be bound to
    #[arg(long, value_name = "WHAT")]
    pub sender_constraint: Option<Constraint>,
    /// Tokens that it may get in a minute
    #[arg(long, value_name = "N")]
    pub mint_quota: Option<String>,
    /// Addresses it may ask from; may be repeated
    #[arg(long, value_name = "CIDR")]
    pub allowed_network: Vec<String>,
    /// Whether it may exchange tokens (RFC 8693) [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub token_exchange: Option<bool>,
}

/// `m2m admin client create`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m admin client create billing --owner team-money \\
      --grant https://orders.example=orders:read,orders:write

It gets no secret by that: m2m admin credential create makes one for each
instance. Making one again that is the same changes nothing and succeeds.")]
pub struct ClientCreate {
    /// The client_id
    #[arg(value_name = "ID")]
    pub id: String,
    /// What is said of it.
    #[command(flatten)]
    pub fields: ClientFields,
}

/// `m2m admin client update`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m admin client update billing --grant https://orders.example=orders:read
  m2m admin client update billing --owner '' --review-by 2027-06-01

What is not named stays as it is. --grant, --default-scope, --role and
--permission replace what is said of that API; --no-grant takes the API away.
'' in place of a value goes back to the default.")]
pub struct ClientUpdate {
    /// The client
    #[arg(value_name = "ID")]
    pub id: String,
    /// What changes.
    #[command(flatten)]
    pub fields: ClientFields,
    /// An API that it may use no more; may be repeated
    #[arg(long, value_name = "API")]
    pub no_grant: Vec<String>,
    /// Only if it is still this version, as show tells it
    #[arg(long, value_name = "N")]
    pub if_version: Option<String>,
}
