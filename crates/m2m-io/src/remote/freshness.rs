//! How long a response may be kept, by what its server says.
//!
//! Sections: RFC 9111 §1.2.2, §4.2.3, §5.1, §5.2.2
//! Does not enforce: bounds; [`super::Knobs`] has them. `Expires` is not read: it needs the server's clock.

use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{AGE, CACHE_CONTROL};

/// `Cache-Control`'s word on how long a response may be kept: `max-age` less the `Age` that it spent in caches on its
/// way, or nothing at all for `no-store` and `no-cache`. `None` when it says neither.
#[must_use]
pub fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if matches!(directive.as_str(), "no-store" | "no-cache") {
                return Some(Duration::ZERO);
            }
            let seconds = directive.strip_prefix("max-age=").map(|seconds| seconds.trim_matches('"'));
            found = found.or(seconds.and_then(delta_seconds));
        }
    }
    found.map(|life: Duration| life.saturating_sub(age(headers)))
}

/// What a cache on the way says; one that says nonsense says nothing.
fn age(headers: &HeaderMap) -> Duration {
    let age = headers.get(AGE).and_then(|value| value.to_str().ok());
    age.and_then(|text| delta_seconds(text.trim())).unwrap_or_default()
}

/// More than fits is long enough for the clamp that follows; what is no number is not said.
fn delta_seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u32::MAX.into())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::http::{HeaderMap, HeaderValue, header};

    use super::max_age;

    #[test]
    fn cache_control() {
        let check = |values: &[&str], expect: Option<u64>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(max_age(&headers), expect.map(Duration::from_secs), "{values:?}");
        };
        check(&[], None);
        check(&["max-age=60"], Some(60));
        check(&["public, Max-Age=60, must-revalidate"], Some(60));
        check(&["public", "max-age=\"60\""], Some(60));
        check(&["max-age=60, no-store"], Some(0));
        check(&["no-cache"], Some(0));
        check(&["max-age=99999999999999999999"], Some(u32::MAX.into()));
        check(&["max-age=-1"], None);
        check(&["max-age="], None);
        check(&["max-age=1.5"], None);
        check(&["s-maxage=60"], None);
    }

    #[test]
    fn time_spent_in_caches_counts() {
        let check = |age: &'static str, expect: u64| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=600"));
            headers.insert(header::AGE, HeaderValue::from_static(age));
            assert_eq!(max_age(&headers), Some(Duration::from_secs(expect)), "{age:?}");
        };
        check("0", 600);
        check("500", 100);
        check("601", 0);
        check("99999999999999999999999", 0);
        check("-5", 600);
        check("soon", 600);
    }
}
