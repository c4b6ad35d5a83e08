//! Adding and changing an API.

use http::StatusCode;
use m2m_proto::jose::Algorithm;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::apis::path;
use super::calls::Call;
use super::clients::version;
use super::members::{digits, items, text, texts};
use super::outdated::{self, Thing};
use super::visit::Visit;
use super::{Shown, wrong};
use crate::console::door::Sent;
use crate::console::page::{Alternative, Choice, Entry, Problem, problems};

/// Words in what the API says, and the field that they are about.
const FIELDS: [(&str, &str); 10] = [
    ("lifetime", "lifetime"),
    ("sender_constraint", "sender_constraint"),
    ("format", "format"),
    ("symmetric", "alg"),
    ("alg ", "alg"),
    ("scope", "scopes"),
    ("description", "scopes"),
    ("the client id", "resource_servers"),
    ("name has", "name"),
    ("API", "identifier"),
];

/// A form for one that is not there yet.
pub(super) async fn add(visit: &Visit<'_>) -> Shown {
    let start = json!({"format": "jwt", "lifetime": 600, "alg": "ES256", "sender_constraint": "none"});
    let Some(form) = &visit.form else { return page(visit, "", &start, &[]) };
    let mut problems = Vec::new();
    wrong::needed(form, "identifier", "name the API, for example https://orders.example.com", &mut problems);
    let mut body = read(form, &mut problems);
    set(&mut body, "identifier", Value::from(form.text("identifier")));
    if !problems.is_empty() {
        return page(visit, "", &body, &problems);
    }
    match visit.send(Call::post("/apis", body.clone())).await {
        Ok(made) => visit.go(&visit.to("api", &[("id", text(&made, "identifier")), ("done", "added")])),
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
        let api = visit.get(&path(id)).await?;
        return page(visit, id, &api, &[]);
    };
    let mut problems = Vec::new();
    let mut body = read(form, &mut problems);
    let at = form.text("version");
    let again = |body: &mut Value, problems: &[Problem]| {
        set(body, "version", at.parse::<u64>().map_or(Value::Null, Value::from));
        page(visit, id, body, problems)
    };
    if !problems.is_empty() {
        return again(&mut body, &problems);
    }
    match visit.send(Call::patch(&path(id), body.clone()).at(at)).await {
        Ok(_) => visit.go(&visit.to("api", &[("id", id), ("done", "changed")])),
        Err(refusal) if refusal.is_outdated() => {
            let now = visit.get(&path(id)).await?;
            Ok(outdated::page(visit, Thing::Api, id, &outdated::differences(&body, &now)).await)
        }
        Err(refusal) if refusal.is_about_the_form() => again(&mut body, &wrong::said(&refusal, &FIELDS)),
        Err(refusal) => Err(refusal),
    }
}

/// A member of an order.
pub(super) fn set(body: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = body {
        members.insert(name.to_owned(), value);
    }
}

/// What was sent, as the API takes it.
fn read(form: &Sent, problems: &mut Vec<Problem>) -> Value {
    let scope = |line: &str| {
        let line = line.trim();
        let (scope, description) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        json!({"scope": scope, "description": description.trim()})
    };
    let lines = form.text("scopes").lines().filter(|line| !line.trim().is_empty());
    json!({
        "name": (!form.text("name").is_empty()).then(|| form.text("name")),
        "scopes": lines.map(scope).collect::<Vec<_>>(),
        "format": form.text("format"),
        "alg": form.text("alg"),
        "lifetime": wrong::kept(form, "lifetime", wrong::span(form, "lifetime", problems)),
        "sender_constraint": form.text("sender_constraint"),
        "resource_servers": wrong::words(form, "resource_servers"),
    })
}

fn page(visit: &Visit<'_>, id: &str, api: &Value, wrong: &[Problem]) -> Shown {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let is_fresh = id.is_empty();
    let back = if is_fresh { visit.to("apis", &[]) } else { visit.of("api", id) };
    let fields = html! {
        @if !is_fresh { input type="hidden" name="version" value=(version(api)); }
        (fields(api, id, wrong))
        div.row { button { (if is_fresh { "Add" } else { "Save" }) } a.button.second href=(back) { "Cancel" } }
    };
    let query = [("id", id)];
    let to = visit.to(&visit.path, if is_fresh { &[] } else { &query });
    let main = html! { (problems(wrong)) (visit.form_to(&to, &fields)) };
    let title = if is_fresh { "Add an API".to_owned() } else { format!("Change {id}") };
    Ok(visit.page(status, &title, html! {}, &main))
}

/// `id` is empty for one that is not there yet.
fn fields(api: &Value, id: &str, wrong: &[Problem]) -> Markup {
    let lines: Vec<String> = items(api, "scopes")
        .iter()
        .map(|scope| format!("{} {}", text(scope, "scope"), text(scope, "description")).trim().to_owned())
        .collect();
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    let (lines, lifetime) = (lines.join("\n"), digits(api, "lifetime"));
    let servers = texts(api, "resource_servers").join(" ");
    let algorithms: Vec<String> = Algorithm::ALL
        .into_iter()
        .filter(|alg| !alg.is_symmetric())
        .map(|alg| alg.name().to_owned())
        .collect();
    let identifier = entry(
        "identifier",
        "Identifier",
        "What tokens name as their audience, usually the URL of the API. It cannot be changed later.",
        text(api, "identifier"),
    );
    let scopes = entry("scopes", "Scopes", "One in each line: the scope, then what it allows.", &lines);
    let alg = entry(
        "alg",
        "Signed with",
        "ES256 suits nearly everybody; the server makes a key for what you choose.",
        text(api, "alg"),
    );
    let lifetime = entry(
        "lifetime",
        "Tokens live for",
        "Such as 600 (seconds), 10m or 1h; at most 24h. Short is safe: machines renew by themselves.",
        &lifetime,
    );
    let servers = entry(
        "resource_servers",
        "Resource servers",
        "Clients that may introspect tokens for this API, with spaces between.",
        &servers,
    );
    html! {
        @if id.is_empty() { (Entry { required: true, ..identifier }.markup(wrong)) }
        (entry("name", "Name", "For people.", text(api, "name")).markup(wrong))
        (Entry { kind: "area", ..scopes }.markup(wrong))
        (format(api).markup(wrong))
        (Entry { required: true, ..lifetime }.markup(wrong))
        (binding(api).markup(wrong))
        (Entry { offers: &algorithms, required: true, ..alg }.markup(wrong))
        (Entry { chips: true, ..servers }.markup(wrong))
    }
}

/// A way of several.
pub(super) fn way(value: &str, label: &str, help: &str) -> Alternative {
    Alternative { value: value.to_owned(), label: label.to_owned(), help: help.to_owned(), refused: None }
}

/// A choice of one, drawn at once because its parts live no longer.
pub(super) struct Ways<'a> {
    pub(super) name: &'a str,
    pub(super) label: &'a str,
    pub(super) options: Vec<Alternative>,
    pub(super) chosen: String,
}

impl Ways<'_> {
    pub(super) fn markup(&self, wrong: &[Problem]) -> Markup {
        let chosen = [self.chosen.clone()];
        let (name, label) = (self.name, self.label);
        Choice { name, label, help: "", options: &self.options, chosen: &chosen, several: false }
            .markup(wrong)
    }
}

fn format(api: &Value) -> Ways<'static> {
    let options = vec![
        way(
            "jwt",
            "JWT",
            "The API reads tokens without asking; a withdrawn one is known when it fetches what is withdrawn.",
        ),
        way(
            "opaque",
            "Opaque",
            "Only this server can read them: the API asks it for each, and a withdrawal counts at once.",
        ),
    ];
    Ways { name: "format", label: "Tokens", options, chosen: text(api, "format").to_owned() }
}

fn binding(api: &Value) -> Ways<'static> {
    let options = vec![
        way(
            "none",
            "Nothing that is demanded",
            "Whoever has a token can use it. A client may bind its tokens of its own accord.",
        ),
        way("dpop", "A DPoP key", "A token is worth nothing without the key of the client that got it."),
        way("mtls", "A certificate", "The same with a client certificate, on TLS connections that show it."),
    ];
    Ways {
        name: "sender_constraint",
        label: "Tokens are bound to",
        options,
        chosen: text(api, "sender_constraint").to_owned(),
    }
}
