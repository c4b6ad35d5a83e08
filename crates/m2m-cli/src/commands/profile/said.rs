//! What an answer said, as a person may see it: verbatim but for tokens and for secrets that a server repeats.
//!
//! Enforces: of JSON, the value of a member that a token can stand in is replaced, and so is any text that looks like
//! one; of a success that is no JSON object nothing is shown, for a token may be anywhere in it; secrets that were read
//! are taken out of everything. Public documents are shown whole. Limits: 4 KiB are shown; what a server encodes in a way of its own is not recognised.

use std::sync::{Mutex, PoisonError};

use http::{Method, StatusCode};
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::metadata::well_known::is_well_known;
use m2m_proto::secret::Redaction;
use serde_json::{Map, Value};

use crate::connect::observer::Passed;
use crate::output::printable;

/// What stands for a value that is not shown.
const REDACTED: &str = "[redacted]";

/// The most that is shown, in characters.
const LONGEST: usize = 4096;

/// What is shorter may stand in a text by chance.
const SHORTEST_SECRET: usize = 4;

/// A text without a space of at least this length, in a success, under a name that we do not know, may be a token.
const TOKEN_LENGTH: usize = 24;

/// Members that hold no token, whatever they say.
const PLAIN: &[&str] = &[
    "error",
    "error_description",
    "error_uri",
    "token_type",
    "expires_in",
    "expires_at",
    "scope",
    "issued_token_type",
    "error_codes",
    "timestamp",
    "trace_id",
    "correlation_id",
    "errorCode",
    "errorSummary",
    "errorId",
    "errorLink",
    "instance_url",
    "message",
];

/// Takes out of answers what must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Hides {
    secrets: Mutex<Redaction>,
    /// The members that hold tokens at this service, besides the usual.
    tokens: Vec<String>,
}

impl Hides {
    /// For a service whose token stands in this member too.
    pub(crate) fn of(token: Option<&str>) -> Self {
        Self { secrets: Mutex::default(), tokens: token.map(str::to_owned).into_iter().collect() }
    }

    /// Also hides this secret.
    pub(crate) fn add(&self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.secrets.lock().unwrap_or_else(PoisonError::into_inner).add(secret);
        }
    }

    /// What the answer said; `None` where there is none.
    pub(crate) fn said(&self, passed: &Passed<'_>) -> Option<String> {
        let answer = passed.outcome.as_ref().ok()?;
        let is_public = passed.request.method() == Method::GET && is_well_known(passed.request.uri().path());
        if is_public && let Ok(members) = parse_object(answer.body(), &JsonLimits::DOCUMENT) {
            return Some(self.scrubbed(&format!("{:#}", Value::Object(members))));
        }
        Some(self.body(answer.status(), answer.body()))
    }

    /// The same JSON without the secrets, in names too.
    pub(crate) fn cleaned(&self, value: Value) -> Value {
        let scrub =
            |text: &str| self.secrets.lock().unwrap_or_else(PoisonError::into_inner).scrub(text).to_string();
        match value {
            Value::String(text) => scrub(&text).into(),
            Value::Array(values) => values.into_iter().map(|value| self.cleaned(value)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (scrub(&name), self.cleaned(value))).collect()
            }
            other => other,
        }
    }

    fn scrubbed(&self, text: &str) -> String {
        shortened(&self.secrets.lock().unwrap_or_else(PoisonError::into_inner).scrub(text))
    }

    fn body(&self, status: StatusCode, body: &[u8]) -> String {
        let text = match parse_object(body, &JsonLimits::DOCUMENT) {
            Ok(mut members) => {
                self.members(&mut members, status);
                format!("{:#}", Value::Object(members))
            }
            Err(_) if body.iter().all(u8::is_ascii_whitespace) => "(empty)".to_owned(),
            Err(_) if status.is_success() => {
                format!(
                    "({} bytes that are no JSON object; not shown, for a token may be among them)",
                    body.len()
                )
            }
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        self.scrubbed(&text)
    }

    fn members(&self, members: &mut Map<String, Value>, status: StatusCode) {
        for (name, value) in members.iter_mut() {
            let is_token = name.contains("token") && name != "token_type" && name != "issued_token_type";
            if (is_token || self.tokens.contains(name)) && !value.is_object() {
                *value = REDACTED.into();
                continue;
            }
            self.value(name, value, status);
        }
    }

    fn value(&self, name: &str, value: &mut Value, status: StatusCode) {
        match value {
            Value::String(text) if is_secret(name, text, status) => *value = REDACTED.into(),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(name, value, status)),
            Value::Object(members) => self.members(members, status),
            _ => {}
        }
    }
}

/// A JWT wherever it stands; in a success also what is long, has no space and stands under a name of the server's own.
fn is_secret(name: &str, text: &str, status: StatusCode) -> bool {
    let is_jwt = text.starts_with("eyJ") && text.split('.').count() >= 3;
    let is_long = text.len() >= TOKEN_LENGTH && !text.contains(char::is_whitespace);
    is_jwt || (status.is_success() && is_long && !PLAIN.contains(&name))
}

fn shortened(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(printable).collect();
    let text = lines.join("\n");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\n… ({} bytes in all)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        let hides = Hides::of(Some("auth"));
        hides.add("hunter2/+");
        hides.body(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn errors_are_shown_as_they_came() {
        let text = said(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: wrong","error_codes":[7000215]}"#,
        );
        assert!(text.contains("AADSTS7000215: wrong") && text.contains("7000215"), "{text}");
        assert_eq!(said(502, "<html>Bad Gateway</html>"), "<html>Bad Gateway</html>");
        assert_eq!(said(500, " \n"), "(empty)");
        assert_eq!(said(500, "a\u{202e}b\u{1b}[2J"), "a?b?[2J");
        assert!(said(500, &"x".repeat(9000)).ends_with("… (9000 bytes in all)"));
    }

    #[test]
    fn a_token_does_not_show_the_secret_that_it_was_given_for() {
        let hides = Hides::of(None);
        hides.add("canary-secret");
        let claims = serde_json::json!({"jti": "canary-secret", "a": [{"canary-secret": "x canary-secret"}], "exp": 7});
        let cleaned = hides.cleaned(claims);
        assert!(!cleaned.to_string().contains("canary"), "{cleaned}");
        assert_eq!(cleaned["exp"], 7);
    }

    #[test]
    fn no_token_and_no_secret_is_shown() {
        for body in [
            r#"{"access_token":"canary","token_type":"Bearer","expires_in":60}"#,
            r#"{"refresh_token":"canary","id_token":["canary"]}"#,
            r#"{"authed":{"access_token":"canary"},"auth":"canary"}"#,
            r#"{"jwt":"canary-canary-canary-canary-canary"}"#,
            r#"{"x":"eyJcanary.eyJ.x"}"#,
            "access_token=canary&token_type=bearer",
            r#""canary""#,
        ] {
            let text = said(200, body);
            assert!(!text.contains("canary"), "{text}");
        }
        assert!(!said(400, r#"{"error_description":"hunter2/+ and hunter2%2F%2B"}"#).contains("hunter2"));
        assert!(!said(400, "<p>hunter2/+").contains("hunter2"));
        assert!(said(200, r#"{"access_token":"c","scope":"a b","expires_in":3600}"#).contains("3600"));
    }
}
