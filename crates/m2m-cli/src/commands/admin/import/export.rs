//! Reading exports: objects whose members may be missing, empty, or texts that hold JSON.

use serde_json::{Map, Value};

/// One object of an export.
pub(super) type Object = Map<String, Value>;

/// A member that is a text and not empty.
pub(super) fn text<'a>(object: &'a Object, member: &str) -> Option<&'a str> {
    object.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A member that is a whole number, also written as text.
pub(super) fn number(object: &Object, member: &str) -> Option<u64> {
    let value = object.get(member)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A member that is true, also written as text.
pub(super) fn is_true(object: &Object, member: &str) -> bool {
    object.get(member).is_some_and(|value| value == true || value == "true")
}

/// The texts of a member: a list, a JSON list in a text, or words with `|` or spaces between them.
pub(super) fn words(object: &Object, member: &str) -> Vec<String> {
    let of_list = |list: &[Value]| -> Vec<String> {
        list.iter().filter_map(Value::as_str).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    match object.get(member) {
        Some(Value::Array(list)) => of_list(list),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(list)) => of_list(&list),
            _ => {
                let parts = text.split(|letter: char| letter == '|' || letter.is_whitespace());
                parts.filter(|word| !word.is_empty()).map(str::to_owned).collect()
            }
        },
        _ => Vec::new(),
    }
}

/// A member that is an object, also as JSON in a text.
pub(super) fn object(of: &Object, member: &str) -> Option<Object> {
    match of.get(member)? {
        Value::Object(object) => Some(object.clone()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

/// The objects of a list; none where it is no list.
pub(super) fn objects<'a>(object: &'a Object, member: &str) -> Vec<&'a Object> {
    let list = object.get(member).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_object).collect()
}

/// Whether a value says something: not null, false, zero, or empty.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "{}" | "[]" | "null" | "false"),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(true) => true,
    }
}
