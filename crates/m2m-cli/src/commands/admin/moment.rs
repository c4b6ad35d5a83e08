//! Points in time and spans, from what was typed to the seconds of the admin API, and back into words.

use m2m_proto::time::UnixTime;

use crate::exit::Failure;
use crate::settings::value::parse_time;

/// A span in whole seconds, at least one: `600`, `10m`, `24h`, `90d`.
///
/// # Errors
/// Exit 2, naming the flag and an example.
pub(super) fn seconds(flag: &str, typed: &str, example: &str) -> Result<u64, Failure> {
    let wrong = |problem: String| {
        Failure::usage(format!("{flag}: {problem}")).hint(format!("for example {flag} {example}"))
    };
    let span = parse_time(typed).map_err(wrong)?;
    match span.as_secs() {
        0 => Err(wrong("expected at least one second".to_owned())),
        _ if span.subsec_nanos() > 0 => Err(wrong("expected whole seconds".to_owned())),
        seconds => Ok(seconds),
    }
}

/// A point in time in seconds since 1970: RFC 3339, or how long ago.
///
/// # Errors
/// Exit 2, naming the flag and an example.
pub(crate) fn ago(flag: &str, typed: &str, now: UnixTime) -> Result<u64, Failure> {
    if let Some(time) = UnixTime::parse_rfc3339(typed) {
        return Ok(time.seconds());
    }
    let span = parse_time(typed).map_err(|_| {
        Failure::usage(format!("{flag}: expected a time such as 1h (ago) or 2026-11-25T10:00:00Z"))
            .hint(format!("for example {flag} 1h"))
    })?;
    Ok(now.saturating_sub(span).seconds())
}

/// A point in time in seconds since 1970, as RFC 3339 writes it.
///
/// # Errors
/// Exit 2, naming the flag and an example.
pub(super) fn at(flag: &str, typed: &str) -> Result<u64, Failure> {
    let wrong = || {
        Failure::usage(format!("{flag}: expected a time such as 2026-12-01T00:00:00Z"))
            .hint(format!("for example {flag} 2026-12-01T00:00:00Z"))
    };
    UnixTime::parse_rfc3339(typed).map(UnixTime::seconds).ok_or_else(wrong)
}

/// The first second that RFC 3339 cannot write.
const YEAR_10000: u64 = 253_402_300_800;

/// As RFC 3339 writes it, in UTC; `never` from the year 10000 on.
pub(crate) fn rfc3339(seconds: u64) -> String {
    if seconds >= YEAR_10000 {
        return "never".to_owned();
    }
    let of_day = seconds % 86_400;
    let date = UnixTime::from_seconds(seconds).date();
    format!("{date}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day % 3_600 / 60, of_day % 60)
}

/// How far away it is: `3 days ago`, `in 5 min`, `now`.
pub(crate) fn relative(seconds: u64, now: UnixTime) -> String {
    let now = now.seconds();
    match seconds.abs_diff(now) {
        0 => "now".to_owned(),
        away if seconds < now => format!("{} ago", span(away)),
        away => format!("in {}", span(away)),
    }
}

/// The largest unit that fits, at least two of it.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn spans_are_whole_seconds() {
        let check = |typed, expect: Result<u64, Exit>| {
            assert_eq!(seconds("--x", typed, "90d").map_err(|failure| failure.exit()), expect, "{typed}");
        };
        check("600", Ok(600));
        check("90d", Ok(7_776_000));
        check("24h", Ok(86_400));
        for bad in ["0", "500ms", "1500ms", "-1", "soon", ""] {
            check(bad, Err(Exit::Usage));
        }
        let failure = seconds("--expires-in", "soon", "90d").unwrap_err();
        assert_eq!(failure.advice(), Some("for example --expires-in 90d"));
    }

    #[test]
    fn moments_are_read_and_written() {
        let now = UnixTime::from_seconds(1_800_000_000);
        assert_eq!(ago("--since", "1h", now), Ok(1_799_996_400));
        assert_eq!(ago("--since", "2027-01-15T08:00:00Z", now), Ok(1_800_000_000));
        assert_eq!(at("--not-before", "2027-01-15T09:00:00+01:00"), Ok(1_800_000_000));
        assert_eq!(ago("--since", "yesterday", now).unwrap_err().exit(), Exit::Usage);
        assert_eq!(at("--not-before", "1h").unwrap_err().exit(), Exit::Usage);
        assert_eq!(rfc3339(1_800_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(u64::MAX), "never");
    }

    #[test]
    fn distances_are_said_in_words() {
        let now = UnixTime::from_seconds(1_000_000);
        let check = |seconds, expect: &str| assert_eq!(relative(seconds, now), expect);
        check(1_000_000, "now");
        check(999_940, "60 s ago");
        check(1_000_300, "in 5 min");
        check(990_000, "2 h ago");
        check(1_864_000, "in 10 days");
        check(u64::MAX, "in 213503982334589 days");
    }
}
