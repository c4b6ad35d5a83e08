//! What is wrong with a form: found here before anything is sent, or said by the admin API and tied to its field.

use serde_json::Value;

use super::calls::Refusal;
use crate::console::door::Sent;
use crate::console::page::Problem;
use crate::settings::value::parse_time;

/// A problem with a field.
pub(super) fn at(field: &str, text: impl Into<String>) -> Problem {
    Problem { field: field.to_owned(), text: text.into() }
}

/// What the API says of a form, at the first field whose words are in it; else at the form as a whole.
pub(super) fn said(refusal: &Refusal, fields: &[(&str, &str)]) -> Vec<Problem> {
    let field =
        fields.iter().find(|(words, _)| refusal.detail.contains(words)).map_or("", |(_, field)| field);
    vec![at(field, refusal.detail.as_str())]
}

/// A span such as `10m` in whole seconds; `None` where the field is empty.
pub(super) fn span(sent: &Sent, name: &str, wrong: &mut Vec<Problem>) -> Option<u64> {
    let typed = sent.text(name);
    if typed.is_empty() {
        return None;
    }
    match parse_time(typed) {
        Ok(span) if span.as_secs() > 0 => Some(span.as_secs()),
        _ => {
            wrong.push(at(name, format!("{typed:?} is no time such as 600, 10m, 24h or 90d")));
            None
        }
    }
}

/// A whole number; `None` where the field is empty.
pub(super) fn count(sent: &Sent, name: &str, wrong: &mut Vec<Problem>) -> Option<u64> {
    let typed = sent.text(name);
    if typed.is_empty() {
        return None;
    }
    let number = typed.parse().ok();
    if number.is_none() {
        wrong.push(at(name, format!("{typed:?} is no whole number")));
    }
    number
}

/// A span or a count as a member of an order; what cannot be one stays as it was typed, beside its problem.
pub(super) fn kept(sent: &Sent, name: &str, number: Option<u64>) -> Value {
    match (number, sent.text(name)) {
        (Some(number), _) => Value::from(number),
        (None, "") => Value::Null,
        (None, typed) => Value::from(typed),
    }
}

/// A field that must not be empty.
pub(super) fn needed(sent: &Sent, name: &str, text: &str, wrong: &mut Vec<Problem>) {
    if sent.text(name).is_empty() {
        wrong.push(at(name, text));
    }
}

/// Words with space between.
pub(super) fn words(sent: &Sent, name: &str) -> Vec<String> {
    sent.text(name).split_whitespace().map(str::to_owned).collect()
}
