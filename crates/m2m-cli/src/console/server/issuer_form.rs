//! Adding and changing a trusted issuer.

use http::StatusCode;
use m2m_proto::json::{JsonLimits, parse_value};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::api_form::{Ways, set, way};
use super::calls::Call;
use super::clients::version;
use super::issuers::path;
use super::members::{digits, is, items, text, texts};
use super::outdated::{self, Thing};
use super::visit::Visit;
use super::{Shown, credential_form, wrong};
use crate::commands::admin::condition;
use crate::commands::admin::material::PRIVATE;
use crate::console::door::Sent;
use crate::console::page::{Choice, Entry, Problem, problems};

/// Words in what the API says, and the field that they are about.
const FIELDS: [(&str, &str); 15] = [
    ("jwks_url", "jwks_url"),
    ("jwks", "jwks"),
    ("keys are at", "keys"),
    ("ca_file", "ca_file"),
    ("bearer_file", "bearer_file"),
    ("conditions", "conditions"),
    ("max_lifetime", "max_lifetime"),
    ("lifetime", "max_lifetime"),
    ("audience", "audiences"),
    ("trust domain", "named"),
    ("trust_domain", "named"),
    ("issuer has", "named"),
    ("id has", "id"),
    ("exists with other content", "id"),
    ("registered already", "id"),
];

/// A form for one that is not there yet.
pub(super) async fn add(visit: &Visit<'_>) -> Shown {
    let Some(form) = &visit.form else {
        let audience = visit.console.resource.trim_end_matches("/admin/v1");
        return page(visit, "", &json!({"audiences": [audience], "max_lifetime": 86400}), &[]);
    };
    let mut problems = Vec::new();
    wrong::needed(form, "id", "give it an id, such as github", &mut problems);
    wrong::needed(form, "named", "name the issuer as its tokens do", &mut problems);
    let mut body = read(form, &mut problems);
    set(&mut body, "id", Value::from(form.text("id")));
    let kind = if form.text("sort") == "trust_domain" { "trust_domain" } else { "issuer" };
    set(&mut body, kind, Value::from(form.text("named")));
    if !problems.is_empty() {
        return page(visit, "", &body, &problems);
    }
    match visit.send(Call::post("/issuers", body.clone())).await {
        Ok(made) => visit.go(&visit.to("issuer", &[("id", text(&made, "id")), ("done", "added")])),
        Err(refusal) if refusal.is_about_the_form() => {
            page(visit, "", &body, &wrong::said(&refusal, &FIELDS))
        }
        Err(refusal) => Err(refusal),
    }
}

/// A form for one that is there.
pub(super) async fn change(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let Some(form) = &visit.form else {
        let issuer = visit.get(&path(id)).await?;
        return page(visit, id, &issuer, &[]);
    };
    let mut problems = Vec::new();
    let mut body = read(form, &mut problems);
    let at = form.text("version");
    if problems.is_empty() {
        match visit.send(Call::patch(&path(id), body.clone()).at(at)).await {
            Ok(_) => return visit.go(&visit.to("issuer", &[("id", id), ("done", "changed")])),
            Err(refusal) if refusal.is_outdated() => {
                let now = visit.get(&path(id)).await?;
                let differs = outdated::differences(&body, &now);
                return Ok(outdated::page(visit, Thing::Issuer, id, &differs).await);
            }
            Err(refusal) if refusal.is_about_the_form() => problems = wrong::said(&refusal, &FIELDS),
            Err(refusal) => return Err(refusal),
        }
    }
    set(&mut body, "version", at.parse::<u64>().map_or(Value::Null, Value::from));
    page(visit, id, &body, &problems)
}

/// What was sent, as the API takes it.
fn read(form: &Sent, problems: &mut Vec<Problem>) -> Value {
    let told = |name| (!form.text(name).is_empty()).then(|| form.text(name));
    let place = form.text("keys");
    let jwks = (place == "jwks").then(|| keys_of(form.text("jwks"), problems));
    json!({
        "name": told("name"),
        "discovery": (place == "discovery").then_some(true),
        "jwks_url": told("jwks_url").filter(|_| place == "jwks_url"),
        "jwks_file": told("jwks_file").filter(|_| place == "jwks_file"),
        "jwks": jwks,
        "ca_file": told("ca_file"),
        "bearer_file": told("bearer_file"),
        "audiences": wrong::words(form, "audiences"),
        "max_lifetime": wrong::kept(form, "max_lifetime", wrong::span(form, "max_lifetime", problems)),
        "single_use": form.text("single_use") == "on",
        "conditions": conditions(form, problems),
    })
}

/// A key set that was pasted; a private one goes no further and is not shown back.
fn keys_of(text: &str, problems: &mut Vec<Problem>) -> Value {
    if credential_form::is_private(text) {
        problems.push(wrong::at("jwks", PRIVATE));
        return Value::Null;
    }
    parse_value(text.as_bytes(), &JsonLimits::DOCUMENT).unwrap_or_else(|_| {
        problems.push(wrong::at("jwks", "this is no JWK set"));
        Value::from(text)
    })
}

fn conditions(form: &Sent, problems: &mut Vec<Problem>) -> Vec<Value> {
    let lines = form.text("conditions").lines().map(str::trim).filter(|line| !line.is_empty());
    let mut conditions = Vec::new();
    for line in lines {
        match condition::parse(line) {
            Ok(condition) => conditions.push(condition),
            Err(_) => {
                let example = "repository=acme/app, ref~=refs/heads/* or env:=[\"a\",\"b\"]";
                problems.push(wrong::at("conditions", format!("{line:?} is no condition such as {example}")));
                conditions.push(Value::from(line));
            }
        }
    }
    conditions
}

fn page(visit: &Visit<'_>, id: &str, issuer: &Value, wrong: &[Problem]) -> Shown {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let is_fresh = id.is_empty();
    let back = if is_fresh { visit.to("issuers", &[]) } else { visit.of("issuer", id) };
    let fields = html! {
        @if !is_fresh { input type="hidden" name="version" value=(version(issuer)); }
        @if is_fresh { (names(issuer, wrong)) }
        (Entry { name: "name", label: "Name", help: "For people.", value: text(issuer, "name"), ..Entry::default() }.markup(wrong))
        (keys(issuer, wrong))
        (rules(issuer, wrong))
        div.row { button { (if is_fresh { "Trust" } else { "Save" }) } a.button.second href=(back) { "Cancel" } }
    };
    let query = [("id", id)];
    let to = visit.to(&visit.path, if is_fresh { &[] } else { &query });
    let main = html! { (problems(wrong)) (visit.form_to(&to, &fields)) };
    let title = if is_fresh { "Trust an issuer".to_owned() } else { format!("Change {id}") };
    Ok(visit.page(status, &title, html! {}, &main))
}

fn names(issuer: &Value, wrong: &[Problem]) -> Markup {
    let (sort, named) = match text(issuer, "trust_domain") {
        "" => ("issuer", text(issuer, "issuer")),
        domain => ("trust_domain", domain),
    };
    let options = vec![
        way("issuer", "By the claim iss", "Nearly every platform: the value of iss, to the letter."),
        way(
            "trust_domain",
            "By a SPIFFE trust domain",
            "Such as prod.example.com: the first part of each sub.",
        ),
    ];
    let sort = Ways { name: "sort", label: "How its tokens name it", options, chosen: sort.to_owned() };
    let entry =
        |name, label, help, value| Entry { name, label, help, value, required: true, ..Entry::default() };
    html! {
        (entry("id", "Id", "As you call it here, such as github. It cannot be changed later.", text(issuer, "id")).markup(wrong))
        (sort.markup(wrong))
        (entry("named", "Issuer or trust domain", "Such as https://token.actions.githubusercontent.com. It cannot be changed later.", named).markup(wrong))
    }
}

fn keys(issuer: &Value, wrong: &[Problem]) -> Markup {
    let given = issuer.get("jwks").filter(|keys| !keys.is_null()).map(typed).unwrap_or_default();
    let chosen = match (text(issuer, "jwks_url"), text(issuer, "jwks_file"), given.as_str()) {
        ("", "", "") => "discovery",
        ("", "", _) => "jwks",
        ("", ..) => "jwks_file",
        _ => "jwks_url",
    };
    let options = vec![
        way("discovery", "By its metadata", "The issuer is a URL that says where its keys are."),
        way("jwks_url", "At a URL", "A JWK set, or a SPIFFE bundle, behind https."),
        way(
            "jwks_file",
            "In a file of the server",
            "Below a directory that issuer_files of the server names.",
        ),
        way("jwks", "Given here", "A JWK set that you paste and keep up to date."),
    ];
    let place = Ways { name: "keys", label: "Where its keys are", options, chosen: chosen.to_owned() };
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    html! {
        (place.markup(wrong))
        div data-when="keys=jwks_url" { (Entry { kind: "url", ..entry("jwks_url", "URL of the keys", "", text(issuer, "jwks_url")) }.markup(wrong)) }
        div data-when="keys=jwks_file" { (entry("jwks_file", "File of the keys", "", text(issuer, "jwks_file")).markup(wrong)) }
        div data-when="keys=jwks" { (Entry { kind: "area", ..entry("jwks", "The keys", "", &given) }.markup(wrong)) }
        div data-when="keys=jwks_url|discovery" {
            details open[!text(issuer, "ca_file").is_empty() || !text(issuer, "bearer_file").is_empty()] {
                summary { "Where its server asks for more" }
                (entry("ca_file", "Authorities of its server", "A PEM file of this server, as Kubernetes needs it.", text(issuer, "ca_file")).markup(wrong))
                (entry("bearer_file", "Token for its server", "A file of this server whose token is sent with the request.", text(issuer, "bearer_file")).markup(wrong))
            }
        }
    }
}

/// A text that was typed as it was, anything else as JSON.
fn typed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A condition as it is typed, right or wrong.
fn line(condition: &Value) -> String {
    condition.as_str().map_or_else(|| condition::written(condition), str::to_owned)
}

fn rules(issuer: &Value, wrong: &[Problem]) -> Markup {
    let audiences = texts(issuer, "audiences").join(" ");
    let lines: Vec<String> = items(issuer, "conditions").iter().map(line).collect();
    let (lines, lifetime) = (lines.join("\n"), digits(issuer, "max_lifetime"));
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    let on = if is(issuer, "single_use") { vec!["on".to_owned()] } else { Vec::new() };
    let options = [way("on", "Each token works once", "Only if the platform makes one for each request.")];
    let once =
        Choice { name: "single_use", label: "Use", help: "", options: &options, chosen: &on, several: true };
    html! {
        (Entry { chips: true, required: true, ..entry("audiences", "Audiences", "What its tokens must name as aud, with spaces between; best the address of this server.", &audiences) }.markup(wrong))
        (Entry { kind: "area", ..entry("conditions", "Conditions for all of its tokens", "One in each line: CLAIM=TEXT, CLAIM~=PATTERN with *, or CLAIM:=JSON. Each credential adds its own subject.", &lines) }.markup(wrong))
        (entry("max_lifetime", "Tokens live at most", "Longer ones are refused: such as 1h.", &lifetime).markup(wrong))
        (once.markup(wrong))
    }
}
