//! `--as toml`: a table of `m2m.toml`, with everything that was stated wherever it came from.

use super::{Notes, Plan};
use crate::quote;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Value, time_text};

pub(super) fn write(plan: &Plan<'_>) -> String {
    let mut notes = Notes::default();
    let text = profile(plan.name(), plan.stated(), &mut notes);
    notes.comments("#") + &text + &egress(plan)
}

/// The table of the exceptions for documents of others; nothing where there are none.
pub(super) fn egress(plan: &Plan<'_>) -> String {
    match plan.settings.egress() {
        [] => String::new(),
        allowed => format!("\n[egress]\nallow = {}\n", array(allowed)),
    }
}

/// The table of one profile.
pub(super) fn profile(name: &str, stated: impl Iterator<Item = (Field, Value)>, notes: &mut Notes) -> String {
    let mut text = format!("[profiles.{}]\n", key(name));
    for (field, value) in stated {
        // The variables of a provider stand beside the other keys.
        if let (Field::Variables, Value::Pairs(pairs)) = (field, &value) {
            pairs.iter().for_each(|(name, value)| {
                text.push_str(&format!("{} = {}\n", key(name), quote::toml(value)));
            });
            continue;
        }
        text.push_str(&format!("{field} = {}\n", value_of(field, &value, notes)));
    }
    text
}

/// Bare where that is allowed.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quote::toml(name) }
}

fn value_of(field: Field, value: &Value, notes: &mut Notes) -> String {
    match value {
        Value::Text(text) => quote::toml(text),
        Value::List(list) => array(list),
        Value::Pairs(pairs) => {
            let pairs: Vec<_> =
                pairs.iter().map(|(k, v)| format!("{} = {}", key(k), quote::toml(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Time(time) => quote::toml(&time_text(*time)),
        Value::Switch(switch) => switch.to_string(),
        Value::Secret(reference) => match reference {
            SecretReference::Env(name) => format!("{{ env = {} }}", quote::toml(name)),
            SecretReference::File(path) => format!("{{ file = {} }}", quote::toml(&path.to_string_lossy())),
            SecretReference::Command(argv) => format!("{{ command = {} }}", array(argv)),
            SecretReference::Systemd(name) => format!("{{ systemd = {} }}", quote::toml(name)),
            SecretReference::Keyring(name) => format!("{{ keyring = {} }}", quote::toml(name)),
            SecretReference::GithubActions(audience) => {
                format!("{{ github_actions = {} }}", quote::toml(audience))
            }
            SecretReference::Kubernetes(path) => {
                format!("{{ kubernetes = {} }}", quote::toml(&path.to_string_lossy()))
            }
            SecretReference::Spiffe(path) => {
                format!("{{ spiffe = {} }}", quote::toml(&path.to_string_lossy()))
            }
            SecretReference::Stdin => {
                notes.add(format!("{field} came from standard input: write it to a file, and name that"));
                format!("{{ file = \"/path/to/{field}\" }}")
            }
        },
    }
}

fn array(list: &[String]) -> String {
    format!("[{}]", list.iter().map(|item| quote::toml(item)).collect::<Vec<_>>().join(", "))
}
