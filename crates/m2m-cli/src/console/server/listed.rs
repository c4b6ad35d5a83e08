//! Lists of the admin API, a hundred rows at a time, and found by a word through all of them.
//!
//! Limits: a search looks at the first 5,000 things and shows 100 of what it finds.

use maud::{Markup, html};
use serde_json::Value;

use super::calls::Refusal;
use super::members::{items, text};
use super::visit::Visit;
use crate::console::page::{Tone, notice};

/// Rows of a page.
const ROWS: usize = 100;
/// Rows of a page where each has much to tell, so that a page stays below 100 kB.
pub(super) const FEW: usize = 60;
const SEARCHED_PAGES: usize = 5;
/// What an address may carry of the way back.
const MAX_TRAIL: usize = 1500;

/// Rows, and the links to those before and after them.
pub(super) struct Listed {
    pub(super) items: Vec<Value>,
    pub(super) turn: Markup,
}

/// One page of what `path` lists; `query` begins with `&` where there is more to say.
pub(super) async fn page(visit: &Visit<'_>, path: &str, query: &str) -> Result<Listed, Refusal> {
    rows(visit, path, query, ROWS).await
}

/// The same, with so many rows at most.
pub(super) async fn rows(visit: &Visit<'_>, path: &str, query: &str, most: usize) -> Result<Listed, Refusal> {
    let cursor = visit.query.text("cursor");
    let at =
        if is_cursor(cursor) && !cursor.is_empty() { format!("&cursor={cursor}") } else { String::new() };
    let mut answer = visit.get(&format!("{path}?limit={most}{at}{query}")).await?;
    let turn = turn(visit, text(&answer, "next"));
    Ok(Listed { items: taken(&mut answer), turn })
}

/// The same, where a word in the address finds things on all pages: those whose JSON has it in one of `names`.
pub(super) async fn found(visit: &Visit<'_>, path: &str, names: &[&str]) -> Result<Listed, Refusal> {
    let word = visit.query.text("find").to_lowercase();
    if word.is_empty() {
        return page(visit, path, "").await;
    }
    let has = |item: &Value| names.iter().any(|name| text(item, name).to_lowercase().contains(&word));
    let (mut found, mut cursor, mut all_seen) = (Vec::new(), String::new(), false);
    for _ in 0..SEARCHED_PAGES {
        let mut answer = visit.get(&format!("{path}?limit=1000{cursor}")).await?;
        cursor = format!("&cursor={}", text(&answer, "next"));
        all_seen = text(&answer, "next").is_empty();
        found.extend(taken(&mut answer).into_iter().filter(has));
        if all_seen || found.len() > ROWS {
            break;
        }
    }
    let more = found.len() > ROWS || !all_seen;
    found.truncate(ROWS);
    let turn = html! {
        @if more { (notice(Tone::Plain, "There is more", &html! { p { "A longer word narrows it down." } })) }
    };
    Ok(Listed { items: found, turn })
}

/// Everything that `path` lists, up to a thousand.
pub(super) async fn all(visit: &Visit<'_>, path: &str) -> Result<Vec<Value>, Refusal> {
    let mut answer = visit.get(&format!("{path}?limit=1000")).await?;
    Ok(taken(&mut answer))
}

fn taken(answer: &mut Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => items(answer, "items").to_vec(),
    }
}

fn is_cursor(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Links to the page before and the page after; the address remembers the way back.
fn turn(visit: &Visit<'_>, next: &str) -> Markup {
    let here = visit.query.text("cursor");
    let trail = visit.query.text("trail");
    let trail = if trail.len() > MAX_TRAIL { "" } else { trail };
    let rest: Vec<(&str, &str)> = visit
        .query
        .0
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !["cursor", "trail", "done"].contains(name))
        .collect();
    let to = |cursor: &str, trail: &str| {
        let mut query = rest.clone();
        query.extend([("cursor", cursor), ("trail", trail)].iter().filter(|(_, value)| !value.is_empty()));
        visit.to(&visit.path, &query)
    };
    let (before, last) = trail.rsplit_once('~').unwrap_or(("", trail));
    html! {
        @if !here.is_empty() || !next.is_empty() {
            nav.row aria-label="Pages" {
                @if !here.is_empty() {
                    a.button.second href=(to("", "")) { "First page" }
                    a.button.second href=(to(last, before)) rel="prev" { "Previous page" }
                }
                @if !next.is_empty() {
                    a.button.second href=(to(next, &format!("{trail}~{here}"))) rel="next" { "Next page" }
                }
            }
        }
    }
}
