//! What a good request is answered: a template with a token in it.
//!
//! Sections: RFC 6749 section 5.1, and the ways in which services depart from it; RFC 9068 for signed tokens
//! Enforces: nothing.

use std::sync::Arc;

use m2m_io::{OsRandom, token};
use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, jws};
use m2m_proto::time::UnixTime;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Words};
use crate::FixedKeys;

/// How a service says how long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiresIn {
    /// `3600`.
    Seconds(u64),
    /// `"3600"`.
    Text(u64),
    /// `3600000` for this many seconds.
    Milliseconds(u64),
    /// Not at all.
    Absent,
}

/// The text of the token.
#[derive(Clone, Debug)]
pub enum TokenText {
    /// Another opaque one each time.
    Fresh,
    /// Always this one.
    Given(String),
    /// A JWT, signed each time. Boxed, as it is much larger than the others.
    Signed(Box<SignedToken>),
}

/// A JWT that a test key signs. `iat`, `exp` and `jti` are added where the claims have none.
#[derive(Clone, Debug)]
pub struct SignedToken {
    /// Who signs.
    pub key: Arc<SigningKey>,
    /// `typ`; `None` leaves it out.
    pub typ: Option<String>,
    /// The claims; texts may hold the words of the [module](crate::lab).
    pub claims: Map<String, Value>,
    /// Seconds from now to `exp`.
    pub lifetime: u64,
}

impl SignedToken {
    /// An access token as in RFC 9068 section 2, signed by the fixed RSA key with RS256, for an hour.
    #[must_use]
    pub fn new(issuer: &str, audience: &str) -> Self {
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": "{client_id}", "client_id": "{client_id}", "scope": "{scope}",
        });
        Self {
            key: Arc::new(FixedKeys::signing(Algorithm::Rs256)),
            typ: Some("at+jwt".to_owned()),
            claims: claims.as_object().cloned().unwrap_or_default(),
            lifetime: 3600,
        }
    }

    /// With another claim, or another value of one; null takes it out.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        if value.is_null() {
            self.claims.remove(name);
        } else {
            self.claims.insert(name.to_owned(), value);
        }
        self
    }

    fn sign(&self, words: &Words, now: UnixTime) -> String {
        let mut claims = words.fill_object(&self.claims);
        let added = [
            ("iat", Value::from(now.seconds())),
            ("exp", Value::from(now.seconds() + self.lifetime)),
            ("jti", Value::from(token(&OsRandom).as_str())),
        ];
        for (name, value) in added {
            claims.entry(name).or_insert(value);
        }
        let header = HeaderFields { typ: self.typ.as_deref(), ..HeaderFields::default() };
        jws::sign(&header, Value::from(claims).to_string().as_bytes(), &self.key).expect("a signature")
    }
}

/// What the body holds.
#[derive(Clone, Debug)]
pub enum SuccessBody {
    /// An object whose texts may hold words, `{token}` among them.
    Template(Map<String, Value>),
    /// This text to the byte; words are not filled in.
    Verbatim(String),
}

/// What a good request is answered.
#[derive(Clone, Debug)]
pub struct Success {
    /// The status.
    pub status: u16,
    /// The headers, `content-type` among them; values may hold words.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: SuccessBody,
    /// What `{token}` stands for.
    pub token: TokenText,
}

impl Success {
    /// A fresh opaque Bearer token for an hour.
    #[must_use]
    pub fn bearer() -> Self {
        let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
        Self {
            status: 200,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: SuccessBody::Template(Map::new()),
            token: TokenText::Fresh,
        }
        .member("access_token", "{token}".into())
        .member("token_type", "Bearer".into())
        .expires_in(ExpiresIn::Seconds(3600))
    }

    /// This, to the byte.
    #[must_use]
    pub fn verbatim(answer: Answer) -> Self {
        let Answer { status, headers, body } = answer;
        Self { status, headers, body: SuccessBody::Verbatim(body), token: TokenText::Fresh }
    }

    /// With this member in the body; null takes it out.
    ///
    /// # Panics
    ///
    /// If the body is given to the byte.
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        let SuccessBody::Template(members) = &mut self.body else { panic!("a verbatim body has no members") };
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
        self
    }

    /// With `expires_in` said in this way.
    #[must_use]
    pub fn expires_in(self, expires_in: ExpiresIn) -> Self {
        let value = match expires_in {
            ExpiresIn::Seconds(seconds) => seconds.into(),
            ExpiresIn::Text(seconds) => seconds.to_string().into(),
            ExpiresIn::Milliseconds(seconds) => (seconds * 1000).into(),
            ExpiresIn::Absent => Value::Null,
        };
        self.member("expires_in", value)
    }

    /// With this token.
    #[must_use]
    pub fn token(self, token: TokenText) -> Self {
        Self { token, ..self }
    }

    /// With a signed token.
    #[must_use]
    pub fn signed(self, token: SignedToken) -> Self {
        self.token(TokenText::Signed(Box::new(token)))
    }

    /// With this status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The answer, and the words that it is still to be filled with.
    pub(super) fn answer(&self, words: &Words, now: UnixTime) -> (Answer, Words) {
        let mut words = words.clone();
        words.set(
            "token",
            match &self.token {
                TokenText::Fresh => format!("lab-{}", token(&OsRandom)),
                TokenText::Given(text) => text.clone(),
                TokenText::Signed(signed) => signed.sign(&words, now),
            },
        );
        let answer = |body: String| Answer { status: self.status, headers: self.headers.clone(), body };
        match &self.body {
            SuccessBody::Verbatim(text) => (answer(text.clone()), Words::default()),
            SuccessBody::Template(members) => {
                (answer(Value::from(words.fill_object(members)).to_string()), words)
            }
        }
    }
}
