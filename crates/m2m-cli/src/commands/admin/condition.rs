//! Conditions on claims, as they are typed: `CLAIM=TEXT`, `CLAIM~=PATTERN`, `CLAIM:=JSON`.
//!
//! The first of the three signs counts, so a claim whose name holds one is given through the admin API.

use m2m_proto::json::{JsonLimits, parse_value};
use serde_json::{Map, Value};

use crate::exit::Failure;

/// Every condition that was typed, as the admin API takes them.
///
/// # Errors
/// Exit 2, with an example.
pub(super) fn all(typed: &[String]) -> Result<Value, Failure> {
    typed.iter().map(|one| parse(one)).collect::<Result<_, _>>().map(Value::Array)
}

/// One condition that was typed.
///
/// # Errors
/// As [`all`].
pub(crate) fn parse(typed: &str) -> Result<Value, Failure> {
    read(typed).map_err(|why| {
        Failure::usage(format!("--condition {typed:?}: {why}"))
            .hint("for example --condition repository=acme/app, or ref~=refs/heads/*, or 'environment:=[\"a\",\"b\"]'")
    })
}

/// One condition, as the admin API takes it.
///
/// # Errors
/// What it should have been.
pub(super) fn read(typed: &str) -> Result<Value, &'static str> {
    let (before, value) =
        typed.split_once('=').ok_or("expected CLAIM=TEXT, CLAIM~=PATTERN or CLAIM:=JSON")?;
    let (claim, test, value) = if let Some(claim) = before.strip_suffix('~') {
        (claim, "matches", Value::from(value))
    } else if let Some(claim) = before.strip_suffix(':') {
        let value = parse_value(value.as_bytes(), &JsonLimits::CLAIMS)
            .map_err(|_| "what stands after := is no JSON")?;
        (claim, if value.is_array() { "one_of" } else { "equals" }, value)
    } else {
        (before, "equals", Value::from(value))
    };
    if claim.is_empty() {
        return Err("it names no claim");
    }
    let mut condition = Map::new();
    condition.insert("claim".to_owned(), Value::from(claim));
    condition.insert(test.to_owned(), value);
    Ok(Value::Object(condition))
}

/// A condition of the admin API as it would be typed.
pub(crate) fn written(condition: &Value) -> String {
    let claim = condition.get("claim").and_then(Value::as_str).unwrap_or_default();
    match (condition.get("equals"), condition.get("one_of"), condition.get("matches")) {
        (Some(Value::String(text)), ..) => format!("{claim}={text}"),
        (Some(value), ..) | (_, Some(value), _) => format!("{claim}:={value}"),
        (_, _, Some(Value::String(pattern))) => format!("{claim}~={pattern}"),
        _ => condition.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn what_is_typed_is_read_and_written_alike() {
        let check = |typed: &str, expect: Value| {
            assert_eq!(parse(typed), Ok(expect.clone()), "{typed}");
            assert_eq!(written(&expect), typed);
        };
        check("repository=acme/app", json!({"claim": "repository", "equals": "acme/app"}));
        check("a=b=c", json!({"claim": "a", "equals": "b=c"}));
        check("a=", json!({"claim": "a", "equals": ""}));
        check("ref~=refs/heads/*", json!({"claim": "ref", "matches": "refs/heads/*"}));
        check(
            "/kubernetes.io/namespace=prod",
            json!({"claim": "/kubernetes.io/namespace", "equals": "prod"}),
        );
        check("/a~1b=c", json!({"claim": "/a~1b", "equals": "c"}));
        check("verified:=true", json!({"claim": "verified", "equals": true}));
        check("attempt:=1", json!({"claim": "attempt", "equals": 1}));
        check(r#"env:=["a","b"]"#, json!({"claim": "env", "one_of": ["a", "b"]}));
        check("https://acme.example/team=x", json!({"claim": "https://acme.example/team", "equals": "x"}));
    }

    #[test]
    fn what_is_no_condition_is_refused_with_an_example() {
        for bad in ["", "a", "=x", "~=x", ":=1", "a:=", "a:={", "a:=[1,1"] {
            let failure = parse(bad).expect_err(bad);
            assert_eq!(failure.exit(), Exit::Usage, "{bad}");
            assert!(failure.advice().is_some_and(|hint| hint.contains("for example")), "{bad}");
        }
    }
}
