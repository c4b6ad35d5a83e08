//! What happens over time: tokens, refusals by cause, and clients that ask for a token for each call.

use std::collections::BTreeMap;

use http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use super::calls::Refusal;
use super::members::{is, items, number, text};
use super::visit::Visit;
use crate::commands::admin::moment::rfc3339;
use crate::console::page::{Chart, Series, Tone, empty, isolated, notice};

/// Spans to choose from: the word in the address, its seconds, and how many columns are drawn.
const SPANS: [(&str, &str, u64, u64); 4] = [
    ("hour", "Last hour", 3600, 60),
    ("day", "Last day", 86_400, 48),
    ("week", "Last week", 7 * 86_400, 56),
    ("month", "Last 30 days", 30 * 86_400, 60),
];
const DAY: usize = 1;
/// Causes that are told apart; the rest are drawn together.
const CAUSES: usize = 5;

/// The charts, and who does not keep its tokens.
pub(super) async fn section(visit: &Visit<'_>) -> Result<Markup, Refusal> {
    let asked = visit.query.text("span");
    let chosen = SPANS.iter().find(|(word, ..)| *word == asked).or(SPANS.get(DAY));
    let Some((word, _, span, parts)) = chosen else { return Ok(html! {}) };
    let since = (visit.now + 1).saturating_sub(*span);
    let path = format!("/activity?since={since}&until={}&parts={parts}", visit.now + 1);
    let counted = match visit.get(&path).await {
        Ok(counted) => drawn(visit, &counted),
        // Too much to count in the time that a statement has.
        Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => notice(
            Tone::Careful,
            "Not counted",
            &html! { p { "The database did not answer in time. A shorter time may do." } },
        ),
        Err(refusal) => return Err(refusal),
    };
    Ok(html! {
        div.heading {
            h2 #activity { "What happens" }
            nav.actions aria-label="Time" {
                @for (own, label, ..) in SPANS {
                    a href={ (visit.to("", &[("span", own)])) "#activity" } aria-current=[(own == *word).then_some("true")] { (label) }
                }
            }
        }
        (counted)
    })
}

fn drawn(visit: &Visit<'_>, counted: &Value) -> Markup {
    let parts = items(counted, "parts");
    let is_short = number(counted, "part_seconds").is_some_and(|seconds| seconds < 3600);
    let label = |part: &Value| {
        let exact = rfc3339(number(part, "at").unwrap_or(0)).replace('T', " ");
        // 2026-11-26 09:10:00Z: the time of day where columns are short, the day as well where they are long.
        let shown = if is_short { exact.get(11..16) } else { exact.get(5..16) };
        shown.unwrap_or(&exact).to_owned()
    };
    let columns: Vec<String> = parts.iter().map(label).collect();
    let issued = parts.iter().map(|part| number(part, "issued").unwrap_or(0)).collect();
    let issued = [Series { label: "issued".to_owned(), counts: issued }];
    html! {
        div.cards {
            div.card { (Chart { title: "Tokens issued", columns: &columns, series: &issued }.markup()) }
            div.card { (Chart { title: "Requests refused, by cause", columns: &columns, series: &causes(parts) }.markup()) }
        }
        p.faint { "Times are UTC." }
        (busy(visit, items(counted, "clients")))
    }
}

/// A series for each frequent cause, and one for the rest.
fn causes(parts: &[Value]) -> Vec<Series> {
    let count = |part: &Value, code: &str| part.get("refused").and_then(|all| number(all, code)).unwrap_or(0);
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for refused in parts.iter().filter_map(|part| part.get("refused").and_then(Value::as_object)) {
        for (code, number) in refused {
            *totals.entry(code).or_default() += number.as_u64().unwrap_or(0);
        }
    }
    let mut codes: Vec<(&str, u64)> = totals.into_iter().collect();
    codes.sort_by_key(|(code, total)| (std::cmp::Reverse(*total), *code));
    let (told, rest) = codes.split_at(codes.len().min(CAUSES));
    let series = |(code, _): &(&str, u64)| Series {
        label: (*code).to_owned(),
        counts: parts.iter().map(|part| count(part, code)).collect(),
    };
    let mut all: Vec<Series> = told.iter().map(series).collect();
    if !rest.is_empty() {
        let sum = |part: &Value| rest.iter().map(|(code, _)| count(part, code)).sum();
        all.push(Series { label: "others".to_owned(), counts: parts.iter().map(sum).collect() });
    }
    all
}

/// Who got the most, and whether it evidently does not keep what it gets.
fn busy(visit: &Visit<'_>, clients: &[Value]) -> Markup {
    let uncached = clients.iter().filter(|client| is(client, "evidently_uncached")).count();
    html! {
        h3 { "Who asks for most" }
        @if uncached > 0 {
            (notice(Tone::Careful, if uncached == 1 { "One client does not keep its tokens" } else { "Some clients do not keep their tokens" }, &html! {
                p { "A hundred tokens or more in one minute are one for each call. A token is good until it expires: keep it, and ask again shortly before." }
            }))
        }
        @if clients.is_empty() {
            (empty("Nobody got a token in this time.", &html! { @if visit.query.text("span").is_empty() {
                a href={ (visit.to("", &[("span", "month")])) "#activity" } { "Look at 30 days" }
            } }))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="busiest clients" {
                table {
                    caption.quiet { "busiest clients" }
                    thead { tr { th scope="col" { "Client" } th.number scope="col" { "Tokens" } th.number scope="col" { "Most in a minute" } th scope="col" { "Keeps them" } } }
                    tbody { @for client in clients { (busy_row(visit, client)) } }
                }
            }
        }
    }
}

fn busy_row(visit: &Visit<'_>, client: &Value) -> Markup {
    let id = text(client, "client_id");
    html! {
        tr {
            td data-label="Client" { a href=(visit.of("client", id)) { (isolated(id)) } }
            td.number data-label="Tokens" { (number(client, "issued").unwrap_or(0)) }
            td.number data-label="Most in a minute" { (number(client, "busiest_minute").unwrap_or(0)) }
            td data-label="Keeps them" {
                @if is(client, "evidently_uncached") { span.word.careful { "no" } } @else { "as far as can be seen" }
            }
        }
    }
}
