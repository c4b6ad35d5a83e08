//! Candidates that are known here: profiles, token services, commands, and values that are fixed words.

use clap::CommandFactory as _;
use m2m_client::provider;

use super::attach::Candidate;
use super::line::Line;
use crate::args::Cli;

pub(super) const METHODS: &[&str] = &[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "federated",
    "none",
];
pub(super) const GRANTS: &[&str] = &["client_credentials", "jwt_bearer", "token_exchange"];
pub(super) const BASIC_ENCODINGS: &[&str] = &["form", "raw"];
pub(super) const TOKEN_PROFILES: &[&str] =
    &["rfc9068", "auth0", "entra-v1", "entra-v2", "okta", "cognito", "keycloak"];
pub(super) const HTTP_METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Profiles of the files that apply; of two with one name the nearer one, as for every command.
pub(super) fn profiles(line: &Line) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for file in line.files().located {
        for name in file.document.profiles.keys() {
            if !found.iter().any(|(known, _)| known == name) {
                found.push((name.clone(), Some(file.document.path.display().to_string())));
            }
        }
    }
    found
}

pub(super) fn providers() -> Vec<Candidate> {
    provider::all().iter().map(|entry| (entry.id.clone(), Some(entry.name.clone()))).collect()
}

pub(super) fn variables(line: &Line) -> Vec<Candidate> {
    let Some(entry) = line.flag("--provider").and_then(provider::find) else { return Vec::new() };
    let variables = entry.variables.iter();
    variables.map(|variable| (format!("{}=", variable.name), Some(variable.help.clone()))).collect()
}

/// The commands below the words after `man`.
pub(super) fn commands(line: &Line) -> Vec<Candidate> {
    let root = Cli::command();
    let mut command = &root;
    for word in line.finished().iter().skip_while(|word| *word != "man").skip(1) {
        match command.find_subcommand(word) {
            Some(inner) => command = inner,
            None => return Vec::new(),
        }
    }
    let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    inner.map(|inner| (inner.get_name().to_owned(), inner.get_about().map(ToString::to_string))).collect()
}
