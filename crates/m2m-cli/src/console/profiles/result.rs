//! What came of it: the profile, its last test, its token, and the copies to take away.

use std::collections::BTreeSet;

use http::StatusCode;
use m2m_proto::scope::Scope;
use maud::{Markup, html};
use serde_json::Value;

use super::bench::Fresh;
use super::copies;
use super::draft::{Draft, Standing};
use super::tried::{Preview, Tried, Trouble};
use super::{Desk, short};
use crate::commands::profile::show;
use crate::commands::profile::transcript::Recorded;
use crate::console::page::{Tone, facts, isolated, moment, notice};
use crate::schema::capital;
use crate::settings::field::Field;
use crate::settings::value::Value as Setting;

/// The page.
pub(super) async fn page(desk: &Desk, draft: &Draft) -> axum::response::Response {
    let around = &desk.console.around;
    let copies = copies::markup(draft, around).await;
    let result = desk.session.bench.result(draft);
    let title = if draft.name.is_empty() { "New profile".to_owned() } else { short(&draft.name) };
    let main = html! {
        @if !draft.done.is_empty() {
            (notice(Tone::Good, "Done", &html! { @for line in &draft.done { p { (isolated(line)) } } }))
        }
        @if let Some(warning) = &draft.warning { (notice(Tone::Careful, "Mind", &html! { p { (isolated(warning)) } })) }
        @if draft.changed {
            (notice(Tone::Careful, "Not saved", &html! { p { "These settings are in memory only. They go into "
                (isolated(&draft.file.display().to_string())) " when you save them." } }))
        }
        div.cards.wide {
            section.card aria-labelledby="test" { h2 #test { "Test" } (test(result.as_ref())) }
            section.card aria-labelledby="profile" { h2 #profile { "Profile" } (about(desk, draft)) }
        }
        // What is wrong is read before what is copied.
        @if let Some((tried, _)) = result.as_ref().filter(|(tried, _)| tried.outcome.is_err()) { (exchanges(tried)) }
        section aria-labelledby="copies" { h2 #copies { "Copy as" } (copies) }
        @if let Some((tried, _)) = result.as_ref().filter(|(tried, _)| tried.outcome.is_ok()) { (exchanges(tried)) }
    };
    desk.page(title, actions(desk, draft), main).answer(StatusCode::OK)
}

fn actions(desk: &Desk, draft: &Draft) -> Markup {
    html! {
        form method="post" action="result" data-busy="Asking the server" {
            (desk.csrf())
            input type="hidden" name="draft" value=(draft.id);
            @if draft.changed { button name="do" value="save" { "Save" } " " }
            button.second name="do" value="test" { "Test" }
        }
        a.button.second href={ "form?draft=" (draft.id) } { "Change" }
        @if draft.standing == Standing::Kept { a.button.second href={ "remove?draft=" (draft.id) } { "Remove" } }
    }
}

fn test(result: Option<&(std::sync::Arc<Tried>, Fresh)>) -> Markup {
    let Some((tried, fresh)) = result else {
        return html! { p { "Not tested yet. A test asks the server for one token, by the same engine as every command." } };
    };
    html! {
        @if *fresh == Fresh::Stale {
            (notice(Tone::Careful, "Out of date", &html! { p { "The settings were changed since this test. Test again." } }))
        }
        @match &tried.outcome {
            Ok(token) => (granted(token, tried)),
            Err(trouble) => (refused(trouble)),
        }
        p.faint { (moment(tried.at)) ", " (tried.took.as_millis()) " ms" }
    }
}

fn refused(trouble: &Trouble) -> Markup {
    html! {
        (notice(Tone::Bad, "No token", &html! {
            p { (isolated(&capital(&trouble.message))) "." }
            @if !trouble.hint.is_empty() { p { strong { "What to do: " } (trouble.hint) "." } }
        }))
        @if trouble.code.is_some() || trouble.description.is_some() {
            (facts([
                ("The server's error", isolated(trouble.code.as_deref().unwrap_or("none"))),
                ("Its description", isolated(trouble.description.as_deref().unwrap_or("none"))),
                ("Its page", isolated(trouble.uri.as_deref().unwrap_or("none"))),
            ]))
        }
    }
}

fn granted(token: &Preview, tried: &Tried) -> Markup {
    html! {
        (notice(Tone::Good, "A token came", &html! { p { "Type " (token.token_type) ", left: "
            span.number data-until=(token.expires_at) { (token.expires_at.saturating_sub(tried.at)) " s" } } }))
        (facts([
            ("Ends", moment(token.expires_at)),
            ("Token", html! { "hidden; SHA-256 begins " code { (token.fingerprint) } }),
            ("Signature", html! { span class={ "word " (token.verdict.tone.class()) } { (word(token.verdict.tone)) } " " (token.verdict.text) }),
            ("Scope", scope(&tried.asked, token.granted.as_ref())),
        ]))
    }
}

fn word(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓",
        Tone::Careful => "!",
        Tone::Bad => "✗",
        Tone::Plain => "–",
    }
}

/// What was asked for against what was granted.
fn scope(asked: &[String], granted: Option<&Scope>) -> Markup {
    let granted: BTreeSet<String> = granted
        .map(|scope| scope.to_string().split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    let asked: BTreeSet<String> = asked.iter().cloned().collect();
    let row = |name: &str, set: Vec<&String>| {
        html! { @if !set.is_empty() { div { span.faint { (name) " " } @for word in set { code { (word) } " " } } } }
    };
    html! {
        @if asked.is_empty() && granted.is_empty() { span.faint { "none asked for, none named" } }
        (row("as asked", asked.intersection(&granted).collect()))
        (row("asked, not granted", asked.difference(&granted).collect()))
        (row("granted, not asked", granted.difference(&asked).collect()))
    }
}

/// What the profile says, and where its secrets are.
fn about(desk: &Desk, draft: &Draft) -> Markup {
    let around = &desk.console.around;
    let text = |field: Field| draft.wish.text(field).map(|text| isolated(&short(text)));
    let secrets = draft.wish.values.iter().filter_map(|(field, sourced)| match &sourced.value {
        Setting::Secret(reference) => Some((*field, reference)),
        _ => None,
    });
    let rows = [
        ("Provider", draft.provider().map(|provider| html! { (provider.name) })),
        ("Issuer", text(Field::Issuer)),
        ("Token URL", text(Field::TokenUrl)),
        ("Client", text(Field::ClientId)),
        ("Method", super::typed::method(draft).map(|method| html! { code { (method.as_str()) } })),
        ("Audience", text(Field::Audience)),
        ("File", Some(isolated(&draft.file.display().to_string()))),
    ];
    let mut shown: Vec<(&str, Markup)> =
        rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let titled: Vec<(String, Markup)> = secrets
        .map(|(field, reference)| {
            let text = match draft.wish.secrets.contains_key(&field) {
                true => html! { "pasted; in memory until it is saved" },
                false => {
                    let standing = show::Standing::of(reference, &around.environment, around.clock.wall());
                    html! { (isolated(&reference.to_string())) (standing.words()) }
                }
            };
            (field.title(), text)
        })
        .collect();
    shown.extend(titled.iter().map(|(name, text)| (name.as_str(), text.clone())));
    facts(shown)
}

fn exchanges(tried: &Tried) -> Markup {
    html! {
        @if let Ok(Preview { jwt: Some((header, claims)), .. }) = &tried.outcome {
            section aria-labelledby="claims" {
                h2 #claims { "Claims" }
                div.scroll tabindex="0" role="region" aria-label="Table of claims" {
                    table {
                        thead { tr { th scope="col" { "Claim" } th scope="col" { "Value" } } }
                        tbody { @for (name, value) in claims { (claim(name, value)) } }
                    }
                }
                details { summary { "Header" } pre tabindex="0" role="region" aria-label="Header" { (format!("{:#}", Value::Object(header.clone()))) } }
            }
        }
        @if !tried.requests.is_empty() {
            section aria-labelledby="wire" {
                h2 #wire { "What went over the wire" }
                @let last = tried.requests.len();
                @for (index, request) in tried.requests.iter().enumerate() {
                    @if index + 1 == last { (exchange(index + 1, request)) } @else {
                        details { summary { (request.method) " " (isolated(&request.url)) } (exchange(index + 1, request)) }
                    }
                }
            }
        }
    }
}

/// Times are shown as such.
fn claim(name: &str, value: &Value) -> Markup {
    let time = matches!(name, "exp" | "iat" | "nbf" | "auth_time").then(|| value.as_u64()).flatten();
    html! {
        tr {
            th scope="row" { code { (isolated(name)) } }
            td data-label="Value" {
                @match (time, value) {
                    (Some(seconds), _) => (moment(seconds)),
                    (None, Value::String(text)) => (isolated(text)),
                    (None, other) => (isolated(&other.to_string())),
                }
            }
        }
    }
}

fn exchange(index: usize, request: &Recorded) -> Markup {
    let mut lines = vec![format!("{} {}", request.method, request.url)];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if !request.parameters.is_empty() {
        lines.push(String::new());
        lines.extend(request.parameters.iter().map(|(name, value)| format!("{name}={value}")));
    }
    let status = request.status.map_or("no answer".to_owned(), |status| status.to_string());
    let media = request.content_type.as_deref().unwrap_or("no media type");
    html! {
        div.exchange {
            div { h3 { "Request " (index) } pre tabindex="0" role="region" aria-label={ "Request " (index) } { (lines.join("\n")) } }
            div { h3 { "Answer " (index) ": " (status) ", " (media) ", " (request.took.as_millis()) " ms" }
                pre tabindex="0" role="region" aria-label={ "Answer " (index) } { (request.body.as_deref().unwrap_or("(none)")) } }
        }
    }
}
