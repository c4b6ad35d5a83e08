//! `[[client]]` with its `[[client.grant]]` and `[[client.credential]]`.

use std::path::Path;

use serde_json::{Value, json};

use super::reader::{Entry, Reader, Table};
use super::{issuers, put};
use crate::commands::admin::estate::{Members, WantedClient, WantedCredential, client_defaults};
use crate::commands::admin::{material, moment};
use crate::exit::Failure;

const CLIENT: [&str; 12] = [
    "id",
    "name",
    "owner",
    "purpose",
    "review_by",
    "lifetime_cap",
    "sender_constraint",
    "mint_quota",
    "allowed_networks",
    "token_exchange",
    "grant",
    "credential",
];
const GRANT: [&str; 5] = ["api", "scopes", "default_scopes", "roles", "permissions"];
const CREDENTIAL: [&str; 19] = [
    "label",
    "method",
    "public_key_file",
    "jwks_uri",
    "certificate_file",
    "subject",
    "subject_dns",
    "subject_uri",
    "subject_ip",
    "subject_email",
    "issuer",
    "external_subject",
    "conditions",
    "secret_use",
    "secret_file",
    "expires_in",
    "not_before",
    "accept_token_endpoint_audience",
    "accept_untyped_assertion",
];

pub(super) fn client(
    reader: &Reader<'_>,
    entry: &Entry,
    secrets: Option<&Path>,
) -> Result<WantedClient, Failure> {
    let table = reader.table(entry, "client")?;
    table.only(reader, "client", &CLIENT)?;
    let id = reader.required(table, entry, ("client", "id"))?;
    let mut members = client_defaults(&id);
    for (key, value) in table.entries() {
        let path = format!("client.{key}");
        let value = match key {
            "id" | "grant" | "credential" => continue,
            "review_by" => date(reader, value, &path)?,
            "lifetime_cap" => Value::from(reader.seconds(value, &path)?),
            "mint_quota" => Value::from(reader.count(value, &path)?),
            "allowed_networks" => networks(reader, value, &path)?,
            "token_exchange" => Value::from(reader.switch(value, &path)?),
            "sender_constraint" => reader.one_of(value, &path, &["none", "dpop", "mtls"])?,
            _ => Value::from(reader.text(value, &path)?),
        };
        put(&mut members, key, value);
    }
    put(&mut members, "grants", grants(reader, table)?);
    let mut credentials: Vec<WantedCredential> = Vec::new();
    for one in reader.tables(table, "credential")? {
        let credential = credential(reader, one, (&id, secrets))?;
        if credentials.iter().any(|known| known.label == credential.label) {
            return Err(reader.error(one.at, "client.credential.label", "the label is there twice"));
        }
        credentials.push(credential);
    }
    Ok(WantedClient { id, members, credentials, place: reader.place(entry.at) })
}

fn grants(reader: &Reader<'_>, table: &Table) -> Result<Value, Failure> {
    let mut grants: Vec<Value> = Vec::new();
    for one in reader.tables(table, "grant")? {
        let grant = grant(reader, one)?;
        if grants.iter().any(|known| known.get("api") == grant.get("api")) {
            return Err(reader.error(one.at, "client.grant.api", "the API is granted twice"));
        }
        grants.push(grant);
    }
    Ok(Value::Array(grants))
}

fn date(reader: &Reader<'_>, entry: &Entry, path: &str) -> Result<Value, Failure> {
    let text = reader.text(entry, path)?;
    match crate::commands::admin::typed::date(path, &text) {
        Ok(date) => Ok(Value::from(date)),
        Err(_) => Err(reader.error(entry.at, path, "expected a date such as \"2027-06-01\"")),
    }
}

fn networks(reader: &Reader<'_>, entry: &Entry, path: &str) -> Result<Value, Failure> {
    let mut networks = Vec::new();
    for one in reader.list(entry, path)? {
        let text = reader.text(one, path)?;
        let network: m2m_io::Network =
            text.parse().map_err(|error| reader.error(one.at, path, &format!("{text}: {error}")))?;
        networks.push(Value::from(network.to_string()));
    }
    Ok(Value::Array(networks))
}

fn grant(reader: &Reader<'_>, entry: &Entry) -> Result<Value, Failure> {
    let table = reader.table(entry, "client.grant")?;
    table.only(reader, "client.grant", &GRANT)?;
    let mut grant = Members::new();
    put(&mut grant, "api", Value::from(reader.required(table, entry, ("client.grant", "api"))?));
    put(&mut grant, "scopes", json!([]));
    for (key, value) in table.entries().filter(|(key, _)| *key != "api") {
        put(&mut grant, key, json!(reader.texts(value, &format!("client.grant.{key}"))?));
    }
    Ok(Value::Object(grant))
}

fn credential(
    reader: &Reader<'_>,
    entry: &Entry,
    (client, secrets): (&str, Option<&Path>),
) -> Result<WantedCredential, Failure> {
    let table = reader.table(entry, "client.credential")?;
    table.only(reader, "client.credential", &CREDENTIAL)?;
    let label = reader.required(table, entry, ("client.credential", "label"))?;
    let members = made_of(reader, table)?;
    mapping(reader, (table, entry))?;
    let method = method(reader, (table, entry), &members)?;
    let secret_file = secret_file(reader, (table, entry), &method, (client, &label, secrets))?;
    Ok(WantedCredential { label, method, members, given: None, secret_file, place: reader.place(entry.at) })
}

/// The workload of a trusted issuer: its parts come together or not at all.
fn mapping(reader: &Reader<'_>, (table, entry): (&Table, &Entry)) -> Result<(), Failure> {
    let at = |name: &str| table.get(name);
    for (part, of) in
        [("issuer", "external_subject"), ("external_subject", "issuer"), ("conditions", "issuer")]
    {
        if at(part).is_some() && at(of).is_none() {
            let path = format!("client.credential.{of}");
            return Err(reader.error(entry.at, &path, &format!("is missing, and {part} is there")));
        }
    }
    Ok(())
}

/// What an order for the credential has, besides label, method and secret.
fn made_of(reader: &Reader<'_>, table: &Table) -> Result<Members, Failure> {
    let mut members = Members::new();
    for (key, value) in table.entries() {
        let path = format!("client.credential.{key}");
        match key {
            "label" | "method" | "secret_file" => {}
            "public_key_file" => {
                let file = reader.path_of(value, &path)?;
                put(&mut members, "jwks", of_file(reader, value, &path, material::public_keys(&file))?);
            }
            "certificate_file" => {
                let file = reader.path_of(value, &path)?;
                let pem = material::certificate(&file).map(Value::from);
                put(&mut members, "certificate", of_file(reader, value, &path, pem)?);
            }
            "expires_in" => put(&mut members, key, Value::from(reader.seconds(value, &path)?)),
            "not_before" => {
                let at = moment::at(key, &reader.text(value, &path)?);
                put(&mut members, key, Value::from(of_file(reader, value, &path, at)?));
            }
            "secret_use" => {
                let uses = ["basic_or_post", "basic", "post"];
                put(&mut members, key, reader.one_of(value, &path, &uses)?);
            }
            "conditions" => put(&mut members, key, issuers::conditions(reader, value, &path)?),
            "accept_token_endpoint_audience" | "accept_untyped_assertion" => {
                if reader.switch(value, &path)? {
                    put(&mut members, key, Value::Bool(true));
                }
            }
            _ => put(&mut members, key, Value::from(reader.text(value, &path)?)),
        }
    }
    Ok(members)
}

/// What a file says that the line names, with that line.
fn of_file<T>(
    reader: &Reader<'_>,
    entry: &Entry,
    path: &str,
    read: Result<T, Failure>,
) -> Result<T, Failure> {
    read.map_err(|failure| {
        let told = reader.error(entry.at, path, failure.message());
        told.hint(failure.advice().unwrap_or_default())
    })
}

/// The method that is named, or what the material leads to.
fn method(
    reader: &Reader<'_>,
    (table, entry): (&Table, &Entry),
    members: &Members,
) -> Result<String, Failure> {
    let led_to = members.keys().find_map(|member| match member.as_str() {
        "jwks" | "jwks_uri" => Some("private_key_jwt"),
        "certificate" => Some("self_signed_tls_client_auth"),
        "issuer" => Some("federated"),
        name if name.starts_with("subject") => Some("tls_client_auth"),
        _ => None,
    });
    let Some(named) = table.get("method") else {
        return Ok(led_to.unwrap_or("client_secret").to_owned());
    };
    let path = "client.credential.method";
    let method = reader.text(named, path)?;
    let fits = match method.as_str() {
        "client_secret" | "client_secret_jwt" => led_to.is_none(),
        other => led_to == Some(other),
    };
    match fits {
        true => Ok(method),
        false => Err(reader.error(
            named.at.or(entry.at),
            path,
            &format!("{method} does not go with what the credential is made of; leave it out"),
        )),
    }
}

/// Where a secret goes that the server makes; a credential without one must not name a file.
fn secret_file(
    reader: &Reader<'_>,
    (table, entry): (&Table, &Entry),
    method: &str,
    (client, label, secrets): (&str, &str, Option<&Path>),
) -> Result<Option<std::path::PathBuf>, Failure> {
    let path = "client.credential.secret_file";
    let makes = matches!(method, "client_secret" | "client_secret_jwt");
    match (table.get("secret_file"), makes) {
        (Some(file), true) => reader.path_of(file, path).map(Some),
        (Some(file), false) => {
            Err(reader.error(file.at, path, &format!("{method} has no secret to keep")))
        }
        (None, false) => Ok(None),
        (None, true) => match secrets {
            Some(directory) => Ok(Some(directory.join(format!("{}.{}.secret", plain(client), plain(label))))),
            None => Err(reader
                .error(entry.at, path, "the server makes a secret here, and nothing says where it goes")
                .hint("secret_file = \"…\", or secrets = \"DIRECTORY\" at the top of the file, or --secrets DIRECTORY")),
        },
    }
}

/// A text as part of a file name.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' })
        .collect()
}
