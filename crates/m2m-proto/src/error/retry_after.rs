//! `Retry-After`: when a server wants to be asked again.
//!
//! Sections: RFC 9110 sections 5.6.7, 10.2.3
//! Enforces: seconds, or a date in one of the three forms that RFC 9110 wants
//!   read; anything else counts as absent.
//! Does not enforce: that anyone waits; the caller's backoff decides.
//! Limits: one hour, because a server's mistake must not silence a client for
//!   longer than that.

use std::time::Duration;

use http::HeaderMap;

use crate::names::header;
use crate::time::UnixTime;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// This long after the answer.
    After(Duration),
    /// At this time by the server's clock.
    At(UnixTime),
}

impl RetryAfter {
    /// The longest delay honoured: one hour.
    pub const MAX: Duration = Duration::from_secs(3600);

    /// Reads the first `Retry-After` header; `None` if there is none or it
    /// cannot be read.
    #[must_use]
    pub fn parse(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // Too many digits for a number is still "very long".
            return Some(Self::After(Duration::from_secs(text.parse().unwrap_or(u64::MAX))));
        }
        http_date(text).map(Self::At)
    }

    /// How long to wait from `now`; at most [`RetryAfter::MAX`], zero for a
    /// date that has passed.
    #[must_use]
    pub fn delay(self, now: UnixTime) -> Duration {
        match self {
            Self::After(duration) => duration,
            Self::At(time) => time.since(now),
        }
        .min(Self::MAX)
    }
}

/// How long the server asks us to wait, if it says so readably: at most one
/// hour.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: UnixTime) -> Option<Duration> {
    RetryAfter::parse(headers).map(|r| r.delay(now))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, or
/// `Sun Nov  6 08:49:37 1994`. The day's name is not compared.
#[must_use]
pub fn http_date(text: &str) -> Option<UnixTime> {
    if let Some((_, rest)) = text.split_once(", ") {
        let rest = rest.strip_suffix(" GMT")?;
        let (date, clock) = rest.rsplit_once(' ')?;
        let mut parts = date.split([' ', '-']);
        let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let year = match (year.len(), number(year)?) {
            // RFC 850 dates: two digits, read as 1970 to 2069.
            (2, y @ 70..) => y + 1900,
            (2, y) => y + 2000,
            (_, y) => y,
        };
        return unix_time(year, month, day, clock);
    }
    let mut parts = text.split(' ').filter(|p| !p.is_empty()).skip(1);
    let (month, day, clock, year) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    unix_time(number(year)?, month, day, clock)
}

fn number(text: &str) -> Option<u64> {
    (text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn unix_time(year: u64, month: &str, day: &str, clock: &str) -> Option<UnixTime> {
    let month = u64::try_from(MONTHS.iter().position(|m| *m == month)?).ok()? + 1;
    let mut clock = clock.split(':').map(number);
    let clock_time = [clock.next()??, clock.next()??, clock.next()??];
    if clock.next().is_some() {
        return None;
    }
    UnixTime::from_calendar([year, month, number(day)?], clock_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(784_111_777);

    #[track_caller]
    fn check(value: &str, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        assert_eq!(retry_after(&headers, NOW), expect.map(Duration::from_secs), "{value}");
    }

    #[test]
    fn seconds() {
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("3601", Some(3600));
        check("99999999999999999999999999", Some(3600));
    }

    #[test]
    fn dates_in_three_forms() {
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sunday, 06-Nov-94 08:50:37 GMT", Some(60));
        check("Sun Nov  6 08:50:37 1994", Some(60));
        check("Sun, 06 Nov 1994 08:49:36 GMT", Some(0));
        check("Wed, 21 Oct 2026 07:28:00 GMT", Some(3600));
    }

    #[test]
    fn anything_else_counts_as_absent() {
        for bad in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 19940 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
        ] {
            check(bad, None);
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    #[test]
    fn the_calendar() {
        let check =
            |text, seconds| assert_eq!(http_date(text), Some(UnixTime::from_seconds(seconds)), "{text}");
        check("Thu, 01 Jan 1970 00:00:00 GMT", 0);
        check("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777);
        check("Tue, 29 Feb 2000 00:00:00 GMT", 951_782_400);
        check("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400);
        check("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799);
    }
}
