//! Adding a credential and putting another in its place; the secret is shown once.
//!
//! Enforces: of a key only the public half is taken, and a private one that was pasted is not shown back; a form that
//! is sent twice makes one credential; a secret is in the one answer that follows its making, and nowhere else.

use http::StatusCode;
use m2m_io::token as random_token;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::api_form::{Ways, set, way};
use super::calls::{Call, Refusal};
use super::client;
use super::credential::{self, path};
use super::members::{number, text};
use super::outdated::{self, Thing};
use super::visit::Visit;
use super::{Shown, listed, wrong};
use crate::commands::admin::material::{PRIVATE, key_set};
use crate::console::door::Sent;
use crate::console::page::{Entry, Problem, Tone, copyable, isolated, moment, notice, problems};

/// Words in what the API says, and the field that they are about.
const FIELDS: [(&str, &str); 11] = [
    ("label", "label"),
    ("jwks_uri", "jwks_uri"),
    ("jwks", "keys"),
    ("certificate", "certificate"),
    ("subject \"", "subject"),
    ("the subject", "subject"),
    ("external_subject", "external_subject"),
    ("trusted issuer", "issuer"),
    ("exactly one subject", "subject"),
    ("expires_in", "expires_in"),
    ("overlap", "overlap"),
];

/// A form for a credential of the client that the address names.
pub(super) async fn add(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let owner = visit.get(&client::path(id)).await?;
    let Some(form) = &visit.form else { return page(visit, &owner, &Sent::default(), &[]).await };
    let mut problems = Vec::new();
    wrong::needed(form, "label", "name the instance, such as eu-1", &mut problems);
    let mut body = json!({"label": form.text("label"), "method": form.text("method")});
    material(form, form.text("method"), &mut body, &mut problems);
    if let Some(seconds) = wrong::span(form, "expires_in", &mut problems) {
        set(&mut body, "expires_in", Value::from(seconds));
    }
    if form.text("accept_token_endpoint_audience") == "on" && form.text("method").ends_with("_jwt") {
        set(&mut body, "accept_token_endpoint_audience", Value::Bool(true));
    }
    if !problems.is_empty() {
        return page(visit, &owner, form, &problems).await;
    }
    let to = format!("{}/credentials", client::path(id));
    match visit.send(Call::post(&to, body).once(form.text("once"))).await {
        Ok(made) => shown_once(visit, &made, &html! {}),
        Err(refusal) if refusal.is_about_the_form() => {
            page(visit, &owner, form, &wrong::said(&refusal, &FIELDS)).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// What a credential of that method is made of.
fn material(form: &Sent, method: &str, body: &mut Value, problems: &mut Vec<Problem>) {
    let mut put = |name: &str, text: &str| set(body, name, Value::from(text));
    match method {
        "private_key_jwt" if form.text("keys").is_empty() => put("jwks_uri", form.text("jwks_uri")),
        "private_key_jwt" => match public_keys(form.text("keys")) {
            Ok(keys) => set(body, "jwks", keys),
            Err(why) => problems.push(wrong::at("keys", why)),
        },
        "tls_client_auth" => put("subject", form.text("subject")),
        "self_signed_tls_client_auth" if form.text("certificate").contains("PRIVATE KEY-----") => {
            problems.push(wrong::at("certificate", PRIVATE));
        }
        "self_signed_tls_client_auth" => put("certificate", form.text("certificate")),
        "federated" => {
            put("issuer", form.text("issuer"));
            put("external_subject", form.text("external_subject"));
        }
        "client_secret" | "client_secret_jwt" => {}
        _ => problems.push(wrong::at("method", "choose how the instance proves who it is")),
    }
    if method == "private_key_jwt" && form.text("keys").is_empty() && form.text("jwks_uri").is_empty() {
        problems.push(wrong::at("keys", "paste the public key, or say where the keys are"));
    }
}

fn public_keys(text: &str) -> Result<Value, String> {
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(
            "this is a certificate; choose a method that takes one, or paste the public key".to_owned()
        );
    }
    key_set(text.as_bytes())
}

/// Whether a text holds what no page may repeat: a private key, or a symmetric one.
pub(super) fn is_private(text: &str) -> bool {
    ["PRIVATE KEY", "\"d\"", "\"k\""].iter().any(|mark| text.contains(mark))
}

/// What was pasted is shown back unless it is secret.
fn shown_back<'a>(form: &'a Sent, name: &str) -> &'a str {
    let text = form.text(name);
    if is_private(text) { "" } else { text }
}

async fn page(visit: &Visit<'_>, owner: &Value, form: &Sent, wrong: &[Problem]) -> Shown {
    let id = text(owner, "id");
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let issuers = listed::all(visit, "/issuers").await?;
    let entry = |name, label, help| Entry { name, label, help, value: form.text(name), ..Entry::default() };
    let audience = [way(
        "on",
        "Accept the token endpoint as audience",
        "For clients that do not name the issuer in their assertions.",
    )];
    let on = [form.text("accept_token_endpoint_audience").to_owned()];
    let audience = crate::console::page::Choice {
        name: "accept_token_endpoint_audience",
        label: "Assertions",
        help: "",
        options: &audience,
        chosen: &on,
        several: true,
    };
    let fields = html! {
        input type="hidden" name="once" value=(once(visit, form));
        (Entry { required: true, ..entry("label", "Instance", "Which one it is, such as eu-1.") }.markup(wrong))
        (methods(form, &issuers).markup(wrong))
        (parts(form, &issuers, wrong))
        (entry("expires_in", "Expires after", "Such as 90d; without it, it works until it is revoked.").markup(wrong))
        div data-when="method=client_secret_jwt|private_key_jwt" { (audience.markup(wrong)) }
        div.row { button { "Add" } a.button.second href=(visit.of("client", id)) { "Cancel" } }
    };
    let main = html! {
        (problems(wrong))
        p { "For an instance of " a href=(visit.of("client", id)) { (isolated(id)) } "." }
        (visit.form_to(&visit.of(&visit.path, id), &fields))
    };
    Ok(visit.page(status, "Add a credential", html! {}, &main))
}

/// What makes a repeat of this form no second order.
fn once(visit: &Visit<'_>, form: &Sent) -> String {
    match form.text("once") {
        "" => random_token(visit.console.random.as_ref()).to_string(),
        once => once.to_owned(),
    }
}

fn methods(form: &Sent, issuers: &[Value]) -> Ways<'static> {
    let mut options = vec![
        way(
            "client_secret",
            "Secret",
            "The server makes it and shows it once. Simple; whoever reads it is the instance.",
        ),
        way(
            "private_key_jwt",
            "Private key",
            "The key stays where the instance runs; only its public half comes here. The best where it can be had.",
        ),
        way(
            "client_secret_jwt",
            "Secret that signs",
            "The server makes it and shows it once; it is not sent at sign-in, but signs.",
        ),
        way(
            "tls_client_auth",
            "Certificate of an authority",
            "The name in a certificate that an authority of yours issued.",
        ),
        way("self_signed_tls_client_auth", "Own certificate", "One certificate, whoever issued it."),
        way(
            "federated",
            "Token of a trusted issuer",
            "The platform vouches for the workload, so that there is no secret at all.",
        ),
    ];
    if let (true, Some(last)) = (issuers.is_empty(), options.last_mut()) {
        last.refused = Some("no issuer is trusted yet; add one first".to_owned());
    }
    let chosen = match form.text("method") {
        "" => "client_secret",
        method => method,
    };
    Ways { name: "method", label: "How it proves who it is", options, chosen: chosen.to_owned() }
}

/// The parts of the form that belong to one method; without a script all are there.
fn parts(form: &Sent, issuers: &[Value], wrong: &[Problem]) -> Markup {
    let entry =
        |name, label, help| Entry { name, label, help, value: shown_back(form, name), ..Entry::default() };
    let known: Vec<String> = issuers.iter().map(|issuer| text(issuer, "id").to_owned()).collect();
    html! {
        div data-when="method=private_key_jwt" {
            (Entry { kind: "area", alternative: true, ..entry("keys", "Public key", "PEM, JWK or JWK set. m2m keygen --out NAME makes NAME.pub.pem where the instance runs.") }.markup(wrong))
            (Entry { kind: "url", alternative: true, ..entry("jwks_uri", "or where the keys are", "An https URL of a JWK set that the instance publishes.") }.markup(wrong))
        }
        div data-when="method=tls_client_auth" {
            (entry("subject", "Subject", "The distinguished name, such as CN=eu-1,O=Example.").markup(wrong))
        }
        div data-when="method=self_signed_tls_client_auth" {
            (Entry { kind: "area", ..entry("certificate", "Certificate", "PEM. m2m keygen certificate --out NAME makes one.") }.markup(wrong))
        }
        div data-when="method=federated" {
            (Entry { offers: &known, ..entry("issuer", "Trusted issuer", "Its id here.") }.markup(wrong))
            (entry("external_subject", "Subject", "The claim sub of its tokens; with * it is a pattern.").markup(wrong))
        }
    }
}

/// The page that follows: what was made, and its secret for the only time.
fn shown_once(visit: &Visit<'_>, made: &Value, more: &Markup) -> Shown {
    let (id, owner) = (text(made, "id"), text(made, "client_id"));
    let secret = text(made, "client_secret");
    let has_secret = text(made, "method").starts_with("client_secret");
    let main = html! {
        @if !secret.is_empty() {
            (notice(Tone::Careful, "Keep this secret now", &html! {
                p { "It is shown this once and cannot be read again. Put it where the instance reads its secrets." }
                (copyable("secret", "the secret", secret))
            }))
        } @else if has_secret {
            (notice(Tone::Bad, "This was sent before", &html! {
                p { "The credential was made then, and its secret cannot be read again. If it is lost, rotate the credential." }
            }))
        } @else {
            (notice(Tone::Good, "Added", &html! { p { "There is nothing to keep: only the public half is here." } }))
        }
        (more)
        p { "The credential " a href=(visit.of("credential", id)) { (isolated(text(made, "label"))) } " is one of "
            a href=(visit.of("client", owner)) { (isolated(owner)) } "." }
        div.row { a.button.second href=(visit.of("client", owner)) { "Go on" } }
    };
    visit.show("A credential is made", html! {}, &main)
}

/// A form for a successor of the credential that the address names.
pub(super) async fn rotate(visit: &Visit<'_>) -> Shown {
    let before = credential::named(visit).await?;
    let id = text(&before, "id");
    let Some(form) = &visit.form else { return rotate_page(visit, &before, &Sent::default(), &[]) };
    let mut problems = Vec::new();
    let overlap = wrong::span(form, "overlap", &mut problems).unwrap_or(24 * 60 * 60);
    let mut body = json!({"overlap": overlap});
    let method = text(&before, "method");
    if !method.starts_with("client_secret") {
        material(form, method, &mut body, &mut problems);
    }
    if let Some(seconds) = wrong::span(form, "expires_in", &mut problems) {
        set(&mut body, "expires_in", Value::from(seconds));
    }
    if !problems.is_empty() {
        return rotate_page(visit, &before, form, &problems);
    }
    let to = format!("{}/rotate", path(id));
    match visit.send(Call::post(&to, body).at(form.text("version"))).await {
        Ok(made) => {
            let more = until(visit, id).await?;
            shown_once(visit, &made, &more)
        }
        Err(refusal) if refusal.is_outdated() => {
            Ok(outdated::page(visit, Thing::Credential, id, &html! {}).await)
        }
        Err(refusal) if refusal.is_about_the_form() => {
            rotate_page(visit, &before, form, &wrong::said(&refusal, &FIELDS))
        }
        Err(refusal) => Err(refusal),
    }
}

/// How long the one before goes on.
async fn until(visit: &Visit<'_>, before: &str) -> Result<Markup, Refusal> {
    let before = visit.get(&path(before)).await?;
    let end = number(&before, "expires_at");
    Ok(html! {
        @if let Some(end) = end {
            p { "The one before works until " (moment(end)) ", so both do until then. Left: " strong data-until=(end) { (moment(end)) } "." }
            p { "Its page says when it is safe to remove: "
                a href=(visit.of("credential", text(&before, "id"))) { (isolated(text(&before, "label"))) } "." }
        }
    })
}

fn rotate_page(visit: &Visit<'_>, before: &Value, form: &Sent, wrong: &[Problem]) -> Shown {
    let id = text(before, "id");
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let overlap = match form.text("overlap") {
        "" => "24h",
        overlap => overlap,
    };
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    let expires = entry(
        "expires_in",
        "The successor expires after",
        "Such as 90d; without it, as long as the one before was meant to live.",
        form.text("expires_in"),
    );
    let fields = html! {
        input type="hidden" name="version" value=(super::clients::version(before));
        (parts_of(text(before, "method"), form, wrong))
        (Entry { required: true, ..entry("overlap", "Both work for", "Such as 24h. Then the present one ends by itself.", overlap) }.markup(wrong))
        (expires.markup(wrong))
        div.row { button { "Rotate" } a.button.second href=(visit.of("credential", id)) { "Cancel" } }
    };
    let secret = text(before, "method").starts_with("client_secret");
    let main = html! {
        (problems(wrong))
        (notice(Tone::Plain, "What happens", &html! {
            p { "A successor is made for " (isolated(text(before, "label"))) @if secret { ", and its secret is shown once" } ". Both work for the time below; then the present one ends by itself." }
        }))
        (visit.form_to(&visit.of(&visit.path, id), &fields))
    };
    Ok(visit.page(status, &format!("Rotate {}", text(before, "label")), html! {}, &main))
}

/// What a successor of that method is made of.
fn parts_of(method: &str, form: &Sent, wrong: &[Problem]) -> Markup {
    let entry =
        |name, label, help| Entry { name, label, help, value: shown_back(form, name), ..Entry::default() };
    match method {
        "private_key_jwt" => html! {
            (Entry { kind: "area", alternative: true, ..entry("keys", "Next public key", "PEM, JWK or JWK set.") }.markup(wrong))
            (Entry { kind: "url", alternative: true, ..entry("jwks_uri", "or where the keys are", "An https URL of a JWK set.") }.markup(wrong))
        },
        "tls_client_auth" => html! {
            (Entry { required: true, ..entry("subject", "Next subject", "The distinguished name of the next certificate.") }.markup(wrong))
        },
        "self_signed_tls_client_auth" => html! {
            (Entry { kind: "area", required: true, ..entry("certificate", "Next certificate", "PEM.") }.markup(wrong))
        },
        _ => html! {},
    }
}
