//! What was decided: searched by token, client, credential, event and time, with links between things.

use http::StatusCode;
use m2m_authorization_server::audit::Event;
use m2m_proto::time::UnixTime;
use maud::{Markup, html};
use serde_json::Value;

use super::members::{number, segment, text};
use super::visit::Visit;
use super::{Shown, listed, wrong};
use crate::commands::admin::moment;
use crate::console::page::{Cell, Column, Entry, Problem, Table, empty, isolated, problems};

const COLUMNS: [Column; 6] = [
    Column { name: "at", label: "When", number: true },
    Column { name: "event", label: "What", number: false },
    Column { name: "client", label: "Client", number: false },
    Column { name: "about", label: "About", number: false },
    Column { name: "why", label: "Why", number: false },
    Column { name: "by", label: "By", number: false },
];

/// The names of the search as the API takes them.
const EXACT: [&str; 4] = ["jti", "client_id", "credential_id", "event"];

/// The search and what it finds, newest first.
pub(super) async fn search(visit: &Visit<'_>) -> Shown {
    let mut wrong = Vec::new();
    let query = query(visit, &mut wrong);
    if !wrong.is_empty() {
        return found(visit, &html! {}, &wrong);
    }
    match listed::rows(visit, "/audit", &query, listed::FEW).await {
        Ok(listed) => {
            let rows = listed.items.iter().map(|record| row(visit, record)).collect();
            let table = Table { label: "records", columns: &COLUMNS, rows, empty: nothing() };
            let main = html! { (table.markup(&visit.view())) (listed.turn) };
            found(visit, &main, &[])
        }
        Err(refusal) if refusal.is_about_the_form() => {
            let fields = EXACT.map(|name| (name, name));
            found(visit, &html! {}, &wrong::said(&refusal, &fields))
        }
        Err(refusal) => Err(refusal),
    }
}

fn nothing() -> Markup {
    empty(
        "Nothing was decided that fits this.",
        &html! { p { "Records appear within a second. An earlier time may find more." } },
    )
}

fn query(visit: &Visit<'_>, wrong: &mut Vec<Problem>) -> String {
    let mut query = String::new();
    for name in EXACT {
        let value = visit.query.text(name);
        if !value.is_empty() {
            query.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    for name in ["since", "until"] {
        let value = visit.query.text(name);
        if value.is_empty() {
            continue;
        }
        match moment::ago(name, value, UnixTime::from_seconds(visit.now)) {
            Ok(seconds) => query.push_str(&format!("&{name}={seconds}")),
            Err(_) => wrong.push(wrong::at(
                name,
                format!("{value:?} is no time such as 1h (ago) or 2026-11-25T10:00:00Z"),
            )),
        }
    }
    query
}

fn found(visit: &Visit<'_>, found: &Markup, wrong: &[Problem]) -> Shown {
    let events: Vec<String> = Event::ALL.iter().map(|(_, name)| (*name).to_owned()).collect();
    let entry = |name, label, help| Entry {
        name,
        label,
        help,
        value: visit.query.text(name),
        kind: "search",
        ..Entry::default()
    };
    let main = html! {
        (problems(wrong))
        form.search method="get" action=(visit.to("audit", &[])) {
            (entry("jti", "Token (jti)", "").markup(wrong))
            (entry("client_id", "Client", "").markup(wrong))
            (entry("credential_id", "Credential (id)", "").markup(wrong))
            (Entry { offers: &events, ..entry("event", "What", "") }.markup(wrong))
            (entry("since", "Since", "1h (ago), or 2026-11-25T10:00:00Z").markup(wrong))
            (entry("until", "Until", "The same.").markup(wrong))
            div.row { button { "Search" } a href=(visit.to("audit", &[])) { "Everything" } }
        }
        (found)
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page(status, "Audit", html! {}, &main))
}

fn row(visit: &Visit<'_>, record: &Value) -> Vec<Cell> {
    let (event, client) = (text(record, "event"), text(record, "client_id"));
    let what = html! {
        @if event == "request_refused" { span.word.careful { "refused" } } @else { (event.replace('_', " ")) }
        @if !text(record, "error").is_empty() { " " code { (text(record, "error")) } }
    };
    let by = text(record, "actor");
    let address = text(record, "address");
    let from = html! { div.whole { @if by.is_empty() { (address) } @else { (isolated(by)) } } };
    vec![
        Cell::moment(number(record, "at"), ""),
        Cell::of(what, format!("{event} {}", text(record, "error"))),
        if client.is_empty() { Cell::text("") } else { Cell::link(client, &visit.of("client", client)) },
        Cell::of(about(visit, record), text(record, "jti")),
        Cell::text(text(record, "reason")),
        Cell::of(from, format!("{by} {address}")),
    ]
}

/// What else a record names, each leading to its page.
fn about(visit: &Visit<'_>, record: &Value) -> Markup {
    let named = |name| (!text(record, name).is_empty()).then(|| text(record, name));
    html! {
        @if let Some(api) = named("api") {
            div { a href=(visit.of("api", api)) { (isolated(api)) } @if let Some(scope) = named("scope") { " " code { (scope) } } }
        }
        @if let Some(jti) = named("jti") { div { "token " a href=(visit.to("audit", &[("jti", jti)])) { code { (jti) } } } }
        @if let Some(id) = named("credential_id") {
            div { "credential " a href=(visit.of("credential", id)) { code { (id.get(..8).unwrap_or(id)) } } }
        }
        @if let Some(subject) = named("subject") {
            div {
                @if text(record, "event").starts_with("issuer_") { a href=(visit.of("issuer", subject)) { (isolated(subject)) } }
                @else { (isolated(subject)) }
            }
        }
    }
}
