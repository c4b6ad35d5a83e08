//! How files name the place of a secret: a table with one entry, such as `{ env = "NAME" }`.

use std::path::Path;

use super::SecretReference;

/// The keys of the entries.
pub mod place {
    /// An environment variable.
    pub const ENV: &str = "env";
    /// A file.
    pub const FILE: &str = "file";
    /// A program and its arguments.
    pub const COMMAND: &str = "command";
    /// A credential of the systemd unit.
    pub const SYSTEMD: &str = "systemd";
    /// An entry of the system's keyring.
    pub const KEYRING: &str = "keyring";
    /// The audience of a token of GitHub Actions; a workload token only.
    pub const GITHUB_ACTIONS: &str = "github_actions";
    /// A projected service account token; a workload token only.
    pub const KUBERNETES: &str = "kubernetes";
    /// A JWT-SVID; a workload token only.
    pub const SPIFFE: &str = "spiffe";
}

/// What stands behind the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A name.
    Text(&'a str),
    /// A path.
    Path(&'a Path),
    /// A program and its arguments, one string for each.
    Argv(&'a [String]),
}

impl SecretReference {
    /// Its key ([`place`]) and its value in a file. `None` for standard input, which is no lasting place.
    pub fn entry(&self) -> Option<(&'static str, Entry<'_>)> {
        Some(match self {
            Self::Env(name) => (place::ENV, Entry::Text(name)),
            Self::File(path) => (place::FILE, Entry::Path(path)),
            Self::Command(argv) => (place::COMMAND, Entry::Argv(argv)),
            Self::Systemd(name) => (place::SYSTEMD, Entry::Text(name)),
            Self::Keyring(name) => (place::KEYRING, Entry::Text(name)),
            Self::GithubActions(audience) => (place::GITHUB_ACTIONS, Entry::Text(audience)),
            Self::Kubernetes(path) => (place::KUBERNETES, Entry::Path(path)),
            Self::Spiffe(path) => (place::SPIFFE, Entry::Path(path)),
            Self::Stdin => return None,
        })
    }
}
