//! `m2m admin audit`: what was decided, newest first, printed page by page as it comes.
//!
//! On a pipe and with `--json` one object a line, as many as there are; on a terminal one short line each.

use m2m_authorization_server::audit::Event;
use serde_json::{Map, Value};

use super::http::{Caller, PAGE};
use super::moment::{self, rfc3339};
use super::shown::{number, text};
use crate::Surroundings;
use crate::args::admin::Audit;
use crate::exit::{Exit, Failure};
use crate::output::{Reader, Stream, printable};

pub(super) async fn run(typed: &Audit, around: &Surroundings) -> Result<Exit, Failure> {
    let query = query(typed, around)?;
    let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let caller = Caller::open(around).await?;
    let mut left = typed.limit.unwrap_or(u64::MAX);
    let mut cursor = None;
    let mut any = false;
    loop {
        let (records, next) = caller.page(("/audit", left.min(PAGE)), &query, cursor.as_deref()).await?;
        for record in records {
            write(&record, around)?;
            any = true;
            left -= 1;
            if left == 0 {
                return Ok(Exit::Ok);
            }
        }
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if !any && around.output.reader() == Reader::Person {
        around.output.note("nothing was decided that fits");
    }
    Ok(Exit::Ok)
}

fn query(typed: &Audit, around: &Surroundings) -> Result<Vec<(&'static str, String)>, Failure> {
    let mut query = Vec::new();
    if let Some(event) = typed.event.as_deref().filter(|event| Event::parse(event).is_none()) {
        let names = Event::ALL.map(|(_, name)| name).join(", ");
        return Err(
            Failure::usage(format!("--event: there is no event {event:?}")).hint(format!("one of {names}"))
        );
    }
    for (name, value) in [
        ("jti", &typed.jti),
        ("client_id", &typed.client),
        ("credential_id", &typed.credential),
        ("event", &typed.event),
    ] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    for (name, flag, value) in [("since", "--since", &typed.since), ("until", "--until", &typed.until)] {
        if let Some(value) = value {
            query.push((name, moment::ago(flag, value, around.clock.wall())?.to_string()));
        }
    }
    Ok(query)
}

fn write(record: &Value, around: &Surroundings) -> Result<(), Failure> {
    let output = &around.output;
    match record.as_object() {
        Some(record) if output.reader() == Reader::Person && output.stdout() == Stream::Terminal => {
            output.result(&line(record))
        }
        _ => output.json_line(record),
    }
}

/// Time and event, then what there is: `2026-11-25T10:00:00Z  request_refused  client billing  error invalid_scope`.
fn line(record: &Map<String, Value>) -> String {
    let at = number(record, "at").map(rfc3339).unwrap_or_default();
    let mut line = format!("{at}  {}", text(record, "event"));
    for (name, word) in [
        ("client_id", "client"),
        ("credential_id", "credential"),
        ("api", "api"),
        ("scope", "scope"),
        ("jti", "jti"),
        ("subject", "about"),
        ("error", "error"),
        ("reason", "because"),
        ("address", "from"),
        ("actor", "by"),
    ] {
        let value = text(record, name);
        if !value.is_empty() {
            line.push_str(&format!("  {word} {value}"));
        }
    }
    printable(&line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_one_line() {
        let record = json!({
            "at": 1_800_000_000, "event": "request_refused", "client_id": "billing", "error": "x\n", "address": "10.0.0.5",
        });
        assert_eq!(
            line(record.as_object().unwrap()),
            "2027-01-15T08:00:00Z  request_refused  client billing  error x?  from 10.0.0.5"
        );
    }
}
