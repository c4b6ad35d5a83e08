//! `[[issuer]]`, and the conditions that issuers and credentials have.

use m2m_proto::jose::JwkSet;
use m2m_proto::spiffe::SpiffeBundle;
use serde_json::{Value, json};

use super::put;
use super::reader::{Entry, Reader, Table};
use crate::commands::admin::condition;
use crate::commands::admin::estate::{Members, WantedIssuer, issuer_defaults};
use crate::commands::admin::issuer::order;
use crate::exit::Failure;

const ISSUER: [&str; 13] = [
    "id",
    "name",
    "issuer",
    "trust_domain",
    "jwks_url",
    "jwks_file",
    "keys_file",
    "ca_file",
    "bearer_file",
    "audiences",
    "max_lifetime",
    "single_use",
    "conditions",
];

pub(super) fn issuer(reader: &Reader<'_>, entry: &Entry) -> Result<WantedIssuer, Failure> {
    let table = reader.table(entry, "issuer")?;
    table.only(reader, "issuer", &ISSUER)?;
    let id = reader.required(table, entry, ("issuer", "id"))?;
    let mut members = issuer_defaults(&id);
    for (key, value) in table.entries() {
        let path = format!("issuer.{key}");
        let value = match key {
            "id" | "keys_file" => continue,
            "audiences" => json!(reader.texts(value, &path)?),
            "max_lifetime" => Value::from(reader.seconds(value, &path)?),
            "single_use" => Value::from(reader.switch(value, &path)?),
            "conditions" => conditions(reader, value, &path)?,
            _ => Value::from(reader.text(value, &path)?),
        };
        put(&mut members, key, value);
    }
    named(reader, entry, &members)?;
    keys(reader, (table, entry), &mut members)?;
    Ok(WantedIssuer { id, members, place: reader.place(entry.at) })
}

fn named(reader: &Reader<'_>, entry: &Entry, members: &Members) -> Result<(), Failure> {
    let is = |name: &str| members.get(name).is_some_and(Value::is_string);
    match (is("issuer"), is("trust_domain")) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(reader
            .error(entry.at, "issuer.issuer", "is missing")
            .hint("issuer is what its tokens have as iss; trust_domain is for JWT-SVIDs")),
        (true, true) => {
            Err(reader.error(entry.at, "issuer.trust_domain", "an issuer is named by one of the two"))
        }
    }
}

/// Where the keys are, if it is one place; else what the metadata of the issuer says.
fn keys(reader: &Reader<'_>, (table, entry): (&Table, &Entry), members: &mut Members) -> Result<(), Failure> {
    let places = ["jwks_url", "jwks_file", "keys_file"];
    let mut named = places.iter().filter_map(|place| Some((*place, table.get(place)?)));
    if let (Some(_), Some((place, value))) = (named.next(), named.next()) {
        return Err(reader.error(
            value.at,
            &format!("issuer.{place}"),
            "the keys are in another place already",
        ));
    }
    let Some(value) = table.get("keys_file") else {
        let discovered = places.iter().all(|place| table.get(place).is_none());
        if discovered && table.get("trust_domain").is_some() {
            let problem = "a trust domain has its keys at jwks_url, in jwks_file or in keys_file";
            return Err(reader.error(entry.at, "issuer.jwks_url", problem));
        }
        if discovered {
            put(members, "discovery", Value::Bool(true));
        }
        return Ok(());
    };
    let path = "issuer.keys_file";
    let file = reader.path_of(value, path)?;
    let set = order::keys(&file).and_then(|set| usable(&set, table.get("trust_domain")));
    let told = |why: String| reader.error(value.at, path, &format!("{}: {why}", file.display()));
    put(members, "jwks", set.map_err(told)?);
    Ok(())
}

/// The keys that the server keeps of a set, in the form in which it shows them.
fn usable(set: &Value, trust_domain: Option<&Entry>) -> Result<Value, String> {
    let text = set.to_string();
    let bundle = SpiffeBundle::decode(text.as_bytes()).ok().map(SpiffeBundle::into_keys);
    let kept = match bundle.filter(|bundle| trust_domain.is_some() && !bundle.keys().is_empty()) {
        Some(bundle) => bundle,
        None => JwkSet::decode(text.as_bytes()).map_err(|error| error.to_string())?,
    };
    if kept.keys().is_empty() {
        return Err("it has no key that can be used".to_owned());
    }
    let encoded = JwkSet::encode(kept.keys().iter().map(AsRef::as_ref));
    serde_json::from_slice(&encoded).map_err(|error| error.to_string())
}

/// Conditions as they are typed: `"repository_owner=acme"`.
pub(super) fn conditions(reader: &Reader<'_>, entry: &Entry, path: &str) -> Result<Value, Failure> {
    let mut conditions = Vec::new();
    for one in reader.list(entry, path)? {
        let typed = reader.text(one, path)?;
        let condition = condition::read(&typed).map_err(|why| {
            reader
                .error(one.at, path, &format!("{typed:?}: {why}"))
                .hint("for example \"repository=acme/app\", or \"ref~=refs/heads/*\"")
        })?;
        conditions.push(condition);
    }
    Ok(Value::Array(conditions))
}
