//! What is meant: flags, `M2M_*` environment, `m2m.toml` and defaults merged, each value with its origin.
//!
//! Precedence: flags, environment, file, provider, defaults. Secrets stay references until a command needs one.

pub mod admin;
mod choice;
pub mod edit;
pub mod env;
pub mod field;
pub mod file;
mod found;
pub mod grant;
pub mod json;
pub(crate) mod keyring;
mod layers;
pub mod method;
pub(crate) mod program;
pub mod provider;
pub mod search;
pub mod secret;
pub mod trust;
pub mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use env::Environment;
use field::{Field, Group};
use file::Profile;
use search::Start;
use secret::SecretReference;
use trust::Trust;
use value::{Origin, Sourced, Value};

use m2m_client::provider::Preset;
use m2m_proto::names::grant_type;

use crate::args::{Global, ProfileFlags};
use crate::exit::Failure;

/// Everything that settings are made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Flags that every command has.
    pub global: &'a Global,
    /// Flags that stand for a profile.
    pub flags: &'a ProfileFlags,
    /// The environment.
    pub environment: &'a Environment,
    /// Where the search for `m2m.toml` begins.
    pub directory: &'a Path,
}

/// The settings of one run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<Field, Sourced<Value>>,
    preset: Option<Preset>,
    profile: Option<String>,
    file: Option<(PathBuf, Trust)>,
    egress: Vec<String>,
    warnings: Vec<String>,
}

/// What was typed, as a profile.
///
/// # Errors
/// Exit 2: a value that its flag cannot take.
pub fn typed(flags: &ProfileFlags) -> Result<Profile, Failure> {
    layers::of_flags(flags)
}

/// What was typed, and what `M2M_*` says besides: all of it where no server and no client is typed, else a credential
/// at most, so that a profile does not take up whatever happens to be set.
///
/// # Errors
/// As [`typed`] and [`variables`].
pub fn stated(flags: &ProfileFlags, environment: &Environment) -> Result<Profile, Failure> {
    let (typed, mut besides) = (typed(flags)?, variables(environment)?);
    let names = |field: &Field| *field == Field::ClientId || field.group() == Some(Group::Server);
    if typed.keys().any(names) {
        besides.retain(|field, _| field.group() == Some(Group::Credential));
    }
    Ok(merge(&[&typed, &besides]))
}

/// What `M2M_*` says, as a profile.
///
/// # Errors
/// Exit 3: a value that cannot be, or two places for one secret.
pub fn variables(environment: &Environment) -> Result<Profile, Failure> {
    layers::of_environment(environment)
}

/// What settings are resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Use,
    Show,
}

impl Settings {
    /// Values by themselves, from no file.
    ///
    /// # Errors
    /// Exit 2 or 3: they cannot stand together.
    pub fn of(values: Profile) -> Result<Self, Failure> {
        Self { values, ..Self::default() }.with_provider()
    }

    /// The same settings where these origins and address ranges may be called (`[egress] allow`).
    #[must_use]
    pub fn with_egress(self, egress: Vec<String>) -> Self {
        Self { egress, ..self }
    }

    /// Merges the layers. Opens `m2m.toml` files, and no secret.
    ///
    /// # Errors
    /// Exit 2: a flag's value cannot be. Exit 3: a broken file, no such profile, no way to choose among several,
    /// or a command reference in a file that was only found.
    pub fn resolve(inputs: Inputs<'_>) -> Result<Self, Failure> {
        let environment = layers::of_environment(inputs.environment)?;
        Self::resolve_over(inputs, &environment, Purpose::Use)
    }

    /// The same to be looked at: a command that must not run is a warning.
    ///
    /// # Errors
    /// As [`Settings::resolve`].
    pub fn resolve_to_show(inputs: Inputs<'_>) -> Result<Self, Failure> {
        let environment = layers::of_environment(inputs.environment)?;
        Self::resolve_over(inputs, &environment, Purpose::Show)
    }

    /// The same without the `M2M_*` layer: what a profile says by itself. Secrets may still be in variables.
    ///
    /// # Errors
    /// As [`Settings::resolve`].
    pub fn resolve_without_variables(inputs: Inputs<'_>) -> Result<Self, Failure> {
        Self::resolve_over(inputs, &Profile::new(), Purpose::Use)
    }

    fn resolve_over(inputs: Inputs<'_>, environment: &Profile, purpose: Purpose) -> Result<Self, Failure> {
        let flags = layers::of_flags(inputs.flags)?;
        let start = Start {
            config: inputs.global.config.as_deref(),
            directory: inputs.directory,
            environment: inputs.environment,
        };
        let files = search::find(start)?;
        let named = inputs.global.profile.as_deref().or_else(|| inputs.environment.text("M2M_PROFILE"));
        let need = choice::need(&[&flags, environment]);
        let chosen = choice::of(&files.located, named, need)?;
        let mut settings = Self { warnings: files.warnings, ..Self::default() };
        // Where the client may connect is no business of a file that came along with a repository.
        let believed = files.located.iter().filter(|file| file.trust.runs_commands());
        settings.egress = believed.flat_map(|file| file.document.egress.clone()).collect();
        let Some((file, name)) = chosen else {
            settings.values = merge(&[&flags, environment]);
            return settings.with_provider();
        };
        let empty = Profile::new();
        let profile = file.document.profiles.get(name).unwrap_or(&empty);
        settings.values = merge(&[&flags, environment, profile]);
        if inputs.global.profile.is_some() {
            settings.warnings.extend(layers::replaced(name, profile, &settings.values));
        }
        settings.profile = Some(name.to_owned());
        settings.file = Some((file.document.path.clone(), file.trust));
        if !file.trust.runs_commands()
            && let Err(refusal) = found::refuse_commands(&settings, file)
        {
            match purpose {
                Purpose::Use => return Err(refusal),
                Purpose::Show => settings.warnings.push(refusal.message().to_owned()),
            }
        }
        let mut settings = settings.with_provider()?;
        if !file.trust.runs_commands() {
            settings.warnings.extend(found::warn_of_secrets(&settings, file));
        }
        Ok(settings)
    }

    /// With what the provider catalogue fills in.
    fn with_provider(mut self) -> Result<Self, Failure> {
        if let Some((preset, layer)) = provider::layer(&self)? {
            for (field, sourced) in layer {
                self.values.entry(field).or_insert(sourced);
            }
            self.preset = Some(preset);
        }
        Ok(self)
    }

    /// The service of the catalogue that the profile names, its variables filled in.
    pub fn preset(&self) -> Option<&Preset> {
        self.preset.as_ref()
    }

    /// The profile that was chosen; `None` when flags and environment stand alone.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The file of that profile, and how far its word goes.
    pub fn file(&self) -> Option<(&Path, Trust)> {
        self.file.as_ref().map(|(path, trust)| (path.as_path(), *trust))
    }

    /// Every value that somebody stated.
    pub fn values(&self) -> impl Iterator<Item = (Field, &Sourced<Value>)> {
        self.values.iter().map(|(field, sourced)| (*field, sourced))
    }

    /// Origins and address ranges of `[egress] allow`.
    pub fn egress(&self) -> &[String] {
        &self.egress
    }

    /// Sentences about the search that a person should see.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// One sentence where a file that was only found names the server, and a secret that did not come with it.
    pub(crate) fn warning_of(&self, file: &search::Located) -> Option<String> {
        if file.trust.runs_commands() { None } else { found::warn_of_secrets(self, file) }
    }

    /// Where a value came from.
    pub fn origin(&self, field: Field) -> Origin {
        self.values.get(&field).map_or(Origin::Default, |sourced| sourced.origin.clone())
    }

    /// A string or a path.
    pub fn text(&self, field: Field) -> Option<&str> {
        match &self.values.get(&field)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Several strings; none when nobody said anything.
    pub fn list(&self, field: Field) -> &[String] {
        match self.values.get(&field).map(|sourced| &sourced.value) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// Names and strings.
    pub fn pairs(&self, field: Field) -> &[(String, String)] {
        match self.values.get(&field).map(|sourced| &sourced.value) {
            Some(Value::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// A time span.
    pub fn time(&self, field: Field) -> Option<Duration> {
        match self.values.get(&field)?.value {
            Value::Time(time) => Some(time),
            _ => None,
        }
    }

    /// A switch; off when nobody said anything.
    pub fn is_on(&self, field: Field) -> bool {
        self.values.get(&field).is_some_and(|sourced| sourced.value == Value::Switch(true))
    }

    /// Where a secret is.
    pub fn secret(&self, field: Field) -> Option<&SecretReference> {
        match &self.values.get(&field)?.value {
            Value::Secret(reference) => Some(reference),
            _ => None,
        }
    }

    /// A failure about one value, naming where it came from.
    pub fn wrong(&self, field: Field, problem: impl std::fmt::Display) -> Failure {
        match self.origin(field) {
            Origin::Flag(flag) => Failure::usage(format!("{flag}: {problem}")),
            Origin::Default => Failure::configuration(format!("{field}: {problem}")),
            origin => Failure::configuration(format!("{origin}: {field}: {problem}")),
        }
    }
}

/// First layer first. Fields of one group come from one layer; but a URL in a higher one redirects the provider of a
/// lower one and does not unname it. Variables belong to their provider and add up.
fn merge(layers: &[&Profile]) -> BTreeMap<Field, Sourced<Value>> {
    let mut merged: BTreeMap<Field, Sourced<Value>> = BTreeMap::new();
    let mut decided = Vec::new();
    for layer in layers {
        let deciding = layer.keys().filter(|field| field.decides() && !of_grant(layers, **field));
        let groups: Vec<_> = deciding.filter_map(|field| field.group()).collect();
        let renamed = merged.contains_key(&Field::Provider) && layer.contains_key(&Field::Provider);
        for (field, sourced) in *layer {
            match field {
                Field::Variables if renamed => {}
                Field::Variables => add_pairs(&mut merged, *field, sourced),
                Field::Provider => drop(merged.entry(*field).or_insert_with(|| sourced.clone())),
                _ if field.group().is_none_or(|group| !decided.contains(&group))
                    || of_grant(layers, *field) =>
                {
                    merged.entry(*field).or_insert_with(|| sourced.clone());
                }
                _ => {}
            }
        }
        decided.extend(groups);
    }
    merged
}

/// Whether this is what the grant shows, and no credential of the client: then a client secret may come from elsewhere.
fn of_grant(layers: &[&Profile], field: Field) -> bool {
    let stated = layers.iter().find_map(|layer| layer.get(&Field::Grant));
    let shows = stated.is_some_and(|grant| match &grant.value {
        Value::Text(grant) => {
            matches!(
                grant.as_str(),
                "jwt_bearer" | "token_exchange" | grant_type::JWT_BEARER | grant_type::TOKEN_EXCHANGE
            )
        }
        _ => false,
    });
    shows && matches!(field, Field::WorkloadToken | Field::PrivateKey)
}

/// Adds the pairs whose names are not there yet.
fn add_pairs(merged: &mut BTreeMap<Field, Sourced<Value>>, field: Field, sourced: &Sourced<Value>) {
    match (merged.get_mut(&field).map(|there| &mut there.value), &sourced.value) {
        (Some(Value::Pairs(there)), Value::Pairs(pairs)) => {
            let fresh = pairs.iter().filter(|(name, _)| there.iter().all(|(known, _)| known != name));
            let fresh: Vec<_> = fresh.cloned().collect();
            there.extend(fresh);
        }
        _ => drop(merged.insert(field, sourced.clone())),
    }
}

#[cfg(test)]
mod tests;
