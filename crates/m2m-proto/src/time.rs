//! Time as a value: nothing in this crate reads a clock.
//!
//! Callers pass the time in, so that expiry, skew and rotation are tested by
//! choosing numbers. `m2m-io` has the one reader of the system's clocks.

use std::fmt;
use std::time::Duration;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not
/// counted (the `NumericDate` of RFC 7519 section 2, with a finer unit).
///
/// Arithmetic saturates at both ends; times before 1970 do not exist here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// From whole seconds since 1970; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From a date and time as RFC 3339 writes them: `2026-11-25T19:42:38Z`,
    /// with a fraction (kept to the millisecond) or an offset. `None` for
    /// anything else, and for times before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't', ' '])?;
        let zone = rest.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = (rest.get(..zone)?, rest.get(zone..)?);
        let mut date = date.split('-');
        let (year, month, day) =
            (digits(date.next()?, 4)?, digits(date.next()?, 2)?, digits(date.next()?, 2)?);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        if date.next().is_some() || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        let local = Self::from_calendar([year, month, day], clock_of(clock)?)?
            .saturating_add(Duration::from_millis(millis));
        let offset = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            (hours <= 23 && minutes <= 59).then(|| Duration::from_secs(hours * 3600 + minutes * 60))
        };
        match zone.split_at_checked(1)? {
            ("Z" | "z", "") => Some(local),
            ("+", ahead) => Some(local.saturating_sub(offset(ahead)?)),
            ("-", behind) => Some(local.saturating_add(offset(behind)?)),
            _ => None,
        }
    }

    /// Whole seconds since 1970, rounded down: what goes on the wire.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// From a date (year, month, day) and a time of day (hours, minutes, seconds), both UTC, in the Gregorian
    /// calendar. `None` outside the years 1970 to 9999 and for numbers that no calendar has; a 31st of every
    /// month and a leap second are let through.
    #[must_use]
    pub fn from_calendar([year, month, day]: [u64; 3], [hour, minute, second]: [u64; 3]) -> Option<Self> {
        let in_range = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        let days = || days_since_1970(year, month, day);
        in_range.then(|| Self::from_seconds(days() * 86_400 + hour * 3600 + minute * 60 + second))
    }

    /// The date in UTC, as `2026-11-25`.
    #[must_use]
    pub fn date(self) -> String {
        // Days since 0000-03-01, in eras of 400 years, so that the leap day comes last.
        let days = self.seconds() / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + of_era_year + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// This time plus `duration`, at most the largest time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }

    /// This time minus `duration`, at least 1970.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(duration)))
    }

    /// How long after `earlier` this is; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Seconds, with milliseconds where there are any.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.seconds()),
            millis => write!(f, "{}.{millis:03}", self.seconds()),
        }
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn digits(text: &str, length: usize) -> Option<u64> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Hour, minute, second.
fn clock_of(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.split(':').map(|part| digits(part, 2));
    let clock = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(clock)
}

/// Days from 1970-01-01 in the Gregorian calendar, counting years from March
/// so that the leap day comes last. Years before 1970 must not be given.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (y / 400, y % 400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// How far two parties' clocks may differ before a time in a token counts as
/// past or future. Default 30 s; a minute or two is the most that makes sense
/// (RFC 7519 section 4.1.4: "usually no more than a few minutes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Skew(Duration);

impl Skew {
    /// Clocks agree exactly.
    pub const NONE: Self = Self(Duration::ZERO);
    /// 30 seconds.
    pub const DEFAULT: Self = Self(Duration::from_secs(30));
    /// The largest tolerance that [`Skew::new`] gives: five minutes.
    pub const MAX: Self = Self(Duration::from_secs(300));

    /// A tolerance of `duration`, at most [`Skew::MAX`]: more would make
    /// expiry meaningless.
    #[must_use]
    pub fn new(duration: Duration) -> Self {
        Self(duration.min(Self::MAX.0))
    }

    /// The tolerance.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Default for Skew {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let t = UnixTime::from_seconds(10);
        assert_eq!(t.saturating_sub(Duration::from_secs(11)), UnixTime::from_seconds(0));
        assert_eq!(t.saturating_add(Duration::MAX).millis(), u64::MAX);
        assert_eq!(UnixTime::from_seconds(u64::MAX).millis(), u64::MAX);
    }

    #[test]
    fn the_calendar_goes_both_ways() {
        let check = |date: [u64; 3], seconds: u64, text: &str| {
            let time = UnixTime::from_calendar(date, [0, 0, 0]).unwrap();
            assert_eq!((time.seconds(), time.date().as_str()), (seconds, text));
            assert_eq!(time.saturating_add(Duration::from_secs(86_399)).date(), text);
        };
        check([1970, 1, 1], 0, "1970-01-01");
        check([2000, 2, 29], 951_782_400, "2000-02-29");
        check([2000, 3, 1], 951_868_800, "2000-03-01");
        check([2026, 11, 25], 1_795_564_800, "2026-11-25");
        check([9999, 12, 31], 253_402_214_400, "9999-12-31");
        for (date, clock) in [
            ([1969, 12, 31], [0, 0, 0]),
            ([10_000, 1, 1], [0, 0, 0]),
            ([2026, 0, 1], [0, 0, 0]),
            ([2026, 13, 1], [0, 0, 0]),
            ([2026, 1, 32], [0, 0, 0]),
            ([2026, 1, 1], [24, 0, 0]),
            ([2026, 1, 1], [0, 60, 0]),
            ([2026, 1, 1], [0, 0, 61]),
        ] {
            assert_eq!(UnixTime::from_calendar(date, clock), None, "{date:?} {clock:?}");
        }
    }

    #[test]
    fn since_is_zero_when_time_went_backwards() {
        let (a, b) = (UnixTime::from_millis(1500), UnixTime::from_millis(2750));
        assert_eq!(b.since(a), Duration::from_millis(1250));
        assert_eq!(a.since(b), Duration::ZERO);
    }

    #[test]
    fn seconds_round_down_and_display_keeps_millis() {
        assert_eq!(UnixTime::from_millis(1999).seconds(), 1);
        assert_eq!(UnixTime::from_millis(1999).to_string(), "1.999");
        assert_eq!(UnixTime::from_millis(1005).to_string(), "1.005");
        assert_eq!(UnixTime::from_seconds(7).to_string(), "7");
    }

    #[test]
    fn rfc3339() {
        let check = |text, millis: Option<u64>| {
            assert_eq!(UnixTime::parse_rfc3339(text), millis.map(UnixTime::from_millis), "{text}");
        };
        check("1994-11-06T08:49:37Z", Some(784_111_777_000));
        check("1994-11-06t08:49:37.5z", Some(784_111_777_500));
        check("1994-11-06 08:49:37.123456789Z", Some(784_111_777_123));
        check("1994-11-06T10:49:37+02:00", Some(784_111_777_000));
        check("1994-11-06T03:19:37-05:30", Some(784_111_777_000));
        for bad in [
            "",
            "784111777",
            "1994-11-06",
            "1994-11-06T08:49:37",
            "1994-11-06T08:49Z",
            "1994-13-06T08:49:37Z",
            "1994-00-06T08:49:37Z",
            "1994-11-32T08:49:37Z",
            "1969-11-06T08:49:37Z",
            "1994-11-06T24:49:37Z",
            "1994-11-06T08:60:37Z",
            "1994-11-06T08:49:37.Z",
            "1994-11-06T08:49:37.xZ",
            "1994-11-06T08:49:37Zx",
            "1994-11-06T08:49:37+2:00",
            "1994-11-06T08:49:37+24:00",
            "1994-11-06-01T08:49:37Z",
            "é994-11-06T08:49:37Z",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn skew_has_a_ceiling() {
        assert_eq!(Skew::new(Duration::from_secs(86_400)), Skew::MAX);
        assert_eq!(Skew::new(Duration::from_secs(10)).get(), Duration::from_secs(10));
        assert_eq!(Skew::default().get(), Duration::from_secs(30));
    }
}
