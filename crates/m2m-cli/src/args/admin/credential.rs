//! Arguments of `m2m admin credential …`. No flag takes a secret: the server makes it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Confirmed, Named};

const MATERIAL: &str = "What it proves itself with";

/// `m2m admin credential`
#[derive(Args, Clone, Debug)]
pub struct AdminCredential {
    /// What to do with credentials.
    #[command(subcommand)]
    pub command: CredentialCommand,
}

/// What to do with credentials.
#[derive(Clone, Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a credential for one instance of a client
    Create(Box<CredentialCreate>),
    /// List the credentials of a client, or of all, and which are safe to remove
    List(CredentialOwner),
    /// Show one credential
    Show(Named),
    /// Make the next one; the current one works for a while
    Rotate(Box<CredentialRotate>),
    /// Withdraw a credential for good, with its tokens
    Revoke(Confirmed),
}

/// Whose credentials.
#[derive(Args, Clone, Debug)]
pub struct CredentialOwner {
    /// The client; without one, all
    #[arg(value_name = "CLIENT")]
    pub client: Option<String>,
}

/// How an instance proves who it is (the IANA names; `client_secret` is both basic and post).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CredentialMethod {
    /// A secret that is sent
    ClientSecret,
    /// A secret that signs
    ClientSecretJwt,
    /// A key that signs
    PrivateKeyJwt,
    /// A certificate of a known authority
    TlsClientAuth,
    /// One certificate
    SelfSignedTlsClientAuth,
    /// A token of a trusted issuer
    Federated,
}

/// Where a secret may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum CredentialSecretUse {
    /// Header or body
    BasicOrPost,
    /// The header only
    Basic,
    /// The body only
    Post,
}

/// What a credential proves itself with, where that is not a secret.
#[derive(Args, Clone, Debug, Default)]
pub struct MaterialFlags {
    /// Public key for private_key_jwt: PEM, JWK or JWK set
    #[arg(long, value_name = "FILE", help_heading = MATERIAL, group = "material")]
    pub public_key_file: Option<PathBuf>,
    /// Where the client publishes its keys
    #[arg(long, value_name = "URL", help_heading = MATERIAL, group = "material")]
    pub jwks_url: Option<String>,
    /// The certificate for self_signed_tls_client_auth, PEM
    #[arg(long, value_name = "FILE", help_heading = MATERIAL, group = "material")]
    pub certificate_file: Option<PathBuf>,
    /// Subject of the certificate for tls_client_auth (RFC 4514)
    #[arg(long, value_name = "DN", help_heading = MATERIAL, group = "material")]
    pub subject: Option<String>,
    /// Or a DNS name in it
    #[arg(long, value_name = "NAME", help_heading = MATERIAL, group = "material")]
    pub subject_dns: Option<String>,
    /// Or a URI in it
    #[arg(long, value_name = "URI", help_heading = MATERIAL, group = "material")]
    pub subject_uri: Option<String>,
    /// Or an IP address in it
    #[arg(long, value_name = "IP", help_heading = MATERIAL, group = "material")]
    pub subject_ip: Option<String>,
    /// Or an email address in it
    #[arg(long, value_name = "EMAIL", help_heading = MATERIAL, group = "material", hide_short_help = true)]
    pub subject_email: Option<String>,
}

/// Which workload a federated credential stands for.
#[derive(Args, Clone, Debug, Default)]
pub struct WorkloadFlags {
    /// The trusted issuer of its tokens: m2m admin issuer list
    #[arg(long, value_name = "ID", help_heading = MATERIAL, group = "material", requires = "external_subject")]
    pub issuer: Option<String>,
    /// sub of its tokens, or a pattern with * and **
    #[arg(long, value_name = "SUBJECT", help_heading = MATERIAL, requires = "issuer")]
    pub external_subject: Option<String>,
    /// What its tokens must fulfil besides, as for m2m admin issuer create
    #[arg(long, value_name = "CONDITION", help_heading = MATERIAL, requires = "issuer")]
    pub condition: Vec<String>,
}

/// `m2m admin credential create`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m admin credential create billing --label eu-1 > eu-1.secret
  m2m admin credential create billing --label eu-2 \\
      --public-key-file eu-2.jwks.json --expires-in 90d
  m2m admin credential create billing --label ci --issuer github \\
      --external-subject 'repo:acme/billing:ref:refs/heads/main'

The secret is shown once and cannot be read again; on a pipe it stands alone on
standard output. Of a key only the public half is taken: m2m keygen makes both.")]
pub struct CredentialCreate {
    /// The client
    #[arg(value_name = "CLIENT")]
    pub client: String,
    /// Which instance uses it, such as a host or a deployment
    #[arg(long, value_name = "TEXT")]
    pub label: String,
    /// How it proves who it is
    ///
    /// client_secret, client_secret_jwt, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, federated.
    /// Default: what the flags below lead to, else client_secret.
    #[arg(long, value_name = "METHOD", hide_possible_values = true)]
    pub method: Option<CredentialMethod>,
    /// What it proves itself with.
    #[command(flatten)]
    pub material: MaterialFlags,
    /// Which workload of a trusted issuer.
    #[command(flatten)]
    pub workload: WorkloadFlags,
    /// How long it is valid: 90d; default: until it is revoked
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
    /// Refused before: 2026-12-01T00:00:00Z
    #[arg(long, value_name = "WHEN")]
    pub not_before: Option<String>,
    /// Where a secret may be sent: basic_or_post, basic, post
    #[arg(long, value_name = "WHERE", hide_possible_values = true)]
    pub secret_use: Option<CredentialSecretUse>,
    /// Its assertions may name the token endpoint as audience
    #[arg(long)]
    pub accept_token_endpoint_audience: bool,
    /// Its assertions may come without typ
    #[arg(long, hide_short_help = true)]
    pub accept_untyped_assertion: bool,
    /// Make one only, however often this is repeated
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

/// `m2m admin credential rotate`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m admin credential rotate ID --overlap 24h > eu-1.secret.new

A secret is followed by a secret, a key or a certificate by the one that is
given. Both work during the overlap. m2m admin credential list CLIENT tells when
the first one is safe to remove.")]
pub struct CredentialRotate {
    /// The credential that is replaced
    #[arg(value_name = "ID")]
    pub id: String,
    /// How long the current one goes on working
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub overlap: String,
    /// How long the next one is valid: 90d; default: as long as the current one was
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
    /// What the next one proves itself with.
    #[command(flatten)]
    pub material: MaterialFlags,
}

impl CredentialMethod {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::Federated => "federated",
        }
    }
}

impl CredentialSecretUse {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BasicOrPost => "basic_or_post",
            Self::Basic => "basic",
            Self::Post => "post",
        }
    }
}
