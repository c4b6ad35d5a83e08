//! What a server may repeat and nobody may read.

use m2m_proto::secret::Redaction;
use serde_json::{Map, Value};

use super::answer::{Answer, Body, TokenAnswer, TokenShape};
use super::facts::Facts;

/// What no finding may show, should a server have repeated it: secrets that were read, and tokens.
#[derive(Clone, Debug, Default)]
pub struct Hidden(Redaction);

/// What is shorter is no secret worth the name, and may stand in a text by chance: `secret`, `client`.
const SHORTEST_SECRET: usize = 8;

impl Hidden {
    /// Also hides `secret`, and the form that it has in a request body.
    pub fn add(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.0.add(secret);
        }
    }

    /// Takes them out of whatever a server said. Our own words stay as they are.
    pub fn clean(&self, facts: &mut Facts) {
        let exchanges = facts.exchanges.iter_mut().chain(&mut facts.keys_fetch);
        exchanges
            .filter_map(|exchange| exchange.outcome.as_mut().ok())
            .for_each(|answer| self.answer(answer));
        if let Some(metadata) = &mut facts.metadata {
            self.members(&mut metadata.members);
        }
    }

    fn answer(&self, answer: &mut Answer) {
        let quota = answer.quota.iter_mut().map(|(_, value)| value);
        quota.chain(&mut answer.content_type).for_each(|text| self.text(text));
        match &mut answer.body {
            Body::Document(members) => self.members(members),
            Body::Token(answer) => self.token(answer),
            Body::Empty | Body::Html | Body::Other => {}
        }
    }

    fn token(&self, answer: &mut TokenAnswer) {
        let texts = [&mut answer.error, &mut answer.token_type, &mut answer.scope];
        texts.into_iter().flatten().for_each(|text| self.text(text));
        answer.expires_in.sent.iter_mut().for_each(|value| self.value(value));
        if let Some(TokenShape::Jwt { header, claims }) = &mut answer.token {
            self.members(header);
            self.members(claims);
        }
    }

    fn members(&self, members: &mut Map<String, Value>) {
        members.values_mut().for_each(|value| self.value(value));
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(members) => self.members(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &mut String) {
        *text = self.0.scrub(text);
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_server_repeats_is_not_shown() {
        let mut hidden = Hidden::default();
        hidden.add("s3cret-s3cret/+");
        hidden.add("secret");
        let told = || Some("of s3cret-s3cret/+ s3cret-s3cret%2F%2B".to_owned());
        let Value::Object(claims) = json!({"aud": ["s3cret-s3cret/+"], "x": {"y": "s3cret-s3cret%2F%2B"}})
        else {
            unreachable!()
        };
        let token = TokenAnswer {
            token: Some(TokenShape::Jwt { header: claims.clone(), claims }),
            error: told(),
            token_type: told(),
            scope: told(),
            ..TokenAnswer::default()
        };
        let mut answer = Answer {
            status: StatusCode::OK,
            date: None,
            content_type: Some("client_secret_basic".to_owned()),
            quota: vec![("x-quota".to_owned(), told().unwrap())],
            bytes: 1,
            body: Body::Token(Box::new(token)),
        };
        hidden.answer(&mut answer);
        let shown = format!("{answer:?}");
        assert!(!shown.contains("s3cret") && shown.contains("of [redacted]"), "{shown}");
        assert!(shown.contains("client_secret_basic"), "{shown}");
    }
}
