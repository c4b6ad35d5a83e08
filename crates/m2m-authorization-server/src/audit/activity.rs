//! How much was issued and refused over time, and who asks for much.
//!
//! Limits: 31 days at most, in at most 200 parts; the 20 busiest clients.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;

use super::{Event, Record};
use crate::frequency::TOO_MANY;

/// Which time is looked at, and in how many parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    since: UnixTime,
    width: u64,
    parts: usize,
    until: UnixTime,
}

impl Window {
    /// The longest time: 31 days, which is what one statement can look through.
    pub const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);
    /// The most parts.
    pub const MOST_PARTS: usize = 200;

    /// From `since` on, before `until`, in `parts` parts of the same whole number of seconds, the last one maybe
    /// shorter; fewer where seconds are too few. `None` for no time, more than [`Window::LONGEST`], no part, or more
    /// than [`Window::MOST_PARTS`].
    #[must_use]
    pub fn new(since: UnixTime, until: UnixTime, parts: usize) -> Option<Self> {
        let span = until.seconds().checked_sub(since.seconds()).filter(|span| *span > 0)?;
        let wanted = u64::try_from(parts).ok().filter(|_| (1..=Self::MOST_PARTS).contains(&parts))?;
        if span > Self::LONGEST.as_secs() {
            return None;
        }
        let width = span.div_ceil(wanted);
        let parts = usize::try_from(span.div_ceil(width)).ok()?;
        Some(Self { since: UnixTime::from_seconds(since.seconds()), width, parts, until })
    }

    /// Its beginning.
    #[must_use]
    pub fn since(&self) -> UnixTime {
        self.since
    }

    /// What comes after it.
    #[must_use]
    pub fn until(&self) -> UnixTime {
        self.until
    }

    /// Seconds of a part.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Which part a point in time is in.
    #[must_use]
    pub fn part(&self, at: UnixTime) -> Option<usize> {
        if at < self.since || at >= self.until {
            return None;
        }
        let passed = at.millis().saturating_sub(self.since.millis());
        usize::try_from(passed / self.width.saturating_mul(1000)).ok().filter(|part| *part < self.parts)
    }
}

/// What was decided in one part of the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Tokens issued.
    pub issued: u64,
    /// Requests refused, by the code that was answered.
    pub refused: BTreeMap<String, u64>,
}

/// What one client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// The client.
    pub client_id: ClientId,
    /// Tokens that it got.
    pub issued: u64,
    /// The most of them in one minute of the clock.
    pub busiest_minute: u64,
}

impl Busy {
    /// Tokens in a minute from which on a client is said not to keep what it gets.
    pub const EVIDENT: u64 = TOO_MANY as u64;

    /// Whether it evidently asks for a token for each call.
    #[must_use]
    pub fn is_uncached(&self) -> bool {
        self.busiest_minute >= Self::EVIDENT
    }
}

/// What was decided in a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// Each part, oldest first.
    pub parts: Vec<Part>,
    /// Who got the most tokens, those first.
    pub clients: Vec<Busy>,
}

impl Activity {
    /// The most clients that are named.
    pub const MOST_CLIENTS: usize = 20;

    /// Nothing yet.
    #[must_use]
    pub fn empty(window: &Window) -> Self {
        Self { parts: vec![Part::default(); window.parts], clients: Vec::new() }
    }

    /// Counts records, where they are all at hand.
    pub fn of<'a>(window: &Window, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut activity = Self::empty(window);
        let mut minutes: HashMap<(&ClientId, u64), u64> = HashMap::new();
        for record in records {
            let Some(part) = window.part(record.at).and_then(|part| activity.parts.get_mut(part)) else {
                continue;
            };
            match (record.event, &record.client_id) {
                (Event::TokenIssued, client) => {
                    part.issued += 1;
                    if let Some(client) = client {
                        *minutes.entry((client, record.at.seconds() / 60)).or_default() += 1;
                    }
                }
                (Event::RequestRefused, _) => {
                    let code = record.error.as_ref().map_or("", ErrorCode::as_str);
                    *part.refused.entry(code.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
        let mut clients: HashMap<&ClientId, (u64, u64)> = HashMap::new();
        for ((client, _), count) in minutes {
            let (issued, busiest) = clients.entry(client).or_default();
            (*issued, *busiest) = (*issued + count, (*busiest).max(count));
        }
        let busy = |(client, (issued, busiest_minute)): (&ClientId, (u64, u64))| Busy {
            client_id: client.clone(),
            issued,
            busiest_minute,
        };
        activity.clients = clients.into_iter().map(busy).collect();
        activity.ranked()
    }

    /// Those with the most tokens first, and no more of them than may be.
    #[must_use]
    pub fn ranked(mut self) -> Self {
        self.clients.sort_by(|a, b| {
            b.issued.cmp(&a.issued).then_with(|| a.client_id.as_str().cmp(b.client_id.as_str()))
        });
        self.clients.truncate(Self::MOST_CLIENTS);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_seconds_and_cover_the_time() {
        let at = UnixTime::from_seconds;
        let window = Window::new(at(100), at(110), 3).unwrap();
        assert_eq!((window.width(), window.parts), (4, 3));
        let part = |millis| window.part(UnixTime::from_millis(millis));
        assert_eq!(
            [part(99_999), part(100_000), part(103_999), part(104_000)],
            [None, Some(0), Some(0), Some(1)]
        );
        assert_eq!([part(109_999), part(110_000)], [Some(2), None]);
        assert_eq!(Window::new(at(100), at(102), 200).unwrap().parts, 2, "no part without a second");
        let longest = Window::LONGEST.as_secs();
        assert!(Window::new(at(0), at(longest), Window::MOST_PARTS).is_some());
        for (since, until, parts) in [(5, 5, 1), (6, 5, 1), (0, longest + 1, 1), (0, 9, 0), (0, 9, 201)] {
            assert_eq!(Window::new(at(since), at(until), parts), None, "{since} {until} {parts}");
        }
    }
}
