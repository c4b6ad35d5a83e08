//! What a file may not do that was only found: it may have come with a cloned repository.
//!
//! Enforces: its commands are not run (exit 3, with both ways out). Warns: it names the server, and a secret that did
//! not come with it. Then a stranger's file may be sending the user's own secret to a stranger's server, and nobody
//! has said that this is right. A server on this machine is not warned of: the secret stays here.

use std::path::{Path, PathBuf};

use m2m_proto::uri::EndpointUri;

use super::Settings;
use super::field::{Field, Group};
use super::search::Located;
use super::secret::SecretReference;
use super::trust::Trust;
use super::value::{Origin, Value};
use crate::exit::Failure;

/// Refuses commands of that file.
pub(super) fn refuse_commands(settings: &Settings, file: &Located) -> Result<(), Failure> {
    for (field, sourced) in settings.values() {
        let is_command = matches!(sourced.value, Value::Secret(SecretReference::Command(_)));
        if let (true, Origin::File { path, .. }) = (is_command, &sourced.origin) {
            let (problem, again) = match file.trust {
                Trust::Changed => {
                    ("a command in a file that changed since it was trusted is not run", " again")
                }
                _ => ("a command in a file that was found by searching is not run", ""),
            };
            let path = path.display();
            return Err(Failure::configuration(format!("{}: {field}: {problem}", sourced.origin)).hint(format!(
                "if you trust that file, say so{again}: m2m profile trust {path}; or name it: --config {path}; \
                 or type the command: --secret-command"
            )));
        }
    }
    Ok(())
}

/// One sentence when that file names the server and the secret is not its own.
pub(super) fn warn_of_secrets(settings: &Settings, file: &Located) -> Option<String> {
    let path = &file.document.path;
    let server = server(settings, path)?;
    let (_, foreign) = settings.values().find_map(|(field, sourced)| match &sourced.value {
        Value::Secret(reference) if is_credential(field) && is_foreign(reference, &sourced.origin, path) => {
            Some((field, reference))
        }
        _ => None,
    })?;
    let state = match file.trust {
        Trust::Changed => "changed since it was trusted",
        _ => "was found by searching",
    };
    let path = path.display();
    Some(format!(
        "{path} {state}; it says that {foreign} is for {server}; if that is right, say so once: \
         m2m profile trust {path}"
    ))
}

/// A server that this file names, itself or by its provider's variables; `None` when it is on this machine, or
/// somebody else named it. Every endpoint counts: each is shown the credential.
fn server(settings: &Settings, path: &Path) -> Option<String> {
    let from_file = |field| matches!(settings.origin(field), Origin::File { path: from, .. } if from == path);
    let named = |field| match settings.origin(field) {
        Origin::Provider(_) => from_file(Field::Provider) || from_file(Field::Variables),
        _ => from_file(field),
    };
    // Its origin alone: the rest is a stranger's text. What is no URL goes nowhere.
    let far = |text: &str| {
        let uri = EndpointUri::parse(text).ok()?;
        (!uri.origin().is_loopback()).then(|| uri.origin().to_string())
    };
    [Field::TokenUrl, Field::Issuer, Field::IntrospectionUrl, Field::RevocationUrl]
        .into_iter()
        .filter(|field| named(*field))
        .find_map(|field| settings.text(field).and_then(far))
}

/// A private key is not sent, but what it signs is, for an audience that the file may name.
fn is_credential(field: Field) -> bool {
    field.group() == Some(Group::Credential) && field != Field::Certificate
}

fn is_foreign(reference: &SecretReference, origin: &Origin, file: &Path) -> bool {
    if matches!(origin, Origin::Flag(_)) {
        return false;
    }
    match reference {
        SecretReference::File(secret)
        | SecretReference::Kubernetes(secret)
        | SecretReference::Spiffe(secret) => {
            let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let directory: PathBuf = real(file.parent().unwrap_or(Path::new("")));
            // One that is not there is not sent either.
            secret.exists() && !real(secret).starts_with(directory)
        }
        SecretReference::Stdin => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::args::{Global, ProfileFlags};
    use crate::settings::env::Environment;
    use crate::settings::{Inputs, Settings};

    /// The file's profile is for `server` with `secret`; how often that is warned of.
    fn warnings(server: &str, secret: &str, flags: &ProfileFlags, variables: &Environment) -> usize {
        let place = tempfile::tempdir().unwrap();
        let repository = place.path().join("repository");
        fs::create_dir_all(repository.join(".git")).unwrap();
        fs::write(place.path().join("outside"), "s").unwrap();
        fs::write(repository.join("inside"), "s").unwrap();
        std::os::unix::fs::symlink("../outside", repository.join("link")).unwrap();
        let text = format!("[profiles.a]\n{server}\nclient_id = \"a\"\n{secret}\n");
        fs::write(repository.join("m2m.toml"), text).unwrap();
        let global = Global::default();
        let inputs = Inputs { global: &global, flags, environment: variables, directory: &repository };
        Settings::resolve(inputs).unwrap().warnings().len()
    }

    #[test]
    fn a_strangers_file_that_names_server_and_secret_is_warned_of() {
        let check = |server: &str, secret: &str, expect| {
            let none = (ProfileFlags::default(), Environment::default());
            assert_eq!(warnings(server, secret, &none.0, &none.1), expect, "{server} {secret}");
        };
        let far = "token_url = \"https://far.example/token\"";
        check(far, "client_secret = { env = \"AWS_SECRET\" }", 1);
        check(far, "client_secret = { keyring = \"k\" }", 1);
        check(far, "client_secret = { systemd = \"k\" }", 1);
        check(far, "client_secret = { file = \"../outside\" }", 1);
        check(far, "private_key = { file = \"link\" }", 1);
        check(far, "client_secret = { file = \"inside\" }", 0);
        check(far, "client_secret = { file = \"../nothing\" }", 0);
        check(far, "workload_token = { github_actions = \"x\" }", 1);
        check("issuer = \"https://far.example\"", "client_secret = { env = \"A\" }", 1);
        check("issuer = \"http://127.0.0.1:1\"", "client_secret = { env = \"A\" }", 0);
        let acme = "provider = \"auth0\"\ndomain = \"acme.eu.auth0.com\"";
        check(acme, "client_secret = { env = \"A\" }", 1);
        let here = "provider = \"auth0\"\ndomain = \"http://127.0.0.1:1\"";
        check(here, "client_secret = { env = \"A\" }", 0);
        let one = "token_url = \"http://127.0.0.1:1/t\"\nintrospection_url = \"https://far.example/i\"";
        check(one, "client_secret = { env = \"A\" }", 1);
        check("issuer = \"http://localhost.far.example\"", "client_secret = { env = \"A\" }", 1);
    }

    #[test]
    fn who_names_the_server_or_types_the_secret_is_not_warned() {
        let far = "issuer = \"https://far.example\"";
        let secret = "client_secret = { env = \"A\" }";
        let typed = |flags: ProfileFlags| warnings(far, secret, &flags, &Environment::default());
        let url = |url: &str| Some(url.to_owned());
        assert_eq!(typed(ProfileFlags { issuer: url("https://mine"), ..ProfileFlags::default() }), 0);
        assert_eq!(typed(ProfileFlags { secret_env: url("B"), ..ProfileFlags::default() }), 0);
        let variable = Environment::of([("M2M_CLIENT_SECRET", "x")]);
        assert_eq!(warnings(far, "", &ProfileFlags::default(), &variable), 1, "the user's, not the file's");
    }
}
