//! `--as env`: exports that a shell reads with `.`, after which `m2m token` needs nothing else.

use super::{Notes, Plan, systemd};
use crate::output::printable;
use crate::quote::shell;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Value, time_text};

/// Variable that holds a path to the client secret rather than the secret.
const SECRET_FILE: &str = "M2M_CLIENT_SECRET_FILE";

pub(super) fn write(plan: &Plan<'_>) -> String {
    let (mut lines, mut notes) = (String::new(), Notes::default());
    for (field, value) in plan.stated() {
        match export(plan, field, &value) {
            Ok(line) => lines.push_str(&line),
            Err(note) => notes.add(note),
        }
    }
    if !plan.settings.egress().is_empty() {
        notes.add("egress.allow has no variable: state it in m2m.toml");
    }
    notes.comments("#") + &cleared(&lines) + &lines
}

/// What this shell may say already of server and credential, which only one place may name.
fn cleared(lines: &str) -> String {
    let exported: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("export "))
        .map(|line| line.split_once('=').map_or(line, |(variable, _)| variable))
        .collect();
    let fields = Field::ALL.iter().filter(|field| field.group().is_some()).map(|field| field.env());
    let others = fields.chain([SECRET_FILE]).filter(|variable| !variable.is_empty());
    let others: Vec<&str> = others.filter(|variable| !exported.contains(variable)).collect();
    format!("unset {}\n", others.join(" "))
}

/// One line, or why there is none.
fn export(plan: &Plan<'_>, field: Field, value: &Value) -> Result<String, String> {
    let variable = field.env();
    if variable.is_empty() {
        return Err(match field {
            Field::Params => "params have no variable: give them as --param NAME=VALUE".to_owned(),
            _ => format!("{field} has no variable: state it in m2m.toml"),
        });
    }
    let text = match value {
        Value::Secret(reference) if field == Field::ClientSecret => return Ok(secret(plan, reference)),
        Value::Secret(
            SecretReference::File(path) | SecretReference::Kubernetes(path) | SecretReference::Spiffe(path),
        ) => shell(&path.to_string_lossy()),
        Value::Secret(SecretReference::Systemd(name)) => systemd(name),
        Value::Secret(other) => {
            return Err(format!("{field} comes from {other}: {variable} takes a file, so write it to one"));
        }
        Value::Text(text) => shell(text),
        Value::List(list) => shell(&list.join(" ")),
        Value::Time(time) => shell(&time_text(*time)),
        Value::Pairs(pairs) if pairs.iter().any(|(_, value)| value.contains(char::is_whitespace)) => {
            return Err(format!(
                "{field}: no variable holds a value with a space: give it as {}",
                field.flag()
            ));
        }
        Value::Pairs(pairs) => {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            shell(&pairs.join(" "))
        }
        Value::Switch(_) => return Err(format!("{field} has no variable")),
    };
    Ok(format!("export {variable}={text}\n"))
}

/// The client secret by its place. Only the shell that reads the line looks there.
fn secret(plan: &Plan<'_>, reference: &SecretReference) -> String {
    let variable = Field::ClientSecret.env();
    match (reference, plan.shell(reference)) {
        (SecretReference::Env(name), _) if name == variable => {
            format!("# the secret is in {variable}, and stays there\nexport {variable}\n")
        }
        (SecretReference::File(path), _) => {
            format!("export {SECRET_FILE}={}\n", shell(&path.to_string_lossy()))
        }
        (SecretReference::Systemd(name), _) => format!("export {SECRET_FILE}={}\n", systemd(name)),
        (_, Some(word)) => format!("export {variable}={word}\n"),
        (other, None) => {
            let place = printable(&other.to_string());
            format!("# the secret comes from {place}\nexport {variable}=\"${{{variable}:?}}\"\n")
        }
    }
}
