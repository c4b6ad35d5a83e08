//! One profile as a JSON object: what a form made by `m2m profile schema` yields, and what a program may write.
//!
//! Keys and values are those of a profile in `m2m.toml`; one more, `name`, may name the profile. The members are
//! written as lines of TOML and read by the parser of the file, so that shapes, messages and suggestions cannot
//! differ between the two. A member that is `null` counts as absent: forms leave such members behind.
//!
//! Enforced: one object, no member twice, at most 256 KiB, all that `m2m.toml` enforces (no unknown key, no literal
//! secret). Not enforced: that the values make sense together; that is asked when a client is made of them.

use std::collections::BTreeMap;
use std::path::Path;

use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Map, Value as Json};

use super::file::{Profile, parse_profile};
use crate::exit::Failure;
use crate::quote;

/// The member that names the profile.
pub const NAME: &str = "name";

/// One profile, and the name that it states for itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedProfile {
    /// The member `name`; `None` when there is none.
    pub name: Option<String>,
    /// The values. Relative paths were made absolute from the directory of the text.
    pub values: Profile,
}

/// Reads one profile. `path` stands in messages and origins, and relative paths start at its directory; for standard
/// input pass a name in the working directory.
///
/// # Errors
/// Exit 3: not one JSON object, or what [`super::file::Document::parse`] refuses. The message names path, line and
/// key, and repeats no secret.
pub fn parse(path: &Path, text: &str) -> Result<NamedProfile, Failure> {
    let members = parse_object(text.as_bytes(), &JsonLimits::DOCUMENT)
        .map_err(|error| Failure::configuration(format!("{}: {error}", path.display())))?;
    let mut reader = Reader { path, lines: member_lines(text), written: Written::default() };
    let name = reader.name(&members)?;
    for (key, value) in members.iter().filter(|(key, _)| *key != NAME) {
        reader.member(key, value)?;
    }
    let values = parse_profile(path, &reader.written.text, &reader.written.lines)?;
    Ok(NamedProfile { name, values })
}

struct Reader<'a> {
    path: &'a Path,
    lines: BTreeMap<String, usize>,
    written: Written,
}

/// Lines of TOML, and the line of the JSON text that each was made from.
#[derive(Default)]
struct Written {
    text: String,
    lines: Vec<usize>,
}

impl Reader<'_> {
    fn name(&self, members: &Map<String, Json>) -> Result<Option<String>, Failure> {
        match members.get(NAME) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(name)) if !name.trim().is_empty() => Ok(Some(name.trim().to_owned())),
            Some(_) => Err(self.error(NAME, "expected a string that is not empty")),
        }
    }

    fn member(&mut self, key: &str, value: &Json) -> Result<(), Failure> {
        if !value.is_null() {
            let line = format!("{} = {}\n", quote::toml(key), self.toml(key, value)?);
            self.written.text.push_str(&line);
            self.written.lines.push(self.line(key));
        }
        Ok(())
    }

    /// The value on one line.
    fn toml(&self, key: &str, value: &Json) -> Result<String, Failure> {
        Ok(match value {
            Json::Null => return Err(self.error(key, "expected a value, found null")),
            Json::Bool(switch) => switch.to_string(),
            Json::Number(number) => number.to_string(),
            Json::String(text) => quote::toml(text),
            Json::Array(items) => {
                let items = items.iter().map(|item| self.toml(key, item)).collect::<Result<Vec<_>, _>>()?;
                format!("[{}]", items.join(", "))
            }
            Json::Object(members) => {
                let stated = members.iter().filter(|(_, value)| !value.is_null());
                let pair = |(name, value): (&String, &Json)| {
                    Ok(format!("{} = {}", quote::toml(name), self.toml(key, value)?))
                };
                format!("{{ {} }}", stated.map(pair).collect::<Result<Vec<_>, Failure>>()?.join(", "))
            }
        })
    }

    fn line(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(1)
    }

    fn error(&self, key: &str, problem: &str) -> Failure {
        Failure::configuration(format!("{}:{}: {key}: {problem}", self.path.display(), self.line(key)))
    }
}

/// The line of each member of the object that this text is. The text was parsed before, so brackets match.
fn member_lines(text: &str) -> BTreeMap<String, usize> {
    let (mut lines, mut line, mut depth) = (BTreeMap::new(), 1, 0_usize);
    let (mut string, mut escaped, mut is_key) = (None, false, true);
    for (at, byte) in text.bytes().enumerate() {
        match (string, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(start), b'"') => {
                string = None;
                if depth == 1 && std::mem::take(&mut is_key) {
                    let name = text.get(start..=at).and_then(|name| serde_json::from_str(name).ok());
                    lines.extend(name.map(|name: String| (name, line)));
                }
            }
            (Some(_), _) => {}
            (None, b'"') => string = Some(at),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            (None, b',') if depth == 1 => is_key = true,
            (None, b'\n') => line += 1,
            _ => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests;
