//! `/audit`: what was decided, newest first.

use axum::extract::Query as Parameters;
use http::StatusCode;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;
use serde::{Deserialize, Serialize};

use super::caller::Reader;
use super::page::{Asked, Page, cursor, time};
use super::problem::Problem;
use super::{Answer, json};
use crate::audit::{Entry, Event, Place, Query};
use crate::registry::CredentialId;

/// Whose records; members that a list does not have are ignored, as `limit` and `cursor` are.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ByWhom {
    client_id: Option<String>,
    credential_id: Option<String>,
    jti: Option<String>,
    event: Option<String>,
    since: Option<u64>,
    until: Option<u64>,
}

impl ByWhom {
    pub(super) fn query(&self, asked: &Asked) -> Result<Query, Problem> {
        let unknown = |what: &str| Problem::bad(format!("{what} is none"));
        let event = |name: &String| Event::parse(name).ok_or_else(|| unknown("event"));
        let client = |id: &String| ClientId::parse(id).map_err(|_| unknown("client_id"));
        let credential = |id: &String| CredentialId::parse(id).ok_or_else(|| unknown("credential_id"));
        Ok(Query {
            jti: self.jti.clone(),
            client_id: self.client_id.as_ref().map(client).transpose()?,
            credential: self.credential_id.as_ref().map(credential).transpose()?,
            event: self.event.as_ref().map(event).transpose()?,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            live_at: None,
            before: place(&asked.after)?,
            // One more than the page has, to know whether there is a next one.
            limit: asked.limit + 1,
        })
    }
}

/// The place that a cursor names: milliseconds, number, node.
fn place(text: &str) -> Result<Option<Place>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut parts = text.splitn(3, '.');
    let mut number = || parts.next().and_then(|digits| digits.parse::<u64>().ok());
    let (at_millis, own) = (number(), number());
    let node = parts.next().map(str::to_owned);
    match (at_millis, own, node) {
        (Some(at_millis), Some(number), Some(node)) => Ok(Some(Place { at_millis, node, number })),
        _ => Err(Problem::bad("the cursor is none of ours")),
    }
}

/// One page of what was found, and where the next one begins.
pub(super) fn page_of(asked: &Asked, mut entries: Vec<Entry>) -> (Vec<Entry>, Option<String>) {
    let more = entries.len() > asked.limit;
    entries.truncate(asked.limit);
    let next = entries.last().filter(|_| more).map(|last| {
        let Place { at_millis, node, number } = &last.place;
        cursor(&format!("{at_millis}.{number}.{node}"))
    });
    (entries, next)
}

/// A record as it is shown; what it does not have is left out.
#[derive(Debug, Serialize)]
struct Shown {
    at: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

fn shown(entry: Entry) -> Shown {
    let record = entry.record;
    let client = |id: ClientId| id.as_str().to_owned();
    Shown {
        at: record.at.seconds(),
        event: record.event.name(),
        jti: record.jti.as_ref().map(ToString::to_string),
        client_id: record.client_id.map(client),
        credential_id: record.credential.map(|id| id.as_str().to_owned()),
        api: record.api.as_ref().map(ToString::to_string),
        scope: record.scope.as_ref().map(ToString::to_string),
        expires_at: record.expires_at.map(UnixTime::seconds),
        address: record.address.map(|address| address.to_string()),
        error: record.error.as_ref().map(ErrorCode::as_str).map(str::to_owned),
        reason: record.reason,
        actor: record.actor.map(client),
        subject: record.subject,
    }
}

pub(super) async fn search(
    Reader(admin): Reader,
    asked: Asked,
    parameters: Result<Parameters<ByWhom>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Parameters(wanted) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let found = admin.audit(&wanted.query(&asked)?).await?;
    let (entries, next) = page_of(&asked, found);
    json(StatusCode::OK, &Page { items: entries.into_iter().map(shown).collect(), next })
}
