//! The flags that stand for a profile: which server, which client, which secret, what to ask for.
//!
//! One flag for one field of `m2m.toml`. No flag takes a secret by value.

use std::path::PathBuf;

use clap::Args;

const WHO: &str = "Server and client";
const SECRET: &str = "Secret (one of)";
const ASK: &str = "What to ask for";
const MORE: &str = "Connection and protocol";

/// Flags that override environment and profile.
#[derive(Args, Clone, Debug, Default)]
pub struct ProfileFlags {
    /// Token service of the catalogue, e.g. auth0
    ///
    /// It fills in what it can; `m2m providers` lists them all.
    ///
    /// [env: M2M_PROVIDER]
    #[arg(long, value_name = "NAME", help_heading = WHO)]
    pub provider: Option<String>,
    /// Variable of the provider; may be repeated
    ///
    /// [env: M2M_VAR]
    #[arg(long, value_name = "K=V", help_heading = WHO)]
    pub var: Vec<String>,
    /// Issuer; its metadata names the endpoints
    ///
    /// [env: M2M_ISSUER]
    #[arg(long, value_name = "URL", help_heading = WHO)]
    pub issuer: Option<String>,
    /// Token endpoint, where there is no metadata
    ///
    /// [env: M2M_TOKEN_URL]
    #[arg(long, value_name = "URL", help_heading = WHO)]
    pub token_url: Option<String>,
    /// Introspection endpoint, where metadata names none
    ///
    /// [env: M2M_INTROSPECTION_URL]
    #[arg(long, value_name = "URL", help_heading = WHO, hide_short_help = true)]
    pub introspection_url: Option<String>,
    /// Revocation endpoint, where metadata names none
    ///
    /// [env: M2M_REVOCATION_URL]
    #[arg(long, value_name = "URL", help_heading = WHO, hide_short_help = true)]
    pub revocation_url: Option<String>,
    /// Client identifier
    ///
    /// [env: M2M_CLIENT_ID]
    #[arg(long, value_name = "ID", help_heading = WHO)]
    pub client_id: Option<String>,
    /// How the client proves who it is
    ///
    /// client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth,
    /// self_signed_tls_client_auth, federated (a workload token as assertion) or none (the grant says who we are).
    /// Default: the provider's; private_key_jwt with a private key; else client_secret_basic; never by trial.
    ///
    /// [env: M2M_CLIENT_AUTH_METHOD]
    #[arg(long, value_name = "METHOD", help_heading = WHO)]
    pub client_auth_method: Option<String>,

    /// Read the client secret from this file
    ///
    /// [env: M2M_CLIENT_SECRET_FILE]
    #[arg(long, value_name = "FILE", help_heading = SECRET, group = "secret")]
    pub secret_file: Option<PathBuf>,
    /// Read it from this variable
    #[arg(long, value_name = "VAR", help_heading = SECRET, group = "secret")]
    pub secret_env: Option<String>,
    /// Read it from standard input
    ///
    /// On a terminal it is asked for, without echo.
    #[arg(long, help_heading = SECRET, group = "secret")]
    pub secret_stdin: bool,
    /// Take what this command prints
    ///
    /// Words and quotes as in a shell, but no shell runs: no variables, no globs, no pipes.
    #[arg(long, value_name = "COMMAND", help_heading = SECRET, group = "secret")]
    pub secret_command: Option<String>,
    /// Private key, PEM or JWK, for assertions
    ///
    /// [env: M2M_PRIVATE_KEY_FILE]
    #[arg(long, value_name = "FILE", help_heading = SECRET)]
    pub private_key_file: Option<PathBuf>,
    /// Key id to put into assertions
    ///
    /// [env: M2M_KEY_ID]
    #[arg(long, value_name = "KID", help_heading = SECRET, hide_short_help = true)]
    pub key_id: Option<String>,
    /// Algorithm of assertions, such as ES256 or HS256
    ///
    /// Default: the first that the provider takes and the key can do; without a provider, the key's own.
    ///
    /// [env: M2M_ALGORITHM]
    #[arg(long, value_name = "ALG", help_heading = SECRET, hide_short_help = true)]
    pub algorithm: Option<String>,
    /// Client certificate chain, PEM, for mutual TLS
    ///
    /// [env: M2M_CERTIFICATE_FILE]
    #[arg(long, value_name = "FILE", help_heading = SECRET, hide_short_help = true)]
    pub certificate_file: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    ///
    /// [env: M2M_CERTIFICATE_KEY_FILE]
    #[arg(long, value_name = "FILE", help_heading = SECRET, hide_short_help = true)]
    pub certificate_key_file: Option<PathBuf>,
    /// Assertion that somebody else signs, such as a projected token
    ///
    /// [env: M2M_WORKLOAD_TOKEN_FILE]
    #[arg(long, value_name = "FILE", help_heading = SECRET, hide_short_help = true)]
    pub workload_token_file: Option<PathBuf>,

    /// Scope to ask for; repeat, or separate by spaces
    ///
    /// [env: M2M_SCOPE]
    #[arg(long, value_name = "SCOPE", help_heading = ASK)]
    pub scope: Vec<String>,
    /// The API that the token is for
    ///
    /// [env: M2M_AUDIENCE]
    #[arg(long, value_name = "AUD", help_heading = ASK)]
    pub audience: Option<String>,
    /// Resource indicator (RFC 8707); may be repeated
    ///
    /// [env: M2M_RESOURCE]
    #[arg(long, value_name = "URI", help_heading = ASK)]
    pub resource: Vec<String>,
    /// Extra parameter of the request; may be repeated
    #[arg(long, value_name = "K=V", help_heading = ASK)]
    pub param: Vec<String>,
    /// Grant: client_credentials, jwt_bearer, token_exchange
    ///
    /// jwt_bearer: an assertion under the private key, or the workload token, is the grant (RFC 7523 section 2.1).
    /// token_exchange: the workload token is exchanged (RFC 8693). Any other text is sent as `grant_type`.
    ///
    /// [env: M2M_GRANT]
    #[arg(long, value_name = "GRANT", help_heading = ASK, hide_short_help = true)]
    pub grant: Option<String>,
    /// Bind the token to a key (RFC 9449), fresh or in a file
    ///
    /// [env: M2M_DPOP]
    #[arg(long, value_name = "KEYFILE", num_args = 0..=1, require_equals = true,
          default_missing_value = "ephemeral", help_heading = ASK)]
    pub dpop: Option<String>,

    /// Trust these certificates (PEM) besides the system's
    ///
    /// [env: M2M_CA_FILE]
    #[arg(long, value_name = "FILE", help_heading = MORE)]
    pub ca_file: Option<PathBuf>,
    /// Give up on an answer after this long [default: 10s]
    ///
    /// [env: M2M_TIMEOUT]
    #[arg(long, value_name = "TIME", help_heading = MORE)]
    pub timeout: Option<String>,
    /// An origin that may receive the token; may be repeated
    ///
    /// [env: M2M_DESTINATION]
    #[arg(long, value_name = "ORIGIN", help_heading = MORE, hide_short_help = true)]
    pub destination: Vec<String>,
    /// How Basic carries id and secret: form (RFC 6749) or raw
    ///
    /// [env: M2M_BASIC_ENCODING]
    #[arg(long, value_name = "HOW", help_heading = MORE, hide_short_help = true)]
    pub basic_encoding: Option<String>,
    /// Audience of assertions: issuer, token_endpoint, host or a URL
    ///
    /// [env: M2M_ASSERTION_AUDIENCE]
    #[arg(long, value_name = "AUD", help_heading = MORE, hide_short_help = true)]
    pub assertion_audience: Option<String>,
}
