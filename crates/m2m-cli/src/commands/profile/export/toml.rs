//! `--as toml`: a table of `m2m.toml`, with everything that was stated wherever it came from.

use toml_edit::{DocumentMut, Item, Table};

use super::{Notes, Plan};
use crate::exit::Failure;
use crate::settings::edit;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

pub(super) fn write(plan: &Plan<'_>) -> Result<String, Failure> {
    let mut notes = Notes::default();
    let text = profile(plan.name(), plan.stated(), &mut notes)?;
    Ok(notes.comments("#") + &text + &egress(plan))
}

/// The table of the exceptions for documents of others; nothing where there are none.
pub(super) fn egress(plan: &Plan<'_>) -> String {
    match plan.settings.egress() {
        [] => String::new(),
        allowed => format!("\n[egress]\nallow = {}\n", edit::array(allowed)),
    }
}

/// The table of one profile.
pub(super) fn profile(
    name: &str,
    stated: impl Iterator<Item = (Field, Value)>,
    notes: &mut Notes,
) -> Result<String, Failure> {
    let lasting: Vec<_> = stated.map(|(field, value)| (field, lasting(field, value, notes))).collect();
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    let table = edit::table(lasting.iter().map(|(field, value)| (*field, value)))?;
    profiles.insert_formatted(&edit::key(name), Item::Table(table));
    let mut document = DocumentMut::new();
    document.insert("profiles", Item::Table(profiles));
    Ok(document.to_string())
}

/// A value that a file can hold.
fn lasting(field: Field, value: Value, notes: &mut Notes) -> Value {
    match value {
        Value::Secret(SecretReference::Stdin) => {
            notes.add(format!("{field} came from standard input: write it to a file, and name that"));
            Value::Secret(SecretReference::File(format!("/path/to/{field}").into()))
        }
        value => value,
    }
}
