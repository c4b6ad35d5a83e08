//! `m2m admin issuer …`: platforms whose tokens stand for clients, and why such a token is accepted or not.
//!
//! Enforces: a token that is explained comes from a file or standard input, and is in no note and no error; of keys
//! only public ones leave this machine. What an issuer may be, the server judges.

use std::path::Path;

use http::Method;
use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Map, Value, json};

use super::api::deleted;
use super::http::{Call, Caller, object_path};
use super::shown::{self, text};
use super::table::{NOTHING, Table};
use super::typed::Members;
use super::{condition, confirm, moment};
use crate::Surroundings;
use crate::args::admin::{IssuerCommand, IssuerCreate, IssuerExplain};
use crate::commands::typed_token;
use crate::exit::{Exit, Failure};
use crate::output::Reader;

const COLLECTION: &str = "issuers";

/// The largest file of keys that is read.
const MAX_BYTES: u64 = 256 * 1024;

/// The order in which a person wants the members.
const ORDER: &[&str] = &[
    "id",
    "name",
    "issuer",
    "trust_domain",
    "status",
    "jwks_url",
    "jwks_file",
    "jwks",
    "discovery",
    "ca_file",
    "bearer_file",
    "audiences",
    "max_lifetime",
    "single_use",
    "conditions",
    "created_at",
    "version",
];

pub(super) async fn run(command: &IssuerCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        IssuerCommand::Create(typed) => {
            let body = Value::Object(ordered(typed)?);
            let answer = Caller::open(around).await?.send(Call::post(format!("/{COLLECTION}"), body)).await?;
            shown::object(&answer.object, ORDER, around)?;
        }
        IssuerCommand::List => list(around).await?,
        IssuerCommand::Show(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            shown::object(&Caller::open(around).await?.get(path).await?, ORDER, around)?;
        }
        IssuerCommand::Disable(typed) => {
            let question = format!("disable {}? whoever comes with its tokens is refused", typed.id);
            confirm::ask(typed.confirmation, &question, around)?;
            act(&typed.id, ("/disable", "disabled"), around).await?;
        }
        IssuerCommand::Enable(typed) => act(&typed.id, ("/enable", "enabled"), around).await?,
        IssuerCommand::Delete(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            confirm::ask(typed.confirmation, &format!("trust {} no more?", typed.id), around)?;
            let call = Call { if_version: typed.if_version.clone(), ..Call::of(Method::DELETE, path) };
            let answer = Caller::open(around).await?.send(call).await?;
            deleted(("id", &typed.id), &answer.object, around)?;
        }
        IssuerCommand::Explain(typed) => return explain(typed, around).await,
    }
    Ok(Exit::Ok)
}

async fn act(id: &str, (below, is): (&str, &str), around: &Surroundings) -> Result<(), Failure> {
    let path = object_path(COLLECTION, id, below)?;
    let answer = Caller::open(around).await?.send(Call::of(Method::POST, path)).await?;
    super::client::withdrawn(&format!("issuer {id} is {is}"), &answer.object, around)
}

async fn list(around: &Surroundings) -> Result<(), Failure> {
    let issuers = Caller::open(around).await?.list(&format!("/{COLLECTION}"), &[]).await?;
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Array(issuers));
    }
    let mut table = Table::of(["ID", "STATUS", "ISSUER", "KEYS", "CONDITIONS"]);
    for issuer in issuers.iter().filter_map(Value::as_object) {
        let conditions = issuer.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let named = match text(issuer, "trust_domain") {
            "" => text(issuer, "issuer").to_owned(),
            domain => format!("spiffe://{domain}"),
        };
        table.rows.push([
            text(issuer, "id").to_owned(),
            text(issuer, "status").to_owned(),
            named,
            place(issuer).to_owned(),
            conditions.iter().map(condition::written).collect::<Vec<_>>().join(" "),
        ]);
    }
    table.write("there is no trusted issuer; m2m admin issuer create makes one", &around.output)
}

/// Where the keys of an issuer are, for a table.
fn place(issuer: &Map<String, Value>) -> &str {
    match (text(issuer, "jwks_url"), text(issuer, "jwks_file"), issuer.contains_key("jwks")) {
        ("", "", true) => "given",
        ("", "", false) => "discovered",
        ("", file, _) => file,
        (url, ..) => url,
    }
}

/// The body of a new issuer.
fn ordered(typed: &IssuerCreate) -> Result<Members, Failure> {
    let mut members = Members::new();
    members.insert("id".to_owned(), Value::from(typed.id.as_str()));
    for (name, text) in [
        ("issuer", &typed.iss),
        ("trust_domain", &typed.trust_domain),
        ("jwks_url", &typed.jwks_url),
        ("jwks_file", &typed.jwks_file),
        ("ca_file", &typed.ca_file),
        ("bearer_file", &typed.bearer_file),
        ("name", &typed.name),
    ] {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    if let Some(path) = &typed.keys_file {
        members.insert("jwks".to_owned(), keys(path)?);
    }
    if !typed.audience.is_empty() {
        members.insert("audiences".to_owned(), json!(typed.audience));
    }
    if let Some(span) = &typed.max_lifetime {
        let seconds = moment::seconds("--max-lifetime", span, "1h")?;
        members.insert("max_lifetime".to_owned(), Value::from(seconds));
    }
    if typed.single_use {
        members.insert("single_use".to_owned(), Value::Bool(true));
    }
    if !typed.condition.is_empty() {
        members.insert("conditions".to_owned(), condition::all(&typed.condition)?);
    }
    Ok(members)
}

/// A key set or a bundle as it is, if nothing in it is private.
fn keys(path: &Path) -> Result<Value, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| Failure::usage(format!("--keys-file {}: {why}", path.display()));
    let bytes = m2m_io::file::read_file(path, MAX_BYTES).map_err(|error| wrong(&error))?;
    let object = parse_object(&bytes, &JsonLimits::DOCUMENT).map_err(|error| wrong(&error))?;
    let Some(Value::Array(keys)) = object.get("keys") else {
        return Err(wrong(&"expected a JWK set").hint("an object with the member keys"));
    };
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    if keys.iter().any(|key| private.iter().any(|member| key.get(*member).is_some())) {
        return Err(wrong(
            &"it holds a private key, which must not leave its machine; the public half is wanted",
        ));
    }
    // What else stands in a bundle is of no use here, and the server refuses what it does not know.
    Ok(json!({"keys": keys}))
}

async fn explain(typed: &IssuerExplain, around: &Surroundings) -> Result<Exit, Failure> {
    let token = typed_token::read(&typed.token)?;
    let mut body = Members::new();
    body.insert("token".to_owned(), Value::from(token.expose().as_str()));
    if let Some(client) = &typed.client {
        body.insert("client_id".to_owned(), Value::from(client.as_str()));
    }
    let call = Call::post(format!("/{COLLECTION}/explain"), Value::Object(body));
    let answer = Caller::open(around).await?.send(call).await?.object;
    let exit = match answer.get("accepted") {
        Some(Value::Bool(true)) => Exit::Ok,
        _ => Exit::VerificationFailed,
    };
    if around.output.reader() == Reader::Program {
        around.output.json(&Value::Object(answer))?;
    } else {
        told(&answer, exit, around)?;
    }
    Ok(exit)
}

fn told(answer: &Map<String, Value>, exit: Exit, around: &Surroundings) -> Result<(), Failure> {
    let or_nothing = |name: &str| match text(answer, name) {
        "" => NOTHING.to_owned(),
        found => found.to_owned(),
    };
    let verdict = match exit {
        Exit::Ok => format!("accepted as client {}", text(answer, "client_id")),
        _ => format!("refused: {}", failed(answer)),
    };
    for (name, value) in [
        ("verdict", verdict),
        ("issuer", or_nothing("issuer")),
        ("external_subject", or_nothing("external_subject")),
        ("credential_id", or_nothing("credential_id")),
    ] {
        around.output.result(&crate::output::printable(&format!("{name:<18}{value}")))?;
    }
    around.output.result("")?;
    let mut table = Table::of(["CHECK", "VERDICT", "EXPECTED", "FOUND"]);
    push(&mut table, answer);
    let mappings = answer.get("mappings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for mapping in mappings.iter().filter_map(Value::as_object) {
        let of = format!("{} of {}", text(mapping, "credential_id"), text(mapping, "client_id"));
        table.rows.push([of, String::new(), String::new(), String::new()]);
        push(&mut table, mapping);
    }
    table.write("there is nothing to check", &around.output)
}

/// The names of the failed checks.
fn failed(answer: &Map<String, Value>) -> String {
    let names = answer.get("failed").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn push(table: &mut Table<4>, of: &Map<String, Value>) {
    let checks = of.get("checks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for check in checks.iter().filter_map(Value::as_object) {
        let cell = |name: &str| text(check, name).to_owned();
        table.rows.push([
            format!("  {}", text(check, "check")),
            cell("verdict").replace('_', " "),
            cell("expected"),
            cell("found"),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(change: impl FnOnce(&mut IssuerCreate)) -> Result<Value, Failure> {
        let mut typed = IssuerCreate { id: "one".to_owned(), ..IssuerCreate::default() };
        change(&mut typed);
        ordered(&typed).map(Value::Object)
    }

    #[test]
    fn an_order_says_what_was_typed_and_nothing_else() {
        let iss = "https://token.actions.githubusercontent.com".to_owned();
        let body = create(|typed| typed.iss = Some(iss.clone())).unwrap();
        assert_eq!(body, json!({"id": "one", "issuer": iss}));
        let body = create(|typed| {
            typed.trust_domain = Some("prod.example".to_owned());
            typed.jwks_url = Some("https://spire.example/bundle".to_owned());
            typed.audience = vec!["a".to_owned()];
            typed.max_lifetime = Some("10m".to_owned());
            typed.single_use = true;
            typed.condition = vec!["/kubernetes.io/namespace=prod".to_owned()];
        });
        assert_eq!(
            body.unwrap(),
            json!({
                "id": "one", "trust_domain": "prod.example", "jwks_url": "https://spire.example/bundle",
                "audiences": ["a"], "max_lifetime": 600, "single_use": true,
                "conditions": [{"claim": "/kubernetes.io/namespace", "equals": "prod"}],
            })
        );
        assert_eq!(
            create(|typed| typed.max_lifetime = Some("0".to_owned())).unwrap_err().exit(),
            Exit::Usage
        );
    }

    #[test]
    fn only_public_keys_leave_this_machine() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.json");
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            keys(&path)
        };
        let bundle = r#"{"keys":[{"kty":"EC","use":"jwt-svid"}],"spiffe_refresh_hint":60}"#;
        assert_eq!(check(bundle).unwrap(), json!({"keys": [{"kty": "EC", "use": "jwt-svid"}]}));
        for bad in
            [r#"{"keys":[{"kty":"EC","d":"canary"}]}"#, r#"{"keys":[{"kty":"oct","k":"canary"}]}"#, "{}", ""]
        {
            let failure = check(bad).unwrap_err();
            assert!(!failure.message().contains("canary"), "{failure:?}");
        }
    }
}
