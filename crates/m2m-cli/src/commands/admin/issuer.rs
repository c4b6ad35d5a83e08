//! `m2m admin issuer …`: platforms whose tokens stand for clients, and why such a token is accepted or not.
//!
//! Enforces: a token that is explained comes from a file or standard input, and is in no note and no error.
//! What is ordered of an issuer is in [`order`].

pub(super) mod order;

use http::Method;
use serde_json::{Map, Value};

use super::api::{check_something, deleted};
use super::http::{Call, Caller, object_path};
use super::shown::{self, text};
use super::table::{NOTHING, Table};
use super::typed::Members;
use super::{condition, confirm};
use crate::Surroundings;
use crate::args::admin::{IssuerCommand, IssuerExplain, IssuerUpdate};
use crate::commands::typed_token;
use crate::exit::{Exit, Failure};
use crate::output::Reader;

const COLLECTION: &str = "issuers";

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
            let body = Value::Object(order::created(typed)?);
            let answer = Caller::open(around).await?.send(Call::post(format!("/{COLLECTION}"), body)).await?;
            shown::object(&answer.object, ORDER, around)?;
        }
        IssuerCommand::List => list(around).await?,
        IssuerCommand::Show(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            shown::object(&Caller::open(around).await?.get(path).await?, ORDER, around)?;
        }
        IssuerCommand::Update(typed) => update(typed, around).await?,
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

async fn update(typed: &IssuerUpdate, around: &Surroundings) -> Result<(), Failure> {
    let path = object_path(COLLECTION, &typed.id, "")?;
    let members = order::changed(&typed.fields)?;
    check_something(&members)?;
    let call = Call::patch(path, Value::Object(members), typed.if_version.clone());
    let answer = Caller::open(around).await?.send(call).await?;
    shown::object(&answer.object, ORDER, around)
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
