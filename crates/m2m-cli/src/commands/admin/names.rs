//! The names of what is registered, for completion: as many as one page holds, as soon as they are known.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::http::{Caller, PAGE, object_path};
use crate::Surroundings;
use crate::exit::Failure;

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By identifier.
    Api,
    /// By `client_id`.
    Client,
    /// By id; of all clients, or of one.
    Credential,
    /// Trusted issuers, by their id here.
    Issuer,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) id: String,
    /// For people.
    pub(crate) title: Option<String>,
    /// Of an API.
    pub(crate) scopes: Vec<String>,
}

/// Where names go while more are asked for.
pub(crate) type Sink = RefCell<Vec<Name>>;

/// Fills the sink, one list after the other. For credentials of no client in particular every client is asked.
///
/// # Errors
/// As [`Caller::open`] and [`Caller::page`]; what came before stays in the sink.
pub(crate) async fn collect(
    kind: Kind,
    client: Option<&str>,
    around: &Surroundings,
    sink: &Sink,
) -> Result<(), Failure> {
    let caller = Caller::open(around).await?;
    match (kind, client) {
        (Kind::Api, _) => list(&caller, "/apis", "identifier", sink).await,
        (Kind::Client, _) => list(&caller, "/clients", "id", sink).await,
        (Kind::Issuer, _) => list(&caller, "/issuers", "id", sink).await,
        (Kind::Credential, Some(client)) => credentials(&caller, client, sink).await,
        (Kind::Credential, None) => {
            let clients = Sink::default();
            list(&caller, "/clients", "id", &clients).await?;
            for client in clients.into_inner() {
                credentials(&caller, &client.id, sink).await?;
            }
            Ok(())
        }
    }
}

async fn credentials(caller: &Caller, client: &str, sink: &Sink) -> Result<(), Failure> {
    list(caller, &object_path("clients", client, "/credentials")?, "id", sink).await
}

async fn list(caller: &Caller, path: &str, key: &str, sink: &Sink) -> Result<(), Failure> {
    let (items, _) = caller.page((path, PAGE), &[], None).await?;
    let found = items.iter().filter_map(Value::as_object).filter_map(|object| name(object, key));
    sink.borrow_mut().extend(found);
    Ok(())
}

fn name(object: &Map<String, Value>, key: &str) -> Option<Name> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let title = match (text("client_id"), text("label")) {
        (Some(client), Some(label)) => Some(format!("{client} {label}")),
        _ => text("name").map(str::to_owned),
    };
    let scopes = object.get("scopes").and_then(Value::as_array).into_iter().flatten();
    let scope = |value: &Value| value.as_str().or_else(|| value.get("scope")?.as_str()).map(str::to_owned);
    Some(Name { id: text(key)?.to_owned(), title, scopes: scopes.filter_map(scope).collect() })
}
