//! `m2m profile export`: the settings of a profile in other words, one file for each form.
//!
//! A secret is named, never read: no form holds one, so that the output can be committed and sent around. What a form
//! cannot say is a comment in it. `curl` and `envoy` repeat a request, so they are made from the very request that
//! the client would send ([`request`]).
//!
//! The profile may be a stranger's, and the text is run by shells, compilers and clusters. Enforced: a value is quoted
//! for the language that it stands in, a comment is one line, and a name that a shell expands is the name of a variable
//! (`a_strangers_values_stay_values`). The parser of the file refuses such texts before; this does not rely on that.

mod cli;
mod compose;
mod curl;
mod env;
mod envoy;
mod kubernetes;
mod mounted;
mod request;
mod rust;
mod toml;

use std::path::Path;

use crate::Surroundings;
use crate::args::{ExportForm, ProfileExport};
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::output::printable;
use crate::quote::shell_word;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::keyring;
use crate::settings::secret::{SecretReference, is_variable_name};
use crate::settings::value::{Origin, Value};

pub(crate) async fn run(typed: &ProfileExport, around: &Surroundings) -> Result<Exit, Failure> {
    let global = super::named(&around.global, typed.name.as_deref());
    let settings = connect::settings_for(&global, &typed.flags, around)?;
    let name = settings.profile().unwrap_or(NAMELESS).to_owned();
    let text = text(typed.form, &name, &settings, around).await?;
    around.output.bytes(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// What settings without a profile are called.
const NAMELESS: &str = "m2m";

/// The settings in this form; of a profile with an issuer, `curl` and `envoy` ask for its metadata.
///
/// # Errors
/// Exit 2 or 3: no client can be made of them, or the form cannot say it. Exit 5, 6 or 10: the metadata cannot be had.
pub(crate) async fn text(
    form: ExportForm,
    name: &str,
    settings: &Settings,
    around: &Surroundings,
) -> Result<String, Failure> {
    if !matches!(form, ExportForm::Curl | ExportForm::Envoy) {
        connect::check(settings)?;
    }
    let plan = Plan::called(name, settings, &around.directory);
    Ok(match form {
        ExportForm::Cli => cli::write(&plan),
        ExportForm::Curl => curl::write(&plan, &request::capture(settings, around).await?)?,
        ExportForm::Env => env::write(&plan),
        ExportForm::Rust => rust::write(&plan)?,
        ExportForm::Toml => toml::write(&plan)?,
        ExportForm::Kubernetes => kubernetes::write(&plan)?,
        ExportForm::Compose => compose::write(&plan)?,
        ExportForm::Envoy => envoy::write(&plan, &request::capture(settings, around).await?)?,
    })
}

/// What every form is made of.
struct Plan<'a> {
    settings: &'a Settings,
    name: String,
    /// Where relative paths that were typed begin.
    directory: &'a Path,
}

impl<'a> Plan<'a> {
    #[cfg(test)]
    fn of(settings: &'a Settings, directory: &'a Path) -> Self {
        Self::called(settings.profile().unwrap_or(NAMELESS), settings, directory)
    }

    fn called(name: &str, settings: &'a Settings, directory: &'a Path) -> Self {
        Self { settings, name: printable(name), directory }
    }

    /// The profile's name, or a stand-in where flags and variables stood alone. On one line.
    fn name(&self) -> &str {
        &self.name
    }

    /// The name in letters, digits and hyphens, as hosts, containers and objects of Kubernetes are called.
    fn label(&self) -> String {
        let letters = self.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        let label: String = letters.collect::<String>().to_ascii_lowercase().chars().take(50).collect();
        match label.trim_matches('-') {
            "" => "m2m".to_owned(),
            label => label.to_owned(),
        }
    }

    /// Every value that was stated, with the directory of paths made plain. What the catalogue fills in is filled in
    /// again by whoever reads the form.
    fn stated(&self) -> impl Iterator<Item = (Field, Value)> {
        let stated =
            self.settings.values().filter(|(_, sourced)| !matches!(sourced.origin, Origin::Provider(_)));
        stated.map(|(field, sourced)| (field, self.absolute(field, &sourced.value)))
    }

    /// A text that was stated, not filled in.
    fn stated_text(&self, field: Field) -> Option<&str> {
        match self.settings.origin(field) {
            Origin::Provider(_) => None,
            _ => self.settings.text(field),
        }
    }

    /// The program that prints a secret; `None` where no program does.
    fn program(reference: &SecretReference) -> Option<Vec<&str>> {
        match reference {
            SecretReference::Command(argv) => Some(argv.iter().map(String::as_str).collect()),
            SecretReference::Keyring(name) => Some(keyring::lookup_command(name)),
            _ => None,
        }
    }

    /// What a shell reads a secret with, as one word; `None` for a secret that only m2m can get.
    fn shell(&self, reference: &SecretReference) -> Option<String> {
        use SecretReference as R;
        if let Some(argv) = Self::program(reference) {
            let words: Vec<String> = argv.into_iter().map(shell_word).collect();
            return Some(format!("\"$({})\"", words.join(" ")));
        }
        match reference {
            R::Env(name) if is_variable_name(name) => Some(format!("\"${{{name}:?}}\"")),
            R::File(path) | R::Kubernetes(path) | R::Spiffe(path) => {
                Some(format!("\"$(cat {})\"", shell_word(&self.directory.join(path).to_string_lossy())))
            }
            R::Systemd(name) => Some(format!("\"$(cat {})\"", systemd(name))),
            _ => None,
        }
    }

    fn absolute(&self, field: Field, value: &Value) -> Value {
        match value {
            Value::Secret(SecretReference::File(path)) => {
                Value::Secret(SecretReference::File(self.directory.join(path)))
            }
            Value::Text(path) if field == Field::CaFile => Value::path(path, Some(self.directory)),
            other => other.clone(),
        }
    }
}

/// The path of a credential of the unit, as a shell finds it.
fn systemd(name: &str) -> String {
    format!("\"$CREDENTIALS_DIRECTORY\"/{}", shell_word(name))
}

/// What a form cannot say, as comments.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, note: impl Into<String>) {
        self.0.push(printable(&note.into()));
    }

    /// One line each, after this mark.
    fn comments(&self, mark: &str) -> String {
        self.0.iter().map(|note| format!("{mark} {note}\n")).collect()
    }
}

#[cfg(test)]
mod tests;
