//! `m2m admin api …`: what a token can be for.
//!
//! An update names what changes; lists of scopes and resource servers are read first and written back under the
//! version that was read, so that nobody's change in between is lost (412 then).

use http::Method;
use serde_json::{Map, Value, json};

use super::http::{Call, Caller, object_path};
use super::shown::{self, number, text, texts};
use super::table::Table;
use super::typed::{self, Members};
use super::{confirm, moment};
use crate::Surroundings;
use crate::args::admin::{ApiCommand, ApiCreate, ApiFields, ApiUpdate};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

const COLLECTION: &str = "apis";

/// The order in which a person wants the members.
const ORDER: &[&str] = &[
    "identifier",
    "name",
    "scopes",
    "format",
    "lifetime",
    "alg",
    "sender_constraint",
    "resource_servers",
    "created_at",
    "version",
];

pub(super) async fn run(command: &ApiCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        ApiCommand::Create(typed) => {
            let body = Value::Object(created(typed)?);
            let caller = Caller::open(around).await?;
            let answer = caller.send(Call::post(format!("/{COLLECTION}"), body)).await?;
            shown::object(&answer.object, ORDER, around)?;
        }
        ApiCommand::List => list(&Caller::open(around).await?, around).await?,
        ApiCommand::Show(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            shown::object(&Caller::open(around).await?.get(path).await?, ORDER, around)?;
        }
        ApiCommand::Update(typed) => update(typed, around).await?,
        ApiCommand::Delete(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            let question = format!("delete the API {}? nobody can get tokens for it any more", typed.id);
            confirm::ask(typed.confirmation, &question, around)?;
            let call = Call { if_version: typed.if_version.clone(), ..Call::of(Method::DELETE, path) };
            let answer = Caller::open(around).await?.send(call).await?;
            deleted(("identifier", &typed.id), &answer.object, around)?;
        }
    }
    Ok(Exit::Ok)
}

/// Says that an object is gone.
///
/// # Errors
/// As [`Output::json`](crate::output::Output::json).
pub(super) fn deleted(
    (name, id): (&str, &str),
    answer: &Map<String, Value>,
    around: &Surroundings,
) -> Result<(), Failure> {
    if around.output.reader() == Reader::Person {
        around.output.note(&format!("{id} is deleted"));
        return Ok(());
    }
    match answer.is_empty() {
        true => around.output.json(&json!({name: id, "deleted": true})),
        false => around.output.json(&Value::Object(answer.clone())),
    }
}

async fn list(caller: &Caller, around: &Surroundings) -> Result<(), Failure> {
    let apis = caller.list(&format!("/{COLLECTION}"), &[]).await?;
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Array(apis));
    }
    let mut table = Table::of(["IDENTIFIER", "SCOPES", "FORMAT", "LIFETIME", "ALG", "BOUND BY"]);
    for api in apis.iter().filter_map(Value::as_object) {
        table.rows.push([
            text(api, "identifier").to_owned(),
            texts(api, "scopes", "scope"),
            text(api, "format").to_owned(),
            number(api, "lifetime").map(moment::span).unwrap_or_default(),
            text(api, "alg").to_owned(),
            text(api, "sender_constraint").replace("none", ""),
        ]);
    }
    table.write("there is no API; m2m admin api create makes one", &around.output)
}

async fn update(typed: &ApiUpdate, around: &Surroundings) -> Result<(), Failure> {
    let path = object_path(COLLECTION, &typed.identifier, "")?;
    let fields = &typed.fields;
    let lists = [
        &fields.scope,
        &fields.describe,
        &typed.no_scope,
        &fields.resource_server,
        &typed.no_resource_server,
    ];
    // What can be said without the server is said before it is asked.
    let mut members = stated(fields)?;
    let caller = Caller::open(around).await?;
    let mut if_version = typed.if_version.clone();
    if lists.iter().any(|list| !list.is_empty()) {
        let current = caller.get(path.clone()).await?;
        changed_lists(typed, &current, &mut members)?;
        if_version = if_version.or_else(|| version(&current));
    }
    check_something(&members)?;
    let answer = caller.send(Call::patch(path, Value::Object(members), if_version)).await?;
    shown::object(&answer.object, ORDER, around)
}

/// The version of an object, as `If-Match` names it.
pub(super) fn version(object: &Map<String, Value>) -> Option<String> {
    match object.get("version")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// That an update changes something.
///
/// # Errors
/// Exit 2.
pub(super) fn check_something(members: &Members) -> Result<(), Failure> {
    if !members.is_empty() {
        return Ok(());
    }
    Err(Failure::usage("nothing is named that shall change").hint("--help shows what can be changed"))
}

/// The body of a new API.
fn created(typed: &ApiCreate) -> Result<Members, Failure> {
    let fields = &typed.fields;
    let mut members = stated(fields)?;
    members.insert("identifier".to_owned(), Value::from(typed.identifier.as_str()));
    let names = typed::scopes("--scope", &fields.scope)?;
    let mut scopes: Vec<Value> = names.iter().map(|name| Value::from(name.as_str())).collect();
    describe(&fields.describe, &names, &mut scopes)?;
    members.insert("scopes".to_owned(), Value::Array(scopes));
    if !fields.resource_server.is_empty() {
        members.insert("resource_servers".to_owned(), typed::list(&fields.resource_server));
    }
    Ok(members)
}

/// All but the lists.
fn stated(fields: &ApiFields) -> Result<Members, Failure> {
    let mut members = Members::new();
    typed::put_text(&mut members, "name", fields.name.as_ref());
    if let Some(format) = fields.format {
        members.insert("format".to_owned(), Value::from(format.as_str()));
    }
    typed::put(&mut members, "lifetime", fields.lifetime.as_ref(), |text| {
        moment::seconds("--lifetime", text, "10m")
    })?;
    typed::put_text(&mut members, "alg", fields.alg.as_ref());
    if let Some(constraint) = fields.sender_constraint {
        members.insert("sender_constraint".to_owned(), Value::from(constraint.as_str()));
    }
    Ok(members)
}

fn changed_lists(
    typed: &ApiUpdate,
    current: &Map<String, Value>,
    members: &mut Members,
) -> Result<(), Failure> {
    let fields = &typed.fields;
    if !(fields.scope.is_empty() && fields.describe.is_empty() && typed.no_scope.is_empty()) {
        let mut scopes = current.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
        for gone in typed::scopes("--no-scope", &typed.no_scope)? {
            let before = scopes.len();
            scopes.retain(|scope| scope_name(scope) != gone);
            if scopes.len() == before {
                return Err(Failure::usage(format!("--no-scope: the API has no scope {gone}")));
            }
        }
        for name in typed::scopes("--scope", &fields.scope)? {
            if scopes.iter().all(|scope| scope_name(scope) != name) {
                scopes.push(Value::from(name));
            }
        }
        let names: Vec<String> = scopes.iter().map(|scope| scope_name(scope).to_owned()).collect();
        describe(&fields.describe, &names, &mut scopes)?;
        members.insert("scopes".to_owned(), Value::Array(scopes));
    }
    if !(fields.resource_server.is_empty() && typed.no_resource_server.is_empty()) {
        let mut servers = typed::texts_of(current.get("resource_servers"));
        servers.retain(|server| !typed.no_resource_server.contains(server));
        let fresh = fields.resource_server.iter().filter(|server| !servers.contains(server));
        let fresh: Vec<String> = fresh.cloned().collect();
        servers.extend(fresh);
        members.insert("resource_servers".to_owned(), typed::list(&servers));
    }
    Ok(())
}

fn scope_name(scope: &Value) -> &str {
    scope.as_object().map_or_else(|| scope.as_str().unwrap_or_default(), |scope| text(scope, "scope"))
}

/// Gives scopes their descriptions; an empty one takes it away.
fn describe(typed: &[String], names: &[String], scopes: &mut [Value]) -> Result<(), Failure> {
    let example = ("among the scopes", "'orders:read=read orders'");
    for text in typed {
        let (index, description) = typed::of_one("--describe", text, names, example)?;
        if let (Some(scope), Some(name)) = (scopes.get_mut(index), names.get(index)) {
            *scope = match description {
                "" => Value::from(name.as_str()),
                description => json!({"scope": name, "description": description}),
            };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::admin::AdminCommand;
    use crate::args::{Cli, Command};

    fn parse(words: &[&str]) -> ApiCommand {
        let words = ["m2m", "admin", "api"].iter().chain(words);
        let Command::Admin(admin) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        let AdminCommand::Api(api) = admin.command else { unreachable!() };
        api.command
    }

    fn create(words: &[&str]) -> Result<String, Failure> {
        let ApiCommand::Create(typed) = parse(words) else { unreachable!() };
        Ok(Value::Object(created(&typed)?).to_string())
    }

    fn change(words: &[&str], current: &Value) -> Result<String, Failure> {
        let ApiCommand::Update(typed) = parse(words) else { unreachable!() };
        let mut members = stated(&typed.fields)?;
        changed_lists(&typed, current.as_object().unwrap(), &mut members)?;
        Ok(Value::Object(members).to_string())
    }

    #[test]
    fn what_is_typed_becomes_the_body() {
        assert_eq!(
            create(&["create", "https://a.example", "--scope", "r w"]).unwrap(),
            r#"{"identifier":"https://a.example","scopes":["r","w"]}"#
        );
        let all = [
            "create",
            "https://a.example",
            "--scope=r",
            "--scope=w",
            "--describe=w=write = change",
            "--name=Orders",
            "--format=opaque",
            "--lifetime=10m",
            "--alg=EdDSA",
            "--sender-constraint=dpop",
            "--resource-server=orders-api",
        ];
        assert_eq!(
            create(&all).unwrap(),
            "{\"alg\":\"EdDSA\",\"format\":\"opaque\",\"identifier\":\"https://a.example\",\"lifetime\":600,\
             \"name\":\"Orders\",\"resource_servers\":[\"orders-api\"],\
             \"scopes\":[\"r\",{\"description\":\"write = change\",\"scope\":\"w\"}],\"sender_constraint\":\"dpop\"}"
        );
        for bad in [["--lifetime=soon"], ["--scope= "], ["--describe=x=y"]] {
            let failure = create(&["create", "a", bad[0]]).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{bad:?}");
            assert!(failure.advice().unwrap().starts_with("for example --"), "{failure:?}");
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let current = json!({
            "scopes": [{"scope": "r", "description": "read"}, "w"],
            "resource_servers": ["one", "two"], "name": "Orders",
        });
        let check = |words: &[&str], expect: &str| {
            let words: Vec<&str> = ["update", "a"].iter().chain(words).copied().collect();
            assert_eq!(change(&words, &current).unwrap(), expect, "{words:?}");
        };
        check(&["--lifetime=60", "--name="], r#"{"lifetime":60,"name":null}"#);
        check(&["--scope=x", "--no-scope=w"], r#"{"scopes":[{"description":"read","scope":"r"},"x"]}"#);
        check(&["--describe=r="], r#"{"scopes":["r","w"]}"#);
        check(
            &["--resource-server=three", "--no-resource-server=one"],
            r#"{"resource_servers":["two","three"]}"#,
        );
        assert!(change(&["update", "a", "--no-scope=z"], &current).is_err());
        assert!(check_something(&Members::new()).is_err());
    }
}
