//! Where a credential is: references before any typing, and what is typed goes to a place of its own.

use super::asker::{Asker, no_answer, until};
use super::wish::Wish;
use crate::args::Destination;
use crate::exit::Failure;
use crate::settings::field::Field;
use crate::settings::secret::{SecretReference, is_variable_name, place, split_command};
use crate::settings::value::Value;

/// A way to say where a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Variable,
    File,
    Command,
    Systemd,
    Keyring,
    Typed,
    TypedForKeyring,
    Kubernetes,
    Spiffe,
    Job,
}

const SECRET: &[Way] = &[Way::Variable, Way::File, Way::Command, Way::Typed, Way::TypedForKeyring];
const KEY: &[Way] = &[Way::File, Way::Variable, Way::Command];
const WORKLOAD: &[Way] = &[Way::Kubernetes, Way::Spiffe, Way::Job, Way::File, Way::Command];

/// What a secret is called, and where it can be.
pub(crate) fn kind(field: Field) -> (&'static str, &'static [Way]) {
    match field {
        Field::PrivateKey => ("the private key (PEM or JWK)", KEY),
        Field::Certificate => ("the certificate chain (PEM)", KEY),
        Field::CertificateKey => ("the certificate's private key (PEM)", KEY),
        Field::WorkloadToken => ("the workload token", WORKLOAD),
        _ => ("the client secret", SECRET),
    }
}

/// Asks for those of these that the wish has not.
///
/// # Errors
/// Exit 2: the answers end.
pub(crate) fn ask(
    asker: &mut dyn Asker,
    wish: &mut Wish,
    destination: &mut Destination,
    needs: &[Field],
) -> Result<(), Failure> {
    for field in needs.iter().copied() {
        if !wish.has(field) {
            let (what, ways) = kind(field);
            one(asker, wish, destination, (field, what, ways))?;
        }
    }
    if needs.contains(&Field::PrivateKey) && !wish.has(Field::KeyId) {
        let id = asker.ask("key id at the server [none]")?;
        if !id.is_empty() {
            wish.set(Field::KeyId, Value::Text(id));
        }
    }
    Ok(())
}

fn one(
    asker: &mut dyn Asker,
    wish: &mut Wish,
    destination: &mut Destination,
    (field, what, ways): (Field, &str, &[Way]),
) -> Result<(), Failure> {
    let choices: Vec<String> = ways.iter().map(|way| way.line().to_owned()).collect();
    let index = asker.choose(&format!("where is {what}?"), &choices)?;
    let way = ways.get(index).copied().ok_or_else(|| no_answer("no such choice"))?;
    if matches!(way, Way::Typed | Way::TypedForKeyring) {
        loop {
            let secret = asker.ask_secret(what)?;
            if secret.expose().trim().is_empty() {
                asker.say("  it is empty");
                continue;
            }
            destination.keyring |= way == Way::TypedForKeyring;
            wish.set_secret(field, secret);
            return Ok(());
        }
    }
    let reference = until(asker, way.question(), |text| way.reference(text))?;
    wish.set(field, Value::Secret(reference));
    Ok(())
}

impl Way {
    /// Its name in a form: that of the place, as in the file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Variable => place::ENV,
            Self::File => place::FILE,
            Self::Command => place::COMMAND,
            Self::Systemd => place::SYSTEMD,
            Self::Keyring => place::KEYRING,
            Self::Typed => "typed",
            Self::TypedForKeyring => "typed_keyring",
            Self::Kubernetes => place::KUBERNETES,
            Self::Spiffe => place::SPIFFE,
            Self::Job => place::GITHUB_ACTIONS,
        }
    }

    /// Whether the secret itself is given.
    pub(crate) fn is_typed(self) -> bool {
        matches!(self, Self::Typed | Self::TypedForKeyring)
    }

    /// What to type, for example.
    pub(crate) fn example(self, field: Field) -> &'static str {
        match (self, field) {
            (Self::Variable, Field::ClientSecret) => "such as ORDERS_SECRET; the name, not the secret",
            (Self::Variable, _) => "such as ORDERS_KEY; the name, not what is in it",
            (Self::File, Field::ClientSecret | Field::NextClientSecret) => "such as /run/secrets/orders",
            (Self::File, _) => "such as /run/secrets/orders.pem",
            (Self::Command, _) => "such as op read op://vault/item; no shell reads it",
            (Self::Systemd, _) => "as in LoadCredential=NAME:…",
            (Self::Keyring, _) => "as it was stored for m2m",
            (Self::Kubernetes, _) => "such as /var/run/secrets/tokens/m2m",
            (Self::Spiffe, _) => "such as /run/spiffe/jwt-svid",
            (Self::Job, _) => "such as https://login.example.com",
            (Self::Typed | Self::TypedForKeyring, _) => "",
        }
    }

    /// One line for who has to choose.
    pub(crate) fn line(self) -> &'static str {
        match self {
            Self::Systemd => "a credential of the systemd unit",
            Self::Keyring => "an entry of the system's keyring",
            Self::Variable => "in an environment variable",
            Self::File => "in a file, read again when it changes",
            Self::Command => "printed by a command: op, vault, pass, aws …",
            Self::Typed => "here: I type it, and m2m keeps it in a file of mode 0600",
            Self::TypedForKeyring => "here: I type it, and m2m keeps it in the system's keyring",
            Self::Kubernetes => "a projected service account token of Kubernetes",
            Self::Spiffe => "a JWT-SVID file that an agent keeps fresh",
            Self::Job => "a job of GitHub Actions asks for it",
        }
    }

    /// What is to be typed.
    pub(crate) fn question(self) -> &'static str {
        match self {
            Self::Systemd => "name of the credential",
            Self::Keyring => "name of the entry",
            Self::Variable => "name of the variable",
            Self::Command => "command, such as op read op://vault/item",
            Self::Job => "audience of that token",
            _ => "path of the file",
        }
    }

    /// The place that was typed.
    ///
    /// # Errors
    /// Why it cannot be.
    pub(crate) fn reference(self, text: &str) -> Result<SecretReference, String> {
        if text.is_empty() {
            return Err("it is needed".to_owned());
        }
        // A relative path would lead elsewhere from another directory.
        let path = || std::path::absolute(text).map_err(|error| error.to_string());
        Ok(match self {
            Self::Variable if !is_variable_name(text) => {
                return Err("the name alone, such as ORDERS_SECRET".to_owned());
            }
            Self::Variable => SecretReference::Env(text.to_owned()),
            Self::Command => {
                let argv = split_command(text).map_err(|failure| failure.message().to_owned())?;
                SecretReference::Command(argv)
            }
            Self::Job => SecretReference::GithubActions(text.to_owned()),
            Self::Systemd => SecretReference::Systemd(text.to_owned()),
            Self::Keyring => SecretReference::Keyring(text.to_owned()),
            Self::Kubernetes => SecretReference::Kubernetes(path()?),
            Self::Spiffe => SecretReference::Spiffe(path()?),
            Self::File | Self::Typed | Self::TypedForKeyring => SecretReference::File(path()?),
        })
    }
}
