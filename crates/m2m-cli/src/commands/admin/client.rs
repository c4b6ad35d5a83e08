//! `m2m admin client …`: who may ask for tokens, and for which.
//!
//! An update of grants reads the client first and writes it back under the version that was read, so that the grants
//! of other APIs stay and nobody's change in between is lost (412 then).

use http::Method;
use serde_json::{Map, Value, json};

use super::api::{check_something, deleted, version};
use super::http::{Call, Caller, object_path};
use super::shown::{self, bound, text};
use super::table::Table;
use super::typed::{self, Members};
use super::{confirm, moment};
use crate::Surroundings;
use crate::args::admin::{ClientCommand, ClientCreate, ClientFields, ClientUpdate};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

const COLLECTION: &str = "clients";

/// The order in which a person wants the members.
const ORDER: &[&str] = &[
    "id",
    "name",
    "owner",
    "purpose",
    "status",
    "grants",
    "unused_scopes",
    "lifetime_cap",
    "sender_constraint",
    "mint_quota",
    "allowed_networks",
    "token_exchange",
    "review_by",
    "review_overdue",
    "created_at",
    "version",
];

pub(super) async fn run(command: &ClientCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        ClientCommand::Create(typed) => {
            let body = Value::Object(created(typed)?);
            let caller = Caller::open(around).await?;
            let answer = caller.send(Call::post(format!("/{COLLECTION}"), body)).await?;
            shown::object(&answer.object, ORDER, around)?;
        }
        ClientCommand::List => list(&Caller::open(around).await?, around).await?,
        ClientCommand::Show(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            shown::object(&Caller::open(around).await?.get(path).await?, ORDER, around)?;
        }
        ClientCommand::Update(typed) => update(typed, around).await?,
        ClientCommand::Enable(typed) => act(&typed.id, Act::Enable, around).await?,
        ClientCommand::Disable(typed) => {
            let question = format!("disable {}? its tokens are inactive until it is enabled again", typed.id);
            confirm::ask(typed.confirmation, &question, around)?;
            act(&typed.id, Act::Disable, around).await?;
        }
        ClientCommand::Revoke(typed) => {
            let question = format!("revoke {} for good, with all its credentials and tokens?", typed.id);
            confirm::ask(typed.confirmation, &question, around)?;
            act(&typed.id, Act::Revoke, around).await?;
        }
        ClientCommand::Delete(typed) => {
            let path = object_path(COLLECTION, &typed.id, "")?;
            let question = format!("delete {}, with all its credentials?", typed.id);
            confirm::ask(typed.confirmation, &question, around)?;
            let call = Call { if_version: typed.if_version.clone(), ..Call::of(Method::DELETE, path) };
            let answer = Caller::open(around).await?.send(call).await?;
            deleted(("id", &typed.id), &answer.object, around)?;
        }
    }
    Ok(Exit::Ok)
}

/// What changes a client's status.
#[derive(Clone, Copy)]
enum Act {
    Disable,
    Enable,
    Revoke,
}

impl Act {
    /// Its place below the client, and what the client is then.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Disable => ("/disable", "disabled"),
            Self::Enable => ("/enable", "enabled"),
            Self::Revoke => ("/revoke", "revoked"),
        }
    }
}

async fn act(id: &str, act: Act, around: &Surroundings) -> Result<(), Failure> {
    let (below, is) = act.names();
    let path = object_path(COLLECTION, id, below)?;
    let answer = Caller::open(around).await?.send(Call::of(Method::POST, path)).await?;
    withdrawn(&format!("client {id} is {is}"), &answer.object, around)
}

/// Says what became of something, and when everybody sees it.
///
/// # Errors
/// As [`Output::result`](crate::output::Output::result).
pub(super) fn withdrawn(
    what: &str,
    answer: &Map<String, Value>,
    around: &Surroundings,
) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Object(answer.clone()));
    }
    let what = crate::output::printable(what);
    match answer.get("effective").and_then(Value::as_object) {
        Some(effective) => around.output.result(&format!("{what}: {}", bound(effective))),
        None => around.output.result(&what),
    }
}

async fn list(caller: &Caller, around: &Surroundings) -> Result<(), Failure> {
    let clients = caller.list(&format!("/{COLLECTION}"), &[]).await?;
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Array(clients));
    }
    let mut table = Table::of(["ID", "STATUS", "OWNER", "REVIEW BY", "GRANTS"]);
    for client in clients.iter().filter_map(Value::as_object) {
        let overdue = client.get("review_overdue") == Some(&Value::Bool(true));
        let review = text(client, "review_by");
        table.rows.push([
            text(client, "id").to_owned(),
            text(client, "status").to_owned(),
            text(client, "owner").to_owned(),
            if overdue { format!("{review} (overdue)") } else { review.to_owned() },
            grants(client),
        ]);
    }
    table.write("there is no client; m2m admin client create makes one", &around.output)
}

fn grants(client: &Map<String, Value>) -> String {
    let list = client.get("grants").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of = |grant: &Map<String, Value>| {
        format!("{}={}", text(grant, "api"), typed::texts_of(grant.get("scopes")).join(","))
    };
    list.iter().filter_map(Value::as_object).map(of).collect::<Vec<_>>().join(" ")
}

async fn update(typed: &ClientUpdate, around: &Surroundings) -> Result<(), Failure> {
    let path = object_path(COLLECTION, &typed.id, "")?;
    let fields = &typed.fields;
    let lists = [&fields.grant, &fields.default_scope, &fields.role, &fields.permission, &typed.no_grant];
    // What can be said without the server is said before it is asked.
    let mut members = stated(fields)?;
    let caller = Caller::open(around).await?;
    let mut if_version = typed.if_version.clone();
    if lists.iter().any(|list| !list.is_empty()) {
        let current = caller.get(path.clone()).await?;
        let grants = current.get("grants").and_then(Value::as_array).cloned().unwrap_or_default();
        members.insert("grants".to_owned(), Value::Array(changed_grants(fields, &typed.no_grant, grants)?));
        if_version = if_version.or_else(|| version(&current));
    }
    check_something(&members)?;
    let answer = caller.send(Call::patch(path, Value::Object(members), if_version)).await?;
    shown::object(&answer.object, ORDER, around)
}

/// The body of a new client.
fn created(typed: &ClientCreate) -> Result<Members, Failure> {
    let mut members = stated(&typed.fields)?;
    members.insert("id".to_owned(), Value::from(typed.id.as_str()));
    members.insert("grants".to_owned(), Value::Array(changed_grants(&typed.fields, &[], Vec::new())?));
    Ok(members)
}

/// All but the grants.
fn stated(fields: &ClientFields) -> Result<Members, Failure> {
    let mut members = Members::new();
    for (name, text) in [("name", &fields.name), ("owner", &fields.owner), ("purpose", &fields.purpose)] {
        typed::put_text(&mut members, name, text.as_ref());
    }
    typed::put(&mut members, "review_by", fields.review_by.as_ref(), |text| {
        typed::date("--review-by", text)
    })?;
    typed::put(&mut members, "lifetime_cap", fields.lifetime_cap.as_ref(), |text| {
        moment::seconds("--lifetime-cap", text, "5m")
    })?;
    if let Some(constraint) = fields.sender_constraint {
        members.insert("sender_constraint".to_owned(), Value::from(constraint.as_str()));
    }
    typed::put(&mut members, "mint_quota", fields.mint_quota.as_ref(), |text| {
        typed::count("--mint-quota", text)
    })?;
    if !fields.allowed_network.is_empty() {
        let networks: Vec<String> =
            fields.allowed_network.iter().filter(|text| !text.is_empty()).cloned().collect();
        members.insert("allowed_networks".to_owned(), typed::list(&networks));
    }
    if let Some(allowed) = fields.token_exchange {
        members.insert("token_exchange".to_owned(), Value::from(allowed));
    }
    Ok(members)
}

/// The grants after what was typed: each flag replaces what is said of its API, the rest stays.
fn changed_grants(
    fields: &ClientFields,
    gone: &[String],
    mut grants: Vec<Value>,
) -> Result<Vec<Value>, Failure> {
    for api in gone {
        let before = grants.len();
        grants.retain(|grant| api_of(grant) != api);
        if grants.len() == before {
            return Err(Failure::usage(format!("--no-grant: nothing is granted at {api}")));
        }
    }
    for (api, scopes) in merged("--grant", &fields.grant)? {
        match grants.iter_mut().find(|grant| api_of(grant) == api).and_then(Value::as_object_mut) {
            Some(grant) => replace_scopes(grant, &scopes),
            None => grants.push(json!({"api": api, "scopes": scopes})),
        }
    }
    let names: Vec<String> = grants.iter().map(|grant| api_of(grant).to_owned()).collect();
    for (api, scopes) in merged("--default-scope", &fields.default_scope)? {
        let grant = grants.iter_mut().find(|grant| api_of(grant) == api).and_then(Value::as_object_mut);
        let grant = grant.ok_or_else(|| {
            Failure::usage(format!("--default-scope: nothing is granted at {api}"))
                .hint("--grant API=SCOPE,SCOPE grants scopes there")
        })?;
        grant.insert("default_scopes".to_owned(), typed::list(&scopes));
    }
    set_claims(&mut grants, &names, ("--role", "roles", &fields.role))?;
    set_claims(&mut grants, &names, ("--permission", "permissions", &fields.permission))?;
    Ok(grants)
}

/// `API=VALUE` flags: those of one API replace the member of its grant; `API=` alone takes all away.
fn set_claims(
    grants: &mut [Value],
    names: &[String],
    (flag, member, typed): (&str, &str, &[String]),
) -> Result<(), Failure> {
    let expected = ("an API at which something is granted", "https://orders.example=NAME");
    let mut of_api: Vec<Option<Vec<String>>> = vec![None; grants.len()];
    for text in typed {
        let (index, value) = typed::of_one(flag, text, names, expected)?;
        if let Some(list) = of_api.get_mut(index) {
            list.get_or_insert_default().extend((!value.is_empty()).then(|| value.to_owned()));
        }
    }
    for (grant, list) in grants.iter_mut().filter_map(Value::as_object_mut).zip(of_api) {
        if let Some(list) = list {
            grant.insert(member.to_owned(), typed::list(&list));
        }
    }
    Ok(())
}

/// `API=S1,S2` flags, those of one API together.
fn merged(flag: &str, typed: &[String]) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for text in typed {
        let (api, scopes) = typed::granted(flag, text)?;
        match all.iter_mut().find(|(known, _)| *known == api) {
            Some((_, list)) => list.extend(scopes),
            None => all.push((api, scopes)),
        }
    }
    Ok(all)
}

fn api_of(grant: &Value) -> &str {
    grant.as_object().map(|grant| text(grant, "api")).unwrap_or_default()
}

/// Defaults that were all scopes are all of the changed ones too; others keep what is still granted, be it nothing: to
/// the server a grant without the member gives everything unasked, one with an empty list gives nothing.
fn replace_scopes(grant: &mut Map<String, Value>, scopes: &[String]) {
    let before = typed::texts_of(grant.get("scopes"));
    if let Some(member) = grant.remove("default_scopes") {
        let mut defaults = typed::texts_of(Some(&member));
        if !before.iter().all(|scope| defaults.contains(scope)) {
            defaults.retain(|scope| scopes.contains(scope));
            grant.insert("default_scopes".to_owned(), typed::list(&defaults));
        }
    }
    grant.insert("scopes".to_owned(), typed::list(scopes));
}

#[cfg(test)]
mod tests;
