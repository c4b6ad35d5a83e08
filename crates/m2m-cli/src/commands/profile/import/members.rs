//! The members of somebody else's JSON as values of a profile.
//!
//! Keys may be camelCase or ours; every one is known or an error that names the nearest. A secret that stands there
//! itself is set apart, to be put into a place of its own; one that names a variable becomes a reference.

use std::path::Path;

use m2m_client::provider::{self, KeyFile, Provider};
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::secret::SecretString;
use serde_json::{Map, Value as Json, json};

use super::literal;
use crate::commands::profile::wish::Wish;
use crate::exit::Failure;
use crate::settings::field::{Field, Shape, nearest};
use crate::settings::file::Profile;
use crate::settings::secret::{is_variable_name, place};
use crate::settings::{json as reader, value::Value};

/// What stands beside a client's settings in programs and is none.
const STATE: [&str; 7] = [
    "access_token",
    "refresh_token",
    "id_token",
    "token_type",
    "expires_in",
    "expires_at",
    "token_expires_at",
];

/// The member that tells one key file from another.
const TYPE: &str = "type";

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) name: Option<String>,
    pub(super) wish: Wish,
    /// Members that were passed over, as they are written.
    pub(super) ignored: Vec<String>,
    /// The token endpoint as it stands there, placeholders and all.
    pub(super) token_url: Option<String>,
}

/// Reads a text. `typed` is what flags say: a member that they override is passed over.
///
/// # Errors
/// Exit 3: no object, an unknown member, a value of the wrong shape, a placeholder that nothing fills.
pub(super) fn read(path: &Path, text: &str, typed: &Profile) -> Result<Imported, Failure> {
    let wrong =
        |line: usize, why: String| Failure::configuration(format!("{}:{line}: {why}", path.display()));
    let members = match parse_object(text.as_bytes(), &JsonLimits::DOCUMENT) {
        Ok(members) => members,
        // A text that begins as JSON does is told what JSON lacks.
        Err(error) if text.trim_start().starts_with("{\"") => {
            return Err(Failure::configuration(format!("{}: {error}", path.display())));
        }
        Err(_) => literal::object(text).map_err(|(line, why)| wrong(line, why.to_owned()))?,
    };
    let kind = members.get(TYPE).and_then(Json::as_str);
    if let Some((provider, file)) = kind.and_then(provider::of_key_file) {
        let ours = key_file(path, &members, file)?;
        let mut imported =
            Translation { path, typed, ours: Map::new(), imported: Imported::default() }.all(ours)?;
        if !typed.contains_key(&Field::Provider) {
            imported.wish.set(Field::Provider, Value::Text(provider.id.clone()));
        }
        return Ok(imported);
    }
    Translation { path, typed, ours: Map::new(), imported: Imported::default() }.all(members)
}

/// The members of a key file under our own keys.
fn key_file(path: &Path, members: &Map<String, Json>, file: &KeyFile) -> Result<Map<String, Json>, Failure> {
    let known = file.members();
    let is_known =
        |key: &str| key == TYPE || known.contains(&key) || file.ignored.iter().any(|own| own == key);
    if let Some(key) = members.keys().find(|key| !is_known(key)) {
        return Err(unknown(path, key, known.into_iter()));
    }
    let pick = |theirs: &str| members.get(theirs).filter(|value| value.is_string()).cloned();
    let mut ours = Map::new();
    for (theirs, field) in [(&file.client_id, Field::ClientId), (&file.private_key, Field::PrivateKey)] {
        let value =
            pick(theirs).ok_or_else(|| {
                Failure::configuration(format!("{}: {theirs}: expected a string", path.display()))
                    .hint(format!("a key file of the type {} has {}", file.kind, known.join(", ")))
            })?;
        ours.insert(field.key().to_owned(), value);
    }
    for (theirs, field) in [(&file.key_id, Field::KeyId), (&file.token_url, Field::TokenUrl)] {
        ours.extend(pick(theirs).map(|value| (field.key().to_owned(), value)));
    }
    Ok(ours)
}

struct Translation<'a> {
    path: &'a Path,
    typed: &'a Profile,
    /// Members under our own keys.
    ours: Map<String, Json>,
    imported: Imported,
}

impl Translation<'_> {
    fn all(mut self, members: Map<String, Json>) -> Result<Imported, Failure> {
        let provider = self.provider(&members);
        for (key, value) in members {
            self.member(&key, value, provider)?;
        }
        let text = Json::Object(std::mem::take(&mut self.ours)).to_string();
        let read = reader::parse(self.path, &text)?;
        self.imported.name = read.name;
        for (field, sourced) in read.values {
            self.imported.wish.values.entry(field).or_insert(sourced);
        }
        Ok(self.imported)
    }

    fn provider(&self, members: &Map<String, Json>) -> Option<&'static Provider> {
        let named = members.get(Field::Provider.key()).and_then(Json::as_str);
        let typed = self.typed.get(&Field::Provider).map(|sourced| &sourced.value);
        match typed {
            Some(Value::Text(name)) => provider::find(name),
            _ => provider::find(named?),
        }
    }

    fn member(&mut self, theirs: &str, value: Json, provider: Option<&Provider>) -> Result<(), Failure> {
        let key = match snake(theirs).as_str() {
            "scope" => Field::Scopes.key().to_owned(),
            other => other.to_owned(),
        };
        if STATE.contains(&key.as_str()) {
            self.imported.ignored.push(theirs.to_owned());
            return Ok(());
        }
        let Some(field) = Field::of_key(&key) else { return self.no_field(theirs, key, value, provider) };
        // The file's token endpoint tells the provider even where another one is to be asked.
        let overridden = self.is_overridden(field);
        let tells = field == Field::TokenUrl
            && value.as_str().is_some_and(|url| self.filled(theirs, field, url).is_ok());
        if overridden && !tells {
            return Ok(());
        }
        if field == Field::TokenUrl {
            self.imported.token_url = value.as_str().map(str::to_owned);
        }
        if let Some(value) = self.value(theirs, field, value)? {
            self.ours.insert(key, value);
        }
        Ok(())
    }

    /// What is no field: the profile's name, a variable of the provider, or an error.
    fn no_field(
        &mut self,
        theirs: &str,
        key: String,
        value: Json,
        provider: Option<&Provider>,
    ) -> Result<(), Failure> {
        let variables = provider.into_iter().flat_map(|provider| &provider.variables);
        let variables: Vec<_> = variables.map(|variable| variable.name.as_str()).collect();
        if key == reader::NAME || variables.contains(&key.as_str()) {
            self.ours.insert(key, value);
            return Ok(());
        }
        let known = Field::ALL.iter().map(|field| field.key());
        Err(unknown(self.path, theirs, known.chain(variables)))
    }

    /// The value in the shape of our own; `None` for a secret, which is set apart.
    fn value(&mut self, theirs: &str, field: Field, value: Json) -> Result<Option<Json>, Failure> {
        let Json::String(text) = value else { return Ok(Some(value)) };
        Ok(Some(match field.shape() {
            Shape::Secret => match variable(&text) {
                Some(name) => json!({place::ENV: name}),
                None => {
                    let secret = if field == Field::PrivateKey { lines(&text) } else { text };
                    if secret.is_empty() {
                        return Err(self.wrong(theirs, "it is empty"));
                    }
                    self.imported.wish.set_secret(field, SecretString::new(secret));
                    return Ok(None);
                }
            },
            Shape::List => json!(text.split_whitespace().collect::<Vec<_>>()),
            _ => Json::String(self.filled(theirs, field, &text)?),
        }))
    }

    /// A flag for this field, or for another one of its group.
    fn is_overridden(&self, field: Field) -> bool {
        self.typed.contains_key(&field)
            || (field.group() == Some(crate::settings::field::Group::Credential)
                && self.typed.keys().any(|typed| typed.group() == field.group()))
    }

    /// A value with its `{placeholders}` filled by `--var`.
    fn filled(&self, theirs: &str, field: Field, text: &str) -> Result<String, Failure> {
        if variable(text).is_some() {
            let failure = self.wrong(theirs, "a variable of the environment cannot stand here");
            return Err(match field.flag() {
                "" => failure,
                flag => failure.hint(format!("give the value: {flag}")),
            });
        }
        let is_url =
            matches!(field, Field::TokenUrl | Field::Issuer | Field::IntrospectionUrl | Field::RevocationUrl);
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{').filter(|_| is_url) {
            let (name, after) =
                after.split_once('}').ok_or_else(|| self.wrong(theirs, "a brace that is not closed"))?;
            let name = name.trim();
            let value = self.typed_variable(name).ok_or_else(|| {
                self.wrong(theirs, &format!("{{{name}}} is left open"))
                    .hint(format!("fill it: --var {name}=…"))
            })?;
            filled.push_str(before);
            match value.trim_end_matches('/').split_once("://") {
                // A host that was pasted with its scheme brings that along.
                Some((scheme, host)) if filled == "https://" => filled = format!("{scheme}://{host}"),
                Some((_, host)) => filled.push_str(host),
                None => filled.push_str(value),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn typed_variable(&self, name: &str) -> Option<&str> {
        match &self.typed.get(&Field::Variables)?.value {
            Value::Pairs(pairs) => pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()),
            _ => None,
        }
    }

    fn wrong(&self, theirs: &str, why: &str) -> Failure {
        Failure::configuration(format!("{}: {theirs}: {why}", self.path.display()))
    }
}

fn unknown<'n>(path: &Path, theirs: &str, known: impl Iterator<Item = &'n str>) -> Failure {
    let failure = Failure::configuration(format!("{}: {theirs}: unknown member", path.display()));
    let camel = theirs.chars().any(|c| c.is_ascii_uppercase());
    let (typed, known) = (snake(theirs), known.collect::<Vec<_>>());
    // `secret` is one word of `client_secret`.
    let of_word = || {
        let with = known.iter().filter(|name| name.split('_').any(|word| word == typed));
        with.min_by_key(|name| name.len()).copied()
    };
    match nearest(&typed, known.iter().copied()).or_else(of_word) {
        Some(name) => {
            failure.hint(format!("did you mean {}", if camel { self::camel(name) } else { name.to_owned() }))
        }
        None => failure.hint("m2m profile import --help says what is understood; take the rest out"),
    }
}

/// `tokenUrl`, `tokenURL` and `token_url` are `token_url`.
fn snake(key: &str) -> String {
    let mut text = String::new();
    let mut before = '_';
    for c in key.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        before = c;
    }
    text
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// The variable that a text names instead of being a value: `${NAME}`, `process.env.NAME`, `${process.env.NAME}`,
/// `process.env["NAME"]`.
fn variable(text: &str) -> Option<&str> {
    let text = text.trim();
    let braced = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).map(str::trim);
    let inner = braced.unwrap_or(text);
    let name = match inner.strip_prefix("process.env") {
        Some(rest) => rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix("[\"")?.strip_suffix("\"]"))
            .or_else(|| rest.strip_prefix("['")?.strip_suffix("']"))?,
        None => {
            let name = braced?;
            name.strip_prefix("env:").unwrap_or(name)
        }
    };
    is_variable_name(name).then_some(name)
}

/// PEM text whose line ends were escaped twice on the way.
fn lines(text: &str) -> String {
    if text.contains('\n') { text.to_owned() } else { text.replace("\\n", "\n") }
}

#[cfg(test)]
mod tests;
