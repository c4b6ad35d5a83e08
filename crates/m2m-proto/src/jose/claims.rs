//! The claims of a JWT: the registered ones typed, the rest as JSON.
//!
//! Sections: RFC 7519 §2 (NumericDate), §4.1
//! Enforces: size, UTF-8, one JSON object, no member twice at any depth, at most
//! eight levels; text, audience and times of the right type; times from 1970 to
//! the year 9999
//! Does not enforce: which claims must be there and what they must say; that is
//! [`super::kind`]
//! Limits: 16 KiB, 8 levels; published documents name their own size
//!
//! A registered claim whose value is `null` counts as absent.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::members::{Members, Unsorted};
use super::strict::{Fault, Faults, Name, Text};
use crate::json::JsonLimits;
use crate::names::claim;
use crate::time::UnixTime;

/// 9999-12-31T23:59:59Z. Later times are mistakes (often milliseconds) or attacks.
const LAST_SECOND: u64 = 253_402_300_799;

/// Why claims were refused. Never carries their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// More bytes than allowed.
    #[error("claims of {bytes} bytes, {limit} allowed")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not one JSON object in UTF-8, or nested too deeply.
    #[error("the claims are not a JSON object that we accept")]
    NotAnObject,
    /// RFC 7519 §4: a claim name occurs twice.
    #[error("a claim occurs twice")]
    Duplicate,
    /// A registered claim has the wrong JSON type, or a time is negative or absurd.
    #[error("the claim `{0}` has the wrong type or range")]
    WrongType(&'static str),
}

/// `aud`: one value or several (RFC 7519 §4.1.3). Remembers which form it had, because
/// FAPI 2.0 wants a bare string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A bare string.
    One(String),
    /// An array, possibly of one, possibly empty.
    Many(Vec<String>),
}

impl Audience {
    /// All values, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values.as_slice(),
        };
        values.iter().map(String::as_str)
    }

    /// Whether `value` is among them, code point for code point.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        self.iter().any(|one| one == value)
    }

    /// The value, if there is exactly one, in either form.
    #[must_use]
    pub fn sole(&self) -> Option<&str> {
        let mut values = self.iter();
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// Whether it was written as a bare string.
    #[must_use]
    pub fn is_string(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(value) => serializer.serialize_str(value),
            Self::Many(values) => serializer.collect_seq(values),
        }
    }
}

/// The claims of a JWT. Build with struct update syntax from [`Claims::default`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub iss: Option<String>,
    /// `sub`.
    pub sub: Option<String>,
    /// `aud`.
    pub aud: Option<Audience>,
    /// `exp`.
    pub exp: Option<UnixTime>,
    /// `nbf`.
    pub nbf: Option<UnixTime>,
    /// `iat`.
    pub iat: Option<UnixTime>,
    /// `jti`.
    pub jti: Option<String>,
    /// Every other claim, by name.
    pub rest: Members,
}

impl Claims {
    /// Parses a payload.
    ///
    /// # Errors
    /// See the list of checks above.
    // spec: JOSE-V5
    pub fn parse(bytes: &[u8]) -> Result<Self, ClaimsError> {
        Self::parse_document(bytes, JsonLimits::CLAIMS.max_bytes)
    }

    /// As [`Claims::parse`], for a published document, which may be longer than a token. To be
    /// used after the signature is checked: the memory needed is a multiple of the text.
    ///
    /// # Errors
    /// As [`Claims::parse`].
    pub(crate) fn parse_document(bytes: &[u8], limit: usize) -> Result<Self, ClaimsError> {
        if bytes.len() > limit {
            return Err(ClaimsError::TooLarge { bytes: bytes.len(), limit });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ClaimsError::NotAnObject)?;
        let faults = Faults::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = reader.deserialize_map(Reader(&faults)).and_then(|claims| reader.end().map(|()| claims));
        read.map_err(|_| match faults.take() {
            Some(Fault::Duplicate) => ClaimsError::Duplicate,
            Some(Fault::WrongType(name)) => ClaimsError::WrongType(name),
            None => ClaimsError::NotAnObject,
        })
    }

    /// A claim that is not one of the typed fields.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.rest.get(name)
    }

    /// A claim that is not one of the typed fields, if it is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A claim that is a positive number of seconds, such as `ttl`; fractions are kept. `None` for
    /// anything else.
    pub(crate) fn positive_seconds(&self, name: &str) -> Option<Duration> {
        let number = self.get(name)?;
        let seconds = match number.as_u64() {
            Some(whole) => Duration::from_secs(whole),
            None => Duration::try_from_secs_f64(number.as_f64()?).ok()?,
        };
        (!seconds.is_zero()).then_some(seconds)
    }

    /// Whether the claim is there, typed field or not. `null` is not there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        match name {
            claim::ISS => self.iss.is_some(),
            claim::SUB => self.sub.is_some(),
            claim::AUD => self.aud.is_some(),
            claim::EXP => self.exp.is_some(),
            claim::NBF => self.nbf.is_some(),
            claim::IAT => self.iat.is_some(),
            claim::JTI => self.jti.is_some(),
            other => self.rest.get(other).is_some_and(|value| !value.is_null()),
        }
    }

    /// The JSON text: registered claims in the order of RFC 7519, then the rest by name. Times
    /// are whole seconds, rounded down.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Writing text-keyed maps into memory cannot fail; an empty payload would be refused
        // by every verifier.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_members(&mut map, &[])?;
        map.end()
    }
}

impl Claims {
    /// Writes every claim, but for the untyped ones named in `without`, as a member of an object that may
    /// have others.
    pub(crate) fn write_members<M: SerializeMap>(
        &self,
        map: &mut M,
        without: &[&str],
    ) -> Result<(), M::Error> {
        let text = |map: &mut M, name, value: &Option<String>| match value {
            Some(value) => map.serialize_entry(name, value),
            None => Ok(()),
        };
        text(map, claim::ISS, &self.iss)?;
        text(map, claim::SUB, &self.sub)?;
        if let Some(audience) = &self.aud {
            map.serialize_entry(claim::AUD, audience)?;
        }
        for (name, time) in [(claim::EXP, self.exp), (claim::NBF, self.nbf), (claim::IAT, self.iat)] {
            if let Some(time) = time {
                map.serialize_entry(name, &time.seconds())?;
            }
        }
        text(map, claim::JTI, &self.jti)?;
        for (name, value) in self.rest.iter().filter(|(name, _)| !without.contains(name)) {
            map.serialize_entry(name, value)?;
        }
        Ok(())
    }
}

struct Reader<'f>(&'f Faults);

impl Reader<'_> {
    /// Reads the value of one claim into its place; refuses a second value for it.
    fn member<'de, A: MapAccess<'de>>(
        &self,
        claims: &mut Claims,
        seen: &mut Seen,
        name: &str,
        members: &mut A,
    ) -> Result<(), A::Error> {
        let faults = self.0;
        let (index, known) = match name {
            claim::ISS => (0, claim::ISS),
            claim::SUB => (1, claim::SUB),
            claim::AUD => (2, claim::AUD),
            claim::EXP => (3, claim::EXP),
            claim::NBF => (4, claim::NBF),
            claim::IAT => (5, claim::IAT),
            claim::JTI => (6, claim::JTI),
            other => {
                seen.rest.push(other, members.next_value_seed(faults.any())?);
                return Ok(());
            }
        };
        if seen.again(index) {
            return Err(faults.raise(Fault::Duplicate));
        }
        let read = match index {
            0 => members.next_value_seed(Text(known, faults)).map(|text| claims.iss = text.map(Into::into)),
            1 => members.next_value_seed(Text(known, faults)).map(|text| claims.sub = text.map(Into::into)),
            2 => members.next_value_seed(AudienceSeed).map(|audience| claims.aud = audience),
            3 => members.next_value_seed(NumericDate).map(|time| claims.exp = time),
            4 => members.next_value_seed(NumericDate).map(|time| claims.nbf = time),
            5 => members.next_value_seed(NumericDate).map(|time| claims.iat = time),
            _ => members.next_value_seed(Text(known, faults)).map(|text| claims.jti = text.map(Into::into)),
        };
        read.map_err(|_| faults.raise(Fault::WrongType(known)))
    }
}

/// Which of the typed claims were read, one bit each, and all the others.
#[derive(Default)]
struct Seen {
    typed: u8,
    rest: Unsorted,
}

impl Seen {
    fn again(&mut self, index: u8) -> bool {
        let bit = 1 << index;
        let again = self.typed & bit != 0;
        self.typed |= bit;
        again
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Claims, A::Error> {
        let mut claims = Claims::default();
        let mut seen = Seen::default();
        while let Some(name) = members.next_key_seed(Name)? {
            self.member(&mut claims, &mut seen, &name, &mut members)?;
        }
        claims.rest = seen.rest.sorted().ok_or_else(|| self.0.raise(Fault::Duplicate))?;
        Ok(claims)
    }
}

/// RFC 7519 §2: seconds, whole or not; `null` counts as absent.
struct NumericDate;

impl<'de> DeserializeSeed<'de> for NumericDate {
    type Value = Option<UnixTime>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NumericDate {
    type Value = Option<UnixTime>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since 1970")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
        if seconds > LAST_SECOND {
            return Err(E::custom("beyond the year 9999"));
        }
        Ok(Some(UnixTime::from_seconds(seconds)))
    }

    fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "the limit is far below 2^53")]
        let last = LAST_SECOND as f64;
        if !(0.0..=last).contains(&seconds) {
            return Err(E::custom("not a time from 1970 to 9999"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        let millis = (seconds * 1000.0) as u64;
        Ok(Some(UnixTime::from_millis(millis)))
    }
}

struct AudienceSeed;

impl<'de> DeserializeSeed<'de> for AudienceSeed {
    type Value = Option<Audience>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AudienceSeed {
    type Value = Option<Audience>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an array of texts")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Audience::One(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element::<String>()? {
            values.push(value);
        }
        Ok(Some(Audience::Many(values)))
    }
}
