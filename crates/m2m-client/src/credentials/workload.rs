//! Workload tokens: JWTs that a platform gives to what runs on it, shown as the
//! client's assertion (RFC 7523 section 2.2) or as the subject of an exchange.
//!
//! Enforces: the token is got anew for every token request, because platforms
//! rotate it early and delete it without notice; what is sent is one JWT and
//! nothing else, so that a wrong path does not send another secret; the bearer
//! of [`IdTokenRequest`] travels encrypted, or not beyond this machine.
//! Does not enforce: signature, audience and expiry, which the server judges.
//! Limits: 64 KiB in a file, 16 KiB in an answer.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use m2m_io::{BoxFuture, HttpClient, Limits};
use m2m_proto::form::encode_component;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::{header, media_type};
use m2m_proto::secret::SecretString;
use m2m_proto::uri::{EndpointUri, PlainHttp};

use super::secret::{FileSecret, SecretSource};
use crate::error::Error;

/// A JWT in a file that the platform replaces while the program runs: a
/// projected service account token, a JWT-SVID. Read for every request.
#[derive(Debug)]
pub struct ProjectedToken {
    path: PathBuf,
    file: FileSecret,
}

impl ProjectedToken {
    /// The token in the file at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { file: FileSecret::new(path.clone()), path }
    }
}

impl SecretSource for ProjectedToken {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(async move {
            let text = self.file.read().await?;
            jwt(text.expose())
                .ok_or_else(|| Error::secret_unavailable(format!("{}: it holds no JWT", self.path.display())))
        })
    }

    fn version(&self) -> u64 {
        self.file.version()
    }

    fn look(&self) -> BoxFuture<'_, ()> {
        self.file.look()
    }
}

/// A JWT that the platform issues when it is asked with the bearer that it gave
/// this job: GET with the audience in the query, answered by `{"value": JWT}`.
pub struct IdTokenRequest {
    uri: http::Uri,
    bearer: HeaderValue,
    http: Arc<dyn HttpClient>,
}

const LIMITS: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

impl IdTokenRequest {
    /// Asks `url`, as the platform gives it, for a token for `audience`, through
    /// `http`.
    ///
    /// # Errors
    /// `Misconfigured`: the URL is none, or would carry the bearer unencrypted to
    /// another machine; the bearer cannot stand in a header.
    pub fn new(
        url: &str,
        bearer: &SecretString,
        audience: &str,
        http: Arc<dyn HttpClient>,
    ) -> Result<Self, Error> {
        let glue = if url.contains('?') { '&' } else { '?' };
        let full = format!("{url}{glue}audience={}", encode_component(audience));
        let wrong = |why: &dyn fmt::Display| Error::misconfigured(format!("the URL for job tokens: {why}"));
        let endpoint = EndpointUri::parse(&full).map_err(|error| wrong(&error))?;
        endpoint.check_transport(PlainHttp::LoopbackOnly).map_err(|error| wrong(&error))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))
            .map_err(|_| Error::misconfigured("the bearer for job tokens cannot stand in a header"))?;
        value.set_sensitive(true);
        Ok(Self { uri: endpoint.uri().clone(), bearer: value, http })
    }

    async fn fetch(&self) -> Result<SecretString, Error> {
        let failed = |why: String| Error::secret_unavailable(format!("the job's token: {why}"));
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(header::AUTHORIZATION, self.bearer.clone());
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(media_type::JSON));
        let limits = Limits { max_body_bytes: LIMITS, timeout: PATIENCE, ..Limits::default() };
        let response = self.http.send(request, &limits).await.map_err(|error| failed(error.to_string()))?;
        if !response.status().is_success() {
            return Err(failed(format!("the platform answered {}", response.status().as_u16())));
        }
        value(&response).ok_or_else(|| failed("the platform's answer holds no JWT".to_owned()))
    }
}

impl SecretSource for IdTokenRequest {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(self.fetch())
    }
}

/// Neither the bearer nor the query.
impl fmt::Debug for IdTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenRequest").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

fn value(response: &Response<Bytes>) -> Option<SecretString> {
    let mut members = parse_object(response.body(), &JsonLimits::DOCUMENT).ok()?;
    match members.remove("value")? {
        serde_json::Value::String(text) => {
            let text = SecretString::new(text);
            jwt(text.expose())
        }
        _ => None,
    }
}

/// The one JWT in a text, without white space around it: three parts of base64url.
fn jwt(text: &str) -> Option<SecretString> {
    let text = text.trim();
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let parts: Vec<&str> = text.split('.').collect();
    (parts.len() == 3 && parts.into_iter().all(part)).then(|| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::testing::{FakeServer, answer};

    const URL: &str = "https://job.example/token?api-version=2.0";

    fn asking(url: &str, server: &Arc<FakeServer>) -> Result<IdTokenRequest, Error> {
        let http = Arc::clone(server) as Arc<dyn HttpClient>;
        IdTokenRequest::new(url, &SecretString::from("canary-bearer"), "api://Exchange&x", http)
    }

    #[tokio::test]
    async fn a_projected_token_is_read_for_every_request_and_must_be_a_jwt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let source = ProjectedToken::new(&path);
        for (written, expect) in [("a.b.c\n", Some("a.b.c")), (" d.e.f ", Some("d.e.f"))] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(source.read().await.ok().as_ref().map(|text| text.expose().as_str()), expect);
        }
        for written in ["a.b", "a.b.c.d", "a..c", "a.b.c d", "hunter2", "a.b.c=", ""] {
            std::fs::write(&path, written).unwrap();
            let error = source.read().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SecretUnavailable, "{written}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_job_asks_for_its_token_each_time() {
        let server = FakeServer::new(|_, n| Ok(answer(200, format!(r#"{{"count":1,"value":"a.b.c{n}"}}"#))));
        let source = asking(URL, &server).unwrap();
        for expect in ["a.b.c1", "a.b.c2"] {
            assert_eq!(source.read().await.unwrap().expose(), expect);
        }
        let request = server.request(0);
        let uri = "https://job.example/token?api-version=2.0&audience=api%3A%2F%2FExchange%26x";
        assert_eq!(request.uri().to_string(), uri);
        assert_eq!(request.headers()["authorization"], "Bearer canary-bearer");
        assert!(!format!("{source:?}").contains("canary"));
        let plain = asking("https://job.example/token", &server).unwrap();
        plain.read().await.unwrap();
        assert!(server.request(2).uri().to_string().ends_with("/token?audience=api%3A%2F%2FExchange%26x"));
    }

    #[tokio::test]
    async fn an_answer_without_a_jwt_is_no_token_and_is_not_quoted() {
        for (status, body) in [
            (200, r#"{"value":"canary"}"#),
            (200, r#"{"value":7}"#),
            (200, "<html>canary"),
            (200, r#"{"token":"a.b.c"}"#),
            (401, r#"{"value":"a.b.c"}"#),
        ] {
            let server = FakeServer::new(move |_, _| Ok(answer(status, body)));
            let error = asking(URL, &server).unwrap().read().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SecretUnavailable, "{body}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_bearer_does_not_travel_in_the_clear() {
        let server = FakeServer::issuing(1);
        assert!(asking("http://job.example/token?", &server).is_err());
        assert!(asking("http://127.0.0.1:1/token?", &server).is_ok());
        assert!(asking("job.example", &server).is_err());
    }
}
