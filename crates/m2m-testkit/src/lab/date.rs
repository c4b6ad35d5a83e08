//! Dates out of seconds since 1970, for `Date` headers and for members that hold a date.
//!
//! Sections: RFC 9110 section 5.6.7 (IMF-fixdate), RFC 3339 section 5.6
//! Enforces: nothing.
//! Limits: the years 1970 to 9999.

use m2m_proto::time::UnixTime;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month (1 to 12) and day (1 to 31), proleptic Gregorian.
pub(super) fn civil(time: UnixTime) -> (i32, u8, u8) {
    // Counted from 1 March of year 0, so that a leap day is the last of its year.
    let days = time.seconds() / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let small = |number: u64| u8::try_from(number).expect("a month or a day");
    (i32::try_from(year).expect("a year"), small(month), small(day))
}

fn clock(time: UnixTime) -> String {
    let second = time.seconds() % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// As in `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http(time: UnixTime) -> String {
    let (year, month, day) = civil(time);
    let weekday = usize::try_from(time.seconds() / 86_400 % 7).expect("a day of the week");
    let month = MONTHS[usize::from(month) - 1];
    format!("{}, {day:02} {month} {year} {} GMT", WEEKDAYS[weekday], clock(time))
}

/// As in `1994-11-06T08:49:37Z`.
pub(super) fn rfc3339(time: UnixTime) -> String {
    let (year, month, day) = civil(time);
    format!("{year}-{month:02}-{day:02}T{}Z", clock(time))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};
    use m2m_proto::error::RetryAfter;
    use m2m_proto::time::UnixTime;

    use super::{http, rfc3339};
    use crate::ManualClock;

    #[test]
    fn dates_are_the_known_ones() {
        let check = |seconds: u64, in_http: &str, in_json: &str| {
            let time = UnixTime::from_seconds(seconds);
            assert_eq!((http(time).as_str(), rfc3339(time).as_str()), (in_http, in_json));
        };
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z");
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z");
        check(ManualClock::START.seconds(), "Sun, 22 Nov 2026 10:40:00 GMT", "2026-11-22T10:40:00Z");
    }

    #[test]
    fn our_own_reader_reads_every_day_of_a_century() {
        for day in 10_957..47_482 {
            let time = UnixTime::from_seconds(day * 86_400 + day);
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, http(time).parse().unwrap())]);
            assert_eq!(RetryAfter::parse(&headers), Some(RetryAfter::At(time)), "{day}");
        }
    }
}
