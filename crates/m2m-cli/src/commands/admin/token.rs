//! `m2m admin token …`: tokens that have not expired, and withdrawing one of them by its `jti`.
//!
//! The tokens themselves are nowhere: the server keeps what it decided, not what it issued.

use http::Method;
use serde_json::Value;

use super::client::withdrawn;
use super::confirm;
use super::http::{Call, Caller, object_path};
use super::shown::{text, when};
use super::table::Table;
use crate::Surroundings;
use crate::args::admin::{TokenCommand, TokenList};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

pub(super) async fn run(command: &TokenCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        TokenCommand::List(typed) => list(typed, around).await?,
        TokenCommand::Revoke(typed) => {
            let path = object_path("tokens", &typed.jti, "/revoke")?;
            confirm::ask(typed.confirmation, &format!("revoke token {}?", typed.jti), around)?;
            let answer = Caller::open(around).await?.send(Call::of(Method::POST, path)).await?;
            if answer.object.get("issued") == Some(&Value::Bool(false)) {
                let text = format!("the audit knows no token {}: is its name complete?", typed.jti);
                around.output.warn(&text);
            }
            withdrawn(&format!("token {} is revoked", typed.jti), &answer.object, around)?;
        }
    }
    Ok(Exit::Ok)
}

async fn list(typed: &TokenList, around: &Surroundings) -> Result<(), Failure> {
    let filters = [("client_id", &typed.client), ("credential_id", &typed.credential)];
    let query: Vec<(&str, &str)> =
        filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let tokens = Caller::open(around).await?.list("/tokens", &query).await?;
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Array(tokens));
    }
    let mut table =
        Table::of(["JTI", "CLIENT", "CREDENTIAL", "API", "SCOPE", "FROM", "ISSUED", "EXPIRES", "REVOKED"]);
    for token in tokens.iter().filter_map(Value::as_object) {
        let revoked = token.get("revoked") == Some(&Value::Bool(true));
        table.rows.push([
            text(token, "jti").to_owned(),
            text(token, "client_id").to_owned(),
            text(token, "credential_id").to_owned(),
            text(token, "api").to_owned(),
            text(token, "scope").to_owned(),
            text(token, "made_from").to_owned(),
            when(token, "issued_at"),
            when(token, "expires_at"),
            if revoked { "yes".to_owned() } else { String::new() },
        ]);
    }
    table.write("there is no live token", &around.output)
}
