//! Which argument is completed by what: one row each.
//!
//! An argument is named by its command and its id, so that the definitions in `args/` need not know of completion.
//! Files need no row: an argument that is parsed as a path is completed as one. A test finds every row in the tree, and
//! a row for every argument that takes a name of this table's kinds.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::line::Line;
use super::names::{self, Kind};
use super::words;

/// What completes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// Profiles of the files that apply.
    Profiles,
    /// Ids of the catalogue.
    Providers,
    /// `NAME=` for the variables of the provider on the line.
    Variables,
    /// Words of `m2m` itself, in order.
    Commands,
    /// These words.
    Words(&'static [&'static str]),
    /// Names that the server has.
    Names(Kind),
    /// `API=` and then scopes of it, with commas.
    Grants,
    /// `API=`
    Apis,
}

/// Command, or `*` for every one that has it; id of the argument; what completes it.
pub(super) const TABLE: &[(&str, &str, With)] = &[
    ("*", "profile", With::Profiles),
    ("profile show", "name", With::Profiles),
    ("profile test", "name", With::Profiles),
    ("profile remove", "name", With::Profiles),
    ("profile export", "name", With::Profiles),
    ("*", "provider", With::Providers),
    ("*", "var", With::Variables),
    ("providers", "id", With::Providers),
    ("man", "command", With::Commands),
    ("*", "client_auth_method", With::Words(words::METHODS)),
    ("*", "grant", With::Words(words::GRANTS)),
    ("*", "basic_encoding", With::Words(words::BASIC_ENCODINGS)),
    ("*", "token_profile", With::Words(words::TOKEN_PROFILES)),
    ("request", "method", With::Words(words::HTTP_METHODS)),
    ("gateway", "introspect_profile", With::Profiles),
    ("admin api show", "id", With::Names(Kind::Api)),
    ("admin api update", "identifier", With::Names(Kind::Api)),
    ("admin api delete", "id", With::Names(Kind::Api)),
    ("*", "resource_server", With::Names(Kind::Client)),
    ("*", "no_resource_server", With::Names(Kind::Client)),
    ("admin client create", "grant", With::Grants),
    ("admin client create", "default_scope", With::Grants),
    ("admin client create", "role", With::Apis),
    ("admin client create", "permission", With::Apis),
    ("admin client update", "grant", With::Grants),
    ("admin client update", "default_scope", With::Grants),
    ("admin client update", "role", With::Apis),
    ("admin client update", "permission", With::Apis),
    ("admin client update", "no_grant", With::Names(Kind::Api)),
    ("admin client show", "id", With::Names(Kind::Client)),
    ("admin client update", "id", With::Names(Kind::Client)),
    ("admin client disable", "id", With::Names(Kind::Client)),
    ("admin client enable", "id", With::Names(Kind::Client)),
    ("admin client revoke", "id", With::Names(Kind::Client)),
    ("admin client delete", "id", With::Names(Kind::Client)),
    ("admin credential create", "client", With::Names(Kind::Client)),
    ("admin credential create", "issuer", With::Names(Kind::Issuer)),
    ("admin credential list", "client", With::Names(Kind::Client)),
    ("admin credential show", "id", With::Names(Kind::Credential)),
    ("admin credential rotate", "id", With::Names(Kind::Credential)),
    ("admin credential revoke", "id", With::Names(Kind::Credential)),
    ("admin issuer show", "id", With::Names(Kind::Issuer)),
    ("admin issuer update", "id", With::Names(Kind::Issuer)),
    ("admin issuer disable", "id", With::Names(Kind::Issuer)),
    ("admin issuer enable", "id", With::Names(Kind::Issuer)),
    ("admin issuer delete", "id", With::Names(Kind::Issuer)),
    ("admin issuer explain", "client", With::Names(Kind::Client)),
    ("admin token list", "client", With::Names(Kind::Client)),
    ("admin token list", "credential", With::Names(Kind::Credential)),
    ("admin audit", "client", With::Names(Kind::Client)),
    ("admin audit", "credential", With::Names(Kind::Credential)),
    ("admin assess", "client", With::Names(Kind::Client)),
    ("admin import hydra", "api", With::Names(Kind::Api)),
    ("admin import keycloak", "api", With::Names(Kind::Api)),
    ("admin import auth0", "api", With::Names(Kind::Api)),
];

/// The row of an argument; one that names its command comes before `*`.
pub(super) fn row(path: &str, argument: &str) -> Option<With> {
    let rows = || TABLE.iter().filter(|(_, id, _)| *id == argument);
    let own = rows().find(|(command, ..)| *command == path);
    // `grant` of a client is another thing than the grant of a token request, and has rows of its own.
    own.or_else(|| rows().find(|(command, ..)| *command == "*")).map(|(.., with)| *with)
}

/// The definition, with what completes each argument.
pub(super) fn to(command: Command, line: &Arc<Line>) -> Command {
    below(command, "", line)
}

fn below(command: Command, path: &str, line: &Arc<Line>) -> Command {
    let command = command.mut_args(|argument| completed(argument, path, line));
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        below(inner, path.trim_start(), line)
    })
}

fn completed(argument: Arg, path: &str, line: &Arc<Line>) -> Arg {
    let Some(with) = row(path, argument.get_id().as_str()) else { return argument };
    let line = Arc::clone(line);
    argument.add(ArgValueCompleter::new(move |current: &OsStr| {
        current.to_str().map(|current| candidates(with, current, &line)).unwrap_or_default()
    }))
}

/// A name, and what it is for shells that show it.
pub(super) type Candidate = (String, Option<String>);

fn candidates(with: With, current: &str, line: &Arc<Line>) -> Vec<CompletionCandidate> {
    let found = match with {
        With::Profiles => words::profiles(line),
        With::Providers => words::providers(),
        With::Variables => words::variables(line),
        With::Commands => words::commands(line),
        With::Words(words) => words.iter().map(|word| ((*word).to_owned(), None)).collect(),
        With::Names(kind) => names::of(kind, line),
        With::Grants => names::grants(current, line),
        With::Apis => names::apis(line),
    };
    let fitting = found.into_iter().filter(|(name, _)| name.starts_with(current) && is_a_word(name));
    fitting.map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into))).collect()
}

/// Whether every shell takes it for one word that means nothing else. Names come from servers and found files.
pub(super) fn is_a_word(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    !name.is_empty() && name.len() <= 512 && name.chars().all(plain)
}
