//! Arguments of `m2m doctor`.

use clap::Args;

use super::ProfileFlags;

/// `m2m doctor`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m doctor                      with the settings that m2m token would use
  m2m doctor -p billing --json    for a program; \"first\" names the first cause

Looks, from causes to effects, at settings, secret, key, proxy, name, connection,
TLS, metadata, method, clock, the answer, the token and the server's keys. Asks
for one token, as m2m token does, and keeps none. Each failure and warning comes
with evidence, cause and fix; docs/troubleshooting.md lists them all.

Exit code: 0 when nothing failed, else that of the first failure.")]
pub struct Doctor {
    /// Try other methods and spellings of a refused secret
    ///
    /// Raw and form-encoded Basic, client_secret_post, the secret decoded once, the secret without white space. Each
    /// may count as a failed login, and some servers lock a client after a few.
    #[arg(long)]
    pub probe: bool,
    /// Findings and failures as JSON
    #[arg(long)]
    pub json: bool,
    /// Flags that override environment and profile.
    #[command(flatten)]
    pub profile: ProfileFlags,
}
