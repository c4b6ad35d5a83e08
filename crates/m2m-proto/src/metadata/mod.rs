//! What the parties publish about themselves, and where.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`server`] | the authorization server (RFC 8414) |
//! | [`resource`] | the protected resource (RFC 9728) |
//! | [`client`] | the client (RFC 7591) |
//! | [`well_known`] | where the first two are found |
//!
//! All three are read the same way: a JSON object, known members with their
//! types, `null` and the empty text as absent, unknown members left out.

pub mod client;
pub mod resource;
pub mod server;
pub mod well_known;

pub use client::ClientMetadata;
pub use resource::ResourceMetadata;
pub use server::{Connection, EndpointAliases, ServerMetadata};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::error::response::showable;
use crate::json::{self, JsonError, JsonLimits};
use crate::uri::{EndpointUri, UriError};

/// Why a document is not the metadata it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not a JSON object, or a suspicious one.
    #[error("not a metadata document: {0}")]
    Json(JsonError),
    /// The member that says whose document it is, is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The document is about somebody else. It must be discarded (RFC 8414
    /// section 3.3, RFC 9728 section 3.3).
    #[error("{member} is {found:?}, expected {expected:?}")]
    Mismatch {
        /// `issuer` or `resource`.
        member: &'static str,
        /// What was asked for.
        expected: String,
        /// What the document says, at most 1 KiB of it.
        found: String,
    },
    /// A member has the wrong JSON type.
    #[error("{0} has the wrong JSON type")]
    MemberType(&'static str),
    /// A member is not the URI it should be.
    #[error("{member} is malformed: {reason}")]
    Uri {
        /// The member.
        member: &'static str,
        /// Why.
        reason: UriError,
    },
    /// Two members that exclude each other (RFC 7591 section 2).
    #[error("{0} and {1} exclude each other")]
    Both(&'static str, &'static str),
}

/// The known members of a document that is being read.
struct Reader(Map<String, Value>);

impl Reader {
    fn new(document: &[u8]) -> Result<Self, MetadataError> {
        json::parse_object(document, &JsonLimits::DOCUMENT).map(Self).map_err(MetadataError::Json)
    }

    /// A nested object; absent ones have no members.
    fn object(&self, member: &'static str) -> Result<Self, MetadataError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(Self(Map::new())),
            Some(Value::Object(members)) => Ok(Self(members.clone())),
            Some(_) => Err(MetadataError::MemberType(member)),
        }
    }

    fn text(&self, member: &'static str) -> Result<Option<&str>, MetadataError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|t| !t.is_empty())),
            Some(_) => Err(MetadataError::MemberType(member)),
        }
    }

    /// The member that says whose document it is; it must be `expected`, code
    /// point for code point.
    // spec: 8414-C2 9728-C1
    fn identity(&self, member: &'static str, expected: &str) -> Result<(), MetadataError> {
        let found = self.text(member)?.ok_or(MetadataError::Missing(member))?;
        if found == expected {
            return Ok(());
        }
        Err(MetadataError::Mismatch { member, expected: expected.to_owned(), found: showable(found) })
    }

    fn endpoint(&self, member: &'static str) -> Result<Option<EndpointUri>, MetadataError> {
        let parse = |text| EndpointUri::parse(text).map_err(|reason| MetadataError::Uri { member, reason });
        self.text(member)?.map(parse).transpose()
    }

    fn list(&self, member: &'static str) -> Result<Option<Vec<String>>, MetadataError> {
        let items = match self.0.get(member) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(MetadataError::MemberType(member)),
        };
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.map(Some).ok_or(MetadataError::MemberType(member))
    }

    /// Absent counts as `false`, the default of every flag that we read.
    fn flag(&self, member: &'static str) -> Result<bool, MetadataError> {
        match self.0.get(member) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(MetadataError::MemberType(member)),
        }
    }
}

/// A document that is being written: members in the order of pushing, whatever
/// the JSON library does with maps.
#[derive(Default)]
struct Writer(Vec<(&'static str, Value)>);

impl Writer {
    fn text(&mut self, member: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.push((member, text.into()));
        }
    }

    fn endpoint(&mut self, member: &'static str, uri: Option<&EndpointUri>) {
        self.text(member, uri.map(EndpointUri::as_str));
    }

    /// Empty lists are left out (RFC 9728 section 2, RFC 8414 section 3.2).
    // spec: 9728-RS1, 8414-AS4
    fn list(&mut self, member: &'static str, items: &[String]) {
        if !items.is_empty() {
            self.0.push((member, items.into()));
        }
    }

    /// `false` is the default of every flag, so only the others are written.
    fn flags(&mut self, flags: &[(&'static str, bool)]) {
        let set = flags.iter().filter(|(_, flag)| *flag);
        self.0.extend(set.map(|(member, _)| (*member, Value::Bool(true))));
    }

    fn finish(self) -> Vec<u8> {
        // Strings, lists and flags only: serialization cannot fail.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

impl Serialize for Writer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (member, value) in &self.0 {
            map.serialize_entry(member, value)?;
        }
        map.end()
    }
}
