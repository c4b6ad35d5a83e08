//! The file of an estate: TOML, or the same as JSON. Every key known, every value of its shape; nothing is sent.
//!
//! A message names file, line and key and says what is expected. An unknown key is an error that names the nearest
//! one: a misspelt `allowed_networks` that is skipped in silence opens a client to everybody.
//! Limits: 4 MiB; 1,000 entries of a list.

mod clients;
mod issuers;
mod reader;

use std::path::Path;

use serde_json::{Value, json};

use super::{Estate, Members, Place, WantedApi, api_defaults};
use crate::exit::Failure;
use reader::{Entry, Reader, Table};

const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The key that names where secrets go which the server makes.
const SECRETS: &str = "secrets";

/// Reads a file. Paths in it start at its directory; `secrets` is where secrets go whose place it does not name.
///
/// # Errors
/// Exit 3: it cannot be read, or says what cannot be.
pub(in crate::commands::admin) fn read(path: &Path, secrets: Option<&Path>) -> Result<Estate, Failure> {
    let bytes = m2m_io::file::read_file(path, MAX_BYTES)
        .map_err(|error| Failure::configuration(format!("{}: {error}", path.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::configuration(format!("{}: the file is not UTF-8", path.display())))?;
    parse(path, &text, secrets)
}

pub(super) fn parse(path: &Path, text: &str, secrets: Option<&Path>) -> Result<Estate, Failure> {
    let reader = Reader::of(path, text, secrets);
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    match is_json {
        true => estate(&reader, &reader.json()?),
        false => estate(&reader, &reader.toml()?),
    }
}

fn estate(reader: &Reader<'_>, table: &Table) -> Result<Estate, Failure> {
    table.only(reader, "", &[SECRETS, "api", "issuer", "client"])?;
    let directory = table.get(SECRETS).map(|entry| reader.path_of(entry, SECRETS)).transpose()?;
    let secrets = reader.secrets.map(Path::to_owned).or(directory);
    let mut estate = Estate::default();
    for (index, entry) in reader.tables(table, "api")?.into_iter().enumerate() {
        let api = api(reader, entry, &format!("api[{index}]"))?;
        if estate.apis.iter().any(|one| one.identifier == api.identifier) {
            return Err(reader.error(entry.at, "api.identifier", "the API is there twice"));
        }
        estate.apis.push(api);
    }
    for entry in reader.tables(table, "issuer")? {
        let issuer = issuers::issuer(reader, entry)?;
        if estate.issuers.iter().any(|one| one.id == issuer.id) {
            return Err(reader.error(entry.at, "issuer.id", "the issuer is there twice"));
        }
        estate.issuers.push(issuer);
    }
    for entry in reader.tables(table, "client")? {
        let client = clients::client(reader, entry, secrets.as_deref())?;
        if estate.clients.iter().any(|one| one.id == client.id) {
            return Err(reader.error(entry.at, "client.id", "the client is there twice"));
        }
        estate.clients.push(client);
    }
    Ok(estate)
}

const API: [&str; 8] =
    ["identifier", "name", "scopes", "format", "lifetime", "alg", "sender_constraint", "resource_servers"];

fn api(reader: &Reader<'_>, entry: &Entry, path: &str) -> Result<WantedApi, Failure> {
    let table = reader.table(entry, path)?;
    table.only(reader, "api", &API)?;
    let identifier = reader.required(table, entry, ("api", "identifier"))?;
    let mut members = api_defaults(&identifier);
    for (key, value) in table.entries() {
        let path = format!("api.{key}");
        let value = match key {
            "identifier" => continue,
            "scopes" => scopes(reader, value, &path)?,
            "lifetime" => Value::from(reader.seconds(value, &path)?),
            "resource_servers" => json!(reader.texts(value, &path)?),
            "format" => reader.one_of(value, &path, &["jwt", "opaque"])?,
            "sender_constraint" => reader.one_of(value, &path, &["none", "dpop", "mtls"])?,
            _ => Value::from(reader.text(value, &path)?),
        };
        members.insert(key.to_owned(), value);
    }
    Ok(WantedApi { identifier, members, place: reader.place(entry.at) })
}

/// `"orders:read"`, or `{ scope = "orders:write", description = "…" }`.
fn scopes(reader: &Reader<'_>, entry: &Entry, path: &str) -> Result<Value, Failure> {
    let mut scopes: Vec<Value> = Vec::new();
    for one in reader.list(entry, path)? {
        let (scope, description) = match one.table() {
            None => (reader.text(one, path)?, String::new()),
            Some(table) => {
                table.only(reader, path, &["scope", "description"])?;
                let description =
                    table.get("description").map(|value| reader.text(value, path)).transpose()?;
                (reader.required(table, one, (path, "scope"))?, description.unwrap_or_default())
            }
        };
        if scopes.iter().any(|known| known.get("scope") == Some(&Value::from(scope.as_str()))) {
            return Err(reader.error(one.at, path, &format!("{scope} is there twice")));
        }
        scopes.push(json!({"scope": scope, "description": description}));
    }
    Ok(Value::Array(scopes))
}

impl Reader<'_> {
    fn place(&self, at: Option<usize>) -> Place {
        Place(self.place_of(at))
    }
}

/// What a table sets of `members`, besides what has a meaning of its own.
fn put(members: &mut Members, key: &str, value: Value) {
    members.insert(key.to_owned(), value);
}
