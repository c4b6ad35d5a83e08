//! Requests to one origin with a bearer token out of a file: how a cluster's keys are asked for.
//!
//! Enforces: the file is read for every request, so that a token that is replaced every hour is never an old one; the
//! token goes to the origin that was configured, whatever a document says; a file that holds anything else than one
//! token (RFC 6750 §2.1, `b64token`) is not sent.
//! Does not enforce: which file may be named; whoever takes its name from others has to.
//! Limits: 64 KiB a file.

use std::path::PathBuf;
use std::sync::Arc;

use ::http::header::AUTHORIZATION;
use ::http::{HeaderValue, Request, Response, Uri};
use bytes::Bytes;
use m2m_proto::secret::SecretBytes;
use m2m_proto::uri::Origin;

use crate::file::read_secret_file;
use crate::{BoxFuture, HttpClient, HttpError, Limits, task};

/// An [`HttpClient`] that sends a bearer along.
#[derive(Debug)]
pub struct BearerHttp {
    inner: Arc<dyn HttpClient>,
    origin: Origin,
    file: PathBuf,
}

impl BearerHttp {
    /// Sends what `file` holds to `origin`, through `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn HttpClient>, origin: Origin, file: PathBuf) -> Self {
        Self { inner, origin, file }
    }

    async fn bearer(&self) -> Result<HeaderValue, HttpError> {
        let failed = |why: &str| HttpError::Protocol(format!("bearer file {}: {why}", self.file.display()));
        let file = self.file.clone();
        let read = task::blocking("bearer file", move || read_secret_file(&file)).await;
        let read = read.ok_or_else(|| failed("it was not read"))?;
        let secret = read.map_err(|error| failed(&error.to_string()))?.secret;
        header(&secret).ok_or_else(|| failed("it does not hold one token"))
    }
}

fn header(secret: &SecretBytes) -> Option<HeaderValue> {
    let letters = secret.expose();
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    if letters.is_empty() || !letters.iter().all(fits) {
        return None;
    }
    let text = SecretBytes::new([b"Bearer ".as_slice(), letters].concat());
    let mut value = HeaderValue::from_bytes(text.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn goes_to(origin: &Origin, uri: &Uri) -> bool {
    let parts = uri.scheme_str().zip(uri.authority());
    let found = parts.and_then(|(scheme, authority)| Origin::parse(&format!("{scheme}://{authority}")).ok());
    found.as_ref() == Some(origin)
}

impl HttpClient for BearerHttp {
    fn send(
        &self,
        mut request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        Box::pin(async move {
            if goes_to(&self.origin, request.uri()) {
                request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
            }
            self.inner.send(request, &limits).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ScriptedHttp;

    #[tokio::test]
    async fn the_bearer_is_read_each_time_and_goes_to_its_origin_alone() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("token");
        let http = Arc::new(ScriptedHttp::default());
        let origin = Origin::parse("https://cluster.example").unwrap();
        let inner: Arc<dyn HttpClient> = Arc::clone(&http) as _;
        let client = BearerHttp::new(inner, origin, file.clone());
        let send = async |url: &str| {
            http.answer(200, "{}");
            let mut request = Request::new(Bytes::new());
            *request.uri_mut() = url.parse().unwrap();
            client.send(request, &Limits::default()).await.map(|_| ())
        };
        let sent = || http.last_headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        for token in ["a.b.c", "d.e.f"] {
            std::fs::write(&file, format!("{token}\n")).unwrap();
            send("https://cluster.example/openid/v1/jwks").await.unwrap();
            assert_eq!(sent(), Some(format!("Bearer {token}")));
        }
        send("https://elsewhere.example/jwks").await.unwrap();
        assert_eq!(sent(), None, "another origin gets nothing");
        for wrong in ["two words", "line\nline", "canary\u{7f}"] {
            std::fs::write(&file, wrong).unwrap();
            let error = send("https://cluster.example/jwks").await.unwrap_err().to_string();
            assert!(error.contains("does not hold one token") && !error.contains("canary"), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(send("https://cluster.example/jwks").await.is_err());
    }
}
