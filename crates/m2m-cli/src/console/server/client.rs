//! One client: what it may, who it is, and its credentials.

use maud::{Markup, html};
use serde_json::Value;

use super::calls::Refusal;
use super::clients::{review, status};
use super::credential;
use super::members::{is, items, number, segment, text, texts};
use super::visit::Visit;
use super::{Shown, listed};
use crate::commands::admin::moment::span;
use crate::console::page::{Tone, empty, facts, isolated, moment, notice};

/// The path of one client in the admin API.
pub(super) fn path(id: &str) -> String {
    format!("/clients/{}", segment(id))
}

/// The page of a client.
pub(super) async fn show(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let client = visit.get(&path(id)).await?;
    let main = html! {
        (alerts(&client))
        @if !text(&client, "purpose").is_empty() { p { (isolated(text(&client, "purpose"))) } }
        (credentials(visit, id, &client).await?)
        (granted(visit, &client))
        h2 { "About it" }
        (about(&client))
        div.row {
            a href=(visit.to("tokens", &[("client_id", id)])) { "Its live tokens" }
            a href=(visit.to("audit", &[("client_id", id)])) { "Its audit records" }
        }
    };
    visit.show(id, actions(visit, id, &client), &main)
}

fn actions(visit: &Visit<'_>, id: &str, client: &Value) -> Markup {
    let to = |page| visit.of(page, id);
    html! {
        @if text(client, "status") != "revoked" {
            (visit.button("Change", &to("client/change"), Tone::Plain))
            @if text(client, "status") == "active" {
                (visit.button("Disable", &to("client/disable"), Tone::Plain))
            } @else {
                (visit.button("Enable", &to("client/enable"), Tone::Plain))
            }
            (visit.button("Revoke", &to("client/revoke"), Tone::Bad))
        }
        (visit.button("Delete", &to("client/delete"), Tone::Bad))
    }
}

fn alerts(client: &Value) -> Markup {
    html! {
        @if text(client, "status") == "disabled" {
            (notice(Tone::Careful, "Disabled", &html! { p { "It gets no tokens, and those that it has are refused. Enabling undoes this." } }))
        }
        @if text(client, "status") == "revoked" {
            (notice(Tone::Bad, "Revoked for good", &html! { p { "It gets no tokens any more, and those that it had are refused." } }))
        }
        @if is(client, "review_overdue") {
            (notice(Tone::Careful, "Its review is overdue", &html! {
                p { "Is it still needed, with all that it may do? Then set a later day; else revoke it." }
            }))
        }
    }
}

fn about(client: &Value) -> Markup {
    let told = |name: &str| match text(client, name) {
        "" => html! { span.faint { "not said" } },
        text => isolated(text),
    };
    let networks = texts(client, "allowed_networks");
    facts([
        ("Name", told("name")),
        ("Owner", told("owner")),
        ("Status", status(client)),
        ("Review by", if text(client, "review_by").is_empty() { told("review_by") } else { review(client) }),
        ("Created", number(client, "created_at").map(moment).unwrap_or_default()),
        (
            "Tokens live at most",
            match number(client, "lifetime_cap") {
                Some(cap) => html! { (span(cap)) },
                None => html! { "as long as the API says" },
            },
        ),
        (
            "Tokens are bound to",
            match text(client, "sender_constraint") {
                "none" => html! { "what the API demands" },
                constraint => binding(constraint),
            },
        ),
        (
            "Tokens a minute",
            match number(client, "mint_quota") {
                Some(quota) => html! { "at most " (quota) },
                None => html! { "no limit" },
            },
        ),
        (
            "From networks",
            if networks.is_empty() {
                html! { "any" }
            } else {
                html! { code { (networks.join(" ")) } }
            },
        ),
        ("Token exchange", html! { (if is(client, "token_exchange") { "allowed" } else { "not allowed" }) }),
    ])
}

/// What a sender constraint means, in words.
pub(super) fn binding(constraint: &str) -> Markup {
    html! { (match constraint {
        "dpop" => "a DPoP key of the client",
        "mtls" => "the client's certificate",
        _ => "nothing",
    }) }
}

fn granted(visit: &Visit<'_>, client: &Value) -> Markup {
    let grants = items(client, "grants");
    html! {
        h2 { "What it may do" }
        @if grants.is_empty() {
            (empty("It may do nothing yet: no API is granted.", &html! {
                (visit.button("Grant something", &visit.of("client/change", text(client, "id")), Tone::Plain))
            }))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="grants" {
                table {
                    caption.quiet { "grants" }
                    thead { tr { th scope="col" { "API" } th scope="col" { "Scopes" } th scope="col" { "Without a scope it gets" } th scope="col" { "Roles and permissions" } } }
                    tbody { @for grant in grants { (grant_row(visit, client, grant)) } }
                }
            }
        }
    }
}

fn grant_row(visit: &Visit<'_>, client: &Value, grant: &Value) -> Markup {
    let api = text(grant, "api");
    let unused: Vec<&str> = items(client, "unused_scopes")
        .iter()
        .filter(|scopes| text(scopes, "api") == api)
        .flat_map(|scopes| texts(scopes, "scopes"))
        .collect();
    let (all, defaults) = (texts(grant, "scopes"), texts(grant, "default_scopes"));
    html! {
        tr {
            td data-label="API" { a href=(visit.of("api", api)) { (isolated(api)) } }
            td data-label="Scopes" {
                @for scope in &all {
                    div { code { (scope) } @if unused.contains(scope) { " " span.faint { "never used" } } }
                }
            }
            td data-label="Without a scope it gets" {
                @if defaults == all { "all of them" }
                @else if defaults.is_empty() { "nothing: it must ask" }
                @else { code { (defaults.join(" ")) } }
            }
            td data-label="Roles and permissions" {
                @for name in texts(grant, "roles").into_iter().chain(texts(grant, "permissions")) { div { (isolated(name)) } }
            }
        }
    }
}

async fn credentials(visit: &Visit<'_>, id: &str, client: &Value) -> Result<Markup, Refusal> {
    let listed = listed::page(visit, &format!("{}/credentials", path(id)), "").await?;
    let open = text(client, "status") != "revoked";
    Ok(html! {
        div.heading {
            h2 { "Credentials" }
            div.actions { @if open {
                (visit.button("Add a credential", &visit.of("client/credentials/add", id), Tone::Good))
            } }
        }
        p.faint { "One for each instance, so that one can be replaced or withdrawn while the others go on." }
        (credential::table(visit, &listed.items))
        (listed.turn)
    })
}
