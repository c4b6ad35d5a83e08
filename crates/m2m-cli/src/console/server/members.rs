//! Members of what the admin API answers.

pub(super) use crate::commands::admin::segment;
use serde_json::Value;

/// The text of that name; empty where there is none.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number of that name.
pub(super) fn number(object: &Value, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}

/// The same as a text, or the text that was typed in its place; empty where there is none.
pub(super) fn digits(object: &Value, name: &str) -> String {
    number(object, name).map_or_else(|| text(object, name).to_owned(), |number| number.to_string())
}

/// Whether the member is `true`.
pub(super) fn is(object: &Value, name: &str) -> bool {
    object.get(name) == Some(&Value::Bool(true))
}

/// The elements of the array of that name.
pub(super) fn items<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts in the array of that name.
pub(super) fn texts<'a>(object: &'a Value, name: &str) -> Vec<&'a str> {
    items(object, name).iter().filter_map(Value::as_str).collect()
}
