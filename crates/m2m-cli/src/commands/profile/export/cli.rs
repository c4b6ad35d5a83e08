//! `--as cli`: a line of `m2m token` that needs no file.

use super::{Notes, Plan, systemd};
use crate::quote::{shell, shell_word};
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Value, time_text};

pub(super) fn write(plan: &Plan<'_>) -> String {
    let (mut words, mut variables, mut notes) = (vec!["m2m token".to_owned()], Vec::new(), Notes::default());
    for (field, value) in plan.stated() {
        let said = flags(field, &value, &mut notes);
        match said {
            Some(flags) => words.extend(flags),
            None if !field.env().is_empty() => {
                variables.push(format!("{}={}", field.env(), variable(&value)));
            }
            None => notes.add(format!("{field} has no flag: state it in m2m.toml")),
        }
    }
    if !plan.settings.egress().is_empty() {
        notes.add("egress.allow has no flag: state it in m2m.toml");
    }
    let line = variables.into_iter().chain([words.join(" \\\n    ")]).collect::<Vec<_>>().join(" ");
    format!("{}{line}\n", notes.comments("#"))
}

/// The flags that say this value; `None` where there is no flag.
fn flags(field: Field, value: &Value, notes: &mut Notes) -> Option<Vec<String>> {
    let flag = field.flag();
    if flag.is_empty() {
        return None;
    }
    let one = |value: &str| vec![format!("{flag} {}", shell_word(value))];
    Some(match value {
        Value::Secret(reference) if field == Field::ClientSecret => vec![secret(reference)],
        Value::Secret(reference) => {
            let path = file(field, reference, notes);
            vec![if field == Field::Dpop { format!("{flag}={path}") } else { format!("{flag} {path}") }]
        }
        Value::Text(_) if field == Field::Dpop => vec![flag.to_owned()],
        Value::Text(text) => one(text),
        Value::List(list) if field == Field::Scopes => one(&list.join(" ")),
        Value::List(list) => list.iter().map(|item| format!("{flag} {}", shell_word(item))).collect(),
        Value::Pairs(pairs) => pairs
            .iter()
            .map(|(name, value)| format!("{flag} {}", shell_word(&format!("{name}={value}"))))
            .collect(),
        Value::Time(time) => one(&time_text(*time)),
        Value::Switch(_) => return None,
    })
}

/// The client secret, which has a flag for each place.
fn secret(reference: &SecretReference) -> String {
    match (Plan::program(reference), reference) {
        (Some(argv), _) => format!("--secret-command {}", shell(&command(&argv))),
        (_, SecretReference::Env(name)) => format!("--secret-env {}", shell_word(name)),
        (_, SecretReference::File(path)) => format!("--secret-file {}", shell_word(&path.to_string_lossy())),
        (_, SecretReference::Systemd(name)) => format!("--secret-file {}", systemd(name)),
        _ => "--secret-stdin".to_owned(),
    }
}

/// A key or certificate, which is taken from a file only.
fn file(field: Field, reference: &SecretReference, notes: &mut Notes) -> String {
    match reference {
        SecretReference::File(path) | SecretReference::Kubernetes(path) | SecretReference::Spiffe(path) => {
            shell_word(&path.to_string_lossy())
        }
        SecretReference::Systemd(name) => systemd(name),
        other => {
            notes.add(format!("{field} comes from {other}: a flag takes a file, so write it to one"));
            format!("/path/to/{field}")
        }
    }
}

/// Words as `--secret-command` splits them.
fn command(argv: &[&str]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\'))
    };
    let word = |word: &&str| {
        if plain(word) {
            (*word).to_owned()
        } else {
            format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
        }
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A value as a variable states it.
fn variable(value: &Value) -> String {
    match value {
        Value::Text(text) => shell_word(text),
        Value::Time(time) => time_text(*time),
        Value::List(list) => shell_word(&list.join(" ")),
        Value::Switch(switch) => switch.to_string(),
        Value::Pairs(_) | Value::Secret(_) => "''".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::secret::split_command;

    #[test]
    fn a_command_is_split_as_it_was() {
        for argv in [&["op", "read", "op://v/my item"][..], &["a", "", "it's", "\"q\\\""], &["$HOME", "`id`"]]
        {
            assert_eq!(split_command(&command(argv)).unwrap(), argv);
        }
    }
}
