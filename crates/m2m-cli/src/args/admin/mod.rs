//! Arguments of `m2m admin …`: one file for each noun. What a value may be is judged in `commands/admin/`.

mod api;
mod assess;
mod client;
mod credential;
mod estate;
mod issuer;
mod operate;

use clap::{Args, Subcommand};

pub use api::{AdminApi, ApiCommand, ApiCreate, ApiFields, ApiUpdate, Constraint, TokenFormat};
pub use assess::{Assess, Standard};
pub use client::{AdminClient, ClientCommand, ClientCreate, ClientFields, ClientUpdate};
pub use credential::{
    AdminCredential, CredentialCommand, CredentialCreate, CredentialMethod, CredentialOwner,
    CredentialRotate, CredentialSecretUse, MaterialFlags, WorkloadFlags,
};
pub use estate::{Apply, Import, ImportSource, Imported};
pub use issuer::{AdminIssuer, IssuerCommand, IssuerCreate, IssuerExplain, IssuerFields, IssuerUpdate};
pub use operate::{
    AdminInit, AdminKey, AdminToken, Audit, KeyCommand, KeyRoll, TokenCommand, TokenList, TokenRevoke,
};

/// `m2m admin`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m admin api create https://orders.example --scope orders:read
  m2m admin client create billing --grant https://orders.example=orders:read
  m2m admin credential create billing --label eu-1 > eu-1.secret
  m2m admin credential list billing
  m2m admin audit --client billing --since 1h

Who asks: -p NAME; else M2M_ADMIN_URL (the issuer), M2M_ADMIN_CLIENT_ID and
M2M_ADMIN_CLIENT_SECRET (or M2M_ADMIN_CLIENT_SECRET_FILE); else the profile
admin. That client needs m2m:read, and m2m:write to change anything.")]
pub struct Admin {
    /// Results and failures as JSON
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// What is administered.
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// What is administered.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// APIs: what a token can be for
    Api(AdminApi),
    /// Clients: who may ask for tokens, and for which
    Client(AdminClient),
    /// Credentials: how each instance of a client proves who it is
    Credential(AdminCredential),
    /// Trusted issuers: platforms whose tokens stand for clients
    Issuer(AdminIssuer),
    /// Live tokens
    Token(AdminToken),
    /// Signing keys
    Key(AdminKey),
    /// Measure server and clients against OAuth 2.1, RFC 9700, FAPI 2.0
    Assess(Assess),
    /// What was decided: tokens issued and refused, changes, revocations
    Audit(Audit),
    /// Make APIs, clients and credentials what a file says
    Apply(Apply),
    /// Take clients over from another product, with their secrets
    Import(Import),
    /// Make schema, keys and the admin client in a database
    Init(AdminInit),
}

/// The name of one object.
#[derive(Args, Clone, Debug)]
pub struct Named {
    /// Its identifier
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Whether a person is asked before something that cannot be undone.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Confirmation {
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

/// One object, and what is done to it.
#[derive(Args, Clone, Debug)]
pub struct Confirmed {
    /// Its identifier
    #[arg(value_name = "ID")]
    pub id: String,
    /// Whether a person is asked.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// One object that will be gone, if it is what it was.
#[derive(Args, Clone, Debug)]
pub struct Removed {
    /// Its identifier
    #[arg(value_name = "ID")]
    pub id: String,
    /// Only if it is still this version, as show tells it
    #[arg(long, value_name = "N")]
    pub if_version: Option<String>,
    /// Whether a person is asked.
    #[command(flatten)]
    pub confirmation: Confirmation,
}
