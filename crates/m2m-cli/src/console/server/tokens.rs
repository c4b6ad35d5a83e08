//! Tokens that are alive, and withdrawing one.

use maud::{Markup, html};
use serde_json::Value;

use super::members::{is, number, segment, text};
use super::visit::Visit;
use super::{Shown, listed};
use crate::console::page::{Cell, Column, Entry, Table, empty, isolated};

const COLUMNS: [Column; 7] = [
    Column { name: "jti", label: "Token", number: false },
    Column { name: "client", label: "Client", number: false },
    Column { name: "credential", label: "Credential", number: false },
    Column { name: "api", label: "For", number: false },
    Column { name: "issued", label: "Issued", number: true },
    Column { name: "ends", label: "Ends", number: true },
    Column { name: "state", label: "State", number: false },
];

/// The live tokens, of one client if the address says so.
pub(super) async fn list(visit: &Visit<'_>) -> Shown {
    let client = visit.query.text("client_id");
    let query = if client.is_empty() { String::new() } else { format!("&client_id={}", segment(client)) };
    let listed = listed::rows(visit, "/tokens", &query, listed::FEW).await?;
    let rows = listed.items.iter().map(|token| row(visit, token)).collect();
    let nothing = empty(
        "No token is alive.",
        &html! {
            p { "Tokens appear here when a client gets them, within a second, and go when they end." }
        },
    );
    let main = html! {
        p.faint { "What the audit knows of tokens that have not ended. The tokens themselves are kept nowhere." }
        (search(visit, client))
        (Table { label: "tokens", columns: &COLUMNS, rows, empty: nothing }.markup(&visit.view()))
        (listed.turn)
    };
    visit.show("Live tokens", html! {}, &main)
}

fn search(visit: &Visit<'_>, client: &str) -> Markup {
    let of_client = Entry {
        name: "client_id",
        label: "Of the client",
        kind: "search",
        value: client,
        ..Entry::default()
    };
    let by_jti = Entry {
        name: "id",
        label: "By its jti",
        help: "m2m inspect < token shows it.",
        required: true,
        ..Entry::default()
    };
    html! {
        div.cards {
            form.card method="get" action=(visit.to("tokens", &[])) {
                (of_client.markup(&[]))
                div.row { button.small { "Show" } @if !client.is_empty() { a href=(visit.to("tokens", &[])) { "All clients" } } }
            }
            @if visit.session.writes {
                form.card method="get" action=(visit.to("token/revoke", &[])) {
                    (by_jti.markup(&[]))
                    div.row { button.small { "Revoke…" } }
                }
            }
        }
    }
}

fn row(visit: &Visit<'_>, token: &Value) -> Vec<Cell> {
    let (jti, client, credential) =
        (text(token, "jti"), text(token, "client_id"), text(token, "credential_id"));
    let (api, scope) = (text(token, "api"), text(token, "scope"));
    let revoked = is(token, "revoked");
    let state = html! {
        @if revoked { span.word.bad { "revoked" } }
        @else if visit.session.writes { a href=(visit.of("token/revoke", jti)) { "Revoke" span.quiet { " " (jti) } } }
        @else { "alive" }
    };
    let short = |id: &str| id.get(..8).unwrap_or(id).to_owned();
    vec![
        Cell::of(html! { a href=(visit.to("audit", &[("jti", jti)])) { code.whole { (jti) } } }, jti),
        Cell::link(client, &visit.of("client", client)),
        Cell::of(
            html! { @if !credential.is_empty() { a href=(visit.of("credential", credential)) { code { (short(credential)) } } } },
            credential,
        ),
        Cell::of(
            html! { a href=(visit.of("api", api)) { (isolated(api)) } div { code { (scope) } } },
            format!("{api} {scope}"),
        ),
        Cell::moment(number(token, "issued_at"), ""),
        Cell::moment(number(token, "expires_at"), ""),
        Cell::of(state, if revoked { "revoked" } else { "alive" }),
    ]
}
