//! What a request to a console must be like before anything is made of it.
//!
//! Enforces: forms come from our own pages (`Origin`, `Sec-Fetch-Site`, and a token of the session in the form,
//! compared in constant time), are at most 256 KiB, and
//! are here within 10 s. Does not enforce who is asking; each console does.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, header};
use m2m_io::Clock;
use m2m_proto::jose::{base64url, crypto};
use m2m_proto::secret::constant_time_eq;

/// How long a form may take: 256 KiB are here at once, or somebody only holds the connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest form.
const MAX_FORM: usize = 256 * 1024;

/// The field that shows that a form is from one of our pages.
pub(crate) const CSRF: &str = "csrf";

/// Why a form is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Another site sent it, or a page of another session.
    Foreign,
    /// It is no form, more than 256 KiB, or was not here within 10 s.
    Unreadable,
}

/// A form or a query as it was sent; names may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(pub(crate) Vec<(String, String)>);

impl Sent {
    /// Reads a query.
    pub(crate) fn query(uri: &http::Uri) -> Self {
        Self(pairs(uri.query().unwrap_or_default().as_bytes()))
    }

    /// Reads the form of a request that came from one of our pages, with the token of this session in it.
    ///
    /// # Errors
    /// [`Turned`].
    pub(crate) async fn form(
        request: Request<Body>,
        clock: &dyn Clock,
        (origin, token): (&str, &str),
    ) -> Result<Self, Turned> {
        if !from_here(request.headers(), origin) {
            return Err(Turned::Foreign);
        }
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
        if media.is_none_or(|media| !media.starts_with("application/x-www-form-urlencoded")) {
            return Err(Turned::Unreadable);
        }
        let body = tokio::select! {
            // A form that is here already starts no timer.
            biased;
            read = axum::body::to_bytes(request.into_body(), MAX_FORM) => read.map_err(|_| Turned::Unreadable)?,
            () = async { clock.sleep(PATIENCE).await } => return Err(Turned::Unreadable),
        };
        let sent = Self(pairs(&body));
        match constant_time_eq(sent.text(CSRF).as_bytes(), token.as_bytes()) {
            true => Ok(sent),
            false => Err(Turned::Foreign),
        }
    }

    /// The first value of that name, without space around; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// Every value of that name that is not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(known, value): &'a (String, String)| (known == name).then_some(value.trim());
        self.0.iter().filter_map(named).filter(|value| !value.is_empty())
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Whether a browser says that our own page sends this. What says nothing is no browser of this decade, and needs the
/// token all the same.
fn from_here(headers: &HeaderMap, origin: &str) -> bool {
    let is = |name: &str, wanted: &str| {
        headers.get(name).is_none_or(|value| value.as_bytes() == wanted.as_bytes())
    };
    is("origin", origin) && is("sec-fetch-site", "same-origin")
}

/// Whether a browser says that another site, or another port of this one, led to a page.
pub(crate) fn is_led_here(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    matches!(site, Some(b"same-site" | b"cross-site"))
}

/// The token that forms of a session carry: nobody can make it who does not have what the session is.
pub(crate) fn csrf(session: &str) -> String {
    base64url::encode(crypto::hmac_sha256(session.as_bytes(), b"m2m console form"))
}

/// The value of a cookie; `None` also where there are two of that name, of which a neighbour may have set one.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use m2m_io::{BoxFuture, SystemClock};
    use m2m_proto::time::UnixTime;

    use super::*;

    /// A clock on which any time is over at once.
    #[derive(Debug)]
    struct Over;

    impl Clock for Over {
        fn wall(&self) -> UnixTime {
            UnixTime::from_seconds(0)
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
            assert_eq!(time, PATIENCE);
            Box::pin(std::future::ready(()))
        }
    }

    /// A body of which nothing comes.
    struct Never;

    impl hyper::body::Body for Never {
        type Data = bytes::Bytes;
        type Error = std::io::Error;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_form_that_does_not_come_is_not_waited_for() {
        let request = post(None, String::new()).map(|_| Body::new(Never));
        assert_eq!(Sent::form(request, &Over, ("http://a", "t")).await.unwrap_err(), Turned::Unreadable);
    }

    fn post(origin: Option<&str>, body: String) -> Request<Body> {
        let request = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        let request = match origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        request.body(Body::from(body)).unwrap()
    }

    #[tokio::test]
    async fn only_our_own_forms_are_read() {
        let token = csrf("session");
        let body = format!("csrf={token}&scope=a&scope=+b+&scope=");
        let sent = Sent::form(post(Some("http://a"), body.clone()), &SystemClock, ("http://a", &token))
            .await
            .unwrap();
        assert_eq!(sent.all("scope").collect::<Vec<_>>(), ["a", "b"]);
        let turned =
            |request| async { Sent::form(request, &SystemClock, ("http://a", &token)).await.unwrap_err() };
        assert_eq!(turned(post(Some("http://b"), body.clone())).await, Turned::Foreign);
        assert_eq!(turned(post(Some("null"), body)).await, Turned::Foreign);
        assert_eq!(turned(post(None, format!("csrf={}", csrf("other")))).await, Turned::Foreign);
        assert_eq!(turned(post(None, String::new())).await, Turned::Foreign);
        let long = format!("csrf={token}&a={}", "x".repeat(MAX_FORM));
        assert_eq!(turned(post(None, long)).await, Turned::Unreadable);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; m2m=x=y; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "m2m"), Some("x=y"));
        assert_eq!(cookie(&headers, "m2"), None);
        headers.append(header::COOKIE, "m2m=tossed".parse().unwrap());
        assert_eq!(cookie(&headers, "m2m"), None, "one of two may be somebody else's");
    }
}
