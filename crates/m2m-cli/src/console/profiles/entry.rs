//! Who may come in: tickets, each good once for ten minutes, and the sessions that they are exchanged for.
//!
//! Enforces: a ticket and a session are 256 random bits, looked up by their hash; at most 8 tickets and 4 sessions, of
//! which the oldest goes; a session ends after twelve hours. Limits: all of it is memory, and ends with the process.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_io::{Clock, Random};
use m2m_proto::jose::base64url;
use m2m_proto::jose::crypto::sha256;

use super::bench::Bench;
use crate::console::door;

/// How long a ticket is good.
const TICKET: Duration = Duration::from_secs(600);
/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(12 * 3600);
const MAX_TICKETS: usize = 8;
const MAX_SESSIONS: usize = 4;

/// Somebody who came in.
#[derive(Debug)]
pub(crate) struct Session {
    /// What forms of this session carry.
    pub(crate) csrf: String,
    /// What was begun and tried in it.
    pub(crate) bench: Bench,
}

/// Tickets and sessions.
#[derive(Debug, Default)]
pub(crate) struct Entry(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    tickets: VecDeque<([u8; 32], Duration)>,
    sessions: VecDeque<([u8; 32], Duration, Arc<Session>)>,
}

impl Entry {
    /// A ticket.
    pub(crate) fn ticket(&self, clock: &dyn Clock, random: &dyn Random) -> String {
        let ticket = bits(random);
        let mut held = self.held();
        if held.tickets.len() >= MAX_TICKETS {
            held.tickets.pop_front();
        }
        held.tickets.push_back((sha256(ticket.as_bytes()), clock.monotonic() + TICKET));
        ticket
    }

    /// The id of a new session for a ticket, which is used up; `None` if it is none, or too old.
    pub(crate) fn exchange(&self, ticket: &str, clock: &dyn Clock, random: &dyn Random) -> Option<String> {
        let (digest, now) = (sha256(ticket.as_bytes()), clock.monotonic());
        let mut held = self.held();
        held.tickets.retain(|(_, until)| now < *until);
        let index = held.tickets.iter().position(|(known, _)| *known == digest)?;
        held.tickets.remove(index);
        let id = bits(random);
        let session = Session { csrf: door::csrf(&id), bench: Bench::new(random) };
        if held.sessions.len() >= MAX_SESSIONS {
            held.sessions.pop_front();
        }
        held.sessions.push_back((sha256(id.as_bytes()), now + SESSION, Arc::new(session)));
        Some(id)
    }

    /// The session of that id.
    pub(crate) fn session(&self, id: &str, clock: &dyn Clock) -> Option<Arc<Session>> {
        let (digest, now) = (sha256(id.as_bytes()), clock.monotonic());
        let mut held = self.held();
        held.sessions.retain(|(_, until, _)| now < *until);
        let found = held.sessions.iter().find(|(known, _, _)| *known == digest);
        found.map(|(_, _, session)| Arc::clone(session))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 256 random bits as text.
pub(super) fn bits(random: &dyn Random) -> String {
    let mut bits = [0; 32];
    random.fill(&mut bits);
    base64url::encode(bits)
}

#[cfg(test)]
mod tests {
    use m2m_io::{BoxFuture, OsRandom};
    use m2m_proto::time::UnixTime;

    use super::*;

    /// A clock that is moved by hand.
    #[derive(Debug, Default)]
    struct Hand(Mutex<Duration>);

    impl Hand {
        fn pass(&self, seconds: u64) {
            *self.0.lock().unwrap() += Duration::from_secs(seconds);
        }
    }

    impl Clock for Hand {
        fn wall(&self) -> UnixTime {
            UnixTime::from_seconds(1_800_000_000)
        }
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_ten_minutes() {
        let (entry, clock) = (Entry::default(), Hand::default());
        let ticket = entry.ticket(&clock, &OsRandom);
        assert_eq!(base64url::decode(&ticket).unwrap().len(), 32, "256 bits");
        assert!(entry.exchange("", &clock, &OsRandom).is_none());
        assert!(entry.exchange(&ticket, &clock, &OsRandom).is_some());
        assert!(entry.exchange(&ticket, &clock, &OsRandom).is_none(), "it is used up");
        let late = entry.ticket(&clock, &OsRandom);
        clock.pass(600);
        assert!(entry.exchange(&late, &clock, &OsRandom).is_none());
    }

    #[test]
    fn sessions_end_and_are_few() {
        let (entry, clock) = (Entry::default(), Hand::default());
        let enter = || {
            let ticket = entry.ticket(&clock, &OsRandom);
            entry.exchange(&ticket, &clock, &OsRandom).unwrap()
        };
        let first = enter();
        let others: Vec<String> = (0..MAX_SESSIONS).map(|_| enter()).collect();
        assert!(entry.session(&first, &clock).is_none(), "the oldest goes");
        assert!(others.iter().all(|id| entry.session(id, &clock).is_some()));
        clock.pass(12 * 3600 - 1);
        assert!(entry.session(&others[0], &clock).is_some());
        clock.pass(1);
        assert!(entry.session(&others[0], &clock).is_none());
    }

    #[test]
    fn tickets_are_few() {
        let (entry, clock) = (Entry::default(), Hand::default());
        let first = entry.ticket(&clock, &OsRandom);
        for _ in 0..MAX_TICKETS {
            entry.ticket(&clock, &OsRandom);
        }
        assert!(entry.exchange(&first, &clock, &OsRandom).is_none());
    }
}
