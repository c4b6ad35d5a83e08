//! Arguments of `m2m profile …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ProfileExport, ProfileFlags, ProfileSchema};

const WHERE: &str = "Where it is written";

/// `m2m profile`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m profile add orders          a conversation: server, client, secret, test
  m2m profile add orders --issuer https://login.example.com \\
      --client-id svc --secret-stdin < secret.txt
  m2m profile import client.json
  m2m profile test orders
  m2m profile export orders --as curl")]
pub struct Profile {
    /// What to do with profiles.
    #[command(subcommand)]
    pub command: ProfileCommand,
}

/// What to do with profiles.
#[derive(Clone, Debug, Subcommand)]
pub enum ProfileCommand {
    /// Make a profile: by flags, or on a terminal by a conversation
    Add(ProfileAdd),
    /// List the profiles and the files they are in
    List(ProfileList),
    /// Show every value and where it came from
    Show(ProfileShow),
    /// Ask for one token and show what was sent and answered
    Test(ProfileTest),
    /// Remove a profile
    Remove(ProfileRemove),
    /// Make a profile of somebody else's JSON
    Import(ProfileImport),
    /// Print a profile in another form: a command line, code, a deployment
    Export(Box<ProfileExport>),
    /// Print the JSON Schema of a profile, and how a form shows it
    Schema(ProfileSchema),
    /// Let the commands of a found m2m.toml run
    Trust(ProfileTrust),
}

/// Where a profile goes, and what may be replaced.
#[derive(Args, Clone, Debug, Default)]
pub struct Destination {
    /// Write ./m2m.toml, not your own file
    #[arg(long, help_heading = WHERE)]
    pub here: bool,
    /// Replace a profile of that name
    #[arg(long, help_heading = WHERE)]
    pub force: bool,
    /// Keep a secret that was read in the system's keyring
    ///
    /// Without it, the secret that --secret-stdin or the conversation reads is kept in a file of mode 0600 in your
    /// configuration directory. The profile holds a reference either way.
    #[arg(long, help_heading = WHERE)]
    pub keyring: bool,
}

/// `m2m profile add`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m profile add orders --issuer https://login.example.com \\
      --client-id svc --secret-file /run/secrets/orders
  op read op://vault/orders | m2m profile add orders --issuer URL \\
      --client-id svc --secret-stdin

Written to your own m2m.toml, or the one that --config names. The profile holds
no secret, only where it is. It ends with a test; a profile that fails it is
kept, and the exit code is that of the failure.")]
pub struct ProfileAdd {
    /// The profile's name: letters, digits, - _ .
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where it goes.
    #[command(flatten)]
    pub destination: Destination,
    /// Do not ask for a token at the end
    #[arg(long, help_heading = WHERE)]
    pub no_test: bool,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// What the profile says.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m profile list`
#[derive(Args, Clone, Debug, Default)]
pub struct ProfileList {
    /// Print {"profiles":[…]}
    #[arg(long)]
    pub json: bool,
}

/// `m2m profile show`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m profile show orders

A secret is shown as where it is, whether it is there, its mode and its age;
never its value.")]
pub struct ProfileShow {
    /// The profile; default: the one that m2m token would use
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m profile test`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m profile test orders

Asks the token service once, past all kept tokens. Secrets, assertions and the
token are blacked out. The exit code is that of m2m token.")]
pub struct ProfileTest {
    /// The profile; default: the one that m2m token would use
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m profile remove`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  m2m profile remove orders --yes

A secret that m2m put into your configuration directory or keyring goes with it;
other files, variables and keys stay, and are named.")]
pub struct ProfileRemove {
    /// The profile
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Do not ask for the name again
    #[arg(long)]
    pub yes: bool,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
}

/// `m2m profile import`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m profile import client.json --name orders
  m2m profile import - --var tenant=contoso.example < client.json
  m2m profile import service-account.json --scope https://…/auth/cloud-platform

Understood: camelCase members (tokenUrl, clientId, clientSecret, scopes,
clientAuthMethod, audience, resource, privateKey, keyId, introspectionUrl,
revocationUrl), our own in snake_case, and service account key files. A secret
in the file is moved to a file of mode 0600, and that is said; delete the
original. A value such as ${NAME} or process.env.NAME becomes { env = \"NAME\" }.
Flags win over the file.")]
pub struct ProfileImport {
    /// The JSON file; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The profile's name; default: after the provider, the server or the file
    #[arg(long, value_name = "NAME", help_heading = WHERE)]
    pub name: Option<String>,
    /// Take over a { command }: it runs from then on
    #[arg(long, help_heading = WHERE)]
    pub allow_command: bool,
    /// Where it goes.
    #[command(flatten)]
    pub destination: Destination,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// What overrides the file.
    #[command(flatten)]
    pub profile: ProfileFlags,
}

/// `m2m profile trust`
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "\
Examples:
  m2m profile trust                  the m2m.toml that applies here
  m2m profile trust --list
  m2m profile trust --revoke FILE

A file found by searching may have come with somebody's repository: its
{ command } references run only when it is trusted. Trust is for one path and
one content; read the file first, and again when it changed.")]
pub struct ProfileTrust {
    /// The file; default: the one that is found from here
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Show what is trusted
    #[arg(long, conflicts_with = "revoke")]
    pub list: bool,
    /// Trust it no more
    #[arg(long)]
    pub revoke: bool,
    /// Results and failures as JSON
    #[arg(long)]
    pub json: bool,
}

impl Profile {
    /// Whether a program reads the failures of this run.
    pub fn wants_json(&self) -> bool {
        match &self.command {
            ProfileCommand::Add(typed) => typed.json,
            ProfileCommand::List(typed) => typed.json,
            ProfileCommand::Show(typed) => typed.json,
            ProfileCommand::Test(typed) => typed.json,
            ProfileCommand::Remove(typed) => typed.json,
            ProfileCommand::Import(typed) => typed.json,
            ProfileCommand::Export(typed) => typed.json,
            ProfileCommand::Schema(_) => false,
            ProfileCommand::Trust(typed) => typed.json,
        }
    }
}
