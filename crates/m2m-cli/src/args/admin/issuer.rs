//! Arguments of `m2m admin issuer …`. A token to be explained comes from a file or standard input, never from here.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Confirmed, Named, Removed};
use crate::args::TokenInput;

const KEYS: &str = "Where its keys are";

/// `m2m admin issuer`
#[derive(Args, Clone, Debug)]
pub struct AdminIssuer {
    /// What to do with trusted issuers.
    #[command(subcommand)]
    pub command: IssuerCommand,
}

/// What to do with trusted issuers.
#[derive(Clone, Debug, Subcommand)]
pub enum IssuerCommand {
    /// Trust an issuer
    Create(Box<IssuerCreate>),
    /// List the trusted issuers
    List,
    /// Show one trusted issuer
    Show(Named),
    /// Change what is trusted of an issuer, but for what it calls itself
    Update(Box<IssuerUpdate>),
    /// Refuse its tokens; what was issued for them is inactive until it is enabled again
    Disable(Confirmed),
    /// Accept its tokens again
    Enable(Named),
    /// Trust an issuer no more; refused while credentials map to it
    Delete(Removed),
    /// Say of a token on standard input what becomes of it, and why
    Explain(IssuerExplain),
}

const CREATE_EXAMPLES: &str = "\
Examples:
  m2m admin issuer create github \\
      --issuer https://token.actions.githubusercontent.com \\
      --condition repository_owner=acme
  m2m admin issuer create cluster \\
      --issuer https://kubernetes.default.svc.cluster.local \\
      --jwks-url https://kubernetes.default.svc/openid/v1/jwks \\
      --ca-file /var/run/secrets/kubernetes.io/serviceaccount/ca.crt \\
      --bearer-file /var/run/secrets/kubernetes.io/serviceaccount/token
  m2m admin issuer create spire --trust-domain prod.example \\
      --jwks-url https://spire.prod.example/bundle.json

Without a place for its keys they are where the issuer's metadata says. --help
says what a condition is.";

const CREATE_WORDS: &str = "\
A condition is CLAIM=TEXT, CLAIM~=PATTERN or CLAIM:=JSON (a number, true, false,
or an array of which one must be). CLAIM is a name, or a JSON Pointer to a claim
that lies deeper: /kubernetes.io/namespace=prod. In a pattern * stands for one
segment between / and :, and ** at the end for all that follow.

--jwks-file, --ca-file and --bearer-file are files of the server, below a
directory of issuer_files in its settings; --keys-file is a file here.";

/// `m2m admin issuer create`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = CREATE_EXAMPLES, after_long_help = format!("{CREATE_EXAMPLES}\n\n{CREATE_WORDS}"))]
pub struct IssuerCreate {
    /// Its name here
    #[arg(value_name = "ID")]
    pub id: String,
    /// What it calls itself in iss, to the letter
    #[arg(
        long = "issuer",
        alias = "iss",
        value_name = "ISS",
        required_unless_present = "trust_domain",
        conflicts_with = "trust_domain"
    )]
    pub iss: Option<String>,
    /// A SPIFFE trust domain, for JWT-SVIDs
    #[arg(long, value_name = "NAME")]
    pub trust_domain: Option<String>,
    /// All that can be changed later.
    #[command(flatten)]
    pub fields: IssuerFields,
}

/// What is registered of an issuer, besides its names.
#[derive(Args, Clone, Debug, Default)]
pub struct IssuerFields {
    /// A JWK set, or the bundle of a trust domain
    #[arg(long, value_name = "URL", help_heading = KEYS, group = "keys")]
    pub jwks_url: Option<String>,
    /// A file of the server that holds them
    #[arg(long, value_name = "FILE", help_heading = KEYS, group = "keys")]
    pub jwks_file: Option<String>,
    /// A file here that holds them; they are registered as they are now
    #[arg(long, value_name = "FILE", help_heading = KEYS, group = "keys")]
    pub keys_file: Option<PathBuf>,
    /// Root certificates to trust when they are fetched
    #[arg(long, value_name = "FILE", help_heading = KEYS)]
    pub ca_file: Option<String>,
    /// A bearer token to send when they are fetched
    #[arg(long, value_name = "FILE", help_heading = KEYS)]
    pub bearer_file: Option<String>,
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// What aud must have; may be repeated [server's default: its issuer]
    #[arg(long, value_name = "AUD")]
    pub audience: Vec<String>,
    /// The longest life of its tokens, at most 24h [server's default: 1h]
    #[arg(long, value_name = "TIME")]
    pub max_lifetime: Option<String>,
    /// A token is good once, by its jti [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    pub single_use: Option<bool>,
    /// What all its tokens must fulfil; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub condition: Vec<String>,
}

/// `m2m admin issuer update`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Example:
  m2m admin issuer update github --condition repository_owner=acme \\
      --condition environment=production

What is not named stays as it is. --condition and --audience replace all that
there are. Another place for the keys takes that of the one before. '' in place of
a value goes back to the default: --jwks-url '' to what the metadata says.
What it calls itself stays, for credentials map to it.")]
pub struct IssuerUpdate {
    /// The issuer
    #[arg(value_name = "ID")]
    pub id: String,
    /// What changes.
    #[command(flatten)]
    pub fields: IssuerFields,
    /// Only if it is still this version, as show tells it
    #[arg(long, value_name = "N")]
    pub if_version: Option<String>,
}

/// `m2m admin issuer explain`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m admin issuer explain < token

Exit 0: it is accepted; 11: it is refused. Nothing is consumed.")]
pub struct IssuerExplain {
    /// For which client; default: for any
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,
    /// Where the token comes from.
    #[command(flatten)]
    pub token: TokenInput,
}
