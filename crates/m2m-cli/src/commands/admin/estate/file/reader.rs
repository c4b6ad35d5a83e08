//! Values of a file with the places where they stand, whether it is TOML or JSON.
//!
//! JSON has no places: its messages name the key alone.

use std::path::{Path, PathBuf};

use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use crate::exit::Failure;
use crate::settings::field::nearest;
use crate::settings::file::Parser;
use crate::settings::value::parse_time;

const MAX_ENTRIES: usize = 1000;

/// The file that is read.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    /// Where lines end.
    ends: Vec<usize>,
    /// Where secrets go whose place the file does not name; stronger than what it says of that.
    pub(super) secrets: Option<&'a Path>,
}

/// A value, and where it begins: bytes from the beginning.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: Option<usize>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text(String),
    Number(u64),
    Switch(bool),
    List(Vec<Entry>),
    Table(Table),
    /// Of a sort that nothing here has.
    Other(&'static str),
}

/// Values by key, in the order of the file, each key with where it stands.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(String, Option<usize>, Entry)>);

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|(known, _, _)| known == key).map(|(_, _, entry)| entry)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(key, _, entry)| (key.as_str(), entry))
    }

    /// That every key is one of these.
    ///
    /// # Errors
    /// Exit 3, with the nearest one.
    pub(super) fn only(&self, reader: &Reader<'_>, path: &str, known: &[&str]) -> Result<(), Failure> {
        let Some((key, at, _)) = self.0.iter().find(|(key, _, _)| !known.contains(&key.as_str())) else {
            return Ok(());
        };
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let failure = reader.error(*at, &path, "unknown key");
        Err(match nearest(key, known.iter().copied()) {
            Some(name) => failure.hint(format!("did you mean {name}")),
            None => failure.hint(format!("known here: {}", known.join(", "))),
        })
    }
}

impl Entry {
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.kind {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    fn sort(&self) -> &'static str {
        match &self.kind {
            Kind::Text(_) => "a string",
            Kind::Number(_) => "a number",
            Kind::Switch(_) => "true or false",
            Kind::List(_) => "an array",
            Kind::Table(_) => "a table",
            Kind::Other(sort) => sort,
        }
    }

    fn of_toml(at: usize, value: &DeValue<'_>) -> Self {
        let kind = match value {
            DeValue::String(text) => Kind::Text(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                number.as_str().parse().map_or(Kind::Other("a number that cannot be"), Kind::Number)
            }
            DeValue::Boolean(on) => Kind::Switch(*on),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| Self::of_toml(item.span().start, item.get_ref()));
                Kind::List(items.collect())
            }
            DeValue::Table(table) => Kind::Table(Table::of_toml(table)),
            other => Kind::Other(other.type_str()),
        };
        Self { at: Some(at), kind }
    }

    fn of_json(value: &Json) -> Self {
        let kind = match value {
            Json::String(text) => Kind::Text(text.clone()),
            Json::Number(number) => {
                number.as_u64().map_or(Kind::Other("a number that cannot be"), Kind::Number)
            }
            Json::Bool(on) => Kind::Switch(*on),
            Json::Array(items) => Kind::List(items.iter().map(Self::of_json).collect()),
            Json::Object(object) => Kind::Table(Table::of_json(object)),
            Json::Null => Kind::Other("null"),
        };
        Self { at: None, kind }
    }
}

impl Table {
    fn of_toml(table: &DeTable<'_>) -> Self {
        let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
            let value = Entry::of_toml(value.span().start, value.get_ref());
            (key.get_ref().to_string(), Some(key.span().start), value)
        };
        let mut entries: Vec<_> = table.iter().map(entry).collect();
        entries.sort_by_key(|(_, at, _)| *at);
        Self(entries)
    }

    fn of_json(object: &serde_json::Map<String, Json>) -> Self {
        Self(object.iter().map(|(key, value)| (key.clone(), None, Entry::of_json(value))).collect())
    }
}

impl<'a> Reader<'a> {
    pub(super) fn of(path: &'a Path, text: &'a str, secrets: Option<&'a Path>) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { path, text, ends, secrets }
    }
}

impl Reader<'_> {
    pub(super) fn toml(&self) -> Result<Table, Failure> {
        let parser = Parser::of(self.path, self.text);
        Ok(Table::of_toml(parser.table(self.text)?.get_ref()))
    }

    pub(super) fn json(&self) -> Result<Table, Failure> {
        let limits = JsonLimits { max_bytes: self.text.len(), ..JsonLimits::DOCUMENT };
        let object = parse_object(self.text.as_bytes(), &limits)
            .map_err(|error| Failure::configuration(format!("{}: {error}", self.path.display())))?;
        Ok(Table::of_json(&object))
    }

    pub(super) fn error(&self, at: Option<usize>, key: &str, problem: &str) -> Failure {
        match at {
            Some(at) => Parser::of(self.path, self.text).error(at, key, problem),
            None => Failure::configuration(format!("{}: {key}: {problem}", self.path.display())),
        }
    }

    /// `estate.toml:12`.
    pub(super) fn place_of(&self, at: Option<usize>) -> String {
        match at {
            Some(at) => {
                let line = self.ends.partition_point(|end| *end < at) + 1;
                format!("{}:{line}", self.path.display())
            }
            None => self.path.display().to_string(),
        }
    }

    fn expected(&self, entry: &Entry, key: &str, what: &str) -> Failure {
        self.error(entry.at, key, &format!("expected {what}, found {}", entry.sort()))
    }

    pub(super) fn table<'e>(&self, entry: &'e Entry, key: &str) -> Result<&'e Table, Failure> {
        entry.table().ok_or_else(|| self.expected(entry, key, "a table"))
    }

    /// The tables of `[[key]]`; none where there are none.
    pub(super) fn tables<'e>(&self, table: &'e Table, key: &str) -> Result<Vec<&'e Entry>, Failure> {
        let Some(entry) = table.get(key) else { return Ok(Vec::new()) };
        match &entry.kind {
            Kind::List(items) if items.len() <= 100_000 => Ok(items.iter().collect()),
            _ => Err(self.expected(entry, key, &format!("tables: [[{key}]]"))),
        }
    }

    pub(super) fn text(&self, entry: &Entry, key: &str) -> Result<String, Failure> {
        match &entry.kind {
            Kind::Text(text) if text.is_empty() => {
                Err(self.error(entry.at, key, "expected a string that is not empty"))
            }
            Kind::Text(text) if text.chars().any(char::is_control) => {
                Err(self.error(entry.at, key, "control characters are refused"))
            }
            Kind::Text(text) => Ok(text.clone()),
            _ => Err(self.expected(entry, key, "a string")),
        }
    }

    pub(super) fn list<'e>(&self, entry: &'e Entry, key: &str) -> Result<&'e [Entry], Failure> {
        match &entry.kind {
            Kind::List(items) if items.len() > MAX_ENTRIES => {
                Err(self.error(entry.at, key, &format!("more than {MAX_ENTRIES} entries")))
            }
            Kind::List(items) => Ok(items),
            _ => Err(self.expected(entry, key, "an array")),
        }
    }

    pub(super) fn texts(&self, entry: &Entry, key: &str) -> Result<Vec<String>, Failure> {
        self.list(entry, key)?.iter().map(|one| self.text(one, key)).collect()
    }

    pub(super) fn switch(&self, entry: &Entry, key: &str) -> Result<bool, Failure> {
        match entry.kind {
            Kind::Switch(on) => Ok(on),
            _ => Err(self.expected(entry, key, "true or false")),
        }
    }

    /// A whole number from 1.
    pub(super) fn count(&self, entry: &Entry, key: &str) -> Result<u64, Failure> {
        match entry.kind {
            Kind::Number(count) if count > 0 => Ok(count),
            Kind::Number(_) => Err(self.error(entry.at, key, "expected a number from 1")),
            _ => Err(self.expected(entry, key, "a number")),
        }
    }

    /// Seconds, or a span such as `"10m"`.
    pub(super) fn seconds(&self, entry: &Entry, key: &str) -> Result<u64, Failure> {
        let Kind::Text(text) = &entry.kind else { return self.count(entry, key) };
        match parse_time(text) {
            Ok(span) if span.as_secs() > 0 && span.subsec_nanos() == 0 => Ok(span.as_secs()),
            Ok(_) => Err(self.error(entry.at, key, "expected whole seconds, at least one")),
            Err(problem) => Err(self.error(entry.at, key, &problem)),
        }
    }

    pub(super) fn one_of(&self, entry: &Entry, key: &str, names: &[&str]) -> Result<Json, Failure> {
        let text = self.text(entry, key)?;
        match names.contains(&text.as_str()) {
            true => Ok(Json::from(text)),
            false => Err(self.error(entry.at, key, &format!("expected one of {}", names.join(", ")))),
        }
    }

    /// A path, from the directory of the file.
    pub(super) fn path_of(&self, entry: &Entry, key: &str) -> Result<PathBuf, Failure> {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        Ok(directory.join(self.text(entry, key)?))
    }

    pub(super) fn required(
        &self,
        table: &Table,
        entry: &Entry,
        (path, key): (&str, &str),
    ) -> Result<String, Failure> {
        let path = format!("{path}.{key}");
        let value = table.get(key).ok_or_else(|| self.error(entry.at, &path, "is missing"))?;
        self.text(value, &path)
    }
}
