//! The first page: the profiles that are there, and three ways to a new one: a provider, an issuer, a token endpoint.

use http::StatusCode;
use m2m_client::provider::{self, Provider};
use maud::{Markup, html};

use super::bench::Fresh;
use super::draft::{Draft, files};
use super::{Desk, short};
use crate::commands::profile::conversation::matching;
use crate::commands::profile::show::Standing;
use crate::console::page::{
    Cell, Column, Entry, Problem, Table, Tone, View, empty, isolated, moment, notice, problems,
};
use crate::settings::field::Field;
use crate::settings::value::Value;

const COLUMNS: &[Column] = &[
    Column { name: "name", label: "Name", number: false },
    Column { name: "server", label: "Server", number: false },
    Column { name: "client", label: "Client", number: false },
    Column { name: "secret", label: "Secret", number: false },
    Column { name: "tested", label: "Tested", number: false },
    Column { name: "file", label: "File", number: false },
];

/// The page; `url` and `wrong` are what was typed for a new profile and could not be taken.
pub(super) fn page(
    desk: &Desk,
    query: &[(String, String)],
    url: &str,
    wrong: &[Problem],
) -> axum::response::Response {
    let find = query.iter().find(|(name, _)| name == "provider").map_or("", |(_, text)| text.trim());
    let main = html! {
        (problems(wrong))
        (existing(desk, query))
        section aria-labelledby="new" {
            h2 #new { "New profile" }
            div.cards.wide {
                div.card { h3 { "From a provider that is known by name" } (providers(find)) }
                div.card { h3 { "From any other server" } (server(url, wrong)) }
            }
        }
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    desk.page("Profiles".to_owned(), html! {}, main).answer(status)
}

fn existing(desk: &Desk, query: &[(String, String)]) -> Markup {
    let around = &desk.console.around;
    let files = match files(around) {
        Ok(files) => files,
        Err(failure) => {
            return notice(
                Tone::Bad,
                "A file of settings cannot be read",
                &html! {
                    p { (isolated(failure.message())) }
                    @if let Some(hint) = failure.advice() { p { (isolated(hint)) } }
                },
            );
        }
    };
    let mut rows = Vec::new();
    for located in &files.located {
        for name in located.document.profiles.keys() {
            if let Some(draft) = Draft::of(String::new(), name, located, around) {
                rows.push(row(desk, &draft));
            }
        }
    }
    let view = View::of(query, "");
    let empty = empty("There is no profile yet.", &html! {});
    html! {
        @for warning in &files.warnings { (notice(Tone::Careful, "A file is passed over", &html! { p { (isolated(warning)) } })) }
        (Table { label: "profiles", columns: COLUMNS, rows, empty }.markup(&view))
    }
}

fn row(desk: &Desk, draft: &Draft) -> Vec<Cell> {
    let text = |field: Field| draft.wish.text(field).unwrap_or_default();
    let server = match draft.provider() {
        Some(provider) => provider.name.clone(),
        None => [text(Field::Issuer), text(Field::TokenUrl)].concat(),
    };
    let file = draft.file.display().to_string();
    vec![
        Cell::link(&short(&draft.name), &format!("profile?of={}", draft.address())),
        Cell::text(&short(&server)),
        Cell::text(&short(text(Field::ClientId))),
        secret(desk, draft),
        tested(desk, draft),
        Cell::text(&file),
    ]
}

/// Presence, age and source of the credential.
fn secret(desk: &Desk, draft: &Draft) -> Cell {
    let around = &desk.console.around;
    let secrets = draft.wish.values.values().filter_map(|sourced| match &sourced.value {
        Value::Secret(reference) => Some(reference),
        _ => None,
    });
    let lines: Vec<String> = secrets
        .map(|reference| {
            let standing = Standing::of(reference, &around.environment, around.clock.wall());
            format!("{}{}", short(&reference.to_string()), standing.words())
        })
        .collect();
    Cell::of(html! { @for line in &lines { div { (isolated(line)) } } }, lines.join(" "))
}

/// What the last test of this session showed, and a button for the next.
fn tested(desk: &Desk, draft: &Draft) -> Cell {
    let (tone, word, at) = match desk.session.bench.result(draft) {
        None => (Tone::Plain, "not yet", None),
        Some((tried, Fresh::Stale)) => (Tone::Careful, "changed since", Some(tried.at)),
        Some((tried, Fresh::Same)) if tried.outcome.is_ok() => (Tone::Good, "a token came", Some(tried.at)),
        Some((tried, Fresh::Same)) => (Tone::Bad, "no token", Some(tried.at)),
    };
    let shown = html! {
        span class={ "word " (tone.class()) } { (word) } " "
        @if let Some(at) = at { (moment(at)) }
        form method="post" action="profile" data-busy="Asking the server" {
            (desk.csrf())
            input type="hidden" name="of" value=(draft.address());
            button.small { "Test" span.quiet { " " (short(&draft.name)) } }
        }
    };
    Cell::of(shown, word)
}

fn providers(find: &str) -> Markup {
    let mut all: Vec<&Provider> = provider::all().iter().filter(|provider| provider.is_usable()).collect();
    all.sort_by_key(|provider| provider.name.to_lowercase());
    let shown: Vec<&Provider> = match find {
        "" => all.clone(),
        find => matching(find).into_iter().filter(|provider| provider.is_usable()).collect(),
    };
    html! {
        form.find method="get" action="./" role="search" aria-label="Find a provider" {
            label for="provider" { "Find" }
            input #provider type="search" name="provider" value=(find) autocomplete="off" spellcheck="false" data-filter="providers";
            button.small { "Find" }
            span.faint data-count { (shown.len()) " of " (all.len()) }
        }
        ul #providers.providers tabindex="0" aria-label="Providers" {
            @for provider in &shown {
                li {
                    a href={ "new?provider=" (provider.id) } { (provider.name) }
                    @for alias in &provider.aliases { span.quiet { " " (alias) } }
                }
            }
        }
        @if shown.is_empty() { p { "None has that in its name. Its issuer or token URL will do." } }
    }
}

fn server(url: &str, wrong: &[Problem]) -> Markup {
    html! {
        form method="get" action="new" {
            (Entry { name: "url", label: "Issuer or token URL", kind: "url", value: url, required: true,
                help: "Of an issuer the metadata tell the rest. For example https://login.example.com",
                ..Entry::default() }.markup(wrong))
            div.row { button { "Go on" } }
        }
    }
}
