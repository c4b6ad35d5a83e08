//! What each address does: from a request to a draft, and from a draft to a page.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use m2m_client::provider;
use m2m_proto::uri::PlainHttp;
use maud::html;

use super::draft::{Draft, Standing, files, said_by};
use super::typed::{Typed, variable};
use super::{Desk, discovered, entry, filled, form, plain, redirect, result, short, start, tried};
use crate::Surroundings;
use crate::args::Destination;
use crate::commands::profile::{check_name, judged, remove, written};
use crate::console::door::Sent;
use crate::console::page::{Entry, Problem, Tone, isolated, notice, problems};
use crate::exit::Failure;
use crate::settings::field::Field;
use crate::settings::search::Located;
use crate::settings::value::Value;

/// Answers a page that is read.
pub(super) async fn get(desk: &Desk, path: &str, query: &Sent) -> Response {
    match path {
        "" => start::page(desk, &query.0, "", &[]),
        "new" => new(desk, query).await,
        "profile" => match load(desk, query).await {
            Ok(draft) => shown(desk, draft),
            Err(failure) => failed(&failure),
        },
        "form" => match desk.draft(query) {
            Some(draft) => form::page(desk, &draft, &Typed::of(&draft), &[]),
            None => too_old(),
        },
        "result" => match desk.draft(query) {
            Some(draft) => result::page(desk, &draft).await,
            None => too_old(),
        },
        "remove" => match desk.draft(query).filter(|draft| draft.standing == Standing::Kept) {
            Some(draft) => removing(desk, &draft, &[]),
            None => too_old(),
        },
        "check" => check(desk, query),
        _ => plain(StatusCode::NOT_FOUND, "Nothing is here", "There is no such page."),
    }
}

/// Answers a form that was sent.
pub(super) async fn post(desk: &Desk, path: &str, sent: &Sent) -> Response {
    match path {
        "form" => sent_form(desk, sent).await,
        "result" => match desk.draft(sent) {
            Some(draft) => act(desk, draft, sent.text("do")).await,
            None => too_old(),
        },
        "profile" => match load(desk, sent).await {
            Ok(draft) => act(desk, draft, "test").await,
            Err(failure) => failed(&failure),
        },
        "remove" => remove(desk, sent).await,
        _ => plain(StatusCode::NOT_FOUND, "Nothing is here", "There is no such form."),
    }
}

impl Desk {
    fn draft(&self, sent: &Sent) -> Option<Draft> {
        self.session.bench.draft(sent.text("draft"))
    }

    fn id(&self) -> String {
        entry::bits(self.console.around.random.as_ref()).chars().take(16).collect()
    }
}

fn shown(desk: &Desk, draft: Draft) -> Response {
    let to = format!("result?draft={}", draft.id);
    desk.session.bench.put(draft);
    redirect(&to)
}

/// A new profile for a provider, an issuer or a token endpoint. It waits on the bench until its form is sent.
async fn new(desk: &Desk, query: &Sent) -> Response {
    let around = &desk.console.around;
    let Some(file) = form::places(around).into_iter().next() else {
        return plain(
            StatusCode::OK,
            "No place",
            "There is no directory for your settings: HOME is not set.",
        );
    };
    let mut draft = Draft::new(desk.id(), file);
    let url = query.text("url");
    if let Some(provider) = provider::find(query.text("provider")).filter(|provider| provider.is_usable()) {
        draft.wish.set(Field::Provider, Value::Text(provider.id.clone()));
        let given = |known: &provider::Variable| {
            let text = query.text(&variable(&known.name));
            (!text.is_empty()).then(|| (known.name.clone(), text.to_owned()))
        };
        let given: Vec<_> = provider.variables.iter().filter_map(given).collect();
        if !given.is_empty() {
            draft.wish.set(Field::Variables, Value::Pairs(given));
        }
    } else if let Err(wrong) = place(&mut draft, url, query.text("kind")) {
        return start::page(desk, &[], url, &[wrong]);
    }
    discover(&mut draft).await;
    desk.session.bench.put(draft.clone());
    form::page(desk, &draft, &Typed::of(&draft), &[])
}

/// The URL as the issuer, or as the token endpoint where that was said or the catalogue knows it.
fn place(draft: &mut Draft, url: &str, kind: &str) -> Result<(), Problem> {
    let wrong = |text: String| Problem { field: "url".to_owned(), text };
    if let Some(found) = provider::recognise(url).into_iter().next().filter(|_| kind.is_empty()) {
        draft.wish.set(Field::Provider, Value::Text(found.provider.id.clone()));
        draft.wish.set(Field::Variables, Value::Pairs(found.variables));
        draft.recognised = Some(url.to_owned());
        return Ok(());
    }
    let field = if kind == Field::TokenUrl.key() { Field::TokenUrl } else { Field::Issuer };
    match judged::value(field, url, PlainHttp::LoopbackOnly) {
        Ok(Some(value)) => draft.wish.set(field, value),
        Ok(None) => return Err(wrong("Type the URL of the issuer or of the token endpoint".to_owned())),
        Err(why) => return Err(wrong(format!("Issuer or token URL: {why}"))),
    }
    Ok(())
}

/// Asks a named issuer for its metadata.
async fn discover(draft: &mut Draft) {
    let issuer = draft.wish.text(Field::Issuer).map(str::to_owned);
    draft.discovered = match (issuer, draft.settings()) {
        (Some(issuer), Ok(settings)) => Some(discovered::ask(&issuer, &settings).await.map(Arc::new)),
        _ => None,
    };
}

/// A profile of a file.
async fn load(desk: &Desk, sent: &Sent) -> Result<Draft, Failure> {
    let around = &desk.console.around;
    let files = files(around)?;
    let all = files.located.iter().flat_map(|located| {
        let of = move |name: &String| Draft::of(String::new(), name, located, around);
        located.document.profiles.keys().filter_map(of)
    });
    let found = all.into_iter().find(|draft| draft.address() == sent.text("of"));
    let mut draft = found.ok_or_else(|| {
        Failure::configuration("there is no such profile any more")
            .hint("somebody may have removed it meanwhile")
    })?;
    draft.id = desk.id();
    // To look at a stranger's profile is not to call a stranger's server.
    if draft.commands.is_none() {
        discover(&mut draft).await;
    }
    Ok(draft)
}

async fn sent_form(desk: &Desk, sent: &Sent) -> Response {
    let Some(before) = desk.draft(sent) else { return too_old() };
    let mut filled = filled::read(sent, &before, &desk.console.around);
    if filled.problems.is_empty() {
        let issuer = filled.draft.wish.text(Field::Issuer);
        if issuer != before.wish.text(Field::Issuer) || matches!(before.discovered, Some(Err(_))) {
            discover(&mut filled.draft).await;
        }
        return act(desk, filled.draft, sent.text("do")).await;
    }
    // What was pasted is held, so that it need not be pasted again.
    let mut held = before;
    for (field, secret) in filled.draft.wish.secrets {
        held.wish.set_secret(field, secret);
    }
    held.keyring = filled.draft.keyring;
    desk.session.bench.put(held.clone());
    form::page(desk, &held, &Typed::sent(sent), &filled.problems)
}

/// Saves, tests, or both, and leads to what came of it.
async fn act(desk: &Desk, mut draft: Draft, wanted: &str) -> Response {
    let around = &desk.console.around;
    draft.done.clear();
    let is_saved = matches!(wanted, "save" | "both") && draft.changed;
    if is_saved && let Err(failure) = save(desk, &mut draft).await {
        let wrong = Problem { field: field_of(&failure), text: said(&failure) };
        let response = form::page(desk, &draft, &Typed::of(&draft), &[wrong]);
        desk.session.bench.put(draft);
        return response;
    }
    if matches!(wanted, "test" | "both") {
        let tried = tried::run(&draft, around).await;
        desk.session.bench.tried(&mut draft, tried);
    }
    shown(desk, draft)
}

fn said(failure: &Failure) -> String {
    let hint = failure.advice().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", failure.message())
}

/// Where a name is taken, the name is what is to be mended.
fn field_of(failure: &Failure) -> String {
    if failure.message().contains("has a profile") { "name".to_owned() } else { String::new() }
}

async fn save(desk: &Desk, draft: &mut Draft) -> Result<(), Failure> {
    let around = &desk.console.around;
    check_name(&draft.name)?;
    let replaces = draft.standing == Standing::Kept;
    if replaces {
        unchanged(draft, around)?;
    }
    let typed = Destination { force: replaces, keyring: draft.keyring, ..Destination::default() };
    let target = written::target_in(draft.file.clone(), &typed, &draft.name).map_err(|failure| {
        if replaces { failure } else { failure.hint("choose another name, or change that profile") }
    })?;
    let before = desk.session.bench.result(draft).filter(|(_, fresh)| *fresh == super::bench::Fresh::Same);
    let written = draft.wish.clone().write(&draft.name, target, &typed, around).await?;
    draft.done.push(format!("Saved as {} in {}", draft.name, written.path.display()));
    for (field, reference) in written.kept {
        draft.done.push(format!("{} is kept in: {reference}", field.title()));
        draft.wish.set(field, Value::Secret(reference));
    }
    draft.wish.secrets.clear();
    draft.file = written.path;
    draft.standing = Standing::Kept;
    draft.changed = false;
    draft.read = Some(said_by(&draft.wish.values));
    desk.session.bench.carry(before.map(|(tried, _)| tried), draft);
    Ok(())
}

/// What others wrote meanwhile is not overwritten.
fn unchanged(draft: &Draft, around: &Surroundings) -> Result<(), Failure> {
    let files = files(around)?;
    let is_it = |located: &&Located| around.directory.join(&located.document.path) == draft.file;
    let now = files.located.iter().find(is_it).and_then(|located| located.document.profiles.get(&draft.name));
    if now.map(said_by) == draft.read {
        return Ok(());
    }
    Err(Failure::configuration(format!("{} was changed in its file since this page was made", draft.name))
        .hint("nothing was written; open it again from the list of profiles"))
}

/// Whether one value can stand in its field: a sentence, or nothing. Credentials are not asked about.
fn check(desk: &Desk, query: &Sent) -> Response {
    let (name, text) = (query.text("name"), query.text("value"));
    let Some(draft) = desk.draft(query) else { return sentence("") };
    if name == "name" {
        return sentence(
            &check_name(text).err().map(|failure| failure.message().to_owned()).unwrap_or_default(),
        );
    }
    let provider = draft.provider();
    let known = provider
        .into_iter()
        .flat_map(|provider| &provider.variables)
        .find(|known| variable(&known.name) == name);
    let said = match (known, provider, Field::of_key(name)) {
        (Some(known), Some(provider), _) => judged::variable(provider, known, &[], text).err(),
        (_, _, Some(field)) if filled::texts().any(|known| known == field) => {
            match judged::value(field, text, draft.plain_http()) {
                Ok(Some(_)) => None,
                Ok(None) => judged::demand(field, provider).map(str::to_owned),
                Err(why) => Some(why),
            }
        }
        _ => None,
    };
    sentence(&crate::schema::capital(&said.unwrap_or_default()))
}

fn sentence(text: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    let nosniff = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    (StatusCode::OK, headers, [nosniff], text.to_owned()).into_response()
}

fn removing(desk: &Desk, draft: &Draft, wrong: &[Problem]) -> Response {
    let main = html! {
        (problems(wrong))
        (notice(Tone::Careful, "This takes the profile out of its file", &html! {
            p { (isolated(&draft.file.display().to_string())) }
            p { "A secret that m2m keeps for it alone goes too. Secrets in other places stay." }
        }))
        form method="post" action="remove" novalidate {
            (desk.csrf())
            input type="hidden" name="draft" value=(draft.id);
            (Entry { name: "confirm", label: "Its name, to confirm", required: true,
                help: &format!("Type {}", short(&draft.name)), ..Entry::default() }.markup(wrong))
            div.row { button.danger { "Remove" } a href={ "result?draft=" (draft.id) } { "Cancel" } }
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    desk.page(format!("Remove {}", short(&draft.name)), html! {}, main).answer(status)
}

async fn remove(desk: &Desk, sent: &Sent) -> Response {
    let Some(draft) = desk.draft(sent).filter(|draft| draft.standing == Standing::Kept) else {
        return too_old();
    };
    if sent.text("confirm") != draft.name {
        let text = format!("Another name was typed. Type {} to remove it", short(&draft.name));
        return removing(desk, &draft, &[Problem { field: "confirm".to_owned(), text }]);
    }
    match remove::take_out(&draft.name, &draft.file, &desk.console.around).await {
        Ok((fate, _)) => {
            desk.session.bench.drop_draft(&draft.id);
            removed(desk, &draft, &fate)
        }
        Err(failure) => failed(&failure),
    }
}

fn removed(desk: &Desk, draft: &Draft, fate: &remove::Fate) -> Response {
    let main = html! {
        (notice(Tone::Good, "Removed", &html! {
            p { (isolated(&short(&draft.name))) " is no longer in " (isolated(&draft.file.display().to_string())) "." }
            @for secret in &fate.removed { p { "Its secret is removed: " (isolated(secret)) } }
            @for secret in &fate.left { p { "Its secret stays: " (isolated(secret)) } }
        }))
        p { a href="./" { "To the profiles" } }
    };
    desk.page(format!("{} is removed", short(&draft.name)), html! {}, main).answer(StatusCode::OK)
}

fn failed(failure: &Failure) -> Response {
    plain(StatusCode::UNPROCESSABLE_ENTITY, "That did not work", &said(failure))
}

fn too_old() -> Response {
    plain(
        StatusCode::GONE,
        "Too old",
        "This page is from before m2m console was started, or too many were opened since. Begin again.",
    )
}
