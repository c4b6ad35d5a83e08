//! The place of a token in a Token Status List: the claim `status`.
//!
//! Sections: OAuth Token Status List (draft 21) sections 6.1 and 6.2
//! Enforces, when reading: `status` and its `status_list` are objects; `idx` is a
//! whole number from 0; `uri` is text and not empty
//! Does not enforce: that the address is one to be fetched from, which is the
//! caller's list of hosts; what the list says ([`crate::status_list`])
//! Limits: those of the token; indices below 2^64

use serde_json::Value;

use crate::jose::Claims;
use crate::names::claim;
use crate::token::object::ObjectWriter;

/// A place in a Token Status List.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusReference<'a> {
    /// The list's address.
    pub uri: &'a str,
    /// The index in it.
    pub index: u64,
}

/// The claim `status` is malformed, so that the status cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim status names no place in a status list")]
pub struct StatusReferenceError;

impl<'a> StatusReference<'a> {
    pub(super) fn write(&self, object: &mut ObjectWriter) {
        object.object(claim::STATUS_LIST, |list| {
            list.number(claim::IDX, self.index);
            list.text(claim::URI, self.uri);
        });
    }

    /// The place that these claims name; `None` for a token without status, or with one of
    /// another mechanism only.
    ///
    /// # Errors
    /// [`StatusReferenceError`]: the token must be refused by whoever asks for its status.
    // spec: TSL-RS1
    pub fn decode(claims: &'a Claims) -> Result<Option<Self>, StatusReferenceError> {
        let Some(status) = claims.get(claim::STATUS).filter(|status| !status.is_null()) else {
            return Ok(None);
        };
        let Some(list) = status.as_object().ok_or(StatusReferenceError)?.get(claim::STATUS_LIST) else {
            return Ok(None);
        };
        let index = list.get(claim::IDX).and_then(Value::as_u64).ok_or(StatusReferenceError)?;
        let uri = list.get(claim::URI).and_then(Value::as_str).ok_or(StatusReferenceError)?;
        if uri.is_empty() { Err(StatusReferenceError) } else { Ok(Some(Self { uri, index })) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &str, expect: Result<Option<(&str, u64)>, StatusReferenceError>) {
        let claims = Claims::parse(format!(r#"{{"status":{status}}}"#).as_bytes()).unwrap();
        let found = StatusReference::decode(&claims).map(|found| found.map(|found| (found.uri, found.index)));
        assert_eq!(found, expect, "{status}");
    }

    // spec-test: TSL-RS1
    #[test]
    fn a_place_is_read_or_refused_but_never_guessed() {
        check(r#"{"status_list":{"idx":42,"uri":"https://a/1"}}"#, Ok(Some(("https://a/1", 42))));
        check(r#"{"status_list":{"uri":"u","idx":0,"x":1},"other":{}}"#, Ok(Some(("u", 0))));
        check("null", Ok(None));
        check("{}", Ok(None));
        check(r#"{"identifier_list":{}}"#, Ok(None));
        for bad in [
            "1",
            "[]",
            r#""x""#,
            r#"{"status_list":null}"#,
            r#"{"status_list":[]}"#,
            r#"{"status_list":{"uri":"u"}}"#,
            r#"{"status_list":{"idx":1}}"#,
            r#"{"status_list":{"idx":-1,"uri":"u"}}"#,
            r#"{"status_list":{"idx":1.5,"uri":"u"}}"#,
            r#"{"status_list":{"idx":"1","uri":"u"}}"#,
            r#"{"status_list":{"idx":1,"uri":""}}"#,
        ] {
            check(bad, Err(StatusReferenceError));
        }
        assert_eq!(StatusReference::decode(&Claims::default()), Ok(None));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut object = ObjectWriter::with_capacity(0);
        let reference = StatusReference { uri: "https://a/\"1", index: u64::MAX };
        object.object(claim::STATUS, |status| reference.write(status));
        let claims = Claims::parse(object.finish().as_bytes()).unwrap();
        assert_eq!(StatusReference::decode(&claims), Ok(Some(reference)));
    }
}
