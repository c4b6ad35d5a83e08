//! What a test server was asked, kept for golden comparisons and for finding secrets where they must not be.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};

/// One request as a server received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The target; absolute in memory, path and query over sockets.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Recorded {
    /// Takes the parts of a request.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: request.body().clone(),
        }
    }

    /// Everything as text: request line, headers in order of name, an empty line, the body. For golden files.
    #[must_use]
    pub fn wire(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.uri);
        let mut headers = self.headers.iter().collect::<Vec<_>>();
        headers.sort_by_key(|(name, _)| name.as_str());
        for (name, value) in headers {
            // Writing to a string cannot fail.
            let _written = writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        }
        text + "\n" + &self.text()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The values of a form parameter in the body, decoded, in order.
    #[must_use]
    pub fn form(&self, name: &str) -> Vec<String> {
        let pairs = self.text();
        let decode =
            |text: &str| m2m_proto::form::decode_component(text).map_or_else(|_| text.to_owned(), Into::into);
        let pairs = pairs.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
    }

    /// A header as text; `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// All requests of one server, in order. Cloning gives another handle.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Vec<Recorded>>>);

impl Record {
    /// Adds one.
    pub fn push(&self, request: Recorded) {
        self.entries().push(request);
    }

    /// How many so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries().len()
    }

    /// A copy of all.
    #[must_use]
    pub fn all(&self) -> Vec<Recorded> {
        self.entries().clone()
    }

    /// The last one.
    ///
    /// # Panics
    ///
    /// When there was none.
    #[must_use]
    pub fn last(&self) -> Recorded {
        self.entries().last().cloned().expect("a request")
    }

    /// Takes all out; the count starts again.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.entries())
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::{Record, Recorded};

    #[test]
    fn wire_text_and_form() {
        let request = Request::post("https://as.example/token").header("b", "2").header("a", "1");
        let recorded = Recorded::of(&request.body(Bytes::from("scope=a+b&scope=c%2B&x=")).unwrap());
        assert_eq!(recorded.wire(), "POST https://as.example/token\na: 1\nb: 2\n\nscope=a+b&scope=c%2B&x=");
        assert_eq!(recorded.form("scope"), ["a b", "c+"]);
        assert_eq!(recorded.form("y"), Vec::<String>::new());
        assert_eq!((recorded.header("a"), recorded.header("c")), (Some("1"), None));
        let record = Record::default();
        record.clone().push(recorded.clone());
        assert_eq!((record.count(), record.last()), (1, recorded));
        assert_eq!((record.take().len(), record.count()), (1, 0));
    }
}
