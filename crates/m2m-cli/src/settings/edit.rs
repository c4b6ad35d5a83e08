//! Changing `m2m.toml`: one profile is put in or taken out, and everything else, comments and order too, stays as it
//! was.
//!
//! Enforces: what is written can be read again by [`Document::parse`]; the file is replaced whole or not at all; a file
//! that we make has mode 0600, one that was there keeps its mode; a link is followed, not replaced.

use std::path::{Path, PathBuf};

use m2m_io::Random;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value as Toml};

use super::field::Field;
use super::file::{Document, MAX_BYTES, Profile};
use super::secret::{Entry, SecretReference};
use super::value::{Value, time_text};
use crate::exit::Failure;
use crate::output::is_layout;
use crate::quote;

/// Whether the file was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It was.
    There,
    /// It will be made.
    Absent,
}

/// A file that is being changed.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    text: String,
    document: DocumentMut,
    before: Before,
}

impl Draft {
    /// Reads the file; one that is not there is empty.
    ///
    /// # Errors
    /// Exit 3: it cannot be read, or is broken: what cannot be understood is not changed.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let failed = |why: String| Failure::configuration(format!("{}: {why}", path.display()));
        let (bytes, before) = match m2m_io::file::read_file(&real, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Vec::new(), Before::Absent),
            read => (read.map_err(|error| failed(error.to_string()))?, Before::There),
        };
        let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8 text".to_owned()))?;
        Document::parse(path, &text)?;
        let document = text.parse().map_err(|_| failed("not TOML".to_owned()))?;
        Ok(Self { path: real, text, document, before })
    }

    /// Where it is, links followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was there before.
    pub fn before(&self) -> Before {
        self.before
    }

    /// What is in the file now.
    pub fn unchanged(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether it has this profile.
    pub fn contains(&self, name: &str) -> bool {
        self.profiles().is_some_and(|profiles| profiles.contains_key(name))
    }

    /// The profiles' names.
    pub fn names(&self) -> Vec<String> {
        let names =
            self.profiles().map(|profiles| profiles.iter().map(|(name, _)| name.to_owned()).collect());
        names.unwrap_or_default()
    }

    /// The profile that the file names as default.
    pub fn default_profile(&self) -> Option<&str> {
        self.document.get("default").and_then(Item::as_str)
    }

    fn profiles(&self) -> Option<&dyn TableLike> {
        self.document.get("profiles").and_then(Item::as_table_like)
    }

    /// Puts a profile in, in place of one of that name.
    ///
    /// # Errors
    /// Exit 3: a value that no file can hold, such as standard input as the place of a secret.
    pub fn put(&mut self, name: &str, profile: &Profile) -> Result<(), Failure> {
        let mut table = table(profile.iter().map(|(field, sourced)| (*field, &sourced.value)))?;
        let before = self.profiles().and_then(|profiles| profiles.get(name)).and_then(Item::as_table);
        if let Some(before) = before {
            *table.decor_mut() = before.decor().clone();
            if let Some(position) = before.position() {
                table.set_position(Some(position));
            }
        } else if !self.text.trim().is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        let profiles = self.document.entry("profiles").or_insert_with(|| {
            let mut profiles = Table::new();
            profiles.set_implicit(true);
            Item::Table(profiles)
        });
        if let Some(profiles) = profiles.as_table_like_mut() {
            profiles.insert(name, Item::Table(table));
        }
        Ok(())
    }

    /// Takes a profile out, and `default` with it where that names it. Whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let profiles = self.document.get_mut("profiles").and_then(Item::as_table_like_mut);
        let Some(removed) = profiles.and_then(|profiles| profiles.remove(name)) else { return false };
        let prefix = removed.as_table().and_then(|table| table.decor().prefix()?.as_str());
        self.keep_head(prefix);
        if self.default_profile() == Some(name) {
            let key = self.document.key("default").cloned();
            self.document.remove("default");
            self.keep_head(key.as_ref().and_then(|key| key.leaf_decor().prefix()?.as_str()));
        }
        true
    }

    /// Comments at the head of the file belong to the file, not to what was removed below them.
    fn keep_head(&mut self, prefix: Option<&str>) {
        let Some((head, _)) = prefix.and_then(|prefix| prefix.rsplit_once("\n\n")) else { return };
        if self.text.starts_with(head) && !head.trim().is_empty() {
            let rest = self.document.to_string();
            if let Ok(document) = format!("{head}\n\n{}", rest.trim_start_matches('\n')).parse() {
                self.document = document;
            }
        }
    }

    /// Writes the file; gives the bytes that are in it now.
    ///
    /// # Errors
    /// Exit 3: it cannot be written. Exit 70: what would be written cannot be read.
    pub fn save(&self, random: &dyn Random) -> Result<Vec<u8>, Failure> {
        let text = self.document.to_string();
        Document::parse(&self.path, &text).map_err(|failure| {
            Failure::internal(format!("the changed file would be broken: {}", failure.message()))
        })?;
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("cannot write {}: {error}", self.path.display()))
        };
        let mode = std::fs::metadata(&self.path).ok().map(|metadata| metadata.permissions());
        m2m_io::file::atomic_write(&self.path, text.as_bytes(), random).map_err(failed)?;
        if let Some(mode) = mode {
            std::fs::set_permissions(&self.path, mode).map_err(failed)?;
        }
        Ok(text.into_bytes())
    }
}

/// The table of a profile.
///
/// # Errors
/// Exit 3: a value that no file can hold, such as standard input as the place of a secret.
pub fn table<'a>(values: impl Iterator<Item = (Field, &'a Value)>) -> Result<Table, Failure> {
    let mut table = Table::new();
    for (field, value) in values {
        write(&mut table, field, value)?;
    }
    Ok(table)
}

fn write(table: &mut Table, field: Field, value: &Value) -> Result<(), Failure> {
    if let (Field::Variables, Value::Pairs(pairs)) = (field, value) {
        // They stand beside the other keys.
        for (name, value) in pairs {
            table.insert_formatted(&key(name), Item::Value(text(value)));
        }
        return Ok(());
    }
    let toml: Toml = match value {
        Value::Text(value) => text(value),
        Value::List(list) => array(list).into(),
        Value::Pairs(pairs) => {
            pairs.iter().map(|(name, value)| (key(name), text(value))).collect::<InlineTable>().into()
        }
        Value::Time(time) => time_text(*time).into(),
        Value::Switch(on) => (*on).into(),
        Value::Secret(reference) => secret(field, reference)?.into(),
    };
    table.insert(field.key(), Item::Value(toml));
    Ok(())
}

fn secret(field: Field, reference: &SecretReference) -> Result<InlineTable, Failure> {
    let refused = |why: String| Failure::configuration(format!("{field}: {why}"));
    let (place, entry) =
        reference.entry().ok_or_else(|| refused("standard input is no lasting place".to_owned()))?;
    let value: Toml = match entry {
        Entry::Text(value) => text(value),
        Entry::Argv(argv) => array(argv).into(),
        Entry::Path(path) => {
            let unfit = || refused(format!("{} is not UTF-8 and fits no file", path.display()));
            text(path.to_str().ok_or_else(unfit)?)
        }
    };
    Ok(std::iter::once((place, value)).collect())
}

/// Several strings.
pub fn array(list: &[String]) -> Array {
    list.iter().map(|entry| text(entry)).collect()
}

/// A string, on one line.
fn text(text: &str) -> Toml {
    let mut value: Toml = written(text).unwrap_or_else(|| text.into());
    value.decor_mut().clear();
    value
}

/// The name of a table or an entry.
pub fn key(name: &str) -> Key {
    written(name).unwrap_or_else(|| Key::new(name))
}

/// What needs escapes is escaped our way: on one line, and with marks of direction made visible.
fn written<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_odd = text.chars().any(|c| c.is_control() || is_layout(c));
    is_odd.then(|| quote::toml(text).parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
