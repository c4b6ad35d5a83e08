//! A plan for a person: a line for each step, its differences below it, what it cuts off behind `!`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plan::{Action, Difference, Plan, Step};
use super::{canonical, names};
use crate::commands::admin::condition;
use crate::output::printable;

/// The lines, the sum last. Each is safe to show.
pub(in crate::commands::admin) fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        lines.extend(step_lines(step));
    }
    for name in &plan.unmanaged {
        lines.push(format!("  {} {} is not in the file, and stays", name.0.name(), name.1));
    }
    lines.extend(plan.notes.iter().map(|note| format!("  {note}")));
    lines.push(sum(plan));
    lines.iter().map(|line| printable(line)).collect()
}

fn step_lines(step: &Step) -> Vec<String> {
    let sign = match step.action {
        Action::Create => "+",
        Action::Update | Action::Rotate => "~",
        Action::Revoke | Action::Delete => "-",
    };
    let mut lines = vec![format!("{sign} {} {}", step.name.0.name(), step.name.1)];
    for one in &step.differences {
        lines.extend(difference(one).into_iter().map(|line| format!("    {line}")));
    }
    if let Some(file) = &step.secret_file {
        lines.push(format!("    its secret goes to {}", file.display()));
    }
    if let Some(consequence) = &step.consequence {
        lines.push(format!("  ! {consequence}"));
    }
    lines
}

fn difference(one: &Difference) -> Vec<String> {
    let member = &one.member;
    match (&one.from, &one.to) {
        (Value::Array(_), Value::Array(_)) => {
            let (from, to) = (entries(member, &one.from), entries(member, &one.to));
            let gone = from.difference(&to).map(|entry| format!("{member}  - {entry}"));
            let come = to.difference(&from).map(|entry| format!("{member}  + {entry}"));
            gone.chain(come).collect()
        }
        (Value::Null, Value::Array(_)) => {
            entries(member, &one.to).into_iter().map(|entry| format!("{member}  {entry}")).collect()
        }
        (_, Value::Object(_)) => vec![format!("{member}  another one")],
        (Value::Null, to) => vec![format!("{member}  {}", plain(to))],
        (from, to) => vec![format!("{member}  {} -> {}", plain(from), plain(to))],
    }
}

/// Each entry of a list as a text.
fn entries(member: &str, list: &Value) -> BTreeSet<String> {
    let list = canonical(member, list);
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .map(|entry| match member {
            "grants" => grant(entry),
            "conditions" => condition::written(entry),
            "scopes" => {
                let description = entry.get("description").and_then(Value::as_str).unwrap_or_default();
                let scope = entry.get("scope").map(plain).unwrap_or_default();
                if description.is_empty() { scope } else { format!("{scope} ({description})") }
            }
            _ => plain(entry),
        })
        .collect()
}

fn grant(entry: &Value) -> String {
    let list = |member: &str| names(entry.get(member), "scope").join(",");
    let mut text = format!("{}={}", entry.get("api").map(plain).unwrap_or_default(), list("scopes"));
    if list("default_scopes") != list("scopes") {
        text.push_str(&format!(
            " by default {}",
            if list("default_scopes").is_empty() { "none".to_owned() } else { list("default_scopes") }
        ));
    }
    for member in ["roles", "permissions"] {
        if !list(member).is_empty() {
            text.push_str(&format!(" {member} {}", list(member)));
        }
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// `2 to create, 1 to update`.
pub(in crate::commands::admin) fn sum(plan: &Plan) -> String {
    let count = |actions: &[Action]| plan.steps.iter().filter(|step| actions.contains(&step.action)).count();
    let parts = [
        (count(&[Action::Create]), "to create"),
        (count(&[Action::Update]), "to update"),
        (count(&[Action::Rotate]), "to rotate"),
        (count(&[Action::Revoke]), "to revoke"),
        (count(&[Action::Delete]), "to delete"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}
