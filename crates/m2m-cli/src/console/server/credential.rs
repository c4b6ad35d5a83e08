//! Credentials: the table of a client's, and the page of one.

use maud::{Markup, html};
use serde_json::Value;

use super::Shown;
use super::calls::Refusal;
use super::clients::status;
use super::members::{is, items, number, segment, text, texts};
use super::visit::Visit;
use crate::console::page::{Cell, Column, Table, Tone, empty, facts, isolated, moment, notice};

const COLUMNS: [Column; 7] = [
    Column { name: "label", label: "Instance", number: false },
    Column { name: "method", label: "Method", number: false },
    Column { name: "status", label: "Status", number: false },
    Column { name: "created", label: "Created", number: true },
    Column { name: "expires", label: "Expires", number: true },
    Column { name: "used", label: "Last used", number: true },
    Column { name: "safe", label: "Safe to remove", number: false },
];

/// The path of one credential in the admin API.
pub(super) fn path(id: &str) -> String {
    format!("/credentials/{}", segment(id))
}

/// The credentials of a client.
pub(super) fn table(visit: &Visit<'_>, credentials: &[Value]) -> Markup {
    let rows = credentials.iter().map(|credential| row(visit, credential)).collect();
    let nothing = empty(
        "It has no credential, so it cannot get a token yet.",
        &html! {
            @if let Ok(client) = visit.id() && visit.session.writes {
                a href=(visit.of("client/credentials/add", client)) { "Add the first one" }
            }
        },
    );
    Table { label: "credentials", columns: &COLUMNS, rows, empty: nothing }.markup(&visit.view())
}

fn row(visit: &Visit<'_>, credential: &Value) -> Vec<Cell> {
    let id = text(credential, "id");
    let used = number(credential, "last_used_at");
    let address = text(credential, "last_used_address");
    let last = html! {
        @if let Some(at) = used { (moment(at)) @if !address.is_empty() { " from " (address) } }
        @else { span.faint { "never" } }
    };
    vec![
        Cell::link(text(credential, "label"), &visit.of("credential", id)),
        Cell::of(html! { (method(credential)) }, method(credential)),
        Cell::of(state(credential, visit.now), word(credential, visit.now)),
        Cell::moment(number(credential, "created_at"), ""),
        Cell::moment(number(credential, "expires_at"), "when revoked"),
        Cell { number: used.unwrap_or(0), ..Cell::of(last, address) },
        Cell::of(removal(credential), if is(credential, "safe_to_remove") { "yes" } else { "no" }),
    ]
}

fn removal(credential: &Value) -> Markup {
    let because = text(credential, "safe_to_remove_because");
    html! {
        @if is(credential, "safe_to_remove") { span.word.good { "yes" } } @else { span.word { "no" } }
        @if !because.is_empty() { ": " (because) }
    }
}

/// The method in words.
pub(super) fn method(credential: &Value) -> &'static str {
    match text(credential, "method") {
        "client_secret" => "secret",
        "client_secret_jwt" => "secret that signs (client_secret_jwt)",
        "private_key_jwt" => "private key (private_key_jwt)",
        "tls_client_auth" => "certificate of an authority (tls_client_auth)",
        "self_signed_tls_client_auth" => "own certificate (self_signed_tls_client_auth)",
        "federated" => "token of a trusted issuer (federated)",
        _ => "other",
    }
}

/// What it is now.
fn word(credential: &Value, now: u64) -> &'static str {
    let expired = number(credential, "expires_at").is_some_and(|end| end <= now);
    match text(credential, "status") {
        "revoked" => "revoked",
        _ if expired => "expired",
        _ if number(credential, "not_before").is_some_and(|start| start > now) => "not yet valid",
        _ if !text(credential, "replaced_by").is_empty() => "being replaced",
        _ => "active",
    }
}

fn state(credential: &Value, now: u64) -> Markup {
    match word(credential, now) {
        "revoked" => status(credential),
        "active" => html! { "active" },
        other => html! { span.word.careful { (other) } },
    }
}

/// Whether it still works, or will.
fn stands(credential: &Value, now: u64) -> bool {
    !matches!(word(credential, now), "revoked" | "expired")
}

/// The page of a credential.
pub(super) async fn show(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let credential = visit.get(&path(id)).await?;
    let client = text(&credential, "client_id");
    let others = replacements(visit, &credential).await;
    let main = html! {
        p { "A credential of " a href=(visit.of("client", client)) { (isolated(client)) } "." }
        (overlap(visit, &credential))
        (about(visit, &credential))
        (others)
        div.row { a href=(visit.to("audit", &[("credential_id", id)])) { "Its audit records" } }
    };
    let actions = html! {
        @if stands(&credential, visit.now) {
            @if text(&credential, "replaced_by").is_empty() && text(&credential, "method") != "federated" {
                (visit.button("Rotate", &visit.of("credential/rotate", id), Tone::Plain))
            }
            (visit.button("Revoke", &visit.of("credential/revoke", id), Tone::Bad))
        }
    };
    visit.show(text(&credential, "label"), actions, &main)
}

/// What happens until when, while two credentials of one instance work.
fn overlap(visit: &Visit<'_>, credential: &Value) -> Markup {
    let next = text(credential, "replaced_by");
    let end = number(credential, "expires_at").filter(|end| *end > visit.now);
    html! {
        @if let (false, Some(end)) = (next.is_empty() || !stands(credential, visit.now), end) {
            (notice(Tone::Careful, "It is being replaced", &html! {
                p { "It and " a href=(visit.of("credential", next)) { "its successor" } " both work until " (moment(end))
                    ", when this one ends by itself. Left: " strong data-until=(end) { (moment(end)) } "." }
                p { "Put the successor where the instance reads it. When the successor is in use and this one was not used for a whole \
                    token life, this page says that it is safe to remove." }
            }))
        }
    }
}

fn about(visit: &Visit<'_>, credential: &Value) -> Markup {
    let at = |name: &str, none: &str| match number(credential, name) {
        Some(at) => moment(at),
        None => html! { span.faint { (none) } },
    };
    let used = html! {
        (at("last_used_at", "never"))
        @if !text(credential, "last_used_address").is_empty() { " from " (text(credential, "last_used_address")) }
    };
    let mut rows = vec![
        ("Status", state(credential, visit.now)),
        ("Safe to remove", removal(credential)),
        ("Last used", used),
        ("Method", html! { (method(credential)) }),
        ("Made of", material(visit, credential)),
        ("Created", at("created_at", "")),
        ("Works from", at("not_before", "")),
        ("Expires", at("expires_at", "when it is revoked")),
    ];
    if text(credential, "method").ends_with("_jwt") {
        rows.push(("Audience of assertions", html! {
            (if text(credential, "accepted_audience") == "issuer" { "the issuer alone" } else { "the issuer or the token endpoint" })
        }));
    }
    rows.push(("Id", html! { code { (text(credential, "id")) } }));
    facts(rows)
}

/// What it proves itself with, without any secret.
fn material(visit: &Visit<'_>, credential: &Value) -> Markup {
    let named = |label: &str, name: &str| {
        html! {
            @if !text(credential, name).is_empty() { div { (label) " " (isolated(text(credential, name))) } }
        }
    };
    let issuer = text(credential, "issuer");
    html! {
        @match text(credential, "method") {
            "client_secret" | "client_secret_jwt" => "a secret that the server made; it is kept so that it cannot be read",
            _ => "",
        }
        @for key in items(credential.get("jwks").unwrap_or(&Value::Null), "keys") {
            div { (text(key, "kty")) " key " code { (text(key, "kid")) } }
        }
        (named("keys at", "jwks_uri"))
        (named("subject", "subject"))
        (named("DNS name", "subject_dns"))
        (named("URI", "subject_uri"))
        (named("address", "subject_ip"))
        (named("mail address", "subject_email"))
        (named("certificate, SHA-256", "certificate"))
        @if !issuer.is_empty() {
            div { "tokens of " a href=(visit.of("issuer", issuer)) { (isolated(issuer)) } }
            (named("for", "external_subject"))
        }
        @let algs = texts(credential, "algs");
        @if !algs.is_empty() { div { "signs with " (algs.join(", ")) } }
    }
}

/// What it replaces, and what replaces it.
async fn replacements(visit: &Visit<'_>, credential: &Value) -> Markup {
    let link = |id: &str| html! { a href=(visit.of("credential", id)) { code { (id) } } };
    let (before, after) = (text(credential, "replaces"), text(credential, "replaced_by"));
    html! {
        @if !before.is_empty() { p { "It replaces " (link(before)) "." } }
        @if !after.is_empty() { p { "It is replaced by " (link(after)) "." } }
    }
}

/// A label that can be typed, else the id.
pub(super) fn typed_name(credential: &Value) -> &str {
    let label = text(credential, "label").trim();
    let easy = label.len() <= 40 && label.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if easy && !label.is_empty() { label } else { text(credential, "id") }
}

/// The credential that the address names.
pub(super) async fn named(visit: &Visit<'_>) -> Result<Value, Refusal> {
    visit.get(&path(visit.id()?)).await
}
