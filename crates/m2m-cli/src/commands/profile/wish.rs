//! What a profile shall say, before it is written: values, and secrets that still need a place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use m2m_proto::secret::SecretString;
use serde_json::{Map, Value as Json};

use super::kept::{self, Keep, Place};
use super::show::shown;
use super::written::Target;
use crate::Surroundings;
use crate::args::Destination;
use crate::connect;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::file::Profile;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Origin, Sourced, Value};

/// A profile in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// What it says; a secret that needs a place is [`SecretReference::Stdin`] here.
    pub(crate) values: Profile,
    /// Secrets that need a place.
    pub(crate) secrets: BTreeMap<Field, SecretString>,
}

/// Where a wish ended.
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    /// Where its secrets were put.
    pub(crate) kept: Vec<(Field, SecretReference)>,
}

impl Wish {
    /// Values that were stated by flags or variables. Paths become absolute, for the profile may be used elsewhere;
    /// `--secret-stdin` is read.
    ///
    /// # Errors
    /// Exit 4: standard input holds no secret.
    pub(crate) async fn stated(values: Profile, around: &Surroundings) -> Result<Self, Failure> {
        let mut wish = Self { values, secrets: BTreeMap::new() };
        for (field, sourced) in &mut wish.values {
            match &mut sourced.value {
                Value::Secret(SecretReference::File(path)) => *path = around.directory.join(&*path),
                Value::Text(path) if *field == Field::CaFile => {
                    *path = around.directory.join(&*path).to_string_lossy().into_owned();
                }
                _ => {}
            }
        }
        if wish.secret(Field::ClientSecret) == Some(&SecretReference::Stdin) {
            let read = SecretReference::Stdin.read(&around.environment, around.clock.as_ref()).await?;
            wish.secrets.insert(Field::ClientSecret, read.secret);
        }
        Ok(wish)
    }

    /// States a value.
    pub(crate) fn set(&mut self, field: Field, value: Value) {
        self.values.insert(field, Sourced { value, origin: Origin::Default });
    }

    /// States a secret that needs a place.
    pub(crate) fn set_secret(&mut self, field: Field, secret: SecretString) {
        self.set(field, Value::Secret(SecretReference::Stdin));
        self.secrets.insert(field, secret);
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        self.values.contains_key(&field)
    }

    pub(crate) fn text(&self, field: Field) -> Option<&str> {
        match &self.values.get(&field)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn pairs(&self, field: Field) -> Vec<(String, String)> {
        match self.values.get(&field).map(|sourced| &sourced.value) {
            Some(Value::Pairs(pairs)) => pairs.clone(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn secret(&self, field: Field) -> Option<&SecretReference> {
        match &self.values.get(&field)?.value {
            Value::Secret(reference) => Some(reference),
            _ => None,
        }
    }

    /// Whether a client can be made of it, as far as that can be told without reading a secret.
    ///
    /// # Errors
    /// Exit 2 or 3: what is missing or cannot be.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        // The file would take none of them.
        if let Some((field, _)) = self.values.iter().find(|(_, sourced)| !sourced.value.is_one_line()) {
            return Err(Failure::usage(format!(
                "{field}: control characters and line separators are refused"
            )));
        }
        connect::check(&Settings::of(self.values.clone())?)
    }

    /// Puts the secrets into their places, then the profile into its file.
    ///
    /// # Errors
    /// Exit 3: a file cannot be written. Exit 4: the keyring refuses.
    pub(crate) async fn write(
        mut self,
        name: &str,
        target: Target,
        typed: &Destination,
        around: &Surroundings,
    ) -> Result<Written, Failure> {
        let place = if typed.keyring { Place::Keyring } else { Place::File };
        let target = target.open(around).await?;
        let before = target.before().unwrap_or_default();
        let former = |field: Field| match before.get(&field).map(|sourced| &sourced.value) {
            Some(Value::Secret(reference)) => Some(reference),
            _ => None,
        };
        let owner = target.owner();
        let mut kept = Vec::new();
        for (field, secret) in std::mem::take(&mut self.secrets) {
            let name = format!("{name}{}", ending(field));
            let keep = Keep { name: &name, place, owner: &owner, before: former(field) };
            let reference = keep.put(&secret, target.turn(), around).await?;
            self.set(field, Value::Secret(reference.clone()));
            kept.push((field, reference));
        }
        let path = target.put(&self.values, around)?;
        for reference in before.keys().filter_map(|field| former(*field)) {
            let is_used =
                self.values.values().any(|sourced| sourced.value == Value::Secret(reference.clone()));
            if !is_used && matches!(kept::is_of(&owner, reference, around), Ok(true)) {
                around.output.note(&format!("the secret of the replaced profile stays: {reference}"));
            }
        }
        Ok(Written { path, kept })
    }
}

impl Written {
    /// `{"client_secret": {"file": …}}`
    pub(crate) fn secrets_json(&self) -> Json {
        let pair = |(field, reference): &(Field, SecretReference)| (field.key().to_owned(), shown(reference));
        Json::Object(self.kept.iter().map(pair).collect::<Map<_, _>>())
    }
}

/// What follows the profile's name in the name of its secret.
fn ending(field: Field) -> &'static str {
    match field {
        Field::NextClientSecret => ".next",
        Field::PrivateKey => ".key",
        Field::Certificate => ".cert",
        Field::CertificateKey => ".cert-key",
        _ => "",
    }
}
