//! The default [`HttpClient`]: reqwest on rustls, with the limits that reqwest leaves to its caller.
//!
//! Enforces: no redirect followed; a time limit over the whole exchange; a size limit counted after decompression; the
//! egress rules, at the moment of dialling; no retry; no cookies. The count and size of response headers are bounded
//! by hyper (100 headers, about 400 KiB; 64 KiB over HTTP/2).
//! Does not enforce: the address rules behind a proxy (see [`egress`](crate::egress)).

mod builder;
mod classify;
mod proxies;
mod resolve;
mod rooted;

use std::fmt::{self, Debug};
use std::sync::OnceLock;

use ::http::{Request, Response, StatusCode, Uri, header};
use ::reqwest::{Client, Url};
use bytes::{Bytes, BytesMut};
use m2m_proto::uri::Origin;

use self::builder::Settings;
pub use self::builder::{ProxyFrom, ReqwestHttpBuilder};
use self::classify::classify;
use self::proxies::Proxies;
pub use self::proxies::ProxyHop;
pub use self::rooted::RootedHttp;
use crate::egress::Dial;
use crate::{BoxFuture, Clock as _, HttpClient, HttpError, Limits, SystemClock};

/// The HTTP client of production. One per program: it holds the connection pools.
pub struct ReqwestHttp {
    settings: Settings,
    open: Prepared,
    /// Dials no address that the egress rules forbid, and has a pool of its own: a connection that the operator's
    /// word opened must not carry a stranger's URL. Made when first needed, as roots take time to load.
    guarded: OnceLock<Result<Prepared, HttpError>>,
    proxies: Proxies,
}

/// Whom a connection goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    /// The URL's host.
    Server,
    /// A proxy, which connects onwards.
    Proxy,
}

/// A reqwest client, and why it cannot do TLS if the system has no root certificates: plain HTTP to loopback still
/// works then.
pub(crate) struct Prepared {
    client: Client,
    without_tls: Option<String>,
}

impl ReqwestHttp {
    /// Starts from the defaults: system roots, proxies from the environment, no egress exceptions.
    #[must_use]
    pub fn builder() -> ReqwestHttpBuilder {
        ReqwestHttpBuilder::default()
    }

    /// The proxy that a request to `uri` goes through; `None` if it goes straight.
    #[must_use]
    pub fn proxy_of(&self, uri: &Uri) -> Option<ProxyHop> {
        self.proxies.hop(uri)
    }

    fn new(settings: Settings) -> Result<Self, HttpError> {
        let open = settings.open()?;
        let proxies = settings.proxies()?;
        Ok(Self { settings, open, guarded: OnceLock::new(), proxies })
    }

    async fn exchange(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, HttpError> {
        let dial = self.settings.egress.check(request.uri(), &limits.reach)?;
        let via = if self.proxies.of(request.uri()).is_some() { Via::Proxy } else { Via::Server };
        let mut outgoing = ::reqwest::Request::try_from(request)
            .map_err(|_| HttpError::Protocol("the URL is not valid".to_owned()))?;
        if dial == Dial::Checked {
            // Once more on what will be dialled: reqwest's URL parser decodes and normalizes hosts.
            self.settings.egress.check_host(outgoing.url().host_str().unwrap_or_default())?;
        }
        *outgoing.timeout_mut() = Some(limits.timeout);
        let url = outgoing.url().clone();
        let prepared = if dial == Dial::Checked && via == Via::Server { self.guarded()? } else { &self.open };
        if let (Some(problem), "https") = (&prepared.without_tls, url.scheme()) {
            return Err(HttpError::Tls(problem.clone()));
        }
        let response = prepared.client.execute(outgoing).await.map_err(|error| classify(&error, via))?;
        refuse_redirect(&response, &url)?;
        collect(response, limits.max_body_bytes, via).await
    }

    fn guarded(&self) -> Result<&Prepared, HttpError> {
        self.guarded.get_or_init(|| self.settings.guarded()).as_ref().map_err(Clone::clone)
    }
}

impl HttpClient for ReqwestHttp {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        let (method, url) = (request.method().clone(), without_query(request.uri()));
        Box::pin(async move {
            let start = SystemClock.monotonic();
            let result = self.exchange(request, limits).await;
            let elapsed = SystemClock.monotonic().saturating_sub(start);
            match &result {
                Ok(response) => {
                    tracing::debug!(%method, url, status = response.status().as_u16(), ?elapsed, "HTTP response");
                }
                Err(error) => tracing::debug!(%method, url, %error, ?elapsed, "HTTP failure"),
            }
            result
        })
    }
}

impl Debug for ReqwestHttp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReqwestHttp").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// For logs: neither query nor user information.
fn without_query(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}{}", uri.scheme_str().unwrap_or_default(), uri.path())
}

fn refuse_redirect(response: &::reqwest::Response, url: &Url) -> Result<(), HttpError> {
    let status = response.status();
    let redirects = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if !redirects.contains(&status) {
        return Ok(());
    }
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    let location_origin =
        target.and_then(|target| Origin::parse(&target.origin().ascii_serialization()).ok());
    Err(HttpError::Redirect { status, location_origin })
}

/// Reads the body, decompressed, up to `limit`; what comes after is never buffered.
async fn collect(
    mut response: ::reqwest::Response,
    limit: usize,
    via: Via,
) -> Result<Response<Bytes>, HttpError> {
    let too_large = HttpError::TooLarge { limit };
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let mut collected = Response::new(Bytes::new());
    *collected.status_mut() = response.status();
    *collected.version_mut() = response.version();
    *collected.headers_mut() = std::mem::take(response.headers_mut());
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error, via))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    *collected.body_mut() = body.freeze();
    Ok(collected)
}

#[cfg(test)]
mod tests;
