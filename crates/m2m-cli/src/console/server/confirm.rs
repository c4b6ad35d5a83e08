//! A step on a page of its own: what will happen, and a button; where it cannot be undone, the name is to be typed.
//!
//! Enforces: nothing happens on a GET; the name is compared here, by the server, so that it counts without a script.

use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::Value;

use super::calls::Call;
use super::members::{number, text};
use super::outdated::{self, Thing};
use super::visit::Visit;
use super::{Shown, wrong};
use crate::console::page::{Entry, Problem, Tone, isolated, notice, problems};

const TYPED: &str = "name";
const VERSION: &str = "version";

/// A step that is to be confirmed.
pub(super) struct Step<'a> {
    /// What is asked: `Revoke the client billing?`
    pub(super) question: String,
    /// What will happen.
    pub(super) follows: Markup,
    /// What must be typed; empty where it can be undone.
    pub(super) typed: &'a str,
    /// The words on the button.
    pub(super) label: &'static str,
    pub(super) method: Method,
    /// Where the admin API does it.
    pub(super) path: String,
    pub(super) body: Value,
    /// The version that is looked at; empty where the API does not compare.
    pub(super) version: String,
    pub(super) about: Option<(Thing, &'a str)>,
    /// Where to go otherwise.
    pub(super) back: String,
    pub(super) then: Then,
}

/// What follows when it is done.
pub(super) enum Then {
    /// Another page.
    Go(String),
    /// A page that says when it is known everywhere.
    Tell(String),
}

/// Asks, or does it.
pub(super) async fn run(visit: &Visit<'_>, step: Step<'_>) -> Shown {
    let Some(form) = &visit.form else { return ask(visit, &step, &[]) };
    if !step.typed.is_empty() && form.text(TYPED) != step.typed.trim() {
        let problem = wrong::at(TYPED, format!("this is not {}", step.typed));
        return ask(visit, &step, &[problem]);
    }
    let call = match step.method {
        Method::DELETE => Call::delete(&step.path),
        _ => Call::post(&step.path, step.body.clone()),
    };
    // The form says which version was looked at.
    let call = if step.version.is_empty() { call } else { call.at(form.text(VERSION)) };
    match (visit.send(call).await, step.then, step.about) {
        (Ok(_), Then::Go(to), _) => visit.go(&to),
        (Ok(answer), Then::Tell(title), _) => told(visit, &title, &answer, &step.back),
        (Err(refusal), _, Some((thing, id))) if refusal.is_outdated() => {
            Ok(outdated::page(visit, thing, id, &html! {}).await)
        }
        (Err(refusal), ..) => Err(refusal),
    }
}

fn ask(visit: &Visit<'_>, step: &Step<'_>, wrong: &[Problem]) -> Shown {
    let entry = Entry { name: TYPED, label: "Confirmation", required: true, ..Entry::default() };
    let fields = html! {
        @if !step.version.is_empty() { input type="hidden" name=(VERSION) value=(step.version); }
        @if !step.typed.is_empty() {
            p { "To confirm, type " strong { (isolated(step.typed.trim())) } "." }
            (entry.markup(wrong))
        }
        div.row {
            button class=[(!step.typed.is_empty()).then_some("danger")] { (step.label) }
            a.button.second href=(step.back) { "Cancel" }
        }
    };
    let tone = if step.typed.is_empty() { Tone::Plain } else { Tone::Careful };
    let title = if step.typed.is_empty() { "What happens" } else { "What happens, for good" };
    let main = html! {
        (problems(wrong))
        (notice(tone, title, &step.follows))
        (visit.form_to(&visit.to(&visit.path, &pairs(visit)), &fields))
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(visit.page(status, &step.question, html! {}, &main))
}

fn pairs<'a>(visit: &'a Visit<'_>) -> Vec<(&'a str, &'a str)> {
    visit.query.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// It is done, and until when somebody may not know of it.
pub(super) fn told(visit: &Visit<'_>, title: &str, answer: &Value, back: &str) -> Shown {
    let main = html! {
        (notice(Tone::Good, "Done", &html! {
            (bound(answer))
            @if !text(answer, "status").is_empty() { p { "It is " (text(answer, "status")) " now." } }
        }))
        div.row { a.button.second href=(back) { "Go on" } }
    };
    visit.show(title, html! {}, &main)
}

/// Until when a withdrawal is known, as the API answers.
pub(super) fn bound(answer: &Value) -> Markup {
    let effective = answer.get("effective").unwrap_or(&Value::Null);
    let seconds = |name| number(effective, name);
    html! {
        @if let (Some(asked), Some(offline)) = (seconds("introspection_seconds"), seconds("offline_seconds")) {
            p { "introspection: " strong { (asked) " s" } "; offline verifiers: " strong { (offline) " s" } "." }
            p { "Who asks this server hears of it within the first time, on every node. Who checks tokens without asking hears of it \
                within the second, which follows from how often such verifiers fetch what is withdrawn." }
        }
    }
}
