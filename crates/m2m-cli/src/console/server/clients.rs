//! The list of clients.

use maud::{Markup, html};
use serde_json::Value;

use super::members::{is, items, number, text};
use super::visit::Visit;
use super::{Shown, listed};
use crate::console::page::{Cell, Column, Table, Tone, empty, isolated};

const COLUMNS: [Column; 6] = [
    Column { name: "id", label: "Client", number: false },
    Column { name: "name", label: "Name", number: false },
    Column { name: "owner", label: "Owner", number: false },
    Column { name: "status", label: "Status", number: false },
    Column { name: "review", label: "Review by", number: false },
    Column { name: "apis", label: "APIs", number: true },
];

/// The list.
pub(super) async fn list(visit: &Visit<'_>) -> Shown {
    let listed = listed::found(visit, "/clients", &["id", "name", "owner"]).await?;
    let rows = listed.items.iter().map(|client| row(visit, client)).collect();
    let table = Table { label: "clients", columns: &COLUMNS, rows, empty: nothing(visit) };
    let main = html! {
        p.faint { "A client is a service. Each of its instances has a credential of its own." }
        (table.markup(&visit.view()))
        (listed.turn)
    };
    let add = visit.button("Add a client", &visit.to("clients/add", &[]), Tone::Good);
    visit.show("Clients", add, &main)
}

fn nothing(visit: &Visit<'_>) -> Markup {
    if !visit.query.text("find").is_empty() {
        return empty(
            "No client has this in its id, its name or its owner.",
            &html! {
                a href=(visit.to("clients", &[])) { "All clients" }
            },
        );
    }
    let next = html! { @if visit.session.writes { a href=(visit.to("clients/add", &[])) { "Add the first client" } } };
    empty("There is no client yet.", &next)
}

fn row(visit: &Visit<'_>, client: &Value) -> Vec<Cell> {
    let id = text(client, "id");
    let apis = u64::try_from(items(client, "grants").len()).unwrap_or(u64::MAX);
    let name = if text(client, "name") == id { "" } else { text(client, "name") };
    vec![
        Cell::link(id, &visit.of("client", id)),
        Cell::text(name),
        Cell::text(text(client, "owner")),
        Cell::of(status(client), text(client, "status")),
        Cell::of(review(client), text(client, "review_by")),
        Cell::number(apis),
    ]
}

/// The status as a word that stands out if it is not the usual one.
pub(super) fn status(object: &Value) -> Markup {
    match text(object, "status") {
        "active" => html! { "active" },
        "disabled" => html! { span.word.careful { "disabled" } },
        "revoked" => html! { span.word.bad { "revoked" } },
        other => isolated(other),
    }
}

/// The day of review, and whether it is over.
pub(super) fn review(client: &Value) -> Markup {
    html! {
        (text(client, "review_by"))
        @if is(client, "review_overdue") { " " span.word.careful { "overdue" } }
    }
}

/// The version that a form is about, as the API wants it back.
pub(super) fn version(object: &Value) -> String {
    number(object, "version").map(|version| version.to_string()).unwrap_or_default()
}
