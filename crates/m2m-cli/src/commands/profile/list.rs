//! `m2m profile list`: the profiles by name, the nearest file first.

use serde_json::{Value, json};

use crate::Surroundings;
use crate::exit::{Exit, Failure};
use crate::output::{Reader, printable};
use crate::settings::field::Field;
use crate::settings::file::Profile;
use crate::settings::search::{self, Located, Start};
use crate::settings::value;

struct Row<'a> {
    name: &'a str,
    file: &'a Located,
    profile: &'a Profile,
    /// A nearer file has one of that name.
    shadowed: bool,
}

pub(super) fn run(around: &Surroundings) -> Result<Exit, Failure> {
    let files = search::find(Start {
        config: around.global.config.as_deref(),
        directory: &around.directory,
        environment: &around.environment,
    })?;
    for warning in &files.warnings {
        around.output.warn(warning);
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for file in &files.located {
        for (name, profile) in &file.document.profiles {
            let shadowed = rows.iter().any(|row| row.name == name);
            rows.push(Row { name, file, profile, shadowed });
        }
    }
    if around.output.reader() == Reader::Program {
        let rows: Vec<Value> = rows.iter().map(Row::as_json).collect();
        around.output.json(&json!({"profiles": rows}))?;
        return Ok(Exit::Ok);
    }
    if rows.is_empty() {
        around.output.note("there is no profile; m2m profile add NAME makes one");
    }
    let width = |column: usize| rows.iter().map(|row| row.cells()[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    for row in &rows {
        let [name, server, client] = row.cells();
        let [of_name, of_server, of_client] = widths;
        let path = row.file.document.path.display();
        let mut line = format!("{name:<of_name$}  {server:<of_server$}  {client:<of_client$}  {path}");
        for (is, word) in [(row.is_default(), "default"), (row.shadowed, "hidden by a nearer file")] {
            if is {
                line.push_str("  (");
                line.push_str(word);
                line.push(')');
            }
        }
        around.output.result(&printable(&line))?;
    }
    Ok(Exit::Ok)
}

impl<'a> Row<'a> {
    fn text(&self, field: Field) -> Option<&'a str> {
        match &self.profile.get(&field)?.value {
            value::Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn cells(&self) -> [&'a str; 3] {
        let client = self.text(Field::ClientId).unwrap_or("no client");
        [self.name, self.server().unwrap_or("no server"), client]
    }

    fn server(&self) -> Option<&'a str> {
        [Field::Issuer, Field::TokenUrl, Field::Provider].into_iter().find_map(|field| self.text(field))
    }

    fn is_default(&self) -> bool {
        self.file.document.default.as_deref() == Some(self.name)
    }

    fn as_json(&self) -> Value {
        json!({
            "name": self.name,
            "file": self.file.document.path.display().to_string(),
            "trust": self.file.trust.as_str(),
            "default": self.is_default(),
            "shadowed": self.shadowed,
            "provider": self.text(Field::Provider),
            "issuer": self.text(Field::Issuer),
            "token_url": self.text(Field::TokenUrl),
            "client_id": self.text(Field::ClientId),
        })
    }
}
