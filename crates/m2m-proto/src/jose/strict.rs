//! Reading header and claims in one pass, straight into their types.
//!
//! The rules are those of [`crate::json`], which also reads what is nested. Only the
//! outermost members are read here, because a verifier spends more on a detour
//! through a general document than on all its other checks, the signature apart.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

use crate::json::{JsonLimits, Unique};

/// Deepest nesting inside one member of a header or of claims.
const MAX_DEPTH: usize = JsonLimits::CLAIMS.max_depth - 1; // without the outermost object

/// What a reader found, because serde's errors cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Duplicate,
    WrongType(&'static str),
}

/// Where the reasons of one reading are kept.
#[derive(Default)]
pub(super) struct Faults {
    first: Cell<Option<Fault>>,
    repeated: Cell<bool>,
}

impl Faults {
    pub(super) fn raise<E: serde::de::Error>(&self, fault: Fault) -> E {
        self.first.set(Some(fault));
        E::custom("refused")
    }

    pub(super) fn take(&self) -> Option<Fault> {
        if self.repeated.take() { Some(Fault::Duplicate) } else { self.first.take() }
    }

    /// Reads one member's value, whatever it is.
    pub(super) fn any(&self) -> Unique<'_> {
        Unique { levels_left: MAX_DEPTH, repeated: &self.repeated }
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
            if faults.first.get().is_none() {
                faults.first.set(Some(Fault::WrongType(name)));
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
