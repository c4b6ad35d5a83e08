//! From a request and the dials to an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Asked, Document, KeyServer, Poison, Reply, State, Tag, poison};
use crate::hostile::{Answer, response};

const JSON: &str = "application/json";
const SLOW: Duration = Duration::from_secs(3);

/// What is sent, and how long after the request.
pub(super) struct Given {
    pub(super) after: Duration,
    pub(super) answer: Answer,
}

impl KeyServer {
    /// Answers a request for a document, and counts it. `None` for any other path.
    pub(super) fn give(&self, path: &str, headers: &HeaderMap) -> Option<Given> {
        let document = match path {
            "/jwks" => Document::Keys,
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
                Document::Metadata
            }
            _ => return None,
        };
        let mut state = self.state();
        let body = match document {
            Document::Keys => state.key_set(),
            Document::Metadata => json!({
                "issuer": self.issuer(), "jwks_uri": format!("{}/jwks", self.issuer()),
                "token_endpoint": format!("{}/token", self.issuer()),
            }),
        };
        let answer = state.answer(&body.to_string(), headers);
        let unchanged = matches!(&answer, Answer::Whole(sent) if sent.status() == StatusCode::NOT_MODIFIED);
        state.asked.push(Asked { at: self.clock.monotonic(), document, unchanged });
        let after = if state.reply == Reply::Slow { SLOW } else { Duration::ZERO };
        Some(Given { after, answer })
    }
}

impl State {
    fn key_set(&self) -> Value {
        let public = |number: &usize| {
            let jwk = self.keys[*number].public_jwk().expect("a public half");
            Value::from(jwk.to_public_json())
        };
        let behind = usize::from(self.reply == Reply::Lagging);
        let published = &self.published[..self.published.len() - behind.min(self.published.len())];
        let good: Vec<Value> = published.iter().map(public).collect();
        let keys = match self.poison {
            Poison::None => good,
            Poison::Only => poison::weak_keys(),
            Poison::Beside => {
                let mut weak = poison::weak_keys();
                let after = weak.split_off(weak.len() / 2);
                [weak, good, after].concat()
            }
            Poison::Twins => {
                let twins = good.iter().map(|key| poison::twin(key["kid"].as_str().unwrap_or_default()));
                twins.chain(good.iter().cloned()).collect()
            }
        };
        json!({ "keys": keys })
    }

    fn answer(&self, body: &str, asked: &HeaderMap) -> Answer {
        let fake = |status, kind, body: String| Answer::Whole(self.labelled(response(status, kind, body)));
        match self.reply {
            Reply::Down => Answer::Close,
            Reply::Hang => Answer::Hang,
            Reply::Drip => Answer::Drip,
            Reply::Bomb => Answer::Gzip(100_000_000),
            Reply::Cut => Answer::Cut(self.whole(body)),
            Reply::Unavailable => fake(503, JSON, String::new()),
            Reply::Missing => fake(404, JSON, r#"{"error":"not found"}"#.to_owned()),
            Reply::Html => fake(200, "text/html", "<!doctype html><title>Sign in</title>".to_owned()),
            Reply::Redirect => Answer::Whole(redirect()),
            Reply::Oversized => fake(200, JSON, body.replacen('{', &format!("{{{}", " ".repeat(1 << 20)), 1)),
            Reply::Crowd => fake(200, JSON, crowd()),
            Reply::Unparsable => fake(200, JSON, body[..body.len() - 2].to_owned()),
            Reply::Repeated => fake(200, JSON, body.replacen('{', r#"{"keys":[],"#, 1)),
            Reply::Deep => fake(200, JSON, format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))),
            Reply::Empty => fake(200, JSON, r#"{"keys":[]}"#.to_owned()),
            Reply::Nothing => fake(200, JSON, String::new()),
            Reply::NotModified => fake(304, JSON, String::new()),
            Reply::WrongType => fake(200, "text/plain", body.to_owned()),
            Reply::Good | Reply::Slow | Reply::Lagging => self.conditional(body, asked),
        }
    }

    /// 304 to whoever has the tag.
    fn conditional(&self, body: &str, asked: &HeaderMap) -> Answer {
        let mut sent = self.whole(body);
        let tag = sent.headers().get(header::ETAG);
        if tag.is_some() && tag == asked.get(header::IF_NONE_MATCH) {
            *sent.status_mut() = StatusCode::NOT_MODIFIED;
            *sent.body_mut() = Bytes::new();
        }
        Answer::Whole(sent)
    }

    fn whole(&self, body: &str) -> Response<Bytes> {
        let mut sent = self.labelled(response(200, JSON, body.to_owned()));
        let tag = match self.tag {
            Tag::Honest => format!("\"{:016x}\"", fingerprint(body)),
            Tag::Lying => "\"always\"".to_owned(),
            Tag::Absent => return sent,
        };
        sent.headers_mut().insert(header::ETAG, HeaderValue::try_from(tag).expect("a tag"));
        sent
    }

    fn labelled(&self, mut sent: Response<Bytes>) -> Response<Bytes> {
        for (name, value) in self.caching.headers() {
            sent.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        sent
    }
}

fn redirect() -> Response<Bytes> {
    let mut sent = response(302, "text/html", "");
    let elsewhere = HeaderValue::from_static("https://elsewhere.example/jwks");
    sent.headers_mut().insert(header::LOCATION, elsewhere);
    sent
}

/// Well-formed keys, and more of them than anybody has.
fn crowd() -> String {
    let key = poison::twin("crowd");
    let keys: Vec<Value> = (0..200)
        .map(|number| {
            let mut one = key.clone();
            one["kid"] = json!(format!("crowd-{number}"));
            one
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

/// FNV-1a: a name for a version, no more.
fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
