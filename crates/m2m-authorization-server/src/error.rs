//! What can go wrong for the program that embeds this server. What a client is told is decided in
//! `endpoints::refusal` and in the code table of the protocol core.

use std::fmt;

use crate::registry::Conflict;
use crate::store::StoreError;

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or the order is wrong; repeating it will not help.
    Misconfigured,
    /// The order contradicts what is registered.
    Conflict,
    /// The order was decided on a version that is no longer the last.
    Outdated,
    /// The order itself is wrong: it names what does not exist, or a value out of bounds.
    Invalid,
    /// Nothing of that name is registered.
    Unknown,
    /// A bounded memory is full of what must not be forgotten yet.
    Full,
    /// The store cannot do it now.
    Unavailable,
    /// Our bug.
    Internal,
}

/// Why the server could not be built, or an administrative act was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Who is at fault.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same order can succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Full)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(conflict) => conflict.into(),
            StoreError::Unavailable(_) => Self::new(ErrorKind::Unavailable, error.to_string()),
            StoreError::Full(_) => Self::new(ErrorKind::Full, error.to_string()),
            StoreError::OtherSealingKey => Self::misconfigured(format!(
                "{error}: every node needs the key that the database was made with"
            )),
            StoreError::Unreadable(_) => Self::misconfigured(error.to_string()),
        }
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let kind = match conflict {
            Conflict::Unknown(_) => ErrorKind::Unknown,
            Conflict::Version { .. } => ErrorKind::Outdated,
            Conflict::UnknownApi(_)
            | Conflict::UnknownScope(_)
            | Conflict::DefaultsBeyondGrant(_)
            | Conflict::Lifetime(_)
            | Conflict::SymmetricAlgorithm(_)
            | Conflict::Issuer { .. }
            | Conflict::NoQuota(_) => ErrorKind::Invalid,
            _ => ErrorKind::Conflict,
        };
        Self::new(kind, conflict.to_string())
    }
}
