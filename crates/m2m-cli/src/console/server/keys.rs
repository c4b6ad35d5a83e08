//! Signing keys and their timeline.

use maud::{Markup, html};
use serde_json::Value;

use super::members::{number, text};
use super::visit::Visit;
use super::{Shown, listed};
use crate::console::page::{Cell, Column, Table, empty};

const COLUMNS: [Column; 6] = [
    Column { name: "kid", label: "Key", number: false },
    Column { name: "alg", label: "Algorithm", number: false },
    Column { name: "phase", label: "Now", number: false },
    Column { name: "signs", label: "Signs from", number: true },
    Column { name: "ends", label: "Signs until", number: true },
    Column { name: "leaves", label: "Published until", number: true },
];

/// What each phase is.
pub(super) fn phase(key: &Value) -> Markup {
    match text(key, "phase") {
        "next" => html! { span.word { "next" } ": published, does not sign yet" },
        "active" => html! { span.word.good { "active" } ": signs" },
        "retiring" => html! { span.word { "retiring" } ": its tokens still live" },
        _ => html! { span.word { "retired" } ": withdrawn" },
    }
}

/// The keys in the order of their lives.
pub(super) async fn list(visit: &Visit<'_>) -> Shown {
    let mut listed = listed::page(visit, "/keys", "").await?;
    listed.items.sort_by_key(|key| (text(key, "alg").to_owned(), number(key, "activates_at")));
    let rows = listed.items.iter().map(row).collect();
    let nothing = empty("There is no key yet; the server makes the first one by itself.", &html! {});
    let main = html! {
        p.faint { "Keys change by themselves: each is published before it signs, for longer than verifiers keep what they fetched, \
            and stays published until its last token has ended." }
        (Table { label: "keys", columns: &COLUMNS, rows, empty: nothing }.markup(&visit.view()))
        (listed.turn)
        @if visit.session.writes {
            h2 { "Change them now" }
            div.row {
                a.button.second href=(visit.to("keys/roll", &[])) { "Announce the next keys" }
                a.button.danger href=(visit.to("keys/emergency", &[])) { "Replace at once" }
            }
            p.faint { "Announcing disturbs nobody. Replacing at once is for when a key may have leaked." }
        }
    };
    visit.show("Signing keys", html! {}, &main)
}

fn row(key: &Value) -> Vec<Cell> {
    let at = |name: &str| Cell::moment(number(key, name), "");
    vec![
        Cell::of(html! { code { (text(key, "kid")) } }, text(key, "kid")),
        Cell::text(text(key, "alg")),
        Cell::of(phase(key), text(key, "phase")),
        at("activates_at"),
        at("retires_at"),
        at("leaves_at"),
    ]
}
