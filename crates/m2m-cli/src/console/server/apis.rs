//! APIs: what tokens can be for.

use maud::{Markup, html};
use serde_json::Value;

use super::client::binding;
use super::members::{items, number, segment, text, texts};
use super::visit::Visit;
use super::{Shown, listed};
use crate::commands::admin::moment::span;
use crate::console::page::{Cell, Column, Table, Tone, empty, facts, isolated};

const COLUMNS: [Column; 6] = [
    Column { name: "identifier", label: "API", number: false },
    Column { name: "name", label: "Name", number: false },
    Column { name: "scopes", label: "Scopes", number: false },
    Column { name: "format", label: "Tokens", number: false },
    Column { name: "lifetime", label: "Live for", number: true },
    Column { name: "bound", label: "Bound to", number: false },
];

/// The path of one API in the admin API.
pub(super) fn path(identifier: &str) -> String {
    format!("/apis/{}", segment(identifier))
}

/// The list.
pub(super) async fn list(visit: &Visit<'_>) -> Shown {
    let listed = listed::found(visit, "/apis", &["identifier", "name"]).await?;
    let rows = listed.items.iter().map(|api| row(visit, api)).collect();
    let nothing = empty(
        "No API has this in its identifier or its name.",
        &html! {
            a href=(visit.to("apis", &[])) { "All APIs" }
        },
    );
    let main = html! {
        p.faint { "An API is what a token is for: its identifier stands in the claim aud." }
        (Table { label: "APIs", columns: &COLUMNS, rows, empty: nothing }.markup(&visit.view()))
        @if listed.items.len() == 1 && visit.query.text("find").is_empty() {
            (empty("This one is for administering the server. Add the API that your clients are to call.", &html! {
                (visit.button("Add an API", &visit.to("apis/add", &[]), Tone::Plain))
            }))
        }
        (listed.turn)
    };
    visit.show("APIs", visit.button("Add an API", &visit.to("apis/add", &[]), Tone::Good), &main)
}

fn row(visit: &Visit<'_>, api: &Value) -> Vec<Cell> {
    let identifier = text(api, "identifier");
    let lifetime = number(api, "lifetime").unwrap_or(0);
    let name = if text(api, "name") == identifier { "" } else { text(api, "name") };
    let scopes: Vec<&str> = items(api, "scopes").iter().map(|scope| text(scope, "scope")).collect();
    let (few, more) =
        (scopes.iter().take(4).copied().collect::<Vec<_>>().join(" "), scopes.len().saturating_sub(4));
    vec![
        Cell::link(identifier, &visit.of("api", identifier)),
        Cell::text(name),
        Cell::of(html! { code { (few) } @if more > 0 { " and " (more) " more" } }, scopes.join(" ")),
        Cell::text(&format!("{}, {}", text(api, "format"), text(api, "alg"))),
        Cell { number: lifetime, ..Cell::of(html! { (span(lifetime)) }, "") },
        Cell::of(binding(text(api, "sender_constraint")), text(api, "sender_constraint")),
    ]
}

/// The page of an API.
pub(super) async fn show(visit: &Visit<'_>) -> Shown {
    let identifier = visit.id()?;
    let api = visit.get(&path(identifier)).await?;
    let main = html! {
        (about(&api))
        h2 { "Scopes" }
        (scopes(visit, &api))
        h2 { "Resource servers" }
        p.faint { "Clients that may ask this server about tokens for the API (introspection)." }
        (resource_servers(visit, &api))
    };
    let actions = html! {
        (visit.button("Change", &visit.of("api/change", identifier), Tone::Plain))
        (visit.button("Delete", &visit.of("api/delete", identifier), Tone::Bad))
    };
    visit.show(identifier, actions, &main)
}

fn about(api: &Value) -> Markup {
    let format = match text(api, "format") {
        "opaque" => "opaque: only this server can read them, so the API asks it",
        _ => "JWT: the API reads them without asking",
    };
    facts([
        ("Name", isolated(text(api, "name"))),
        ("Tokens", html! { (format) }),
        ("Signed with", html! { (text(api, "alg")) }),
        ("They live for", html! { (span(number(api, "lifetime").unwrap_or(0))) }),
        ("They are bound to", binding(text(api, "sender_constraint"))),
    ])
}

fn scopes(visit: &Visit<'_>, api: &Value) -> Markup {
    let scopes = items(api, "scopes");
    html! {
        @if scopes.is_empty() {
            (empty("It has no scope, so no client can be granted anything at it.", &html! {
                (visit.button("Add scopes", &visit.of("api/change", text(api, "identifier")), Tone::Plain))
            }))
        } @else {
            dl.facts {
                @for scope in scopes {
                    div { dt { code { (text(scope, "scope")) } } dd { (isolated(text(scope, "description"))) } }
                }
            }
        }
    }
}

fn resource_servers(visit: &Visit<'_>, api: &Value) -> Markup {
    let servers = texts(api, "resource_servers");
    html! {
        @if servers.is_empty() {
            (empty("None. An API that checks JWTs itself needs none.", &html! {}))
        } @else {
            ul { @for id in servers { li { a href=(visit.of("client", id)) { (isolated(id)) } } } }
        }
    }
}
