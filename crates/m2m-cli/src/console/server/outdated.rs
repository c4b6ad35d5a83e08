//! Somebody else was faster: who, when, and what is different now.

use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::members::{items, number, segment, text};
use super::visit::Visit;
use crate::console::page::{Tone, isolated, moment, notice};

/// What was to be changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Thing {
    Api,
    Client,
    Credential,
    Issuer,
}

impl Thing {
    /// The page that shows one.
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Client => "client",
            Self::Credential => "credential",
            Self::Issuer => "issuer",
        }
    }

    /// Where the audit has what was done to it, newest first.
    fn records(self, id: &str) -> Vec<String> {
        let id = segment(id);
        match self {
            Self::Api => vec!["/audit?event=api_updated&limit=100".to_owned()],
            Self::Client => ["client_updated", "client_disabled", "client_enabled", "client_revoked"]
                .map(|event| format!("/audit?client_id={id}&event={event}&limit=1"))
                .to_vec(),
            Self::Credential => ["credential_rotated", "credential_revoked"]
                .map(|event| format!("/audit?credential_id={id}&event={event}&limit=1"))
                .to_vec(),
            Self::Issuer => ["issuer_updated", "issuer_disabled", "issuer_enabled"]
                .map(|event| format!("/audit?event={event}&limit=100"))
                .to_vec(),
        }
    }

    fn is_about(self, record: &Value, id: &str) -> bool {
        match self {
            Self::Api => text(record, "api") == id,
            Self::Issuer => text(record, "subject") == id,
            Self::Client | Self::Credential => true,
        }
    }
}

/// The last change of a thing, as the audit has it.
async fn last(visit: &Visit<'_>, thing: Thing, id: &str) -> Option<Value> {
    let mut newest: Option<Value> = None;
    for path in thing.records(id) {
        let Ok(answer) = visit.get(&path).await else { continue };
        let found = items(&answer, "items").iter().find(|record| thing.is_about(record, id));
        let at = |record: &Value| number(record, "at");
        if let Some(found) = found
            && newest.as_ref().is_none_or(|known| at(known) < at(found))
        {
            newest = Some(found.clone());
        }
    }
    newest
}

/// The page: who changed it, what differs from what was sent, and the way to look again.
pub(super) async fn page(visit: &Visit<'_>, thing: Thing, id: &str, differs: &Markup) -> Response {
    let record = last(visit, thing, id).await;
    let who = html! {
        @if let Some(record) = &record {
            p { (isolated(text(record, "actor"))) " changed it at " (number(record, "at").map(moment).unwrap_or_default())
                " (" (text(record, "event").replace('_', " ")) ")." }
        }
        p { "What you sent was meant for what was there before, so nothing of it was done." }
    };
    let main = html! {
        (notice(Tone::Careful, "Somebody was faster", &who))
        (differs)
        div.row {
            a.button href=(visit.of(thing.page(), id)) { "Look at it again" }
            a.button.second href=(visit.to(&visit.path, &[("id", id)])) { "Begin this step again" }
        }
    };
    visit.page(StatusCode::PRECONDITION_FAILED, "Somebody was faster", html! {}, &main)
}

/// Members that are not what was sent.
pub(super) fn differences(sent: &Value, now: &Value) -> Markup {
    let Value::Object(sent) = sent else { return html! {} };
    let differ: Vec<_> = sent
        .iter()
        .map(|(name, value)| (name, value, now.get(name).unwrap_or(&Value::Null)))
        .filter(|(_, sent, now)| sent != now)
        .collect();
    html! {
        @if !differ.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="differences" {
                table {
                    caption.quiet { "differences" }
                    thead { tr { th scope="col" { "Member" } th scope="col" { "There now" } th scope="col" { "You sent" } } }
                    tbody {
                        @for (name, sent, now) in differ {
                            tr {
                                td data-label="Member" { code { (name) } }
                                td data-label="There now" { (isolated(&shown(now))) }
                                td data-label="You sent" { (isolated(&shown(sent))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
