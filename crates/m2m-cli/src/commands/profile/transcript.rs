//! What went over the wire, for `m2m profile test`: requests with everything secret blacked out, statuses and times.
//!
//! Enforces: of a request only names that are known to hold no secret are kept with their values; of an answer only
//! status, media type and time; the body, which may hold a token, only as [`Hides`] leaves it and where that is asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use m2m_io::HttpError;
use m2m_proto::form::decode_component;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::param;

use super::said::Hides;
use crate::connect::observer::{Observer, Passed};
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::secret::ReadSecret;

/// What stands for a value that is not shown.
const REDACTED: &str = "[redacted]";

/// Parameters that hold no secret, whoever the server is.
const PLAIN: &[&str] = &[
    param::GRANT_TYPE,
    param::CLIENT_ID,
    param::SCOPE,
    param::AUDIENCE,
    param::RESOURCE,
    param::CLIENT_ASSERTION_TYPE,
    param::SUBJECT_TOKEN_TYPE,
    param::ACTOR_TOKEN_TYPE,
    param::REQUESTED_TOKEN_TYPE,
];

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// `POST`, `GET`.
    pub(crate) method: String,
    /// The URL; values in its query as in the body.
    pub(crate) url: String,
    /// Header fields that we set, by name.
    pub(crate) headers: Vec<(String, String)>,
    /// Parameters of a form or members of a JSON object, in order.
    pub(crate) parameters: Vec<(String, String)>,
    /// The answer's status; `None` when there was none.
    pub(crate) status: Option<u16>,
    /// The answer's media type.
    pub(crate) content_type: Option<String>,
    /// From the first byte sent to the last received.
    pub(crate) took: Duration,
    /// What the answer said, where that is kept.
    pub(crate) body: Option<String>,
}

/// Keeps what passes.
#[derive(Debug)]
pub(crate) struct Recorder {
    plain: Vec<String>,
    bodies: Option<Hides>,
    kept: Mutex<Vec<Recorded>>,
}

impl Recorder {
    /// `plain`: names of further parameters whose values may be shown.
    pub(crate) fn new(plain: impl IntoIterator<Item = String>) -> Arc<Self> {
        Arc::new(Self { plain: plain.into_iter().collect(), bodies: None, kept: Mutex::default() })
    }

    /// For the requests that these settings make.
    pub(crate) fn of(settings: &Settings) -> Arc<Self> {
        Self::new(settings.pairs(Field::Params).iter().map(|(name, _)| name.clone()))
    }

    /// The same, which also keeps what answers say, but for what `hides` takes out.
    pub(crate) fn with_answers(settings: &Settings, hides: Hides) -> Arc<Self> {
        let plain = settings.pairs(Field::Params).iter().map(|(name, _)| name.clone());
        Arc::new(Self { plain: plain.collect(), bodies: Some(hides), kept: Mutex::default() })
    }

    /// What has passed, oldest first.
    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is not shown of a request is not shown either where the answer repeats it.
    fn hide(&self, value: &str) {
        if let Some(hides) = &self.bodies {
            hides.add(value);
        }
    }

    /// JSON out of a token, without secrets that the server put into it.
    pub(crate) fn cleaned(&self, value: serde_json::Value) -> serde_json::Value {
        match &self.bodies {
            Some(hides) => hides.cleaned(value),
            None => value,
        }
    }

    fn shown(&self, name: &str, value: String) -> String {
        let plain = PLAIN.contains(&name) || self.plain.iter().any(|known| known == name);
        if plain {
            return value;
        }
        self.hide(&value);
        REDACTED.to_owned()
    }

    fn request(&self, request: &Request<Bytes>) -> Recorded {
        let uri = request.uri();
        let text = uri.to_string();
        let url = match text.split_once('?') {
            Some((before, query)) => {
                let pairs = self.pairs(query.as_bytes());
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{before}?{}", pairs.join("&"))
            }
            None => text,
        };
        Recorded {
            method: request.method().to_string(),
            url,
            headers: headers(request.headers()),
            parameters: self.body(request.body()),
            status: None,
            content_type: None,
            took: Duration::ZERO,
            body: None,
        }
    }

    fn body(&self, body: &[u8]) -> Vec<(String, String)> {
        if let Ok(members) = parse_object(body, &JsonLimits::DOCUMENT) {
            let text = |value: serde_json::Value| match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            return members
                .into_iter()
                .map(|(name, value)| (name.clone(), self.shown(&name, text(value))))
                .collect();
        }
        // JSON that we cannot read has no names to tell from values.
        match body.trim_ascii_start().first() {
            Some(b'{' | b'[') => vec![(REDACTED.to_owned(), REDACTED.to_owned())],
            _ => self.pairs(body),
        }
    }

    fn pairs(&self, form: &[u8]) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(form);
        let decoded = |text: &str| decode_component(text).map_or_else(|_| REDACTED.to_owned(), Into::into);
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                // What stands alone may be a value as well as a name.
                let Some((name, value)) = pair.split_once('=') else {
                    return (REDACTED.to_owned(), REDACTED.to_owned());
                };
                let name = decoded(name);
                let value = self.shown(&name, decoded(value));
                (name, value)
            })
            .collect()
    }
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let text = value.to_str().unwrap_or(REDACTED);
        let text = match *name {
            header::CONTENT_TYPE | header::ACCEPT => text.to_owned(),
            header::AUTHORIZATION => {
                format!("{} {REDACTED}", text.split_once(' ').map_or("", |(scheme, _)| scheme))
            }
            _ => REDACTED.to_owned(),
        };
        (name.as_str().to_owned(), text)
    };
    let mut shown: Vec<_> = headers.iter().map(shown).collect();
    shown.sort();
    shown
}

impl Observer for Recorder {
    fn read(&self, _: Field, read: &ReadSecret) {
        if let Some(hides) = &self.bodies {
            hides.add(read.secret.expose());
        }
    }

    fn exchanged(&self, passed: &Passed<'_>) {
        let request = self.request(passed.request);
        let authorization = passed.request.headers().get(header::AUTHORIZATION);
        if let Some((_, credentials)) = authorization.and_then(|value| value.to_str().ok()?.split_once(' ')) {
            self.hide(credentials);
        }
        let answer = passed.outcome.as_ref();
        let media = answer.ok().and_then(|answer| answer.headers().get(header::CONTENT_TYPE));
        let recorded = Recorded {
            status: match answer {
                Ok(answer) => Some(answer.status().as_u16()),
                Err(HttpError::Redirect { status, .. }) => Some(status.as_u16()),
                Err(_) => None,
            },
            content_type: media.and_then(|media| media.to_str().ok()).map(str::to_owned),
            took: passed.took,
            body: self.bodies.as_ref().and_then(|hides| hides.said(passed)),
            ..request
        };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use m2m_io::{BoxFuture, HttpClient, Limits, SystemClock};

    use super::*;
    use crate::connect::observer::Watched;

    #[derive(Debug)]
    struct Silent;

    impl HttpClient for Silent {
        fn send(&self, _: Request<Bytes>, _: &Limits) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            Box::pin(async { Err(HttpError::Timeout) })
        }
    }

    #[tokio::test]
    async fn what_may_be_secret_is_blacked_out() {
        let recorder = Recorder::new(["organization".to_owned()]);
        let http = Watched::over(Arc::new(Silent), Arc::new(SystemClock), Arc::<Recorder>::clone(&recorder));
        for (query, body) in [
            ("?api_key=canary&client_id=c", "grant_type=g&client_secret=canary&scope=a+b&organization=o"),
            ("", r#"{"grant_type":"g","client_secret":"canary","x":{"y":"canary"},"organization":"o"}"#),
            ("", "canary"),
            ("", r#"{"client_secret":"canary=","x":"#),
            ("", "assertion=canary&client_assertion=canary&subject_token=canary&bad=%zz"),
        ] {
            let request = Request::post(format!("https://as.example/token{query}"))
                .header("authorization", "Basic canary")
                .header("x-api-key", "canary")
                .header("dpop", "canary")
                .body(Bytes::from_static(body.as_bytes()))
                .unwrap();
            let _timeout = http.send(request, &Limits::default()).await;
        }
        let all = recorder.all();
        let values = format!("{all:?}");
        assert!(!values.contains("canary"), "{values}");
        assert_eq!(all[0].url, "https://as.example/token?api_key=[redacted]&client_id=c");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let parameters = [
            pair("grant_type", "g"),
            pair("client_secret", REDACTED),
            pair("scope", "a b"),
            pair("organization", "o"),
        ];
        assert_eq!(all[0].parameters, parameters);
        assert_eq!(all[0].headers[0], pair("authorization", "Basic [redacted]"));
        assert!(all[1].parameters.contains(&pair("grant_type", "g")));
        assert_eq!(all[0].status, None);
    }
}
