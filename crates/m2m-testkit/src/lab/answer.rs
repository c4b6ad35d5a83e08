//! What a service sends, with words to be filled in.
//!
//! Enforces: nothing; what is filled in is escaped for JSON, as most bodies are that.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

/// An answer: status, headers, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body; may hold the words of the [module](crate::lab).
    pub body: String,
}

impl Answer {
    /// A body of this content type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// A JSON body.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An error as in RFC 6749 section 5.2; an empty description is left out.
    #[must_use]
    pub fn oauth(status: u16, error: &str, description: &str) -> Self {
        let mut body = json!({ "error": error });
        if !description.is_empty() {
            body["error_description"] = description.into();
        }
        Self::json(status, &body)
    }

    /// A page for people where JSON was expected: a portal, a proxy, a wrong path.
    #[must_use]
    pub fn html(status: u16, title: &str) -> Self {
        let page =
            format!("<!doctype html><html><head><title>{title}</title></head><body>{title}</body></html>");
        Self::new(status, "text/html; charset=utf-8", page)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The response with its words filled in.
    ///
    /// # Panics
    ///
    /// If status or headers are none.
    pub(super) fn response(&self, words: &Words) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(words.fill_escaped(&self.body)));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().expect("the name of a header");
            let value = HeaderValue::from_str(&words.fill(value)).expect("the value of a header");
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// What the words of a behaviour's texts stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Words(Vec<(&'static str, String)>);

impl Words {
    /// With this word; a later one of the same name wins.
    pub(super) fn set(&mut self, word: &'static str, value: impl Into<String>) {
        self.0.retain(|(known, _)| *known != word);
        self.0.push((word, value.into()));
    }

    /// A text with all known words filled in.
    pub(super) fn fill(&self, text: &str) -> String {
        self.replace(text, str::to_owned)
    }

    /// The same inside a JSON text.
    fn fill_escaped(&self, text: &str) -> String {
        self.replace(text, |value| {
            let quoted = Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        })
    }

    /// Every text in an object, at any depth.
    pub(super) fn fill_object(&self, object: &Map<String, Value>) -> Map<String, Value> {
        object.iter().map(|(name, value)| (name.clone(), self.fill_value(value))).collect()
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(values) => Value::Array(values.iter().map(|value| self.fill_value(value)).collect()),
            Value::Object(object) => Value::Object(self.fill_object(object)),
            other => other.clone(),
        }
    }

    fn replace(&self, text: &str, write: impl Fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            filled.push_str(&rest[..start]);
            rest = &rest[start..];
            let known = self
                .0
                .iter()
                .find(|(word, _)| rest[1..].strip_prefix(word).is_some_and(|after| after.starts_with('}')));
            let length = known.map_or(1, |(word, value)| {
                filled.push_str(&write(value));
                word.len() + 2
            });
            if known.is_none() {
                filled.push('{');
            }
            rest = &rest[length..];
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Answer, Words};

    #[test]
    fn words_are_filled_in_once_and_escaped_in_bodies() {
        let mut words = Words::default();
        words.set("audience", "first");
        words.set("audience", "a\"{scope}");
        words.set("scope", "b");
        assert_eq!(words.fill("{audience} {scope} {other} {"), "a\"{scope} b {other} {");
        let answer = Answer::oauth(403, "access_denied", "not for {audience}").header("x", "{scope}");
        let response = answer.response(&words);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["error_description"], "not for a\"{scope}");
        assert_eq!((response.status().as_u16(), &response.headers()["x"]), (403, &"b".parse().unwrap()));
        let filled = words.fill_object(json!({"a": [{"b": "{scope}"}], "c": 1}).as_object().unwrap());
        assert_eq!(serde_json::Value::from(filled), json!({"a": [{"b": "b"}], "c": 1}));
    }
}
