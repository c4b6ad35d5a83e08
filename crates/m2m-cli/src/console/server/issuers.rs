//! Trusted issuers: platforms whose tokens stand for clients, and a dry run of such a token.
//!
//! Enforces: a token that is to be explained is in no answer.

use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::calls::{Call, Refusal};
use super::clients::status;
use super::members::{is, items, number, segment, text, texts};
use super::visit::Visit;
use super::{Shown, listed, wrong};
use crate::commands::admin::condition;
use crate::commands::admin::moment::span;
use crate::console::page::{
    Cell, Column, Entry, Problem, Table, Tone, empty, facts, isolated, moment, notice, problems,
};

const COLUMNS: [Column; 5] = [
    Column { name: "id", label: "Id", number: false },
    Column { name: "issuer", label: "Issuer or trust domain", number: false },
    Column { name: "keys", label: "Keys", number: false },
    Column { name: "audiences", label: "Audiences", number: false },
    Column { name: "status", label: "Status", number: false },
];

/// The path of one issuer in the admin API.
pub(super) fn path(id: &str) -> String {
    format!("/issuers/{}", segment(id))
}

/// The list.
pub(super) async fn list(visit: &Visit<'_>) -> Shown {
    let listed = listed::found(visit, "/issuers", &["id", "name", "issuer", "trust_domain"]).await?;
    let rows = listed.items.iter().map(|issuer| row(visit, issuer)).collect();
    let nothing = empty(
        "No issuer is trusted. One is for platforms that give tokens to their workloads (Kubernetes, GitHub Actions, SPIFFE): \
         then those need no secret here.",
        &html! { (visit.button("Trust an issuer", &visit.to("issuers/add", &[]), Tone::Plain)) },
    );
    let main = html! {
        (Table { label: "issuers", columns: &COLUMNS, rows, empty: nothing }.markup(&visit.view()))
        (listed.turn)
    };
    let actions = html! {
        (visit.button("Explain a token", &visit.to("issuers/explain", &[]), Tone::Plain))
        (visit.button("Trust an issuer", &visit.to("issuers/add", &[]), Tone::Good))
    };
    visit.show("Trusted issuers", actions, &main)
}

fn row(visit: &Visit<'_>, issuer: &Value) -> Vec<Cell> {
    let id = text(issuer, "id");
    vec![
        Cell::link(id, &visit.of("issuer", id)),
        Cell::text(named(issuer)),
        Cell::of(keys(issuer), ""),
        Cell::text(&texts(issuer, "audiences").join(" ")),
        Cell::of(status(issuer), text(issuer, "status")),
    ]
}

/// The name that its tokens have.
fn named(issuer: &Value) -> &str {
    match text(issuer, "issuer") {
        "" => text(issuer, "trust_domain"),
        issuer => issuer,
    }
}

/// Where its keys are.
fn keys(issuer: &Value) -> Markup {
    let at = |name| text(issuer, name);
    html! {
        @if is(issuer, "discovery") { "by its metadata" }
        @else if !at("jwks_url").is_empty() { (isolated(at("jwks_url"))) }
        @else if !at("jwks_file").is_empty() { "the file " (isolated(at("jwks_file"))) }
        @else { "given here" }
    }
}

/// The page of an issuer.
pub(super) async fn show(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let issuer = visit.get(&path(id)).await?;
    let active = text(&issuer, "status") == "active";
    let actions = html! {
        (visit.button("Change", &visit.of("issuer/change", id), Tone::Plain))
        @if active { (visit.button("Disable", &visit.of("issuer/disable", id), Tone::Plain)) }
        @else { (visit.button("Enable", &visit.of("issuer/enable", id), Tone::Plain)) }
        (visit.button("Delete", &visit.of("issuer/delete", id), Tone::Bad))
    };
    let main = html! {
        @if !active {
            (notice(Tone::Careful, "Disabled", &html! { p { "Its tokens are refused, and so is what was issued for them." } }))
        }
        (about(&issuer))
        p { "A client is tied to its tokens by a credential whose method is " em { "token of a trusted issuer" } "." }
        div.row { (visit.button("Explain a token", &visit.to("issuers/explain", &[]), Tone::Plain)) }
    };
    visit.show(id, actions, &main)
}

fn about(issuer: &Value) -> Markup {
    let conditions = items(issuer, "conditions");
    let file = |name| match text(issuer, name) {
        "" => html! { span.faint { "none" } },
        path => isolated(path),
    };
    facts([
        ("Name", isolated(text(issuer, "name"))),
        ("Issuer or trust domain", isolated(named(issuer))),
        ("Keys", keys(issuer)),
        ("Authorities of its server", file("ca_file")),
        ("Token for its server", file("bearer_file")),
        ("Audiences", html! { @for audience in texts(issuer, "audiences") { div { (isolated(audience)) } } }),
        ("Tokens live at most", html! { (span(number(issuer, "max_lifetime").unwrap_or(0))) }),
        ("Each token works", html! { (if is(issuer, "single_use") { "once" } else { "until it ends" }) }),
        (
            "Conditions",
            html! {
                @for one in conditions { div { code { (condition::written(one)) } } }
                @if conditions.is_empty() { span.faint { "none for all of its tokens" } }
            },
        ),
        ("Status", status(issuer)),
        ("Created", number(issuer, "created_at").map(moment).unwrap_or_default()),
    ])
}

/// A token, condition by condition.
pub(super) async fn explain(visit: &Visit<'_>) -> Shown {
    let Some(form) = &visit.form else { return asked(visit, "", &html! {}, &[]) };
    let client = form.text("client_id");
    let token = form.text("token");
    let mut wrong = Vec::new();
    wrong::needed(form, "token", "paste a token of the platform", &mut wrong);
    if !wrong.is_empty() {
        return asked(visit, client, &html! {}, &wrong);
    }
    let mut question = json!({"token": token});
    if !client.is_empty() {
        super::api_form::set(&mut question, "client_id", Value::from(client));
    }
    match visit.send(Call::post("/issuers/explain", question)).await {
        Ok(answer) => asked(visit, client, &explained(visit, &answer), &[]),
        Err(refusal) if refusal.is_about_the_form() => {
            let fields = [("client", "client_id"), ("token", "token")];
            asked(visit, client, &html! {}, &wrong::said(&without(refusal, token), &fields))
        }
        Err(refusal) => Err(without(refusal, token)),
    }
}

/// No word of a token that was to be explained.
fn without(refusal: Refusal, token: &str) -> Refusal {
    Refusal { detail: refusal.detail.replace(token, "the token"), ..refusal }
}

fn asked(visit: &Visit<'_>, client: &str, answer: &Markup, wrong: &[Problem]) -> Shown {
    let token = Entry {
        name: "token",
        label: "Token of the platform",
        help: "It is looked at and kept nowhere; no token of ours is issued.",
        kind: "password",
        required: true,
        ..Entry::default()
    };
    let client = Entry {
        name: "client_id",
        label: "As the client",
        help: "Where the request names one.",
        value: client,
        ..Entry::default()
    };
    let fields = html! {
        (token.markup(wrong))
        (client.markup(wrong))
        div.row { button { "Explain" } a.button.second href=(visit.to("issuers", &[])) { "Trusted issuers" } }
    };
    let main = html! {
        (problems(wrong))
        (answer)
        @if !answer.0.is_empty() { h2 { "Another token" } }
        (visit.form_to(&visit.to("issuers/explain", &[]), &fields))
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page(status, "Explain a token", html! {}, &main))
}

fn explained(visit: &Visit<'_>, answer: &Value) -> Markup {
    let (client, credential) = (text(answer, "client_id"), text(answer, "credential_id"));
    let issuer = text(answer, "issuer");
    html! {
        @if is(answer, "accepted") {
            (notice(Tone::Good, "It would be accepted", &html! {
                p { "It stands for " a href=(visit.of("client", client)) { (isolated(client)) } ", by the credential "
                    a href=(visit.of("credential", credential)) { code { (credential) } } "." }
            }))
        } @else {
            (notice(Tone::Bad, "It would be refused", &html! {
                p { "Because of: " (texts(answer, "failed").join(", ")) "." }
            }))
        }
        (checks("The token and its issuer", items(answer, "checks")))
        @if !issuer.is_empty() { p { "Trusted issuer: " a href=(visit.of("issuer", issuer)) { (isolated(issuer)) } "." } }
        @if !text(answer, "external_subject").is_empty() { p { "Subject: " (isolated(text(answer, "external_subject"))) } }
        @for mapping in items(answer, "mappings") {
            @let title = format!("The credential {} of {}", text(mapping, "credential_id"), text(mapping, "client_id"));
            (checks(&title, items(mapping, "checks")))
        }
    }
}

fn checks(title: &str, checks: &[Value]) -> Markup {
    html! {
        h2 { (isolated(title)) }
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table {
                caption.quiet { (title) }
                thead { tr { th scope="col" { "Verdict" } th scope="col" { "What is checked" } th scope="col" { "Expected" } th scope="col" { "Found" } } }
                tbody { @for check in checks { (verdict(check)) } }
            }
        }
    }
}

fn verdict(check: &Value) -> Markup {
    html! {
        tr {
            td data-label="Verdict" {
                @match text(check, "verdict") {
                    "passed" => span.word.good { "passed" },
                    "failed" => span.word.bad { "failed" },
                    _ => span.word { "not checked" },
                }
            }
            td data-label="What is checked" { (isolated(text(check, "check"))) }
            td data-label="Expected" { (isolated(text(check, "expected"))) }
            td data-label="Found" { (isolated(text(check, "found"))) }
        }
    }
}
