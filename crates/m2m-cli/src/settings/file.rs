//! `m2m.toml` as text: parsed, every key known, every value of its field's shape. Nothing is opened here.
//!
//! A message names file, line and key and says what is expected. An unknown key is an error, because a
//! misspelt `scopes` that is skipped in silence asks for the wrong token. Names and texts hold no control characters
//! and no U+2028 or U+2029: they end up in other files and on terminals, where such a character begins a line of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use m2m_proto::token::TokenRequest;
use toml::de::{DeTable, DeValue};

use super::field::{Field, Shape, nearest};
use super::provider;
use super::secret::{NOT_A_VARIABLE, SecretReference, is_variable_name, place};
pub use super::value::Profile;
use super::value::{Origin, Sourced, Value, is_one_line, parse_time};
use crate::exit::Failure;
use crate::gateway::file as gateway;
use crate::gateway::stated::Stated;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;

const TOP_LEVEL: [&str; 4] = ["default", "profiles", "egress", "gateway"];

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Where it is.
    pub path: PathBuf,
    /// The profile to use when none is named.
    pub default: Option<String>,
    /// The profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// Origins and address ranges that may be dialled although a document names them.
    pub egress: Vec<String>,
    /// What `m2m gateway` is to do.
    pub(crate) gateway: Option<Stated>,
}

/// The reader of a file of settings: what [`Document`] and the server's file have in common.
pub(crate) struct Parser<'a> {
    path: &'a Path,
    text: &'a str,
    /// The line to name for each line of `text`, where that was made from another text; empty where it was not.
    lines: &'a [usize],
}

/// Parses the keys of one profile, which stand at the top of `text`. Messages name `lines[n - 1]` instead of line `n`.
///
/// # Errors
/// As [`Document::parse`].
pub(super) fn parse_profile(path: &Path, text: &str, lines: &[usize]) -> Result<Profile, Failure> {
    let parser = Parser { path, text, lines };
    parser.profile("", parser.table(text)?.get_ref())
}

impl Document {
    /// Parses the text of the file at this path.
    ///
    /// # Errors
    /// Exit 3: not TOML, an unknown key, a value of the wrong shape, a literal secret. The message names
    /// file, line and key.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let parser = Parser::of(path, text);
        parser.document(parser.table(text)?.get_ref())
    }
}

/// A value and where it begins, in bytes.
pub(crate) type Spanned<'a, 't> = (usize, &'a DeValue<'t>);

impl<'a> Parser<'a> {
    /// Of the text of the file at this path.
    pub(crate) fn of(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, lines: &[] }
    }

    pub(crate) fn table<'t>(&self, text: &'t str) -> Result<toml::Spanned<DeTable<'t>>, Failure> {
        DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, "", &error.message().to_lowercase().replace('\n', ", "))
        })
    }

    fn line(&self, at: usize) -> usize {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        self.lines.get(line).copied().unwrap_or(line + 1)
    }

    pub(crate) fn error(&self, at: usize, key: &str, problem: &str) -> Failure {
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        Failure::configuration(format!("{}:{}: {key}{problem}", self.path.display(), self.line(at)))
    }

    fn unknown<'n>(&self, at: usize, key: &str, known: impl Iterator<Item = &'n str>) -> Failure {
        let last = key.rsplit('.').next().unwrap_or(key);
        let failure = self.error(at, key, "unknown key");
        match nearest(last, known) {
            Some(name) => failure.hint(format!("did you mean {name}")),
            None => failure.hint("see `m2m token --help` for what a profile can state"),
        }
    }

    fn document(&self, table: &DeTable<'_>) -> Result<Document, Failure> {
        let mut document = Document { path: self.path.to_owned(), ..Document::default() };
        for (key, value) in table {
            let at = key.span().start;
            let value = (value.span().start, value.get_ref());
            match key.get_ref().as_ref() {
                "default" => document.default = Some(self.string(value, "default")?),
                "profiles" => document.profiles = self.profiles(value)?,
                "egress" => document.egress = self.egress(value)?,
                "gateway" => document.gateway = Some(gateway::parse(self, value)?),
                other => return Err(self.unknown(at, other, TOP_LEVEL.into_iter())),
            }
        }
        Ok(document)
    }

    fn profiles(&self, (at, value): Spanned<'_, '_>) -> Result<BTreeMap<String, Profile>, Failure> {
        let wrong = |at| self.error(at, "profiles", "expected tables such as [profiles.orders]");
        let mut profiles = BTreeMap::new();
        for (name, value) in value.as_table().ok_or_else(|| wrong(at))? {
            let table = value.get_ref().as_table().ok_or_else(|| wrong(value.span().start))?;
            let prefix = format!("profiles.{}.", name.get_ref());
            let name = self.one_line(name.span().start, name.get_ref(), prefix.trim_end_matches('.'))?;
            profiles.insert(name, self.profile(&prefix, table)?);
        }
        Ok(profiles)
    }

    /// The prefix stands before each key in messages. Variables of the provider stand beside the other keys.
    fn profile(&self, prefix: &str, table: &DeTable<'_>) -> Result<Profile, Failure> {
        let variables = self.variables_of(prefix, table)?;
        let mut profile = Profile::new();
        for (key, value) in table {
            let at = key.span().start;
            let path = format!("{prefix}{}", key.get_ref());
            let spanned = (value.span().start, value.get_ref());
            let origin = Origin::File { path: self.path.to_owned(), line: self.line(at) };
            if let Some(name) = variables.iter().find(|name| *name == key.get_ref()) {
                let pair = (name.clone(), self.string(spanned, &path)?);
                let empty = || Sourced { value: Value::Pairs(Vec::new()), origin };
                if let Value::Pairs(pairs) = &mut profile.entry(Field::Variables).or_insert_with(empty).value
                {
                    pairs.push(pair);
                }
                continue;
            }
            let Some(field) = Field::of_key(key.get_ref()).filter(|field| *field != Field::Variables) else {
                let known =
                    Field::ALL.iter().map(|field| field.key()).chain(variables.iter().map(String::as_str));
                return Err(self.unknown(at, &path, known));
            };
            profile.insert(field, Sourced { value: self.value(field, spanned, &path)?, origin });
        }
        Ok(profile)
    }

    /// The names of what the profile's provider leaves open.
    fn variables_of(&self, prefix: &str, table: &DeTable<'_>) -> Result<Vec<String>, Failure> {
        let Some((key, value)) = table.iter().find(|(key, _)| *key.get_ref() == Field::Provider.key()) else {
            return Ok(Vec::new());
        };
        let path = format!("{prefix}{}", key.get_ref());
        let at = value.span().start;
        let name = self.string((at, value.get_ref()), &path)?;
        let provider = provider::find(&name).map_err(|failure| {
            self.error(at, &path, failure.message()).hint(failure.advice().unwrap_or_default())
        })?;
        Ok(provider.variables.iter().map(|variable| variable.name.clone()).collect())
    }

    fn value(&self, field: Field, spanned: Spanned<'_, '_>, key: &str) -> Result<Value, Failure> {
        match field.shape() {
            Shape::Text => self.string(spanned, key).map(Value::Text),
            Shape::Path => Ok(Value::path(&self.string(spanned, key)?, self.path.parent())),
            Shape::List => self.list(spanned, key).map(Value::List),
            Shape::Time => self.time(spanned, key).map(Value::Time),
            Shape::Switch => {
                let expected = || self.error(spanned.0, key, "expected true or false");
                spanned.1.as_bool().map(Value::Switch).ok_or_else(expected)
            }
            Shape::Pairs => self.pairs(spanned, key).map(Value::Pairs),
            Shape::Secret if field == Field::WorkloadToken => self.workload(spanned, key).map(Value::Secret),
            Shape::Secret => self.secret(spanned, key).map(Value::Secret),
            Shape::KeyOrEphemeral => match spanned.1.as_str() {
                Some("ephemeral") => Ok(Value::Text("ephemeral".to_owned())),
                _ => self.secret(spanned, key).map(Value::Secret),
            },
        }
    }

    pub(crate) fn string(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<String, Failure> {
        match value.as_str() {
            Some(text) if !text.is_empty() => self.one_line(at, text, key),
            Some(_) => Err(self.error(at, key, "expected a string that is not empty")),
            None => Err(self.error(at, key, &format!("expected a string, found {}", value.type_str()))),
        }
    }

    /// The text, if it begins no line of its own wherever it will be written. Not repeated in the message.
    fn one_line(&self, at: usize, text: &str, key: &str) -> Result<String, Failure> {
        if is_one_line(text) {
            return Ok(text.to_owned());
        }
        Err(self.error(at, key, "control characters and line separators are refused"))
    }

    pub(crate) fn list(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<Vec<String>, Failure> {
        match value {
            DeValue::String(_) => Ok(vec![self.string((at, value), key)?]),
            DeValue::Array(items) => {
                items.iter().map(|item| self.string((item.span().start, item.get_ref()), key)).collect()
            }
            _ => {
                Err(self.error(at, key, &format!("expected an array of strings, found {}", value.type_str())))
            }
        }
    }

    pub(crate) fn time(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<Duration, Failure> {
        let text = match value {
            DeValue::Integer(seconds) if seconds.radix() == 10 => seconds.as_str().to_owned(),
            _ => self.string((at, value), key)?,
        };
        parse_time(&text).map_err(|problem| self.error(at, key, &problem))
    }

    fn pairs(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<Vec<(String, String)>, Failure> {
        let table = value.as_table().ok_or_else(|| self.error(at, key, "expected a table of strings"))?;
        table
            .iter()
            .map(|(name, value)| {
                let key = format!("{key}.{}", name.get_ref());
                let name = self.one_line(name.span().start, name.get_ref(), &key)?;
                TokenRequest::check_extra(&name)
                    .map_err(|error| self.error(value.span().start, &key, &error.to_string()))?;
                Ok((name, self.string((value.span().start, value.get_ref()), &key)?))
            })
            .collect()
    }

    /// A workload token comes from a platform, or from where any secret is.
    fn workload(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<SecretReference, Failure> {
        let mut entries = value.as_table().into_iter().flat_map(|table| table.iter());
        let (Some((kind, inner)), None) = (entries.next(), entries.next()) else {
            return self.secret((at, value), key);
        };
        let spanned = (inner.span().start, inner.get_ref());
        let path = || Ok::<_, Failure>(self.directory().join(self.string(spanned, key)?));
        match kind.get_ref().as_ref() {
            place::GITHUB_ACTIONS => self.string(spanned, key).map(SecretReference::GithubActions),
            place::KUBERNETES => path().map(SecretReference::Kubernetes),
            place::SPIFFE => path().map(SecretReference::Spiffe),
            _ => self.secret((at, value), key),
        }
    }

    pub(crate) fn secret(&self, (at, value): Spanned<'_, '_>, key: &str) -> Result<SecretReference, Failure> {
        let forms = "{ env = \"NAME\" }, { file = \"/path\" }, { command = [\"op\", \"read\", \"op://…\"] }, \
                     { systemd = \"name\" } or { keyring = \"name\" }";
        // The literal itself is never repeated in the message.
        let table = value.as_table().ok_or_else(|| {
            self.error(at, key, "a secret in a file is refused; name where it is instead")
                .hint(format!("write {key_name} = {forms}", key_name = key.rsplit('.').next().unwrap_or(key)))
        })?;
        let mut entries = table.iter();
        let (Some((kind, inner)), None) = (entries.next(), entries.next()) else {
            return Err(self.error(at, key, "expected exactly one place").hint(format!("one of {forms}")));
        };
        let spanned = (inner.span().start, inner.get_ref());
        match kind.get_ref().as_ref() {
            place::ENV => match self.string(spanned, key)? {
                name if is_variable_name(&name) => Ok(SecretReference::Env(name)),
                _ => Err(self.error(spanned.0, key, NOT_A_VARIABLE)),
            },
            place::FILE => Ok(SecretReference::File(self.directory().join(self.string(spanned, key)?))),
            place::COMMAND if inner.get_ref().is_array() => match self.list(spanned, key)? {
                argv if argv.is_empty() => Err(self.error(spanned.0, key, "the command is empty")),
                argv => Ok(SecretReference::Command(self.placed(argv))),
            },
            place::COMMAND => {
                Err(self.error(spanned.0, key, "expected an array of strings: no shell reads the command"))
            }
            place::SYSTEMD => self.string(spanned, key).map(SecretReference::Systemd),
            place::KEYRING => self.string(spanned, key).map(SecretReference::Keyring),
            other => {
                let at = kind.span().start;
                Err(self.error(at, &format!("{key}.{other}"), "unknown key").hint(format!("one of {forms}")))
            }
        }
    }

    /// A program that is named by a relative path stands beside the file, wherever one runs it from.
    fn placed(&self, mut argv: Vec<String>) -> Vec<String> {
        if let Some(program) = argv.first_mut().filter(|program| program.contains('/')) {
            *program = self.directory().join(&*program).to_string_lossy().into_owned();
        }
        argv
    }

    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(crate) fn egress(&self, (at, value): Spanned<'_, '_>) -> Result<Vec<String>, Failure> {
        let table = value.as_table().ok_or_else(|| self.error(at, "egress", "expected a table"))?;
        let mut allow = Vec::new();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "allow" => allow = self.list((value.span().start, value.get_ref()), "egress.allow")?,
                other => {
                    let key_path = format!("egress.{other}");
                    return Err(self.unknown(key.span().start, &key_path, ["allow"].into_iter()));
                }
            }
        }
        Ok(allow)
    }
}

#[cfg(test)]
mod tests;
