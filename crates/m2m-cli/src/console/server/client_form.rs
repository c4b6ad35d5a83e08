//! Adding and changing a client: who it is, and what it may do at each API.
//!
//! Limits: the form offers the APIs that are granted and others up to 30; more are granted by `m2m admin`.

use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::api_form::{Ways, set, way};
use super::calls::{Call, Refusal};
use super::client::path;
use super::clients::version;
use super::members::{digits, is, items, text, texts};
use super::outdated::{self, Thing};
use super::visit::Visit;
use super::{Shown, listed, wrong};
use crate::console::door::Sent;
use crate::console::page::{Alternative, Choice, Entry, Problem, isolated, problems};

const MAX_APIS: usize = 30;
/// As many grants as the API takes.
const MAX_FIELDS: usize = 1000;
/// In the field of defaults: nothing is granted without asking.
const NOTHING: &str = "-";

/// Words in what the API says, and the field that they are about.
const FIELDS: [(&str, &str); 12] = [
    ("review_by", "review_by"),
    ("allowed_networks", "allowed_networks"),
    ("sender_constraint", "sender_constraint"),
    ("lifetime", "lifetime_cap"),
    ("quota", "mint_quota"),
    ("owner has", "owner"),
    ("purpose has", "purpose"),
    ("name has", "name"),
    ("client id", "id"),
    ("exists with other content", "id"),
    ("registered already", "id"),
    ("u32", "mint_quota"),
];

/// A form for one that is not there yet.
pub(super) async fn add(visit: &Visit<'_>) -> Shown {
    let Some(form) = &visit.form else { return page(visit, "", &json!({}), &[]).await };
    let mut problems = Vec::new();
    wrong::needed(form, "id", "give it an id, such as billing", &mut problems);
    let mut body = read(form, &mut problems);
    set(&mut body, "id", Value::from(form.text("id")));
    if !problems.is_empty() {
        return page(visit, "", &body, &problems).await;
    }
    match visit.send(Call::post("/clients", body.clone())).await {
        Ok(made) => visit.go(&visit.to("client", &[("id", text(&made, "id")), ("done", "added")])),
        Err(refusal) if refusal.is_about_the_form() => {
            page(visit, "", &body, &wrong::said(&refusal, &FIELDS)).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// A form for one that is there.
pub(super) async fn change(visit: &Visit<'_>) -> Shown {
    let id = visit.id()?;
    let Some(form) = &visit.form else {
        let client = visit.get(&path(id)).await?;
        return page(visit, id, &client, &[]).await;
    };
    let mut problems = Vec::new();
    let mut body = read(form, &mut problems);
    let at = form.text("version");
    if problems.is_empty() {
        match visit.send(Call::patch(&path(id), body.clone()).at(at)).await {
            Ok(_) => return visit.go(&visit.to("client", &[("id", id), ("done", "changed")])),
            Err(refusal) if refusal.is_outdated() => {
                let now = visit.get(&path(id)).await?;
                let differs = outdated::differences(&body, &now);
                return Ok(outdated::page(visit, Thing::Client, id, &differs).await);
            }
            Err(refusal) if refusal.is_about_the_form() => problems = wrong::said(&refusal, &FIELDS),
            Err(refusal) => return Err(refusal),
        }
    }
    set(&mut body, "version", at.parse::<u64>().map_or(Value::Null, Value::from));
    page(visit, id, &body, &problems).await
}

/// What was sent, as the API takes it; what is empty is none.
fn read(form: &Sent, problems: &mut Vec<Problem>) -> Value {
    let told = |name| (!form.text(name).is_empty()).then(|| form.text(name));
    json!({
        "name": told("name"),
        "owner": told("owner"),
        "purpose": told("purpose"),
        "review_by": told("review_by"),
        "grants": grants(form),
        "lifetime_cap": wrong::kept(form, "lifetime_cap", wrong::span(form, "lifetime_cap", problems)),
        "sender_constraint": told("sender_constraint").unwrap_or("none"),
        "mint_quota": wrong::kept(form, "mint_quota", wrong::count(form, "mint_quota", problems)),
        "allowed_networks": wrong::words(form, "allowed_networks"),
        "token_exchange": form.text("token_exchange") == "on",
    })
}

/// The grants, one for each API of which a scope is chosen.
fn grants(form: &Sent) -> Vec<Value> {
    let mut grants = Vec::new();
    for index in 0..MAX_FIELDS {
        let field = |what: &str| format!("{what}-{index}");
        let api = field("api");
        let api = form.text(&api);
        if api.is_empty() {
            break;
        }
        let name = field("scopes");
        let scopes: Vec<&str> = form.all(&name).collect();
        // A grant without a scope was made elsewhere and is not lost by saving something else.
        if scopes.is_empty() && form.text(&field("bare")).is_empty() {
            continue;
        }
        let mut grant = json!({
            "api": api,
            "scopes": scopes,
            "roles": wrong::words(form, &field("roles")),
            "permissions": wrong::words(form, &field("permissions")),
        });
        match form.text(&field("defaults")) {
            "" => set(&mut grant, "default_scopes", json!(scopes)),
            NOTHING => set(&mut grant, "default_scopes", json!([])),
            _ => set(&mut grant, "default_scopes", json!(wrong::words(form, &field("defaults")))),
        }
        grants.push(grant);
    }
    grants
}

async fn page(visit: &Visit<'_>, id: &str, client: &Value, wrong: &[Problem]) -> Shown {
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let is_fresh = id.is_empty();
    let back = if is_fresh { visit.to("clients", &[]) } else { visit.of("client", id) };
    let fields = html! {
        @if !is_fresh { input type="hidden" name="version" value=(version(client)); }
        (who(client, id, wrong))
        h2 { "What it may do" }
        (granted(visit, client, wrong).await?)
        h2 { "Limits" }
        (limits(client, wrong))
        div.row { button { (if is_fresh { "Add" } else { "Save" }) } a.button.second href=(back) { "Cancel" } }
    };
    let query = [("id", id)];
    let to = visit.to(&visit.path, if is_fresh { &[] } else { &query });
    let main = html! { (problems(wrong)) (visit.form_to(&to, &fields)) };
    let title = if is_fresh { "Add a client".to_owned() } else { format!("Change {id}") };
    Ok(visit.page(status, &title, html! {}, &main))
}

/// `named` is empty for one that is not there yet.
fn who(client: &Value, named: &str, wrong: &[Problem]) -> Markup {
    let entry =
        |name, label, help| Entry { name, label, help, value: text(client, name), ..Entry::default() };
    let id = entry("id", "Id", "Letters, digits and -._~, such as billing. It cannot be changed later.");
    let review = entry(
        "review_by",
        "Review by",
        "When somebody should ask whether it is still needed, such as 2027-06-01.",
    );
    html! {
        @if named.is_empty() { (Entry { required: true, ..id }.markup(wrong)) }
        (entry("name", "Name", "For people.").markup(wrong))
        (entry("owner", "Owner", "Whom to ask, such as a team.").markup(wrong))
        (entry("purpose", "Purpose", "What it is for.").markup(wrong))
        (Entry { kind: "date", ..review }.markup(wrong))
    }
}

fn limits(client: &Value, wrong: &[Problem]) -> Markup {
    let (cap, quota) = (digits(client, "lifetime_cap"), digits(client, "mint_quota"));
    let networks = texts(client, "allowed_networks").join(" ");
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    let constraint = match text(client, "sender_constraint") {
        "" => "none",
        constraint => constraint,
    };
    let options = vec![
        way("none", "As the API says", "Its tokens are bound where the API demands it."),
        way("dpop", "A DPoP key", "It gets tokens with a DPoP proof alone."),
        way("mtls", "A certificate", "It gets tokens on a connection with its certificate alone."),
    ];
    let binding = Ways {
        name: "sender_constraint",
        label: "Tokens are bound to",
        options,
        chosen: constraint.to_owned(),
    };
    let exchange = [way("on", "Token exchange", "It may exchange tokens of this server for narrower ones.")];
    let on = if is(client, "token_exchange") { vec!["on".to_owned()] } else { Vec::new() };
    let exchange = Choice {
        name: "token_exchange",
        label: "Besides",
        help: "",
        options: &exchange,
        chosen: &on,
        several: true,
    };
    html! {
        (entry("lifetime_cap", "Tokens live at most", "Such as 5m; without it as long as the API says.", &cap).markup(wrong))
        (entry("mint_quota", "Tokens a minute", "At most so many; without it there is no limit.", &quota).markup(wrong))
        (Entry { chips: true, ..entry("allowed_networks", "From networks", "Addresses or networks such as 10.1.0.0/16, with spaces between; without any it may call from everywhere.", &networks) }.markup(wrong))
        (binding.markup(wrong))
        (exchange.markup(wrong))
    }
}

/// One API with its scopes to choose from.
struct Offer {
    api: String,
    scopes: Vec<Alternative>,
    grant: Value,
}

async fn granted(visit: &Visit<'_>, client: &Value, wrong: &[Problem]) -> Result<Markup, Refusal> {
    let (offers, left_out) = offers(visit, client).await?;
    let other = wrong.iter().find(|problem| problem.field.is_empty() && problem.text.contains("grant"));
    Ok(html! {
        @if let Some(problem) = other { p.wrong { (problem.text) } }
        @if offers.is_empty() {
            p.empty { "No API has a scope yet. " a href=(visit.to("apis/add", &[])) { "Add an API" } " first; grants can be given afterwards." }
        }
        @for (index, offer) in offers.iter().enumerate() { (offered(index, offer)) }
        @if left_out > 0 {
            p.faint { (left_out) " more APIs are not offered here: m2m admin client update grants them." }
        }
    })
}

/// What is granted first, then the rest up to the limit; and how many are left out.
async fn offers(visit: &Visit<'_>, client: &Value) -> Result<(Vec<Offer>, usize), Refusal> {
    let apis = listed::all(visit, "/apis").await?;
    let grants = items(client, "grants");
    let grant_of = |api: &str| grants.iter().find(|grant| text(grant, "api") == api);
    let mut all: Vec<Offer> = apis
        .iter()
        .filter(|api| !items(api, "scopes").is_empty())
        .map(|api| offer(api, grant_of(text(api, "identifier"))))
        .collect();
    let listed = |api: &str| {
        apis.iter().any(|known| text(known, "identifier") == api && !items(known, "scopes").is_empty())
    };
    // Those that the list does not have: what is granted stays, whatever is offered.
    all.extend(grants.iter().filter(|grant| !listed(text(grant, "api"))).map(held));
    // What administers the server comes last: it is granted seldom.
    let own = visit.console.resource.as_str();
    all.sort_by_key(|offer| (offer.grant.is_null(), offer.api == own));
    let wanted = all.iter().filter(|offer| !offer.grant.is_null()).count().max(MAX_APIS);
    let left_out = all.len().saturating_sub(wanted);
    all.truncate(wanted);
    Ok((all, left_out))
}

fn offer(api: &Value, grant: Option<&Value>) -> Offer {
    let scopes = items(api, "scopes")
        .iter()
        .map(|scope| way(text(scope, "scope"), text(scope, "scope"), text(scope, "description")))
        .collect();
    Offer { api: text(api, "identifier").to_owned(), scopes, grant: grant.cloned().unwrap_or(Value::Null) }
}

/// A grant as it stands, with its own scopes to choose from.
fn held(grant: &Value) -> Offer {
    let scopes = texts(grant, "scopes").into_iter().map(|scope| way(scope, scope, "")).collect();
    Offer { api: text(grant, "api").to_owned(), scopes, grant: grant.clone() }
}

fn offered(index: usize, offer: &Offer) -> Markup {
    let field = |what: &str| format!("{what}-{index}");
    let (scopes, roles, permissions, defaults) =
        (field("scopes"), field("roles"), field("permissions"), field("defaults"));
    let chosen: Vec<String> = texts(&offer.grant, "scopes").into_iter().map(str::to_owned).collect();
    let choice = Choice {
        name: &scopes,
        label: &offer.api,
        help: "",
        options: &offer.scopes,
        chosen: &chosen,
        several: true,
    };
    let given = |name: &str| texts(&offer.grant, name).join(" ");
    let (given_roles, given_permissions) = (given("roles"), given("permissions"));
    let without = without_asking(&offer.grant, &chosen);
    let more = [&given_roles, &given_permissions, &without].iter().any(|text| !text.is_empty());
    let entry = |name, label, help, value| Entry { name, label, help, value, ..Entry::default() };
    html! {
        input type="hidden" name=(field("api")) value=(offer.api);
        @if !offer.grant.is_null() && chosen.is_empty() { input type="hidden" name=(field("bare")) value="1"; }
        (choice.markup(&[]))
        details.more open[more] {
            summary { "More for " (isolated(&offer.api)) }
            (entry(&defaults, "Without a scope it gets", "Some of the scopes above, with spaces between; empty for all of them, - for none: then it must ask.", &without).markup(&[]))
            (entry(&roles, "Roles", "As the API knows them, with spaces between: the claim roles.", &given_roles).markup(&[]))
            (entry(&permissions, "Permissions", "The same: the claim permissions.", &given_permissions).markup(&[]))
        }
    }
}

/// What the field of defaults holds.
fn without_asking(grant: &Value, scopes: &[String]) -> String {
    match grant.get("default_scopes") {
        None | Some(Value::Null) => String::new(),
        Some(_) => match texts(grant, "default_scopes") {
            defaults if defaults == scopes => String::new(),
            defaults if defaults.is_empty() => NOTHING.to_owned(),
            defaults => defaults.join(" "),
        },
    }
}
