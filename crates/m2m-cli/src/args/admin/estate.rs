//! Arguments of what changes many objects at once: `apply` and `import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Confirmation;

/// `m2m admin apply`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m admin apply estate.toml --plan
  m2m admin apply estate.toml
  m2m admin apply estate.toml --prune --plan

With --plan nothing is changed: exit 0 says that there is nothing to do, 13 that
there is. What the file does not name stays and is listed, unless --prune.
Secrets that the server makes go into files (mode 0600), never to the screen.
The file is explained in docs/configuration-as-code.md.")]
pub struct Apply {
    /// The estate: TOML, or JSON where the name ends in .json
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub plan: bool,
    /// Withdraw what the file does not name: clients, credentials, APIs, issuers
    #[arg(long)]
    pub prune: bool,
    /// Where secrets go whose place the file does not name
    #[arg(long, value_name = "DIRECTORY")]
    pub secrets: Option<PathBuf>,
    /// How long a key or certificate goes on working when another follows it
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub overlap: String,
    /// Whether a person is asked.
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// `m2m admin import`
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// Which product made the export.
    #[command(subcommand)]
    pub source: ImportSource,
}

/// Which product made an export.
#[derive(Clone, Debug, Subcommand)]
pub enum ImportSource {
    /// Ory Hydra: rows of hydra_client (with hashes), or hydra list clients
    Hydra(Imported),
    /// Keycloak: the export of a realm
    Keycloak(Imported),
    /// Auth0: clients, resource servers and client grants
    Auth0(Imported),
}

/// An export, and how it is taken.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Client ids stay, and so do secrets: what was hashed is checked against the old
hash until it is used for the first time. What cannot be carried over is told,
line by line. A repeat changes nothing. See docs/migration.md for the commands
that make the exports.")]
pub struct Imported {
    /// The export, JSON; several files are read as one
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only say what would be done; exit 13 if there is something
    #[arg(long)]
    pub plan: bool,
    /// The API of scopes and clients that name no audience
    #[arg(long, value_name = "IDENTIFIER")]
    pub api: Option<String>,
}
