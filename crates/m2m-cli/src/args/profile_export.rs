//! Arguments of `m2m profile export` and `m2m profile schema`.

use clap::{Args, ValueEnum};

use super::ProfileFlags;

/// A form in which a profile can be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// A line of shell with m2m token
    Cli,
    /// A line of shell with curl, for machines without m2m
    Curl,
    /// Exports of M2M_* for a shell
    Env,
    /// A function in Rust with the crate m2m-client
    Rust,
    /// A profile of m2m.toml
    Toml,
    /// ConfigMap and Deployment that mount a Secret
    Kubernetes,
    /// A service of docker compose with secrets
    Compose,
    /// Filter and cluster of Envoy that attach the token
    Envoy,
}

/// `m2m profile export`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m profile export orders --as curl
  m2m profile export --issuer https://login.example.com --client-id svc \\
      --secret-env SECRET --as kubernetes

Secrets are named, never printed: the output can be committed. What a form
cannot say stands in it as a comment. curl and envoy need the token endpoint; of
a profile with an issuer its metadata are asked for it, and nothing else is sent.")]
pub struct ProfileExport {
    /// The profile; default: as everywhere
    #[arg(value_name = "NAME", conflicts_with = "profile")]
    pub name: Option<String>,
    /// The form
    #[arg(long = "as", value_name = "FORM")]
    pub form: ExportForm,
    /// Failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub flags: ProfileFlags,
}

/// `m2m profile schema`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m profile schema > public/schema.json

Prints {\"schema\",\"uiSchema\"}: JSON Schema draft-07, and a UI schema for
react-jsonschema-form. What such a form yields, m2m profile import takes.")]
pub struct ProfileSchema {
    /// Print the JSON Schema alone
    #[arg(long, conflicts_with = "ui")]
    pub schema: bool,
    /// Print the UI schema alone
    #[arg(long)]
    pub ui: bool,
}
