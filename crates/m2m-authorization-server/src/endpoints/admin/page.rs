//! Pages of lists: `limit` and `cursor`.
//!
//! Limits: 1 to 1,000 objects a page, 100 unless asked otherwise.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use m2m_proto::jose::base64url;
use m2m_proto::time::UnixTime;
use serde::{Deserialize, Serialize};

use super::problem::Problem;

const MAX_LIMIT: usize = 1000;
const DEFAULT_LIMIT: usize = 100;
/// 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// A page of objects, and where the next one begins.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// Which page is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) limit: usize,
    /// Behind which object it begins; empty at the beginning.
    pub(crate) after: String,
}

#[derive(Deserialize)]
struct Parameters {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<Parameters>::from_request_parts(parts, state).await;
        let Query(asked) = read.map_err(|_| Problem::bad("limit is not a number"))?;
        let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Problem::bad("limit is not between 1 and 1000"));
        }
        let after = asked.cursor.as_deref().map(read_cursor).transpose()?.unwrap_or_default();
        Ok(Self { limit, after })
    }
}

/// A time in a query, in seconds since 1970.
pub(crate) fn time(name: &str, seconds: Option<u64>) -> Result<Option<UnixTime>, Problem> {
    match seconds {
        Some(seconds) if seconds > LAST_SECOND => Err(Problem::bad(format!("{name} is after the year 9999"))),
        seconds => Ok(seconds.map(UnixTime::from_seconds)),
    }
}

fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let unknown = || Problem::bad("the cursor is none of ours");
    let bytes = base64url::decode(cursor).map_err(|_| unknown())?;
    String::from_utf8(bytes).map_err(|_| unknown())
}

/// Where the page behind `last` begins.
pub(crate) fn cursor(last: &str) -> String {
    base64url::encode(last)
}

impl Asked {
    /// One page of `all`, by name. Only as many as the page has are sorted.
    pub(crate) fn page<T>(
        &self,
        all: impl Iterator<Item = T>,
        name: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        let mut behind: Vec<T> = all.filter(|one| name(one) > self.after.as_str()).collect();
        let more = behind.len() > self.limit;
        if more {
            behind.select_nth_unstable_by(self.limit, |a, b| name(a).cmp(name(b)));
            behind.truncate(self.limit);
        }
        behind.sort_by(|a, b| name(a).cmp(name(b)));
        let next = behind.last().filter(|_| more).map(|last| cursor(name(last)));
        (behind, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_with_the_calendar() {
        assert_eq!(time("since", Some(LAST_SECOND)).unwrap(), Some(UnixTime::from_seconds(LAST_SECOND)));
        assert!(time("since", None).unwrap().is_none() && time("since", Some(LAST_SECOND + 1)).is_err());
    }

    #[test]
    fn pages_lead_through_everything_once_in_order() {
        let names: Vec<String> = (0..25).rev().map(|number| format!("n{number:02}")).collect();
        let (mut found, mut after) = (Vec::new(), String::new());
        for _ in 0..10 {
            let asked = Asked { limit: 4, after: after.clone() };
            let (page, next) = asked.page(names.iter(), |name| name.as_str());
            found.extend(page.into_iter().cloned());
            match next {
                Some(next) => after = read_cursor(&next).unwrap(),
                None => break,
            }
        }
        let mut expect = names;
        expect.sort();
        assert_eq!(found, expect);
    }
}
