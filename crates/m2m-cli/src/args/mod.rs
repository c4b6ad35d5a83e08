//! What was typed. Nothing is opened, read or resolved here; that is [`crate::settings`].

pub mod admin;
mod console;
mod doctor;
mod flags;
mod gateway;
mod keys;
mod pages;
mod profile;
mod profile_export;
mod serve;
mod tokens;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, Parser, Subcommand};

pub use admin::Admin;
pub use console::Console;
pub use doctor::Doctor;
pub use flags::ProfileFlags;
pub use gateway::{Dialect, Gateway};
pub use keys::{Keygen, KeygenKind};
pub use pages::{Completion, Man};
pub use profile::{
    Destination, Profile, ProfileAdd, ProfileCommand, ProfileImport, ProfileList, ProfileRemove, ProfileShow,
    ProfileTest, ProfileTrust,
};
pub use profile_export::{ExportForm, ProfileExport, ProfileSchema};
pub use serve::{LogFormat, Serve};
pub use tokens::{Inspect, Introspect, OutputFormat, Request, Revoke, Token, TokenInput, Verify};

const EXAMPLES: &str = "\
Examples:
  m2m demo                                            the whole story here
  m2m serve --dev --env-file dev.env                  a server to try things
  m2m token --issuer https://login.example.com \\
      --client-id svc --secret-env VAR --scope read   print a token
  m2m profile add orders                              keep settings by name
  m2m request GET https://api.example.com/orders      call an API
  m2m token | m2m verify --issuer URL --audience AUD  check a token
  m2m doctor                                          why it fails, what to do

Secrets never go on the command line, into logs or into core files. A secret is
named: --secret-file, --secret-env, --secret-stdin, --secret-command, or a
reference in m2m.toml. -v shows no token. All settings: m2m token --help

Exit codes: 0 ok, 2 usage, 3 configuration, 4 secret unavailable, 5 unreachable,
6 TLS, 7 client refused, 8 request refused, 9 rate limited, 10 malformed answer,
11 verification failed, 12 inactive or expired, 13 a plan has something to do,
14 a MUST is missed (assess), 22 request --fail and the API answered 400 or
above, 70 our bug.";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::BrightBlack.on_default());

/// OAuth 2.0 for machines: get tokens, check tokens, issue tokens
#[derive(Clone, Debug, Parser)]
#[command(name = "m2m", version, styles = STYLES, after_help = EXAMPLES, disable_help_subcommand = true)]
#[command(infer_long_args = false, term_width = 80)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// Answer failures (and results, where there is a choice) as JSON
    #[arg(long = "json", id = "json-everywhere")]
    pub json: bool,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What applies to every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Use this profile of m2m.toml [env: M2M_PROFILE]
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Everywhere")]
    pub profile: Option<String>,
    /// Use this file and no other; its commands may run
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<std::path::PathBuf>,
    /// Say more on standard error; never a token or a secret
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

/// The commands that work.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show the whole story on this machine, step by step
    Demo(Demo),
    /// Get an access token
    Token(Token),
    /// Call an API with a token attached
    Request(Request),
    /// Ask the server whether a token is active
    Introspect(Introspect),
    /// Revoke a token; without one, the cached token
    Revoke(Revoke),
    /// Decode a token without checking it
    Inspect(Inspect),
    /// Check a token: signature, issuer, audience, times, scope
    Verify(Verify),
    /// Find out why no token comes, and what to do
    Doctor(Doctor),
    /// Keep settings by name: add, list, show, test, remove, import, export, schema, trust
    Profile(Profile),
    /// Make, test and copy profiles in the browser, on this machine alone
    Console(Console),
    /// List the token services known by name, or explain one
    Providers(Providers),
    /// Administer an authorization server: APIs, clients, credentials
    Admin(Admin),
    /// Make keys: key pair, JWK, JWK set, self-signed certificate
    Keygen(Keygen),
    /// Run an authorization server; --dev is one to develop against
    Serve(Serve),
    /// Check tokens in front of a program, or for the proxy before it
    Gateway(Gateway),
    /// Print what makes a shell complete commands and names
    Completion(Completion),
    /// Print the manual page of a command
    Man(Man),
}

/// `m2m demo`
#[derive(Args, Clone, Debug, Default)]
pub struct Demo {
    /// Leave the servers running at the end and print what to try
    #[arg(long)]
    pub keep: bool,
    /// One JSON object per step
    #[arg(long)]
    pub json: bool,
}

/// `m2m providers`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m providers
  m2m providers auth0
  m2m profile add orders --provider auth0 --var domain=acme.eu.auth0.com \\
      --client-id ID --secret-file FILE --audience https://api.example.com")]
pub struct Providers {
    /// Its id or alias: variables, methods, traps, and what its errors mean
    pub id: Option<String>,
    /// One JSON object: the catalogue, or the entry as it is in its file
    #[arg(long)]
    pub json: bool,
}

impl Cli {
    /// Whether a program reads the failures of this run.
    pub fn wants_json(&self) -> bool {
        self.json
            || match &self.command {
                Command::Demo(command) => command.json,
                Command::Token(command) => command.json || command.output == Some(OutputFormat::Json),
                Command::Introspect(command) => command.json,
                Command::Revoke(command) => command.json,
                Command::Inspect(command) => command.json,
                Command::Verify(command) => command.json,
                Command::Doctor(command) => command.json,
                Command::Profile(command) => command.wants_json(),
                Command::Providers(command) => command.json,
                Command::Admin(command) => command.json,
                Command::Keygen(command) => command.json,
                Command::Serve(command) => command.json,
                Command::Gateway(command) => command.json,
                Command::Request(_) | Command::Console(_) | Command::Completion(_) | Command::Man(_) => false,
            }
    }
}

#[cfg(test)]
mod tests;
