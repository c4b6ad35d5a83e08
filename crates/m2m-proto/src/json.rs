//! JSON documents from strangers: limits first, then one strict reading.
//!
//! Sections: RFC 8259 sections 4, 8.1; RFC 7515 section 4; RFC 7519 section 4
//! Enforces: size; UTF-8; no byte order mark; nesting depth, counted before
//!   anything is allocated; the grammar (so no `NaN`, no comments); no member
//!   name twice, at any depth; nothing after the value.
//! Does not enforce: which members must be there; that is each message's own.
//! Limits: [`JsonLimits::DOCUMENT`] 256 KiB and 16 levels, [`JsonLimits::CLAIMS`]
//!   16 KiB and 8 levels.
//!
//! No error here carries text of the document, which may hold a token.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Bounds on one JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes of the whole text.
    pub max_bytes: usize,
    /// Nesting of objects and arrays; the outermost counts as 1.
    pub max_depth: usize,
}

impl JsonLimits {
    /// A document fetched or answered: metadata, key sets, token responses.
    pub const DOCUMENT: Self = Self { max_bytes: 256 * 1024, max_depth: 16 };
    /// The header or claims of one JWT.
    pub const CLAIMS: Self = Self { max_bytes: 16 * 1024, max_depth: 8 };
}

/// Why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More bytes than allowed.
    #[error("JSON text of {bytes} bytes, {limit} allowed")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Nothing but white space.
    #[error("empty where JSON is expected")]
    Empty,
    /// Starts with a byte order mark (RFC 8259 section 8.1 forbids adding one).
    #[error("JSON text starts with a byte order mark")]
    ByteOrderMark,
    /// Not UTF-8.
    #[error("JSON text is not UTF-8")]
    NotUtf8,
    /// Nested deeper than allowed.
    #[error("JSON nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// A member name occurs twice in one object.
    #[error("member name repeated in a JSON object, at line {line} column {column}")]
    DuplicateMember {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// Not JSON, or something after the value.
    #[error("not valid JSON at line {line} column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("JSON value is not an object")]
    NotObject,
    /// An object, but a member is missing or has the wrong type.
    #[error("JSON value has not the expected members")]
    Shape,
}

/// Parses one JSON object.
///
/// # Errors
/// As listed in the module's head.
pub fn parse_object(text: &[u8], limits: &JsonLimits) -> Result<Map<String, Value>, JsonError> {
    match parse_value(text, limits)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotObject),
    }
}

/// Parses one JSON value of any type, under the same rules as [`parse_object`].
///
/// # Errors
/// As listed in the module's head.
pub fn parse_value(text: &[u8], limits: &JsonLimits) -> Result<Value, JsonError> {
    let text = check(text, limits)?;
    let repeated = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(text);
    let unique = Unique { levels_left: limits.max_depth, repeated: &repeated };
    unique.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        if repeated.get() {
            JsonError::DuplicateMember { line, column }
        } else {
            JsonError::Syntax { line, column }
        }
    })
}

/// Parses into a type, under the same rules as [`parse_object`]. Unknown
/// members are ignored unless the type refuses them.
///
/// # Errors
/// As listed in the module's head; [`JsonError::Shape`] if the type does not fit.
pub fn from_slice<T: DeserializeOwned>(text: &[u8], limits: &JsonLimits) -> Result<T, JsonError> {
    // The reason of a misfit quotes the value found, so it is dropped.
    serde_json::from_value(parse_value(text, limits)?).map_err(|_| JsonError::Shape)
}

/// The checks that need no parser, cheapest first.
pub(crate) fn check<'a>(text: &'a [u8], limits: &JsonLimits) -> Result<&'a str, JsonError> {
    if text.len() > limits.max_bytes {
        return Err(JsonError::TooLarge { bytes: text.len(), limit: limits.max_bytes });
    }
    if text.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonError::ByteOrderMark);
    }
    if text.iter().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')) {
        return Err(JsonError::Empty);
    }
    if exceeds_depth(text, limits.max_depth) {
        return Err(JsonError::TooDeep { limit: limits.max_depth });
    }
    std::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)
}

/// One pass over the bytes, skipping strings; needs no valid JSON.
fn exceeds_depth(text: &[u8], limit: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Builds a [`Value`], refusing a repeated member name at any depth and nesting
/// beyond what is left. The cell says that a name was repeated, because serde's
/// errors cannot be told apart.
#[derive(Clone, Copy)]
pub(crate) struct Unique<'c> {
    pub(crate) levels_left: usize,
    pub(crate) repeated: &'c Cell<bool>,
}

impl Unique<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let levels_left = self.levels_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { levels_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                self.repeated.set(true);
                return Err(A::Error::custom("repeated member"));
            }
            object.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests;
