//! Fetching a signed document of an issuer: a status list or its revocation feed.
//!
//! Enforces: no redirect, 200 only; signed by a current key of the issuer; every check of
//! [`m2m_proto::status_list`] and [`m2m_proto::revocation_feed`]. A document is fetched again when its `ttl` or its
//! `exp` says so, whichever is sooner, within the times that were set.
//! One that was issued before the last one that came is refused: nobody plays back what said less.
//! Does not enforce: `exp` while the document is kept; that the first one is new, beyond its `exp`, after a start or
//! after a list was dropped that nobody used.
//! Limits: 2 MiB for a list, 8 MiB for a feed, the timeout for all of it, a fetch of keys included.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use m2m_io::remote::{Fetch, Fetched};
use m2m_io::{BoxFuture, Clock, HttpClient, Limits, Reach, RemoteError};
use m2m_proto::jose::{Algorithm, VerifyingKey};
use m2m_proto::names::{header, media_type};
use m2m_proto::revocation_feed::{self, VerifiedRevocationFeed};
use m2m_proto::status_list::{self, VerifiedStatusList};
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::keys::IssuerKeys;

/// Whose documents, and what it takes to get and to check them.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) issuer: Issuer,
    pub(crate) algorithms: Arc<[Algorithm]>,
    pub(crate) keys: Arc<IssuerKeys>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
}

impl Signer {
    async fn get(
        &self,
        url: &EndpointUri,
        accept: &'static str,
        limits: &Limits,
    ) -> Result<Bytes, RemoteError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.uri().clone();
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
        let response = self.http.send(request, limits).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(RemoteError::Status(status)),
        }
    }

    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, RemoteError> {
        self.keys.find(kid, algorithm).await.map_err(|reason| RemoteError::Document(reason.to_string()))
    }

    /// How long to keep what says `ttl` and `exp`.
    fn keep(&self, ttl: Option<Duration>, expires_at: UnixTime) -> Option<Duration> {
        let left = expires_at.since(self.clock.wall());
        Some(ttl.map_or(left, |ttl| ttl.min(left)))
    }
}

/// When the newest document that came was issued. Clones share it.
#[derive(Debug, Clone, Default)]
struct Newest(Arc<Mutex<UnixTime>>);

impl Newest {
    /// Takes note of a document that was verified.
    ///
    /// # Errors
    /// It is older than one that came before.
    fn take(&self, issued_at: UnixTime) -> Result<(), RemoteError> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if issued_at < *newest {
            return Err(RemoteError::Document("it was issued before the one that came last".to_owned()));
        }
        *newest = issued_at;
        Ok(())
    }
}

fn text(body: &Bytes) -> Result<&str, RemoteError> {
    // Some servers end a file with a line.
    let text = std::str::from_utf8(body).map(str::trim_ascii);
    text.map_err(|_| RemoteError::Document("it is no text".to_owned()))
}

fn unusable(error: &impl ToString) -> RemoteError {
    RemoteError::Document(error.to_string())
}

/// A status list at one address.
#[derive(Debug, Clone)]
pub(super) struct ListDocument {
    url: EndpointUri,
    signer: Signer,
    limits: Limits,
    newest: Newest,
}

impl ListDocument {
    pub(super) fn new(url: EndpointUri, signer: Signer, timeout: Duration, reach: Reach) -> Self {
        let limits = Limits { max_body_bytes: status_list::MAX_DOCUMENT_BYTES, timeout, reach };
        Self { url, signer, limits, newest: Newest::default() }
    }

    async fn fetch(&self) -> Result<Fetched<VerifiedStatusList>, RemoteError> {
        let signer = &self.signer;
        let body = signer.get(&self.url, media_type::STATUSLIST_JWT, &self.limits).await?;
        let list = status_list::parse(text(&body)?).map_err(|error| unusable(&error))?;
        let key = signer.key(list.key_hint(), list.algorithm()).await?;
        let expect = status_list::Expect {
            uri: self.url.as_str(),
            // The draft leaves `iss` out; the key says whose list it is.
            issuer: None,
            algorithms: &signer.algorithms,
            now: signer.clock.wall(),
            skew: signer.skew,
        };
        let value = list.verify(&key, &expect).map_err(|error| unusable(&error))?;
        self.newest.take(value.issued_at())?;
        let max_age = signer.keep(value.ttl(), value.expires_at());
        Ok(Fetched { value, max_age })
    }
}

impl Fetch<VerifiedStatusList> for ListDocument {
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<VerifiedStatusList>, RemoteError>> {
        let this = self.clone();
        Box::pin(async move { this.fetch().await })
    }
}

/// The feed of an issuer.
#[derive(Debug, Clone)]
pub(super) struct FeedDocument {
    url: EndpointUri,
    signer: Signer,
    limits: Limits,
    newest: Newest,
}

impl FeedDocument {
    pub(super) fn new(url: EndpointUri, signer: Signer, timeout: Duration) -> Self {
        let max_body_bytes = revocation_feed::MAX_DOCUMENT_BYTES;
        let limits = Limits { max_body_bytes, timeout, reach: Reach::Configured };
        Self { url, signer, limits, newest: Newest::default() }
    }

    async fn fetch(&self) -> Result<Fetched<VerifiedRevocationFeed>, RemoteError> {
        let signer = &self.signer;
        let body = signer.get(&self.url, media_type::M2M_REVOCATIONS_JWT, &self.limits).await?;
        let feed = revocation_feed::parse(text(&body)?).map_err(|error| unusable(&error))?;
        let key = signer.key(feed.key_hint(), feed.algorithm()).await?;
        let expect = revocation_feed::Expect {
            issuer: &signer.issuer,
            algorithms: &signer.algorithms,
            now: signer.clock.wall(),
            skew: signer.skew,
        };
        let value = feed.verify(&key, &expect).map_err(|error| unusable(&error))?;
        self.newest.take(value.issued_at())?;
        let max_age = signer.keep(Some(value.ttl()), value.expires_at());
        Ok(Fetched { value, max_age })
    }
}

impl Fetch<VerifiedRevocationFeed> for FeedDocument {
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<VerifiedRevocationFeed>, RemoteError>> {
        let this = self.clone();
        Box::pin(async move { this.fetch().await })
    }
}
