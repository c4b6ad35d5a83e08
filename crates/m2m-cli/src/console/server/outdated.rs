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
    visit.page(StatusCode::PRECONDITION_FAILED, "Nothing was done", html! {}, &main)
}

/// Members that are not what was sent.
pub(super) fn differences(sent: &Value, now: &Value) -> Markup {
    let Value::Object(sent) = sent else { return html! {} };
    let differ: Vec<_> = sent
        .iter()
        .map(|(name, value)| (name, value, now.get(name).unwrap_or(&Value::Null)))
        .filter(|(_, sent, now)| !is_same(sent, now))
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

/// Whether two values say the same; lists are without order, and nothing is an empty list.
fn is_same(a: &Value, b: &Value) -> bool {
    normal(a) == normal(b)
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(normal).collect();
            list.sort_by_key(Value::to_string);
            Value::Array(list)
        }
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), normal(value))).collect())
        }
        other => other.clone(),
    }
}

/// A value as a person reads it: of a grant or a scope its parts, of a list each element.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "nothing".to_owned(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let told = members.iter().filter(|(_, value)| !is_same(value, &Value::Null) && *value != "");
            told.map(|(name, value)| format!("{} {}", name.replace('_', " "), shown(value)))
                .collect::<Vec<_>>()
                .join("; ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_the_same_is_no_difference() {
        let sent = json!({"scopes": ["b", "a"], "owner": "x", "networks": []});
        let now = json!({"scopes": ["a", "b"], "owner": "y", "version": 2});
        let told = differences(&sent, &now).into_string();
        assert!(
            told.contains(">owner<") && !told.contains(">scopes<") && !told.contains(">networks<"),
            "{told}"
        );
        assert_eq!(differences(&now, &now).into_string(), "");
    }

    #[test]
    fn a_value_is_told_in_words() {
        let grant = json!([{"api": "https://a", "scopes": ["r", "w"], "roles": []}]);
        assert_eq!(shown(&grant), "api https://a; scopes r, w");
        assert_eq!(shown(&json!(null)), "nothing");
    }
}
