//! Conditional requests: a document that has not changed is not sent again.
//!
//! Sections: RFC 9110 §8.8, §13.1.2, §13.1.3, §15.4.5
//! Enforces: `If-None-Match` or `If-Modified-Since` goes to the URL only that gave the validator; a 304 counts only
//! as the answer to one of them.
//! Does not enforce: that a server changes its validator with its document. Whoever has a reason to doubt it asks for
//! the whole document ([`Ask::Whole`]).
//! Limits: one document and one validator of at most 1 KiB held.

use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ::http::header::{ACCEPT, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use ::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use bytes::Bytes;
use m2m_proto::uri::EndpointUri;

use super::{Fetched, RemoteError, max_age};
use crate::{HttpClient, Limits};

const MAX_VALIDATOR_BYTES: usize = 1024;

/// Whether the held document will do if the server says that it still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// It will.
    IfChanged,
    /// It lacks something: the document has to be sent.
    Whole,
}

/// The document as it came last, with what its server calls that version of it.
pub struct Conditional<T>(Mutex<Option<Last<T>>>);

struct Last<T> {
    url: EndpointUri,
    /// The header to ask with, and what it says.
    condition: (HeaderName, HeaderValue),
    value: T,
}

impl<T> Default for Conditional<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Debug for Conditional<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Conditional").finish_non_exhaustive()
    }
}

impl<T: Clone> Conditional<T> {
    /// Fetches the JSON document at `url` and reads it with `decode`; after a 304 it is the one that was read last.
    ///
    /// The content type is not checked: many servers send these documents as text or bytes, and nothing here is
    /// rendered.
    ///
    /// # Errors
    /// No response, another status than 200 (or than a 304 that was asked for), and what `decode` says.
    pub async fn get(
        &self,
        http: &dyn HttpClient,
        (url, ask): (&EndpointUri, Ask),
        limits: &Limits,
        decode: impl FnOnce(&[u8]) -> Result<T, RemoteError>,
    ) -> Result<Fetched<T>, RemoteError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.uri().clone();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let held = self.held(url).filter(|_| ask == Ask::IfChanged);
        let held = held.map(|((name, validator), value)| {
            request.headers_mut().insert(name, validator);
            value
        });
        let response = http.send(request, limits).await?;
        let max_age = max_age(response.headers());
        match (response.status(), held) {
            (StatusCode::OK, _) => {}
            (StatusCode::NOT_MODIFIED, Some(value)) => return Ok(Fetched { value, max_age }),
            (status, _) => return Err(RemoteError::Status(status)),
        }
        let value = decode(response.body())?;
        let last = condition(response.headers()).map(|condition| Last {
            url: url.clone(),
            condition,
            value: value.clone(),
        });
        *self.last() = last;
        Ok(Fetched { value, max_age })
    }

    fn held(&self, url: &EndpointUri) -> Option<((HeaderName, HeaderValue), T)> {
        let last = self.last();
        let last = last.as_ref().filter(|last| last.url == *url)?;
        Some((last.condition.clone(), last.value.clone()))
    }

    fn last(&self) -> MutexGuard<'_, Option<Last<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entity tag before a date, which counts seconds only.
fn condition(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let usable = |name| headers.get(name).filter(|value| (1..=MAX_VALIDATOR_BYTES).contains(&value.len()));
    usable(ETAG)
        .map(|tag| (IF_NONE_MATCH, tag.clone()))
        .or_else(|| usable(LAST_MODIFIED).map(|date| (IF_MODIFIED_SINCE, date.clone())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::http::{Response, StatusCode};
    use bytes::Bytes;
    use m2m_proto::uri::EndpointUri;

    use super::{Ask, Conditional};
    use crate::Limits;
    use crate::remote::RemoteError;
    use crate::testing::ScriptedHttp;

    const URL: &str = "https://as.example/jwks";

    struct Setup {
        http: Arc<ScriptedHttp>,
        document: Conditional<Vec<u8>>,
    }

    impl Setup {
        fn new() -> Self {
            Self { http: Arc::default(), document: Conditional::default() }
        }

        /// The document after this answer, and the condition that was sent.
        async fn get(
            &self,
            (url, ask): (&str, Ask),
            (status, header, body): (u16, &str, &'static str),
        ) -> (Result<String, RemoteError>, Option<String>) {
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = header.split_once(": ") {
                response = response.header(name, value);
            }
            self.http.respond(response.body(Bytes::from(body)).unwrap());
            let url = EndpointUri::parse(url).unwrap();
            let decode = |bytes: &[u8]| match bytes {
                b"bad" => Err(RemoteError::Document("bad".to_owned())),
                bytes => Ok(bytes.to_vec()),
            };
            let fetched = self.document.get(&*self.http, (&url, ask), &Limits::default(), decode).await;
            let headers = self.http.last_headers();
            let sent = ["if-none-match", "if-modified-since"].into_iter().find_map(|name| headers.get(name));
            let text = fetched.map(|fetched| String::from_utf8(fetched.value).unwrap());
            (text, sent.map(|value| value.to_str().unwrap().to_owned()))
        }
    }

    fn text(text: &str) -> Result<String, RemoteError> {
        Ok(text.to_owned())
    }

    fn sent(condition: &str) -> Option<String> {
        Some(condition.to_owned())
    }

    #[tokio::test]
    async fn what_has_not_changed_is_not_sent_again() {
        for header in ["etag: \"1\"", "etag: W/\"1\"", "last-modified: Sun, 22 Nov 2026 10:40:00 GMT"] {
            let condition = header.split_once(": ").unwrap().1;
            let setup = Setup::new();
            assert_eq!(setup.get((URL, Ask::IfChanged), (200, header, "one")).await, (text("one"), None));
            for _ in 0..2 {
                let again = setup.get((URL, Ask::IfChanged), (304, "", "")).await;
                assert_eq!(again, (text("one"), sent(condition)));
            }
            let changed = setup.get((URL, Ask::IfChanged), (200, "etag: \"2\"", "two")).await;
            assert_eq!(changed, (text("two"), sent(condition)));
            let after = setup.get((URL, Ask::IfChanged), (304, "", "")).await;
            assert_eq!(after, (text("two"), sent("\"2\"")));
        }
    }

    #[tokio::test]
    async fn whoever_lacks_something_sets_no_condition() {
        let setup = Setup::new();
        let _first = setup.get((URL, Ask::IfChanged), (200, "etag: \"1\"", "one")).await;
        let whole = setup.get((URL, Ask::Whole), (200, "etag: \"1\"", "two")).await;
        assert_eq!(whole, (text("two"), None), "a validator that does not change with its document");
    }

    #[tokio::test]
    async fn a_304_that_nobody_asked_for_is_no_document() {
        let setup = Setup::new();
        let refused = Err(RemoteError::Status(StatusCode::NOT_MODIFIED));
        assert_eq!(setup.get((URL, Ask::IfChanged), (304, "", "")).await, (refused.clone(), None));
        let _held = setup.get((URL, Ask::IfChanged), (200, "etag: \"1\"", "one")).await;
        assert_eq!(setup.get((URL, Ask::Whole), (304, "", "")).await, (refused.clone(), None));
        let elsewhere = "https://other.example/jwks";
        assert_eq!(setup.get((elsewhere, Ask::IfChanged), (304, "", "")).await, (refused, None));
    }

    #[tokio::test]
    async fn a_document_that_is_refused_replaces_nothing() {
        let setup = Setup::new();
        let _held = setup.get((URL, Ask::IfChanged), (200, "etag: \"1\"", "one")).await;
        let bad = setup.get((URL, Ask::IfChanged), (200, "etag: \"2\"", "bad")).await;
        assert_eq!(bad.0, Err(RemoteError::Document("bad".to_owned())));
        let after = setup.get((URL, Ask::IfChanged), (304, "", "")).await;
        assert_eq!(after, (text("one"), sent("\"1\"")));
    }

    #[tokio::test]
    async fn an_absurd_validator_is_not_kept() {
        let setup = Setup::new();
        let long = format!("etag: \"{}\"", "x".repeat(1024));
        let _held = setup.get((URL, Ask::IfChanged), (200, &long, "one")).await;
        assert_eq!(setup.get((URL, Ask::IfChanged), (200, "", "two")).await, (text("two"), None));
        assert_eq!(setup.get((URL, Ask::IfChanged), (200, "", "three")).await, (text("three"), None));
    }
}
