//! From facts to the wire: what each error of this crate becomes when a
//! stranger has to be told.
//!
//! One row for each variant: the code, and a description that is safe for
//! anybody to read. The compiler refuses a variant without a row; a test refuses
//! a row whose code is not legal where its type can occur. Facts that say the
//! same to a stranger (unknown client, wrong secret) have the same text.

use std::borrow::Cow;

use super::ErrorCode;

/// An error that has a form on the wire.
pub trait WireError {
    /// The OAuth error code.
    fn code(&self) -> ErrorCode;

    /// A description that any stranger may read.
    fn description(&self) -> Cow<'static, str>;
}

/// `path::Type, at PLACE { pattern => Code, "description"; … }`, where PLACE is
/// one of [`places`].
macro_rules! facts {
    ($($type:path, at $place:ident { $($pattern:pat => $code:ident, $text:expr;)* })*) => {
        $(impl WireError for $type {
            fn code(&self) -> ErrorCode {
                match self { $($pattern => ErrorCode::$code,)* }
            }

            fn description(&self) -> Cow<'static, str> {
                Cow::Borrowed(match self { $($pattern => $text,)* })
            }
        })*

        #[cfg(test)]
        static ROWS: &[tests::Row] = &[
            $($(tests::Row {
                fact: concat!(stringify!($type), " ", stringify!($pattern)),
                code: ErrorCode::$code,
                description: $text,
                endpoints: places::$place,
            },)*)*
        ];
    };
}

facts! {
    crate::form::FormError, at AUTHORIZATION_SERVER {
        Self::ContentType => InvalidRequest, "the body must be application/x-www-form-urlencoded";
        Self::TooLarge => InvalidRequest, "the body is too large";
        Self::TooMany => InvalidRequest, "too many parameters";
        Self::Escape => InvalidRequest, "the body has a malformed escape";
        Self::NotUtf8 => InvalidRequest, "the body is not UTF-8";
        Self::Duplicate { .. } => InvalidRequest, "a parameter is repeated";
    }
    crate::client_id::ClientIdError, at AUTHORIZATION_SERVER {
        Self::Empty | Self::TooLong | Self::Character => InvalidRequest, "client_id is malformed";
    }
}

/// Where the errors of a type can occur.
#[cfg(test)]
mod places {
    use super::super::Endpoint::{self, Introspection, Resource, Revocation, Token};

    pub(super) const AUTHORIZATION_SERVER: &[Endpoint] = &[Token, Introspection, Revocation];
    pub(super) const TOKEN: &[Endpoint] = &[Token];
    pub(super) const INTROSPECTION: &[Endpoint] = &[Introspection];
    pub(super) const REVOCATION: &[Endpoint] = &[Revocation];
    pub(super) const RESOURCE: &[Endpoint] = &[Resource];
    pub(super) const TOKEN_AND_RESOURCE: &[Endpoint] = &[Token, Resource];
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;
    use crate::text;

    pub(super) struct Row {
        pub(super) fact: &'static str,
        pub(super) code: ErrorCode,
        pub(super) description: &'static str,
        pub(super) endpoints: &'static [Endpoint],
    }

    #[test]
    fn every_code_is_legal_where_its_fact_occurs() {
        for row in ROWS {
            assert!(!row.endpoints.is_empty(), "{}: occurs nowhere", row.fact);
            for endpoint in row.endpoints {
                assert!(
                    row.code.allowed_at(*endpoint),
                    "{}: {} is not legal at {endpoint:?}",
                    row.fact,
                    row.code
                );
            }
        }
    }

    // spec-test: 6749-AS8
    #[test]
    fn every_description_is_sendable() {
        for row in ROWS {
            assert!(!row.description.is_empty(), "{}", row.fact);
            assert!(row.description.bytes().all(text::is_nqschar), "{}", row.fact);
            assert!(row.description.len() <= 120, "{}: keep it short", row.fact);
        }
    }
}
