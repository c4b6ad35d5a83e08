//! One record per decision, in bounded rings in memory.
//!
//! Limits: the newest 10,000 records of what was done and of what was refused by default; older
//! ones are gone. Two rings, because anybody can be refused as often as he likes, and must not push
//! out by that which tokens are live.
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

/// Characters kept of why a request was refused: some reasons repeat what a stranger sent.
const MAX_REASON_CHARS: usize = 256;

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

/// Records of one sort, each with its place among all.
type Ring = VecDeque<(u64, Record)>;

#[derive(Debug, Default)]
struct Rings {
    /// How many records there ever were.
    count: u64,
    done: Ring,
    refused: Ring,
}

/// The newest records.
#[derive(Debug)]
pub struct Audit {
    rings: Mutex<Rings>,
    capacity: usize,
}

impl Audit {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { rings: Mutex::default(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, at: UnixTime, mut event: Event) {
        let mut rings = self.lock();
        let place = rings.count;
        rings.count = place.saturating_add(1);
        let ring = match &mut event {
            Event::Refused { reason, .. } => {
                if let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
                    reason.truncate(end);
                }
                &mut rings.refused
            }
            _ => &mut rings.done,
        };
        while ring.len() >= self.capacity.max(1) {
            ring.pop_front();
        }
        ring.push_back((place, Record { at, event }));
    }

    /// The records, oldest first.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<(u64, Record)> = {
            let rings = self.lock();
            rings.done.iter().chain(&rings.refused).cloned().collect()
        };
        records.sort_by_key(|(place, _)| *place);
        records.into_iter().map(|(_, record)| record).collect()
    }

    /// The newest record of an issued token with that `jti`.
    #[must_use]
    pub fn issued(&self, wanted: &str) -> Option<Record> {
        let is_it = |record: &&Record| matches!(&record.event, Event::Issued { jti, .. } if jti == wanted);
        self.lock().done.iter().rev().map(|(_, record)| record).find(is_it).cloned()
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

    fn refused(reason: &str) -> Event {
        Event::Refused { client_id: None, code: ErrorCode::InvalidClient, reason: reason.to_owned() }
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_no_decision() {
        let audit = Audit::new(2);
        audit.append(UnixTime::from_seconds(1), refused("a"));
        audit.append(UnixTime::from_seconds(2), revoked("t"));
        for reason in ["b", "c", "d"] {
            audit.append(UnixTime::from_seconds(3), refused(reason));
        }
        audit.append(UnixTime::from_seconds(4), revoked("u"));
        let events: Vec<Event> = audit.records().into_iter().map(|record| record.event).collect();
        assert_eq!(events, [revoked("t"), refused("c"), refused("d"), revoked("u")]);
    }

    #[test]
    fn a_reason_takes_no_more_room_than_its_share() {
        let audit = Audit::new(2);
        audit.append(UnixTime::from_seconds(1), refused(&"\u{e4}".repeat(10_000)));
        let Event::Refused { reason, .. } = &audit.records()[0].event else { panic!("refused") };
        assert_eq!(reason.chars().count(), MAX_REASON_CHARS);
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
