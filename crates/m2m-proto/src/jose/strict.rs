//! Reading header and claims in one pass, straight into their types.
//!
//! The rules are those of [`crate::json`] (no member twice at any depth, bounded
//! nesting, nothing after the value). They stand here a second time because a
//! verifier spends more on a detour through a general document than on all its
//! other checks, the signature apart.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting inside one member of a header or of claims.
pub(super) const MAX_DEPTH: u8 = 7; // with the outer object: JsonLimits::CLAIMS.max_depth

/// What a reader found, because serde's errors cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Duplicate,
    WrongType(&'static str),
}

/// Where the reasons of one reading are kept.
#[derive(Default)]
pub(super) struct Faults(Cell<Option<Fault>>);

impl Faults {
    pub(super) fn raise<E: serde::de::Error>(&self, fault: Fault) -> E {
        self.0.set(Some(fault));
        E::custom("refused")
    }

    pub(super) fn take(&self) -> Option<Fault> {
        self.0.take()
    }
}

/// A member name: borrowed, unless it holds escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// A text; `null` counts as absent.
pub(super) struct Text<'f>(pub(super) &'static str, pub(super) &'f Faults);

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let (name, faults) = (self.0, self.1);
        deserializer.deserialize_any(self).inspect_err(|_| {
            if faults.0.get().is_none() {
                faults.0.set(Some(Fault::WrongType(name)));
            }
        })
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Any value, with what is left of the depth.
#[derive(Clone, Copy)]
pub(super) struct Any<'f>(pub(super) u8, pub(super) &'f Faults);

impl<'f> Any<'f> {
    pub(super) fn new(faults: &'f Faults) -> Self {
        Self(MAX_DEPTH, faults)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.0.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self(left, self.1))
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
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
        while let Some(name) = members.next_key_seed(Name)? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name.into_owned(), value).is_some() {
                return Err(self.1.raise(Fault::Duplicate));
            }
        }
        Ok(Value::Object(object))
    }
}
