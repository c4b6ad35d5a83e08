//! The first page: how much there is, what happens, and what needs somebody.
//!
//! Limits: the first 5,000 credentials that stand are looked at; the page says so where there are more.

use maud::{Markup, html};
use serde_json::Value;

use super::calls::Refusal;
use super::members::{is, items, number, text};
use super::visit::Visit;
use super::{Shown, activity, listed};
use crate::console::page::{Tone, isolated, moment, notice};

const DAY: u64 = 24 * 60 * 60;
/// Credentials that expire within so many seconds are shown.
const SOON: u64 = 30 * DAY;
/// Credentials that nobody used for so long are shown.
const UNUSED: u64 = 30 * DAY;
/// Thousands of credentials that are looked at.
const PAGES: usize = 5;
/// Lines of each kind.
const LINES: usize = 20;

/// The page.
pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    let clients = listed::all(visit, "/clients").await?;
    let apis = listed::all(visit, "/apis").await?;
    let issuers = listed::all(visit, "/issuers").await?;
    let keys = listed::all(visit, "/keys").await?;
    let counts = [("clients", clients.len()), ("apis", apis.len()), ("issuers", issuers.len())];
    let main = html! {
        (counted(visit, &counts))
        h2 { "What needs somebody" }
        (attention(visit, &clients, &keys).await?)
        (activity::section(visit).await?)
    };
    visit.show("Overview", html! {}, &main)
}

fn counted(visit: &Visit<'_>, counts: &[(&str, usize)]) -> Markup {
    let name = |page: &str, count| match (page, count) {
        ("clients", 1) => "client",
        ("clients", _) => "clients",
        ("apis", 1) => "API",
        ("apis", _) => "APIs",
        (_, 1) => "trusted issuer",
        _ => "trusted issuers",
    };
    html! {
        p.counts {
            @for (page, count) in counts {
                a href=(visit.to(page, &[])) { strong { (count) @if *count >= 1000 { "+" } } " " (name(page, *count)) } " "
            }
        }
    }
}

/// One line of what needs somebody.
struct Line {
    text: Markup,
    at: u64,
}

#[derive(Default)]
struct Needs {
    expiring: Vec<Line>,
    unused: Vec<Line>,
    reviews: Vec<Line>,
    keys: Vec<Line>,
}

async fn attention(visit: &Visit<'_>, clients: &[Value], keys: &[Value]) -> Result<Markup, Refusal> {
    let mut needs = Needs::default();
    for client in clients.iter().filter(|client| is(client, "review_overdue")) {
        let (id, owner) = (text(client, "id"), text(client, "owner"));
        needs.reviews.push(Line {
            text: html! { a href=(visit.of("client", id)) { (isolated(id)) } ", due " (text(client, "review_by"))
                @if !owner.is_empty() { ", owner " (isolated(owner)) } },
            at: 0,
        });
    }
    let (credentials, more) = credentials(visit).await?;
    credentials.iter().for_each(|credential| look_at(visit, credential, &mut needs));
    turning(visit.now, keys, &mut needs);
    Ok(html! {
        @if needs.is_empty() && !more { (notice(Tone::Good, "Nothing", &html! { p { "No credential expires within 30 days, none is idle, no review is overdue." } })) }
        div.cards {
            (card("Credentials that expire within 30 days", "Rotate them in time.", needs.expiring))
            (card("Credentials that nobody used for 30 days", "Are they still needed?", needs.unused))
            (card("Reviews that are overdue", "Is the client still needed, with all that it may do?", needs.reviews))
            (card("Keys about to change", "By themselves; nothing is to be done.", needs.keys))
        }
        @if more { p.faint { "The first " (credentials.len()) " credentials were looked at; there are more." } }
    })
}

/// Those of all clients that stand, and whether there are more than are looked at.
async fn credentials(visit: &Visit<'_>) -> Result<(Vec<Value>, bool), Refusal> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let answer = visit.get(&format!("/credentials?standing=true&limit=1000{cursor}")).await?;
        found.extend_from_slice(items(&answer, "items"));
        match text(&answer, "next") {
            "" => return Ok((found, false)),
            next => cursor = format!("&cursor={next}"),
        }
    }
    Ok((found, true))
}

impl Needs {
    fn is_empty(&self) -> bool {
        self.expiring.is_empty() && self.unused.is_empty() && self.reviews.is_empty()
    }
}

fn look_at(visit: &Visit<'_>, credential: &Value, needs: &mut Needs) {
    let at = |name| number(credential, name);
    let end = at("expires_at");
    if text(credential, "status") != "active" || end.is_some_and(|end| end <= visit.now) {
        return;
    }
    let link = html! {
        a href=(visit.of("credential", text(credential, "id"))) { (isolated(text(credential, "label"))) }
        " of " (isolated(text(credential, "client_id")))
    };
    // One that is being replaced ends as it should.
    let replaced = !text(credential, "replaced_by").is_empty();
    if let Some(end) = end.filter(|end| !replaced && *end <= visit.now + SOON) {
        needs.expiring.push(Line { text: html! { (link) ", " (moment(end)) }, at: end });
    }
    let last = at("last_used_at").or(at("not_before")).or(at("created_at")).unwrap_or(visit.now);
    if last + UNUSED < visit.now {
        let used = html! { @if at("last_used_at").is_some() { "last " (moment(last)) } @else { "never" } };
        needs.unused.push(Line { text: html! { (link) ", " (used) }, at: last });
    }
}

fn turning(now: u64, keys: &[Value], needs: &mut Needs) {
    for key in keys {
        let starts = number(key, "activates_at").filter(|_| text(key, "phase") == "next");
        if let Some(at) = starts.filter(|at| *at <= now + SOON) {
            let text =
                html! { code { (text(key, "kid")) } " (" (text(key, "alg")) ") signs from " (moment(at)) };
            needs.keys.push(Line { text, at });
        }
    }
}

fn card(title: &str, advice: &str, mut lines: Vec<Line>) -> Markup {
    lines.sort_by_key(|line| line.at);
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    html! {
        @if !lines.is_empty() {
            section.card {
                h2 { (title) }
                p.faint { (advice) }
                ul.lines { @for line in &lines { li { (line.text) } } }
                @if more > 0 { p.faint { "and " (more) " more" } }
            }
        }
    }
}
