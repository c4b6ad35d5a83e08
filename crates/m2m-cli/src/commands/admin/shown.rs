//! One object of the admin API for a person: a line for each member, times and spans also in words.
//!
//! Names are those of the JSON, so that a person and a program speak of the same thing. Members that this version does
//! not know are shown too, after the known ones.

use m2m_proto::time::UnixTime;
use serde_json::{Map, Value};

use super::condition;
use super::moment::{relative, rfc3339, span};
use super::table::NOTHING;
use crate::Surroundings;
use crate::exit::Failure;
use crate::output::{Reader, printable};

/// Writes one object: as JSON for a program, else a line for each member, those of `order` first.
///
/// # Errors
/// As [`Output::result`](crate::output::Output::result).
pub(super) fn object(
    object: &Map<String, Value>,
    order: &[&str],
    around: &Surroundings,
) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Object(object.clone()));
    }
    for line in lines(object, order, around.clock.wall()) {
        around.output.result(&line)?;
    }
    Ok(())
}

/// The lines for a person. Each is safe to show.
pub(super) fn lines(object: &Map<String, Value>, order: &[&str], now: UnixTime) -> Vec<String> {
    let known = order.iter().filter_map(|name| object.get_key_value(*name));
    let others = object.iter().filter(|(name, _)| !order.contains(&name.as_str()));
    let members: Vec<(&String, Vec<String>)> =
        known.chain(others).map(|(name, value)| (name, words(name, value, now))).collect();
    let width = members.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, words) in members {
        for (index, words) in words.iter().enumerate() {
            let name = if index == 0 { name.as_str() } else { "" };
            lines.push(printable(&format!("{name:<width$}  {words}")));
        }
    }
    lines
}

/// One line for most, several for lists of objects.
fn words(name: &str, value: &Value, now: UnixTime) -> Vec<String> {
    let one = |text: String| vec![text];
    match (name, value) {
        ("expires_at" | "last_used_at", Value::Null) => one("never".to_owned()),
        (_, Value::Null) => one(NOTHING.to_owned()),
        ("effective", Value::Object(effective)) => one(bound(effective)),
        ("scopes", Value::Array(list)) => several(list, scope),
        ("grants", Value::Array(list)) => several(list, grant),
        ("unused_scopes", Value::Array(list)) => several(list, grant),
        ("conditions", Value::Array(list)) => several(list, condition::written),
        ("overlaps", Value::Array(list)) => several(list, overlap),
        (_, Value::Array(list)) => one(joined(list)),
        (_, Value::Bool(yes)) => one((if *yes { "yes" } else { "no" }).to_owned()),
        (_, Value::String(text)) => one(text.clone()),
        (_, Value::Number(number)) => one(match number.as_u64() {
            Some(at) if is_moment(name) => moment(at, now),
            Some(seconds) if matches!(name, "lifetime" | "lifetime_cap" | "max_lifetime") => lasting(seconds),
            Some(count) if name == "mint_quota" => format!("{count} a minute"),
            _ => number.to_string(),
        }),
        (_, other) => one(other.to_string()),
    }
}

/// Another credential that may stand for the same workloads.
fn overlap(value: &Value) -> String {
    let of = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} of {}", of("credential_id"), of("client_id"))
}

fn is_moment(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "at" | "not_before")
}

fn moment(at: u64, now: UnixTime) -> String {
    match rfc3339(at) {
        never if never == "never" => never,
        written => format!("{written} ({})", relative(at, now)),
    }
}

fn lasting(seconds: u64) -> String {
    match span(seconds) {
        words if words == format!("{seconds} s") => words,
        words => format!("{seconds} s ({words})"),
    }
}

fn several(list: &[Value], line: impl Fn(&Value) -> String) -> Vec<String> {
    match list {
        [] => vec![NOTHING.to_owned()],
        list => list.iter().map(line).collect(),
    }
}

fn joined(list: &[Value]) -> String {
    let words: Vec<String> = list.iter().map(plain).collect();
    if words.is_empty() { NOTHING.to_owned() } else { words.join(" ") }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn scope(value: &Value) -> String {
    let Some(object) = value.as_object() else { return plain(value) };
    match text(object, "description") {
        "" => text(object, "scope").to_owned(),
        description => format!("{}  {description}", text(object, "scope")),
    }
}

fn grant(value: &Value) -> String {
    let Some(object) = value.as_object() else { return plain(value) };
    let list = |name: &str| object.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut line = format!("{}  {}", text(object, "api"), joined(list("scopes")));
    let defaults = list("default_scopes");
    let mut more = Vec::new();
    if !defaults.is_empty() && defaults != list("scopes") {
        more.push(format!("by default {}", joined(defaults)));
    }
    for name in ["roles", "permissions"] {
        if !list(name).is_empty() {
            more.push(format!("{name} {}", joined(list(name))));
        }
    }
    if !more.is_empty() {
        line.push_str(&format!("  ({})", more.join("; ")));
    }
    line
}

/// When a withdrawal is seen: `introspection sees it within 1 s, offline verifiers within 660 s`.
pub(super) fn bound(effective: &Map<String, Value>) -> String {
    let seconds = |name: &str| effective.get(name).and_then(Value::as_u64);
    let within = |name: &str, unknown: &str| {
        seconds(name).map_or_else(|| unknown.to_owned(), |seconds| format!("within {seconds} s"))
    };
    format!(
        "introspection sees it {}, offline verifiers {}",
        within("introspection_seconds", "soon"),
        within("offline_seconds", "when the tokens expire")
    )
}

/// A member that is a text; empty where it is not.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member that is a whole number.
pub(super) fn number(object: &Map<String, Value>, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}

/// A member that is a point in time, as RFC 3339 writes it; empty where there is none.
pub(super) fn when(object: &Map<String, Value>, name: &str) -> String {
    number(object, name).map(rfc3339).unwrap_or_default()
}

/// The texts of a list, or what `member` of each object says.
pub(super) fn texts(object: &Map<String, Value>, name: &str, member: &str) -> String {
    let list = object.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of = |value: &Value| {
        value.as_object().map_or_else(|| plain(value), |entry| text(entry, member).to_owned())
    };
    list.iter().map(of).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_can_be_read() {
        let client = json!({
            "id": "billing", "owner": null, "status": "active", "created_at": 1_800_000_000, "version": 3,
            "review_overdue": true, "lifetime_cap": 3600, "mint_quota": 60, "allowed_networks": [],
            "grants": [
                {"api": "https://a.example", "scopes": ["r", "w"], "default_scopes": ["r"], "roles": ["clerk"]},
                {"api": "b", "scopes": ["x"], "default_scopes": ["x"], "permissions": []},
            ],
            "unused_scopes": [{"api": "b", "scopes": ["x"]}],
            "later": {"a": 1}, "evil": "\u{1b}[2J",
        });
        let now = UnixTime::from_seconds(1_800_000_300);
        let order = ["id", "owner", "status", "grants", "lifetime_cap", "mint_quota", "review_overdue"];
        assert_eq!(
            lines(client.as_object().unwrap(), &order, now),
            [
                "id                billing",
                "owner             -",
                "status            active",
                "grants            https://a.example  r w  (by default r; roles clerk)",
                "                  b  x",
                "lifetime_cap      3600 s (60 min)",
                "mint_quota        60 a minute",
                "review_overdue    yes",
                "allowed_networks  -",
                "created_at        2027-01-15T08:00:00Z (5 min ago)",
                "evil              ?[2J",
                "later             {\"a\":1}",
                "unused_scopes     b  x",
                "version           3",
            ]
        );
    }

    #[test]
    fn an_api_and_a_credential_can_be_read() {
        let api = json!({"scopes": [{"scope": "r", "description": "read"}, "w"], "lifetime": 60});
        let now = UnixTime::from_seconds(0);
        assert_eq!(
            lines(api.as_object().unwrap(), &["scopes"], now),
            ["scopes    r  read", "          w", "lifetime  60 s"]
        );
        let credential = json!({"expires_at": null, "not_before": 60, "safe_to_remove": false});
        assert_eq!(
            lines(credential.as_object().unwrap(), &[], now),
            ["expires_at      never", "not_before      1970-01-01T00:01:00Z (in 60 s)", "safe_to_remove  no"]
        );
    }

    #[test]
    fn the_bound_is_a_sentence() {
        let check =
            |effective: Value, expect: &str| assert_eq!(bound(effective.as_object().unwrap()), expect);
        check(
            json!({"introspection_seconds": 1, "offline_seconds": 660}),
            "introspection sees it within 1 s, offline verifiers within 660 s",
        );
        check(
            json!({"introspection_seconds": 1, "offline_seconds": null}),
            "introspection sees it within 1 s, offline verifiers when the tokens expire",
        );
    }
}
