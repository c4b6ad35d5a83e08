//! One record per decision, in a bounded ring in memory.
//!
//! Limits: the newest 10,000 records by default; older ones are gone.
//! Does not enforce: durability. Nothing waits for the ring, and nothing survives the process.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::scope::Scope;
use m2m_proto::time::UnixTime;

use crate::registry::{ApiIdentifier, CredentialId};

/// Records held by default.
pub const DEFAULT_RECORDS: usize = 10_000;

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A token was issued.
    Issued {
        /// The claim `jti`.
        jti: String,
        /// To whom.
        client_id: ClientId,
        /// Which of its credentials asked.
        credential: CredentialId,
        /// For which API.
        api: ApiIdentifier,
        /// With which scopes.
        scope: Scope,
        /// The claim `exp`.
        expires_at: UnixTime,
    },
    /// A request was refused.
    Refused {
        /// Whom the request named; not proven.
        client_id: Option<ClientId>,
        /// The code it was answered with.
        code: ErrorCode,
        /// Why, for the operator; never sent.
        reason: String,
    },
    /// A token was withdrawn.
    TokenRevoked {
        /// The claim `jti`.
        jti: String,
        /// By which client; `None` by an administrator.
        by: Option<ClientId>,
    },
    /// A credential was withdrawn.
    CredentialRevoked(CredentialId),
    /// A client was withdrawn.
    ClientRevoked(ClientId),
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// When it was decided.
    pub at: UnixTime,
    /// What was decided.
    pub event: Event,
}

/// The newest records.
#[derive(Debug)]
pub struct Audit {
    records: Mutex<VecDeque<Record>>,
    capacity: usize,
}

impl Audit {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { records: Mutex::default(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, at: UnixTime, event: Event) {
        let mut records = self.lock();
        while records.len() >= self.capacity.max(1) {
            records.pop_front();
        }
        records.push_back(Record { at, event });
    }

    /// The records, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.lock().iter().cloned().collect()
    }

    /// The newest record of an issued token with that `jti`.
    #[must_use]
    pub fn issued(&self, wanted: &str) -> Option<Record> {
        let is_it = |record: &&Record| matches!(&record.event, Event::Issued { jti, .. } if jti == wanted);
        self.lock().iter().rev().find(is_it).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(jti: &str) -> Event {
        Event::TokenRevoked { jti: jti.to_owned(), by: None }
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let audit = Audit::new(2);
        for (second, jti) in [(1, "a"), (2, "b"), (3, "c")] {
            audit.append(UnixTime::from_seconds(second), revoked(jti));
        }
        let events: Vec<Event> = audit.records().into_iter().map(|record| record.event).collect();
        assert_eq!(events, [revoked("b"), revoked("c")]);
    }

    #[test]
    fn an_issued_token_is_found_by_jti() {
        let audit = Audit::new(10);
        let issued = Event::Issued {
            jti: "t".to_owned(),
            client_id: crate::fixture::client_id("app"),
            credential: CredentialId::parse("cred").unwrap(),
            api: crate::fixture::identifier("https://orders.example"),
            scope: Scope::empty(),
            expires_at: UnixTime::from_seconds(600),
        };
        audit.append(UnixTime::from_seconds(0), issued.clone());
        audit.append(UnixTime::from_seconds(1), revoked("t"));
        assert_eq!(audit.issued("t").map(|record| record.event), Some(issued));
        assert_eq!(audit.issued("u"), None);
    }
}
